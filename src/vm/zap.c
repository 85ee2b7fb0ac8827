/* vm/zap.c: pages out of page tables, for good
 *
 * Piece by piece: entries are taken under their lock, then flushed without it, then their pages
 * lose a user. A piece is as many entries as a batch of flushes has room for, within one table. So
 * an empty range isn't gone through piece by piece, a visit finds the next entry where a piece had
 * none.
 */
#include "base/bits.h"
#include "vm/cache.h"
#include "vm/fault.h"
#include "vm/lru.h"
#include "vm/swap.h"

#define TABLE_BYTES ((quire_linear_t)1 << 21)
#define PIECE_BYTES ((quire_linear_t)QUIRE_TLB_BATCH_PAGES << QUIRE_PAGE_SHIFT)

struct zap {
    struct quire_vma *vma;
    struct quire_tlb_batch batch;
    unsigned found;
    unsigned taken; /* pages of this piece, to be released after its flush */
    struct quire_page *page[QUIRE_TLB_BATCH_PAGES];
    uint64_t dirty; /* which of them had dirty entries */
    long rss[NR_RSS];
};
_Static_assert(QUIRE_TLB_BATCH_PAGES <= 64, "a bit for each page of a piece");

static void zap_begin(struct zap *zap, struct quire_vma *vma)
{
    quire_tlb_batch_init(&zap->batch, &vma->mm->pt);
    zap->vma = vma;
    zap->found = 1; /* most ranges have something at their beginning */
    for (unsigned kind = 0; kind < NR_RSS; kind++)
        zap->rss[kind] = 0;
}

/* At the end, and with each table: others may be looking. */
static void pass_on_counts(struct zap *zap)
{
    for (unsigned kind = 0; kind < NR_RSS; kind++) {
        if (zap->rss[kind])
            mm_add_rss(zap->vma->mm, (enum rss)kind, zap->rss[kind]);
        zap->rss[kind] = 0;
    }
}

static inline void zap_page(struct zap *zap, uint64_t entry)
{
    struct quire_mm *mm = zap->vma->mm;
    struct quire_page *page = quire_pfn_to_page(mm->vm->mem, entry_pfn(&mm->pt, entry));
    if (page == mm->vm->zero_page)
        return;
    if (page_is_anon(page)) {
        zap->rss[RSS_ANON]--;
    } else {
        zap->rss[page_rss(page)]--;
        if (entry & QUIRE_PTE_DIRTY)
            zap->dirty |= UINT64_C(1) << zap->taken;
        if (entry & QUIRE_PTE_ACCESSED && !(zap->vma->flags & (VM_SEQ_READ | VM_RAND_READ)))
            page_set(page, PG_REFERENCED);
    }
    zap->page[zap->taken++] = page;
}

static inline void zap_entry(struct zap *zap, uint64_t entry)
{
    if (entry_has_page(entry)) {
        zap_page(zap, entry);
    } else if (entry_is_swap(entry)) {
        zap->rss[RSS_SWAP]--;
        swap_free(zap->vma->mm->vm, entry);
    }
}

/* The pages that a run of an area without a file begins with; how many entries they are. */
static unsigned zap_anon_pages(struct zap *zap, const struct quire_pt_run *run)
{
    const struct quire_mm *mm = zap->vma->mm;
    const struct quire_mem *mem = mm->vm->mem;
    struct quire_page *zero_page = mm->vm->zero_page, **to = zap->page + zap->taken, **first = to;
    const unsigned long pfn_mask = mm->pt.pfn_mask;
    const uint64_t *entry = run->entry, *end = entry + run->count;
    for (; entry < end && entry_has_page(*entry); entry++) {
        const unsigned long pfn = (unsigned long)(*entry >> QUIRE_PAGE_SHIFT) & pfn_mask;
        struct quire_page *page = quire_pfn_to_page(mem, quire_pfn(pfn));
        *to = page;
        to += page != zero_page;
    }
    zap->taken += (unsigned)(to - first);
    zap->rss[RSS_ANON] -= to - first;
    return (unsigned)(entry - run->entry);
}

