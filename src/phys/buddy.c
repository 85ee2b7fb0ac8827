/* phys/buddy.c: the binary buddy allocator of a zone, kept as bitmaps of pageblocks
 *
 * A block of order o is 2^o frames, aligned to its size; two neighbours of one order whose union is
 * aligned are buddies and are never both free without being one block of the next order (Knuth,
 * TAOCP 1, 2.5). Linux links free blocks into lists through their descriptors. Here a pageblock
 * has a bitmap with a bit for each free frame, one cache line long, and the blocks are what the
 * bits spell: a maximal aligned run of set bits. Merging is setting a bit; a block is on no list,
 * so freeing touches no neighbour's descriptor. Pageblocks are listed by the order of their largest
 * free block and by migrate type: an allocation takes the lowest order that will do, and there the
 * smallest block of that pageblock that will do.
 *
 *   invariant   nr[o] is the number of maximal free blocks of order o in the bitmap
 *   invariant   an unlinked pageblock has no free frame, or is the TAIL of a larger block
 *   invariant   a free block above PAGEBLOCK_ORDER is one head, linked with `largest` of that
 *               order, and TAILs; all of one type; each one's nr[PAGEBLOCK_ORDER] is 1
 *   bound       free: O(MAX_ORDER); take of n blocks: O(n * MAX_ORDER + PAGEBLOCK_WORDS)
 *
 * Everything here runs with zone->lock held. nr_free and nr_blocks are stored atomically, since
 * watermark checks read them without the lock.
 */
#include "phys/internal.h"

#define ALL_FREE (~(uint64_t)0)

/* Bit i set where i is a multiple of 2^order. */
static const uint64_t aligned_bits[7] = {
    ALL_FREE,           0x5555555555555555, 0x1111111111111111, 0x0101010101010101,
    0x0001000100010001, 0x0000000100000001, 0x0000000000000001,
};

/* ---- lists and counts ------------------------------------------------------------------------ */

static void block_link(struct zone *zone, struct pageblock *block)
{
    list_add(&zone->blocks[block->largest][block->type], &block->link);
    quire_store_relaxed(&zone->avail[block->type], zone->avail[block->type] | 1u << block->largest);
}

static void block_unlink(struct zone *zone, struct pageblock *block)
{
    list_del(&block->link);
    if (list_empty(&zone->blocks[block->largest][block->type]))
        quire_store_relaxed(&zone->avail[block->type],
                            zone->avail[block->type] & ~(1u << block->largest));
}

static void block_relink(struct zone *zone, struct pageblock *block, unsigned largest)
{
    if (block->largest != LARGEST_NONE)
        block_unlink(zone, block);
    block->largest = (uint8_t)largest;
    if (largest != LARGEST_NONE)
        block_link(zone, block);
}

/* `pages` may be negative. ISOLATE's free frames are nobody's to allocate. */
static void count_free(struct zone *zone, unsigned type, long pages)
{
    quire_count(&zone->nr_free_type[type], (unsigned long)pages);
    if (type != QUIRE_MIGRATE_ISOLATE)
        quire_count(&zone->nr_free, (unsigned long)pages);
}

static inline void count_blocks(struct zone *zone, unsigned order, long blocks)
{
    quire_count(&zone->nr_blocks[order], (unsigned long)blocks);
}

/* ---- the bitmap -------------------------------------------------------------------------------
 */

static QUIRE_ALWAYS_INLINE bool run_is_free(const struct pageblock *block, unsigned offset,
                                            unsigned order)
{
    if (order < 6) {
        uint64_t mask = quire_mask64(1u << order) << (offset & 63);
        return (block->free[offset >> 6] & mask) == mask;
    }
    for (unsigned word = offset >> 6, end = word + (1u << (order - 6)); word < end; word++)
        if (block->free[word] != ALL_FREE)
            return false;
    return true;
}

static void set_run(struct pageblock *block, unsigned offset, unsigned order)
{
    if (order < 6) {
        uint64_t mask = quire_mask64(1u << order) << (offset & 63);
        QUIRE_BUG_ON(block->free[offset >> 6] & mask);
        block->free[offset >> 6] |= mask;
        return;
    }
    for (unsigned word = offset >> 6, end = word + (1u << (order - 6)); word < end; word++) {
        QUIRE_BUG_ON(block->free[word]);
        block->free[word] = ALL_FREE;
    }
}

