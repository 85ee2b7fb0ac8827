/* vm/copy.c: fork: the entries of an area for the child
 *
 * A table's reach at a time, under the parent's entry lock, so that the pages met are still there
 * when they get another user. Tables for the child can't be waited for under it: they are allocated
 * without reclaiming, and if there are none, memory is made free without the lock and the piece
 * begins anew. Pages of private areas become read-only on both sides.
 *
 *   cost   a page: its user's count, and an entry read and written; resident pages are counted once
 *          a run
 */
#include "vm/fault.h"
#include "vm/swap.h"

/* A piece needs a few tables; what was made free for it others may take. */
#define MAX_TRIES 16u
#define TABLE_BYTES ((quire_linear_t)1 << 21)

struct copying {
    struct quire_mm *child;
    struct quire_vm *vm;
    const struct quire_mem *mem;
    const struct quire_page *zero_page;
    uint64_t address_mask;
    bool all_anon; /* no file: pages needn't be asked what they are */
};

/* Users that one run gave, and what they are in the child. */
struct gained {
    long rss[NR_RSS];
};

static inline struct quire_page *page_of(const struct copying *copying, uint64_t entry)
{
    return quire_pfn_to_page(copying->mem, quire_phys_to_pfn(entry & copying->address_mask));
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

static int copy_piece(struct quire_vma *child, struct quire_vma *parent, quire_linear_t start,
                      quire_linear_t end, struct quire_tlb_batch *batch)
{
    struct quire_vm *vm = child->mm->vm;
    struct copying copying = {
        .child = child->mm,
        .vm = vm,
        .mem = vm->mem,
        .zero_page = vm->zero_page,
        .address_mask = child->mm->pt.format->address_mask,
        .all_anon = !parent->mapping,
    };
    struct quire_pt_copy how = {
        .clear_both = vma_is_shared(parent) ? 0 : QUIRE_PTE_WRITE,
        .clear_copy = QUIRE_PTE_ACCESSED,
        .copied = copied,
        .undone = undone,
        .arg = &copying,
    };
    /* What is undone gives the child's tables back. */
    rwlock_write(&child->mm->tables);
    entry_lock(parent->mm, start);
    int error = quire_copy_range(&child->mm->pt, &parent->mm->pt, start, end - start, &how, batch);
    entry_unlock(parent->mm, start);
    rwlock_write_unlock(&child->mm->tables);
    return error;
}

/* Makes a page free by whatever it takes. */
static int make_room(struct quire_vm *vm)
{
    struct quire_page *page = quire_alloc_page(vm->mem, QUIRE_GFP_KERNEL);
    if (!page)
        return -QUIRE_ENOMEM;
    quire_free_page(vm->mem, page);
    return 0;
}

/* Pages of files that were never written to are found again by faults. */
static bool needs_copy(const struct quire_vma *vma)
{
    return !(vma->flags & VM_WIPEONFORK) && (!vma->mapping || vma->anon_vma);
}

int copy_entries(struct quire_vma *child, struct quire_vma *parent)
{
    struct quire_tlb_batch batch;
    int error = 0;
    if (!needs_copy(parent))
        return 0;
    quire_gfp_t gfp = child->mm->pt.gfp;
    child->mm->pt.gfp = (gfp & ~QUIRE_GFP_DIRECT_RECLAIM) | QUIRE_GFP_NOWARN;
    quire_tlb_batch_init(&batch, &parent->mm->pt);
    for (quire_linear_t at = parent->start, end; !error && at < parent->end; at = end) {
        end = (at | (TABLE_BYTES - 1)) + 1;
        end = end < parent->end ? end : parent->end;
        unsigned tries = 0;
        while ((error = copy_piece(child, parent, at, end, &batch))) {
            if (error == -QUIRE_EAGAIN)
                quire_port_relax();
            else if (error != -QUIRE_ENOMEM || ++tries == MAX_TRIES || make_room(parent->mm->vm))
                break;
        }
    }
    quire_tlb_flush(&batch);
    child->mm->pt.gfp = gfp;
    return error;
}
