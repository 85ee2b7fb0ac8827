/* vm/move.c: mremap: entries from one place to another
 *
 * A table's reach at a time, with tables made beforehand, while walks of reverse maps are kept out:
 * a truncation must find each page in one place or the other, and nobody may find one in the new
 * place before TLBs have forgotten the old one. Who took it from there (reclaim) would flush only
 * what he knows of, and free a frame that a processor still writes to. Entries of a page that is
 * being moved in memory (migration) have to be found again by who moves it, so they are waited for,
 * unlocked.
 */
#include "vm/fault.h"

#define TABLE_BYTES ((quire_linear_t)1 << 21)

/* Makes the tables for an address, which no fault can be using. Walkers of reverse maps take an
 * entry without a page for one that isn't theirs. */
static int make_tables(struct quire_mm *mm, quire_linear_t at)
{
    struct quire_pt_query query;
    uint64_t expected = 0, marker = entry_make(ENTRY_POISON, 0);
    if (!quire_query(&mm->pt, at, &query) || query.level == QUIRE_PT)
        return 0;
    int error = quire_cmpxchg_entry(&mm->pt, at, &expected, marker);
    if (error)
        return error;
    error = quire_cmpxchg_entry(&mm->pt, at, &marker, 0);
    QUIRE_BUG_ON(error);
    return 0;
}

/* How far it came: less than `size` if it met a page that is being moved in memory, whose mover
 * needs the lock that the caller holds. */
static quire_linear_t move_piece(struct quire_mm *mm, quire_linear_t from, quire_linear_t to,
                                 quire_linear_t size)
{
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, &mm->pt);
    entry_lock(mm, from);
    quire_linear_t done = quire_move_entries(&mm->pt, from, to, size, entry_is_migration, &batch);
    entry_unlock(mm, from);
    quire_tlb_flush(&batch);
    return done;
}

int move_entries(struct quire_vma *from_vma, quire_linear_t from, struct quire_vma *to_vma,
                 quire_linear_t to, quire_linear_t size)
{
    struct quire_mm *mm = from_vma->mm;
    (void)to_vma;
    const quire_linear_t end = from + size, offset = to - from;
    /* A place without entries needs no tables at the other one, and who moves entries back finds
     * those that they came from. */
    while ((from = next_entry(mm, from, end)) < end) {
        to = from + offset;
        quire_linear_t in_to = TABLE_BYTES - (to & (TABLE_BYTES - 1));
        quire_linear_t in_from = TABLE_BYTES - (from & (TABLE_BYTES - 1));
        quire_linear_t piece = in_to < in_from ? in_to : in_from;
        piece = piece < end - from ? piece : end - from;
        int error = make_tables(mm, to);
        if (error)
            return error;
        rmap_lock_walks(from_vma);
        quire_linear_t done = move_piece(mm, from, to, piece);
        rmap_unlock_walks(from_vma);
        quire_tell_event(MOVE, mm_number(mm), from >> QUIRE_PAGE_SHIFT, to >> QUIRE_PAGE_SHIFT,
                         done >> QUIRE_PAGE_SHIFT);
        if (done < piece)
            quire_port_relax();
        from += done;
    }
    return 0;
}
