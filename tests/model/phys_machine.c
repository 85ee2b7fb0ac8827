/* tests/model/phys_machine.c: a random machine
 *
 * Some maps can't hold their own descriptors. Then quire_mem_init has to say so and leave the map
 * as it was, and the next map is tried.
 */
#include "tests/model/phys_model.h"

#define MIB ((quire_phys_t)QUIRE_PAGE_SIZE * 256) /* a MiB where frames have 4 KiB */
#define PAGEBLOCK_BYTES ((quire_phys_t)QUIRE_PAGEBLOCK_PAGES << QUIRE_PAGE_SHIFT)
#define MAX_TRIES 64

/* ---- random numbers: a machine's own, so that it can be made again alone --------------------- */

uint64_t model_random(struct model *model)
{
    uint64_t z = model->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t below(struct model *model, uint32_t bound)
{
    return (uint32_t)(((model_random(model) >> 32) * bound) >> 32);
}

/* Small ones as likely as large ones. */
static quire_phys_t random_size(struct model *model, quire_phys_t most)
{
    unsigned bits = quire_fls64(most) + 1;
    quire_phys_t size = model_random(model) >> (64 - bits + below(model, bits / 2));
    return size < most ? size : most;
}

/* ---- the memory map -------------------------------------------------------------------------- */

static quire_phys_t random_bytes(struct model *model, quire_phys_t most)
{
    quire_phys_t size = random_size(model, most);
    if (one_in(model, 3))
        return size;
    return quire_align_down(size, one_in(model, 2) ? PAGEBLOCK_BYTES : QUIRE_PAGE_SIZE);
}

static void make_ranges(struct model *model)
{
    quire_phys_t span = (quire_phys_t)model->nr_frames << QUIRE_PAGE_SHIFT, at = 0;
    bool kinds = one_in(model, 2), mixed_nodes = one_in(model, 3);
    model->nr_ranges = 0;
    while (at < span && model->nr_ranges < MODEL_MAX_RANGES) {
        if (!one_in(model, 3))
            at += random_bytes(model, one_in(model, 4) ? span / 2 : 4 * MIB);
        struct model_range *range = &model->range[model->nr_ranges];
        *range = (struct model_range){.base = at, .size = random_bytes(model, span / 2)};
        if (at >= span || !range->size)
            continue;
        if (range->size > span - at)
            range->size = span - at;
        unsigned long frame = (unsigned long)(at >> QUIRE_PAGE_SHIFT);
        range->node = (int)(mixed_nodes ? below(model, model->nr_nodes)
                                        : frame * model->nr_nodes / model->nr_frames);
        if (kinds)
            range->kind = (const enum quire_memblock_kind[]){QUIRE_MEMBLOCK_RAM, QUIRE_MEMBLOCK_RAM,
                                                             QUIRE_MEMBLOCK_HOTPLUG,
                                                             QUIRE_MEMBLOCK_NOMAP}[below(model, 4)];
        at = quire_align_up(at + range->size, QUIRE_PAGE_SIZE);
        model->nr_ranges++;
    }
}

static void make_reservations(struct model *model)
{
    quire_phys_t span = (quire_phys_t)model->nr_frames << QUIRE_PAGE_SHIFT;
    model->nr_reserved = below(model, MODEL_MAX_RESERVED + 1);
    for (unsigned i = 0; i < model->nr_reserved; i++) {
        struct model_range *range = &model->reserved[i];
        range->base = QUIRE_PAGE_SIZE + random_bytes(model, span - 2 * QUIRE_PAGE_SIZE);
        range->size = random_bytes(model, one_in(model, 4) ? 8 * MIB : MIB / 4);
        if (range->size > span - range->base)
            range->size = span - range->base;
    }
}

/* In two parts, or twice, now and then; from either end. */
static void add_range(struct model *model, const struct model_range *range)
{
    quire_phys_t first = one_in(model, 3) ? random_size(model, range->size) : range->size;
    quire_phys_t again = one_in(model, 8) ? 0 : first;
    EXPECT_EQ(model,
              quire_memblock_add(&model->memblock, range->base + again, range->size - again,
                                 range->node, range->kind),
              0);
    EXPECT_EQ(model,
              quire_memblock_add(&model->memblock, range->base, first, range->node, range->kind),
              0);
}

static void fill_memblock(struct model *model)
{
    bool descending = one_in(model, 2);
    quire_memblock_init(&model->memblock, "model", &model->port);
    for (unsigned i = 0; i < model->nr_reserved; i++)
        EXPECT_EQ(model,
                  quire_memblock_reserve(&model->memblock, model->reserved[i].base,
                                         model->reserved[i].size),
                  0);
    for (unsigned i = 0; i < model->nr_ranges; i++)
        add_range(model, &model->range[descending ? model->nr_ranges - 1 - i : i]);
}

/* ---- the configuration ----------------------------------------------------------------------- */

/* Within the lowest 1 / 2^shift of the addresses. */
static quire_phys_t pageblock_below(struct model *model, unsigned shift)
{
    quire_phys_t span = (quire_phys_t)model->nr_frames << QUIRE_PAGE_SHIFT;
    return quire_align_down(random_size(model, span >> shift), PAGEBLOCK_BYTES) + PAGEBLOCK_BYTES;
}

static void make_zone_ends(struct model *model)
{
    quire_phys_t *end = model->config.zone_end;
    quire_phys_t span = (quire_phys_t)model->nr_frames << QUIRE_PAGE_SHIFT;
    model->port.direct_end = span;
    switch (below(model, 6)) {
    case 0: /* as the port says */
        return;
    case 1:
        end[QUIRE_ZONE_NORMAL] = UINT64_MAX;
        break;
    case 2:
        end[QUIRE_ZONE_DMA] = pageblock_below(model, 1);
        end[QUIRE_ZONE_NORMAL] = UINT64_MAX;
        break;
    case 3:
        end[QUIRE_ZONE_DMA] = pageblock_below(model, 2);
        end[QUIRE_ZONE_DMA32] = end[QUIRE_ZONE_DMA] + pageblock_below(model, 1);
        end[QUIRE_ZONE_NORMAL] = UINT64_MAX;
        break;
    case 4:
        end[QUIRE_ZONE_DMA] = pageblock_below(model, 3);
        end[QUIRE_ZONE_NORMAL] = end[QUIRE_ZONE_DMA] + pageblock_below(model, 0);
        end[QUIRE_ZONE_HIGHMEM] = UINT64_MAX;
        if (end[QUIRE_ZONE_NORMAL] < span)
            model->port.direct_end = end[QUIRE_ZONE_NORMAL];
        break;
    default: /* what lies above the last zone isn't used */
        end[QUIRE_ZONE_DMA32] = pageblock_below(model, 0);
    }
    if (one_in(model, 3))
        end[QUIRE_ZONE_MOVABLE] = UINT64_MAX;
}

static void report(void *arg, quire_pfn_t pfn, const char *text)
{
    struct model *model = arg;
    (void)text;
    model->reports++;
    model->reported_pfn = pfn.value;
}

static void wake_reclaim(void *arg, int node, unsigned order, enum quire_zone_type highest)
{
    struct model *model = arg;
    (void)order;
    (void)highest;
    if (one_in(model, 4))
        quire_reset_watermark_boost(model->mem, node);
}

static void make_config(struct model *model)
{
    struct quire_mem_config *config = &model->config;
    *config = (struct quire_mem_config){
        .port = &model->port,
        .nr_cpus = 1 + below(model, MODEL_MAX_CPUS),
        .nr_nodes = one_in(model, 2) ? model->nr_nodes : 0,
        .no_mobility_grouping = one_in(model, 6),
        .no_pcp = one_in(model, 6),
        .debug = one_in(model, 6) ? 1 + below(model, 3) : 0,
        .ops = &model->ops,
        .ops_arg = model,
    };
    if (model->nr_frames > 65536)
        config->debug &= ~QUIRE_DEBUG_POISON; /* which touches all memory */
    model->debug = config->debug;
    model->ops = (struct quire_mem_ops){
        .bad_page = report,
        .wake_reclaim = one_in(model, 2) ? wake_reclaim : NULL,
    };
    make_zone_ends(model);
    if (one_in(model, 3))
        config->movable_size = random_size(model, 32 * MIB);
    if (one_in(model, 3))
        config->min_free_kbytes = below(model, 1024);
    if (one_in(model, 3))
        config->watermark_scale_factor = 1 + below(model, 200);
    if (one_in(model, 3))
        config->watermark_boost_factor = one_in(model, 2) ? ~0u : below(model, 30000);
}

/* Of the nodes that the map turned out to have. */
static void make_topology(struct model *model)
{
    unsigned nodes = 1;
    for (unsigned i = 0; i < model->nr_ranges; i++) {
        const struct model_range *range = &model->range[i];
        bool has_frame = quire_align_up(range->base, QUIRE_PAGE_SIZE) + QUIRE_PAGE_SIZE <=
                         range->base + range->size;
        if (has_frame && (unsigned)range->node + 1 > nodes)
            nodes = (unsigned)range->node + 1;
    }
    if (model->config.nr_nodes)
        nodes = model->config.nr_nodes;
    model->nr_nodes = nodes;
    for (unsigned cpu = 0; cpu < MODEL_MAX_CPUS; cpu++)
        model->cpu_node[cpu] = (uint8_t)below(model, nodes);
    model->config.cpu_node = model->cpu_node;
    for (unsigned from = 0; from < nodes; from++)
        for (unsigned to = 0; to < nodes; to++)
            model->distance[from * nodes + to] =
                (uint8_t)(from == to ? 10 : 11 + below(model, one_in(model, 2) ? 3 : 200));
    model->config.distance = model->distance;
}

/* ---- making and ending ----------------------------------------------------------------------- */

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

static void quiet(bool on)
{
    if (test_environment.set_log)
        test_environment.set_log(on ? hear_nothing : NULL);
}

/* The reference's arrays lie behind the machine's memory, in the same piece. */
static bool get_memory(struct model *model, unsigned long frames)
{
    uint64_t span = (uint64_t)frames << QUIRE_PAGE_SHIFT;
    uint64_t arrays = (uint64_t)frames * (2 + sizeof(struct model_block));
    if (!test_environment.memory(span + arrays, &model->port))
        return false;
    char *at = quire_port_phys_to_virt(&model->port, span);
    model->nr_frames = frames;
    model->block = (struct model_block *)(void *)at;
    model->state = (uint8_t *)(model->block + frames);
    model->zone = model->state + frames;
    return true;
}

/* A quarter of the machines span several sections. */
static bool make_memory(struct model *model)
{
    unsigned long frames = 1024ul << below(model, one_in(model, 4) ? 9 : 6);
    frames += below(model, 1024);
    while (!get_memory(model, frames))
        if ((frames /= 2) < 1024)
            return false;
    return true;
}

static bool try_to_create(struct model *model)
{
    model->nr_nodes = 1 + below(model, MODEL_MAX_NODES);
    if (!make_memory(model))
        return false;
    make_config(model);
    make_ranges(model);
    make_reservations(model);
    make_topology(model);
    fill_memblock(model);
    quire_phys_t reserved = quire_memblock_reserved_size(&model->memblock);
    unsigned long count = model->memblock.reserved.count;
    int error = quire_mem_init(&model->mem, &model->memblock, &model->config);
    if (error) {
        EXPECT(model, error == -QUIRE_ENOMEM || error == -QUIRE_EINVAL);
        EXPECT_EQ(model, quire_memblock_reserved_size(&model->memblock), reserved);
        EXPECT_EQ(model, model->memblock.reserved.count, count);
        EXPECT(model, !model->memblock.handed_over);
        return false;
    }
    return true;
}

bool machine_create(struct model *model, uint64_t seed)
{
    uint64_t random = seed * 0x2545f4914f6cdd1du;
    quiet(true);
    for (unsigned tries = 0; tries < MAX_TRIES; tries++) {
        __builtin_memset(model, 0, sizeof *model);
        model->random = random + tries;
        if (try_to_create(model)) {
            frames_fill(model);
            moves_register(model);
            EXPECT_EQ(model, quire_nr_managed_pages(model->mem), model->managed);
            EXPECT_EQ(model, quire_nr_free_pages(model->mem), model->managed);
            model_set_cpu(model, 0);
            return !model->broken;
        }
        if (model->broken)
            return false;
    }
    return false;
}

unsigned long machine_destroy(struct model *model)
{
    unsigned long allocated = model->mem ? quire_mem_destroy(model->mem) : 0;
    if (model->mem && !model->broken)
        frames_check_kept(model);
    test_environment.set_cpu(0);
    quiet(false);
    return allocated;
}

void model_set_cpu(struct model *model, unsigned cpu)
{
    model->cpu = cpu;
    test_environment.set_cpu(cpu);
}
