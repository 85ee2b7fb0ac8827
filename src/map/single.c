/* map/single.c: single entries, for faults
 *
 * A fault finds an entry, makes up its mind, and replaces it if it is still what it was: whoever
 * comes second finds another one and looks again. So these need no owner but that no table goes
 * away meanwhile.
 */
#include "map/table.h"

/* Where the PT entry of an address is, or how far the walk to it gets: to an entry of a table of
 * `height`. */
struct slot {
    void *table;
    unsigned height, index;
};

/* 0; or how many tables are missing; or -EEXIST: a huge page is mapped there. */
static int find_slot(const struct quire_pgtable *pt, quire_linear_t at, struct slot *slot)
{
    slot->table = table_at(pt, at, &slot->height);
    slot->index = step_index(pt, slot->height, at);
    if (!slot->height)
        return 0;
    uint64_t entry = load(pt, slot->table, slot->index);
    return !entry || leads_to_table(pt, slot->height, entry) ? (int)slot->height : -QUIRE_EEXIST;
}

/* Goes on to the PT entry, with tables from the stock where others haven't made them meanwhile. 0
 * or -EEXIST: a huge page came. */
static int make_slot(struct quire_pgtable *pt, quire_linear_t at, struct stock *stock,
                     struct slot *slot)
{
    for (; slot->height; slot->height--) {
        uint32_t added = 0;
        void *below = table_get(pt, slot->height, slot->table, slot->index, stock, &added);
        if (added)
            table_count(pt, slot->table, added);
        if (!below)
            return -QUIRE_EEXIST;
        slot->table = below;
        slot->index = step_index(pt, slot->height - 1, at);
    }
    return 0;
}

static bool entry_is_valid(const struct quire_pgtable *pt, uint64_t entry)
{
    if (!pt->wide && entry > UINT32_MAX)
        return false;
    return !entry_is_present(entry) || !(entry & pt->reserved);
}

static QUIRE_ALWAYS_INLINE uint64_t find_entry(const struct quire_pgtable *pt, quire_linear_t at,
                                               void **where)
{
    unsigned height;
    char *table = table_at(pt, at, &height);
    if (height)
        return 0;
    unsigned index = step_index(pt, 0, at);
    *where = table + index * (pt->wide ? sizeof(uint64_t) : sizeof(uint32_t));
    return load(pt, table, index);
}

uint64_t quire_find_entry(const struct quire_pgtable *pt, quire_linear_t virt, void **where)
{
    quire_linear_t at;
    *where = NULL;
    return strip_own(pt, virt, &at) ? find_entry(pt, at, where) : 0;
}

uint64_t quire_get_entry(const struct quire_pgtable *pt, quire_linear_t virt)
{
    void *where;
    quire_linear_t at;
    return strip(pt, virt, &at) ? find_entry(pt, at, &where) : 0;
}

uint64_t quire_entry_at(const struct quire_pgtable *pt, const void *where)
{
    return load(pt, where, 0);
}

/* The last step of all who replace an entry that isn't present. */
static int exchange_entry(struct quire_pgtable *pt, void *table, unsigned index, uint64_t *expected,
                          uint64_t desired)
{
    uint64_t old = *expected;
    if (!compare_exchange(pt, table, index, expected, desired))
        return -QUIRE_EAGAIN;
    uint32_t change = (uint32_t)(desired != 0) - (uint32_t)(old != 0);
    if (change)
        table_count(pt, table, change);
    return 0;
}

int quire_cmpxchg_entry_at(struct quire_pgtable *pt, void *where, uint64_t *expected,
                           uint64_t desired)
{
    if (entry_is_present(*expected) || !entry_is_valid(pt, desired))
        return -QUIRE_EINVAL;
    return exchange_entry(pt, where, 0, expected, desired);
}

static QUIRE_ALWAYS_INLINE uint32_t fill(void *where, const uint64_t *entry, unsigned count,
                                         uint32_t *added, const bool wide)
{
    uint32_t filled = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t expected = 0;
        if (!entry[i] || !entry_compare_exchange(where, i, &expected, entry[i], wide))
            continue;
        filled |= 1u << i;
        ++*added;
    }
    return filled;
}

uint32_t quire_fill_entries_at(struct quire_pgtable *pt, void *where, const uint64_t *entry,
                               unsigned count)
{
    uint32_t added = 0;
    QUIRE_ASSERT(count <= 32);
    uint32_t filled = pt->wide ? fill(where, entry, count, &added, true)
                               : fill(where, entry, count, &added, false);
    if (added)
        table_count(pt, where, added);
    return filled;
}

