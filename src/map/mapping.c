/* map/mapping.c: new mappings
 *
 * Two walks over a range. The first, which only reads, counts the tables that will be needed and
 * sees whether something is in the way; then all tables are allocated; then the second writes, and
 * can't fail. Between the two, owners of other ranges may install tables that this one counted:
 * then pages are left over and go back. They can't put anything else where this range goes.
 *
 *   cost   the entries of a table are looked at in one loop and written in another, a few
 *          instructions an entry; everything else is once for each table
 */
#include "map/table.h"

struct mapping {
    struct quire_pgtable *pt;
    quire_linear_t at;               /* where the range begins */
    quire_phys_t phys;               /* what is mapped there */
    struct quire_page *const *pages; /* in place of `phys` */
    uint64_t prot;
    bool no_huge;
    unsigned long missing; /* tables */
    struct stock stock;
};

static quire_phys_t phys_at(const struct mapping *m, quire_linear_t at)
{
    return m->phys + (at - m->at);
}

/* Whether one entry of a height above 0 is to map all of [at, next). */
static bool fits_huge(const struct mapping *m, unsigned height, quire_linear_t at,
                      quire_linear_t next)
{
    const struct quire_pt_step *step = &m->pt->step[height];
    uint64_t bytes = step_bytes(m->pt, height);
    return !m->no_huge && step->may_be_leaf && next - at == bytes &&
           !(phys_at(m, at) & (bytes - 1)) && phys_at(m, at) + bytes <= step->phys_end;
}

/* ---- looking --------------------------------------------------------------------------------- */

