/* vm/fault.c: from an access that failed to an entry that allows it
 *
 * The four steps: is there an area, and does it allow the access; which kind of page is it; get and
 * fill it; write its entry. The first two are here, and the last; what fills pages has a file for
 * each kind. Nothing is held between looking at an entry and replacing it: who finds it changed
 * goes away without a result, and if the access still fails it comes again.
 *
 *   cost   a hit in the thread's cache of areas needs no walk of the tree
 */
#include "vm/fault.h"
#include "vm/userfault.h"

/* ---- areas ----------------------------------------------------------------------------------- */

static struct quire_vma *find_cached(struct quire_mm *mm, quire_linear_t address,
                                     struct quire_fault_cache *cache)
{
    if (cache && cache->mm == mm && cache->generation == mm->generation) {
        struct quire_vma *vma = cache->vma;
        if (address >= vma->start && address < vma->end)
            return vma;
    }
    struct quire_vma *vma = vma_above(mm, address);
    if (cache && vma && address >= vma->start) {
        if (cache->mm != mm || cache->generation != mm->generation)
            cache->table = NULL;
        cache->mm = mm;
        cache->vma = vma;
        cache->generation = mm->generation;
    }
    return vma;
}

/* The lowest area that ends above the address lies above it, and can grow down. With the writer's
 * lock in place of the reader's meanwhile: all is looked up anew. */
static struct quire_vma *grow_stack(struct quire_mm *mm, quire_linear_t address)
{
    rwlock_read_unlock(&mm->lock);
    rwlock_write(&mm->lock);
    struct quire_vma *vma = vma_above(mm, address);
    if (vma && address < vma->start &&
        (!(vma->flags & VM_GROWSDOWN) || vma_expand_stack(vma, address)))
        vma = NULL;
    rwlock_downgrade(&mm->lock);
    return vma;
}

static struct quire_vma *find_area(struct quire_mm *mm, quire_linear_t address,
                                   struct quire_fault_cache *cache)
{
    struct quire_vma *vma = find_cached(mm, address, cache);
    if (quire_likely(vma && address >= vma->start))
        return vma;
    if (cache)
        cache->table = NULL; /* the lock is given up */
    return vma && vma->flags & VM_GROWSDOWN ? grow_stack(mm, address) : NULL;
}

/* x86 has no page that can be written or executed and not read. */
static bool access_allowed(const struct quire_vma *vma, unsigned flags)
{
    if (flags & QUIRE_FAULT_FLAG_WRITE)
        return vma->flags & VM_WRITE;
    if (flags & QUIRE_FAULT_FLAG_EXEC)
        return vma->flags & VM_EXEC;
    return vma->flags & VM_ACCESS;
}

/* ---- entries --------------------------------------------------------------------------------- */

/* Tables aren't given back while the reader's lock is held, so the first look at the entry is the
 * only walk. */
int fault_fill_entry(struct fault *fault, uint64_t entry)
{
    uint64_t expected = 0;
    if (quire_likely(fault->where))
        return quire_cmpxchg_entry_at(&fault->mm->pt, fault->where, &expected, entry);
    return quire_cmpxchg_entry(&fault->mm->pt, fault->address, &expected, entry);
}

int fault_update_entry(struct fault *fault, uint64_t entry, bool *flush)
{
    struct quire_pgtable *pt = &fault->mm->pt;
    uint64_t expected = fault->entry;
    if (quire_unlikely(!fault->where))
        (void)quire_find_entry(pt, fault->address, &fault->where);
    if (quire_unlikely(!fault->where))
        return -QUIRE_EAGAIN;
    return quire_update_entry_at(pt, fault->where, &expected, entry, flush);
}

bool fault_set_entry(struct fault *fault, uint64_t entry)
{
    uint64_t expected = fault->entry;
    if (!entry_present(expected) && fault->where)
        return !quire_cmpxchg_entry_at(&fault->mm->pt, fault->where, &expected, entry);
    if (!entry_present(expected))
        return !quire_cmpxchg_entry(&fault->mm->pt, fault->address, &expected, entry);
    bool flush = false;
    entry_lock(fault->mm, fault->address);
    bool set = !fault_update_entry(fault, entry, &flush);
    entry_unlock(fault->mm, fault->address);
    if (flush)
        quire_tlb_flush_page(&fault->mm->pt, fault->address);
    return set;
}

bool fault_entry_is_unchanged(const struct fault *fault)
{
    const uint64_t by_hardware = QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY;
    uint64_t entry = fault->where ? quire_entry_at(&fault->mm->pt, fault->where)
                                  : quire_get_entry(&fault->mm->pt, fault->address);
    return !((entry ^ fault->entry) & ~by_hardware);
}

struct quire_page *fault_pin_page(struct fault *fault)
{
    struct quire_mm *mm = fault->mm;
    struct quire_page *page = NULL;
    entry_lock(mm, fault->address);
    if (fault_entry_is_unchanged(fault)) {
        page = quire_pfn_to_page(mm->vm->mem, entry_pfn(&mm->pt, fault->entry));
        page_pin(page);
    }
    entry_unlock(mm, fault->address);
    return page;
}

