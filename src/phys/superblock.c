/* phys/superblock.c: free blocks of whole pageblocks
 *
 * A free block of PAGEBLOCK_ORDER or above is its first pageblock, the head, linked with `largest`
 * of that order, and TAILs, which are on no list. All of a block are of one migrate type: what is
 * wholly free may be of any ordinary one, so a buddy takes the type of the one freed beside it;
 * pageblocks of special types merge with their like only.
 *
 *   bound   O(2^(order - PAGEBLOCK_ORDER)), and O(MAX_ORDER) merges
 */
#include "phys/buddy.h"

struct pageblock *superblock_head(struct zone *zone, struct pageblock *block)
{
    if (!(block->flags & PAGEBLOCK_TAIL))
        return block;
    for (unsigned order = PAGEBLOCK_ORDER + 1; order <= MAX_ORDER; order++) {
        unsigned long pfn = block->pfn & ~((1ul << order) - 1);
        if (pfn == block->pfn)
            continue;
        struct pageblock *head = pfn_to_pageblock(zone->mem, pfn);
        if (!(head->flags & PAGEBLOCK_TAIL) && head->largest >= (int)order)
            return head;
    }
    QUIRE_BUG_ON(true);
    return NULL;
}

void superblock_split(struct zone *zone, struct pageblock *head, unsigned order)
{
    unsigned largest = (unsigned)head->largest;
    if (largest <= order)
        return;
    block_unlink(zone, head);
    count_blocks(zone, largest, -1);
    while (largest > order) {
        largest--;
        struct pageblock *upper = head + (1u << (largest - PAGEBLOCK_ORDER));
        upper->flags &= (uint8_t)~PAGEBLOCK_TAIL;
        block_link(zone, upper, (int)largest);
        count_blocks(zone, largest, 1);
    }
    block_link(zone, head, (int)order);
    count_blocks(zone, order, 1);
}

void pageblock_separate(struct zone *zone, struct pageblock *block)
{
    struct pageblock *head = superblock_head(zone, block);
    while (head->largest > PAGEBLOCK_ORDER) {
        superblock_split(zone, head, (unsigned)head->largest - 1);
        head = superblock_head(zone, block);
    }
}

/* ---- merging and freeing --------------------------------------------------------------------- */

/* The linked free block of `order` that begins at `pfn` and may become one with one of `type`. */
static struct pageblock *merge_buddy(struct zone *zone, unsigned long pfn, unsigned order,
                                     unsigned type)
{
    struct pageblock *buddy = pfn_to_pageblock(zone->mem, pfn);
    if (buddy->largest != (int)order || buddy->zone != zone->id)
        return NULL;
    if (buddy->type != type &&
        (buddy->type >= QUIRE_MIGRATE_HIGHATOMIC || type >= QUIRE_MIGRATE_HIGHATOMIC))
        return NULL;
    return buddy;
}

void superblock_merge(struct zone *zone, struct pageblock *head, unsigned order)
{
    for (; order < MAX_ORDER; order++) {
        struct pageblock *buddy = merge_buddy(zone, head->pfn ^ 1ul << order, order, head->type);
        if (!buddy)
            break;
        block_unlink(zone, buddy);
        count_blocks(zone, order, -1);
        if (buddy->type != head->type)
            for (unsigned i = 0; i < 1u << (order - PAGEBLOCK_ORDER); i++)
                block_change_type(zone, &buddy[i], head->type);
        struct pageblock *upper = head < buddy ? buddy : head;
        upper->flags |= PAGEBLOCK_TAIL;
        head = head < buddy ? head : buddy;
    }
    block_link(zone, head, (int)order);
    count_blocks(zone, order, 1);
}

/* Whether pageblocks that were allocated as one may be free as one. */
static bool types_agree(const struct pageblock *block, unsigned blocks)
{
    for (unsigned i = 1; i < blocks; i++)
        if (block[i].type != block[0].type && (block[i].type >= QUIRE_MIGRATE_HIGHATOMIC ||
                                               block[0].type >= QUIRE_MIGRATE_HIGHATOMIC))
            return false;
    return true;
}

/* Marks an allocated pageblock wholly free; the caller links and counts it. */
static QUIRE_ALWAYS_INLINE void fill(struct pageblock *block)
{
    QUIRE_BUG_ON(block->nr_free);
    __builtin_memset(block->free, 0xff, sizeof block->free);
    block->nr[PAGEBLOCK_ORDER] = 1;
    block->nr_free = PAGEBLOCK_PAGES;
}

static QUIRE_ALWAYS_INLINE void link_filled(struct zone *zone, struct pageblock *block,
                                            unsigned order)
{
    count_free(zone, block->type, (long)(1ul << order));
    if (order < MAX_ORDER) {
        superblock_merge(zone, block, order);
    } else {
        block_link(zone, block, (int)order);
        count_blocks(zone, order, 1);
    }
}

