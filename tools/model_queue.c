/* tools/model_queue.c: FIFO and CLOCK, exactly, for up to 64 sizes of memory in one pass
 *
 * Both keep a circle of frames for each size, and a hand where the next page goes.
 *
 *     FIFO    evicts the page under the hand and moves on
 *     CLOCK   (Corbato 1968) each page has a reference bit, which every reference sets, also the
 *             one that brought it in. The hand clears bits that are set and moves on, until one
 *             is clear; that page is evicted, and the hand moves past the new one
 *
 * The sizes share what is kept for a page: three words with a bit for each size. A visit to a page
 * that all sizes hold, which nearly all are, reads one word and sets one.
 *
 *     invariant   bit s of `resident` is set when circle s holds the page; `dirty` has no bit that
 *                 `resident` doesn't have. `referenced` means nothing where `resident` is clear
 *     bound       24 bytes a page, 4 bytes a frame that was ever taken. A miss costs CLOCK O(1)
 *                 amortised: every bit it clears was set by a visit
 */
#include <stdlib.h>

#include "base/compiler.h"
#include "model.h"

#define MOST_SIZES 64u

struct queue_page {
    uint64_t resident, referenced, dirty;
};

struct circle {
    uint64_t frames;
    uint32_t *page; /* by frame */
    size_t capacity;
    uint64_t used, hand;
    uint64_t misses, write_backs;
};

struct queue {
    bool second_chance;
    unsigned nr_sizes;
    uint64_t all; /* a bit for each size */
    struct queue_page *page;
    size_t capacity;
    uint32_t nr_pages;
    struct circle circle[MOST_SIZES];
};

static void free_queue(void *state)
{
    struct queue *queue = state;
    for (unsigned s = 0; s < queue->nr_sizes; s++)
        free(queue->circle[s].page);
    free(queue->page);
    free(queue);
}

static void *begin(const uint64_t *frames, unsigned nr_sizes, bool second_chance)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return NULL;
    queue->second_chance = second_chance;
    queue->nr_sizes = nr_sizes;
    queue->all = UINT64_MAX >> (MOST_SIZES - nr_sizes);
    for (unsigned s = 0; s < nr_sizes; s++)
        queue->circle[s].frames = frames[s];
    return queue;
}

static void *begin_fifo(const uint64_t *frames, unsigned nr_sizes, unsigned page_shift)
{
    (void)page_shift;
    return begin(frames, nr_sizes, false);
}

static void *begin_clock(const uint64_t *frames, unsigned nr_sizes, unsigned page_shift)
{
    (void)page_shift;
    return begin(frames, nr_sizes, true);
}

/* Evicts a page of a circle that is full; its frame. */
static uint64_t evict(struct queue *queue, struct circle *circle, uint64_t bit)
{
    struct queue_page *page = &queue->page[circle->page[circle->hand]];
    while (queue->second_chance && page->referenced & bit) {
        page->referenced &= ~bit;
        circle->hand = circle->hand + 1 == circle->frames ? 0 : circle->hand + 1;
        page = &queue->page[circle->page[circle->hand]];
    }
    page->resident &= ~bit;
    circle->write_backs += !!(page->dirty & bit);
    page->dirty &= ~bit;
    uint64_t frame = circle->hand;
    circle->hand = circle->hand + 1 == circle->frames ? 0 : circle->hand + 1;
    return frame;
}

/* Brings the page in where it is missing. False: no memory. */
static QUIRE_NOINLINE bool miss(struct queue *queue, uint32_t id, uint64_t missing)
{
    for (; missing; missing &= missing - 1) {
        struct circle *circle = &queue->circle[__builtin_ctzll(missing)];
        uint64_t frame;
        circle->misses++;
        if (circle->used < circle->frames) {
            if (!model_reserve((void **)&circle->page, &circle->capacity, (size_t)circle->used + 1,
                               sizeof *circle->page))
                return false;
            frame = circle->used++;
        } else {
            frame = evict(queue, circle, missing & (0 - missing));
        }
        circle->page[frame] = id;
    }
    queue->page[id].resident = queue->all;
    return true;
}

/* Each circle holds the pages that say so, once. */
static bool is_valid(const void *state)
{
    const struct queue *queue = state;
    for (unsigned s = 0; s < queue->nr_sizes; s++) {
        const struct circle *circle = &queue->circle[s];
        uint64_t held = 0;
        for (uint32_t id = 0; id < queue->nr_pages; id++) {
            held += queue->page[id].resident >> s & 1;
            if (queue->page[id].dirty & ~queue->page[id].resident)
                return false;
        }
        for (uint64_t f = 0; f < circle->used; f++)
            if (!(queue->page[circle->page[f]].resident >> s & 1))
                return false;
        if (held != circle->used || circle->used > circle->frames)
            return false;
    }
    return true;
}

static bool references(void *state, const struct replay_batch *batch)
{
    struct queue *queue = state;
    uint64_t all = queue->all;
    if (!model_reserve((void **)&queue->page, &queue->capacity, batch->nr_pages,
                       sizeof *queue->page))
        return false;
    queue->nr_pages = batch->nr_pages;
    for (size_t i = 0; i < batch->nr_visits; i++) {
        uint32_t visit = batch->visit[i];
        struct queue_page *page = &queue->page[visit >> 1];
        uint64_t missing = all & ~page->resident;
        if (quire_unlikely(missing) && !miss(queue, visit >> 1, missing))
            return false;
        page->referenced = all;
        page->dirty |= all & (0 - (uint64_t)(visit & VISIT_WRITES));
    }
    return true;
}

static bool end(void *state, struct replay_counts *counts)
{
    const struct queue *queue = state;
    for (unsigned s = 0; s < queue->nr_sizes; s++) {
        const struct circle *circle = &queue->circle[s];
        model_count(&counts[s], circle->frames, queue->nr_pages, circle->misses,
                    circle->write_backs);
    }
    return true;
}

const struct replay_engine model_fifo = {
    .sizes = MOST_SIZES,
    .begin = begin_fifo,
    .references = references,
    .is_valid = is_valid,
    .end = end,
    .free = free_queue,
};

const struct replay_engine model_clock = {
    .sizes = MOST_SIZES,
    .begin = begin_clock,
    .references = references,
    .is_valid = is_valid,
    .end = end,
    .free = free_queue,
};