static void zap_run(void *arg, const struct quire_pt_run *run)
{
    struct zap *zap = arg;
    for (unsigned i = zap->vma->mapping ? 0 : zap_anon_pages(zap, run); i < run->count; i++)
        zap_entry(zap, run->entry[i]);
    quire_tell_event(UNMAP, mm_number(zap->vma->mm), run->virt >> QUIRE_PAGE_SHIFT, run->count);
    zap->found += run->count;
}

/* What becomes of a page that has a user less. */
enum unused { STILL_USED, IS_UNUSED, LOOK_CLOSER };

/* The common cases: others map the page, too; or it is anonymous and nobody else uses it. A page
 * comes into the swap cache with one user more, so that it isn't taken for such a one. */
static inline enum unused drop_user(struct quire_page *page, long *mapped)
{
    uint32_t word = quire_load_relaxed(&page->owner_word);
    const bool cached = page_has(page, PG_SWAPCACHE) || !page_is_anon(page);
    const unsigned users = (word & ~PAGE_MAPPED) / PAGE_USER;
    if (users > 1u + cached)
        return quire_compare_exchange(&page->owner_word, &word, word - PAGE_USER) ? STILL_USED
                                                                                  : LOOK_CLOSER;
    if (cached || users != 1 ||
        !quire_compare_exchange(&page->owner_word, &word, (word & ~PAGE_MAPPED) - PAGE_USER))
        return LOOK_CLOSER;
    *mapped += (word & PAGE_MAPPED) != 0;
    return IS_UNUSED;
}

/* Pages whose last user is gone lose the users' reference, which mostly is the last. */
static void free_unused(struct quire_vm *vm, struct quire_page **pages, unsigned count)
{
    unsigned free = 0;
    lru_remove_unused(vm, pages, count);
    for (unsigned i = 0; i < count; i++) {
        if (quire_load_acquire(&pages[i]->refcount) != 1) {
            vm_put_page(vm, pages[i]);
            continue;
        }
        page_clear(pages[i], PG_FLAGS);
        pages[free++] = pages[i];
    }
    quire_free_pages_bulk(vm->mem, free, pages);
}

static void pass_on_dirty(const struct zap *zap)
{
    for (uint64_t left = zap->dirty; left; left &= left - 1)
        cache_set_dirty(zap->vma->mapping, zap->page[quire_ctz64(left)]);
}

/* Flushes, and then the pages that were taken lose a user. A file's page is dirty from here on:
 * until the flush a processor could write to it, and write-back, which sees no entry any more,
 * could have missed that. */
static void release_piece(struct zap *zap)
{
    struct quire_vm *vm = zap->vma->mm->vm;
    quire_tlb_flush(&zap->batch);
    unsigned unused = 0;
    long mapped = 0;
    pass_on_dirty(zap);
    for (unsigned i = 0; i < zap->taken; i++) {
        struct quire_page *page = zap->page[i];
        enum unused state = drop_user(page, &mapped);
        if (state == IS_UNUSED)
            zap->page[unused++] = page;
        else if (quire_unlikely(state == LOOK_CLOSER))
            page_unuse(vm, page);
    }
    if (mapped)
        vm_stat_add(vm, NR_ANON_MAPPED, -mapped);
    if (unused)
        free_unused(vm, zap->page, unused);
}

/* Under the entries' lock; what follows is release_piece, without it. */
static void take_piece(struct zap *zap, quire_linear_t start, quire_linear_t end)
{
    zap->found = zap->taken = 0;
    zap->dirty = 0;
    /* All pages are small: nothing has to be split. */
    int error = quire_zap_range(&zap->vma->mm->pt, start, end - start, QUIRE_UNMAP_KEEP_TABLES,
                                zap_run, zap, &zap->batch);
    QUIRE_BUG_ON(error);
}

