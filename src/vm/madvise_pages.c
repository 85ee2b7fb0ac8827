/* vm/madvise_pages.c: advice about pages
 *
 * A page that was given up by MADV_FREE is an anonymous one that isn't dirty and in no swap cache:
 * reclaim drops it if no entry is dirty then either. So the advice makes page and entry clean, and
 * takes the page out of the swap cache if nobody else means its slot.
 */
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/lru.h"
#include "vm/madvise.h"
#include "vm/swap.h"

struct advising {
    struct quire_vma *vma;
    /* True: the pin has been given back. */
    bool (*page)(struct advising *a, struct quire_page *page, quire_linear_t address);
    void (*swapped)(struct advising *a, uint64_t entry, quire_linear_t address);
    struct quire_tlb_batch batch;
    bool pageout;
    struct quire_page *going[RECLAIM_BATCH]; /* pinned */
    unsigned nr_going;
};

static void send_out(struct advising *a)
{
    if (a->nr_going)
        reclaim_pages(a->vma->mm->vm, a->going, a->nr_going);
    a->nr_going = 0;
}

/* Pages are pinned when they are told, and not locked. */
static int advise_run(void *arg, const struct quire_pt_run *run)
{
    struct advising *a = arg;
    struct quire_vm *vm = a->vma->mm->vm;
    for (unsigned i = 0; i < run->count; i++) {
        quire_linear_t at = run->virt + (quire_linear_t)i * QUIRE_PAGE_SIZE;
        struct fault here = {
            .vma = a->vma, .mm = a->vma->mm, .address = at, .entry = run->entry[i]};
        if (a->swapped && entry_is_swap(here.entry))
            a->swapped(a, here.entry, at);
        struct quire_page *page =
            a->page && entry_present(here.entry) ? fault_pin_page(&here) : NULL;
        if (!page)
            continue;
        if (page == vm->zero_page || !a->page(a, page, at))
            vm_put_page(vm, page);
    }
    return 0;
}

static void advise(struct advising *a, quire_linear_t start, quire_linear_t end)
{
    struct quire_pgtable *pt = &a->vma->mm->pt;
    quire_tlb_batch_init(&a->batch, pt);
    (void)!quire_visit_range(pt, start, end - start, QUIRE_VISIT_NOT_PRESENT, advise_run, a);
    send_out(a);
    quire_tlb_flush(&a->batch);
}

/* ---- free
 * ----------------------------------------------------------------------------------------- */

static bool give_up(struct advising *a, struct quire_page *page, quire_linear_t address)
{
    struct quire_mm *mm = a->vma->mm;
    if (!page_is_anon(page) || page_mapcount(page) != 1 || !page_trylock(page))
        return false;
    if (page_has(page, PG_SWAPCACHE) && !page_has(page, PG_WRITEBACK) && page_users(page) == 2 &&
        !swap_count(mm->vm, swap_cache_entry(mm->vm, page)))
        swap_cache_remove(mm->vm, page);
    if (!page_has(page, PG_SWAPCACHE) && page_users(page) == 1) {
        page_clear(page, PG_DIRTY | PG_REFERENCED);
        (void)!quire_test_and_clear(&mm->pt, address, QUIRE_PTE_ACCESSED | QUIRE_PTE_DIRTY,
                                    &a->batch);
        lru_deactivate(mm->vm, page);
        vm_count(mm->vm, VM_PGLAZYFREE, 1);
    }
    page_unlock(page);
    return false;
}

/* Nobody would see whether it came back. */
static void forget_slot(struct advising *a, uint64_t entry, quire_linear_t address)
{
    struct quire_mm *mm = a->vma->mm;
    uint64_t expected = entry;
    if (quire_cmpxchg_entry(&mm->pt, address, &expected, 0))
        return;
    mm_add_rss(mm, RSS_SWAP, -1);
    swap_free(mm->vm, entry);
}

void advise_free(struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    struct advising a = {.vma = vma, .page = give_up, .swapped = forget_slot};
    advise(&a, start, end);
}

/* ---- cold
 * ----------------------------------------------------------------------------------------- */

static bool cool(struct advising *a, struct quire_page *page, quire_linear_t address)
{
    struct quire_mm *mm = a->vma->mm;
    if (page_mapcount(page) != 1)
        return false;
    (void)!quire_test_and_clear(&mm->pt, address, QUIRE_PTE_ACCESSED, &a->batch);
    page_clear(page, PG_REFERENCED);
    lru_deactivate(mm->vm, page);
    if (!a->pageout)
        return false;
    a->going[a->nr_going++] = page;
    if (a->nr_going == RECLAIM_BATCH)
        send_out(a);
    return true;
}

void advise_cold(struct quire_vma *vma, quire_linear_t start, quire_linear_t end, bool pageout)
{
    struct advising a = {.vma = vma, .page = cool, .pageout = pageout};
    advise(&a, start, end);
}

/* ---- needed
 * ---------------------------------------------------------------------------------------- */

static void bring_back(struct advising *a, uint64_t entry, quire_linear_t address)
{
    struct quire_vm *vm = a->vma->mm->vm;
    bool major = false;
    int error;
    const struct alloc_place place = {a->vma, a->vma->mapping, vma_index(a->vma, address)};
    struct quire_page *page = swap_in(vm, entry, &place, &major, &error);
    if (!page)
        return;
    page_unlock(page);
    vm_put_page(vm, page);
}

void advise_willneed(struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    struct advising a = {.vma = vma, .swapped = bring_back};
    if (vma->mapping)
        cache_willneed(vma->mapping, vma_index(vma, start), vma_index(vma, end - 1));
    advise(&a, start, end);
}

int advise_populate(struct quire_vma *vma, quire_linear_t start, quire_linear_t end, bool write)
{
    return populate_range(vma->mm, start, end, write ? POPULATE_WRITE : POPULATE_READ);
}
