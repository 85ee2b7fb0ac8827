/* map/shared.c: root entries that several trees have
 *
 * The kernel's part of an address space is one set of tables, which the root of each process's tree
 * leads to as the kernel's own root does. Copies of an entry that changes would have to be found
 * and changed too; so only entries that don't change any more, the kept ones, are copied:
 *
 *   invariant   a kept entry is what it was when it was kept: it leads to the same table, or maps
 *               the same memory with the same rights (but for accessed and dirty, which hardware
 *               sets in the root that it uses)
 *   invariant   in a tree that shares, entries behind own_last are 0, or those of `shared` that are
 *               kept there; owner_word of its root doesn't count them
 *
 * Linux keeps the kernel's PGD entries of x86-64 the same way (preallocate_vmalloc_pages), and
 * PAE's fourth PMD; where it doesn't, on i386, it has a list of all PGDs to go through.
 */
#include "map/table.h"

static unsigned root_height(const struct quire_pgtable *pt)
{
    return pt->height - 1u;
}

/* ---- keeping --------------------------------------------------------------------------------- */

int keep_entries(struct quire_pgtable *pt, unsigned first, unsigned end)
{
    unsigned height = root_height(pt);
    struct stock stock = {NULL};
    unsigned long missing = 0;
    uint32_t added = 0;
    for (unsigned i = first; i < end; i++)
        missing += !load(pt, root_of(pt), i);
    int error = stock_fill(&stock, pt, missing);
    if (error)
        return error;
    for (unsigned i = first; i < end; i++) {
        if (!load(pt, root_of(pt), i))
            (void)table_get(pt, height, root_of(pt), i, &stock, &added);
        uint32_t bit = 1u << i % 32;
        if (!(__atomic_fetch_or(&pt->kept[i / 32], bit, __ATOMIC_RELAXED) & bit))
            (void)quire_fetch_add(&pt->nr_kept, 1);
    }
    table_count(pt, root_of(pt), added);
    stock_empty(&stock, pt);
    return 0;
}

static bool all_are_kept(const struct quire_pgtable *pt, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        if (!is_kept(pt, root_height(pt), i))
            return false;
    return true;
}

int quire_pgtable_keep(struct quire_pgtable *pt, quire_linear_t virt, uint64_t size)
{
    quire_linear_t at, end;
    int error = own_range(pt, virt, size, PT_PAGE_BYTES, &at, &end);
    if (error)
        return error;
    unsigned first = step_index(pt, root_height(pt), at);
    unsigned last = step_index(pt, root_height(pt), end - 1);
    if (all_are_kept(pt, first, last + 1))
        return 0;
    return quire_load_relaxed(&pt->nr_sharers) ? -QUIRE_EBUSY : keep_entries(pt, first, last + 1);
}

bool find_kept_page(const struct quire_pgtable *pt, quire_linear_t at, quire_linear_t end)
{
    unsigned height = root_height(pt);
    for (; at < end; at = step_next(pt, height, at, end)) {
        unsigned index = step_index(pt, height, at);
        if (is_kept(pt, height, index) && maps_memory(pt, height, load(pt, root_of(pt), index)))
            return true;
    }
    return false;
}

/* ---- sharing --------------------------------------------------------------------------------- */

static bool are_alike(const struct quire_pgtable *pt, const struct quire_pgtable *other)
{
    return pt->mem == other->mem && pt->format == other->format &&
           quire_pt_features_are_equal(&pt->features, &other->features);
}

/* What a tree that shares has in its root. */
static uint64_t shared_entry(const struct quire_pgtable *shared, unsigned index)
{
    return is_kept(shared, root_height(shared), index) ? load(shared, root_of(shared), index) : 0;
}

/* All 32 entries around one, so that none of them has to be asked. */
static bool all_of_word_kept(const struct quire_pgtable *pt, unsigned index)
{
    return quire_load_relaxed(&pt->kept[index / 32]) == UINT32_MAX;
}

/* The first entry of [index, end) that is kept; or `end`. */
static unsigned next_kept(const struct quire_pgtable *pt, unsigned index, unsigned end)
{
    while (index < end) {
        uint32_t word = quire_load_relaxed(&pt->kept[index / 32]) >> index % 32;
        if (word) {
            index += quire_ctz32(word);
            break;
        }
        index = (index | 31) + 1;
    }
    return index < end ? index : end;
}

/* Whether all entries from `index` on that aren't 0 are kept. Kept ones never are 0; so where the
 * root has no more than are kept none has to be looked at. */
