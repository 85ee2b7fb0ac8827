/* map/table.h: the tree of tables, for who walks it
 *
 * Only levels that have tables are walked. pt->step[height] describes one: step[0] is PT, the last
 * one the root, whatever the format folds between. A walk works on addresses stripped of their sign
 * ("at", up to pt->address_last), so that a range is [at, end) with end > at. With addresses of 32
 * bits (QUIRE_LINEAR_BITS) no range has the last page, whose end they can't say; where the entry
 * that covers an address ends may be as far, and is only computed where it is below `end`.
 *
 *   invariant   owner_word of a table's page counts its entries that aren't 0, of which those above
 *               PT are present; between operations on a table
 *   invariant   a table other than the root is led to by exactly one entry, and copies of it in the
 *               roots of trees that share this one's (shared.c)
 *
 * Counts are adjusted once for each table and operation, by an atomic add, after entries were
 * written or before a table can be given back; who gives tables back is alone with them.
 */
#ifndef MAP_TABLE_H
#define MAP_TABLE_H

#include <quire/pgtable.h>
#include <quire/port.h>

#include "base/bits.h"
#include "base/events.h"
#include "map/entry.h"

#define PT_SHIFT 12
#define PT_PAGE_BYTES ((quire_linear_t)1 << PT_SHIFT)

static inline quire_linear_t step_bytes(const struct quire_pgtable *pt, unsigned height)
{
    return (quire_linear_t)1 << pt->step[height].shift;
}

static inline unsigned step_entries(const struct quire_pgtable *pt, unsigned height)
{
    return pt->step[height].index_mask + 1u;
}

/* Those of them that are this tree's: of a root that shares, the lower ones. */
static inline unsigned own_entries(const struct quire_pgtable *pt, unsigned height)
{
    quire_linear_t last = pt->own_last >> pt->step[height].shift;
    return last < pt->step[height].index_mask ? (unsigned)last + 1 : step_entries(pt, height);
}

static inline unsigned step_index(const struct quire_pgtable *pt, unsigned height,
                                  quire_linear_t at)
{
    return (unsigned)(at >> pt->step[height].shift) & pt->step[height].index_mask;
}

/* Where the entry that covers `at` ends covering, or `end`. */
static inline quire_linear_t step_next(const struct quire_pgtable *pt, unsigned height,
                                       quire_linear_t at, quire_linear_t end)
{
    quire_linear_t last = at | (step_bytes(pt, height) - 1);
    return last < end ? last + 1 : end;
}

static inline enum quire_pt_level step_level(const struct quire_pgtable *pt, unsigned height)
{
    return (enum quire_pt_level)pt->step[height].level;
}

/* The level of a table, as its tables are counted. */
static inline enum quire_pt_level table_level(const struct quire_pgtable *pt, unsigned height)
{
    return height + 1u == pt->height ? QUIRE_PGD : step_level(pt, height);
}

static inline uint64_t load(const struct quire_pgtable *pt, const void *table, unsigned index)
{
    return pt->wide ? entry_load(table, index, true) : entry_load(table, index, false);
}

static inline unsigned skip_zeros(const struct quire_pgtable *pt, const void *table, unsigned index,
                                  unsigned end)
{
    return pt->wide ? entry_skip_zeros(table, index, end, true)
                    : entry_skip_zeros(table, index, end, false);
}

static inline void store(const struct quire_pgtable *pt, void *table, unsigned index,
                         uint64_t entry)
{
    pt->wide ? entry_store(table, index, entry, true) : entry_store(table, index, entry, false);
}

static inline uint64_t exchange(const struct quire_pgtable *pt, void *table, unsigned index,
                                uint64_t entry)
{
    return pt->wide ? entry_exchange(table, index, entry, true)
                    : entry_exchange(table, index, entry, false);
}

static inline bool compare_exchange(const struct quire_pgtable *pt, void *table, unsigned index,
                                    uint64_t *expected, uint64_t desired)
{
    return pt->wide ? entry_compare_exchange(table, index, expected, desired, true)
                    : entry_compare_exchange(table, index, expected, desired, false);
}

static inline bool leads_to_table(const struct quire_pgtable *pt, unsigned height, uint64_t entry)
{
    return (entry & pt->step[height].table_mask) == QUIRE_PTE_PRESENT;
}

/* Of a present entry. */
static inline bool maps_memory(const struct quire_pgtable *pt, unsigned height, uint64_t entry)
{
    return !leads_to_table(pt, height, entry);
}

static inline void *table_of(const struct quire_pgtable *pt, uint64_t entry)
{
    return quire_port_phys_to_virt(pt->port, entry & pt->address_mask);
}

static inline void *root_of(const struct quire_pgtable *pt)
{
    return quire_port_phys_to_virt(pt->port, pt->root);
}

/* The lowest table on the way to the PT entry of `at`, and its height: 0 is the entry's own.
 * Compiled for either width of entries, since faults come by here. */
