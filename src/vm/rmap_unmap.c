/* vm/rmap_unmap.c: a page out of all page tables, and back in
 *
 * One entry after the other is replaced, under its spinlock, by what it leaves behind; then the
 * TLBs are flushed, and only then the page loses the entry's user. What hardware left in the entry,
 * its dirty bit, goes to the page. Entries that come while the walk goes on (a fork copies one that
 * the walk has passed) leave the page with a user too many, which is what the result is told by.
 *
 * A page that was given up (MADV_FREE) may be dropped if nobody wrote to it since, which only the
 * entries know. So they lose the right to write first, flushed, and are taken if they are clean
 * then: a write in between would have had to ask by a fault. The kernel writes by its own mapping
 * to a page that it found by such an entry: a page that somebody else pins stays.
 */
#include "vm/area.h"
#include "vm/cache.h"
#include "vm/lru.h"
#include "vm/rmap_entry.h"
#include "vm/swap.h"

struct unmapping {
    struct quire_vm *vm;
    struct quire_page *page;
    unsigned flags;
    swap_entry swap; /* what entries leave behind; 0: none */
    bool given_up;
    bool refused;
};

/* ---- one entry ------------------------------------------------------------------------------- */

static void note_dirty(const struct unmapping *u, const struct quire_vma *vma)
{
    if (page_is_anon(u->page))
        page_set(u->page, PG_DIRTY);
    else
        cache_set_dirty(vma->mapping, u->page);
}

static uint64_t remains(const struct unmapping *u, uint64_t entry)
{
    if (quire_unlikely(u->flags & UNMAP_POISON))
        return entry_make(ENTRY_POISON, quire_page_to_pfn(u->page).value);
    unsigned type = entry & QUIRE_PTE_WRITE ? ENTRY_MIGRATION_WRITE : ENTRY_MIGRATION;
    uint64_t remains =
        u->flags & UNMAP_MIGRATION ? entry_make(type, quire_page_to_pfn(u->page).value) : u->swap;
    return entry & ENTRY_WP && remains ? remains | ENTRY_WP_AWAY : remains;
}

/* Beside all users' reference and the caller's there is somebody's who may write by it, and say so
 * when he is done. Under the lock of an entry that he can't come by any more. */
static bool is_pinned(const struct quire_page *page)
{
    return quire_load_acquire(&page->refcount) > 2;
}

/* Whether an entry that maps the page may go. */
static bool may_take(const struct unmapping *u, const struct quire_vma *vma, uint64_t entry)
{
    if (quire_load_relaxed(&vma->flags) & VM_LOCKED && !(u->flags & UNMAP_IGNORE_LOCKED))
        return false;
    if (!u->given_up)
        return true;
    if (entry & QUIRE_PTE_DIRTY)
        page_set(u->page, PG_DIRTY);
    return !(entry & (QUIRE_PTE_DIRTY | QUIRE_PTE_WRITE)) && !is_pinned(u->page);
}

/* Takes the page out of the entry; false: it isn't there, or u->refused. Under the entry's lock. */
static bool take_out(struct unmapping *u, struct quire_vma *vma, quire_linear_t address,
                     struct quire_tlb_batch *batch)
{
    struct quire_mm *mm = vma->mm;
    void *where;
    uint64_t entry = entry_at(mm, address, &where);
    int error = -QUIRE_EAGAIN;
    while (error == -QUIRE_EAGAIN) {
        if (!entry_maps(mm, entry, u->page))
            return false;
        u->refused = !may_take(u, vma, entry) || (u->swap && !swap_duplicate(u->vm, u->swap));
        if (u->refused)
            return false;
        error = entry_replace(mm, address, where, &entry, remains(u, entry), batch);
        if (error && u->swap)
            swap_free(u->vm, u->swap);
    }
    QUIRE_BUG_ON(error);
    if (entry & QUIRE_PTE_DIRTY)
        note_dirty(u, vma);
    mm_note_peak(mm);
    quire_tell_event(UNMAP, mm_number(mm), address >> QUIRE_PAGE_SHIFT, 1);
    rmap_remove(mm, u->page);
    if (u->swap)
        mm_add_rss(mm, RSS_SWAP, 1);
    return true;
}

