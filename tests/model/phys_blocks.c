/* tests/model/phys_blocks.c: the list of allocated blocks, and what is written in them
 *
 * Each block's pages carry a word at either end made of the page's number and the block's tag: all
 * pages of small blocks, a few of large ones. Whoever gets a page that another block still has
 * destroys them.
 */
#include "tests/model/phys_model.h"

#define POISON_WORD 0xaaaaaaaaaaaaaaaau

struct quire_page *block_page(const struct model *model, const struct model_block *block)
{
    return quire_pfn_to_page(model->mem, quire_pfn(block->pfn));
}

/* ---- content --------------------------------------------------------------------------------- */

#define PAGE_WORDS (QUIRE_PAGE_SIZE / sizeof(uint64_t))

static uint64_t *map_page(const struct model *model, unsigned long pfn)
{
    return quire_port_kmap_local(&model->port, quire_pfn_to_phys(quire_pfn(pfn)));
}

static void unmap_page(const struct model *model, uint64_t *page)
{
    quire_port_kunmap_local(&model->port, page);
}

/* Which pages of a block are looked at: the first eight, then each power of two, and the last. */
static unsigned next_page(unsigned i, unsigned pages)
{
    unsigned next = i < 8 ? i + 1 : 2 * i;
    return next < pages || i + 1 >= pages ? next : pages - 1;
}

static uint64_t content_of(unsigned long pfn, uint32_t tag)
{
    return ((uint64_t)tag << 32 | (uint32_t)pfn) * 0x9e3779b97f4a7c15u;
}

static void write_content(const struct model *model, const struct model_block *block)
{
    for (unsigned i = 0; i < block->pages; i = next_page(i, block->pages)) {
        uint64_t *page = map_page(model, block->pfn + i);
        page[0] = content_of(block->pfn + i, block->tag);
        page[PAGE_WORDS - 1] = ~page[0];
        unmap_page(model, page);
    }
}

void blocks_check_content(struct model *model, const struct model_block *block)
{
    for (unsigned i = 0; i < block->pages; i = next_page(i, block->pages)) {
        uint64_t *page = map_page(model, block->pfn + i);
        EXPECT_EQ(model, page[0], content_of(block->pfn + i, block->tag));
        EXPECT_EQ(model, page[PAGE_WORDS - 1], ~content_of(block->pfn + i, block->tag));
        unmap_page(model, page);
    }
}

static void check_is_all(struct model *model, unsigned long pfn, unsigned pages, uint64_t word)
{
    for (unsigned i = 0; i < pages; i = next_page(i, pages)) {
        const uint64_t *page = map_page(model, pfn + i);
        unsigned wrong = 0;
        for (unsigned at = 0; at < PAGE_WORDS; at++)
            wrong += page[at] != word;
        EXPECT_EQ(model, wrong, 0);
        unmap_page(model, (uint64_t *)(uintptr_t)page);
    }
}

static void check_new_content(struct model *model, unsigned long pfn, unsigned pages,
                              quire_gfp_t gfp)
{
    if (gfp & QUIRE_GFP_ZERO)
        check_is_all(model, pfn, pages, 0);
    else if (model->debug & QUIRE_DEBUG_POISON)
        check_is_all(model, pfn, pages, POISON_WORD);
}

/* ---- the list -------------------------------------------------------------------------------- */

/* The frames were free, all of one zone, and that is where the library says they are. */
static void take_frames(struct model *model, unsigned long pfn, unsigned pages)
{
    EXPECT(model, pfn && pfn + pages <= model->nr_frames);
    if (model->broken)
        return;
    for (unsigned i = 0; i < pages; i++) {
        EXPECT_EQ(model, model->state[pfn + i], FRAME_FREE);
        EXPECT_EQ(model, model->zone[pfn + i], model->zone[pfn]);
        model->state[pfn + i] = FRAME_USED;
    }
    const struct quire_page *page = quire_pfn_to_page(model->mem, quire_pfn(pfn));
    EXPECT_EQ(model, quire_page_zone(model->mem, page), model->zone[pfn] % QUIRE_NR_ZONES);
    EXPECT_EQ(model, quire_page_node(model->mem, page), model->zone[pfn] / QUIRE_NR_ZONES);
    model->used += pages;
}