/* `table` is NULL where there is none yet. 0, -EEXIST, -EINVAL. */
static int look(struct mapping *m, unsigned height, const void *table, quire_linear_t at,
                quire_linear_t end)
{
    const struct quire_pgtable *pt = m->pt;
    if (!height) {
        unsigned count = (unsigned)((end - at) >> PT_SHIFT);
        if (!m->pages && phys_at(m, end) > pt->step[0].phys_end)
            return -QUIRE_EINVAL; /* only as a huge page */
        return !table || entries_are_zero(pt, table, step_index(pt, 0, at), count) ? 0
                                                                                   : -QUIRE_EEXIST;
    }
    for (quire_linear_t next; at < end; at = next) {
        next = step_next(pt, height, at, end);
        uint64_t entry = table ? load(pt, table, step_index(pt, height, at)) : 0;
        if (!entry && fits_huge(m, height, at, next))
            continue;
        if (entry && !leads_to_table(pt, height, entry))
            return -QUIRE_EEXIST;
        m->missing += !entry;
        int error = look(m, height - 1, entry ? table_of(pt, entry) : NULL, at, next);
        if (error)
            return error;
    }
    return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

static QUIRE_ALWAYS_INLINE void fill(void *table, unsigned first, unsigned count, uint64_t entry,
                                     const bool wide)
{
    for (unsigned end = first + count; first < end; first++, entry += PT_PAGE_BYTES)
        entry_store(table, first, entry, wide);
}

/* A frame may have several PT entries' size. */
static QUIRE_ALWAYS_INLINE void fill_pages(void *table, unsigned first, unsigned count,
                                           struct quire_page *const *page, uint64_t bits,
                                           const bool wide)
{
    const unsigned each = 1u << (QUIRE_PAGE_SHIFT - PT_SHIFT);
    for (unsigned end = first + count; first < end; first += each, page++)
        fill(table, first, each, quire_page_to_phys(*page) | bits, wide);
}

static void write_entries(const struct mapping *m, void *table, quire_linear_t at, unsigned count)
{
    const struct quire_pgtable *pt = m->pt;
    unsigned first = step_index(pt, 0, at);
    uint64_t entry = leaf_entry(pt, 0, m->pages ? 0 : phys_at(m, at), m->prot);
    if (m->pages) {
        struct quire_page *const *page = m->pages + (size_t)((at - m->at) >> QUIRE_PAGE_SHIFT);
        if (pt->wide)
            fill_pages(table, first, count, page, entry, true);
        else
            fill_pages(table, first, count, page, entry, false);
    } else if (pt->wide)
        fill(table, first, count, entry, true);
    else
        fill(table, first, count, entry, false);
}

static void write_table(struct mapping *m, unsigned height, void *table, quire_linear_t at,
                        quire_linear_t end)
{
    struct quire_pgtable *pt = m->pt;
    uint32_t added = 0;
    if (!height) {
        added = (uint32_t)((end - at) >> PT_SHIFT);
        write_entries(m, table, at, added);
    } else
        for (quire_linear_t next; at < end; at = next) {
            unsigned index = step_index(pt, height, at);
            next = step_next(pt, height, at, end);
            if (fits_huge(m, height, at, next) && !load(pt, table, index)) {
                quire_store_relaxed(&pt->has_huge, true);
                store(pt, table, index, leaf_entry(pt, height, phys_at(m, at), m->prot));
                added++;
                continue;
            }
            void *below = table_get(pt, height, table, index, &m->stock, &added);
            QUIRE_BUG_ON(!below);
            write_table(m, height - 1, below, at, next);
        }
    if (added)
        table_count(pt, table, added);
}

/* ---- from outside ---------------------------------------------------------------------------- */

static int map(struct mapping *m, quire_linear_t at, quire_linear_t end)
{
    struct quire_pgtable *pt = m->pt;
    unsigned height;
    void *table = table_for(pt, at, end, &height);
    m->at = at;
    int error = look(m, height, table, at, end);
    if (!error && m->missing)
        error = stock_fill(&m->stock, pt, m->missing);
    if (error)
        return error;
    write_table(m, height, table, at, end);
    stock_empty(&m->stock, pt);
    return 0;
}

int quire_map_range(struct quire_pgtable *pt, quire_linear_t virt, quire_phys_t phys, uint64_t size,
                    uint64_t prot, unsigned flags)
{
    struct mapping m = {.pt = pt, .phys = phys, .prot = prot, .no_huge = flags & QUIRE_MAP_NO_HUGE};
    quire_linear_t at, end;
    int error = own_range(pt, virt, size, PT_PAGE_BYTES, &at, &end);
    if (error)
        return error;
    if (phys & (PT_PAGE_BYTES - 1) || phys >= pt->phys_end || size > pt->phys_end - phys ||
        !prot_is_valid(pt, prot) || flags & ~QUIRE_MAP_NO_HUGE)
        return -QUIRE_EINVAL;
    return map(&m, at, end);
}

static bool pages_are_in_reach(const struct quire_pgtable *pt, struct quire_page *const *pages,
                               unsigned long count)
{
    uint64_t last_pfn = (pt->step[0].phys_end - 1) >> QUIRE_PAGE_SHIFT;
    uint32_t most = last_pfn < UINT32_MAX ? (uint32_t)last_pfn : UINT32_MAX;
    if (most == UINT32_MAX)
        return true; /* no descriptor has a larger number */
    for (unsigned long i = 0; i < count; i++)
        if (pages[i]->pfn > most)
            return false;
    return true;
}

int quire_map_pages(struct quire_pgtable *pt, quire_linear_t virt, struct quire_page *const *pages,
                    unsigned long count, uint64_t prot)
{
    struct mapping m = {.pt = pt, .pages = pages, .prot = prot, .no_huge = true};
    quire_linear_t at, end;
    uint64_t size = (uint64_t)count << QUIRE_PAGE_SHIFT;
    if (size >> QUIRE_PAGE_SHIFT != count)
        return -QUIRE_EINVAL;
    int error = own_range(pt, virt, size, QUIRE_PAGE_SIZE, &at, &end);
    if (error)
        return error;
    if (!prot_is_valid(pt, prot) || !pages_are_in_reach(pt, pages, count))
        return -QUIRE_EINVAL;
    return map(&m, at, end);
}
