/* vm/file_fault.c: faults on areas that map a file or shared memory
 *
 * Who reads gets the cache's page, and with it those around it that are in the cache already: a
 * page that is there costs less to map with its neighbour than by a fault of its own. Who writes to
 * a private area gets a copy. A shared page that is written to is marked dirty before its entry
 * becomes writable, and its owner told: see cache.h for what that means to write-back.
 *
 * An entry is written with the page lock held, and `resize`: so no page is mapped that truncation
 * or reclaim has let go.
 *
 *   bound    a read fault looks at up to AROUND pages, of one table
 *   source   Linux's mm/memory.c, do_fault and its kinds; fault_around_bytes is 64 KiB there too
 */
#include "base/bits.h"
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/lru.h"

#define AROUND 16u
#define AROUND_BYTES ((quire_linear_t)AROUND << QUIRE_PAGE_SHIFT)

static enum quire_fault_result result_of(int error, bool major)
{
    if (error == -QUIRE_ENOMEM)
        return QUIRE_VM_OOM;
    if (error == -QUIRE_EHWPOISON)
        return QUIRE_VM_BUS_MCEERR;
    return error ? QUIRE_VM_BUS_ADRERR : major ? QUIRE_VM_MAJOR : QUIRE_VM_MINOR;
}

/* The rights of an entry for the cache's own page: a shared area's may be written only if the page
 * is dirty already. */
static uint64_t cache_prot(const struct quire_vma *vma, const struct quire_page *page)
{
    uint64_t prot = vma->prot & ~(uint64_t)QUIRE_PTE_WRITE;
    if (vma_is_shared(vma) && vma->flags & VM_WRITE && page_has(page, PG_DIRTY))
        prot |= QUIRE_PTE_WRITE;
    return prot | QUIRE_PTE_PRESENT;
}

/* Maps a page of the cache, which is locked, where nothing is; `where` is that entry, or NULL if
 * its table isn't known. 0; -ENOMEM: no table, or too many users; -EAGAIN: somebody else was
 * faster. */
static int map_page(struct quire_vma *vma, struct quire_page *page, quire_linear_t address,
                    void *where, uint64_t bits)
{
    struct quire_mm *mm = vma->mm;
    uint64_t expected = 0, entry = quire_page_to_phys(page) | bits;
    if (!rmap_add(mm, page))
        return -QUIRE_ENOMEM;
    int error = where ? quire_cmpxchg_entry_at(&mm->pt, where, &expected, entry)
                      : quire_cmpxchg_entry(&mm->pt, address, &expected, entry);
    if (!error) {
        quire_tell_event(MAP, mm_number(mm), address >> QUIRE_PAGE_SHIFT, 1);
        if (vma->flags & VM_LOCKED)
            lru_mlock(mm->vm, page);
        return 0;
    }
    rmap_remove(mm, page);
    page_unuse(mm->vm, page);
    return error == -QUIRE_ENOMEM ? error : -QUIRE_EAGAIN;
}

/* ---- around ---------------------------------------------------------------------------------- */

/* The pages of [index, + count) that are in memory and can be locked without waiting, locked; NULL
 * for others. One that is locked doesn't leave the cache, which keeps it: it needs no pin. */
static void lock_pages(struct quire_mapping *mapping, uint64_t index, unsigned count,
                       struct quire_page **page)
{
    uintptr_t word[AROUND];
    mapping_lock(mapping);
    xa_load_range(&mapping->pages, index, count, word);
    for (unsigned i = 0; i < count; i++) {
        page[i] = cache_word_page(word[i]);
        if (page[i] && (!page_has(page[i], PG_UPTODATE) || !page_trylock(page[i])))
            page[i] = NULL;
    }
    mapping_unlock(mapping);
}

/* A bit of `filled` for each page from `start` on that was mapped. */
static inline void tell_mapped(const struct quire_mm *mm, quire_linear_t start, uint32_t filled)
{
    while (QUIRE_EVENTS && filled) {
        unsigned skip = quire_ctz32(filled);
        unsigned count = (unsigned)quire_ctz64(~(uint64_t)(filled >> skip));
        quire_tell_event(MAP, mm_number(mm), (start >> QUIRE_PAGE_SHIFT) + skip, count);
        filled &= (uint32_t)(~UINT64_C(0) << (skip + count));
    }
}

