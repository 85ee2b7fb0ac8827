/* heap/heap.c: the beginning and the end of a heap
 *
 * What a heap is made of lies at the beginning of its range, behind the maps: the quire_heap, the
 * tables of its quire_mem, which know all of the range from the beginning and are touched as it
 * grows, and some memory to begin with.
 */
#include "base/text.h"
#include "heap/cache.h"

#define DEFAULT_TRIM_THRESHOLD (128ul << 10)
#define DEFAULT_MOST_MAPPED 65536u
#define DEFAULT_CACHE_BYTES (16ul << 20)
#define DEFAULT_DECAY_NS 1000000000u
#define EMPTY_SLAB_BYTES                                                                           \
    (512ul << 10)                   /* of a class; they go before the heap grows, and by decay     \
                                     */
#define BOOT_BYTES (512ul << 10)    /* beside the tables */
#define FEW_SECTIONS 128u           /* then all of the first one is used, descriptors or not */
#define TABLE_BYTES_PER_SECTION 64u /* more than they take */
#define BLOCK_BYTES (QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER)
#define SECTION_BYTES (1ul << QUIRE_SECTION_SHIFT)

/* Where what lies in the range begins and ends, in bytes. */
struct layout {
    size_t maps;           /* of free slots */
    size_t boot, boot_end; /* memory to begin with */
    size_t sections;       /* that come later */
};

static struct layout lay_out(size_t size)
{
    struct layout layout;
    size_t pages = size >> QUIRE_PAGE_SHIFT;
    size_t sections = size >> QUIRE_SECTION_SHIFT;
    layout.maps = (size_t)quire_align_up(pages, QUIRE_PAGE_SIZE);
    layout.boot = (size_t)quire_align_up(layout.maps + pages * QUIRE_SLAB_MAP_BYTES, BLOCK_BYTES);
    layout.boot_end =
        layout.boot +
        (size_t)quire_align_up(BOOT_BYTES + sections * TABLE_BYTES_PER_SECTION, BLOCK_BYTES);
    layout.sections = (size_t)quire_align_up(layout.boot_end, SECTION_BYTES);
    if (sections < FEW_SECTIONS)
        layout.boot_end = layout.sections;
    return layout;
}

static int refuse(const char *why)
{
    quire_log(QUIRE_LOG_ERROR, "quire: heap: %s", why);
    return -QUIRE_EINVAL;
}

static int check(const struct quire_heap_config *config)
{
    if (!config || !config->port)
        return refuse("config.port is missing");
    quire_phys_t size = config->size, most = (quire_phys_t)QUIRE_MAX_PFN << QUIRE_PAGE_SHIFT;
    if (size & (SECTION_BYTES - 1) || size > most || lay_out(config->size).sections > config->size)
        return refuse("config.size isn't whole sections, or too small for the heap's own tables");
    if (config->ops && !config->ops->map != !config->ops->unmap)
        return refuse("config.ops has only one of map and unmap");
    return 0;
}

static int commit(const struct quire_heap_config *config, size_t start, size_t end)
{
    char *base = quire_port_phys_to_virt(config->port, 0);
    if (!config->ops || !config->ops->commit)
        return 0;
    return config->ops->commit(config->ops_arg, base + start, end - start);
}

static int commit_first(const struct quire_heap_config *config, const struct layout *layout,
                        size_t *maps_committed)
{
    *maps_committed = (size_t)quire_align_up(
        (layout->boot_end >> QUIRE_PAGE_SHIFT) * QUIRE_SLAB_MAP_BYTES, QUIRE_PAGE_SIZE);
    int error = commit(config, 0, layout->maps + *maps_committed);
    return error ? error : commit(config, layout->boot, layout->boot_end);
}

static void bad_page(void *arg, quire_pfn_t pfn, const char *text)
{
    struct quire_heap *heap = arg;
    heap_mistake(heap, heap->base + (pfn.value << QUIRE_PAGE_SHIFT), text);
}

