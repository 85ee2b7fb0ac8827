/* tests/model/phys_mistakes.c: what a caller may do wrong, and that it is caught and without effect
 */
#include "tests/model/phys_model.h"

/* Any frame with a descriptor that isn't allocated. */
static struct quire_page *unallocated_page(struct model *model)
{
    for (unsigned tries = 0; tries < 32; tries++) {
        unsigned long pfn = below(model, (uint32_t)model->nr_frames);
        if (quire_pfn_valid(model->mem, quire_pfn(pfn)) && model->state[pfn] != FRAME_USED)
            return quire_pfn_to_page(model->mem, quire_pfn(pfn));
    }
    return NULL;
}

static void misuse_unallocated(struct model *model, struct quire_page *page)
{
    EXPECT(model, !quire_get_page_unless_zero(page));
    switch (below(model, 4)) {
    case 0:
        quire_put_page(model->mem, page);
        break;
    case 1:
        quire_split_page(model->mem, page, 1 + below(model, QUIRE_MAX_ORDER));
        break;
    default:
        quire_free_pages(model->mem, page, random_order(model));
    }
}

static void misuse_block(struct model *model, const struct model_block *block,
                         struct quire_page *page)
{
    unsigned kind = below(model, 4);
    unsigned wrong = below(model, QUIRE_MAX_ORDER + 3);
    uint32_t owner_flag = 0x1000u << below(model, 11);
    void *address = quire_page_address(model->mem, page);
    if (kind == 0 && block->order)
        quire_free_pages(model->mem, page + 1 + below(model, block->pages - 1), 0);
    else if (kind == 1 && address)
        quire_free_pages_at(model->mem, (char *)address + 1 + below(model, 4000), block->order);
    else if (kind == 2 && block->references == 1) { /* with more, a free only drops one */
        page->flags |= owner_flag;
        if (one_in(model, 2))
            quire_put_page(model->mem, page);
        else
            quire_free_pages(model->mem, page, block->order);
        page->flags &= ~owner_flag;
    } else
        quire_free_pages(model->mem, page, wrong == block->order ? wrong + 1 : wrong);
    EXPECT_EQ(model, quire_page_count(page), block->references);
}

void op_mistake(struct model *model)
{
    unsigned long reports = model->reports;
    if (model->nr_blocks && one_in(model, 2)) {
        const struct model_block *block = &model->block[random_block(model)];
        struct quire_page *page = block_page(model, block);
        if (block->exact)
            return;
        misuse_block(model, block, page);
    } else {
        struct quire_page *page = unallocated_page(model);
        if (!page)
            return;
        misuse_unallocated(model, page);
        EXPECT_EQ(model, model->reported_pfn, quire_page_to_pfn(page).value);
    }
    EXPECT_EQ(model, model->reports, reports + 1);
    model->reports = 0;
}
