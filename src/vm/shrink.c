/* vm/shrink.c: what becomes of pages that reclaim chose
 *
 * Each is isolated and pinned. Under its lock: is it in use? Then it goes back. Else it is taken
 * out of all page tables, written if nothing else has its content, and dropped: from the swap
 * cache, or the file's. What can't be done now leaves the page as it was, or at worst in the swap
 * cache, unmapped: whoever faults finds it there.
 *
 * What goes to swap from page tables is written by the batch: its pages stay locked meanwhile. That
 * is no deadlock, since pages are only locked here if nobody has them (vm/internal.h), and since
 * nothing of a file's owner is called with such pages: he may have locks that others hold when they
 * fault.
 *
 * Nothing here may reclaim, or it would call itself: what is allocated on the way (by stores and
 * files) comes from reserves, or not at all.
 *
 * Linux: mm/vmscan.c, shrink_folio_list.
 */
#include "vm/cache.h"
#include "vm/policy.h"
#include "vm/swap.h"

/* What to do with a page that was looked at. */
enum outcome {
    OUTCOME_RECLAIMED, /* its last reference is the scan's */
    OUTCOME_KEEP,
    OUTCOME_ACTIVATE,
    OUTCOME_UNEVICTABLE,
    OUTCOME_WRITE, /* to swap, together with others of the batch: it stays locked until then */
};

/* Pages of the swap cache, unmapped and locked, that go once they are written; and what is put only
 * then. */
struct writing {
    struct quire_page *pages[RECLAIM_BATCH];
    struct root *roots[RECLAIM_BATCH];
    unsigned count, nr_roots;
};

/* Somebody else pins it: beside all users' reference there is more than the scan's. */
static bool is_pinned(const struct quire_page *page)
{
    return quire_load_acquire(&page->refcount) > 2;
}

/* Why it couldn't be unmapped. */
static enum outcome still_mapped(struct scan *scan, struct quire_page *page)
{
    uint32_t vma_flags = 0;
    (void)page_referenced(scan->vm, page, &vma_flags);
    return vma_flags & VM_LOCKED ? OUTCOME_UNEVICTABLE : OUTCOME_ACTIVATE;
}

static bool unmap(struct scan *scan, struct quire_page *page)
{
    return !page_mapcount(page) || try_to_unmap(scan->vm, page, 0);
}

/* ---- what goes to swap ----------------------------------------------------------------------- */

/* Anonymous memory that nobody wants any more (MADV_FREE), unless it was written since. */
static enum outcome drop_lazily_freed(struct scan *scan, struct quire_page *page)
{
    if (!unmap(scan, page) || page_has(page, PG_DIRTY))
        return still_mapped(scan, page);
    vm_count(scan->vm, VM_PGLAZYFREED, 1);
    return OUTCOME_RECLAIMED;
}

/* Back out of the swap cache if nothing needs its slot yet. */
static void undo_swap_cache(struct scan *scan, struct quire_page *page)
{
    if (!swap_count(scan->vm, swap_cache_entry(scan->vm, page)))
        swap_cache_remove(scan->vm, page);
}

/* Stores that fail are asked for some pages, not for all that there are each time: the rest stays
 * as it is. Who reclaims next asks again, since it may go better. */
#define MAX_REFUSED 32u

static bool may_write_swap(const struct scan *scan)
{
    return scan->gfp & QUIRE_GFP_IO && scan->refused < MAX_REFUSED;
}

/* Nowhere to write it to. Shared memory isn't found from a page in the swap cache, so that the next
 * try has to begin with a page in its place. */
static enum outcome not_written(struct quire_page *page, struct quire_mapping *mapping)
{
    if (mapping)
        shmem_swap_back(mapping, page);
    return page_users(page) ? OUTCOME_ACTIVATE : OUTCOME_RECLAIMED;
}

/* In the swap cache; `mapping`: it is shared memory that was there until now. */
static enum outcome swap_out(struct scan *scan, struct quire_page *page,
                             struct quire_mapping *mapping)
{
    if (!unmap(scan, page)) {
        undo_swap_cache(scan, page);
        return still_mapped(scan, page);
    }
    if (!swap_count(scan->vm, swap_cache_entry(scan->vm, page))) {
        swap_cache_remove(scan->vm, page); /* nobody will ask for it */
        return page_users(page) ? OUTCOME_KEEP : OUTCOME_RECLAIMED;
    }
    if (page_has(page, PG_DIRTY)) {
        if (!may_write_swap(scan))
            return OUTCOME_KEEP;
        if (!mapping)
            return OUTCOME_WRITE;
        if (swap_write_page(scan->vm, page, mapping)) {
            scan->refused++;
            return not_written(page, mapping);
        }
        scan->written++;
    }
    return swap_cache_evict(scan->vm, page) ? OUTCOME_RECLAIMED : OUTCOME_KEEP;
}