static void clear_frames(struct pageblock *block, unsigned offset, unsigned count)
{
    if (quire_unlikely(block->reported)) {
        unsigned first = offset >> REPORT_ORDER, last = (offset + count - 1) >> REPORT_ORDER;
        block->reported &= ~(quire_mask64(last - first + 1) << first);
    }
    while (count) {
        unsigned bit = offset & 63;
        unsigned here = count < 64 - bit ? count : 64 - bit;
        block->free[offset >> 6] &= ~(quire_mask64(here) << bit);
        offset += here;
        count -= here;
    }
}

/* Starts of maximal runs of 2^order set bits among 64. */
static uint64_t exact_runs(uint64_t word, unsigned order)
{
    for (unsigned o = 0; o < order; o++)
        word &= word >> (1u << o);
    word &= aligned_bits[order];
    uint64_t pairs = word & word >> (1u << order) & aligned_bits[order + 1];
    return word & ~(pairs | pairs << (1u << order));
}

/* Offset of the first maximal free block of `order` in words from `*cursor` on; there is one. */
static unsigned find_exact(const struct pageblock *block, unsigned order, unsigned *cursor)
{
    if (order == PAGEBLOCK_ORDER)
        return 0;
    if (order >= 6) {
        uint64_t full = 0;
        for (unsigned word = 0; word < PAGEBLOCK_WORDS; word++)
            full |= (uint64_t)(block->free[word] == ALL_FREE) << word;
        uint64_t runs = exact_runs(full, order - 6);
        QUIRE_BUG_ON(!runs);
        return quire_ctz64(runs) << 6;
    }
    for (;; ++*cursor) {
        QUIRE_BUG_ON(*cursor >= PAGEBLOCK_WORDS);
        uint64_t runs = exact_runs(block->free[*cursor], order);
        if (runs)
            return *cursor << 6 | quire_ctz64(runs);
    }
}

/* The lowest order from `order` on that has a free block here; LARGEST_NONE: none. */
static unsigned lowest_order(const struct pageblock *block, unsigned order)
{
    for (; order <= PAGEBLOCK_ORDER; order++)
        if (block->nr[order])
            return order;
    return LARGEST_NONE;
}

static unsigned highest_order(const struct pageblock *block, unsigned from)
{
    for (unsigned order = from + 1; order-- > 0;)
        if (block->nr[order])
            return order;
    return LARGEST_NONE;
}

/* ---- blocks above PAGEBLOCK_ORDER
 * ---------------------------------------------------------------- */

/* The pageblock that the free block of `block` begins at. */
static struct pageblock *superblock_head(struct zone *zone, struct pageblock *block)
{
    if (!(block->flags & PAGEBLOCK_TAIL))
        return block;
    for (unsigned order = PAGEBLOCK_ORDER + 1; order <= MAX_ORDER; order++) {
        unsigned long pfn = block->pfn & ~((1ul << order) - 1);
        if (pfn == block->pfn)
            continue;
        struct pageblock *head = pfn_to_pageblock(zone->mem, pfn);
        if (!(head->flags & PAGEBLOCK_TAIL) && head->largest >= order &&
            head->largest != LARGEST_NONE)
            return head;
    }
    QUIRE_BUG_ON(true);
    return NULL;
}

/* Halves a linked free block until it is of `order`; the upper halves go onto lists. */
static void superblock_split(struct zone *zone, struct pageblock *head, unsigned order)
{
    unsigned largest = head->largest;
    if (largest <= order)
        return;
    count_blocks(zone, largest, -1);
    while (largest > order) {
        largest--;
        struct pageblock *upper = head + (1u << (largest - PAGEBLOCK_ORDER));
        upper->flags &= (uint8_t)~PAGEBLOCK_TAIL;
        block_relink(zone, upper, largest);
        count_blocks(zone, largest, 1);
    }
    block_relink(zone, head, order);
    count_blocks(zone, order, 1);
}