#define PT_ENTRY_SHIFT 12 /* of each format */

/* The entry, into *where where it is. Tables don't go without a new generation, so a fault next to
 * the last one needs no walk. */
static inline uint64_t find_entry(const struct quire_pgtable *pt, quire_linear_t address,
                                  struct quire_fault_cache *cache, void **where)
{
    const unsigned index_mask = pt->step[0].index_mask;
    const quire_linear_t place = address >> PT_ENTRY_SHIFT;
    const size_t offset = ((unsigned)place & index_mask) << (pt->wide ? 3 : 2);
    const quire_linear_t region = place & ~(quire_linear_t)index_mask;
    if (cache && cache->table && cache->region == region) {
        *where = (char *)cache->table + offset;
        return quire_entry_at(pt, *where);
    }
    uint64_t entry = quire_find_entry(pt, address, where);
    if (cache && *where) {
        cache->region = region;
        cache->table = (char *)*where - offset;
    }
    return entry;
}

/* Tells of a fault that has come to `result`, which is returned. */
static inline enum quire_fault_result told(const struct fault *fault, enum quire_event_fault kind,
                                           enum quire_fault_result result)
{
    quire_tell_event(FAULT, mm_number(fault->mm), fault->address >> QUIRE_PAGE_SHIFT, kind,
                     fault->flags & 15, result);
    return result;
}

static inline enum quire_fault_result resolve(struct quire_vma *vma, quire_linear_t address,
                                              unsigned flags, struct quire_fault_cache *cache)
{
    struct fault fault = {
        .vma = vma,
        .mm = vma->mm,
        .address = address & ~(quire_linear_t)(QUIRE_PAGE_SIZE - 1),
        .flags = flags,
    };
    fault.entry = find_entry(&vma->mm->pt, fault.address, cache, &fault.where);
    if (!fault.entry) {
        if (vma->mapping)
            return told(&fault, EVENT_FAULT_FILE, fault_file(&fault));
        if (quire_unlikely(vma->flags & VM_UFFD_MISSING))
            return FAULT_WAITS;
        return told(&fault, EVENT_FAULT_ANON, fault_anon(&fault));
    }
    if (!entry_present(fault.entry)) {
        /* mprotect changes all entries of an area with the writer's lock. */
        QUIRE_BUG_ON(fault.entry & ENTRY_PROTNONE);
        return told(&fault, EVENT_FAULT_SWAP, fault_swap(&fault));
    }
    if (flags & QUIRE_FAULT_FLAG_WRITE && !(fault.entry & QUIRE_PTE_WRITE)) {
        if (quire_unlikely(fault.entry & ENTRY_WP && vma->flags & VM_UFFD_WP))
            return FAULT_WAITS;
        return told(&fault, EVENT_FAULT_WRITE, fault_write(&fault));
    }
    return told(&fault, EVENT_FAULT_NONE,
                QUIRE_VM_MINOR); /* another thread was here, or a TLB remembered less */
}

/* Whoever made it: a processor, the kernel on a program's behalf, populating. What there is no area
 * for, or what the area forbids, isn't counted, and of what fails only that it was tried (Linux's
 * handle_mm_fault and mm_account_fault) and failed, or waits for a userfault's handler. */
static inline void count(struct quire_mm *mm, enum quire_fault_result result)
{
    vm_count(mm->vm, VM_PGFAULT, 1);
    if (result == QUIRE_VM_MAJOR) {
        vm_count(mm->vm, VM_PGMAJFAULT, 1);
        (void)__atomic_fetch_add(&mm->maj_flt, 1, __ATOMIC_RELAXED);
    } else if (result == QUIRE_VM_MINOR) {
        (void)__atomic_fetch_add(&mm->min_flt, 1, __ATOMIC_RELAXED);
    } else {
        vm_count(mm->vm, VM_PGFAULT_FAILED, 1);
    }
}

static inline enum quire_fault_result counted(struct quire_vma *vma, quire_linear_t address,
                                              unsigned flags, struct quire_fault_cache *cache)
{
    enum quire_fault_result result = resolve(vma, address, flags, cache);
    count(vma->mm, result);
    return result;
}

enum quire_fault_result fault_in_area(struct quire_vma *vma, quire_linear_t address, unsigned flags)
{
    return counted(vma, address, flags, NULL);
}

enum quire_fault_result quire_handle_fault(struct quire_mm *mm, quire_linear_t address,
                                           unsigned flags, struct quire_fault_cache *cache)
{
    enum quire_fault_result result = QUIRE_VM_SEGV_MAPERR;
    rwlock_read(&mm->lock);
    struct quire_vma *vma = find_area(mm, address, cache);
    if (quire_likely(vma))
        result =
            access_allowed(vma, flags) ? counted(vma, address, flags, cache) : QUIRE_VM_SEGV_ACCERR;
    if (quire_unlikely(result == FAULT_WAITS))
        return userfault_wait(vma, address, flags);
    rwlock_read_unlock(&mm->lock);
    return result;
}
