/* map/visit.c: looking at what is mapped
 *
 * Entries are handed on in runs, so that a call, and the way down the tree, is paid for by many
 * pages. A hole is remembered until an entry or the end of the range follows it.
 */
#include "map/table.h"

struct visit {
    struct run run;
    bool not_present;    /* entries that aren't present are told too */
    quire_linear_t hole; /* where the hole begins that ends at the next entry */
    quire_pt_visit_fn *visit;
    void *arg;
};

struct quire_pt_run run_told(const struct run *run)
{
    return (struct quire_pt_run){
        .virt = linear_of(run->pt, run->at),
        .size = (uint64_t)run->count << run->pt->step[run->height].shift,
        .level = step_level(run->pt, run->height),
        .count = run->count,
        .entry = run->entry,
    };
}

static int tell_hole(const struct visit *v, quire_linear_t end)
{
    struct quire_pt_run run = {.virt = linear_of(v->run.pt, v->hole), .size = end - v->hole};
    return v->hole < end ? v->visit(v->arg, &run) : 0;
}

static int tell_run(struct visit *v)
{
    struct quire_pt_run run = run_told(&v->run);
    if (!v->run.count)
        return 0;
    quire_linear_t end = v->run.at + (quire_linear_t)run.size;
    v->hole = end > v->run.at ? end : (quire_linear_t)-1; /* nothing is behind the last address */
    v->run.count = 0;
    return v->visit(v->arg, &run);
}

/* An entry at `at`, the beginning of what it covers. */
static int visit_entry(struct visit *v, unsigned height, quire_linear_t at, uint64_t entry)
{
    if (!run_continues(&v->run, height, at)) {
        int stop = tell_run(v);
        if (!stop)
            stop = tell_hole(v, at);
        if (stop)
            return stop;
    }
    run_append(&v->run, height, at, entry);
    return 0;
}

/* Whether an entry is one to tell. */
static bool is_told(const struct visit *v, uint64_t entry)
{
    return entry_is_present(entry) || (entry && v->not_present);
}

/* Entries that follow each other are copied in a loop of their own. */
static QUIRE_ALWAYS_INLINE int visit_pages(struct visit *v, const void *table, quire_linear_t at,
                                           quire_linear_t end, const bool wide)
{
    unsigned first = step_index(v->run.pt, 0, at), i = first;
    const unsigned end_index = first + (unsigned)((end - at) >> PT_SHIFT);
    while (i < end_index) {
        uint64_t entry = entry_load(table, i, wide);
        if (!is_told(v, entry)) {
            i = entry_skip_zeros(table, i + 1, end_index, wide);
            continue;
        }
        int stop = visit_entry(v, 0, at + (i - first) * PT_PAGE_BYTES, entry);
        if (stop)
            return stop;
        unsigned count = v->run.count;
        while (++i < end_index && count < QUIRE_PT_RUN_ENTRIES &&
               is_told(v, entry = entry_load(table, i, wide)))
            v->run.entry[count++] = entry;
        v->run.count = count;
    }
    return 0;
}

static int visit_table(struct visit *v, unsigned height, const void *table, quire_linear_t at,
                       quire_linear_t end)
{
    const struct quire_pgtable *pt = v->run.pt;
    int stop = 0;
    if (!height)
        return pt->wide ? visit_pages(v, table, at, end, true)
                        : visit_pages(v, table, at, end, false);
    for (quire_linear_t next; at < end && !stop; at = next) {
        uint64_t entry = load(pt, table, step_index(pt, height, at));
        next = step_next(pt, height, at, end);
        if (leads_to_table(pt, height, entry))
            stop = visit_table(v, height - 1, table_of(pt, entry), at, next);
        else if (is_told(v, entry))
            stop = visit_entry(v, height, at & ~(step_bytes(pt, height) - 1), entry);
    }
    return stop;
}

int quire_visit_range(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size,
                      unsigned flags, quire_pt_visit_fn *visit, void *arg)
{
    struct visit v;
    quire_linear_t at, end;
    int stop = strip_range(pt, virt, size, PT_PAGE_BYTES, &at, &end);
    if (stop || flags & ~QUIRE_VISIT_NOT_PRESENT)
        return -QUIRE_EINVAL;
    v.run.pt = pt;
    v.run.height = v.run.count = 0;
    v.not_present = flags & QUIRE_VISIT_NOT_PRESENT;
    v.hole = at;
    v.visit = visit;
    v.arg = arg;
    unsigned height;
    const void *table = table_for(pt, at, end, &height);
    stop = visit_table(&v, height, table, at, end);
    if (!stop)
        stop = tell_run(&v);
    return stop ? stop : tell_hole(&v, end);
}

/* Stripped; `end`: there is none in the table. */
static quire_linear_t next_in_table(const struct quire_pgtable *pt, unsigned height,
                                    const void *table, quire_linear_t at, quire_linear_t end)
{
    while (at < end) {
        unsigned index = step_index(pt, height, at);
        quire_linear_t first = at & ~(step_bytes(pt, height) - 1);
        unsigned end_index = index + (unsigned)((end - 1 - first) >> pt->step[height].shift) + 1;
        unsigned found = skip_zeros(pt, table, index, end_index);
        if (found == end_index) /* where the last one ends may be no address any more */
            return end;
        if (found != index)
            at = first + ((quire_linear_t)(found - index) << pt->step[height].shift);
        if (at >= end)
            return end;
        uint64_t entry = load(pt, table, found);
        if (!entry)
            continue; /* it went */
        if (!height || !leads_to_table(pt, height, entry))
            return at;
        quire_linear_t next = step_next(pt, height, at, end);
        at = next_in_table(pt, height - 1, table_of(pt, entry), at, next);
        if (at < next)
            return at;
    }
    return end;
}

quire_linear_t quire_next_entry(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size)
{
    quire_linear_t at, end;
    unsigned height;
    if (strip_range(pt, virt, size, PT_PAGE_BYTES, &at, &end))
        return virt + size;
    const void *table = table_for(pt, at, end, &height);
    return virt + (next_in_table(pt, height, table, at, end) - at);
}

int quire_query(const struct quire_pgtable *pt, quire_linear_t virt, struct quire_pt_query *query)
{
    quire_linear_t at;
    uint64_t entry;
    if (!strip(pt, virt, &at))
        return -QUIRE_EINVAL;
    unsigned height = pt->height - 1u, index = step_index(pt, height, at);
    const void *table = root_of(pt);
    while (entry = load(pt, table, index), leads_to_table(pt, height, entry)) {
        table = table_of(pt, entry);
        height--;
        index = step_index(pt, height, at);
    }
    bool present = entry_is_present(entry);
    *query = (struct quire_pt_query){
        .entry = entry,
        .where = quire_port_virt_to_phys(pt->port, table) + index * pt->format->entry_bytes,
        .level = step_level(pt, height),
    };
    if (present)
        query->phys = quire_pt_leaf_phys(pt->format, query->level, entry) |
                      (at & (step_bytes(pt, height) - 1));
    return present ? 0 : -QUIRE_ENOENT;
}
