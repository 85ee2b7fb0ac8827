/* vm/rmap.c: areas in their roots; walks; a page's first and further entries
 *
 * A walk takes the root's lock (reader), and for each area the address space's `tables` (reader).
 * So areas neither come, go nor change while it is under way, nor do tables; entries do. What it
 * finds at an area's address is the page, another one or nothing: see rmap_entry.h.
 */
#include "vm/cache.h"

/* ---- areas ----------------------------------------------------------------------------------- */

static struct root *root_of_mapping(const struct quire_vma *vma)
{
    return &vma->mapping->root;
}

static void set_range(const struct quire_vma *vma, struct interval *interval)
{
    interval->first = vma->pgoff;
    interval->last = vma->pgoff + vma_pages(vma) - 1;
}

static void insert_shared(struct quire_vma *vma)
{
    set_range(vma, &vma->shared);
    interval_insert(&root_of_mapping(vma)->areas, &vma->shared);
}

static void lock_mapping(struct quire_vma *vma)
{
    if (vma->mapping)
        rwlock_write(&root_of_mapping(vma)->lock);
}

static void unlock_mapping(struct quire_vma *vma)
{
    if (vma->mapping)
        rwlock_write_unlock(&root_of_mapping(vma)->lock);
}

void mapping_link_vma(struct quire_vma *vma)
{
    lock_mapping(vma);
    if (vma->mapping)
        insert_shared(vma);
    unlock_mapping(vma);
}

void mapping_unlink_vma(struct quire_vma *vma)
{
    lock_mapping(vma);
    if (vma->mapping)
        interval_remove(&root_of_mapping(vma)->areas, &vma->shared);
    unlock_mapping(vma);
}

static struct anon_vma_chain *chain_of(struct list *link)
{
    return quire_container_of(link, struct anon_vma_chain, same_vma);
}

void rmap_begin_change(struct quire_vma *vma)
{
    lock_mapping(vma);
    if (vma->mapping)
        interval_remove(&root_of_mapping(vma)->areas, &vma->shared);
    if (!vma->anon_vma)
        return;
    rwlock_write(&vma->anon_vma->root.locked->lock);
    list_for_each (link, &vma->chains)
        interval_remove(&chain_of(link)->anon_vma->root.areas, &chain_of(link)->interval);
}

void rmap_end_change(struct quire_vma *vma)
{
    if (vma->anon_vma) {
        list_for_each (link, &vma->chains) {
            set_range(vma, &chain_of(link)->interval);
            interval_insert(&chain_of(link)->anon_vma->root.areas, &chain_of(link)->interval);
        }
        rwlock_write_unlock(&vma->anon_vma->root.locked->lock);
    }
    if (vma->mapping)
        insert_shared(vma);
    unlock_mapping(vma);
}

void rmap_lock_walks(struct quire_vma *vma)
{
    lock_mapping(vma);
    if (vma->anon_vma)
        rwlock_write(&vma->anon_vma->root.locked->lock);
}

void rmap_unlock_walks(struct quire_vma *vma)
{
    if (vma->anon_vma)
        rwlock_write_unlock(&vma->anon_vma->root.locked->lock);
    unlock_mapping(vma);
}

/* Whoever held a lock before has let it go by the time that it is had. */
void rmap_wait_for_walks(struct quire_vma *vma)
{
    rmap_lock_walks(vma);
    rmap_unlock_walks(vma);
}

/* ---- walks ----------------------------------------------------------------------------------- */

static struct quire_vma *vma_of(const struct root *root, struct interval *interval)
{
    if (root->kind != PAGE_KIND_ANON)
        return quire_container_of(interval, struct quire_vma, shared);
    return quire_container_of(interval, struct anon_vma_chain, interval)->vma;
}

static quire_linear_t address_of(const struct quire_vma *vma, uint64_t index)
{
    return vma->start + ((index - vma->pgoff) << QUIRE_PAGE_SHIFT);
}

void rmap_walk(struct quire_vm *vm, struct quire_page *page, rmap_one_fn *one, void *arg)
{
    struct root *root = root_of_page(vm, page);
    uint64_t index = page_index(page);
    bool more = true;
    if (!root)
        return;
    rwlock_read(&root->locked->lock);
    struct interval *at = interval_first(&root->areas, index, index);
    for (; at && more; at = interval_next(at, index, index)) {
        struct quire_vma *vma = vma_of(root, at);
        rwlock_read(&vma->mm->tables);
        more = one(arg, vma, address_of(vma, index));
        rwlock_read_unlock(&vma->mm->tables);
    }
    rwlock_read_unlock(&root->locked->lock);
    root_put(vm, root);
}

void rmap_walk_mapping(struct quire_mapping *mapping, uint64_t first, uint64_t last,
                       void (*one)(void *arg, struct quire_vma *vma, quire_linear_t start,
                                   quire_linear_t end),
                       void *arg)
{
    struct root *root = &mapping->root;
    rwlock_read(&root->lock);
    struct interval *at = interval_first(&root->areas, first, last);
    for (; at; at = interval_next(at, first, last)) {
        struct quire_vma *vma = vma_of(root, at);
        uint64_t from = first > at->first ? first : at->first;
        uint64_t to = last < at->last ? last : at->last;
        rwlock_read(&vma->mm->tables);
        one(arg, vma, address_of(vma, from), address_of(vma, to) + QUIRE_PAGE_SIZE);
        rwlock_read_unlock(&vma->mm->tables);
    }
    rwlock_read_unlock(&root->lock);
}

/* ---- pages ----------------------------------------------------------------------------------- */

/* It has a user for an entry, and wasn't counted as mapped. */
void rmap_count_mapped(struct quire_vm *vm, struct quire_page *page)
{
    if (!(quire_fetch_or(&page->owner_word, PAGE_MAPPED) & PAGE_MAPPED))
        vm_stat_add(vm, page_is_anon(page) ? NR_ANON_MAPPED : NR_FILE_MAPPED, 1);
}

/* Nobody else knows the page but phys's compaction, which sees that it is on no list: so all is
 * written at once. Nothing else has its content: it is dirty. */
void rmap_new_anon(struct quire_page *page, struct quire_vma *vma, quire_linear_t address)
{
    uint64_t index = vma_index(vma, address);
    struct page_owner *owner = page_owner(page);
    quire_store_relaxed(&owner->index_low, (uint32_t)index);
    quire_store_relaxed(&owner->place, PAGE_KIND_ANON | vma->anon_vma->root.id << PLACE_ID_SHIFT);
    quire_store_relaxed(&page->owner_word, PAGE_MAPPED | PAGE_USER | (uint32_t)(index >> 32));
    page_tell_kind(page, PAGE_KIND_ANON);
    page_set(page, PG_DIRTY);
    vm_stat_add(vma->mm->vm, NR_ANON_MAPPED, 1);
    mm_add_rss(vma->mm, RSS_ANON, 1);
}

void rmap_set_anon(struct quire_page *page, struct quire_vma *vma, quire_linear_t address,
                   bool exclusive)
{
    const struct root *root = &vma->anon_vma->root;
    page_set_index(page, vma_index(vma, address));
    page_set_root(page, PAGE_KIND_ANON, exclusive ? root->id : root->locked->id);
}

bool rmap_add(struct quire_mm *mm, struct quire_page *page)
{
    if (!rmap_add_user(mm->vm, page))
        return false;
    mm_add_rss(mm, page_rss(page), 1);
    return true;
}

void rmap_remove(struct quire_mm *mm, struct quire_page *page)
{
    mm_add_rss(mm, page_rss(page), -1);
}
