/* vm/copy.c: fork: the entries of areas for the child
 *
 * A table's reach at a time, under the parent's entry lock, so that the pages met are still there
 * when they get another user. Tables for the child can't be waited for under it: they are allocated
 * without reclaiming, and if there are too few, as many as the piece needs are waited for without
 * the lock, and it begins anew with these in hand. Pages of private areas become read-only on both
 * sides.
 *
 *   cost   a page: its user's count, and an entry read and written; resident pages are counted once
 *          a run
 */
#include "vm/fault.h"
#include "vm/swap.h"

#define TABLE_BYTES ((quire_linear_t)1 << 21)

struct copying {
    struct quire_mm *child;
    struct quire_vm *vm;
    const struct quire_mem *mem;
    const struct quire_page *zero_page;
    unsigned long pfn_mask;
    bool all_anon; /* no file: pages needn't be asked what they are */
};

/* Users that one run gave, and what they are in the child. */
struct gained {
    long rss[NR_RSS];
};

static inline struct quire_page *page_of(const struct copying *copying, uint64_t entry)
{
    const unsigned long pfn = (unsigned long)(entry >> QUIRE_PAGE_SHIFT) & copying->pfn_mask;
    return quire_pfn_to_page(copying->mem, quire_pfn(pfn));
}

static int copy_absent(const struct copying *copying, uint64_t entry, struct gained *gained)
{
    if (entry_is_migration(entry))
        return -QUIRE_EAGAIN; /* it may have become writable again when we would copy it */
    if (!entry_is_swap(entry))
        return 0;
    if (!swap_duplicate(copying->vm, entry))
        return -QUIRE_ENOMEM;
    gained->rss[RSS_SWAP]++;
    return 0;
}

static int copy_one(const struct copying *copying, uint64_t entry, struct gained *gained)
{
    if (quire_unlikely(!entry_has_page(entry)))
        return copy_absent(copying, entry, gained);
    struct quire_page *page = page_of(copying, entry);
    if (quire_unlikely(page == copying->zero_page))
        return 0;
    if (quire_unlikely(!page_use(page)))
        return -QUIRE_ENOMEM;
    gained->rss[page_rss(page)]++;
    return 0;
}

static void undo_one(const struct copying *copying, uint64_t entry, struct gained *gained)
{
    if (entry_has_page(entry)) {
        struct quire_page *page = page_of(copying, entry);
        if (page == copying->zero_page)
            return;
        gained->rss[page_rss(page)]--;
        /* The parent uses it, whose entry can't be taken out meanwhile. */
        (void)quire_sub_fetch(&page->owner_word, PAGE_USER);
    } else if (entry_is_swap(entry)) {
        gained->rss[RSS_SWAP]--;
        swap_free(copying->vm, entry);
    }
}

static void add_gained(const struct copying *copying, const struct gained *gained)
{
    for (unsigned kind = 0; kind < NR_RSS; kind++)
        if (gained->rss[kind])
            mm_add_rss(copying->child, (enum rss)kind, gained->rss[kind]);
}

/* The pages that a run of an area without a file begins with: what most of a fork is. How many
 * entries they are; the rest is for copy_one. */
static unsigned copy_anon_pages(const struct copying *copying, const struct quire_pt_run *run,
                                struct gained *gained)
{
    const struct copying known = *copying;
    const uint64_t *entry = run->entry, *end = entry + run->count;
    long zeros = 0;
    for (; entry < end && entry_has_page(*entry); entry++) {
        struct quire_page *page = page_of(&known, *entry);
        if (quire_unlikely(page == known.zero_page))
            zeros++;
        else if (quire_unlikely(!page_use(page)))
            break;
    }
    gained->rss[RSS_ANON] += entry - run->entry - zeros;
    return (unsigned)(entry - run->entry);
}

static int copied(void *arg, const struct quire_pt_run *run)
{
    const struct copying *copying = arg;
    struct gained gained = {{0}};
    for (unsigned i = copying->all_anon ? copy_anon_pages(copying, run, &gained) : 0;
         i < run->count; i++) {
        int error = copy_one(copying, run->entry[i], &gained);
        if (quire_unlikely(error)) {
            while (i--)
                undo_one(copying, run->entry[i], &gained);
            return error;
        }
    }
    add_gained(copying, &gained);
    return 0;
}

static void undone(void *arg, const struct quire_pt_run *run)
{
    struct copying *copying = arg;
    struct gained gained = {{0}};
    for (unsigned i = 0; i < run->count; i++)
        undo_one(copying, run->entry[i], &gained);
    add_gained(copying, &gained);
}

static int copy_piece(struct quire_mm *child, const struct quire_vma *parent, quire_linear_t start,
                      quire_linear_t end, struct quire_pt_spares *spares,
                      struct quire_tlb_batch *batch)
{
    struct quire_vm *vm = child->vm;
    struct copying copying = {
        .child = child,
        .vm = vm,
        .mem = vm->mem,
        .zero_page = vm->zero_page,
        .pfn_mask = child->pt.pfn_mask,
        .all_anon = !parent->mapping,
    };
    struct quire_pt_copy how = {
        .clear_both = vma_is_shared(parent) ? 0 : QUIRE_PTE_WRITE,
        .clear_copy = QUIRE_PTE_ACCESSED | ENTRY_WP,
        .copied = copied,
        .undone = undone,
        .arg = &copying,
        .spares = spares,
    };
    spares->lacking = 0; /* -ENOMEM may be what `copied` says, too */
    /* What is undone gives the child's tables back. */
    rwlock_write(&child->tables);
    entry_lock(parent->mm, start);
    int error = quire_copy_range(&child->pt, &parent->mm->pt, start, end - start, &how, batch);
    entry_unlock(parent->mm, start);
    rwlock_write_unlock(&child->tables);
    return error;
}

int copy_entries(struct quire_mm *child, const struct quire_vma *parent, quire_linear_t last_end)
{
    struct quire_tlb_batch batch;
    struct quire_pt_spares spares = {NULL, 0};
    struct quire_pgtable *pt = &child->pt;
    int error = 0;
    const quire_gfp_t gfp = pt->gfp;
    const quire_gfp_t gently = (gfp & ~QUIRE_GFP_DIRECT_RECLAIM) | QUIRE_GFP_NOWARN;
    pt->gfp = gently;
    quire_tlb_batch_init(&batch, &parent->mm->pt);
    for (quire_linear_t at = parent->start, end; !error && at < last_end; at = end) {
        const quire_linear_t last = at | (TABLE_BYTES - 1);
        end = last < last_end ? last + 1 : last_end;
        while ((error = copy_piece(child, parent, at, end, &spares, &batch))) {
            if (error == -QUIRE_EAGAIN) {
                quire_port_relax();
                continue;
            }
            if (error != -QUIRE_ENOMEM || !spares.lacking)
                break;
            pt->gfp = gfp;
            error = quire_pt_spares_fill(&spares, pt, spares.lacking);
            pt->gfp = gently;
            if (error)
                break;
        }
    }
    quire_pt_spares_empty(&spares, pt);
    quire_tlb_flush(&batch);
    pt->gfp = gfp;
    return error;
}
