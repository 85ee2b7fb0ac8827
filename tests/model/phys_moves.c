/* tests/model/phys_moves.c: blocks that the library moves, and contiguous ranges
 *
 * The model's blocks have a mover, some of them. It refuses now and then. A move happens in the
 * middle of any allocation of a higher order, of a compaction, or of a request for a range; the
 * reference follows it from within the callback.
 */
#include "tests/model/phys_model.h"

/* ---- the mover ------------------------------------------------------------------------------- */

static int isolate(void *arg, struct quire_page *page)
{
    struct model *model = arg;
    (void)page;
    if (one_in(model, 8))
        return -QUIRE_EBUSY;
    model->isolated++;
    return 0;
}

static void putback(void *arg, struct quire_page *page)
{
    struct model *model = arg;
    (void)page;
    EXPECT(model, model->isolated > 0);
    model->isolated--;
}

static int migrate(void *arg, struct quire_page *to, struct quire_page *from)
{
    struct model *model = arg;
    unsigned long from_pfn = quire_page_to_pfn(from).value, to_pfn = quire_page_to_pfn(to).value;
    if (one_in(model, 16))
        return one_in(model, 2) ? -QUIRE_EAGAIN : -QUIRE_EBUSY;
    EXPECT(model, from->owner_word < model->nr_blocks);
    if (model->broken)
        return -QUIRE_EBUSY;
    struct model_block *block = &model->block[from->owner_word];
    EXPECT_EQ(model, block->pfn, from_pfn);
    EXPECT_EQ(model, quire_page_order(to), block->order);
    EXPECT_EQ(model, quire_page_is_compound(to), block->compound);
    EXPECT_EQ(model, to_pfn & (block->pages - 1), 0);
    EXPECT(model, model->zone[to_pfn] % QUIRE_NR_ZONES <= block->highest);
    blocks_move(model, from->owner_word, to_pfn);
    model->isolated--;
    model->moves++;
    return 0;
}

void moves_register(struct model *model)
{
    model->mover = (struct quire_mover){isolate, migrate, putback, model};
    model->mover_id = quire_register_mover(model->mem, &model->mover);
    EXPECT(model, model->mover_id > 0);
}

/* ---- operations ------------------------------------------------------------------------------ */

void op_set_mover(struct model *model)
{
    if (!model->nr_blocks)
        return;
    const struct model_block *block = &model->block[random_block(model)];
    if (!block->exact)
        quire_page_set_mover(block_page(model, block),
                             one_in(model, 4) ? 0 : (unsigned)model->mover_id);
}

static void op_compact(struct model *model)
{
    int node = (int)below(model, model->nr_nodes + 1) - 1;
    int order = (int)below(model, QUIRE_MAX_ORDER + 2) - 1;
    unsigned long moves = model->moves;
    unsigned long moved = quire_compact(model->mem, node, order);
    EXPECT_EQ(model, moved, model->moves - moves);
}

/* All pageblocks of the range are free, ordinary and of one zone: there is no reason to refuse. */
static bool is_all_free(const struct model *model, unsigned long start, unsigned long end)
{
    unsigned long first = start & ~(QUIRE_PAGEBLOCK_PAGES - 1);
    unsigned long last = (end - 1) | (QUIRE_PAGEBLOCK_PAGES - 1);
    for (unsigned long pfn = first; pfn <= last; pfn++) {
        if (pfn >= model->nr_frames || model->state[pfn] != FRAME_FREE ||
            model->zone[pfn] != model->zone[start])
            return false;
        const struct quire_page *page = quire_pfn_to_page(model->mem, quire_pfn(pfn));
        if (quire_pageblock_migratetype(model->mem, page) >= QUIRE_MIGRATE_HIGHATOMIC)
            return false;
    }
    return true;
}

static void op_range(struct model *model)
{
    quire_gfp_t gfp = QUIRE_GFP_KERNEL | (one_in(model, 4) ? QUIRE_GFP_ZERO : 0);
    unsigned long start = below(model, (uint32_t)model->nr_frames);
    unsigned long end = start + below(model, one_in(model, 4) ? 3000 : 100);
    bool free = start < end && is_all_free(model, start, end);
    int error = quire_alloc_contig_range(model->mem, quire_pfn(start), quire_pfn(end),
                                         QUIRE_MIGRATE_MOVABLE, gfp);
    EXPECT(model,
           !error || error == -QUIRE_EBUSY || error == -QUIRE_ENOMEM || error == -QUIRE_EINVAL);
    EXPECT(model, !free || !error);
    if (!error && !model->broken)
        blocks_add_range(model, start, (unsigned)(end - start), gfp);
}

static void op_any_range(struct model *model)
{
    unsigned long count = 1 + below(model, one_in(model, 8) ? 3000 : 100);
    unsigned long align = 1ul << below(model, QUIRE_MAX_ORDER + 1);
    struct request request = {(int)below(model, model->nr_nodes + 1) - 1, QUIRE_GFP_KERNEL, 0};
    if (one_in(model, 4))
        request.gfp |= QUIRE_GFP_HIGHMEM | QUIRE_GFP_MOVABLE;
    struct quire_page *page =
        quire_alloc_contig_pages(model->mem, count, align, request.gfp, request.node);
    if (!page)
        return;
    unsigned long pfn = quire_page_to_pfn(page).value;
    EXPECT_EQ(model, pfn & (align - 1), 0);
    blocks_add_range(model, pfn, (unsigned)count, request.gfp);
    if (model->broken)
        return;
    EXPECT(model, request.node < 0 || quire_page_node(model->mem, page) == request.node);
    zones_check_allowed(model, &request, page);
}

void op_move(struct model *model)
{
    switch (below(model, 4)) {
    case 0:
        op_compact(model);
        break;
    case 1:
        op_any_range(model);
        break;
    default:
        op_range(model);
    }
    EXPECT_EQ(model, model->isolated, 0);
    zones_check_sums(model);
}
