/* map/unmap.c: mappings go, and tables that are empty with them
 *
 * A table that the range covers whole and nobody wants to hear of needn't be emptied: the entry
 * that leads to it is cleared, and it goes back after the flush. Other tables are emptied entry by
 * entry; how many went is subtracted once, and if none is left the table goes too.
 */
#include "map/table.h"

struct unmap {
    struct quire_pgtable *pt;
    struct quire_tlb_batch *batch;
    bool keep_tables, emptied;
    quire_pt_removed_fn *removed; /* NULL: nobody wants to know */
    void *arg;
    struct run run;
};

static void tell(struct unmap *u)
{
    struct quire_pt_run run = run_told(&u->run);
    if (!u->run.count)
        return;
    u->run.count = 0;
    u->removed(u->arg, &run);
}

/* Takes one entry out; what it was. */
static uint64_t take(struct unmap *u, unsigned height, void *table, unsigned index,
                     quire_linear_t at)
{
    uint64_t entry = exchange(u->pt, table, index, 0);
    if (entry_is_present(entry))
        batch_add(u->batch, at, at + step_bytes(u->pt, height), u->pt->step[height].shift);
    if (!u->removed)
        return entry;
    if (!run_continues(&u->run, height, at))
        tell(u);
    run_append(&u->run, height, at, entry);
    return entry;
}

/* Takes out entries that follow each other, from `index` on, to the end of the run at most; where
 * it stopped. */
static QUIRE_ALWAYS_INLINE unsigned take_run(struct unmap *u, void *table, unsigned index,
                                             unsigned end_index, const bool wide)
{
    unsigned count = u->run.count;
    do
        u->run.entry[count++] = entry_exchange(table, index++, 0, wide);
    while (index < end_index && count < QUIRE_PT_RUN_ENTRIES && entry_load(table, index, wide));
    u->run.count = count;
    return index;
}

/* Each page goes into the batch before its entry is told. */
static QUIRE_ALWAYS_INLINE uint32_t take_pages_of(struct unmap *u, void *table, quire_linear_t at,
                                                  quire_linear_t end, const bool wide)
{
    uint32_t gone = 0;
    const unsigned first = step_index(u->pt, 0, at);
    const unsigned end_index = first + (unsigned)((end - at) >> PT_SHIFT);
    for (unsigned i = first; i < end_index;) {
        if (!entry_load(table, i, wide)) {
            i = entry_skip_zeros(table, i + 1, end_index, wide);
            continue;
        }
        quire_linear_t here = at + (i - first) * PT_PAGE_BYTES;
        if (!run_continues(&u->run, 0, here)) {
            tell(u);
            u->run.at = here;
            u->run.height = 0;
        }
        unsigned begin = i;
        i = take_run(u, table, i, end_index, wide);
        batch_add(u->batch, here, here + (i - begin) * PT_PAGE_BYTES, PT_SHIFT);
        gone += i - begin;
    }
    return gone;
}

static uint32_t take_pages(struct unmap *u, void *table, quire_linear_t at, quire_linear_t end)
{
    return u->pt->wide ? take_pages_of(u, table, at, end, true)
                       : take_pages_of(u, table, at, end, false);
}

static QUIRE_ALWAYS_INLINE uint32_t clear(void *table, unsigned first, unsigned count,
                                          uint64_t *any, const bool wide)
{
    uint64_t gathered = 0;
    uint32_t gone = 0;
    for (unsigned end = first + count; first < end;) {
        uint64_t entry = entry_load(table, first, wide);
        if (!entry) {
            first = entry_skip_zeros(table, first + 1, end, wide);
            continue;
        }
        const unsigned begin = first;
        do {
            entry_store(table, first, 0, wide);
            gathered |= entry;
        } while (++first < end && (entry = entry_load(table, first, wide)));
        gone += first - begin;
    }
    *any |= gathered;
    return gone;
}

