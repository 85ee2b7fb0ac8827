/* map/protect.c: bits of present entries, changed and harvested over ranges
 *
 * An entry is changed by a compare-exchange from what was read, since hardware may set accessed or
 * dirty meanwhile; entries that are as wanted already are only read. Of each table the pages
 * between the first and the last that a TLB may know better are flushed.
 */
#include "map/table.h"

/* What entries are to gain and lose; and which of that is to be flushed if it is a change. */
struct bits {
    uint64_t set, clear, flush;
};

struct change {
    struct quire_pgtable *pt;
    struct quire_tlb_batch *batch;
    struct bits pages, huge; /* as entries of PT have them, and those above */
};

/* Changes one entry; whether that needs a flush. */
static QUIRE_ALWAYS_INLINE bool change_entry(void *table, unsigned index, struct bits bits,
                                             const bool wide)
{
    uint64_t entry = entry_load(table, index, wide), desired;
    do {
        desired = (entry & ~bits.clear) | bits.set;
        if (!entry_is_present(entry) || desired == entry)
            return false;
    } while (!entry_compare_exchange(table, index, &entry, desired, wide));
    return (entry ^ desired) & bits.flush;
}

static QUIRE_ALWAYS_INLINE void change_pages(const struct change *c, void *table, quire_linear_t at,
                                             quire_linear_t end, const bool wide)
{
    const struct bits bits = c->pages;
    unsigned begin = step_index(c->pt, 0, at), count = (unsigned)((end - at) >> PT_SHIFT);
    unsigned first = count, last = 0;
    for (unsigned i = 0; i < count; i++)
        if (change_entry(table, begin + i, bits, wide)) {
            first = first < i ? first : i;
            last = i;
        }
    if (first < count)
        batch_add(c->batch, at + first * PT_PAGE_BYTES, at + (last + 1) * PT_PAGE_BYTES, PT_SHIFT);
}

static void change_huge(const struct change *c, unsigned height, void *table, quire_linear_t at)
{
    const struct quire_pgtable *pt = c->pt;
    unsigned index = step_index(pt, height, at);
    bool flush = pt->wide ? change_entry(table, index, c->huge, true)
                          : change_entry(table, index, c->huge, false);
    if (flush)
        batch_add(c->batch, at, at + step_bytes(pt, height), pt->step[height].shift);
}

static void change_table(const struct change *c, unsigned height, void *table, quire_linear_t at,
                         quire_linear_t end)
{
    const struct quire_pgtable *pt = c->pt;
    if (!height) {
        if (pt->wide)
            change_pages(c, table, at, end, true);
        else
            change_pages(c, table, at, end, false);
        return;
    }
    for (quire_linear_t next; at < end; at = next) {
        uint64_t entry = load(pt, table, step_index(pt, height, at));
        next = step_next(pt, height, at, end);
        if (leads_to_table(pt, height, entry))
            change_table(c, height - 1, table_of(pt, entry), at, next);
        else if (entry)
            change_huge(c, height, table, at);
    }
}

static struct bits bits_of(const struct quire_pgtable *pt, unsigned height, uint64_t set,
                           uint64_t clear)
{
    uint64_t gained = leaf_bits(height, set), lost = leaf_bits(height, clear & ~set);
    return (struct bits){gained, lost, bits_to_flush(pt->format->nx, gained, lost)};
}

int quire_protect_range(struct quire_pgtable *pt, quire_linear_t virt, uint64_t size, uint64_t set,
                        uint64_t clear, struct quire_tlb_batch *batch)
{
    struct quire_tlb_batch own;
    struct change c = {
        .pt = pt, .pages = bits_of(pt, 0, set, clear), .huge = bits_of(pt, 1, set, clear)};
    quire_linear_t at, end;
    int error = changed_range(pt, virt, size, &at, &end);
    if (!prot_is_valid(pt, set) || clear & ~QUIRE_PT_PROT)
        error = -QUIRE_EINVAL;
    if (error)
        return error;
    c.batch = batch_begin(batch, &own, pt);
    error = split_edges(pt, at, end, c.batch);
    if (!error) {
        unsigned height;
        void *table = table_for(pt, at, end, &height);
        change_table(&c, height, table, at, end);
    }
    batch_end(c.batch, &own);
    return error;
}

/* ---- accessed and dirty ---------------------------------------------------------------------- */

struct harvest {
    struct quire_pgtable *pt;
    struct quire_tlb_batch *batch;
    uint64_t bits, *bitmap, count;
    quire_linear_t start; /* of the bitmap's first bit */
};

static bool bits_are_harvestable(uint64_t bits)
{
    return bits && !(bits & ~(uint64_t)(QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY));
}

/* Clears `bits` of an entry if it is present; those that were set. */
static QUIRE_ALWAYS_INLINE uint64_t test_and_clear(void *table, unsigned index, uint64_t bits,
                                                   const bool wide)
{
    uint64_t entry = entry_load(table, index, wide);
    do {
        if (!entry_is_present(entry) || !(entry & bits))
            return 0;
    } while (!entry_compare_exchange(table, index, &entry, entry & ~bits, wide));
    return entry & bits;
}

