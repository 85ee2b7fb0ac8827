/* phys/run.c: contiguous frames of any number
 *
 * A run is cut into the largest aligned blocks that make up its frames, each with a descriptor of
 * its own, so the zone takes them back as it takes any. It is looked for in pageblocks that are
 * used in part, where that is simple; else it begins as a block of the next power of two, whose
 * rest is freed.
 *
 *   bound   2 * QUIRE_MAX_ORDER blocks, kept and freed together
 */
#include "phys/internal.h"

/* The order of the block that begins at frame `at` and may reach to `end`. */
static unsigned piece_order(unsigned long at, unsigned long end)
{
    unsigned order = quire_ctz64(at);
    order = order < MAX_ORDER ? order : MAX_ORDER;
    while (1ul << order > end - at)
        order--;
    return order;
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

/* Makes the allocated frames [at, end) blocks of their own; `page` is that of frame 0. */
static void cut(struct quire_mem *mem, struct quire_page *page, uint32_t flags, unsigned long at,
                unsigned long end, uintptr_t caller)
{
    while (at < end) {
        unsigned order = piece_order(at, end);
        uint32_t large = order >= PCP_ORDERS ? PAGE_LARGE : 0;
        page_set_allocated(&page[at], flags | order << PAGE_ORDER_SHIFT | large);
        if (quire_unlikely(mem->debug & QUIRE_DEBUG_OWNER))
            owner_set(mem, &page[at], order, caller);
        at += 1ul << order;
    }
}

static void free_pieces(struct quire_mem *mem, struct quire_page *page, unsigned long at,
                        unsigned long end)
{
    while (at < end) {
        unsigned order = piece_order(at, end);
        quire_free_pages(mem, &page[at], order);
        at += 1ul << order;
    }
}

/* ---- where pageblocks are used in part ------------------------------------------------------- */

#define MOST_LOOKS 8u /* at pageblocks of one order */

/* Where the first `count` set bits in a row begin; 64: there are none. `count` is 1 to 64. */
static unsigned first_run(uint64_t bits, unsigned count)
{
    for (unsigned have = 1; have < count && bits;) {
        unsigned more = count - have < have ? count - have : have;
        bits &= bits >> more;
        have += more;
    }
    return bits ? quire_ctz64(bits) : 64;
}

static unsigned long find_run(const struct pageblock *block, unsigned pages)
{
    for (unsigned word = 0; word < PAGEBLOCK_WORDS; word++) {
        unsigned bit = first_run(block->free[word], pages);
        if (bit < 64)
            return block->pfn + 64 * word + bit;
    }
    return 0;
}

/* The first frame of a free run, from the pageblocks that have little else. 0: none was found. Any
 * run has an aligned block of a quarter of its length and more. */
static unsigned long search(struct shard *shard, unsigned pages, unsigned type)
{
    for (unsigned order = quire_fls32((pages + 1) / 2); order <= PAGEBLOCK_ORDER; order++) {
        unsigned looks = 0;
        list_for_each (link, &shard->blocks[order][type]) {
            unsigned long pfn = find_run(quire_container_of(link, struct pageblock, link), pages);
            if (pfn || ++looks == MOST_LOOKS)
                return pfn;
        }
    }
    return 0;
}

/* A run that needn't be aligned, where there is only one shard to look in and no watermark to obey;
 * so that runs lie close together. NULL: there is none, or it isn't such a machine. */
static struct quire_page *take_packed(struct quire_mem *mem, unsigned long pages, quire_gfp_t gfp,
                                      uintptr_t caller)
{
    struct zone *zone = &mem->zones[0];
    if (pages > 32 || !mem->no_mobility_grouping || mem->nr_zones > 1 || zone_shard_mask(zone) ||
        !(gfp & QUIRE_GFP_MEMALLOC) || mem->debug & QUIRE_DEBUG_POISON || gfp & QUIRE_GFP_ZERO)
        return NULL;
    struct shard *shard = &zone->shard[0];
    quire_port_irq_t irq = shard_lock(shard);
    unsigned long pfn = search(shard, (unsigned)pages, QUIRE_MIGRATE_UNMOVABLE);
    for (unsigned long at = pfn; pfn && at < pfn + pages;) {
        unsigned order = piece_order(at, pfn + pages);
        buddy_take_exact(shard, at, order);
        quire_fetch_add(&shard->nr_alloc[order], 1);
        at += 1ul << order;
    }
    shard_unlock(shard, irq);
    if (!pfn)
        return NULL;
    struct quire_page *first = pfn_to_page(mem, pfn);
    cut(mem, first - pfn, page_head_flags(zone, 0, QUIRE_MIGRATE_UNMOVABLE), pfn, pfn + pages,
        caller);
    return first;
}

/* ---- runs ------------------------------------------------------------------------------------ */

struct quire_page *quire_alloc_run(struct quire_mem *mem, unsigned long pages, unsigned align_order,
                                   quire_gfp_t gfp)
{
    if (!pages || pages > 1ul << MAX_ORDER || align_order > MAX_ORDER ||
        gfp & (QUIRE_GFP_COMP | ~QUIRE_GFP_MASK))
        return NULL;
    unsigned order = quire_order_of_pages(pages);
    order = order > align_order ? order : align_order;
    bool is_block = pages == 1ul << order;
    struct quire_page *page = is_block || align_order ? NULL : take_packed(mem, pages, gfp, CALLER);
    if (page)
        return page;
    page = quire_alloc_pages(mem, gfp, order);
    if (!page || is_block)
        return page;
    unsigned long pfn = page->pfn;
    uint32_t flags = page_flags(page) & ~(PAGE_ORDER_MASK | PAGE_LARGE | QUIRE_PAGE_OWNER_FLAGS);
    cut(mem, page - pfn, flags, pfn + pages, pfn + (1ul << order), CALLER);
    cut(mem, page - pfn, flags, pfn, pfn + pages, CALLER);
    free_pieces(mem, page - pfn, pfn + pages, pfn + (1ul << order));
    return page;
}

void quire_free_run(struct quire_mem *mem, struct quire_page *page, unsigned long pages)
{
    free_pieces(mem, page - page->pfn, page->pfn, page->pfn + pages);
}
