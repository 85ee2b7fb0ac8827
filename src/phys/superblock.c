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

static QUIRE_ALWAYS_INLINE void free_whole(struct zone *zone, struct pageblock *block,
                                           unsigned order)
{
    unsigned blocks = 1u << (order - PAGEBLOCK_ORDER);
    for (struct pageblock *at = block; at < block + blocks; at++) {
        set_words(at, 0, PAGEBLOCK_WORDS);
        at->nr[PAGEBLOCK_ORDER] = 1;
        at->nr_free = PAGEBLOCK_PAGES;
        at->type = block->type;
        if (at != block)
            at->flags |= PAGEBLOCK_TAIL;
    }
    count_free(zone, block->type, (long)(PAGEBLOCK_PAGES * blocks));
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
    if (types_agree(block, blocks))
        free_whole(zone, block, order);
    else
        for (unsigned i = 0; i < blocks; i++)
            free_whole(zone, &block[i], PAGEBLOCK_ORDER);
}

/* Blocks of PAGEBLOCK_ORDER: two buddies that come one after the other go as one. */
void superblock_free_pages(struct zone *zone, struct quire_page *const *pages, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned long pfn = pages[i]->pfn;
        struct pageblock *block = pfn_to_pageblock(zone->mem, pfn);
        if (PAGEBLOCK_ORDER < MAX_ORDER && i + 1 < count &&
            pages[i + 1]->pfn == pfn + PAGEBLOCK_PAGES && !(pfn & PAGEBLOCK_PAGES) &&
            block[0].type == block[1].type) {
            free_whole(zone, block, PAGEBLOCK_ORDER + 1);
            i++;
        } else {
            free_whole(zone, block, PAGEBLOCK_ORDER);
        }
    }
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* Takes a linked free block as a whole. */
static QUIRE_ALWAYS_INLINE void take_whole(struct zone *zone, struct pageblock *block,
                                           unsigned order)
{
    unsigned blocks = 1u << (order - PAGEBLOCK_ORDER);
    block_unlink(zone, block);
    count_blocks(zone, order, -1);
    count_free(zone, block->type, -(long)(PAGEBLOCK_PAGES * blocks));
    for (struct pageblock *at = block; at < block + blocks; at++) {
        at->flags &= (uint8_t)~PAGEBLOCK_TAIL;
        __builtin_memset(at->free, 0, sizeof at->free);
        at->reported = 0;
        at->nr[PAGEBLOCK_ORDER] = 0;
        at->nr_free = 0;
        QUIRE_EXPENSIVE(pageblock_is_valid(at));
    }
}

/* The largest part of the linked free block that isn't more than `max`. */
static QUIRE_ALWAYS_INLINE unsigned take_part(struct zone *zone, struct pageblock *block,
                                              unsigned order, unsigned max, struct quire_page **end)
{
    unsigned whole = (unsigned)block->largest;
    while (quire_unlikely(1u << (whole - order) > max))
        whole--;
    if (quire_unlikely(block->largest > (int)whole))
        superblock_split(zone, block, whole);
    take_whole(zone, block, whole);
    unsigned count = 1u << (whole - order);
    for (unsigned i = 0; i < count; i++)
        *--end = block[i << (order - PAGEBLOCK_ORDER)].pages;
    return count;
}

static QUIRE_ALWAYS_INLINE unsigned take_blocks(struct zone *zone, unsigned order, unsigned from,
                                                unsigned to, unsigned max, struct quire_page **end,
                                                struct pageblock **first)
{
    unsigned taken = 0;
    while (taken < max) {
        uint32_t orders = zone->avail[from] >> order;
        if (!orders)
            break;
        struct list *list = &zone->blocks[order + quire_ctz32(orders)][from];
        struct pageblock *block = quire_container_of(list->next, struct pageblock, link);
        unsigned count = take_part(zone, block, order, max - taken, end - taken);
        if (quire_unlikely(from != to))
            for (unsigned i = 0; i < count << (order - PAGEBLOCK_ORDER); i++)
                block[i].type = (uint8_t)to;
        taken += count;
        *first = block;
    }
    return taken;
}

/* Compiled twice: with the one order that is frequent known, it takes half the instructions. */
unsigned superblock_take(struct zone *zone, unsigned order, unsigned from, unsigned to,
                         unsigned max, struct quire_page **end, struct pageblock **first)
{
    if (order == PAGEBLOCK_ORDER)
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
    take_whole(zone, block, order);
}
