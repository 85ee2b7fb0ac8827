/* tests/model/phys_model.c: long random runs of the page allocator against a reference
 *
 * A run is a row of machines. The machine of number n is made from the seed plus n alone, so
 * `--seed=S --effort=1` repeats just the machine that a failure names. On each, thousands of random
 * operations through the public functions, as any of its CPUs; after each the reference is brought
 * up to date and what can be compared is.
 */
#include "tests/model/phys_model.h"

#define MOST_BULK 96u

/* ---- what is asked for ----------------------------------------------------------------------- */

static quire_gfp_t random_gfp(struct model *model)
{
    static const quire_gfp_t bases[] = {
        QUIRE_GFP_KERNEL,
        QUIRE_GFP_KERNEL | QUIRE_GFP_RECLAIMABLE,
        QUIRE_GFP_KERNEL | QUIRE_GFP_NORETRY,
        QUIRE_GFP_KERNEL | QUIRE_GFP_RETRY_MAYFAIL,
        QUIRE_GFP_KERNEL | QUIRE_GFP_HIGH,
        QUIRE_GFP_ATOMIC,
        QUIRE_GFP_ATOMIC | QUIRE_GFP_NOMEMALLOC,
        QUIRE_GFP_NOWAIT,
        QUIRE_GFP_NOWAIT | QUIRE_GFP_MOVABLE,
        QUIRE_GFP_HIGHUSER,
        QUIRE_GFP_HIGHUSER_MOVABLE,
        QUIRE_GFP_HIGHUSER_MOVABLE,
        QUIRE_GFP_USER | QUIRE_GFP_MOVABLE,
        QUIRE_GFP_MEMALLOC,
        QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC,
        QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC | QUIRE_GFP_NOMEMALLOC,
    };
    quire_gfp_t gfp = bases[below(model, sizeof bases / sizeof bases[0])] | QUIRE_GFP_NOWARN;
    if (one_in(model, 8))
        gfp |= QUIRE_GFP_DMA;
    else if (one_in(model, 8))
        gfp |= QUIRE_GFP_DMA32;
    if (one_in(model, 8))
        gfp |= QUIRE_GFP_ZERO;
    if (one_in(model, 4))
        gfp |= QUIRE_GFP_COMP;
    if (one_in(model, 8))
        gfp |= QUIRE_GFP_THISNODE;
    if (one_in(model, 200))
        gfp |= QUIRE_GFP_MOVABLE | QUIRE_GFP_RECLAIMABLE;
    return gfp;
}

unsigned random_order(struct model *model)
{
    switch (below(model, 8)) {
    case 0:
        return below(model, QUIRE_MAX_ORDER + 2);
    case 1:
        return below(model, QUIRE_PAGEBLOCK_ORDER);
    case 2:
    case 3:
        return 1 + below(model, 3);
    default:
        return 0;
    }
}

/* The documentation says NULL. */
static bool is_impossible(const struct model *model, const struct request *request)
{
    quire_gfp_t both = QUIRE_GFP_MOVABLE | QUIRE_GFP_RECLAIMABLE;
    return request->order > QUIRE_MAX_ORDER || request->node >= (int)model->nr_nodes ||
           gfp_highest_zone(model, request->gfp) == QUIRE_NR_ZONES || (request->gfp & both) == both;
}

/* ---- allocating ------------------------------------------------------------------------------ */

static struct quire_page *allocate(struct model *model, const struct request *request)
{
    struct quire_mem *mem = model->mem;
    if (request->node >= 0)
        return quire_alloc_pages_node(mem, request->node, request->gfp, request->order);
    if (!(request->gfp & QUIRE_GFP_HIGHMEM) && one_in(model, 4)) {
        void *address = quire_get_free_pages(mem, request->gfp, request->order);
        return address ? quire_virt_to_page(mem, address) : NULL;
    }
    return quire_alloc_pages(mem, request->gfp, request->order);
}

