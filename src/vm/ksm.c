/* vm/ksm.c: pages of the same content become one (Linux, mm/ksm.c)
 *
 * A scan goes through the mergeable areas of all address spaces. What it knows of a page is an
 * item: its address, and a hash of its content when it was looked at last. A page whose hash is
 * another one than then is left alone, since it changes. One that stays the same is looked for
 * among the merged pages, by its hash, and then among the pages of this scan that stay the same,
 * too: if one of those is alike, a merged page is made, and both become it. Linux keeps trees in
 * the order of contents; a hash of 64 bits and one comparison come to the same, but for pages of
 * the same hash that differ, of which the second one isn't merged.
 *
 * Before two pages are compared for good the one that is to go is made read-only, with its page
 * lock held: who writes to it waits, so it is what it was when its entry is replaced.
 *
 *   items       a tree by address space and address, of pages that one address alone has: no more
 *               than there are frames and swap slots. Those that weren't met in a scan are dropped
 *               at its end, so a page that is gone costs memory for one scan
 *   same        items of this scan that stay the same, by hash
 *   merged      merged pages by hash; the tree is a user of each, so each write is a copy. One
 *               that nobody else uses is dropped at the end of a scan. Who has to find all entries
 *               of a page has a bound for that: so many share one, and others the next one
 *   invariant   the content of a merged page doesn't change
 *   bound       O(log items) and a page's bytes for each page, twice if there is one alike; the end
 *               of a scan looks at all items and merged pages, and others have their turn meanwhile
 *   memory      is taken as far as reclaim gives some: nobody is killed for a page to be merged,
 *               nor to get his own back
 */
#include "vm/fault.h"
#include "vm/ksm_tree.h"
#include "vm/lru.h"
#include "vm/mempolicy.h"

#define CHUNK_BYTES 256u
#define MAX_SHARING 256u /* as Linux has it at first */
#define NOBODY_IS_KILLED (QUIRE_GFP_RETRY_MAYFAIL | QUIRE_GFP_NOWARN)

/* ---- contents -------------------------------------------------------------------------------- */

#define HASH_FACTOR 0x9e3779b97f4a7c15u

static uint64_t hash_page(struct quire_vm *vm, struct quire_page *page)
{
    uint64_t words[CHUNK_BYTES / sizeof(uint64_t)], hash = 0;
    for (size_t at = 0; at < QUIRE_PAGE_SIZE; at += CHUNK_BYTES) {
        page_read(vm, page, at, words, CHUNK_BYTES);
        for (size_t i = 0; i < CHUNK_BYTES / sizeof *words; i++) {
            hash = (hash ^ words[i]) * HASH_FACTOR;
            hash ^= hash >> 29;
        }
    }
    return hash;
}

/* What becomes one has the same: where each node has its own, the node belongs to it. */
static uint64_t key_of(const struct ksm *ksm, struct quire_vm *vm, const struct quire_page *page,
                       uint64_t hash)
{
    if (ksm->within_nodes)
        hash ^= ((uint64_t)quire_page_node(vm->mem, page) + 1) * HASH_FACTOR;
    return hash;
}

static bool are_alike(struct quire_vm *vm, struct quire_page *a, struct quire_page *b)
{
    char of_a[CHUNK_BYTES], of_b[CHUNK_BYTES];
    bool alike = true;
    for (size_t at = 0; alike && at < QUIRE_PAGE_SIZE; at += CHUNK_BYTES) {
        page_read(vm, a, at, of_a, CHUNK_BYTES);
        page_read(vm, b, at, of_b, CHUNK_BYTES);
        alike = !__builtin_memcmp(of_a, of_b, CHUNK_BYTES);
    }
    return alike;
}

/* ---- one page becomes another ---------------------------------------------------------------- */

/* Nobody but this entry and the caller's pin has it. */
static bool is_alone(const struct quire_page *page)
{
    return page_users(page) == 1 && quire_load_acquire(&page->refcount) == 2;
}

/* The entry of a page that is locked and pinned loses the right to write. False: it is another
 * entry by now, or somebody else has the page, too. */
