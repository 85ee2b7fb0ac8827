/* map/huge.c: huge mappings, taken apart and put together
 *
 * A split replaces one entry by a table that translates the same. The table is made complete before
 * it is seen, and the entry replaced by a compare-exchange, so that what hardware set in it since
 * it was read (accessed, dirty) isn't lost.
 *
 * A collapse replaces the entry that led to a table. Hardware may go on setting bits in the table
 * until it is flushed: so it is flushed, and then those bits are gathered once more. At every
 * moment both ways lead to the same memory with the same rights; which page size a TLB has may
 * differ (SDM 3A, 4.10.2.3).
 */
#include "map/table.h"

#define MOVING (QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY) /* what hardware sets */

/* Where the walk to an address ends: at an entry that doesn't lead to a table, or at PT. */
struct place {
    void *table;
    unsigned height, index;
    uint64_t entry;
};

static struct place place_of(const struct quire_pgtable *pt, quire_linear_t at, unsigned lowest)
{
    struct place p = {.table = root_of(pt), .height = pt->height - 1u};
    for (;; p.height--) {
        p.index = step_index(pt, p.height, at);
        p.entry = load(pt, p.table, p.index);
        if (p.height == lowest || !leads_to_table(pt, p.height, p.entry))
            return p;
        p.table = table_of(pt, p.entry);
    }
}

/* ---- split ----------------------------------------------------------------------------------- */

static bool can_split(const struct quire_pgtable *pt, const struct place *p)
{
    quire_phys_t phys = quire_pt_leaf_phys(pt->format, step_level(pt, p->height), p->entry);
    return phys + step_bytes(pt, p->height) <= pt->step[p->height - 1].phys_end;
}

/* Ready to be seen, as what `p` maps. */
static void fill_table(const struct quire_pgtable *pt, const struct place *p, void *table)
{
    unsigned below = p->height - 1;
    quire_phys_t phys = quire_pt_leaf_phys(pt->format, step_level(pt, p->height), p->entry);
    uint64_t prot = leaf_prot(pt, p->height, p->entry);
    for (unsigned i = 0; i < step_entries(pt, below); i++)
        store(pt, table, i, leaf_entry(pt, below, phys + i * step_bytes(pt, below), prot));
}

/* Who came too late has filled it, and what is in stock is zero. */
static void put_back(const struct quire_pgtable *pt, unsigned height, struct quire_page *page,
                     struct stock *stock)
{
    void *table = quire_port_phys_to_virt(pt->port, quire_page_to_phys(page));
    for (unsigned i = 0; i < step_entries(pt, height); i++)
        store(pt, table, i, 0);
    stock_put(stock, page);
}

/* Does nothing where another did it first: the owner of another range in the same huge page. */
static void split(struct quire_pgtable *pt, struct place *p, quire_linear_t at, struct stock *stock,
                  struct quire_tlb_batch *batch)
{
    uint64_t bytes = step_bytes(pt, p->height);
    struct quire_page *page = stock_take(stock);
    uint64_t desired = entry_of_table(pt, p->height, page);
    do {
        if (!entry_is_present(p->entry) || !maps_memory(pt, p->height, p->entry)) {
            put_back(pt, p->height - 1, page, stock);
            return;
        }
        fill_table(pt, p, quire_port_phys_to_virt(pt->port, quire_page_to_phys(page)));
        page->owner_word = step_entries(pt, p->height - 1);
    } while (!compare_exchange(pt, p->table, p->index, &p->entry, desired));
    table_came(pt, p->height - 1);
    at &= ~(bytes - 1);
    batch_add(batch, at, at + bytes, pt->step[p->height].shift);
}

int quire_split(struct quire_pgtable *pt, quire_linear_t virt, struct quire_tlb_batch *batch)
{
    struct quire_tlb_batch own;
    struct stock stock = {NULL};
    quire_linear_t at;
    if (!strip_own(pt, virt, &at))
        return -QUIRE_EINVAL;
    struct place p = place_of(pt, at, 0);
    if (!p.height || !entry_is_present(p.entry))
        return -QUIRE_ENOENT;
    if (is_kept(pt, p.height, p.index))
        return -QUIRE_EBUSY;
    if (!can_split(pt, &p))
        return -QUIRE_EINVAL;
    int error = stock_fill(&stock, pt, 1);
    if (error)
        return error;
    batch = batch_begin(batch, &own, pt);
    split(pt, &p, at, &stock, batch);
    stock_empty(&stock, pt);
    batch_end(batch, &own);
    return 0;
}

/* Splits that an edge of a range needs; into *error whether one can't be. */
static unsigned splits_at(const struct quire_pgtable *pt, quire_linear_t edge, int *error)
{
    unsigned count = 0;
    if (edge - 1 == pt->address_last)
        return 0;
    struct place p = place_of(pt, edge, 0);
    if (!entry_is_present(p.entry))
        return 0;
    for (unsigned height = p.height; edge & (step_bytes(pt, height) - 1); height--)
        count++;
    if (count && !can_split(pt, &p))
        *error = -QUIRE_EINVAL;
    return count;
}