void superblock_free(struct zone *zone, struct pageblock *block, unsigned order)
{
    unsigned blocks = 1u << (order - PAGEBLOCK_ORDER);
    bool one = types_agree(block, blocks);
    for (unsigned i = 0; i < blocks; i++) {
        fill(&block[i]);
        if (!one) {
            link_filled(zone, &block[i], PAGEBLOCK_ORDER);
        } else if (i) {
            block[i].type = block->type;
            block[i].flags |= PAGEBLOCK_TAIL;
        }
    }
    if (one)
        link_filled(zone, block, order);
}

/* Blocks of PAGEBLOCK_ORDER: two buddies that come one after the other go as one. */
void superblock_free_pages(struct zone *zone, struct quire_page *const *pages, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned long pfn = pages[i]->pfn;
        struct pageblock *block = pfn_to_pageblock(zone->mem, pfn);
        fill(block);
        if (i + 1 < count && superblock_are_halves(pages[i], pages[i + 1])) {
            struct pageblock *low = pfn & PAGEBLOCK_PAGES ? block - 1 : block;
            fill(block == low ? low + 1 : low);
            i++;
            if (quire_likely(low[0].type == low[1].type)) {
                low[1].flags |= PAGEBLOCK_TAIL;
                link_filled(zone, low, PAGEBLOCK_ORDER + 1);
                continue;
            }
            link_filled(zone, block == low ? low + 1 : low, PAGEBLOCK_ORDER);
        }
        link_filled(zone, block, PAGEBLOCK_ORDER);
    }
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* Marks a wholly free pageblock allocated; the caller has unlinked it. */
static QUIRE_ALWAYS_INLINE void clear(struct pageblock *block)
{
    block->flags &= (uint8_t)~PAGEBLOCK_TAIL;
    __builtin_memset(block->free, 0, sizeof block->free);
    block->reported = 0;
    block->nr[PAGEBLOCK_ORDER] = 0;
    block->nr_free = 0;
    QUIRE_EXPENSIVE(pageblock_is_valid(block));
}

static QUIRE_ALWAYS_INLINE void count_taken(struct zone *zone, unsigned type, unsigned order)
{
    count_blocks(zone, order, -1);
    count_free(zone, type, -(long)(1ul << order));
}

/* Takes the first free block of a list, in blocks of `order`; its pageblocks become of type `to`.
 */
static QUIRE_ALWAYS_INLINE struct pageblock *take_first(struct zone *zone, unsigned whole,
                                                        unsigned order, unsigned from, unsigned to,
                                                        struct quire_page **end)
{
    struct list *head = &zone->blocks[whole][from], *link = head->next;
    struct pageblock *block = quire_container_of(link, struct pageblock, link);
    head->next = link->next;
    link->next->prev = head;
    if (quire_unlikely(list_empty(head)))
        quire_store_relaxed(&zone->avail[from], zone->avail[from] & ~(1u << whole));
    block->largest = LARGEST_NONE;
    count_taken(zone, from, whole);
    unsigned blocks = 1u << (whole - PAGEBLOCK_ORDER), step = 1u << (order - PAGEBLOCK_ORDER);
    for (unsigned i = 0; i < blocks; i++) {
        clear(&block[i]);
        block[i].type = (uint8_t)to;
        if (!(i & (step - 1)))
            *--end = block[i].pages;
    }
    return block;
}

static QUIRE_ALWAYS_INLINE unsigned take_blocks(struct zone *zone, unsigned order, unsigned from,
                                                unsigned to, unsigned max, struct quire_page **end,
                                                struct pageblock **first)
{
    struct quire_page **at = end;
    for (unsigned left = max; left;) {
        uint32_t orders = zone->avail[from] >> order;
        if (!orders)
            break;
        unsigned whole = order + quire_ctz32(orders), count = 1u << (whole - order);
        if (quire_unlikely(count > left)) {
            struct list *list = &zone->blocks[whole][from];
            superblock_split(zone, quire_container_of(list->next, struct pageblock, link),
                             whole - 1);
            continue;
        }
        *first = take_first(zone, whole, order, from, to, at);
        at -= count;
        left -= count;
    }
    return (unsigned)(end - at);
}

/* Compiled twice, since one order is by far the most frequent. */
unsigned superblock_take(struct zone *zone, unsigned order, unsigned from, unsigned to,
                         unsigned max, struct quire_page **end, struct pageblock **first)
{
    if (quire_likely(order == PAGEBLOCK_ORDER))
        return take_blocks(zone, PAGEBLOCK_ORDER, from, to, max, end, first);
    return take_blocks(zone, order, from, to, max, end, first);
}

void superblock_take_exact(struct zone *zone, struct pageblock *block, unsigned order)
{
    struct pageblock *head = superblock_head(zone, block);
    while (head != block || head->largest > (int)order) {
        superblock_split(zone, head, (unsigned)head->largest - 1);
        head = superblock_head(zone, block);
    }
    block_unlink(zone, block);
    count_taken(zone, block->type, order);
    for (unsigned i = 0; i < 1u << (order - PAGEBLOCK_ORDER); i++)
        clear(&block[i]);
}