void pageblock_separate(struct zone *zone, struct pageblock *block)
{
    struct pageblock *head = superblock_head(zone, block);
    if (head->largest == LARGEST_NONE || head->largest <= PAGEBLOCK_ORDER)
        return;
    unsigned blocks = 1u << (head->largest - PAGEBLOCK_ORDER);
    count_blocks(zone, head->largest, -1);
    for (unsigned i = 0; i < blocks; i++) {
        head[i].flags &= (uint8_t)~PAGEBLOCK_TAIL;
        block_relink(zone, &head[i], PAGEBLOCK_ORDER);
    }
    count_blocks(zone, PAGEBLOCK_ORDER, (long)blocks);
}

static void change_type_unlinked(struct zone *zone, struct pageblock *block, unsigned type)
{
    count_free(zone, block->type, -(long)block->nr_free);
    block->type = (uint8_t)type;
    count_free(zone, type, block->nr_free);
}

/* The linked free block of `order` that begins at `pfn` and may become one with one of `type`. */
static struct pageblock *superblock_buddy(struct zone *zone, unsigned long pfn, unsigned order,
                                          unsigned type)
{
    struct pageblock *buddy = pfn_to_pageblock(zone->mem, pfn);
    if (buddy->zone != zone->id || buddy->largest != order)
        return NULL;
    if (buddy->type != type &&
        (buddy->type >= QUIRE_MIGRATE_HIGHATOMIC || type >= QUIRE_MIGRATE_HIGHATOMIC))
        return NULL;
    return buddy;
}

/* Links the unlinked, wholly free block of `order` at `head`, merged with its buddies. What is
 * wholly free may be of any ordinary type, so a buddy takes the type of the one freed. */
static void superblock_merge(struct zone *zone, struct pageblock *head, unsigned order)
{
    for (; order < MAX_ORDER; order++) {
        struct pageblock *buddy =
            superblock_buddy(zone, head->pfn ^ 1ul << order, order, head->type);
        if (!buddy)
            break;
        block_relink(zone, buddy, LARGEST_NONE);
        count_blocks(zone, order, -1);
        for (unsigned i = 0; i < 1u << (order - PAGEBLOCK_ORDER); i++)
            if (buddy[i].type != head->type)
                change_type_unlinked(zone, &buddy[i], head->type);
        struct pageblock *upper = head < buddy ? buddy : head;
        upper->flags |= PAGEBLOCK_TAIL;
        head = head < buddy ? head : buddy;
    }
    block_relink(zone, head, order);
    count_blocks(zone, order, 1);
}

/* Pageblocks of a special type are never part of a block of another type. */
static bool may_be_one_block(const struct pageblock *block, unsigned blocks)
{
    for (unsigned i = 1; i < blocks; i++)
        if (block[i].type != block[0].type && (block[i].type >= QUIRE_MIGRATE_HIGHATOMIC ||
                                               block[0].type >= QUIRE_MIGRATE_HIGHATOMIC))
            return false;
    return true;
}

static void free_whole_pageblocks(struct zone *zone, struct pageblock *block, unsigned order)
{
    unsigned blocks = 1u << (order - PAGEBLOCK_ORDER);
    if (!may_be_one_block(block, blocks)) {
        for (unsigned i = 0; i < blocks; i++)
            free_whole_pageblocks(zone, &block[i], PAGEBLOCK_ORDER);
        return;
    }
    for (unsigned i = 0; i < blocks; i++) {
        set_run(&block[i], 0, PAGEBLOCK_ORDER);
        block[i].nr[PAGEBLOCK_ORDER] = 1;
        block[i].nr_free = PAGEBLOCK_PAGES;
        block[i].type = block->type;
        count_free(zone, block->type, PAGEBLOCK_PAGES);
        if (i)
            block[i].flags |= PAGEBLOCK_TAIL;
    }
    superblock_merge(zone, block, order);
}

