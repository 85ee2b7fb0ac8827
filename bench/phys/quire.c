/* bench/phys/quire.c: libquire, as a program that links it finds it */
#include <stdlib.h>

#include <quire/phys.h>

#include "loops.h"

struct machine {
    struct quire_port_mem port;
    uint64_t bytes;
    struct quire_mem *mem;
};

static quire_gfp_t gfp = QUIRE_GFP_KERNEL;

static ALWAYS_INLINE uintptr_t quire_get(void *allocator, unsigned order)
{
    return (uintptr_t)quire_alloc_pages(allocator, gfp, order);
}

static ALWAYS_INLINE void quire_put(void *allocator, uintptr_t block, unsigned order)
{
    quire_free_pages(allocator, (struct quire_page *)block, order);
}

static void *machine_create(uint64_t bytes, unsigned threads, unsigned order)
{
    static struct quire_memblock memblock;
    (void)threads;
    (void)order;
    struct machine *machine = calloc(1, sizeof *machine);
    if (!machine)
        return NULL;
    if (options.movable)
        gfp = QUIRE_GFP_HIGHUSER_MOVABLE;
    machine->bytes = bytes;
    if (quire_posix_mem_create(&machine->port, bytes)) {
        free(machine);
        return NULL;
    }
    struct quire_mem_config config = {.port = &machine->port, .nr_cpus = options.cpus};
    quire_memblock_init(&memblock, "benchmark", &machine->port);
    if (quire_memblock_add(&memblock, 0, bytes, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&machine->mem, &memblock, &config))
        fail("quire_mem_init refused the simulated memory");
    return machine;
}

static void machine_destroy(void *allocator)
{
    struct machine *machine = allocator;
    if (quire_mem_destroy(machine->mem))
        fail("quire: pages are left allocated");
    quire_posix_mem_destroy(&machine->port, machine->bytes);
    free(machine);
}

static void *machine_local(void *allocator, unsigned thread)
{
    (void)thread;
    return ((struct machine *)allocator)->mem;
}

static size_t machine_metadata(void *allocator)
{
    return quire_metadata_size(((struct machine *)allocator)->mem);
}

static bool quire_fill(struct span *span)
{
    return loop_fill(quire_get, span);
}

static void quire_empty(struct span *span)
{
    loop_empty(quire_put, span);
}

static bool quire_repeat(struct span *span)
{
    return loop_repeat(quire_get, quire_put, span);
}

static ALWAYS_INLINE bool quire_get_many(void *allocator, void *blocks)
{
    struct quire_page **pages = blocks;
    __builtin_memset(pages, 0, CALL_PAGES * sizeof pages[0]);
    return quire_alloc_pages_bulk(allocator, -1, gfp, CALL_PAGES, pages) == CALL_PAGES;
}

static ALWAYS_INLINE void quire_put_many(void *allocator, void *blocks)
{
    quire_free_pages_bulk(allocator, CALL_PAGES, blocks);
}

static bool quire_calls(struct span *span)
{
    return loop_calls(quire_get_many, quire_put_many, span);
}

static bool quire_produce(struct span *span, struct ring *ring)
{
    return loop_produce(quire_get, span, ring);
}

static void quire_consume(struct span *span, struct ring *ring)
{
    loop_consume(quire_put, span, ring);
}

const struct subject quire_subject = {
    .name = "quire",
    .create = machine_create,
    .destroy = machine_destroy,
    .local = machine_local,
    .metadata = machine_metadata,
    .fill = quire_fill,
    .empty = quire_empty,
    .repeat = quire_repeat,
    .calls = quire_calls,
    .produce = quire_produce,
    .consume = quire_consume,
};