static enum outcome shrink_anon(struct scan *scan, struct quire_page *page)
{
    if (!page_has(page, PG_SWAPCACHE)) {
        if (!page_has(page, PG_DIRTY))
            return drop_lazily_freed(scan, page);
        if (!may_write_swap(scan))
            return OUTCOME_KEEP;
        if (swap_cache_add(scan->vm, page))
            return OUTCOME_ACTIVATE;
    }
    return swap_out(scan, page, NULL);
}

static enum outcome shrink_shmem(struct scan *scan, struct quire_mapping *mapping,
                                 struct quire_page *page)
{
    if (!may_write_swap(scan) || !swap_free_pages(scan->vm))
        return OUTCOME_ACTIVATE;
    if (!unmap(scan, page))
        return still_mapped(scan, page);
    if (shmem_swap_out(mapping, page))
        return OUTCOME_ACTIVATE;
    return swap_out(scan, page, mapping);
}

/* ---- files ----------------------------------------------------------------------------------- */

static enum outcome shrink_file(struct scan *scan, struct quire_mapping *mapping,
                                struct quire_page *page)
{
    if (!unmap(scan, page))
        return still_mapped(scan, page);
    if (page_has(page, PG_DIRTY)) {
        if (!(scan->gfp & QUIRE_GFP_IO) || !(scan->gfp & QUIRE_GFP_FS))
            return OUTCOME_KEEP;
        if (cache_write_page(mapping, page))
            return OUTCOME_ACTIVATE;
        scan->written++;
    }
    return cache_remove(mapping, page, workingset_eviction(scan->vm, page)) ? OUTCOME_RECLAIMED
                                                                            : OUTCOME_KEEP;
}

/* ---- one page -------------------------------------------------------------------------------- */

static enum verdict judge(struct scan *scan, struct quire_page *page, uint32_t *vma_flags)
{
    unsigned references = 0;
    if (scan->ignore_references || scan->policy->ignores_references)
        return VERDICT_RECLAIM;
    if (page_mapcount(page))
        references = page_referenced(scan->vm, page, vma_flags);
    return scan->policy->judge(page, references, *vma_flags);
}

/* The page is locked. *root is put after this one and the batch's have been unlocked: with the last
 * reference a file goes, which needs its pages' locks, and calls its owner. */
static enum outcome shrink_locked(struct scan *scan, struct quire_page *page, struct root **root)
{
    uint32_t vma_flags = 0;
    if (!page_users(page) || page_has(page, PG_WRITEBACK) || is_pinned(page))
        return OUTCOME_KEEP;
    enum verdict verdict = judge(scan, page, &vma_flags);
    if (vma_flags & VM_LOCKED)
        return OUTCOME_UNEVICTABLE;
    if (verdict != VERDICT_RECLAIM)
        return verdict == VERDICT_KEEP ? OUTCOME_KEEP : OUTCOME_ACTIVATE;
    if (page_has(page, PG_SWAPCACHE))
        return page_has(page, PG_DIRTY) && !may_write_swap(scan) ? OUTCOME_KEEP
                                                                 : swap_out(scan, page, NULL);
    if (page_is_anon(page))
        return shrink_anon(scan, page);
    *root = root_of_page(scan->vm, page);
    if (!*root)
        return OUTCOME_KEEP;
    struct quire_mapping *mapping = mapping_of_root(*root);
    return page_is_swapbacked(page) ? shrink_shmem(scan, mapping, page)
                                    : shrink_file(scan, mapping, page);
}

/* What the outcome means for a page that isn't locked any more; true: it is free. */
static bool finish(struct scan *scan, struct quire_page *page, bool is_file, enum outcome outcome)
{
    switch (outcome) {
    case OUTCOME_RECLAIMED:
        vm_count(scan->vm, is_file ? VM_PGSTEAL_FILE : VM_PGSTEAL_ANON, 1);
        vm_put_page(scan->vm, page);
        return true;
    case OUTCOME_UNEVICTABLE:
        lru_return_unevictable(scan->vm, page);
        return false;
    default:
        lru_return(scan->vm, page, outcome == OUTCOME_ACTIVATE ? PLACE_ACTIVATED : PLACE_KEPT);
        return false;
    }
}

