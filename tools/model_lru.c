/* tools/model_lru.c: LRU, exactly, for all sizes of memory in one pass
 *
 * Mattson, Gecsei, Slutz and Traiger, "Evaluation techniques for storage hierarchies" (1970): put
 * pages on a stack, the last one used on top. A memory of C frames under LRU holds the C topmost.
 * So a visit hits in all sizes from the page's depth on (its stack distance), and counting visits
 * by distance counts the misses of every size.
 *
 * Write-backs (Thompson and Smith, 1989): a page that was written to is dirty in every size from 1
 * on. When it comes back from depth d it had been evicted from the sizes below d, which have
 * written it back, and is dirty in those from d on. So one number says where a page is dirty.
 *
 * The depth of a page among the TOP last used ones is found by looking; that is where nearly all
 * visits go. The others stand in the order in which they left the top, in slots of a Fenwick tree
 * (1994), whose sums count those in front of a slot. When the slots run out, the pages are moved
 * together.
 *
 *     invariant   page[id].slot is 0 for pages in `top`, which is full when there are others;
 *                 by_slot[slot] is the page there, or NONE
 *     bound       a visit O(TOP) or O(log pages); 80 bytes a page at most
 */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "model.h"

#define TOP 16u
#define NONE UINT32_MAX
#define FIRST_SLOTS 1024u
#define CLEAN UINT32_MAX

struct lru_page {
    uint32_t slot;
    uint32_t dirty_from; /* frames; CLEAN: nowhere */
};

/* By stack distance, or by frames. */
struct lru_counts {
    uint64_t visits;
    int64_t write_backs; /* a difference: so many more than with one frame less */
};

struct lru {
    unsigned nr_sizes;
    uint64_t *frames;
    uint32_t top[TOP];
    uint32_t nr_top;
    uint32_t nr_pages, nr_deep;
    struct lru_page *page;
    size_t page_capacity;
    struct lru_counts *count;
    size_t count_capacity;
    /* The tree: slots 1 to nr_slots, of which those below `next` are or were taken. */
    uint32_t nr_slots, next;
    uint32_t *sum, *by_slot;
};