static bool make_read_only(struct fault *fault, struct quire_page *page)
{
    struct quire_mm *mm = fault->mm;
    bool flush = false, done = false;
    entry_lock(mm, fault->address);
    if (fault_entry_is_unchanged(fault) && is_alone(page)) {
        fault->entry = quire_get_entry(&mm->pt, fault->address);
        uint64_t entry = fault->entry & ~(uint64_t)QUIRE_PTE_WRITE;
        done = !fault_update_entry(fault, entry, &flush);
        fault->entry = done ? entry : fault->entry;
    }
    entry_unlock(mm, fault->address);
    if (flush)
        quire_tlb_flush_page(&mm->pt, fault->address);
    return done;
}

static bool replace(struct fault *fault, struct quire_page *page, struct quire_page *to)
{
    struct quire_mm *mm = fault->mm;
    uint64_t entry = quire_page_to_phys(to) | QUIRE_PTE_PRESENT | QUIRE_PTE_ACCESSED |
                     (fault->vma->prot & ~(uint64_t)QUIRE_PTE_WRITE);
    if (!make_read_only(fault, page) || !are_alike(mm->vm, page, to) || !rmap_add(mm, to))
        return false;
    if (!fault_set_entry(fault, entry)) {
        rmap_remove(mm, to);
        page_unuse(mm->vm, to);
        return false;
    }
    rmap_remove(mm, page);
    page_unuse(mm->vm, page);
    return true;
}

/* The page, which is pinned, becomes `to`. */
static bool merge(struct fault *fault, struct quire_page *page, struct quire_page *to)
{
    if (!is_alone(page) || !page_trylock(page))
        return false;
    bool merged = replace(fault, page, to);
    page_unlock(page);
    return merged;
}

/* The page, which is pinned and whose hash is that of zeroes, becomes the one of zeroes, of which
 * nobody is a user. */
static bool replace_by_zeroes(struct fault *fault, struct quire_page *page)
{
    struct quire_mm *mm = fault->mm;
    struct quire_page *zeroes = mm->vm->zero_page;
    uint64_t entry = quire_page_to_phys(zeroes) | QUIRE_PTE_PRESENT | QUIRE_PTE_ACCESSED |
                     (fault->vma->prot & ~(uint64_t)QUIRE_PTE_WRITE);
    if (!make_read_only(fault, page) || !are_alike(mm->vm, page, zeroes) ||
        !fault_set_entry(fault, entry))
        return false;
    rmap_remove(mm, page);
    page_unuse(mm->vm, page);
    return true;
}

static bool become_zeroes(struct fault *fault, struct quire_page *page)
{
    if (!is_alone(page) || !page_trylock(page))
        return false;
    bool done = replace_by_zeroes(fault, page);
    page_unlock(page);
    return done;
}

/* Where each node has its own, on the page's node or not at all. */
static struct quire_page *alloc_merged(struct quire_vm *vm, const struct ksm *ksm,
                                       const struct quire_page *like)
{
    if (!ksm->within_nodes)
        return vm_alloc_page(vm, KSM_GENTLY);
    struct quire_page *page =
        quire_alloc_pages_node(vm->mem, quire_page_node(vm->mem, like),
                               QUIRE_GFP_HIGHUSER_MOVABLE | QUIRE_GFP_THISNODE | KSM_GENTLY, 0);
    if (page)
        page_dress(vm, page);
    return page;
}

/* A merged page with the content of `page`; NULL: no memory. */
static struct ksm_merged *make_merged(struct quire_vm *vm, struct ksm *ksm, struct quire_page *page,
                                      uint64_t hash)
{
    struct ksm_merged *merged = quire_kzalloc(vm->slab, sizeof *merged, KSM_GFP);
    if (!merged)
        return NULL;
    merged->page = alloc_merged(vm, ksm, page);
    if (!merged->page || !page_use(merged->page)) {
        quire_kfree(vm->slab, merged);
        return NULL;
    }
    page_copy(vm, merged->page, page);
    page_set(merged->page, PG_UPTODATE | PG_DIRTY);
    page_set_root(merged->page, PAGE_KIND_ANON, 0);
    merged->hash = hash;
    ksm_insert_merged(ksm, merged);
    return merged;
}

/* ---- looking at a page ----------------------------------------------------------------------- */