static void zap_piece(struct zap *zap, quire_linear_t start, quire_linear_t end)
{
    struct quire_mm *mm = zap->vma->mm;
    entry_lock(mm, start);
    take_piece(zap, start, end);
    entry_unlock(mm, start);
    release_piece(zap);
}

quire_linear_t next_entry(struct quire_mm *mm, quire_linear_t start, quire_linear_t end)
{
    return start < end ? quire_next_entry(&mm->pt, start, end - start) : end;
}

static quire_linear_t piece_end(quire_linear_t at, quire_linear_t end)
{
    quire_linear_t last = at | (TABLE_BYTES - 1), left = end - at; /* no sums beyond `end` */
    last = left > PIECE_BYTES && at + (PIECE_BYTES - 1) < last ? at + (PIECE_BYTES - 1) : last;
    return last < end ? last + 1 : end;
}

void zap_range(struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    struct zap zap;
    zap_begin(&zap, vma);
    mm_note_peak(vma->mm);
    for (quire_linear_t to; start < end; start = to) {
        if (!zap.found)
            start = next_entry(vma->mm, start, end);
        if (start >= end)
            break;
        to = piece_end(start, end);
        zap_piece(&zap, start, to);
        if (!(to & (TABLE_BYTES - 1)))
            pass_on_counts(&zap);
    }
    pass_on_counts(&zap);
}

/* ---- truncation ------------------------------------------------------------------------------ */

/* The page that an entry maps, or that it waits for; NULL: none. */
static struct quire_page *page_of_entry(const struct quire_mm *mm, uint64_t entry)
{
    if (entry_has_page(entry))
        return quire_pfn_to_page(mm->vm->mem, entry_pfn(&mm->pt, entry));
    if (entry_is_migration(entry))
        return quire_pfn_to_page(mm->vm->mem, quire_pfn((unsigned long)entry_offset(entry)));
    return NULL;
}

/* Whether an entry of a private area is the file's own page's, and not a copy's. A page that has
 * just been moved elsewhere is of no kind any more, so of an entry that still waits for it that
 * can't be told: it stays, and if it is the file's, who drops the new page from the file waits for
 * its lock, and finds it mapped then. */
static bool is_of_file(const struct quire_mm *mm, quire_linear_t at)
{
    struct quire_pt_query query;
    (void)!quire_query(&mm->pt, at, &query);
    const struct quire_page *page = query.level == QUIRE_PT ? page_of_entry(mm, query.entry) : NULL;
    return page && page_kind(page) >= PAGE_KIND_FILE;
}

/* A look and what follows from it under one lock, or the page may be replaced by a copy between. */
static void zap_if_of_file(struct zap *zap, quire_linear_t at)
{
    struct quire_mm *mm = zap->vma->mm;
    entry_lock(mm, at);
    zap->taken = 0;
    zap->dirty = 0;
    if (is_of_file(mm, at))
        take_piece(zap, at, at + QUIRE_PAGE_SIZE);
    entry_unlock(mm, at);
    release_piece(zap);
}

static void zap_files_pages(struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    struct zap zap;
    zap_begin(&zap, vma);
    mm_note_peak(vma->mm);
    for (; start < end; start += QUIRE_PAGE_SIZE) {
        start = next_entry(vma->mm, start, end);
        if (start < end)
            zap_if_of_file(&zap, start);
    }
    pass_on_counts(&zap);
}

static void zap_one(void *arg, struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    if (vma_is_shared(vma) || *(const bool *)arg)
        zap_range(vma, start, end);
    else
        zap_files_pages(vma, start, end);
}

void zap_mapping(struct quire_mapping *mapping, uint64_t first, uint64_t last, bool even_private)
{
    rmap_walk_mapping(mapping, first, last, zap_one, &even_private);
}
