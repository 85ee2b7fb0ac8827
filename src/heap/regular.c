/* heap/regular.c: large blocks that come and go, without a lock
 *
 * A server that takes and drops the same large blocks for each request needs no tree and no lists
 * for them. A block that was kept and is taken again becomes a regular: it stays in the tree, and
 * gets a slot of a small table, which its address leads to. Whether it is free is a bit of the
 * slot's word, so that freeing and taking it are one compare and exchange each. A thread remembers
 * which slots it freed last, and looks there for a block of the right size.
 *
 * A block that realloc makes larger and larger is lent all the room of a regular, of which it needs
 * little yet: so it need neither move nor wait until it has grown into that. What it may use is a
 * number of pages in the slot's word, a power of two; what lies behind is kept, and is taken back
 * from it when somebody finds no other memory, when it stops growing, or when it becomes smaller.
 * Only regulars that were grown into are lent: others are likely to be wanted again as they are.
 *
 *   invariant   a slot's word is 0, or the address of a block that is in the tree and whose record
 *               knows the slot; a free one is nobody's, although it is in the tree. A word becomes
 *               0, and stops being 0, with large.lock held. What is lent begins behind the pages
 *               that the word names, and to use more of it is to change the word: who takes it back
 *               changes the word, too, so one of them finds that it comes too late
 *   bound       NR_REGULARS blocks, which the allowance for kept ones includes. Those that are free
 *               are kept like others when somebody finds no kept block, and are unmapped when they
 *               were free at two looks that lie a decay apart
 *
 * Nothing here is left half done by a thread that stops in the middle: a handler that interrupted
 * it, or the child of a fork, finds the block taken or free.
 */
#include "heap/large.h"

#define FREE 1u
#define IDLE 2u                  /* it was free, or lent and didn't grow, at the last look, too */
#define LENT (63u << LENT_SHIFT) /* 0: nothing is; 1 and the order of the pages that aren't */
#define LENT_SHIFT 2u
#define STATE (QUIRE_PAGE_SIZE - 1)
#define ROOM_TO_LEND 4u /* times what is wanted: else it is soon used up */
#define WAYS 2u         /* slots that an address may have */

_Static_assert(NR_REGULARS == 64,
               "slots are numbered by six bits of a hash, and are bits of a word");
_Static_assert((QUIRE_HEAP_RECENT & (QUIRE_HEAP_RECENT - 1)) == 0, "a ring whose count may wrap");

static uint32_t first_slot(const void *at)
{
    uint32_t page = (uint32_t)((uintptr_t)at >> QUIRE_PAGE_SHIFT);
    return page * 0x9e3779b1u >> 26 & ~(WAYS - 1);
}

/* The slot of a block that somebody has, and its word; NULL: none. */
static struct regular *find(struct quire_heap *heap, const void *at, uintptr_t *word)
{
    struct regular *slot = &heap->large.regular[first_slot(at)];
    for (unsigned way = 0; way < WAYS; way++, slot++) {
        *word = quire_load_relaxed(&slot->word);
        if ((*word & ~(uintptr_t)(LENT | IDLE)) == (uintptr_t)at)
            return slot;
    }
    return NULL;
}

static bool change(struct regular *slot, uintptr_t from, uintptr_t to)
{
    return quire_compare_exchange(&slot->word, &from, to);
}

/* ---- what is lent ---------------------------------------------------------------------------- */

/* Pages that the block's caller may use. */
static size_t own_pages(uintptr_t word, size_t room)
{
    unsigned lent = (unsigned)(word & LENT) >> LENT_SHIFT;
    size_t own = lent ? (size_t)1 << (lent - 1) : room;
    return own < room ? own : room;
}

/* Of a word, for who needs so many pages; 0 when too little would be left to be worth it. */
static uintptr_t lent_behind(size_t pages, size_t room)
{
    unsigned order = quire_order_of_pages(pages);
    if (room >> order == 0 || room - ((size_t)1 << order) < LEAST_REST >> QUIRE_PAGE_SHIFT)
        return 0;
    return (uintptr_t)(order + 1) << LENT_SHIFT;
}

static size_t own_bytes(uintptr_t word, const struct large *block)
{
    return own_pages(word, block->size >> QUIRE_PAGE_SHIFT) << QUIRE_PAGE_SHIFT;
}

/* ---- without locks --------------------------------------------------------------------------- */