static bool area_is_mergeable(const struct quire_vma *vma)
{
    return vma && vma->flags & VM_MERGEABLE &&
           !(vma->flags & (VM_SHARED | VM_LOCKED | VM_UFFD_MISSING | VM_UFFD_WP)) &&
           vma->flags & VM_ACCESS;
}

/* The anonymous page at an address, pinned; NULL. With the reader's lock. */
static struct quire_page *pin_mergeable(struct quire_vma *vma, quire_linear_t at,
                                        struct fault *fault)
{
    struct quire_mm *mm = vma->mm;
    *fault = (struct fault){.vma = vma, .mm = mm, .address = at};
    fault->entry = quire_find_entry(&mm->pt, at, &fault->where);
    if (!entry_has_page(fault->entry))
        return NULL;
    struct quire_page *page = fault_pin_page(fault);
    if (!page || (page != mm->vm->zero_page && page_is_anon(page)))
        return page;
    vm_put_page(mm->vm, page);
    return NULL;
}

/* The other item's page becomes the merged one, too, if it still is what it was. */
static void merge_other(struct quire_mm *mm, quire_linear_t address, struct ksm_merged *merged)
{
    struct fault fault;
    rwlock_read(&mm->lock);
    struct quire_vma *vma = vma_at(mm, address);
    struct quire_page *page = area_is_mergeable(vma) ? pin_mergeable(vma, address, &fault) : NULL;
    if (page && !page_is_merged(page))
        (void)merge(&fault, page, merged->page);
    if (page)
        vm_put_page(mm->vm, page);
    rwlock_read_unlock(&mm->lock);
}

/* With a reference, if there still is such a one; NULL. */
static struct quire_mm *find_mm(struct quire_vm *vm, const struct quire_mm *wanted)
{
    struct quire_mm *found = NULL;
    quire_port_irq_t irq = vm_lock(vm);
    list_for_each (link, &vm->mms) {
        struct quire_mm *mm = quire_container_of(link, struct quire_mm, link);
        if (mm == wanted) {
            mm_ref(mm);
            found = mm;
        }
    }
    vm_unlock(vm, irq);
    return found;
}

/* What is to be done without the address space's lock. */
struct other {
    struct quire_mm *mm; /* with a reference; NULL: nothing */
    quire_linear_t address;
    struct ksm_merged *merged;
};

/* A page that stayed the same since the last scan, and is like no merged one. */
static void look_for_same(struct ksm *ksm, struct ksm_item *item, struct fault *fault,
                          struct quire_page *page, struct other *other)
{
    struct quire_vm *vm = fault->mm->vm;
    struct ksm_item *same = ksm_find_or_join_same(ksm, item);
    ksm->unshared++;
    if (!same || same == item)
        return;
    struct ksm_merged *merged = make_merged(vm, ksm, page, item->hash);
    if (!merged || !merge(fault, page, merged->page))
        return;
    ksm_leave_same(ksm, same);
    ksm->unshared -= 2;
    *other = (struct other){find_mm(vm, same->mm), same->address, merged};
}

/* A merged page needs no item, nor does what others have, too, which isn't merged: so items are as
 * many as frames, however many addresses mean one. */
static void look_at(struct ksm *ksm, struct fault *fault, struct quire_page *page,
                    struct other *other)
{
    if (page_is_merged(page) || page_users(page) != 1)
        return;
    const uint64_t content = hash_page(fault->mm->vm, page);
    const uint64_t hash = key_of(ksm, fault->mm->vm, page, content);
    if (ksm->zero_pages && content == ksm->zero_hash && become_zeroes(fault, page))
        return;
    struct ksm_merged *merged = ksm_find_merged(ksm, hash);
    if (merged && merge(fault, page, merged->page))
        return;
    struct ksm_item *item = ksm_item_at(ksm, fault->mm, fault->address);
    if (!item)
        return;
    bool changed = item->hash != hash || !item->scan;
    ksm_leave_same(ksm, item);
    item->scan = ksm->scan;
    item->hash = hash;
    if (changed)
        ksm->changing++;
    else if (merged)
        ksm->unshared++;
    else
        look_for_same(ksm, item, fault, page, other);
}