static bool rest_is_kept(const struct quire_pgtable *pt, unsigned index)
{
    const unsigned height = root_height(pt), end = step_entries(pt, height);
    if (quire_load_relaxed(&table_page(pt, root_of(pt))->owner_word) ==
        quire_load_relaxed(&pt->nr_kept))
        return true;
    for (; (index = skip_zeros(pt, root_of(pt), index, end)) < end; index++) {
        if (all_of_word_kept(pt, index))
            index |= 31;
        else if (!is_kept(pt, height, index))
            return false;
    }
    return true;
}

int share(struct quire_pgtable *pt, struct quire_pgtable *shared, quire_linear_t from)
{
    unsigned height = root_height(pt);
    quire_linear_t at;
    if (shared->shared || !are_alike(pt, shared) || !strip(pt, from, &at) || !at ||
        at & (step_bytes(pt, height) - 1))
        return -QUIRE_EINVAL;
    if (!rest_is_kept(shared, step_index(pt, height, at)))
        return -QUIRE_EINVAL;
    pt->shared = shared;
    pt->own_last = at - 1;
    return 0;
}

/* Four at a time: a kernel's direct map on i386 is a hundred entries and more. (Compilers leave an
 * inner loop of four a loop.) */
static QUIRE_ALWAYS_INLINE void copy_each(void *to, const void *from, unsigned index, unsigned end,
                                          const bool wide)
{
    for (; end - index >= 4; index += 4) {
        entry_store(to, index, entry_load(from, index, wide), wide);
        entry_store(to, index + 1, entry_load(from, index + 1, wide), wide);
        entry_store(to, index + 2, entry_load(from, index + 2, wide), wide);
        entry_store(to, index + 3, entry_load(from, index + 3, wide), wide);
    }
    for (; index < end; index++)
        entry_store(to, index, entry_load(from, index, wide), wide);
}

static QUIRE_ALWAYS_INLINE void clear_each(void *table, unsigned index, unsigned end,
                                           const bool wide)
{
    for (; end - index >= 4; index += 4) {
        entry_store(table, index, 0, wide);
        entry_store(table, index + 1, 0, wide);
        entry_store(table, index + 2, 0, wide);
        entry_store(table, index + 3, 0, wide);
    }
    for (; index < end; index++)
        entry_store(table, index, 0, wide);
}

/* How many from a kept one on are kept, at most to the next multiple of 32. */
static unsigned kept_run(const struct quire_pgtable *pt, unsigned index)
{
    uint32_t others = ~(quire_load_relaxed(&pt->kept[index / 32]) >> index % 32);
    return others ? quire_ctz32(others) : 32;
}

/* Bits are looked at and not entries: one that isn't kept may go any time. */
void copy_shared(struct quire_pgtable *pt)
{
    const struct quire_pgtable *shared = pt->shared;
    unsigned height = root_height(pt);
    (void)quire_fetch_add(&pt->shared->nr_sharers, 1);
    const unsigned end = step_entries(pt, height);
    unsigned run;
    for (unsigned i = own_entries(pt, height); (i = next_kept(shared, i, end)) < end; i += run) {
        run = kept_run(shared, i);
        if (pt->wide)
            copy_each(root_of(pt), root_of(shared), i, i + run, true);
        else
            copy_each(root_of(pt), root_of(shared), i, i + run, false);
    }
}

/* What is kept can't have become more since then: that isn't done while somebody shares it. */
static void clear_shared(struct quire_pgtable *pt)
{
    const struct quire_pgtable *shared = pt->shared;
    unsigned height = root_height(pt), run;
    const unsigned end = step_entries(pt, height);
    for (unsigned i = own_entries(pt, height); (i = next_kept(shared, i, end)) < end; i += run) {
        run = kept_run(shared, i);
        if (pt->wide)
            clear_each(root_of(pt), i, i + run, true);
        else
            clear_each(root_of(pt), i, i + run, false);
    }
}

void unshare(struct quire_pgtable *pt)
{
    clear_shared(pt);
    (void)quire_fetch_add(&pt->shared->nr_sharers, -1u);
}

bool shares_truly(const struct quire_pgtable *pt)
{
    const uint64_t by_hardware = QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY;
    unsigned height = root_height(pt);
    for (unsigned i = own_entries(pt, height); i < step_entries(pt, height); i++)
        if ((load(pt, root_of(pt), i) ^ shared_entry(pt->shared, i)) & ~by_hardware)
            return false;
    return true;
}