static bool suits(const struct regular *slot, size_t pages)
{
    size_t room = quire_load_relaxed(&slot->room);
    return room >= pages && !is_to_cut(room << QUIRE_PAGE_SHIFT, pages << QUIRE_PAGE_SHIFT);
}

/* What a slot says of its block's size holds while the block isn't free: so it is looked at once
 * more when it was taken. */
static void *take(struct regular *slot, size_t pages)
{
    uintptr_t word = quire_load_relaxed(&slot->word), at = word & ~(uintptr_t)STATE;
    if (!(word & FREE) || !suits(slot, pages) || !change(slot, word, at))
        return NULL;
    if (quire_unlikely(!suits(slot, pages))) {
        (void)change(slot, at, word);
        return NULL;
    }
    quire_store_relaxed(&slot->asked, pages);
    quire_store_relaxed(&slot->is_grown, false);
    quire_count(&slot->nr_taken, 1); /* only who has the block gets here */
    return (void *)at;
}

static bool has_to_lend(const struct regular *slot, size_t pages)
{
    size_t room = quire_load_relaxed(&slot->room);
    return room / ROOM_TO_LEND >= pages && quire_load_relaxed(&slot->is_grown) &&
           lent_behind(pages, room);
}

/* As take; and who has a block that is lent nothing may change its word as he likes. */
static void *lend(struct regular *slot, size_t pages)
{
    uintptr_t word = quire_load_relaxed(&slot->word), at = word & ~(uintptr_t)STATE;
    if (!(word & FREE) || !has_to_lend(slot, pages) || !change(slot, word, at))
        return NULL;
    if (quire_unlikely(!has_to_lend(slot, pages))) {
        (void)change(slot, at, word);
        return NULL;
    }
    quire_store_relaxed(&slot->asked, pages);
    quire_count(&slot->nr_taken, 1);
    quire_store_release(&slot->word, at | lent_behind(pages, quire_load_relaxed(&slot->room)));
    return (void *)at;
}

void *regular_lend(struct quire_heap_cache *cache, size_t size)
{
    struct quire_heap *heap = cache->heap;
    size_t pages = pages_for(size);
    for (unsigned back = 1; heap && back <= QUIRE_HEAP_RECENT; back++) {
        unsigned number = cache->recent[(cache->last_recent - back) % QUIRE_HEAP_RECENT];
        void *block = lend(&heap->large.regular[number], pages);
        if (!block)
            continue;
        if (back == 1)
            cache->last_recent--;
        return block;
    }
    return NULL;
}

void *regular_take(struct quire_heap_cache *cache, size_t size)
{
    struct quire_heap *heap = cache->heap;
    size_t pages = pages_for(size);
    if (!heap || quire_unlikely(!++cache->regular_turn)) /* see regular_take_or_look */
        return NULL;
    for (unsigned back = 1; back <= QUIRE_HEAP_RECENT; back++) {
        unsigned number = cache->recent[(cache->last_recent - back) % QUIRE_HEAP_RECENT];
        void *block = take(&heap->large.regular[number], pages);
        if (!block)
            continue;
        if (back == 1)
            cache->last_recent--;
        return block;
    }
    return NULL;
}

/* Now and then what is idle is looked for. It may have been regular_take, called before this, that
 * said so. */
void *regular_take_or_look(struct quire_heap_cache *cache, size_t size)
{
    void *block = cache->regular_turn ? regular_take(cache, size) : NULL;
    if (block || cache->regular_turn)
        return block;
    (void)large_release(cache->heap, false);
    return regular_take(cache, size);
}

bool regular_put(struct quire_heap_cache *cache, void *ptr)
{
    struct quire_heap *heap = cache->heap;
    uintptr_t at = (uintptr_t)ptr, word;
    struct regular *slot = heap && at && !(at & STATE) ? find(heap, ptr, &word) : NULL;
    if (!slot || !change(slot, word, at | FREE))
        return false;
    cache->recent[cache->last_recent++ % QUIRE_HEAP_RECENT] = (uint8_t)(slot - heap->large.regular);
    return true;
}

bool regular_resize(struct quire_heap *heap, const void *ptr, size_t size)
{
    size_t pages = pages_for(size), room;
    uintptr_t at = (uintptr_t)ptr, word;
    struct regular *slot = at & STATE ? NULL : find(heap, ptr, &word);
    if (!slot || pages < quire_load_relaxed(&slot->asked) ||
        pages > (room = quire_load_relaxed(&slot->room)))
        return false;
    if (pages > own_pages(word, room) && !change(slot, word, at | lent_behind(pages, room)))
        return false;
    quire_store_relaxed(&slot->asked, pages);
    quire_store_relaxed(&slot->is_grown, true);
    return true;
}