/* A block's first page knows its index, for who moves it. */
static void place(struct model *model, unsigned long index)
{
    block_page(model, &model->block[index])->owner_word = (uint32_t)index;
}

/* The last block takes the index of one that is gone. */
static void close_gap(struct model *model, unsigned long index)
{
    model->block[index] = model->block[--model->nr_blocks];
    if (index < model->nr_blocks)
        place(model, index);
}

static struct model_block *add(struct model *model, unsigned long pfn, unsigned pages)
{
    struct model_block *block = &model->block[model->nr_blocks++];
    *block = (struct model_block){
        .pfn = (uint32_t)pfn,
        .pages = pages,
        .tag = (uint32_t)model_random(model),
        .references = 1,
    };
    place(model, model->nr_blocks - 1);
    write_content(model, block);
    return block;
}

void blocks_add(struct model *model, struct quire_page *page, unsigned order, quire_gfp_t gfp)
{
    unsigned long pfn = quire_page_to_pfn(page).value;
    EXPECT_EQ(model, pfn & ((1ul << order) - 1), 0);
    take_frames(model, pfn, 1u << order);
    if (model->broken)
        return;
    check_new_content(model, pfn, 1u << order, gfp);
    EXPECT_EQ(model, quire_page_order(page), order);
    EXPECT_EQ(model, quire_page_count(page), 1);
    EXPECT_EQ(model, quire_page_is_compound(page), order && gfp & QUIRE_GFP_COMP);
    struct model_block *block = add(model, pfn, 1u << order);
    block->order = (uint8_t)order;
    block->highest = (uint8_t)gfp_highest_zone(model, gfp);
    block->compound = order && gfp & QUIRE_GFP_COMP;
    if (gfp & QUIRE_GFP_MOVABLE && !one_in(model, 4))
        quire_page_set_mover(page, (unsigned)model->mover_id);
}

void blocks_add_exact(struct model *model, void *address, unsigned pages, quire_gfp_t gfp)
{
    struct quire_page *page = quire_virt_to_page(model->mem, address);
    EXPECT(model, quire_page_address(model->mem, page) == address);
    blocks_add_range(model, quire_page_to_pfn(page).value, pages, gfp);
}

void blocks_add_range(struct model *model, unsigned long pfn, unsigned pages, quire_gfp_t gfp)
{
    take_frames(model, pfn, pages);
    if (model->broken)
        return;
    check_new_content(model, pfn, pages, gfp);
    for (unsigned i = 0; i < pages; i++) {
        const struct quire_page *page = quire_pfn_to_page(model->mem, quire_pfn(pfn + i));
        EXPECT_EQ(model, quire_page_order(page), 0);
        EXPECT_EQ(model, quire_page_count(page), 1);
    }
    add(model, pfn, pages)->exact = true;
}

void blocks_remove(struct model *model, unsigned long index)
{
    struct model_block *block = &model->block[index];
    blocks_check_content(model, block);
    for (unsigned i = 0; i < block->pages; i++)
        model->state[block->pfn + i] = FRAME_FREE;
    model->used -= block->pages;
    close_gap(model, index);
}

void blocks_split(struct model *model, unsigned long index)
{
    struct model_block whole = model->block[index];
    blocks_check_content(model, &whole);
    close_gap(model, index);
    for (unsigned i = 0; i < whole.pages; i++) {
        const struct quire_page *page = quire_pfn_to_page(model->mem, quire_pfn(whole.pfn + i));
        EXPECT_EQ(model, quire_page_order(page), 0);
        EXPECT_EQ(model, quire_page_count(page), whole.references);
        struct model_block *single = add(model, whole.pfn + i, 1);
        single->references = whole.references;
        single->highest = whole.highest;
    }
}

void blocks_move(struct model *model, unsigned long index, unsigned long pfn)
{
    struct model_block *block = &model->block[index];
    blocks_check_content(model, block);
    EXPECT_EQ(model, block->references, 1);
    for (unsigned i = 0; i < block->pages; i++)
        model->state[block->pfn + i] = FRAME_FREE;
    model->used -= block->pages;
    take_frames(model, pfn, block->pages);
    block->pfn = (uint32_t)pfn;
    if (model->broken)
        return;
    place(model, index);
    write_content(model, block);
}