/* Each turn goes by what one walk found: others may split the same page meanwhile. */
static void split_at(struct quire_pgtable *pt, quire_linear_t edge, struct stock *stock,
                     struct quire_tlb_batch *batch)
{
    while (edge - 1 != pt->address_last) {
        struct place p = place_of(pt, edge, 0);
        if (!entry_is_present(p.entry) || !(edge & (step_bytes(pt, p.height) - 1)))
            return;
        split(pt, &p, edge, stock, batch);
    }
}

int edges_prepare(struct quire_pgtable *pt, quire_linear_t at, quire_linear_t end,
                  struct stock *stock)
{
    int error = 0;
    if (!quire_load_relaxed(&pt->has_huge))
        return 0;
    /* Both edges in one huge page may share a split: then a page is left over. */
    unsigned count = splits_at(pt, at, &error) + splits_at(pt, end, &error);
    if (quire_unlikely(count) && !error)
        error = stock_fill(stock, pt, count);
    return error ? error : (int)count;
}

void edges_split(struct quire_pgtable *pt, quire_linear_t at, quire_linear_t end,
                 struct stock *stock, struct quire_tlb_batch *batch)
{
    split_at(pt, at, stock, batch);
    split_at(pt, end, stock, batch);
    stock_empty(stock, pt);
}

int split_edges(struct quire_pgtable *pt, quire_linear_t at, quire_linear_t end,
                struct quire_tlb_batch *batch)
{
    struct stock stock = {NULL};
    int count = edges_prepare(pt, at, end, &stock);
    if (quire_unlikely(count > 0))
        edges_split(pt, at, end, &stock, batch);
    return count < 0 ? count : 0;
}

/* ---- collapse -------------------------------------------------------------------------------- */

/* 0 and what the entries have in common, accessed and dirty that any has included; -ENOENT,
 * -EINVAL.
 */
static int gather(const struct quire_pgtable *pt, unsigned below, const void *table,
                  quire_phys_t *phys, uint64_t *prot)
{
    for (unsigned i = 0; i < step_entries(pt, below); i++) {
        uint64_t entry = load(pt, table, i);
        if (!entry_is_present(entry))
            return -QUIRE_ENOENT;
        if (!maps_memory(pt, below, entry))
            return -QUIRE_EINVAL;
        quire_phys_t at = quire_pt_leaf_phys(pt->format, step_level(pt, below), entry);
        uint64_t own = leaf_prot(pt, below, entry);
        if (!i) {
            *phys = at;
            *prot = own;
        }
        if (at != *phys + i * step_bytes(pt, below) || (own ^ *prot) & ~(uint64_t)MOVING)
            return -QUIRE_EINVAL;
        *prot |= own;
    }
    return 0;
}

/* Hardware set bits in the table that was replaced, until it was flushed. */
static void gather_late(const struct quire_pgtable *pt, const struct place *p, const void *table)
{
    uint64_t late = 0, entry = load(pt, p->table, p->index);
    for (unsigned i = 0; i < step_entries(pt, p->height - 1); i++)
        late |= load(pt, table, i) & MOVING;
    while (!compare_exchange(pt, p->table, p->index, &entry, entry | late))
        ;
}

static void collapse(struct quire_pgtable *pt, const struct place *p, quire_linear_t at,
                     uint64_t entry, struct quire_tlb_batch *batch)
{
    void *table = table_of(pt, p->entry);
    uint64_t bytes = step_bytes(pt, p->height);
    at &= ~(bytes - 1);
    quire_store_relaxed(&pt->has_huge, true);
    store(pt, p->table, p->index, entry);
    batch_add(batch, at, at + bytes, pt->step[p->height - 1].shift);
    quire_tlb_flush(batch);
    gather_late(pt, p, table);
    table_left(pt, p->height - 1, table, at, batch);
}

int quire_collapse(struct quire_pgtable *pt, quire_linear_t virt, enum quire_pt_level level,
                   struct quire_tlb_batch *batch)
{
    struct quire_tlb_batch own;
    quire_linear_t at;
    uint64_t prot = 0;
    quire_phys_t phys = 0;
    unsigned height = 1;
    while (height < pt->height && step_level(pt, height) != level)
        height++;
    if (!strip_own(pt, virt, &at) || height == pt->height || !pt->step[height].may_be_leaf)
        return -QUIRE_EINVAL;
    struct place p = place_of(pt, at, height);
    if (p.height != height || !leads_to_table(pt, height, p.entry))
        return -QUIRE_ENOENT;
    if (is_kept(pt, height, p.index))
        return -QUIRE_EBUSY;
    int error = gather(pt, height - 1, table_of(pt, p.entry), &phys, &prot);
    if (error)
        return error;
    if (phys & (step_bytes(pt, height) - 1))
        return -QUIRE_EINVAL;
    batch = batch_begin(batch, &own, pt);
    collapse(pt, &p, at, leaf_entry(pt, height, phys, prot), batch);
    batch_end(batch, &own);
    return 0;
}
