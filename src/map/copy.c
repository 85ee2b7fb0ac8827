/* map/copy.c: fork: a range of one tree into another
 *
 * First a look at both trees side by side, table by table, that counts the tables which the copy
 * lacks and sees whether it is empty there; they are allocated, and then one walk does the rest. A
 * run of entries is taken from a table of the source, with bits cleared there that both sides lose;
 * told to the caller, who takes his references; and written to the copy.
 */
#include "map/table.h"

struct copying {
    struct quire_pgtable *to, *from;
    const struct quire_pt_copy *how;
    struct quire_tlb_batch *batch; /* the source's */
    unsigned height;               /* of the tables where the walk of both begins */
    void *from_table, *to_table;
    unsigned long missing;
    struct stock stock;
    struct run run;
};

/* The lowest tables that lead to all of [at, end) and are there in both trees. */
static QUIRE_ALWAYS_INLINE void find_tables_of_width(struct copying *c, quire_linear_t at,
                                                     quire_linear_t end, const bool wide)
{
    const struct quire_pgtable *pt = c->from;
    const struct quire_pt_step *step = &pt->step[pt->height - 1u];
    const quire_linear_t differs = at ^ (end - 1);
    void *from = root_of(c->from), *to = root_of(c->to);
    for (; step != pt->step && !(differs >> step->shift); step--) {
        unsigned index = (unsigned)(at >> step->shift) & step->index_mask;
        uint64_t source = entry_load(from, index, wide), copy = entry_load(to, index, wide);
        if ((source & step->table_mask) != QUIRE_PTE_PRESENT ||
            (copy & step->table_mask) != QUIRE_PTE_PRESENT)
            break;
        from = table_of(pt, source);
        to = table_of(pt, copy);
    }
    c->height = (unsigned)(step - pt->step);
    c->from_table = from;
    c->to_table = to;
}

static void find_tables(struct copying *c, quire_linear_t at, quire_linear_t end)
{
    if (c->from->wide)
        find_tables_of_width(c, at, end, true);
    else
        find_tables_of_width(c, at, end, false);
}

/* ---- looking --------------------------------------------------------------------------------- */

/* Whether a range of the copy has nothing but tables. */
static bool is_empty(const struct quire_pgtable *pt, unsigned height, const void *table,
                     quire_linear_t at, quire_linear_t end)
{
    if (!height)
        return entries_are_zero(pt, table, step_index(pt, 0, at),
                                (unsigned)((end - at) >> PT_SHIFT));
    for (quire_linear_t next; at < end; at = next) {
        uint64_t entry = load(pt, table, step_index(pt, height, at));
        next = step_next(pt, height, at, end);
        if (entry && (!leads_to_table(pt, height, entry) ||
                      !is_empty(pt, height - 1, table_of(pt, entry), at, next)))
            return false;
    }
    return true;
}

/* `to` is NULL where the copy has no table yet. 0 or -EEXIST. A table is in the way of a page of
 * the source, unless that will be split. */
static int look(struct copying *c, unsigned height, const void *from, const void *to,
                quire_linear_t at, quire_linear_t end)
{
    const struct quire_pgtable *pt = c->from;
    if (!height)
        return !to || is_empty(pt, 0, to, at, end) ? 0 : -QUIRE_EEXIST;
    for (quire_linear_t next; at < end; at = next) {
        unsigned index = step_index(pt, height, at);
        uint64_t source = load(pt, from, index), copy = to ? load(pt, to, index) : 0;
        next = step_next(pt, height, at, end);
        if (leads_to_table(pt, height, source)) {
            if (copy && !leads_to_table(pt, height, copy))
                return -QUIRE_EEXIST;
            c->missing += !copy;
            const void *below = copy ? table_of(pt, copy) : NULL;
            int error = look(c, height - 1, table_of(pt, source), below, at, next);
            if (error)
                return error;
        } else if (copy && ((source && next - at == step_bytes(pt, height)) ||
                            !leads_to_table(pt, height, copy) ||
                            !is_empty(pt, height - 1, table_of(pt, copy), at, next)))
            return -QUIRE_EEXIST;
    }
    return 0;
}

/* ---- copying --------------------------------------------------------------------------------- */

/* An entry of the source that was `entry`, after it has lost what both sides lose; *lost gathers
 * entries of which some of that was taken. The source's owner is the caller, so only hardware
 * changes it meanwhile: accessed and dirty bits that come too late for the copy stay the source's.
 */