static void mark(struct harvest *h, quire_linear_t at, quire_linear_t end)
{
    uint64_t first = (at - h->start) >> PT_SHIFT, last = (end - h->start) >> PT_SHIFT;
    h->count += last - first;
    for (; h->bitmap && first < last; first++)
        h->bitmap[first / 64] |= (uint64_t)1 << first % 64;
}

/* One entry, which covers [start, start + bytes) and of which the range has [at, next). */
static void harvest_entry(struct harvest *h, unsigned height, void *table, quire_linear_t at,
                          quire_linear_t next)
{
    const struct quire_pgtable *pt = h->pt;
    unsigned index = step_index(pt, height, at);
    uint64_t found = pt->wide ? test_and_clear(table, index, h->bits, true)
                              : test_and_clear(table, index, h->bits, false);
    if (!found)
        return;
    mark(h, at, next);
    if (found & QUIRE_PTE_DIRTY) {
        quire_linear_t bytes = step_bytes(pt, height), start = at & ~(bytes - 1);
        batch_add(h->batch, start, start + bytes, pt->step[height].shift);
    }
}

static QUIRE_ALWAYS_INLINE void harvest_pages(struct harvest *h, void *table, quire_linear_t at,
                                              quire_linear_t end, const bool wide)
{
    const uint64_t bits = h->bits, page = (at - h->start) >> PT_SHIFT;
    const unsigned begin = step_index(h->pt, 0, at), count = (unsigned)((end - at) >> PT_SHIFT);
    unsigned first = count, last = 0, used = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t found = test_and_clear(table, begin + i, bits, wide);
        if (!found)
            continue;
        used++;
        if (h->bitmap)
            h->bitmap[(page + i) / 64] |= (uint64_t)1 << (page + i) % 64;
        if (found & QUIRE_PTE_DIRTY) {
            first = first < i ? first : i;
            last = i;
        }
    }
    h->count += used;
    if (first < count)
        batch_add(h->batch, at + first * PT_PAGE_BYTES, at + (last + 1) * PT_PAGE_BYTES, PT_SHIFT);
}

static void harvest_table(struct harvest *h, unsigned height, void *table, quire_linear_t at,
                          quire_linear_t end)
{
    const struct quire_pgtable *pt = h->pt;
    if (!height) {
        if (pt->wide)
            harvest_pages(h, table, at, end, true);
        else
            harvest_pages(h, table, at, end, false);
        return;
    }
    for (quire_linear_t next; at < end; at = next) {
        uint64_t entry = load(pt, table, step_index(pt, height, at));
        next = step_next(pt, height, at, end);
        if (leads_to_table(pt, height, entry))
            harvest_table(h, height - 1, table_of(pt, entry), at, next);
        else if (entry & h->bits)
            harvest_entry(h, height, table, at, next);
    }
}

int quire_harvest_range(struct quire_pgtable *pt, quire_linear_t virt, uint64_t size, uint64_t bits,
                        uint64_t *bitmap, uint64_t *count, struct quire_tlb_batch *batch)
{
    struct quire_tlb_batch own;
    struct harvest h = {.pt = pt, .bits = bits, .bitmap = bitmap};
    quire_linear_t end;
    int error = changed_range(pt, virt, size, &h.start, &end);
    if (!bits_are_harvestable(bits))
        error = -QUIRE_EINVAL;
    if (error)
        return error;
    h.batch = batch_begin(batch, &own, pt);
    unsigned height;
    void *table = table_for(pt, h.start, end, &height);
    harvest_table(&h, height, table, h.start, end);
    batch_end(h.batch, &own);
    *count += h.count;
    return 0;
}

int quire_test_and_clear(struct quire_pgtable *pt, quire_linear_t virt, uint64_t bits,
                         struct quire_tlb_batch *batch)
{
    struct quire_tlb_batch own;
    struct quire_pt_query query;
    quire_linear_t at;
    if (!bits_are_harvestable(bits) || !strip_own(pt, virt, &at))
        return -QUIRE_EINVAL;
    int error = quire_query(pt, virt, &query);
    at &= ~(PT_PAGE_BYTES - 1); /* the last address has no next one */
    if (!error && has_kept_page(pt, at, at + 1))
        error = -QUIRE_EBUSY;
    if (error)
        return error;
    void *entry = quire_port_phys_to_virt(pt->port, query.where);
    uint64_t found =
        pt->wide ? test_and_clear(entry, 0, bits, true) : test_and_clear(entry, 0, bits, false);
    if (found & QUIRE_PTE_DIRTY) {
        unsigned shift = pt->format->level[query.level].shift;
        batch = batch_begin(batch, &own, pt);
        at &= ~(((quire_linear_t)1 << shift) - 1);
        batch_add(batch, at, at + ((quire_linear_t)1 << shift), shift);
        batch_end(batch, &own);
    }
    return (int)found;
}