static void op_allocate(struct model *model)
{
    static struct zone_counts before, after;
    struct request request = {-1, random_gfp(model), random_order(model)};
    bool look = one_in(model, 8);
    if (one_in(model, 4))
        request.node = (int)below(model, one_in(model, 16) ? 8 : model->nr_nodes);
    if (look)
        zones_read(model, &before);
    struct quire_page *page = allocate(model, &request);
    if (look)
        zones_read(model, &after);
    if (!page) {
        model->failures++;
        if (look && !is_impossible(model, &request))
            zones_check_failure(model, &request, &after);
        return;
    }
    EXPECT(model, !is_impossible(model, &request));
    blocks_add(model, page, request.order, request.gfp);
    if (model->broken)
        return;
    zones_check_allowed(model, &request, page);
    if (look)
        zones_check_success(model, &request, &before, &after, page);
}

/* Elements that are there already stay as they are, in between. */
static void op_allocate_bulk(struct model *model)
{
    struct quire_page *pages[MOST_BULK], *had[MOST_BULK];
    unsigned long count = below(model, MOST_BULK + 1);
    struct request request = {(int)below(model, model->nr_nodes + 1) - 1, random_gfp(model), 0};
    for (unsigned long i = 0; i < count; i++) {
        pages[i] = NULL;
        if (model->nr_blocks && one_in(model, 16))
            pages[i] = block_page(model, &model->block[below(model, (uint32_t)model->nr_blocks)]);
        had[i] = pages[i];
    }
    unsigned long done =
        quire_alloc_pages_bulk(model->mem, request.node, request.gfp, count, pages);
    EXPECT(model, done <= count);
    if (is_impossible(model, &request))
        EXPECT_EQ(model, done, 0);
    for (unsigned long i = 0; i < count && !model->broken; i++) {
        if (had[i]) {
            EXPECT(model, pages[i] == had[i]);
            continue;
        }
        EXPECT(model, (pages[i] != NULL) == (i < done));
        if (!pages[i] || model->broken)
            continue;
        blocks_add(model, pages[i], 0, request.gfp);
        zones_check_allowed(model, &request, pages[i]);
    }
}

static void op_allocate_exact(struct model *model)
{
    struct request request = {-1, random_gfp(model), 0};
    size_t most = QUIRE_PAGE_SIZE << QUIRE_MAX_ORDER;
    size_t size = below(model, one_in(model, 8) ? (uint32_t)most + 4096 : 40000);
    if (!one_in(model, 16))
        request.gfp &= ~(QUIRE_GFP_COMP | QUIRE_GFP_HIGHMEM);
    void *address = quire_alloc_pages_exact(model->mem, size, request.gfp);
    if (!address)
        return;
    EXPECT(model, size && size <= most && !is_impossible(model, &request));
    EXPECT(model, !(request.gfp & (QUIRE_GFP_COMP | QUIRE_GFP_HIGHMEM)));
    unsigned pages = (unsigned)((size + QUIRE_PAGE_SIZE - 1) >> QUIRE_PAGE_SHIFT);
    blocks_add_exact(model, address, pages, request.gfp);
    if (!model->broken)
        zones_check_allowed(model, &request, quire_virt_to_page(model->mem, address));
}

/* ---- freeing --------------------------------------------------------------------------------- */

unsigned long random_block(struct model *model)
{
    return below(model, (uint32_t)model->nr_blocks);
}

static void free_one(struct model *model, struct quire_page *page, unsigned order)
{
    void *address = quire_page_address(model->mem, page);
    switch (below(model, 4)) {
    case 0:
        quire_put_page(model->mem, page);
        break;
    case 1:
        if (address) {
            quire_free_pages_at(model->mem, address, order);
            break;
        }
        /* fall through */
    default:
        quire_free_pages(model->mem, page, order);
    }
}