static QUIRE_ALWAYS_INLINE uint64_t take_bits(void *table, unsigned index, uint64_t entry,
                                              uint64_t clear, uint64_t *lost, const bool wide)
{
    if (quire_likely(!wide || !(clear >> 32))) {
        if (entry_is_present(entry) && (uint32_t)entry & (uint32_t)clear) {
            entry_clear_bits(table, index, (uint32_t)clear, wide);
            *lost |= entry;
            return entry & ~clear;
        }
        return entry;
    }
    while (entry_is_present(entry) && entry & clear) {
        if (entry_compare_exchange(table, index, &entry, entry & ~clear, wide)) {
            *lost |= entry;
            return entry & ~clear;
        }
    }
    return entry;
}

/* Tells the run, and writes it to entries of the copy up to `end_index`. */
static QUIRE_ALWAYS_INLINE int write_run(struct copying *c, void *to, unsigned end_index,
                                         const bool wide)
{
    struct run *run = &c->run;
    struct quire_pt_run told = run_told(run);
    const unsigned count = run->count, bytes = wide ? sizeof(uint64_t) : sizeof(uint32_t);
    const uint64_t clear = leaf_bits(run->height, c->how->clear_copy);
    char *first = (char *)to + (end_index - count) * bytes;
    run->count = 0;
    int stop = c->how->copied ? c->how->copied(c->how->arg, &told) : 0;
    if (stop)
        return stop;
    for (unsigned i = 0; i < count; i++) {
        uint64_t entry = run->entry[i];
        entry_store(first, i, entry_is_present(entry) ? entry & ~clear : entry, wide);
    }
    table_count(c->to, to, count);
    return 0;
}

/* Entries [index, end_index) of two tables, none of which leads below; those that follow each other
 * are taken in a loop of their own. */
static QUIRE_ALWAYS_INLINE int copy_entries(struct copying *c, unsigned height, void *from,
                                            void *to, quire_linear_t at, unsigned index,
                                            unsigned end_index, const bool wide)
{
    const uint64_t clear = leaf_bits(height, c->how->clear_both);
    const unsigned shift = c->from->step[height].shift, first = index;
    uint64_t lost = 0;
    int stop = 0;
    while (index < end_index && !stop) {
        uint64_t entry = entry_load(from, index, wide), *taken = c->run.entry;
        if (!entry) {
            index = entry_skip_zeros(from, index + 1, end_index, wide);
            continue;
        }
        c->run.height = height;
        c->run.at = at + ((quire_linear_t)(index - first) << shift);
        const unsigned left = end_index - index;
        const unsigned run_end =
            index + (left < QUIRE_PT_RUN_ENTRIES ? left : QUIRE_PT_RUN_ENTRIES);
        do
            *taken++ = take_bits(from, index, entry, clear, &lost, wide);
        while (++index < run_end && (entry = entry_load(from, index, wide)));
        c->run.count = (unsigned)(taken - c->run.entry);
        stop = write_run(c, to, index, wide);
    }
    if (bits_to_flush(c->from->format->nx, 0, lost & clear))
        batch_add(c->batch, at, at + ((quire_linear_t)(end_index - first) << shift), shift);
    return stop;
}

static int copy_run(struct copying *c, unsigned height, void *from, void *to, quire_linear_t at,
                    quire_linear_t end)
{
    unsigned index = step_index(c->from, height, at);
    unsigned end_index = index + (unsigned)((end - at) >> c->from->step[height].shift);
    return c->from->wide ? copy_entries(c, height, from, to, at, index, end_index, true)
                         : copy_entries(c, height, from, to, at, index, end_index, false);
}

/* Where entries, from the one at `next` on, cease to be pages or holes. What the range has in part
 * is a hole, since huge pages were split. */
static quire_linear_t end_of_pages(const struct quire_pgtable *pt, unsigned height,
                                   const void *table, quire_linear_t next, quire_linear_t end)
{
    while (next < end && !leads_to_table(pt, height, load(pt, table, step_index(pt, height, next))))
        next = step_next(pt, height, next, end);
    return next;
}

static int copy_table(struct copying *c, unsigned height, void *from, void *to, quire_linear_t at,
                      quire_linear_t end)
{
    const struct quire_pgtable *pt = c->from;
    uint32_t added = 0;
    int stop = 0;
    if (!height)
        return copy_run(c, 0, from, to, at, end);
    for (quire_linear_t next; at < end && !stop; at = next) {
        unsigned index = step_index(pt, height, at);
        uint64_t entry = load(pt, from, index);
        next = step_next(pt, height, at, end);
        if (leads_to_table(pt, height, entry)) {
            void *below = table_get(c->to, height, to, index, &c->stock, &added);
            QUIRE_BUG_ON(!below);
            stop = copy_table(c, height - 1, table_of(pt, entry), below, at, next);
        } else if (entry) {
            next = end_of_pages(pt, height, from, next, end);
            stop = copy_run(c, height, from, to, at, next);
        }
    }
    if (added)
        table_count(c->to, to, added);
    return stop;
}