static void take_whole_pageblocks(struct zone *zone, struct pageblock *block, unsigned order)
{
    superblock_split(zone, block, order);
    block_relink(zone, block, LARGEST_NONE);
    count_blocks(zone, order, -1);
    for (unsigned i = 0; i < 1u << (order - PAGEBLOCK_ORDER); i++) {
        block[i].flags &= (uint8_t)~PAGEBLOCK_TAIL;
        clear_frames(&block[i], 0, PAGEBLOCK_PAGES);
        block[i].nr[PAGEBLOCK_ORDER] = 0;
        block[i].nr_free = 0;
        count_free(zone, block[i].type, -(long)PAGEBLOCK_PAGES);
        QUIRE_EXPENSIVE(pageblock_is_valid(&block[i]));
    }
}

/* ---- free
 * ------------------------------------------------------------------------------------------ */

void buddy_free(struct zone *zone, struct pageblock *block, unsigned long pfn, unsigned order)
{
    if (order >= PAGEBLOCK_ORDER) {
        free_whole_pageblocks(zone, block, order);
        return;
    }
    unsigned offset = (unsigned)(pfn & (PAGEBLOCK_PAGES - 1));
    set_run(block, offset, order);
    block->nr_free = (uint16_t)(block->nr_free + (1u << order));
    count_free(zone, block->type, 1l << order);
    while (order < PAGEBLOCK_ORDER && run_is_free(block, offset ^ 1u << order, order)) {
        block->nr[order]--;
        count_blocks(zone, order, -1);
        offset &= ~(1u << order);
        order++;
    }
    block->nr[order]++;
    if (order == PAGEBLOCK_ORDER) {
        block_relink(zone, block, LARGEST_NONE);
        superblock_merge(zone, block, order);
    } else {
        count_blocks(zone, order, 1);
        if (block->largest == LARGEST_NONE || order > block->largest)
            block_relink(zone, block, order);
    }
    QUIRE_EXPENSIVE(pageblock_is_valid(block));
}

/* The order of the largest aligned run of set bits that begins at the lowest one. */
static QUIRE_ALWAYS_INLINE unsigned first_run_order(uint64_t mask, unsigned bit)
{
    unsigned order = 0;
    for (; order < 6 && !(bit & ((2u << order) - 1)); order++) {
        uint64_t pair = quire_mask64(2u << order) << bit;
        if ((mask & pair) != pair)
            break;
    }
    return order;
}

void buddy_free_mask(struct zone *zone, struct pageblock *block, unsigned word, uint64_t mask)
{
    while (mask) {
        unsigned bit = quire_ctz64(mask);
        unsigned order = first_run_order(mask, bit);
        buddy_free(zone, block, block->pfn + (word << 6) + bit, order);
        mask &= ~(quire_mask64(1u << order) << bit);
    }
}

/* ---- take
 * -------------------------------------------------------------------------------------------- */

/* Takes `count` blocks of `order` from the front of the free block of `whole` at `offset`. What is
 * left of it is an aligned block for each one bit of its size. */
static void take_front(struct zone *zone, struct pageblock *block, unsigned offset, unsigned whole,
                       unsigned order, unsigned count)
{
    clear_frames(block, offset, count << order);
    block->nr[whole]--;
    count_blocks(zone, whole, -1);
    for (unsigned left = (1u << (whole - order)) - count; left; left &= left - 1) {
        unsigned piece = order + quire_ctz32(left);
        block->nr[piece]++;
        count_blocks(zone, piece, 1);
    }
}

unsigned buddy_take_from(struct zone *zone, struct pageblock *block, unsigned order, unsigned max,
                         struct quire_page **pages)
{
    if (order >= PAGEBLOCK_ORDER) {
        take_whole_pageblocks(zone, block, order);
        pages[0] = block->pages;
        return 1;
    }
    if (block->largest > PAGEBLOCK_ORDER)
        superblock_split(zone, block, PAGEBLOCK_ORDER);
    unsigned taken = 0, cursor = 0, previous = LARGEST_NONE;
    while (taken < max) {
        unsigned whole = lowest_order(block, order);
        if (whole == LARGEST_NONE)
            break;
        if (whole != previous)
            cursor = 0;
        previous = whole;
        unsigned offset = find_exact(block, whole, &cursor);
        unsigned count = 1u << (whole - order);
        if (count > max - taken)
            count = max - taken;
        take_front(zone, block, offset, whole, order, count);
        struct quire_page *page = block->pages + offset;
        for (unsigned i = 0; i < count; i++, page += 1u << order)
            pages[taken++] = page;
    }
    block->nr_free = (uint16_t)(block->nr_free - (taken << order));
    count_free(zone, block->type, -(long)(taken << order));
    if (!block->nr[block->largest])
        block_relink(zone, block, highest_order(block, block->largest));
    QUIRE_EXPENSIVE(pageblock_is_valid(block));
    return taken;
}