/* ---- scans ----------------------------------------------------------------------------------- */

/* The next address from *at on that a mergeable area has, in *vma. With the reader's lock. */
static bool find_mergeable(struct quire_mm *mm, quire_linear_t *at, struct quire_vma **vma)
{
    *vma = vma_above(mm, *at);
    while (*vma && !area_is_mergeable(*vma))
        *vma = vma_next(*vma);
    if (*vma && (*vma)->start > *at)
        *at = (*vma)->start;
    return *vma;
}

/* One address; false: there is none left in this address space. */
static bool scan_one(struct ksm *ksm, struct quire_mm *mm)
{
    struct other other = {NULL, 0, NULL};
    struct quire_vma *vma;
    struct fault fault;
    rwlock_read(&mm->lock);
    bool found = find_mergeable(mm, &ksm->at, &vma);
    struct quire_page *page = found ? pin_mergeable(vma, ksm->at, &fault) : NULL;
    if (page) {
        look_at(ksm, &fault, page, &other);
        vm_put_page(mm->vm, page);
    }
    rwlock_read_unlock(&mm->lock);
    ksm->at += QUIRE_PAGE_SIZE;
    if (other.mm) {
        merge_other(other.mm, other.address, other.merged);
        mm_unref(other.mm);
    }
    return found;
}

static void next_mm(struct quire_vm *vm, struct ksm *ksm)
{
    struct quire_mm *before = ksm->mm;
    ksm->mm = NULL;
    ksm->at = 0;
    quire_port_irq_t irq = vm_lock(vm);
    struct list *link = before ? before->link.next : vm->mms.next;
    for (; link != &vm->mms && !ksm->mm; link = link->next) {
        struct quire_mm *mm = quire_container_of(link, struct quire_mm, link);
        if (quire_load_relaxed(&mm->has_mergeable)) {
            mm_ref(mm);
            ksm->mm = mm;
        }
    }
    vm_unlock(vm, irq);
    if (before)
        mm_unref(before);
}

/* The next scan begins with the first address space. */
static void leave_mm(struct ksm *ksm)
{
    struct quire_mm *mm = ksm->mm;
    ksm->mm = NULL;
    if (mm)
        mm_unref(mm);
}

/* What wasn't met, and merged pages that nobody has any more. */
static void end_scan(struct quire_vm *vm, struct ksm *ksm)
{
    unsigned long alone;
    ksm_drop_items(vm, ksm, ksm->scan);
    (void)ksm_trim(vm, ksm, &alone);
    ksm->info.unshared = ksm->unshared + alone;
    ksm->info.changing = ksm->changing;
    ksm->info.full_scans++;
    ksm->unshared = ksm->changing = 0;
    ksm->scan = ksm->scan == UINT32_MAX ? 1 : ksm->scan + 1;
}

/* The scan that was under way is none. How many merged pages are left. */
static unsigned long forget(struct quire_vm *vm, struct ksm *ksm)
{
    unsigned long alone;
    leave_mm(ksm);
    ksm_drop_items(vm, ksm, 0);
    ksm->unshared = ksm->changing = 0;
    return ksm_trim(vm, ksm, &alone);
}

unsigned long quire_ksm_scan(struct quire_vm *vm, unsigned long pages)
{
    struct ksm *ksm = quire_load_acquire(&vm->ksm);
    unsigned long done = 0;
    if (!ksm)
        return 0;
    rwlock_write(&ksm->lock);
    if (!ksm->mm)
        next_mm(vm, ksm);
    while (done < pages && ksm->mm) {
        if (scan_one(ksm, ksm->mm))
            done++;
        else
            next_mm(vm, ksm);
    }
    if (!ksm->mm)
        end_scan(vm, ksm);
    rwlock_write_unlock(&ksm->lock);
    return done;
}

unsigned long quire_ksm_trim(struct quire_vm *vm)
{
    struct ksm *ksm = quire_load_acquire(&vm->ksm);
    if (!ksm)
        return 0;
    rwlock_write(&ksm->lock);
    unsigned long left = forget(vm, ksm);
    rwlock_write_unlock(&ksm->lock);
    return left;
}