/* ---- from outside ---------------------------------------------------------------------------- */

static void undone_by_nobody(void *arg, const struct quire_pt_run *run)
{
    (void)arg;
    (void)run;
}

/* Takes out again what the copy has from `at` on, and its tables. */
static void undo(struct copying *c, quire_linear_t at, quire_linear_t end)
{
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, c->to);
    int error =
        quire_zap_range(c->to, linear_of(c->to, at), end - at, 0,
                        c->how->undone ? c->how->undone : undone_by_nobody, c->how->arg, &batch);
    QUIRE_BUG_ON(error);
    quire_tlb_flush(&batch);
}

/* The copy's tables, from what the caller has in advance, and the rest of phys. */
static int take_tables(struct copying *c, unsigned long count)
{
    struct quire_pt_spares *spares = c->how->spares;
    unsigned long missing = count;
    if (!spares)
        return stock_fill(&c->stock, c->to, count);
    struct stock from = {spares->first};
    for (; missing && from.first; missing--)
        stock_put(&c->stock, stock_take(&from));
    spares->first = from.first;
    int error = stock_fill(&c->stock, c->to, missing);
    spares->lacking = error ? count : 0;
    return error;
}

int quire_pt_spares_fill(struct quire_pt_spares *spares, struct quire_pgtable *pt,
                         unsigned long count)
{
    struct stock stock = {spares->first};
    int error = stock_fill(&stock, pt, count);
    spares->first = stock.first;
    return error;
}

void quire_pt_spares_empty(struct quire_pt_spares *spares, struct quire_pgtable *pt)
{
    struct stock stock = {spares->first};
    stock_empty(&stock, pt);
    spares->first = NULL;
}

/* Tables for both trees, before either changes: the copy of what a split makes needs as many.
 * Owners of other ranges may split the same pages meanwhile: so splits are counted first, since a
 * table that comes after is counted twice, and not never. */
static int prepare(struct copying *c, quire_linear_t at, quire_linear_t end, struct stock *edges)
{
    int splits = edges_prepare(c->from, at, end, edges);
    if (splits < 0)
        return splits;
    find_tables(c, at, end);
    int error = look(c, c->height, c->from_table, c->to_table, at, end);
    if (!error)
        error = take_tables(c, c->missing + (unsigned long)splits);
    if (error)
        stock_empty(edges, c->from);
    return error;
}

static int copy(struct copying *c, quire_linear_t at, quire_linear_t end)
{
    struct stock edges = {NULL};
    int error = prepare(c, at, end, &edges);
    if (error)
        return error;
    if (quire_load_relaxed(&c->from->has_huge)) {
        quire_store_relaxed(&c->to->has_huge, true);
        edges_split(c->from, at, end, &edges, c->batch);
        find_tables(c, at, end); /* of pages that were split there are tables now */
    }
    int stop = copy_table(c, c->height, c->from_table, c->to_table, at, end);
    stock_empty(&c->stock, c->to);
    if (stop)
        undo(c, at, end);
    return stop;
}

/* Whether an entry means the same in both. */
static bool same_entries(const struct quire_pgtable *to, const struct quire_pgtable *from)
{
    const struct quire_pt_features *a = &to->features, *b = &from->features;
    return to->format == from->format && to->phys_end == from->phys_end && a->no_nx == b->no_nx &&
           a->no_1gib == b->no_1gib;
}

int quire_copy_range(struct quire_pgtable *to, struct quire_pgtable *from, quire_linear_t virt,
                     uint64_t size, const struct quire_pt_copy *how, struct quire_tlb_batch *batch)
{
    struct quire_tlb_batch own;
    struct copying c;
    quire_linear_t at, end;
    int error = changed_range(from, virt, size, &at, &end);
    if (to == from || !same_entries(to, from) || (!error && end - 1 > to->own_last) ||
        (how->clear_both | how->clear_copy) & ~QUIRE_PT_PROT)
        error = -QUIRE_EINVAL;
    if (error)
        return error;
    c.to = to;
    c.from = from;
    c.run.pt = from;
    c.how = how;
    c.batch = batch_begin(batch, &own, from);
    c.missing = 0;
    c.stock.first = NULL;
    c.run.height = c.run.count = 0;
    error = copy(&c, at, end);
    batch_end(c.batch, &own);
    return error;
}