int quire_cmpxchg_entry(struct quire_pgtable *pt, quire_linear_t virt, uint64_t *expected,
                        uint64_t desired)
{
    struct stock stock = {NULL};
    struct slot slot;
    quire_linear_t at;
    uint64_t old = *expected;
    if (!strip_own(pt, virt, &at) || entry_is_present(old) || !entry_is_valid(pt, desired))
        return -QUIRE_EINVAL;
    int missing = find_slot(pt, at, &slot);
    if (missing < 0)
        return missing;
    if (missing && old) {
        *expected = 0;
        return -QUIRE_EAGAIN;
    }
    if (missing && !desired)
        return 0;
    if (missing) {
        int error = stock_fill(&stock, pt, (unsigned long)missing);
        if (!error)
            error = make_slot(pt, at, &stock, &slot);
        stock_empty(&stock, pt);
        if (error)
            return error;
    }
    return exchange_entry(pt, slot.table, slot.index, expected, desired);
}

/* ---- present entries ------------------------------------------------------------------------- */

#define BY_HARDWARE ((uint64_t)(QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY))

/* `desired`, with what hardware set in `found` since it was `expected`, if both are of one frame.
 */
static inline uint64_t with_late_bits(const struct quire_pgtable *pt, uint64_t desired,
                                      uint64_t found, uint64_t expected)
{
    if (!entry_is_present(desired) || (desired ^ found) & pt->format->address_mask)
        return desired;
    return desired | (found & ~expected & BY_HARDWARE);
}

/* Replaces the entry that is *expected but for what hardware sets. 0, -EAGAIN; *expected is what it
 * was either way, and *flush whether a TLB must know. */
static int update_wide(struct quire_pgtable *pt, void *table, unsigned index, uint64_t *expected,
                       uint64_t wanted, bool *flush)
{
    uint64_t found = *expected, old = *expected, desired;
    do {
        if ((found ^ old) & ~BY_HARDWARE) {
            *expected = found;
            return -QUIRE_EAGAIN;
        }
        desired = with_late_bits(pt, wanted, found, old);
    } while (!entry_compare_exchange(table, index, &found, desired, true));
    *expected = found;
    if (!desired)
        table_count(pt, table, -1u);
    *flush = entry_needs_flush(pt, found, desired);
    return 0;
}

/* The same of 32 bits, in half as many words where those have 32. */
static int update_narrow(struct quire_pgtable *pt, uint32_t *where, uint64_t *expected,
                         uint32_t wanted, bool *flush)
{
    const uint32_t by_hardware = (uint32_t)BY_HARDWARE, old = (uint32_t)*expected;
    const uint32_t mask = entry_is_present(wanted) ? (uint32_t)pt->address_mask : 0;
    uint32_t found = old, desired;
    do {
        if ((found ^ old) & ~by_hardware) {
            *expected = found;
            return -QUIRE_EAGAIN;
        }
        desired = wanted;
        if (mask && !((wanted ^ found) & mask))
            desired |= found & ~old & by_hardware;
    } while (!quire_compare_exchange(where, &found, desired));
    *expected = found;
    if (!desired)
        table_count(pt, where, -1u);
    *flush = (uint32_t)bits_to_flush(0, desired & ~found, found & ~desired) != 0;
    return 0;
}

static inline int update(struct quire_pgtable *pt, void *table, unsigned index, uint64_t *expected,
                         uint64_t wanted, bool *flush)
{
    return pt->wide
               ? update_wide(pt, table, index, expected, wanted, flush)
               : update_narrow(pt, (uint32_t *)table + index, expected, (uint32_t)wanted, flush);
}

int quire_update_entry(struct quire_pgtable *pt, quire_linear_t virt, uint64_t *expected,
                       uint64_t desired, struct quire_tlb_batch *batch)
{
    struct slot slot;
    quire_linear_t at;
    bool flush;
    if (!strip_own(pt, virt, &at) || !entry_is_present(*expected) || !entry_is_valid(pt, desired))
        return -QUIRE_EINVAL;
    int error = find_slot(pt, at, &slot);
    if (error > 0) {
        *expected = 0;
        return -QUIRE_EAGAIN;
    }
    if (!error)
        error = update(pt, slot.table, slot.index, expected, desired, &flush);
    if (error || !flush)
        return error;
    if (batch)
        quire_tlb_add(batch, virt & ~(PT_PAGE_BYTES - 1), PT_PAGE_BYTES, PT_SHIFT);
    else
        quire_tlb_flush_page(pt, virt);
    return 0;
}

int quire_update_entry_at(struct quire_pgtable *pt, void *where, uint64_t *expected,
                          uint64_t desired, bool *flush)
{
    if (!entry_is_present(*expected) || !entry_is_valid(pt, desired))
        return -QUIRE_EINVAL;
    return update(pt, where, 0, expected, desired, flush);
}
