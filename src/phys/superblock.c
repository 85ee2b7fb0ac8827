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

struct pageblock *superblock_head(const struct quire_mem *mem, struct pageblock *block)
{
    if (!(block->flags & PAGEBLOCK_TAIL))
        return block;
    for (unsigned order = PAGEBLOCK_ORDER + 1; order <= MAX_ORDER; order++) {
        unsigned long pfn = block->pfn & ~((1ul << order) - 1);
        if (pfn == block->pfn)
            continue;
        struct pageblock *head = pfn_to_pageblock(mem, pfn);
        if (!(head->flags & PAGEBLOCK_TAIL) && head->largest >= (int)order)
            return head;
    }
    QUIRE_BUG_ON(true);
    return NULL;
}

void superblock_split(struct shard *shard, struct pageblock *head, unsigned order)
{
    unsigned largest = (unsigned)head->largest;
    if (largest <= order)
        return;
    block_unlink(shard, head);
    count_blocks(shard, largest, -1);
    while (largest > order) {
        largest--;
        struct pageblock *upper = head + (1u << (largest - PAGEBLOCK_ORDER));
        upper->flags &= (uint8_t)~PAGEBLOCK_TAIL;
        block_link(shard, upper, (int)largest);
        count_blocks(shard, largest, 1);
    }
    block_link(shard, head, (int)order);
    count_blocks(shard, order, 1);
}

void pageblock_separate(struct shard *shard, struct pageblock *block)
{
    struct pageblock *head = superblock_head(shard->mem, block);
    while (head->largest > PAGEBLOCK_ORDER) {
        superblock_split(shard, head, (unsigned)head->largest - 1);
        head = superblock_head(shard->mem, block);
    }
}

/* ---- merging and freeing --------------------------------------------------------------------- */

/* The linked free block of `order` that begins at `pfn` and may become one with one of `type`. */
static struct pageblock *merge_buddy(struct shard *shard, unsigned long pfn, unsigned order,
                                     unsigned type)
{
    struct pageblock *buddy = pfn_to_pageblock(shard->mem, pfn);
    /* What is another zone's changes under that one's locks, all but this number. */
    if (pageblock_zone(buddy) != shard->zone->id || buddy->largest != (int)order)
        return NULL;
    if (buddy->type != type &&
        (buddy->type >= QUIRE_MIGRATE_HIGHATOMIC || type >= QUIRE_MIGRATE_HIGHATOMIC))
        return NULL;
    return buddy;
}

