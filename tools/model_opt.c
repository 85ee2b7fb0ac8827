/* tools/model_opt.c: Belady's optimum, exactly, in one pass and without looking ahead
 *
 * OPT evicts the page whose next reference is farthest away (Belady 1966). A trace that streams has
 * no future, but which pages OPT had kept can be told once they come back, which is enough to count
 * (Belady and Palermo, "On-line measurement of paging behavior by the multivalued MIN algorithm",
 * 1974). Number the visits 1, 2, ... A page visited at s and next at t is in memory at t if it was
 * kept during all visits between, each of which takes a frame for its own page: so if at most C - 1
 * pages are kept during each of them. OPT prefers the page that comes back first, so by going
 * through intervals (s, t) in the order of their ends, and keeping each one that still fits, one
 * keeps exactly those that OPT keeps. (This is also why no policy does better: it is the greedy
 * algorithm for as many intervals as possible on C - 1 machines; Carlisle and Lloyd, "On the
 * k-coloring of intervals", 1995.)
 *
 * So let o(v) be the number of pages kept during visit v. When a page visited at s comes at t, it
 * is a hit if all o(v), s < v < t, are below C - 1, and then each of them is one more. Since t is
 * always now, intervals are suffixes of the visits so far, so that nearly all can be forgotten:
 *
 *   - A visit with o(v) = C - 1 is full for good: pages last visited before it are lost, and what
 *     was before it doesn't matter.
 *   - A visit v with a later one w of o(w) >= o(v) doesn't matter either: what covers v covers w.
 *
 * What is left are groups of visits with o(1st) > o(2nd) > ... > o(last) >= 0, at most C and at
 * most as many as pages. Each keeps how much more it has than the next (`excess`). A hit of a page
 * in group g adds 1 to g and all behind it, so it takes 1 from the excess of the group before g,
 * and when that becomes 0 the two merge; and it adds 1 to the excess of the last. A group becomes
 * full only as the first. Pages find their group by union-find with path halving; when its nodes
 * run out, they are numbered anew.
 *
 *     invariant   every page but the last one visited has a node; that of a lost page leads to
 *                 LOST. A group's root node has its data; excess is 0 only in the last group
 *     bound       O(log pages) amortised a visit, near O(1) in practice; 16 bytes a page, and 16 a
 *                 node, of which there are at most 4 a page and 1024
 *
 * Write-backs follow from which pages are kept, but for a tie: pages that never come back. Here,
 * the one of them that was used last longest ago goes first, so those in memory at the end are
 * those used last.
 */
#include <stdlib.h>

#include "base/compiler.h"
#include "model.h"

#define LOST 0u /* the node of pages that aren't in memory; as a link: no group */
#define NOBODY UINT32_MAX

struct opt_page {
    uint64_t last_visit;
    uint32_t node;
    bool dirty;
};

struct group {
    uint32_t parent; /* itself: a root */
    uint32_t excess;
    uint32_t before, after; /* groups of earlier and later visits; LOST: none */
};

struct opt {
    uint64_t frames, misses, write_backs, visits;
    struct opt_page *page;
    size_t page_capacity;
    uint32_t nr_pages;
    uint32_t pending; /* the page of the last visit, or NOBODY: its interval is empty so far */
    struct group *group;
    uint32_t nr_nodes, next_node; /* node 0 is LOST */
    uint32_t first, last;         /* groups; LOST: none */
    uint64_t most;                /* o of the first group's visits */
};

