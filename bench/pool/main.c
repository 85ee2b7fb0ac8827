/* bench/pool/main.c: pool-bench, what it costs to make a pool, fill it and end it
 *
 * The objects are those of a request: mixed small sizes, 8 to 256 bytes, each written in its first
 * byte. The same with malloc and free of the C library for comparison.
 */
#include <stdlib.h>

#include <quire/heap.h>
#include <quire/pool.h>
#include <quire/port.h>

#include "bench/common/cases.h"

#define OBJECTS 100ul
#define POOLS 64ul
#define HEAP_BYTES (256ul << 20)

static uint16_t sizes[OBJECTS];
static const struct quire_pool_malloc libc = {malloc, free};
static struct quire_pool_config config;
static struct quire_pool_cache cache;
static struct quire_pool *parent;

static void start(struct quire_mem *mem, size_t block_size)
{
    uint64_t random = 88172645463325252ull;
    (void)mem;
    for (unsigned i = 0; i < OBJECTS; i++)
        sizes[i] = (uint16_t)(8 + random_below(&random, 249));
    config = (struct quire_pool_config){
        .source = quire_pool_from_malloc(&libc),
        .block_size = block_size,
    };
    if (quire_pool_cache_init(&cache, &config))
        fail("the configuration was refused");
}

static void start_pages(struct quire_mem *mem)
{
    start(mem, 0);
}

static void start_16k(struct quire_mem *mem)
{
    start(mem, 16 << 10);
}

/* A heap on memory of its own. */
static void start_heap(struct quire_mem *mem)
{
    static struct quire_port_mem port;
    static struct quire_heap_cache heap_cache;
    static struct quire_heap *heap;
    struct quire_heap_config heap_config = {.port = &port, .size = HEAP_BYTES};
    start(mem, 0);
    if (!heap &&
        (quire_posix_mem_create(&port, HEAP_BYTES) || quire_heap_create(&heap, &heap_config) ||
         quire_heap_cache_attach(heap, &heap_cache)))
        fail("no heap");
    config.source = quire_pool_from_heap(&heap_cache);
}

static void start_children(struct quire_mem *mem)
{
    start(mem, 0);
    parent = quire_pool_create(&cache);
    if (!parent)
        fail("out of memory");
}

static void end(void)
{
    if (quire_pool_cache_destroy(&cache))
        fail("pools are left");
}

static void end_children(void)
{
    quire_pool_destroy(parent);
    end();
}

/* Out of line, as a program's own functions between allocations are: nothing is kept in registers
 * from one to the next. */
static __attribute__((noinline)) void fill(struct quire_pool *pool)
{
    for (unsigned i = 0; i < OBJECTS; i++) {
        char *object = quire_pool_alloc(pool, sizes[i]);
        if (!object)
            fail("out of memory");
        *object = 1;
        __asm__ volatile("" ::: "memory");
    }
}

static void create_and_destroy(void)
{
    for (unsigned i = 0; i < POOLS; i++) {
        struct quire_pool *pool = quire_pool_create(&cache);
        if (!pool)
            fail("out of memory");
        fill(pool);
        quire_pool_destroy(pool);
    }
}

static void create_and_destroy_children(void)
{
    for (unsigned i = 0; i < POOLS; i++) {
        struct quire_pool *pool = quire_pool_create_child(parent);
        if (!pool)
            fail("out of memory");
        fill(pool);
        quire_pool_destroy(pool);
    }
}

static void fill_and_reset(void)
{
    for (unsigned i = 0; i < POOLS; i++) {
        fill(parent);
        quire_pool_reset(parent);
    }
}

static void create_and_destroy_empty(void)
{
    for (unsigned i = 0; i < POOLS; i++) {
        struct quire_pool *pool = quire_pool_create(&cache);
        if (!pool)
            fail("out of memory");
        quire_pool_destroy(pool);
    }
}

static void nothing(void *arg)
{
    (void)arg;
}

static void register_handlers(void)
{
    for (unsigned i = 0; i < POOLS; i++) {
        for (unsigned n = 0; n < OBJECTS; n++)
            if (!quire_pool_cleanup(parent, nothing, NULL))
                fail("out of memory");
        quire_pool_reset(parent);
    }
}

static void malloc_and_free(void)
{
    for (unsigned i = 0; i < POOLS; i++) {
        char *object[OBJECTS];
        for (unsigned n = 0; n < OBJECTS; n++) {
            if (!(object[n] = malloc(sizes[n])))
                fail("out of memory");
            *object[n] = 1;
            __asm__ volatile("" ::: "memory");
        }
        for (unsigned n = 0; n < OBJECTS; n++)
            free(object[n]);
    }
}

static const struct bench_case cases[] = {
    {"pool-100-objects", "object", POOLS *OBJECTS, start_pages, NULL, create_and_destroy, NULL,
     end},
    {"pool-100-objects-16k", "object", POOLS *OBJECTS, start_16k, NULL, create_and_destroy, NULL,
     end},
    {"pool-100-objects-heap", "object", POOLS *OBJECTS, start_heap, NULL, create_and_destroy, NULL,
     end},
    {"child-100-objects", "object", POOLS *OBJECTS, start_children, NULL,
     create_and_destroy_children, NULL, end_children},
    {"reset-100-objects", "object", POOLS *OBJECTS, start_children, NULL, fill_and_reset, NULL,
     end_children},
    {"pool-empty", "pool", POOLS, start_pages, NULL, create_and_destroy_empty, NULL, end},
    {"cleanup", "handler", POOLS *OBJECTS, start_children, NULL, register_handlers, NULL,
     end_children},
    {"malloc-100-objects", "object", POOLS *OBJECTS, start_pages, NULL, malloc_and_free, NULL, end},
    {0},
};

int main(int argc, char **argv)
{
    static const struct bench_case *const groups[] = {cases, NULL};
    return run_bench(argc, argv,
                     "Example: pool-bench --case='*-100-objects'\n\n"
                     "Prints what it costs to make a pool, to allocate 100 objects of 8 to 256 "
                     "bytes from it, and to end it: rows of case, threads, subject, value and "
                     "unit. malloc-* is the C library's.\v"
                     "Exit status: 0 done, 1 failed, 2 usage.",
                     groups);
}