void superblock_merge(struct shard *shard, struct pageblock *head, unsigned order)
{
    for (; order < MAX_ORDER; order++) {
        struct pageblock *buddy = merge_buddy(shard, head->pfn ^ 1ul << order, order, head->type);
        if (!buddy)
            break;
        block_unlink(shard, buddy);
        count_blocks(shard, order, -1);
        if (buddy->type != head->type)
            for (unsigned i = 0; i < 1u << (order - PAGEBLOCK_ORDER); i++)
                block_change_type(shard, &buddy[i], head->type);
        struct pageblock *upper = head < buddy ? buddy : head;
        upper->flags |= PAGEBLOCK_TAIL;
        head = head < buddy ? head : buddy;
    }
    block_link(shard, head, (int)order);
    count_blocks(shard, order, 1);
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

static QUIRE_ALWAYS_INLINE void link_filled(struct shard *shard, struct pageblock *block,
                                            unsigned order)
{
    count_free(shard, block->type, (long)(1ul << order));
    if (order < MAX_ORDER) {
        superblock_merge(shard, block, order);
    } else {
        block_link(shard, block, (int)order);
        count_blocks(shard, order, 1);
    }
}

void superblock_free(struct shard *shard, struct pageblock *block, unsigned order)
{
    unsigned blocks = 1u << (order - PAGEBLOCK_ORDER);
    bool one = types_agree(block, blocks);
    for (unsigned i = 0; i < blocks; i++) {
        fill(&block[i]);
        if (!one) {
            link_filled(shard, &block[i], PAGEBLOCK_ORDER);
        } else if (i) {
            block[i].type = block->type;
            quire_tell_event(PAGEBLOCK, block[i].pfn, block->type);
            block[i].flags |= PAGEBLOCK_TAIL;
        }
    }
    if (one)
        link_filled(shard, block, order);
}

/* Blocks of PAGEBLOCK_ORDER: two buddies that come one after the other go as one. */
void superblock_free_pages(struct shard *shard, struct quire_page **pages, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned long pfn = pages[i]->pfn;
        struct pageblock *block = pfn_to_pageblock(shard->mem, pfn);
        fill(block);
        if (i + 1 < count && superblock_are_halves(pages[i], pages[i + 1])) {
            struct pageblock *low = pfn & PAGEBLOCK_PAGES ? block - 1 : block;
            fill(block == low ? low + 1 : low);
            i++;
            if (quire_likely(low[0].type == low[1].type)) {
                low[1].flags |= PAGEBLOCK_TAIL;
                link_filled(shard, low, PAGEBLOCK_ORDER + 1);
                continue;
            }
            link_filled(shard, block == low ? low + 1 : low, PAGEBLOCK_ORDER);
        }
        link_filled(shard, block, PAGEBLOCK_ORDER);
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

static QUIRE_ALWAYS_INLINE void count_taken(struct shard *shard, unsigned type, unsigned order)
{
    count_blocks(shard, order, -1);
    count_free(shard, type, -(long)(1ul << order));
}

/* Takes the first free block of a list, in blocks of `order`; its pageblocks become of type `to`.
 */
static QUIRE_ALWAYS_INLINE void take_first(struct shard *shard, unsigned whole, unsigned order,
                                           unsigned from, unsigned to, struct quire_page **end)
{
    struct list *head = &shard->blocks[whole][from], *link = head->next;
    struct pageblock *block = quire_container_of(link, struct pageblock, link);
    head->next = link->next;
    link->next->prev = head;
    if (quire_unlikely(list_empty(head)))
        quire_store_relaxed(&shard->avail[from], shard->avail[from] & ~(1u << whole));
    block->largest = LARGEST_NONE;
    count_taken(shard, from, whole);
    unsigned blocks = 1u << (whole - PAGEBLOCK_ORDER), step = 1u << (order - PAGEBLOCK_ORDER);
    for (unsigned i = 0; i < blocks; i++) {
        clear(&block[i]);
        block[i].type = (uint8_t)to;
        if (!(i & (step - 1)))
            *--end = block[i].pages;
    }
}

static QUIRE_ALWAYS_INLINE unsigned take_blocks(struct shard *shard, unsigned order, unsigned from,
                                                unsigned to, unsigned max, struct quire_page **end)
{
    struct quire_page **at = end;
    for (unsigned left = max; left;) {
        uint32_t orders = shard->avail[from] >> order;
        if (!orders)
            break;
        unsigned whole = order + quire_ctz32(orders), count = 1u << (whole - order);
        if (quire_unlikely(count > left)) {
            struct list *list = &shard->blocks[whole][from];
            superblock_split(shard, quire_container_of(list->next, struct pageblock, link),
                             whole - 1);
            continue;
        }
        take_first(shard, whole, order, from, to, at);
        at -= count;
        left -= count;
    }
    return (unsigned)(end - at);
}

/* Compiled twice, since one order is by far the most frequent. */
unsigned superblock_take(struct shard *shard, unsigned order, unsigned from, unsigned to,
                         unsigned max, struct quire_page **end)
{
    if (quire_likely(order == PAGEBLOCK_ORDER))
        return take_blocks(shard, PAGEBLOCK_ORDER, from, to, max, end);
    return take_blocks(shard, order, from, to, max, end);
}

void superblock_take_exact(struct shard *shard, struct pageblock *block, unsigned order)
{
    struct pageblock *head = superblock_head(shard->mem, block);
    while (head != block || head->largest > (int)order) {
        superblock_split(shard, head, (unsigned)head->largest - 1);
        head = superblock_head(shard->mem, block);
    }
    block_unlink(shard, block);
    count_taken(shard, block->type, order);
    for (unsigned i = 0; i < 1u << (order - PAGEBLOCK_ORDER); i++)
        clear(&block[i]);
}

void superblock_hand_over(struct shard *from, struct shard *to, struct pageblock *block)
{
    block_unlink(from, block);
    count_taken(from, block->type, MAX_ORDER);
    quire_store_relaxed(&from->mem->shard_of[block->pfn >> MAX_ORDER], to->index);
    block_link(to, block, MAX_ORDER);
    count_blocks(to, MAX_ORDER, 1);
    count_free(to, block->type, 1l << MAX_ORDER);
}