static uint32_t clear_pages(struct unmap *u, void *table, quire_linear_t at, quire_linear_t end)
{
    unsigned first = step_index(u->pt, 0, at), count = (unsigned)((end - at) >> PT_SHIFT);
    uint64_t any = 0;
    uint32_t gone = u->pt->wide ? clear(table, first, count, &any, true)
                                : clear(table, first, count, &any, false);
    if (entry_is_present(any))
        batch_add(u->batch, at, end, PT_SHIFT);
    return gone;
}

static uint32_t unmap_table(struct unmap *u, unsigned height, void *table, quire_linear_t at,
                            quire_linear_t end);

/* Of the table that an entry leads to. True: it is gone. */
static bool unmap_below(struct unmap *u, unsigned height, void *parent, unsigned index,
                        quire_linear_t at, quire_linear_t next)
{
    struct quire_pgtable *pt = u->pt;
    void *table = table_of(pt, load(pt, parent, index));
    bool stays = u->keep_tables || is_kept(pt, height, index);
    bool whole = !stays && !u->removed && height == 1 && next - at == step_bytes(pt, height);
    if (whole)
        batch_add(u->batch, at, next, PT_SHIFT);
    else {
        uint32_t gone = unmap_table(u, height - 1, table, at, next);
        uint32_t left = table_count(pt, table, 0 - gone);
        if (stays || left)
            return false;
    }
    store(pt, parent, index, 0);
    table_left(pt, height - 1, table, at, u->batch);
    return true;
}

/* Entries of the table that went. */
static uint32_t unmap_table(struct unmap *u, unsigned height, void *table, quire_linear_t at,
                            quire_linear_t end)
{
    const struct quire_pgtable *pt = u->pt;
    uint32_t gone = 0;
    if (!height && u->emptied) {
        QUIRE_EXPENSIVE(
            entries_are_zero(pt, table, step_index(pt, 0, at), (unsigned)((end - at) >> PT_SHIFT)));
        return 0;
    }
    if (!height)
        return u->removed ? take_pages(u, table, at, end) : clear_pages(u, table, at, end);
    for (quire_linear_t next; at < end; at = next) {
        unsigned index = step_index(pt, height, at);
        uint64_t entry = load(pt, table, index);
        next = step_next(pt, height, at, end);
        if (leads_to_table(pt, height, entry))
            gone += unmap_below(u, height, table, index, at, next);
        else if (entry) {
            (void)take(u, height, table, index, at);
            gone++;
        }
    }
    return gone;
}

int quire_zap_range(struct quire_pgtable *pt, quire_linear_t virt, uint64_t size, unsigned flags,
                    quire_pt_removed_fn *removed, void *arg, struct quire_tlb_batch *batch)
{
    struct quire_tlb_batch own;
    struct unmap u;
    quire_linear_t at, end;
    int error = changed_range(pt, virt, size, &at, &end);
    if (flags & ~(QUIRE_UNMAP_KEEP_TABLES | QUIRE_UNMAP_EMPTIED) || (removed && !batch))
        error = -QUIRE_EINVAL;
    if (error)
        return error;
    u.pt = pt;
    u.run.pt = pt;
    u.batch = batch_begin(batch, &own, pt);
    u.keep_tables = flags & QUIRE_UNMAP_KEEP_TABLES;
    u.emptied = flags & QUIRE_UNMAP_EMPTIED;
    u.removed = removed;
    u.arg = arg;
    u.run.height = u.run.count = 0;
    error = split_edges(pt, at, end, u.batch);
    if (!error) {
        unsigned height = pt->height - 1u;
        void *table = u.keep_tables ? table_for(pt, at, end, &height) : root_of(pt);
        table_count(pt, table, 0 - unmap_table(&u, height, table, at, end));
        if (removed)
            tell(&u);
    }
    batch_end(u.batch, &own);
    return error;
}

int quire_unmap_range(struct quire_pgtable *pt, quire_linear_t virt, uint64_t size, unsigned flags,
                      struct quire_tlb_batch *batch)
{
    return quire_zap_range(pt, virt, size, flags, NULL, NULL, batch);
}