void quire_ksm_info(struct quire_vm *vm, struct quire_ksm_info *info)
{
    struct ksm *ksm = quire_load_acquire(&vm->ksm);
    *info = (struct quire_ksm_info){0};
    if (!ksm)
        return;
    rwlock_write(&ksm->lock);
    ksm_count_merged(vm, ksm);
    *info = ksm->info;
    rwlock_write_unlock(&ksm->lock);
}

/* ---- back ------------------------------------------------------------------------------------ */

/* A page of its own in a merged one's place, which the caller pins; with the right to write by the
 * next fault, if the area gives it, and its monitor. */
static int unshare(struct fault *fault, struct quire_page *old)
{
    struct quire_vma *vma = fault->vma;
    struct quire_vm *vm = fault->mm->vm;
    struct quire_page *page =
        anon_vma_prepare(vma) ? NULL : vm_alloc_page_at(vma, fault->address, NOBODY_IS_KILLED);
    if (!page)
        return -QUIRE_ENOMEM;
    page_copy(vm, page, old);
    page_set(page, PG_UPTODATE);
    rmap_new_anon(page, vma, fault->address);
    lru_add(vm, page, vma->flags);
    const uint64_t kept = QUIRE_PTE_PRESENT | ENTRY_PROTNONE | ENTRY_WP;
    uint64_t entry = quire_page_to_phys(page) | (fault->entry & kept) | QUIRE_PTE_ACCESSED |
                     QUIRE_PTE_DIRTY | (vma->prot & ~(uint64_t)QUIRE_PTE_WRITE);
    struct quire_page *gone = fault_set_entry(fault, entry) ? old : page;
    rmap_remove(fault->mm, gone);
    page_unuse(vm, gone);
    return 0;
}

int ksm_unmerge_range(struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    struct quire_vm *vm = vma->mm->vm;
    struct fault fault;
    for (unsigned n = 1; (start = next_entry(vma->mm, start, end)) < end; n++) {
        ksm_let_others_run(vm, n);
        struct quire_page *page = pin_mergeable(vma, start, &fault);
        int error = page && page_is_merged(page) ? unshare(&fault, page) : 0;
        if (page)
            vm_put_page(vma->mm->vm, page);
        if (error)
            return error;
        start += QUIRE_PAGE_SIZE;
    }
    return 0;
}

static int unmerge_mm(struct quire_mm *mm)
{
    int error = 0;
    rwlock_read(&mm->lock);
    for (struct quire_vma *vma = vma_above(mm, 0); vma && !error; vma = vma_next(vma))
        if (vma->flags & VM_MERGEABLE)
            error = ksm_unmerge_range(vma, vma->start, vma->end);
    rwlock_read_unlock(&mm->lock);
    return error;
}

int quire_ksm_unmerge(struct quire_vm *vm)
{
    struct ksm *ksm = quire_load_acquire(&vm->ksm);
    int error = 0;
    if (!ksm)
        return 0;
    rwlock_write(&ksm->lock);
    leave_mm(ksm);
    do {
        next_mm(vm, ksm);
        if (ksm->mm)
            error = unmerge_mm(ksm->mm);
    } while (ksm->mm && !error);
    (void)forget(vm, ksm);
    ksm->info.unshared = ksm->info.changing = 0;
    rwlock_write_unlock(&ksm->lock);
    return error;
}

int ksm_prepare(struct quire_vm *vm)
{
    struct ksm *expected = NULL;
    if (quire_load_acquire(&vm->ksm))
        return 0;
    struct ksm *new = quire_kzalloc(vm->slab, sizeof *new, QUIRE_GFP_KERNEL);
    if (!new)
        return -QUIRE_ENOMEM;
    new->scan = 1;
    new->max_sharing = MAX_SHARING;
    new->zero_hash = hash_page(vm, vm->zero_page);
    if (!quire_compare_exchange(&vm->ksm, &expected, new))
        quire_kfree(vm->slab, new);
    return 0;
}

void ksm_destroy(struct quire_vm *vm)
{
    struct ksm *ksm = vm->ksm;
    if (!ksm)
        return;
    (void)forget(vm, ksm);
    quire_kfree(vm->slab, ksm);
    vm->ksm = NULL;
}
