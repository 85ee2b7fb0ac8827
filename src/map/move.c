/* map/move.c: entries from one place of a tree to another
 *
 * What mremap needs: within one PT each, so that two walks are paid for by up to 512 entries, and
 * the two tables' counts change once. Hardware may still use an entry while it is taken out, so it
 * is exchanged, and with it goes what hardware had set.
 */
#include "map/table.h"

struct moved {
    unsigned looked_at; /* entries up to one that stays */
    uint32_t count;
    uint64_t any; /* of all of them */
};

static QUIRE_ALWAYS_INLINE uint64_t move_one(void *from, void *to, unsigned index, const bool wide)
{
    uint64_t entry = entry_exchange(from, index, 0, wide);
    entry_store(to, index, entry, wide);
    return entry;
}

/* One branch for all of them. */
static QUIRE_ALWAYS_INLINE bool four_are_present(const void *table, unsigned index, const bool wide)
{
    unsigned present = 1;
    for (unsigned i = 0; i < 4; i++)
        present &= entry_peek_present(table, index + i, wide);
    return present;
}

/* Present entries from `index` on; where they end. *any gathers them. */
static QUIRE_ALWAYS_INLINE unsigned move_present(void *from, void *to, unsigned index, unsigned end,
                                                 uint64_t *any, const bool wide)
{
    uint64_t gathered = 0;
    while (end - index >= 4 && four_are_present(from, index, wide)) {
        gathered |= move_one(from, to, index, wide) | move_one(from, to, index + 1, wide) |
                    move_one(from, to, index + 2, wide) | move_one(from, to, index + 3, wide);
        index += 4;
    }
    while (index < end && entry_peek_present(from, index, wide))
        gathered |= move_one(from, to, index++, wide);
    *any |= gathered;
    return index;
}

static QUIRE_ALWAYS_INLINE struct moved move(void *from, void *to, unsigned count,
                                             bool (*stays)(uint64_t), const bool wide)
{
    struct moved moved = {.looked_at = 0};
    unsigned i = 0;
    while (i < count) {
        if (!entry_peek_present(from, i, wide)) {
            uint64_t absent = entry_load(from, i, wide);
            if (!absent) {
                i = entry_skip_zeros(from, i + 1, count, wide);
                continue;
            }
            if (!entry_is_present(absent) && stays(absent))
                break;
            moved.any |= move_one(from, to, i++, wide);
            moved.count++;
            continue;
        }
        const unsigned first = i;
        i = move_present(from, to, i, count, &moved.any, wide);
        moved.count += i - first;
    }
    moved.looked_at = i;
    return moved;
}

/* Where the PT entry of `at` is; NULL: there is no such table. */
static void *pt_entry(const struct quire_pgtable *pt, quire_linear_t at)
{
    unsigned height;
    char *table = table_at(pt, at, &height);
    QUIRE_BUG_ON(height && load(pt, table, step_index(pt, height, at)));
    return height ? NULL : table + step_index(pt, 0, at) * pt->format->entry_bytes;
}

quire_linear_t quire_move_entries(struct quire_pgtable *pt, quire_linear_t from, quire_linear_t to,
                                  uint64_t size, bool (*stays)(uint64_t entry),
                                  struct quire_tlb_batch *batch)
{
    quire_linear_t source_at, target_at;
    const unsigned count = (unsigned)(size >> PT_SHIFT);
    QUIRE_BUG_ON(!strip_own(pt, from, &source_at) || !strip_own(pt, to, &target_at));
    QUIRE_BUG_ON(step_index(pt, 0, source_at) + count > step_entries(pt, 0) ||
                 step_index(pt, 0, target_at) + count > step_entries(pt, 0));
    void *source = pt_entry(pt, source_at), *target = pt_entry(pt, target_at);
    if (!source)
        return size;
    QUIRE_BUG_ON(!target);
    struct moved moved = pt->wide ? move(source, target, count, stays, true)
                                  : move(source, target, count, stays, false);
    table_count(pt, source, 0 - moved.count);
    table_count(pt, target, moved.count);
    if (entry_is_present(moved.any))
        batch_add(batch, source_at, source_at + ((quire_linear_t)moved.looked_at << PT_SHIFT),
                  PT_SHIFT);
    return (quire_linear_t)moved.looked_at << PT_SHIFT;
}