static void free_lru(void *state)
{
    struct lru *lru = state;
    free(lru->frames);
    free(lru->page);
    free(lru->count);
    free(lru->sum);
    free(lru->by_slot);
    free(lru);
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void add(struct lru *lru, uint32_t slot, uint32_t difference)
{
    for (; slot <= lru->nr_slots; slot += slot & (0 - slot))
        lru->sum[slot] += difference;
}

/* Pages in slots up to this one. */
static uint32_t count_up_to(const struct lru *lru, uint32_t slot)
{
    uint32_t count = 0;
    for (; slot; slot -= slot & (0 - slot))
        count += lru->sum[slot];
    return count;
}

/* Moves the pages together, into slots of which at most half are taken. False: no memory. */
static bool renumber(struct lru *lru)
{
    uint32_t nr_slots = FIRST_SLOTS;
    while (nr_slots / 2 < lru->nr_deep)
        nr_slots *= 2;
    uint32_t *sum = calloc(nr_slots + 1ul, sizeof *sum);
    uint32_t *by_slot = malloc((nr_slots + 1ul) * sizeof *by_slot);
    if (!sum || !by_slot) {
        free(sum);
        free(by_slot);
        return false;
    }
    uint32_t next = 1;
    for (uint32_t slot = 1; slot < lru->next; slot++)
        if (lru->by_slot[slot] != NONE) {
            by_slot[next] = lru->by_slot[slot];
            lru->page[by_slot[next]].slot = next;
            sum[next++] = 1;
        }
    for (uint32_t slot = 1; slot <= nr_slots; slot++) {
        uint32_t parent = slot + (slot & (0 - slot));
        if (parent <= nr_slots)
            sum[parent] += sum[slot];
    }
    free(lru->sum);
    free(lru->by_slot);
    lru->sum = sum;
    lru->by_slot = by_slot;
    lru->nr_slots = nr_slots;
    lru->next = next;
    return true;
}

/* ---- the stack ------------------------------------------------------------------------------- */

/* Puts a page that is nowhere on top; the last of the top goes into the tree. False: no memory. */
static bool push(struct lru *lru, uint32_t id)
{
    if (lru->nr_top == TOP) {
        if (lru->next > lru->nr_slots && !renumber(lru))
            return false;
        uint32_t last = lru->top[TOP - 1];
        lru->page[last].slot = lru->next;
        lru->by_slot[lru->next] = last;
        add(lru, lru->next++, 1);
        lru->nr_deep++;
        lru->nr_top--;
    }
    memmove(lru->top + 1, lru->top, lru->nr_top * sizeof *lru->top);
    lru->top[0] = id;
    lru->nr_top++;
    lru->page[id].slot = 0;
    return true;
}

/* Takes the page out of the tree; its depth. */
static uint32_t pull(struct lru *lru, uint32_t id)
{
    uint32_t slot = lru->page[id].slot;
    uint32_t depth = TOP + lru->nr_deep - count_up_to(lru, slot) + 1;
    add(lru, slot, UINT32_MAX); /* -1 */
    lru->by_slot[slot] = NONE;
    lru->nr_deep--;
    return depth;
}

/* Moves a page of the top to its front; its depth. */
static uint32_t raise(struct lru *lru, uint32_t id)
{
    uint32_t before = lru->top[0], depth = 0;
    while (before != id) {
        uint32_t here = lru->top[++depth];
        lru->top[depth] = before;
        before = here;
    }
    lru->top[0] = id;
    return depth + 1;
}

/* The page had sunk to this depth: sizes below have evicted it. */
static void sunk(struct lru *lru, struct lru_page *page, uint32_t depth)
{
    if (page->dirty_from < depth) {
        lru->count[page->dirty_from].write_backs++;
        lru->count[depth].write_backs--;
        page->dirty_from = depth;
    }
}

static bool visit_page(struct lru *lru, uint32_t id, bool writes)
{
    struct lru_page *page = &lru->page[id];
    if (id < lru->nr_pages) {
        uint32_t depth;
        if (quire_likely(!page->slot)) {
            depth = raise(lru, id);
        } else {
            depth = pull(lru, id);
            if (!push(lru, id))
                return false;
        }
        lru->count[depth].visits++;
        sunk(lru, page, depth);
    } else {
        lru->nr_pages++;
        page->dirty_from = CLEAN;
        if (!push(lru, id))
            return false;
    }
    if (writes)
        page->dirty_from = 1;
    return true;
}

/* ---- the engine ------------------------------------------------------------------------------ */

static void *begin(const uint64_t *frames, unsigned nr_sizes, unsigned page_shift)
{
    struct lru *lru = calloc(1, sizeof *lru);
    (void)page_shift;
    if (!lru)
        return NULL;
    lru->frames = malloc(nr_sizes * sizeof *frames);
    lru->nr_sizes = nr_sizes;
    if (lru->frames && renumber(lru)) {
        memcpy(lru->frames, frames, nr_sizes * sizeof *frames);
        return lru;
    }
    free_lru(lru);
    return NULL;
}

/* Every page is once on the stack, and the tree counts those that aren't in the top. */
static bool is_valid(const void *state)
{
    const struct lru *lru = state;
    uint32_t deep = 0;
    for (uint32_t i = 0; i < lru->nr_top; i++)
        if (lru->page[lru->top[i]].slot)
            return false;
    for (uint32_t slot = 1; slot < lru->next; slot++) {
        uint32_t id = lru->by_slot[slot];
        deep += id != NONE;
        if ((id != NONE && lru->page[id].slot != slot) || count_up_to(lru, slot) != deep)
            return false;
    }
    return deep == lru->nr_deep && deep + lru->nr_top == lru->nr_pages &&
           (!deep || lru->nr_top == TOP);
}

static bool references(void *state, const struct replay_batch *batch)
{
    struct lru *lru = state;
    /* Depths go from 1 to the number of pages. */
    if (!model_reserve((void **)&lru->page, &lru->page_capacity, batch->nr_pages,
                       sizeof *lru->page) ||
        !model_reserve((void **)&lru->count, &lru->count_capacity, batch->nr_pages + 1ul,
                       sizeof *lru->count))
        return false;
    for (size_t i = 0; i < batch->nr_visits; i++)
        if (!visit_page(lru, batch->visit[i] >> 1, batch->visit[i] & VISIT_WRITES))
            return false;
    return true;
}

/* Every page has sunk to where it stands. */
static void sink_all(struct lru *lru)
{
    uint32_t depth = 1;
    for (uint32_t i = 0; i < lru->nr_top; i++)
        sunk(lru, &lru->page[lru->top[i]], depth++);
    for (uint32_t slot = lru->next; --slot;)
        if (lru->by_slot[slot] != NONE)
            sunk(lru, &lru->page[lru->by_slot[slot]], depth++);
}

static bool end(void *state, struct replay_counts *counts)
{
    struct lru *lru = state;
    uint64_t misses = lru->nr_pages;
    int64_t write_backs = 0;
    unsigned s = 0;
    sink_all(lru);
    for (uint32_t depth = 1; depth <= lru->nr_pages; depth++)
        misses += lru->count[depth].visits;
    /* Memories in which everything has room are as one of so many frames as there are pages. */
    for (uint64_t frames = 1; s < lru->nr_sizes; frames++) {
        if (frames <= lru->nr_pages) {
            misses -= lru->count[frames].visits;
            write_backs += lru->count[frames].write_backs;
        }
        for (; s < lru->nr_sizes && (lru->frames[s] == frames || frames > lru->nr_pages); s++)
            model_count(&counts[s], lru->frames[s], lru->nr_pages, misses, (uint64_t)write_backs);
    }
    return true;
}

const struct replay_engine model_lru = {
    .sizes = UINT32_MAX,
    .begin = begin,
    .references = references,
    .is_valid = is_valid,
    .end = end,
    .free = free_lru,
};