/* ---- the table: large.lock is held ----------------------------------------------------------- */

static struct regular *slot_of(struct quire_heap *heap, const struct large *block)
{
    return block->regular ? &heap->large.regular[block->regular - 1] : NULL;
}

void regular_add(struct quire_heap *heap, struct large *block)
{
    struct large_blocks *large = &heap->large;
    uint32_t number = first_slot(block->at);
    if (block->regular || large->kept_bytes + large->regular_bytes + block->size > large->allowance)
        return;
    for (unsigned way = 0; way < WAYS; way++, number++) {
        struct regular *slot = &large->regular[number];
        if (quire_load_relaxed(&slot->word))
            continue;
        slot->block = block;
        quire_store_relaxed(&slot->asked, pages_for(block->asked));
        quire_store_relaxed(&slot->is_grown, block->is_grown);
        quire_store_relaxed(&slot->room, block->size >> QUIRE_PAGE_SHIFT);
        block->regular = (uint8_t)(number + 1);
        large->regular_bytes += block->size;
        large->regulars |= (uint64_t)1 << number;
        quire_store_relaxed(&large->nr_regulars, large->nr_regulars + 1);
        quire_store_release(&slot->word, (uintptr_t)block->at);
        return;
    }
}

/* Whose word is 0 already. */
static void clear(struct quire_heap *heap, struct regular *slot)
{
    struct large_blocks *large = &heap->large;
    struct large *block = slot->block;
    large_recount(heap, block, quire_load_relaxed(&slot->asked) << QUIRE_PAGE_SHIFT);
    large->regular_bytes -= block->size;
    large->regulars &= ~((uint64_t)1 << (block->regular - 1));
    quire_store_relaxed(&large->nr_regulars, large->nr_regulars - 1);
    block->regular = 0;
    large_count_reuse(heap, block->size, quire_load_relaxed(&slot->nr_taken));
    quire_store_relaxed(&slot->nr_taken, 0);
}

bool regular_is_free(struct quire_heap *heap, const struct large *block)
{
    const struct regular *slot = slot_of(heap, block);
    return slot && quire_load_relaxed(&slot->word) & FREE;
}

bool regular_leave(struct quire_heap *heap, struct large *block)
{
    struct regular *slot = slot_of(heap, block);
    if (!slot)
        return true;
    uintptr_t word = quire_load_relaxed(&slot->word);
    if (word & FREE || !change(slot, word, 0))
        return false;
    clear(heap, slot);
    return true;
}

size_t regular_size(struct quire_heap *heap, const struct large *block)
{
    const struct regular *slot = slot_of(heap, block);
    return slot ? own_bytes(quire_load_relaxed(&slot->word), block) : block->size;
}

/* Takes a block that is free from its slot and the tree, if the slot's word is still that; NULL: it
 * isn't. */
static struct large *withdraw(struct quire_heap *heap, struct regular *slot, uintptr_t word)
{
    if (!(word & FREE) || !change(slot, word, 0))
        return NULL;
    clear(heap, slot);
    large_leave(heap, slot->block);
    return slot->block;
}

void regular_recall(struct quire_heap *heap, uint64_t now, struct list *spare)
{
    for (uint64_t left = heap->large.regulars; left; left &= left - 1) {
        struct regular *slot = &heap->large.regular[quire_ctz64(left)];
        struct large *block = withdraw(heap, slot, quire_load_relaxed(&slot->word));
        if (block)
            kept_add(heap, block, now, spare);
    }
}

void regular_take_idle(struct quire_heap *heap, uint64_t now, struct list *out)
{
    struct large_blocks *large = &heap->large;
    if (!large->regulars || now - large->looked_ns < heap_decay_ns(heap))
        return;
    large->looked_ns = now;
    for (uint64_t left = large->regulars; left; left &= left - 1) {
        struct regular *slot = &large->regular[quire_ctz64(left)];
        uintptr_t word = quire_load_relaxed(&slot->word);
        struct large *block = word & IDLE ? withdraw(heap, slot, word) : NULL;
        if (block) {
            large->allowance -= block->size < large->allowance ? block->size : large->allowance;
            list_add_tail(out, &block->link);
        } else if (word & (FREE | LENT)) {
            (void)change(slot, word, word | IDLE);
        }
    }
}

/* ---- loans end: large.lock is held ----------------------------------------------------------- */

