/* vm/rmap_harvest.c: what hardware left in a page's entries: accessed and dirty bits
 *
 * Accessed bits are cleared without a flush, so that a page whose entry a TLB holds may seem unused
 * for a while, as on Linux; or with one, if the configuration says so. Dirty bits go together with
 * the right to write, flushed: whoever writes again asks by a fault.
 */
#include "vm/rmap_entry.h"

/* ---- referenced ------------------------------------------------------------------------------ */

struct referenced {
    struct quire_page *page;
    unsigned count;
    uint32_t flags;
};

/* Clears the accessed bit of an entry that maps the page: whether it was set. */
static bool clear_accessed(struct quire_mm *mm, void *where, uint64_t entry,
                           const struct quire_page *page)
{
    const uint64_t accessed = QUIRE_PTE_ACCESSED;
    int error = -QUIRE_EAGAIN;
    bool flush; /* is the caller's to decide */
    while (error == -QUIRE_EAGAIN && entry_maps(mm, entry, page) && entry & accessed)
        error = entry_present(entry)
                    ? quire_update_entry_at(&mm->pt, where, &entry, entry & ~accessed, &flush)
                    : quire_cmpxchg_entry_at(&mm->pt, where, &entry, entry & ~accessed);
    return !error;
}

static void flush_page(struct quire_mm *mm, quire_linear_t address)
{
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, &mm->pt);
    quire_tlb_add(&batch, address, QUIRE_PAGE_SIZE, QUIRE_PAGE_SHIFT);
    quire_tlb_flush(&batch);
}

/* Pages that are read once, in order or at random, say nothing by having been used. */
static bool referenced_one(void *arg, struct quire_vma *vma, quire_linear_t address)
{
    struct referenced *r = arg;
    struct quire_mm *mm = vma->mm;
    uint32_t flags = quire_load_relaxed(&vma->flags);
    void *where;
    entry_lock(mm, address);
    uint64_t entry = entry_at(mm, address, &where);
    bool maps = entry_maps(mm, entry, r->page), locked = maps && flags & VM_LOCKED;
    bool accessed = maps && !locked && clear_accessed(mm, where, entry, r->page);
    entry_unlock(mm, address);
    if (accessed && mm->vm->config.flush_accessed)
        flush_page(mm, address);
    if (locked)
        r->flags |= VM_LOCKED;
    if (accessed && !(flags & (VM_SEQ_READ | VM_RAND_READ))) {
        r->count++;
        r->flags |= flags;
    }
    return !locked;
}

unsigned page_referenced(struct quire_vm *vm, struct quire_page *page, uint32_t *flags)
{
    struct referenced r = {.page = page};
    if (page_mapcount(page))
        rmap_walk(vm, page, referenced_one, &r);
    *flags = r.flags;
    return r.count;
}

/* ---- clean ----------------------------------------------------------------------------------- */

struct cleaning {
    struct quire_page *page;
    bool was_dirty;
};

static bool clean_one(void *arg, struct quire_vma *vma, quire_linear_t address)
{
    struct cleaning *c = arg;
    struct quire_mm *mm = vma->mm;
    struct quire_tlb_batch batch;
    const uint64_t bits = QUIRE_PTE_WRITE | QUIRE_PTE_DIRTY;
    if (!vma_is_shared(vma))
        return true;
    quire_tlb_batch_init(&batch, &mm->pt);
    void *where;
    entry_lock(mm, address);
    uint64_t entry = entry_at(mm, address, &where);
    while (entry_maps(mm, entry, c->page) && entry & bits) {
        if (!entry_replace(mm, address, where, &entry, entry & ~bits, &batch)) {
            c->was_dirty = c->was_dirty || entry & QUIRE_PTE_DIRTY;
            /* A dirty bit that was set just then is in the new one too. */
            entry = quire_entry_at(&mm->pt, where);
        }
    }
    entry_unlock(mm, address);
    quire_tlb_flush(&batch);
    return true;
}

bool page_mkclean(struct quire_vm *vm, struct quire_page *page)
{
    struct cleaning c = {.page = page};
    if (page_mapcount(page))
        rmap_walk(vm, page, clean_one, &c);
    return c.was_dirty;
}