unsigned buddy_take(struct zone *zone, unsigned order, enum quire_migratetype type, unsigned max,
                    struct quire_page **pages, struct pageblock **from)
{
    uint32_t orders = zone->avail[type] >> order;
    if (!orders)
        return 0;
    struct list *list = &zone->blocks[order + quire_ctz32(orders)][type];
    *from = quire_container_of(list->next, struct pageblock, link);
    return buddy_take_from(zone, *from, order, max, pages);
}

void buddy_take_exact(struct zone *zone, unsigned long pfn, unsigned order)
{
    struct pageblock *block = pfn_to_pageblock(zone->mem, pfn);
    if (order >= PAGEBLOCK_ORDER) {
        struct pageblock *head = superblock_head(zone, block);
        while (head != block || head->largest > order) {
            superblock_split(zone, head, head->largest - 1u);
            head = superblock_head(zone, block);
        }
        take_whole_pageblocks(zone, block, order);
        return;
    }
    pageblock_separate(zone, block);
    unsigned long start;
    unsigned offset = (unsigned)(pfn & (PAGEBLOCK_PAGES - 1));
    unsigned whole = buddy_free_order(zone->mem, pfn, &start);
    QUIRE_BUG_ON(whole < order);
    clear_frames(block, offset, 1u << order);
    block->nr[whole]--;
    count_blocks(zone, whole, -1);
    for (unsigned o = order; o < whole; o++) {
        block->nr[o]++;
        count_blocks(zone, o, 1);
    }
    block->nr_free = (uint16_t)(block->nr_free - (1u << order));
    count_free(zone, block->type, -(1l << order));
    if (!block->nr[block->largest])
        block_relink(zone, block, highest_order(block, block->largest));
    QUIRE_EXPENSIVE(pageblock_is_valid(block));
}

/* ---- questions and types
 * -------------------------------------------------------------------------------- */

bool buddy_frame_is_free(const struct quire_mem *mem, unsigned long pfn)
{
    const struct pageblock *block = pfn_to_pageblock(mem, pfn);
    unsigned offset = (unsigned)(pfn & (PAGEBLOCK_PAGES - 1));
    return block->free[offset >> 6] >> (offset & 63) & 1;
}

unsigned buddy_free_order(const struct quire_mem *mem, unsigned long pfn, unsigned long *start)
{
    struct pageblock *block = pfn_to_pageblock(mem, pfn);
    unsigned offset = (unsigned)(pfn & (PAGEBLOCK_PAGES - 1));
    unsigned order = 0;
    while (order < PAGEBLOCK_ORDER && run_is_free(block, offset ^ 1u << order, order)) {
        offset &= ~(1u << order);
        order++;
    }
    *start = block->pfn + offset;
    if (order < PAGEBLOCK_ORDER)
        return order;
    struct pageblock *head = superblock_head(&mem->zones[block->zone], block);
    *start = head->pfn;
    return head->largest;
}

void pageblock_set_type(struct zone *zone, struct pageblock *block, enum quire_migratetype type)
{
    if (block->type == type)
        return;
    pageblock_separate(zone, block);
    unsigned largest = block->largest;
    block_relink(zone, block, LARGEST_NONE);
    change_type_unlinked(zone, block, type);
    if (largest == PAGEBLOCK_ORDER) {
        count_blocks(zone, PAGEBLOCK_ORDER, -1);
        superblock_merge(zone, block, PAGEBLOCK_ORDER);
    } else {
        block_relink(zone, block, largest);
    }
    QUIRE_EXPENSIVE(pageblock_is_valid(block));
}

void buddy_init_zone(struct zone *zone)
{
    for (unsigned order = 0; order < NR_ORDERS; order++)
        for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++)
            list_init(&zone->blocks[order][type]);
}