/* Maps those that are locked, where nothing is; a bit for each that was mapped. */
static uint32_t map_pages(struct quire_vma *vma, quire_linear_t start,
                          struct quire_page *const *page, unsigned count, unsigned here,
                          void *where)
{
    struct quire_mm *mm = vma->mm;
    struct quire_vm *vm = mm->vm;
    const unsigned entry_bytes = mm->pt.format->entry_bytes;
    uint64_t entry[AROUND];
    uint32_t wanted = 0;
    long nr_wanted = 0;
    for (unsigned i = 0; i < count; i++) {
        entry[i] = 0;
        if (!page[i] || quire_entry_at(&mm->pt, (char *)where + i * entry_bytes) ||
            !rmap_add_user(vm, page[i]))
            continue;
        entry[i] = quire_page_to_phys(page[i]) | cache_prot(vma, page[i]);
        wanted |= 1u << i;
        nr_wanted++;
    }
    if (entry[here])
        entry[here] |= QUIRE_PTE_ACCESSED;
    const enum rss rss = vma->mapping->is_shmem ? RSS_SHMEM : RSS_FILE;
    mm_add_rss(mm, rss, nr_wanted);
    uint32_t filled = quire_fill_entries_at(&mm->pt, where, entry, count);
    for (unsigned i = 0; quire_unlikely(filled != wanted) && i < count; i++)
        if ((wanted & ~filled) >> i & 1) {
            mm_add_rss(mm, rss, -1);
            page_unuse(vm, page[i]);
        }
    for (unsigned i = 0; quire_unlikely(vma->flags & VM_LOCKED) && i < count; i++)
        if (filled >> i & 1)
            lru_mlock(vm, page[i]);
    tell_mapped(mm, start, filled);
    return filled;
}

/* Maps what is in the cache around a fault: AROUND pages from the aligned address before it or from
 * the area's start, so that an area's first pages come at once wherever it starts; within the area
 * and the reach of one table, whose entries follow each other. True if the page itself was mapped.
 * Neighbours' entries aren't accessed until they are.
 *
 * Not before there is the table: to make it may take reclaim, and whoever has to end for that may
 * wait for one of the pages. */
static bool map_around(struct fault *fault)
{
    struct quire_vma *vma = fault->vma;
    const struct quire_pgtable *pt = &fault->mm->pt;
    const unsigned table_shift = pt->format->level[QUIRE_PMD].shift;
    quire_linear_t start = fault->address & ~(AROUND_BYTES - 1);
    quire_linear_t last = fault->address | (((quire_linear_t)1 << table_shift) - 1);
    start = start > vma->start ? start : vma->start;
    last = start + (AROUND_BYTES - 1) < last ? start + (AROUND_BYTES - 1) : last;
    last = last < vma->end - 1 ? last : vma->end - 1;
    const unsigned count = (unsigned)((last - start) >> QUIRE_PAGE_SHIFT) + 1;
    const unsigned here = (unsigned)((fault->address - start) >> QUIRE_PAGE_SHIFT);
    struct quire_page *page[AROUND];
    if (!fault->where)
        return false;
    lock_pages(vma->mapping, vma_index(vma, start), count, page);
    uint32_t filled = map_pages(vma, start, page, count, here,
                                (char *)fault->where - here * pt->format->entry_bytes);
    for (unsigned i = 0; i < count; i++)
        if (page[i])
            page_unlock(page[i]);
    return filled >> here & 1;
}

/* ---- kinds of faults ------------------------------------------------------------------------- */

static enum quire_fault_result fault_read(struct fault *fault)
{
    struct quire_vma *vma = fault->vma;
    bool major = false;
    int error;
    if (map_around(fault))
        return QUIRE_VM_MINOR;
    struct quire_page *page = cache_get_page(vma->mapping, vma_index(vma, fault->address),
                                             CACHE_READ, vma->flags, &major, &error);
    if (!page)
        return result_of(error, false);
    error = map_page(vma, page, fault->address, fault->where,
                     cache_prot(vma, page) | QUIRE_PTE_ACCESSED);
    cache_put_page(vma->mapping, page);
    const bool is_new_table = !fault->where;
    if (is_new_table && !error)
        (void)quire_find_entry(&fault->mm->pt, fault->address, &fault->where);
    if ((major || is_new_table) && !error)
        (void)map_around(fault);
    return result_of(error == -QUIRE_EAGAIN ? 0 : error, major);
}