static void write_protect(const struct unmapping *u, struct quire_mm *mm, quire_linear_t address,
                          struct quire_tlb_batch *batch)
{
    void *where;
    entry_lock(mm, address);
    uint64_t entry = entry_at(mm, address, &where);
    int error = -QUIRE_EAGAIN;
    while (error == -QUIRE_EAGAIN && entry_maps(mm, entry, u->page) && entry & QUIRE_PTE_WRITE)
        error =
            entry_replace(mm, address, where, &entry, entry & ~(uint64_t)QUIRE_PTE_WRITE, batch);
    entry_unlock(mm, address);
    quire_tlb_flush(batch);
}

static bool unmap_one(void *arg, struct quire_vma *vma, quire_linear_t address)
{
    struct unmapping *u = arg;
    struct quire_mm *mm = vma->mm;
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, &mm->pt);
    if (u->given_up)
        write_protect(u, mm, address, &batch);
    entry_lock(mm, address);
    bool taken = take_out(u, vma, address, &batch);
    entry_unlock(mm, address);
    quire_tlb_flush(&batch);
    if (taken)
        page_unuse(u->vm, u->page);
    return !u->refused;
}

/* ---- all entries ----------------------------------------------------------------------------- */

bool try_to_unmap(struct quire_vm *vm, struct quire_page *page, unsigned flags)
{
    bool to_swap = page_is_anon(page) && !(flags & (UNMAP_MIGRATION | UNMAP_POISON));
    struct unmapping u = {.vm = vm, .page = page, .flags = flags};
    if (to_swap && page_has(page, PG_SWAPCACHE))
        u.swap = swap_cache_entry(vm, page);
    else if (to_swap && page_has(page, PG_DIRTY))
        return !page_mapcount(page);
    u.given_up = to_swap && !u.swap;
    unsigned callers = flags & UNMAP_MIGRATION && !page_is_cached(page);
    if (page_mapcount(page) > callers)
        rmap_walk(vm, page, unmap_one, &u);
    return !u.refused && page_mapcount(page) == callers;
}

/* ---- back ------------------------------------------------------------------------------------ */

struct remapping {
    struct quire_vm *vm;
    struct quire_page *from, *to;
};

/* An entry for the page by the area's flags, with the right to write if it had that and the area
 * still does. As if it had just been used: it is worth the trouble of having been moved. */
static uint64_t mapping_entry(const struct quire_vma *vma, struct quire_page *page, uint64_t away)
{
    bool write = entry_type(away) == ENTRY_MIGRATION_WRITE;
    uint32_t flags = quire_load_relaxed(&vma->flags);
    uint64_t entry = quire_page_to_phys(page) | QUIRE_PTE_USER | QUIRE_PTE_ACCESSED;
    if (away & ENTRY_WP_AWAY) {
        entry |= ENTRY_WP;
        write = false;
    }
    if (!(flags & VM_EXEC))
        entry |= vma->mm->pt.prot_mask & QUIRE_PTE_NX;
    if (!(flags & VM_ACCESS))
        return entry | ENTRY_PROTNONE;
    return entry | QUIRE_PTE_PRESENT | (write && flags & VM_WRITE ? QUIRE_PTE_WRITE : 0);
}

/* The user is counted before the entry can be seen, and given back if there is none to be written:
 * the caller has another one. */
static bool remap_one(void *arg, struct quire_vma *vma, quire_linear_t address)
{
    struct remapping *r = arg;
    struct quire_mm *mm = vma->mm;
    int error = -QUIRE_EAGAIN;
    void *where;
    entry_lock(mm, address);
    uint64_t entry = entry_at(mm, address, &where);
    bool awaited = entry_awaits(entry, r->from), added = awaited && rmap_add(mm, r->to);
    QUIRE_BUG_ON(awaited && !added); /* it had as many users before */
    while (error == -QUIRE_EAGAIN && entry_awaits(entry, r->from)) {
        error = quire_cmpxchg_entry_at(&mm->pt, where, &entry, mapping_entry(vma, r->to, entry));
    }
    if (!error && vma->flags & VM_LOCKED)
        lru_mlock(r->vm, r->to); /* under the lock, which munlock takes after it changed the area */
    entry_unlock(mm, address);
    if (added && !error)
        quire_tell_event(MAP, mm_number(mm), address >> QUIRE_PAGE_SHIFT, 1);
    if (added && error) {
        rmap_remove(mm, r->to);
        page_unuse(r->vm, r->to);
    }
    return true;
}

void remove_migration_entries(struct quire_vm *vm, struct quire_page *from, struct quire_page *to)
{
    struct remapping r = {.vm = vm, .from = from, .to = to};
    rmap_walk(vm, to, remap_one, &r);
}