static bool is_meant(const struct regular *slot, struct regular_filter which)
{
    uintptr_t word = quire_load_relaxed(&slot->word);
    return word & LENT && !(word & FREE) && (!which.idle || word & IDLE) &&
           (!which.at || which.at == slot->block->at);
}

bool regular_loans_are_due(struct quire_heap *heap, uint64_t now)
{
    return heap->large.regulars && now - heap->large.looked_ns >= heap_decay_ns(heap) &&
           regular_nr_lent(heap, (struct regular_filter){.idle = true});
}

unsigned regular_nr_lent(struct quire_heap *heap, struct regular_filter which)
{
    unsigned count = 0;
    for (uint64_t left = heap->large.regulars; left; left &= left - 1)
        count += is_meant(&heap->large.regular[quire_ctz64(left)], which);
    return count;
}

static void end_loan(struct quire_heap *heap, struct regular *slot, uint64_t now,
                     struct list *records, struct list *spare)
{
    struct large *block = slot->block, *rest = kept_of(records->next);
    uintptr_t word = quire_load_relaxed(&slot->word);
    size_t own = own_bytes(word, block);
    if (!(word & LENT) || word & FREE || own == block->size || !change(slot, word, 0))
        return;
    clear(heap, slot);
    list_del(&rest->link);
    *rest = (struct large){.at = block->at + own, .size = block->size - own};
    block->size = own;
    kept_add(heap, rest, now, spare);
}

void regular_end_loans(struct quire_heap *heap, struct regular_filter which, uint64_t now,
                       struct list *records, struct list *spare)
{
    for (uint64_t left = heap->large.regulars; left && !list_empty(records); left &= left - 1) {
        struct regular *slot = &heap->large.regular[quire_ctz64(left)];
        if (is_meant(slot, which))
            end_loan(heap, slot, now, records, spare);
    }
}

/* ---- counts ---------------------------------------------------------------------------------- */

unsigned long regular_nr_taken(struct quire_heap *heap, unsigned number)
{
    unsigned long taken = 0;
    for (unsigned i = 0; i < NR_REGULARS; i++) {
        const struct regular *slot = &heap->large.regular[i];
        size_t size = quire_load_relaxed(&slot->room) << QUIRE_PAGE_SHIFT;
        if (large_number(size) == number)
            taken += quire_load_relaxed(&slot->nr_taken);
    }
    return taken;
}

struct regular_counts regular_count(struct quire_heap *heap)
{
    struct regular_counts counts = {0};
    for (uint64_t left = heap->large.regulars; left; left &= left - 1) {
        struct regular *slot = &heap->large.regular[quire_ctz64(left)];
        large_recount(heap, slot->block, quire_load_relaxed(&slot->asked) << QUIRE_PAGE_SHIFT);
        uintptr_t word = quire_load_relaxed(&slot->word);
        if (!(word & FREE)) {
            counts.lent += slot->block->size - own_bytes(word, slot->block);
            continue;
        }
        counts.asked += slot->block->asked;
        counts.room += slot->block->size;
        counts.blocks++;
        counts.mapped += slot->block->is_mapped ? slot->block->asked : 0;
        counts.mapped_blocks += slot->block->is_mapped;
    }
    return counts;
}

bool regular_free_part(struct quire_heap *heap, unsigned number, struct large_part *part)
{
    const struct regular *slot = &heap->large.regular[number];
    if (!(heap->large.regulars >> number & 1))
        return false;
    const struct large *block = slot->block;
    uintptr_t word = quire_load_relaxed(&slot->word);
    size_t own = word & FREE ? 0 : own_bytes(word, block);
    if (own >= block->size)
        return false;
    *part = (struct large_part){block->at + own, block->size - own, own};
    return true;
}

void regular_check(struct quire_heap *heap)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < NR_REGULARS; i++) {
        const struct regular *slot = &heap->large.regular[i];
        bool is_one = heap->large.regulars >> i & 1;
        QUIRE_BUG_ON(is_one != !!slot->word);
        if (!is_one)
            continue;
        QUIRE_BUG_ON(slot->block->at != (char *)(slot->word & ~(uintptr_t)STATE));
        QUIRE_BUG_ON(slot->block->regular != i + 1);
        QUIRE_BUG_ON(slot->block->size != slot->room << QUIRE_PAGE_SHIFT);
        bytes += slot->block->size;
    }
    QUIRE_BUG_ON(bytes != heap->large.regular_bytes);
}