#define WRITTEN (QUIRE_PTE_PRESENT | QUIRE_PTE_WRITE | QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY)

/* `copy`: new, with the file's content. */
static int map_copy(struct fault *fault, struct quire_page *copy)
{
    struct quire_mm *mm = fault->mm;
    page_set(copy, PG_UPTODATE);
    rmap_new_anon(copy, fault->vma, fault->address);
    /* Once another thread can find it, it may be unmapped and gone. */
    lru_add(mm->vm, copy, fault->vma->flags);
    int error = fault_fill_entry(fault, quire_page_to_phys(copy) | fault->vma->prot | WRITTEN);
    if (!error)
        return 0;
    rmap_remove(mm, copy);
    page_unuse(mm->vm, copy);
    return error == -QUIRE_ENOMEM ? error : 0;
}

static enum quire_fault_result fault_private_write(struct fault *fault)
{
    struct quire_vma *vma = fault->vma;
    struct quire_vm *vm = fault->mm->vm;
    bool major = false;
    int error;
    if (anon_vma_prepare(vma))
        return QUIRE_VM_OOM;
    struct quire_page *copy = vm_alloc_page_at(vma, fault->address, 0);
    if (!copy)
        return QUIRE_VM_OOM;
    struct quire_page *page = cache_get_page(vma->mapping, vma_index(vma, fault->address),
                                             CACHE_READ, vma->flags, &major, &error);
    if (!page) {
        vm_put_page(vm, copy);
        return result_of(error, false);
    }
    page_copy(vm, copy, page);
    cache_put_page(vma->mapping, page);
    return result_of(map_copy(fault, copy), major);
}

static enum quire_fault_result fault_shared_new(struct fault *fault)
{
    struct quire_vma *vma = fault->vma;
    bool major = false;
    int error;
    struct quire_page *page = cache_get_page(vma->mapping, vma_index(vma, fault->address),
                                             CACHE_READ, vma->flags, &major, &error);
    if (!page)
        return result_of(error, false);
    bool refused = cache_make_dirty(vma->mapping, page);
    error = refused ? 0 : map_page(vma, page, fault->address, fault->where, vma->prot | WRITTEN);
    cache_put_page(vma->mapping, page);
    if (refused)
        return QUIRE_VM_BUS_ADRERR;
    return result_of(error == -QUIRE_EAGAIN ? 0 : error, major);
}

enum quire_fault_result fault_file(struct fault *fault)
{
    struct quire_mapping *mapping = fault->vma->mapping;
    enum quire_fault_result result;
    rwlock_read(&mapping->resize);
    if (!(fault->flags & QUIRE_FAULT_FLAG_WRITE))
        result = fault_read(fault);
    else if (vma_is_shared(fault->vma))
        result = fault_shared_new(fault);
    else
        result = fault_private_write(fault);
    rwlock_read_unlock(&mapping->resize);
    return result;
}

/* The page is looked up in the cache and not through the entry, which could be gone by then. */
enum quire_fault_result fault_shared_write(struct fault *fault)
{
    struct quire_vma *vma = fault->vma;
    struct quire_mm *mm = fault->mm;
    uintptr_t word;
    struct quire_page *page = cache_lock_page(vma->mapping, vma_index(vma, fault->address), &word);
    if (!page)
        return QUIRE_VM_MINOR; /* it was truncated: the next fault says what that means */
    enum quire_fault_result result = QUIRE_VM_MINOR;
    if (page->pfn == entry_pfn(&mm->pt, fault->entry).value) {
        uint64_t expected = fault->entry;
        if (cache_make_dirty(vma->mapping, page))
            result = QUIRE_VM_BUS_ADRERR;
        else
            (void)!quire_update_entry(&mm->pt, fault->address, &expected, fault->entry | WRITTEN,
                                      NULL);
    }
    cache_put_page(vma->mapping, page);
    return result;
}
