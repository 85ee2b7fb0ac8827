/* phys/buddy.c: the binary buddy allocator of a shard, kept as bitmaps of pageblocks
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
 * Everything here runs with shard->lock held. nr_free and nr_blocks are stored atomically, since
 * watermark checks read them without the lock.
 */
#include "phys/buddy.h"

/* Bit i set where i is a multiple of 2^order. */
static const uint64_t aligned_bits[7] = {
    ALL_FREE,           0x5555555555555555, 0x1111111111111111, 0x0101010101010101,
    0x0001000100010001, 0x0000000100000001, 0x0000000000000001,
};

/* ---- the bitmap ------------------------------------------------------------------------------ */

/* The lowest 2^order bits, for the orders of a word. */
static const uint64_t run_bits[7] = {0x1, 0x3, 0xf, 0xff, 0xffff, 0xffffffff, ALL_FREE};

static QUIRE_ALWAYS_INLINE bool run_is_free(const struct pageblock *block, unsigned offset,
                                            unsigned order)
{
    if (order < 6) {
        uint64_t mask = run_bits[order] << (offset & 63);
        return (block->free[offset >> 6] & mask) == mask;
    }
    for (unsigned word = offset >> 6, end = word + (1u << (order - 6)); word < end; word++)
        if (block->free[word] != ALL_FREE)
            return false;
    return true;
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
static int lowest_order(const struct pageblock *block, unsigned order)
{
    for (; order <= PAGEBLOCK_ORDER; order++)
        if (block->nr[order])
            return (int)order;
    return LARGEST_NONE;
}

static int highest_order(const struct pageblock *block)
{
    int order = block->largest;
    while (order >= 0 && !block->nr[order])
        order--;
    return order;
}

/* ---- free ------------------------------------------------------------------------------------ */

/* Adds a block of `order`, whose bits are set and whose buddy isn't free, to the pageblock's counts
 * and lists. */
static QUIRE_ALWAYS_INLINE void block_freed(struct shard *shard, struct pageblock *block,
                                            unsigned order)
{
    block->nr[order]++;
    if (order == PAGEBLOCK_ORDER) {
        block_relink(shard, block, LARGEST_NONE);
        superblock_merge(shard, block, order);
        return;
    }
    count_blocks(shard, order, 1);
    if (quire_unlikely((int)order > block->largest)) {
        if (block->largest >= 0)
            block_unlink(shard, block);
        block_link(shard, block, (int)order);
    }
}

static QUIRE_ALWAYS_INLINE void block_absorbed(struct shard *shard, struct pageblock *block,
                                               unsigned order)
{
    block->nr[order]--;
    count_blocks(shard, order, -1);
}

/* Merges upwards from a block of `order` at `offset` whose bits are set. */
static void merge_words(struct shard *shard, struct pageblock *block, unsigned offset,
                        unsigned order)
{
    while (order < PAGEBLOCK_ORDER && run_is_free(block, offset ^ 1u << order, order)) {
        block_absorbed(shard, block, order);
        offset &= ~(1u << order);
        order++;
    }
    block_freed(shard, block, order);
}

static QUIRE_ALWAYS_INLINE void count_frames(struct shard *shard, struct pageblock *block,
                                             unsigned order)
{
    block->nr_free = (uint16_t)(block->nr_free + (1u << order));
    count_free(shard, block->type, 1l << order);
}

void buddy_free(struct shard *shard, struct pageblock *block, unsigned long pfn, unsigned order)
{
    if (order >= PAGEBLOCK_ORDER) {
        superblock_free(shard, block, order);
        return;
    }
    unsigned offset = (unsigned)(pfn & (PAGEBLOCK_PAGES - 1));
    count_frames(shard, block, order);
    if (order < 6) {
        uint64_t mask = run_bits[order] << (offset & 63);
        QUIRE_BUG_ON(block->free[offset >> 6] & mask);
        block->free[offset >> 6] |= mask;
    } else {
        set_words(block, offset >> 6, 1u << (order - 6));
    }
    merge_words(shard, block, offset, order);
    QUIRE_EXPENSIVE(pageblock_is_valid(block));
}

/* One step of free_frame: leaves it, unless the buddy of this order is free too. */
#define MERGE_STEP(order)                                                                          \
    do {                                                                                           \
        uint64_t run = ((uint64_t)1 << (1u << (order))) - 1;                                       \
        if (quire_likely((word >> (bit ^ 1u << (order)) & run) != run)) {                          \
            block_freed(shard, block, (order));                                                    \
            return;                                                                                \
        }                                                                                          \
        block_absorbed(shard, block, (order));                                                     \
        bit &= ~(1u << (order));                                                                   \
    } while (0)

/* buddy_free of order 0, the most frequent one by far: the word stays in a register, and the masks
 * are constants. Frees in random order merge once on average. */
static QUIRE_ALWAYS_INLINE void free_frame(struct shard *shard, struct pageblock *block,
                                           unsigned long pfn)
{
    unsigned offset = (unsigned)(pfn & (PAGEBLOCK_PAGES - 1)), bit = offset & 63;
    uint64_t word = block->free[offset >> 6];
    QUIRE_BUG_ON(word >> bit & 1);
    count_frames(shard, block, 0);
    word |= (uint64_t)1 << bit;
    block->free[offset >> 6] = word;
    MERGE_STEP(0);
    MERGE_STEP(1);
    MERGE_STEP(2);
    MERGE_STEP(3);
    MERGE_STEP(4);
    MERGE_STEP(5);
    merge_words(shard, block, offset & ~63u, 6);
}

/* The order of the largest aligned run of set bits that begins at the lowest one. */
static unsigned first_run_order(uint64_t mask, unsigned bit)
{
    unsigned order = 0;
    for (; order < 6 && !(bit & ((2u << order) - 1)); order++) {
        uint64_t pair = run_bits[order + 1] << bit;
        if ((mask & pair) != pair)
            break;
    }
    return order;
}

/* Frees the frames of one word's bits, in as few blocks as they make. */
static void free_mask(struct shard *shard, struct pageblock *block, unsigned long pfn,
                      uint64_t mask)
{
    pfn &= ~63ul;
    while (mask) {
        unsigned bit = quire_ctz64(mask);
        unsigned order = first_run_order(mask, bit);
        buddy_free(shard, block, pfn + bit, order);
        mask &= ~(run_bits[order] << bit);
    }
}

/* Blocks to free come as pages, from a per-CPU list, or as slots, from an inbox. */
struct batch {
    struct quire_page *const *pages; /* NULL: slots */
    const uint64_t *slots;
    unsigned count;
};

static QUIRE_ALWAYS_INLINE unsigned long batch_pfn(const struct batch *batch, unsigned i)
{
    return batch->pages ? batch->pages[i]->pfn : (uint32_t)batch->slots[i];
}

/* One block or more of less than a word. Neighbours within one are freed together. */
static QUIRE_ALWAYS_INLINE void free_small(struct shard *shard, struct batch batch, unsigned order)
{
    unsigned i = 0;
    unsigned long pfn = batch_pfn(&batch, 0);
    while (i < batch.count) {
        struct pageblock *block = pfn_to_pageblock(shard->mem, pfn);
        unsigned long next = ++i < batch.count ? batch_pfn(&batch, i) : ~pfn;
        if (quire_likely((next ^ pfn) >= 64)) {
            if (order == 0)
                free_frame(shard, block, pfn);
            else
                buddy_free(shard, block, pfn, order);
            QUIRE_EXPENSIVE(pageblock_is_valid(block));
        } else {
            uint64_t mask = run_bits[order] << (pfn & 63);
            do {
                mask |= run_bits[order] << (next & 63);
                next = ++i < batch.count ? batch_pfn(&batch, i) : ~pfn;
            } while ((next ^ pfn) < 64);
            free_mask(shard, block, pfn, mask);
        }
        pfn = next;
    }
}

static QUIRE_NOINLINE void free_small_pages(struct shard *shard, struct quire_page **pages,
                                            unsigned count, unsigned order)
{
    struct batch batch = {.pages = pages, .count = count};
    if (order == 0)
        free_small(shard, batch, 0);
    else
        free_small(shard, batch, order);
}

void buddy_free_pages(struct shard *shard, struct quire_page **pages, unsigned count,
                      unsigned order)
{
    if (order >= 6)
        superblock_free_pages(shard, pages, count);
    else if (count)
        free_small_pages(shard, pages, count, order);
}

void buddy_free_slots(struct shard *shard, const uint64_t *slots, unsigned count, unsigned order)
{
    if (order < 6) {
        free_small(shard, (struct batch){.slots = slots, .count = count}, order);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned long pfn = (uint32_t)slots[i];
        buddy_free(shard, pfn_to_pageblock(shard->mem, pfn), pfn, order);
    }
}

/* ---- take ------------------------------------------------------------------------------------ */

/* Takes `count` blocks of `order` from the front of the free block of `whole` at `offset`. What is
 * left of it is an aligned block for each one bit of its size. */
static void take_front(struct shard *shard, struct pageblock *block, unsigned offset,
                       unsigned whole, unsigned order, unsigned count)
{
    clear_frames(block, offset, count << order);
    block->nr[whole]--;
    count_blocks(shard, whole, -1);
    for (unsigned left = (1u << (whole - order)) - count; left; left &= left - 1) {
        unsigned piece = order + quire_ctz32(left);
        block->nr[piece]++;
        count_blocks(shard, piece, 1);
    }
}

unsigned buddy_take_from(struct shard *shard, struct pageblock *block, unsigned order, unsigned max,
                         struct quire_page **end)
{
    if (block->largest > PAGEBLOCK_ORDER)
        superblock_split(shard, block, PAGEBLOCK_ORDER);
    unsigned taken = 0, cursor = 0;
    int previous = LARGEST_NONE;
    while (taken < max) {
        int lowest = lowest_order(block, order);
        if (lowest < 0)
            break;
        unsigned whole = (unsigned)lowest;
        if (lowest != previous)
            cursor = 0;
        previous = lowest;
        unsigned offset = find_exact(block, whole, &cursor);
        unsigned count = 1u << (whole - order);
        if (count > max - taken)
            count = max - taken;
        take_front(shard, block, offset, whole, order, count);
        taken += count;
        struct quire_page *page = block->pages + offset;
        for (; count; count--, page += 1u << order)
            *--end = page;
    }
    block->nr_free = (uint16_t)(block->nr_free - (taken << order));
    count_free(shard, block->type, -(long)(taken << order));
    if (!block->nr[block->largest])
        block_relink(shard, block, highest_order(block));
    QUIRE_EXPENSIVE(pageblock_is_valid(block));
    return taken;
}

unsigned buddy_take(struct shard *shard, unsigned order, enum quire_migratetype type, unsigned max,
                    struct quire_page **end)
{
    if (order >= PAGEBLOCK_ORDER)
        return superblock_take(shard, order, type, type, max, end);
    uint32_t orders = shard->avail[type] >> order;
    if (!orders)
        return 0;
    struct list *list = &shard->blocks[order + quire_ctz32(orders)][type];
    struct pageblock *block = quire_container_of(list->next, struct pageblock, link);
    return buddy_take_from(shard, block, order, max, end);
}

void buddy_take_exact(struct shard *shard, unsigned long pfn, unsigned order)
{
    struct pageblock *block = pfn_to_pageblock(shard->mem, pfn);
    if (order >= PAGEBLOCK_ORDER) {
        superblock_take_exact(shard, block, order);
        return;
    }
    pageblock_separate(shard, block);
    unsigned long start;
    unsigned offset = (unsigned)(pfn & (PAGEBLOCK_PAGES - 1));
    unsigned whole = buddy_free_order(shard->mem, pfn, &start);
    QUIRE_BUG_ON(whole < order);
    clear_frames(block, offset, 1u << order);
    block->nr[whole]--;
    count_blocks(shard, whole, -1);
    for (unsigned o = order; o < whole; o++) {
        block->nr[o]++;
        count_blocks(shard, o, 1);
    }
    block->nr_free = (uint16_t)(block->nr_free - (1u << order));
    count_free(shard, block->type, -(1l << order));
    if (!block->nr[block->largest])
        block_relink(shard, block, highest_order(block));
    QUIRE_EXPENSIVE(pageblock_is_valid(block));
}

/* ---- questions and types --------------------------------------------------------------------- */

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
    struct pageblock *head = superblock_head(mem, block);
    *start = head->pfn;
    return (unsigned)head->largest;
}

void pageblock_set_type(struct shard *shard, struct pageblock *block, enum quire_migratetype type)
{
    if (block->type == type)
        return;
    pageblock_separate(shard, block);
    int largest = block->largest;
    block_relink(shard, block, LARGEST_NONE);
    block_change_type(shard, block, type);
    if (largest == PAGEBLOCK_ORDER) {
        count_blocks(shard, PAGEBLOCK_ORDER, -1);
        superblock_merge(shard, block, PAGEBLOCK_ORDER);
    } else {
        block_relink(shard, block, largest);
    }
}

void buddy_init_shard(struct shard *shard)
{
    for (unsigned order = 0; order < NR_ORDERS; order++)
        for (unsigned type = 0; type < QUIRE_NR_MIGRATETYPES; type++)
            list_init(&shard->blocks[order][type]);
}