static void free_block_at(struct model *model, unsigned long index)
{
    struct model_block block = model->block[index];
    struct quire_page *page = block_page(model, &block);
    if (block.references > 1) {
        model->block[index].references--;
        free_one(model, page, block.order);
        EXPECT_EQ(model, quire_page_count(page), block.references - 1u);
        blocks_check_content(model, &model->block[index]);
        return;
    }
    blocks_remove(model, index);
    /* A range may cross sections, and the end of the direct map. */
    const struct quire_page *last =
        quire_pfn_to_page(model->mem, quire_pfn(block.pfn + block.pages - 1));
    if (block.exact && quire_page_address(model->mem, last) && one_in(model, 2))
        quire_free_pages_exact(model->mem, quire_page_address(model->mem, page),
                               (size_t)block.pages << QUIRE_PAGE_SHIFT);
    else if (block.exact)
        quire_free_contig_range(model->mem, quire_pfn(block.pfn), block.pages);
    else
        free_one(model, page, block.order);
}

static void op_free(struct model *model)
{
    if (model->nr_blocks)
        free_block_at(model, random_block(model));
}

static void op_free_bulk(struct model *model)
{
    struct quire_page *pages[MOST_BULK];
    unsigned long count = below(model, MOST_BULK + 1);
    for (unsigned long i = 0; i < count; i++) {
        pages[i] = NULL;
        if (!model->nr_blocks)
            continue;
        unsigned long index = random_block(model);
        const struct model_block *block = &model->block[index];
        if (block->order || block->exact || block->references > 1)
            continue;
        pages[i] = block_page(model, block);
        blocks_remove(model, index);
    }
    quire_free_pages_bulk(model->mem, count, pages);
}

static void op_split(struct model *model)
{
    if (!model->nr_blocks)
        return;
    unsigned long index = random_block(model);
    const struct model_block *block = &model->block[index];
    if (block->compound || block->exact || block->order > 6)
        return;
    quire_split_page(model->mem, block_page(model, block), block->order);
    blocks_split(model, index);
}

static void op_reference(struct model *model)
{
    if (!model->nr_blocks)
        return;
    struct model_block *block = &model->block[random_block(model)];
    struct quire_page *page = block_page(model, block);
    if (block->exact || block->references > 4)
        return;
    if (one_in(model, 2))
        quire_get_page(page);
    else
        EXPECT(model, quire_get_page_unless_zero(page));
    block->references++;
    EXPECT_EQ(model, quire_page_count(page), block->references);
    unsigned inside = block->order ? below(model, block->pages) : 0;
    EXPECT(model, quire_compound_head(model->mem, page + inside) == page);
}

/* ---- everything else ------------------------------------------------------------------------- */

static void op_drain(struct model *model)
{
    if (one_in(model, 2))
        quire_drain_all_pages(model->mem);
    else
        quire_drain_pages(model->mem, below(model, model->config.nr_cpus + 2));
}

static void op_settings(struct model *model)
{
    unsigned long kbytes = below(model, one_in(model, 8) ? 1u << 20 : 4096);
    unsigned factor = below(model, 4000);
    bool fits = kbytes && kbytes <= (model->managed << (QUIRE_PAGE_SHIFT - 10)) / 2;
    if (one_in(model, 2))
        EXPECT_EQ(model, quire_set_min_free_kbytes(model->mem, kbytes), fits ? 0 : -QUIRE_EINVAL);
    else
        EXPECT_EQ(model, quire_set_watermark_scale_factor(model->mem, factor),
                  factor && factor <= 3000 ? 0 : -QUIRE_EINVAL);
}

/* Poison goes on and off; owners can't. Filling all that is free takes its time. */
static void op_debug(struct model *model)
{
    unsigned debug =
        model->debug ^ (one_in(model, 4) ? below(model, 4) : (unsigned)QUIRE_DEBUG_POISON);
    if (model->nr_frames > 8192)
        return;
    bool allowed = !((debug ^ model->debug) & QUIRE_DEBUG_OWNER);
    EXPECT_EQ(model, quire_set_debug(model->mem, debug), allowed ? 0 : -QUIRE_EINVAL);
    if (allowed)
        model->debug = debug;
}