static QUIRE_ALWAYS_INLINE void *table_of_width_at(const struct quire_pgtable *pt,
                                                   quire_linear_t at, unsigned *height,
                                                   const bool wide)
{
    const struct quire_pt_step *step = &pt->step[pt->height - 1u];
    void *table = root_of(pt);
    for (; step != pt->step; step--) {
        uint64_t entry = entry_load(table, (unsigned)(at >> step->shift) & step->index_mask, wide);
        if ((entry & step->table_mask) != QUIRE_PTE_PRESENT)
            break;
        table = table_of(pt, entry);
    }
    *height = (unsigned)(step - pt->step);
    return table;
}

static inline void *table_at(const struct quire_pgtable *pt, quire_linear_t at, unsigned *height)
{
    return pt->wide ? table_of_width_at(pt, at, height, true)
                    : table_of_width_at(pt, at, height, false);
}

/* Where a walk of [at, end) may begin: the lowest table that leads to all of it. */
static inline void *table_for(const struct quire_pgtable *pt, quire_linear_t at, quire_linear_t end,
                              unsigned *height)
{
    void *table = root_of(pt);
    quire_linear_t differs = at ^ (end - 1);
    for (*height = pt->height - 1u; *height && !(differs >> pt->step[*height].shift); --*height) {
        uint64_t entry = load(pt, table, step_index(pt, *height, at));
        if (!leads_to_table(pt, *height, entry))
            break;
        table = table_of(pt, entry);
    }
    return table;
}

static inline struct quire_page *table_page(const struct quire_pgtable *pt, const void *table)
{
    quire_phys_t phys = quire_port_virt_to_phys(pt->port, table);
    return quire_pfn_to_page(pt->mem, quire_phys_to_pfn(phys));
}

/* Entries that weren't 0 came, or went (`change` as a number modulo 2^32); how many there are now.
 */
static inline uint32_t table_count(const struct quire_pgtable *pt, const void *table,
                                   uint32_t change)
{
    return quire_fetch_add(&table_page(pt, table)->owner_word, change) + change;
}

/* Formats of 32 bits have no sign to take away. */
static inline quire_linear_t without_sign(const struct quire_pgtable *pt, quire_linear_t virt)
{
    return QUIRE_LINEAR_BITS == 32 ? virt : virt & pt->address_last;
}

static inline quire_linear_t linear_of(const struct quire_pgtable *pt, quire_linear_t at)
{
    bool upper = QUIRE_LINEAR_BITS > 32 && pt->address_half && at >= pt->address_half;
    return upper ? at | ~pt->address_last : at;
}

/* False: not canonical. Moved up by half of them, canonical addresses lie without a gap from 0 on.
 */
static inline bool strip(const struct quire_pgtable *pt, quire_linear_t virt, quire_linear_t *at)
{
    *at = without_sign(pt, virt);
    return QUIRE_LINEAR_BITS == 32 || virt + pt->address_half <= pt->address_last;
}

/* The same of an address that is this tree's. */
static inline bool strip_own(const struct quire_pgtable *pt, quire_linear_t virt,
                             quire_linear_t *at)
{
    return strip(pt, virt, at) && *at <= pt->own_last;
}

/* ---- pgtable.c ------------------------------------------------------------------------------- */

/* 0 or -EINVAL: [virt, virt + size), of whole units of `align`, as [*at, *end). */
int strip_range(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size, uint64_t align,
                quire_linear_t *at, quire_linear_t *end);
/* The same of a range that is this tree's. */
int own_range(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size, uint64_t align,
              quire_linear_t *at, quire_linear_t *end);
/* The same, for who changes what is mapped there: -EBUSY if a kept entry maps memory. */
int changed_range(const struct quire_pgtable *pt, quire_linear_t virt, uint64_t size,
                  quire_linear_t *at, quire_linear_t *end);

/* Tables that aren't in the tree: zeroed pages, chained by owner.pointer[0]. */
struct stock {
    struct quire_page *first;
};

/* `count` more. 0 or -ENOMEM, with nothing in it then. */
int stock_fill(struct stock *stock, struct quire_pgtable *pt, unsigned long count);
void stock_put(struct stock *stock, struct quire_page *page);
struct quire_page *stock_take(struct stock *stock);
void stock_empty(struct stock *stock, struct quire_pgtable *pt);

/* The entry that leads to the table of `page` from a table of `height`. */
uint64_t entry_of_table(const struct quire_pgtable *pt, unsigned height,
                        const struct quire_page *page);
/* The table that entry `index` of `parent`, of `height`, leads to; one from the stock if that is 0.
 * *added counts entries of the parent that came. NULL: something that isn't a table is there. */
void *table_get(struct quire_pgtable *pt, unsigned height, void *parent, unsigned index,
                struct stock *stock, uint32_t *added);
