/* vm/check.c: do the parts agree with each other
 *
 * Users of pages are counted by their entries: every entry takes one from its page's users, then
 * each page must have as many left as caches hold it, then they are all given back. No memory is
 * needed for that, and nothing may run.
 */
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/lru.h"

struct counting {
    struct quire_mm *mm;
    int sign; /* of what is added to users */
    long rss[NR_RSS];
};

static void count_entry(struct counting *c, uint64_t entry)
{
    if (entry_is_swap(entry))
        c->rss[RSS_SWAP]++;
    QUIRE_BUG_ON(entry_is_migration(entry));
    if (!entry_has_page(entry))
        return;
    struct quire_page *page = quire_pfn_to_page(c->mm->vm->mem, entry_pfn(&c->mm->pt, entry));
    if (page == c->mm->vm->zero_page)
        return;
    c->rss[page_rss(page)]++;
    QUIRE_BUG_ON(c->sign < 0 && !page_users(page));
    page->owner_word += (uint32_t)(c->sign * (int)PAGE_USER);
}

static int count_run(void *arg, const struct quire_pt_run *run)
{
    for (unsigned i = 0; i < run->count; i++)
        count_entry(arg, run->entry[i]);
    return 0;
}

static void count_mm(struct quire_mm *mm, int sign)
{
    struct counting c = {.mm = mm, .sign = sign};
    quire_linear_t end = 0;
    unsigned areas = 0;
    unsigned long pages = 0;
    for (struct quire_vma *vma = vma_above(mm, 0); vma; vma = vma_next(vma)) {
        QUIRE_BUG_ON(vma->start < end || vma->start >= vma->end || vma->mm != mm);
        end = vma->end;
        areas++;
        pages += (unsigned long)vma_pages(vma);
        int error = quire_visit_range(&mm->pt, vma->start, vma->end - vma->start,
                                      QUIRE_VISIT_NOT_PRESENT, count_run, &c);
        QUIRE_BUG_ON(error);
    }
    QUIRE_BUG_ON(areas != mm->nr_areas || pages != mm->total_vm || end > mm->layout.end);
    QUIRE_BUG_ON(mm->gone);
    for (unsigned kind = 0; kind < NR_RSS; kind++)
        QUIRE_BUG_ON(c.rss[kind] != mm->rss[kind]);
    if (sign < 0) {
        areas_check(mm);
        quire_pgtable_check(&mm->pt);
    }
}

static void count_all(struct quire_vm *vm, int sign)
{
    list_for_each (link, &vm->mms)
        count_mm(quire_container_of(link, struct quire_mm, link), sign);
}

/* While entries' users are taken away: what is left are caches. */
static void check_page(struct quire_page *page)
{
    bool cached = page_has(page, PG_SWAPCACHE) || page_kind(page) == PAGE_KIND_FILE ||
                  (page_kind(page) == PAGE_KIND_SHMEM && page_root_id(page));
    QUIRE_BUG_ON(page_users(page) > cached);
    QUIRE_BUG_ON(page_has(page, PG_LOCKED | PG_WRITEBACK));
}

static void check_lists(struct quire_vm *vm)
{
    for (unsigned node = 0; node < vm->nr_nodes; node++) {
        for (unsigned list = LIST_UNEVICTABLE; list < NR_LISTS; list++) {
            const struct page_list *head = &vm->lists[node].list[list];
            unsigned long count = 0;
            for (uint32_t pfn = head->first, prev = NO_PFN; pfn != NO_PFN; count++) {
                struct quire_page *page = quire_pfn_to_page(vm->mem, quire_pfn(pfn));
                QUIRE_BUG_ON(page_list(page) != list || page_owner(page)->prev != prev);
                check_page(page);
                prev = pfn;
                pfn = page_owner(page)->next;
            }
            QUIRE_BUG_ON(count != head->count);
        }
    }
}

void quire_vm_check(struct quire_vm *vm)
{
    count_all(vm, -1);
    check_lists(vm);
    count_all(vm, 1);
}
