/* map/single.c: single entries, for faults
 *
 * A fault finds an entry, makes up its mind, and replaces it if it is still what it was: whoever
 * comes second finds another one and looks again. So these need no owner but that no table goes
 * away meanwhile.
 */
#include "map/table.h"

/* Where the PT entry of an address is. */
struct slot {
    void *table;
    unsigned index;
};

/* Tables that the walk to `at` lacks; -EEXIST: a huge page is mapped there. */
static int missing_tables(const struct quire_pgtable *pt, uint64_t at)
{
    const void *table = root_of(pt);
    for (unsigned height = pt->height - 1u; height; height--) {
        uint64_t entry = load(pt, table, step_index(pt, height, at));
        if (!entry)
            return (int)height;
        if (!leads_to_table(pt, height, entry))
            return -QUIRE_EEXIST;
        table = table_of(pt, entry);
    }
    return 0;
}

/* All tables are there, or in the stock. 0 or -EEXIST: a huge page came meanwhile. */
static int find_slot(struct quire_pgtable *pt, uint64_t at, struct stock *stock, struct slot *slot)
{
    void *table = root_of(pt);
    for (unsigned height = pt->height - 1u; height; height--) {
        uint32_t added = 0;
        void *below = table_get(pt, height, table, step_index(pt, height, at), stock, &added);
        if (added)
            table_count(pt, table, added);
        if (!below)
            return -QUIRE_EEXIST;
        table = below;
    }
    *slot = (struct slot){table, step_index(pt, 0, at)};
    return 0;
}

static bool entry_is_valid(const struct quire_pgtable *pt, uint64_t entry)
{
    if (!pt->wide && entry > UINT32_MAX)
        return false;
    return !entry_is_present(entry) ||
           !(entry & quire_pt_reserved(pt->format, &pt->features, QUIRE_PT, true));
}

int quire_cmpxchg_entry(struct quire_pgtable *pt, quire_linear_t virt, uint64_t *expected,
                        uint64_t desired)
{
    struct stock stock = {NULL};
    struct slot slot;
    uint64_t at, old = *expected;
    if (!strip(pt, virt, &at) || entry_is_present(old) || !entry_is_valid(pt, desired))
        return -QUIRE_EINVAL;
    int missing = missing_tables(pt, at);
    if (missing < 0)
        return missing;
    if (missing && old) {
        *expected = 0;
        return -QUIRE_EAGAIN;
    }
    if (missing && !desired)
        return 0;
    int error = stock_fill(&stock, pt, (unsigned long)missing);
    if (error)
        return error;
    error = find_slot(pt, at, &stock, &slot);
    stock_empty(&stock, pt);
    if (error)
        return error;
    if (!compare_exchange(pt, slot.table, slot.index, expected, desired))
        return -QUIRE_EAGAIN;
    uint32_t change = (uint32_t)(desired != 0) - (uint32_t)(old != 0);
    if (change)
        table_count(pt, slot.table, change);
    return 0;
}

/* ---- present entries ------------------------------------------------------------------------- */

#define BY_HARDWARE ((uint64_t)(QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY))

/* `desired`, with what hardware set in `found` since it was `expected`, if both are of one frame.
 */
static uint64_t with_late_bits(const struct quire_pgtable *pt, uint64_t desired, uint64_t found,
                               uint64_t expected)
{
    if (!entry_is_present(desired) || (desired ^ found) & pt->format->address_mask)
        return desired;
    return desired | (found & ~expected & BY_HARDWARE);
}

/* Replaces the entry that is *expected but for what hardware sets. 0, -EAGAIN; *expected is what it
 * was either way, and *desired what it is. */
static int update(struct quire_pgtable *pt, const struct slot *slot, uint64_t *expected,
                  uint64_t *desired)
{
    uint64_t found = *expected, old = *expected, wanted = *desired;
    do {
        if ((found ^ old) & ~BY_HARDWARE) {
            *expected = found;
            return -QUIRE_EAGAIN;
        }
        *desired = with_late_bits(pt, wanted, found, old);
    } while (!compare_exchange(pt, slot->table, slot->index, &found, *desired));
    *expected = found;
    return 0;
}

int quire_update_entry(struct quire_pgtable *pt, quire_linear_t virt, uint64_t *expected,
                       uint64_t desired, struct quire_tlb_batch *batch)
{
    struct quire_tlb_batch own;
    struct stock stock = {NULL};
    struct slot slot;
    uint64_t at;
    if (!strip(pt, virt, &at) || !entry_is_present(*expected) || !entry_is_valid(pt, desired))
        return -QUIRE_EINVAL;
    int error = missing_tables(pt, at);
    if (error > 0) {
        *expected = 0;
        return -QUIRE_EAGAIN;
    }
    if (!error)
        error = find_slot(pt, at, &stock, &slot);
    if (!error)
        error = update(pt, &slot, expected, &desired);
    if (error)
        return error;
    if (!desired)
        table_count(pt, slot.table, -1u);
    if (entry_needs_flush(pt, *expected, desired)) {
        at &= ~(PT_PAGE_BYTES - 1);
        batch = batch_begin(batch, &own, pt);
        batch_add(batch, at, at + PT_PAGE_BYTES, PT_SHIFT);
        batch_end(batch, &own);
    }
    return 0;
}