static bool shrink_page(struct scan *scan, struct quire_page *page, struct writing *writing)
{
    struct root *root = NULL;
    bool is_file = !page_is_swapbacked(page);
    enum outcome outcome = OUTCOME_KEEP;
    if (page_trylock(page)) {
        outcome = shrink_locked(scan, page, &root);
        if (outcome == OUTCOME_WRITE) {
            writing->pages[writing->count++] = page;
            return false;
        }
        page_unlock(page);
    }
    if (root)
        writing->roots[writing->nr_roots++] = root;
    return finish(scan, page, is_file, outcome);
}

/* Whoever faults on one of these pages meanwhile waits for its lock. Pages that went. */
static unsigned long write_out(struct scan *scan, struct writing *writing)
{
    if (!writing->count)
        return 0;
    uint32_t failed = swap_write_pages(scan->vm, writing->pages, writing->count);
    unsigned long reclaimed = 0;
    for (unsigned i = 0; i < writing->count; i++) {
        struct quire_page *page = writing->pages[i];
        enum outcome outcome = OUTCOME_KEEP;
        if (failed >> i & 1) {
            scan->refused++;
            outcome = not_written(page, NULL);
        } else {
            scan->written++;
            if (swap_cache_evict(scan->vm, page))
                outcome = OUTCOME_RECLAIMED;
        }
        page_unlock(page);
        reclaimed += finish(scan, page, false, outcome);
    }
    writing->count = 0;
    return reclaimed;
}

/* ---- batches --------------------------------------------------------------------------------- */

static void count_scan(struct scan *scan, unsigned count, unsigned files, unsigned long reclaimed)
{
    struct quire_vm *vm = scan->vm;
    vm_count(vm, scan->by_kswapd ? VM_PGSCAN_KSWAPD : VM_PGSCAN_DIRECT, count);
    vm_count(vm, scan->by_kswapd ? VM_PGSTEAL_KSWAPD : VM_PGSTEAL_DIRECT, reclaimed);
    vm_count(vm, VM_PGSCAN_FILE, files);
    vm_count(vm, VM_PGSCAN_ANON, count - files);
    scan->scanned += count;
    scan->reclaimed += reclaimed;
}

/* Others find none of the batch's pages meanwhile: who lacks memory waits rather than to kill for
 * it, while there is one under way (oom.c). */
static void batch_ended(struct quire_vm *vm, unsigned long reclaimed)
{
    if (reclaimed)
        quire_store_relaxed(&vm->batch_waits, 0u);
    (void)quire_sub_fetch(&vm->batches, 1u);
    (void)quire_fetch_add(&vm->batches_ended, 1u);
    if (quire_load_acquire(&vm->batch_waiters))
        quire_port_wake(&vm->batches_ended);
}

unsigned long shrink_pages(struct scan *scan, struct quire_page **pages, unsigned count)
{
    struct writing writing = {.count = 0, .nr_roots = 0};
    unsigned long reclaimed = 0;
    unsigned files = 0;
    (void)quire_fetch_add(&scan->vm->batches, 1u);
    for (unsigned i = 0; i < count; i++) {
        bool is_file = !page_is_swapbacked(pages[i]);
        files += is_file;
        if (is_file)
            reclaimed += write_out(scan, &writing);
        reclaimed += shrink_page(scan, pages[i], &writing);
    }
    reclaimed += write_out(scan, &writing);
    batch_ended(scan->vm, reclaimed);
    for (unsigned i = 0; i < writing.nr_roots; i++)
        root_put(scan->vm, writing.roots[i]);
    count_scan(scan, count, files, reclaimed);
    return reclaimed;
}

unsigned shrink_list(struct scan *scan, unsigned list, unsigned long most)
{
    struct quire_page *pages[RECLAIM_BATCH];
    unsigned count = (unsigned)(most < RECLAIM_BATCH ? most : RECLAIM_BATCH);
    count = list_isolate(scan->vm, scan->lists, list, pages, count);
    shrink_pages(scan, pages, count);
    return count;
}