static void free_opt(void *state)
{
    struct opt *opt = state;
    free(opt->page);
    free(opt->group);
    free(opt);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static uint32_t find(struct opt *opt, uint32_t node)
{
    struct group *group = opt->group;
    while (group[node].parent != node) {
        group[node].parent = group[group[node].parent].parent;
        node = group[node].parent;
    }
    return node;
}

/* Gives every group a new node, from 1 on, and every page that of its group. False: no memory. */
static bool renumber(struct opt *opt)
{
    uint32_t nr_groups = 0;
    for (uint32_t g = opt->first; g; g = opt->group[g].after)
        nr_groups++;
    /* As many visits as there are pages can follow before it happens again. */
    uint64_t wanted = 1024 + 2 * ((uint64_t)nr_groups + opt->nr_pages);
    uint32_t nr_nodes = wanted < UINT32_MAX ? (uint32_t)wanted : UINT32_MAX;
    struct group *group = malloc(nr_nodes * sizeof *group);
    if (!group || nr_nodes <= nr_groups + 1) {
        free(group);
        return false;
    }
    for (uint32_t id = 0; id < opt->nr_pages; id++)
        if (id != opt->pending)
            opt->page[id].node = find(opt, opt->page[id].node);
    uint32_t next = 1;
    group[LOST] = (struct group){.parent = LOST};
    for (uint32_t g = opt->first; g; g = opt->group[g].after, next++) {
        group[next] = (struct group){next, opt->group[g].excess, next - 1, next + 1};
        opt->group[g].parent = next; /* the new one's */
    }
    if (next > 1)
        group[next - 1].after = LOST;
    for (uint32_t id = 0; id < opt->nr_pages; id++)
        if (id != opt->pending)
            opt->page[id].node = opt->group[opt->page[id].node].parent;
    opt->first = next > 1 ? 1 : LOST;
    opt->last = next - 1;
    free(opt->group);
    opt->group = group;
    opt->nr_nodes = nr_nodes;
    opt->next_node = next;
    return true;
}

/* Merges the group with the one behind it, whose visits have as many pages kept. */
static void merge(struct opt *opt, uint32_t g)
{
    struct group *group = opt->group;
    uint32_t before = group[g].before, after = group[g].after;
    group[g].parent = after;
    group[after].before = before;
    if (before)
        group[before].after = after;
    else
        opt->first = after;
}

/* A page is kept during the visits of this group and all behind it. */
static void keep(struct opt *opt, uint32_t g)
{
    uint32_t before = opt->group[g].before;
    if (!before)
        opt->most++;
    else if (!--opt->group[before].excess)
        merge(opt, before);
    opt->group[opt->last].excess++;
}

/* Adds the visit that is now, during which nobody is kept so far, and gives the page of the one
 * before it its place in front of it. False: no memory. */
static bool add_visit(struct opt *opt)
{
    if (!opt->last || opt->group[opt->last].excess) {
        if (opt->next_node == opt->nr_nodes && !renumber(opt))
            return false;
        uint32_t g = opt->next_node++;
        opt->group[g] = (struct group){.parent = g, .before = opt->last};
        if (opt->last)
            opt->group[opt->last].after = g;
        else
            opt->first = g;
        opt->last = g;
    }
    opt->page[opt->pending].node = opt->last;
    return true;
}

/* Forgets the first group when its visits are full. */
static void forget_full(struct opt *opt)
{
    struct group *group = opt->group;
    uint32_t first = opt->first;
    if (opt->most + 1 < opt->frames)
        return;
    opt->most -= group[first].excess;
    opt->first = group[first].after;
    if (opt->first)
        group[opt->first].before = LOST;
    else
        opt->last = LOST;
    group[first].parent = LOST;
}

/* ---- the engine ------------------------------------------------------------------------------ */

static bool visit_page(struct opt *opt, uint32_t id, bool writes)
{
    struct opt_page *page = &opt->page[id];
    uint32_t g = LOST;
    if (id < opt->nr_pages)
        g = find(opt, page->node);
    else
        opt->nr_pages++;
    if (g) {
        keep(opt, g);
    } else {
        opt->misses++;
        opt->write_backs += page->dirty;
        page->dirty = false;
    }
    if (opt->pending != NOBODY) {
        if (!add_visit(opt))
            return false;
        forget_full(opt);
    }
    opt->pending = id;
    page->last_visit = ++opt->visits;
    page->dirty |= writes;
    return true;
}

static void *begin(const uint64_t *frames, unsigned nr_sizes, unsigned page_shift)
{
    struct opt *opt = calloc(1, sizeof *opt);
    (void)page_shift, (void)nr_sizes;
    if (!opt)
        return NULL;
    opt->frames = frames[0];
    opt->pending = NOBODY;
    if (renumber(opt))
        return opt;
    free_opt(opt);
    return NULL;
}

/* Groups in a row, each with more than the next; pages in one of them or lost. */
static bool is_valid(const void *state)
{
    const struct opt *opt = state;
    uint64_t sum = 0, count = 0;
    uint32_t before = LOST;
    for (uint32_t g = opt->first; g; before = g, g = opt->group[g].after, count++) {
        const struct group *group = &opt->group[g];
        if (g >= opt->next_node || group->parent != g || group->before != before ||
            (!group->excess && group->after))
            return false;
        sum += group->excess;
    }
    for (uint32_t id = 0; id < opt->nr_pages; id++)
        if (id != opt->pending && opt->page[id].node >= opt->next_node)
            return false;
    return before == opt->last && sum == opt->most && count <= opt->frames &&
           count <= opt->nr_pages && (!opt->most || opt->most + 1 < opt->frames);
}

static bool references(void *state, const struct replay_batch *batch)
{
    struct opt *opt = state;
    if (!model_reserve((void **)&opt->page, &opt->page_capacity, batch->nr_pages,
                       sizeof *opt->page))
        return false;
    for (size_t i = 0; i < batch->nr_visits; i++)
        if (!visit_page(opt, batch->visit[i] >> 1, batch->visit[i] & VISIT_WRITES))
            return false;
    return true;
}

static int by_last_visit(const void *a, const void *b)
{
    const struct opt_page *x = a, *y = b;
    return (x->last_visit > y->last_visit) - (x->last_visit < y->last_visit);
}

/* Pages are sorted, so nothing can follow. */
static bool end(void *state, struct replay_counts *counts)
{
    struct opt *opt = state;
    if (opt->nr_pages > opt->frames) {
        qsort(opt->page, opt->nr_pages, sizeof *opt->page, by_last_visit);
        for (uint64_t i = 0; i < opt->nr_pages - opt->frames; i++)
            opt->write_backs += opt->page[i].dirty;
    }
    model_count(counts, opt->frames, opt->nr_pages, opt->misses, opt->write_backs);
    return true;
}

const struct replay_engine model_opt = {
    .sizes = 1,
    .begin = begin,
    .references = references,
    .is_valid = is_valid,
    .end = end,
    .free = free_opt,
};