/* The quire_heap lies at the beginning of the boot memory, reserved. */
static int make_mem(struct quire_heap *heap, const struct quire_heap_config *config,
                    const struct layout *layout)
{
    static const struct quire_mem_ops ops = {.bad_page = bad_page};
    struct quire_memblock *memblock = &heap->memblock;
    quire_memblock_init(memblock, "heap", config->port);
    memblock->is_zero = true;
    int error = quire_memblock_add(memblock, layout->boot, layout->boot_end - layout->boot, 0,
                                   QUIRE_MEMBLOCK_RAM);
    if (!error)
        error = quire_memblock_reserve(memblock, layout->boot, sizeof *heap);
    if (error)
        return error;
    struct quire_mem_config mem_config = {
        .port = config->port,
        .nr_cpus = 1,
        .no_mobility_grouping = true,
        .no_pcp = true,
        .fresh_is_reported = true,
        .min_free_kbytes = 1,
        .watermark_scale_factor = 1,
        .watermark_boost_factor = ~0u,
        .max_phys = config->size,
        .ops = &ops,
        .ops_arg = heap,
    };
    mem_config.zone_end[QUIRE_ZONE_NORMAL] = UINT64_MAX;
    return quire_mem_init(&heap->mem, memblock, &mem_config);
}

static int make_slab(struct quire_heap *heap, const struct layout *layout)
{
    struct quire_slab_config config = {
        .max_caches = 96,
        .no_merge = true,
        .no_general = true,
        .empty_bytes = EMPTY_SLAB_BYTES,
        .maps = heap->base + layout->maps,
        .pages_changed = slab_pages_changed,
        .pages_arg = heap,
    };
    int error = quire_slab_init(&heap->slab, heap->mem, &config);
    return error ? error : large_init(heap);
}

int quire_heap_create(struct quire_heap **heap, const struct quire_heap_config *config)
{
    int error = check(config);
    if (error)
        return error;
    struct layout layout = lay_out(config->size);
    size_t maps_committed;
    error = commit_first(config, &layout, &maps_committed);
    if (error)
        return error;
    struct quire_heap *made = quire_port_phys_to_virt(config->port, layout.boot);
    made->base = quire_port_phys_to_virt(config->port, 0);
    made->size = config->size;
    made->port = config->port;
    made->ops = config->ops ? *config->ops : (struct quire_heap_ops){0};
    made->ops_arg = config->ops_arg;
    made->map_threshold = (size_t)(NR_RUNS << QUIRE_PAGE_SHIFT);
    made->large.mapped_threshold = made->map_threshold;
    made->large.most_mapped = DEFAULT_MOST_MAPPED;
    made->trim_threshold = DEFAULT_TRIM_THRESHOLD;
    made->slots_of_cache = cache_slots();
    made->cache_bytes = config->cache_bytes ? config->cache_bytes : DEFAULT_CACHE_BYTES;
    quire_heap_set_decay(made, config->decay_ns ? config->decay_ns : DEFAULT_DECAY_NS);
    made->maps = layout.maps;
    made->maps_committed = maps_committed;
    made->committed = layout.sections;
    error = make_mem(made, config, &layout);
    if (!error)
        error = make_slab(made, &layout);
    if (!error)
        *heap = made;
    return error;
}

void quire_heap_destroy(struct quire_heap *heap)
{
    quire_heap_set_live(heap, NULL);
    quire_heap_settle(heap);
    large_end(heap);
    (void)quire_slab_destroy(heap->slab);
    (void)quire_mem_destroy(heap->mem);
}

void quire_heap_set_map_threshold(struct quire_heap *heap, size_t bytes, unsigned long most,
                                  bool is_fixed)
{
    size_t most_run = (size_t)(NR_RUNS << QUIRE_PAGE_SHIFT);
    heap_lock(&heap->large.lock);
    heap->large.mapped_threshold = bytes;
    heap->large.most_mapped = most;
    heap->large.is_fixed = is_fixed;
    heap_unlock(&heap->large.lock);
    quire_store_relaxed(&heap->map_threshold, bytes < most_run ? bytes : most_run);
}