/* A table of `height` came to the tree or left it. */
void table_came(struct quire_pgtable *pt, unsigned height);
/* It is freed after the next flush, which will be one. `at` is any address that it covers. */
void table_left(struct quire_pgtable *pt, unsigned height, void *table, quire_linear_t at,
                struct quire_tlb_batch *batch);

/* The entry that maps `phys` at a height with the bits `prot`, as PT has them; and back. */
uint64_t leaf_entry(const struct quire_pgtable *pt, unsigned height, quire_phys_t phys,
                    uint64_t prot);
uint64_t leaf_prot(const struct quire_pgtable *pt, unsigned height, uint64_t entry);
/* Bits of `prot`, put where an entry of this height has them. */
uint64_t leaf_bits(unsigned height, uint64_t prot);
bool prot_is_valid(const struct quire_pgtable *pt, uint64_t prot);

/* ---- shared.c -------------------------------------------------------------------------------- */

static inline bool is_kept(const struct quire_pgtable *pt, unsigned height, unsigned index)
{
    return height + 1u == pt->height && quire_load_relaxed(&pt->kept[index / 32]) >> index % 32 & 1;
}

/* Entries [first, end) of the root lead to tables from now on. 0 or -ENOMEM. */
int keep_entries(struct quire_pgtable *pt, unsigned first, unsigned end);
/* Whether entries of the root that [at, end) has part in map memory and are kept. Only i386 has
 * such, and others aren't to pay for it. */
bool find_kept_page(const struct quire_pgtable *pt, quire_linear_t at, quire_linear_t end);
static inline bool has_kept_page(const struct quire_pgtable *pt, quire_linear_t at,
                                 quire_linear_t end)
{
    return pt->step[pt->height - 1u].may_be_leaf && quire_load_relaxed(&pt->nr_kept) &&
           find_kept_page(pt, at, end);
}
/* From now on this tree shares `shared` from an address on; its root has no entries yet. 0 or
 * -EINVAL. */
int share(struct quire_pgtable *pt, struct quire_pgtable *shared, quire_linear_t from);
void copy_shared(struct quire_pgtable *pt);
/* Its root has none of them then. */
void unshare(struct quire_pgtable *pt);
/* Whether the root's shared entries are those of `shared`. */
bool shares_truly(const struct quire_pgtable *pt);

/* ---- tlb.c ----------------------------------------------------------------------------------- */

/* quire_tlb_add by [at, end). */
void batch_add(struct quire_tlb_batch *batch, quire_linear_t at, quire_linear_t end,
               unsigned page_shift);
/* quire_tlb_remove_page of a table. */
void batch_remove_table(struct quire_tlb_batch *batch, struct quire_page *page);
/* `batch`, or `own` made ready if that is NULL; and at the end. */
struct quire_tlb_batch *batch_begin(struct quire_tlb_batch *batch, struct quire_tlb_batch *own,
                                    struct quire_pgtable *pt);
void batch_end(struct quire_tlb_batch *batch, struct quire_tlb_batch *own);
/* [at, end), of PT entries, on one CPU: of what no other CPU accesses. At once. */
void flush_on_cpu(const struct quire_pgtable *pt, unsigned cpu, quire_linear_t at,
                  quire_linear_t end);

/* ---- huge.c ---------------------------------------------------------------------------------- */

/* Splits the huge mappings that [at, end) cuts, until it cuts none. 0, -ENOMEM, -EINVAL. */
int split_edges(struct quire_pgtable *pt, quire_linear_t at, quire_linear_t end,
                struct quire_tlb_batch *batch);
/* The same in two steps, of which only the first can fail: it returns how many splits there will be
 * at most, and changes nothing. */
int edges_prepare(struct quire_pgtable *pt, quire_linear_t at, quire_linear_t end,
                  struct stock *stock);
void edges_split(struct quire_pgtable *pt, quire_linear_t at, quire_linear_t end,
                 struct stock *stock, struct quire_tlb_batch *batch);

/* ---- visit.c --------------------------------------------------------------------------------- */

/* Entries on their way to a callback: at most QUIRE_PT_RUN_ENTRIES of consecutive pages. */
struct run {
    const struct quire_pgtable *pt;
    unsigned height, count;
    quire_linear_t at;
    uint64_t entry[QUIRE_PT_RUN_ENTRIES];
};

/* The run as callers see it. */
struct quire_pt_run run_told(const struct run *run);
/* Whether the entry of `height` at `at` continues the run. */
static inline bool run_continues(const struct run *run, unsigned height, quire_linear_t at)
{
    return run->count && run->count < QUIRE_PT_RUN_ENTRIES && run->height == height &&
           run->at + ((uint64_t)run->count << run->pt->step[height].shift) == at;
}

static inline void run_append(struct run *run, unsigned height, quire_linear_t at, uint64_t entry)
{
    if (!run->count) {
        run->at = at;
        run->height = height;
    }
    run->entry[run->count++] = entry;
}

#endif