/* Whole frames of a reservation come free; all of them or none. */
static void op_free_reserved(struct model *model)
{
    if (!model->nr_reserved)
        return;
    struct model_range *range = &model->reserved[below(model, model->nr_reserved)];
    unsigned long first = quire_phys_to_pfn(quire_align_up(range->base, QUIRE_PAGE_SIZE)).value;
    unsigned long end = quire_phys_to_pfn(range->base + range->size).value;
    bool all = first < end;
    for (unsigned long pfn = first; pfn < end; pfn++)
        all = all && model->state[pfn] == FRAME_RESERVED;
    EXPECT_EQ(model, quire_free_reserved(model->mem, range->base, range->size),
              all ? 0 : -QUIRE_EINVAL);
    for (unsigned long pfn = first; all && pfn < end; pfn++) {
        model->state[pfn] = FRAME_FREE;
        model->managed++;
        model->zone_managed[model->zone[pfn]]++;
    }
}

static void op_rare(struct model *model)
{
    switch (below(model, 8)) {
    case 0:
        op_settings(model);
        break;
    case 1:
        op_free_reserved(model);
        break;
    case 2:
        op_debug(model);
        break;
    case 3:
        quire_mem_check(model->mem);
        break;
    case 4:
        zones_check_merged(model);
        break;
    default:
        op_drain(model);
    }
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void step(struct model *model, bool filling)
{
    unsigned what = below(model, 1024);
    if (one_in(model, 8))
        model_set_cpu(model, below(model, model->config.nr_cpus + 2));
    if (what < 8)
        op_rare(model);
    else if (what < 24)
        filling ? op_allocate_bulk(model) : op_free_bulk(model);
    else if (what < 40)
        op_allocate_exact(model);
    else if (what < 60)
        op_reference(model);
    else if (what < 80)
        op_split(model);
    else if (what < 84)
        op_mistake(model);
    else if (what < 110)
        op_set_mover(model);
    else if (what < 116)
        op_move(model);
    else if (one_in(model, 4) == filling)
        op_free(model);
    else
        op_allocate(model);
}

static void run_machine(struct model *model, unsigned long operations)
{
    bool filling = true;
    for (; model->operations < operations && !model->broken; model->operations++) {
        if (one_in(model, 1024))
            filling = !one_in(model, 3);
        step(model, filling);
        EXPECT_EQ(model, model->reports, 0);
        if (one_in(model, 64))
            zones_check_sums(model);
    }
}

/* All that is left is freed, or nothing of it. */
static void end_machine(struct model *model)
{
    bool leak = one_in(model, 4);
    while (!leak && model->nr_blocks && !model->broken)
        free_block_at(model, model->nr_blocks - 1);
    if (!model->broken) {
        zones_check_sums(model);
        quire_mem_check(model->mem);
        zones_check_merged(model);
    }
    unsigned long used = model->used;
    bool broken = model->broken;
    unsigned long said = machine_destroy(model);
    if (!broken)
        EXPECT_EQ(model, said, used);
}

static void random_operations_agree_with_a_bitmap_and_a_list(void)
{
    static struct model model;
    uint64_t seed = test_environment.seed, operations = 0;
    unsigned long machines = 0, failures = 0, moves = 0;
    while (operations < test_environment.effort || !operations) {
        bool made = machine_create(&model, seed);
        if (made) {
            run_machine(&model, 1000ul << below(&model, 7));
            operations += model.operations;
            failures += model.failures;
            moves += model.moves;
        }
        if (made)
            end_machine(&model);
        if (model.broken) {
            test_note("this machine alone: --seed=%llu --effort=1 (operation %lu)",
                      (unsigned long long)seed, model.operations);
            return;
        }
        if (!made) {
            test_skip("not enough memory for a machine");
            return;
        }
        seed++;
        machines++;
    }
    test_note(
        "%llu operations on %lu machines, %lu allocations failed as they had to, %lu blocks moved",
        (unsigned long long)operations, machines, failures, moves);
}

static const struct test_case cases[] = {
    TEST_CASE(random_operations_agree_with_a_bitmap_and_a_list),
    {0},
};
const struct test_suite suite_phys_model = {"phys_model", cases};
