/* bench/slab/quire.c: libquire's caches and kmalloc, on the frames of a simulated machine
 *
 * The machine has more memory than any case needs. That costs nothing until it is touched.
 */
#include <stdlib.h>

#include <quire/slab.h>

#include "loops.h"

#define MEMORY_BYTES (24ull << 30)

struct machine {
    struct quire_port_mem port;
    struct quire_mem *mem;
    struct quire_slab *slab;
    struct quire_kmem_cache *cache;
};

static void *machine_create(const struct bench_case *c)
{
    static struct quire_memblock memblock;
    static struct machine machine;
    if (quire_posix_mem_create(&machine.port, MEMORY_BYTES))
        fail("no address space for the simulated memory");
    struct quire_mem_config config = {.port = &machine.port};
    quire_memblock_init(&memblock, "benchmark", &machine.port);
    if (quire_memblock_add(&memblock, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&machine.mem, &memblock, &config) ||
        quire_slab_init(&machine.slab, machine.mem, NULL))
        fail("the simulated machine was refused");
    if (!c->general) {
        machine.cache = quire_kmem_cache_create(machine.slab, "bench", c->size, 0, 0, NULL);
        if (!machine.cache)
            fail("the cache was refused");
    }
    return &machine;
}

static uint64_t machine_bytes(void *allocator)
{
    struct machine *machine = allocator;
    unsigned long used = quire_nr_managed_pages(machine->mem) - quire_nr_free_pages(machine->mem);
    return (uint64_t)used << QUIRE_PAGE_SHIFT;
}

/* ---- a cache of one size --------------------------------------------------------------------- */

static ALWAYS_INLINE void *cache_alloc(void *allocator, size_t size)
{
    (void)size;
    return quire_kmem_cache_alloc(((struct machine *)allocator)->cache, QUIRE_GFP_KERNEL);
}

static ALWAYS_INLINE void cache_free(void *allocator, void *object)
{
    quire_kmem_cache_free(((struct machine *)allocator)->cache, object);
}

static ALWAYS_INLINE bool cache_alloc_bulk(void *allocator, size_t size, size_t count,
                                           void **objects)
{
    (void)size;
    return quire_kmem_cache_alloc_bulk(((struct machine *)allocator)->cache, QUIRE_GFP_KERNEL,
                                       count, objects);
}

static ALWAYS_INLINE void cache_free_bulk(void *allocator, size_t count, void **objects)
{
    quire_kmem_cache_free_bulk(((struct machine *)allocator)->cache, count, objects);
}

DEFINE_LOOPS(cache)

const struct subject quire_cache_subject = {
    .create = machine_create, SUBJECT_LOOPS(cache), .bytes = machine_bytes};

/* ---- kmalloc --------------------------------------------------------------------------------- */

static ALWAYS_INLINE void *kmalloc_alloc(void *allocator, size_t size)
{
    return quire_kmalloc(((struct machine *)allocator)->slab, size, QUIRE_GFP_KERNEL);
}

static ALWAYS_INLINE void kmalloc_free(void *allocator, void *object)
{
    quire_kfree(((struct machine *)allocator)->slab, object);
}

static ALWAYS_INLINE bool kmalloc_alloc_bulk(void *allocator, size_t size, size_t count,
                                             void **objects)
{
    for (size_t i = 0; i < count; i++)
        if (!(objects[i] = kmalloc_alloc(allocator, size)))
            return false;
    return true;
}

static ALWAYS_INLINE void kmalloc_free_bulk(void *allocator, size_t count, void **objects)
{
    for (size_t i = 0; i < count; i++)
        kmalloc_free(allocator, objects[i]);
}

DEFINE_LOOPS(kmalloc)

const struct subject quire_kmalloc_subject = {
    .create = machine_create, SUBJECT_LOOPS(kmalloc), .bytes = machine_bytes};
