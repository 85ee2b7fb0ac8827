/* vm/readahead.c: pages of files with what is in them
 *
 * A page that isn't in memory is read with those behind it: a window, which begins small and
 * doubles as long as each miss is where the last window ended. Reading is synchronous, so a window
 * is read when its first page is missed and not before. What can't be had for the rest of a window
 * (memory, a place that is taken, an error of the store) only makes it shorter.
 *
 *   bound    a sequential reader has log2(MAX_WINDOW / FIRST_WINDOW) + n / MAX_WINDOW misses for n
 *            pages; who reads at random reads FIRST_WINDOW times what he needs, or with MADV_RANDOM
 *            just that
 *   source   Linux's mm/readahead.c, whose windows are of that size
 */
#include "vm/cache.h"

#define MAX_WINDOW 32u
#define FIRST_WINDOW 4u

static unsigned within_file(const struct quire_mapping *mapping, uint64_t index, unsigned pages)
{
    uint64_t left = pages_of_bytes(mapping->size) - index;
    return left < pages ? (unsigned)left : pages;
}

/* How much to read after a miss. */
static unsigned window_at(struct quire_mapping *mapping, uint64_t index, uint32_t vma_flags)
{
    struct readahead *ahead = &mapping->readahead;
    if (vma_flags & VM_RAND_READ || mapping->config.no_readahead)
        return 1;
    mapping_lock(mapping);
    unsigned pages = FIRST_WINDOW;
    if (vma_flags & VM_SEQ_READ)
        pages = MAX_WINDOW;
    else if (ahead->pages && index == ahead->next)
        pages = ahead->pages < MAX_WINDOW ? 2 * ahead->pages : MAX_WINDOW;
    *ahead = (struct readahead){index + pages, pages};
    mapping_unlock(mapping);
    return within_file(mapping, index, pages);
}

static void drop_unread(struct quire_mapping *mapping, struct quire_page **pages, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        cache_delete(mapping, pages[i]);
        cache_put_page(mapping, pages[i]);
    }
}

/* Reads pages that are in their places: how many of them are valid, the first or more. */
static unsigned read_placed(struct quire_mapping *mapping, uint64_t index,
                            struct quire_page **pages, unsigned count, int *error)
{
    const struct quire_mapping_config *file = &mapping->config;
    *error = file->ops->read_pages(file->owner, index, pages, count);
    if (*error && count > 1) {
        drop_unread(mapping, pages + 1, count - 1);
        count = 1;
        *error = file->ops->read_pages(file->owner, index, pages, count);
    }
    if (*error) {
        drop_unread(mapping, pages, count);
        return 0;
    }
    vm_count(mapping->vm, VM_PGPGIN, count * (QUIRE_PAGE_SIZE / 1024));
    for (unsigned i = 0; i < count; i++)
        page_set(pages[i], PG_UPTODATE);
    return count;
}

/* Reads up to `count` pages, the first of which stays locked and pinned. NULL and *error; -EEXIST:
 * it is there already. */
static struct quire_page *read_window(struct quire_mapping *mapping, uint64_t index, unsigned count,
                                      int *error)
{
    struct quire_page *pages[MAX_WINDOW];
    unsigned got = vm_alloc_pages_of(mapping, index, pages, count);
    *error = -QUIRE_ENOMEM;
    if (!got)
        return NULL;
    unsigned placed = cache_insert(mapping, index, pages, got, error);
    for (unsigned i = placed; i < got; i++)
        vm_put_page(mapping->vm, pages[i]);
    if (!placed)
        return NULL;
    unsigned valid = read_placed(mapping, index, pages, placed, error);
    for (unsigned i = 1; i < valid; i++)
        cache_put_page(mapping, pages[i]);
    return valid ? pages[0] : NULL;
}

/* One that isn't read. */
static struct quire_page *new_page(struct quire_mapping *mapping, uint64_t index,
                                   enum cache_fill fill, int *error)
{
    struct quire_page *page =
        vm_alloc_page_of(mapping, mapping->vm, index, fill == CACHE_ZERO ? QUIRE_GFP_ZERO : 0);
    *error = -QUIRE_ENOMEM;
    if (!page)
        return NULL;
    if (!cache_insert(mapping, index, &page, 1, error)) {
        vm_put_page(mapping->vm, page);
        return NULL;
    }
    if (fill == CACHE_ZERO)
        page_set(page, PG_UPTODATE);
    return page;
}

struct quire_page *cache_get_page(struct quire_mapping *mapping, uint64_t index,
                                  enum cache_fill fill, uint32_t vma_flags, bool *major, int *error)
{
    *error = -QUIRE_EINVAL;
    if (fill == CACHE_READ && index >= pages_of_bytes(mapping->size))
        return NULL;
    if (mapping->is_shmem)
        return shmem_get_page(mapping, index, fill == CACHE_LEAVE, major, error);
    for (;;) {
        uintptr_t word;
        struct quire_page *page = cache_lock_page(mapping, index, &word);
        if (page)
            return page;
        if (fill != CACHE_READ)
            page = new_page(mapping, index, fill, error);
        else
            page = read_window(mapping, index, window_at(mapping, index, vma_flags), error);
        if (page && fill == CACHE_READ)
            *major = true;
        if (page || *error != -QUIRE_EEXIST)
            return page;
    }
}

/* ---- asked for in advance -------------------------------------------------------------------- */

static void read_file(struct quire_mapping *mapping, uint64_t first, uint64_t last)
{
    for (uint64_t index = first; index <= last; index++) {
        struct quire_page *page = cache_find(mapping, index);
        int error = -QUIRE_EEXIST;
        if (page) {
            vm_put_page(mapping->vm, page);
            continue;
        }
        uint64_t most = last - index < MAX_WINDOW ? last - index + 1 : MAX_WINDOW;
        page = read_window(mapping, index, (unsigned)most, &error);
        if (page)
            cache_put_page(mapping, page);
        else if (error != -QUIRE_EEXIST)
            return;
    }
}

static void read_from_swap(struct quire_mapping *mapping, uint64_t first, uint64_t last)
{
    for (uint64_t index = first; index <= last; index++) {
        bool major;
        int error;
        mapping_lock(mapping);
        uintptr_t word = xa_next(&mapping->pages, &index, last);
        mapping_unlock(mapping);
        if (!word)
            return;
        if (!xa_is_number(word))
            continue;
        struct quire_page *page = shmem_get_page(mapping, index, false, &major, &error);
        if (!page)
            return;
        cache_put_page(mapping, page);
    }
}

void cache_willneed(struct quire_mapping *mapping, uint64_t first, uint64_t last)
{
    rwlock_read(&mapping->resize);
    uint64_t end = pages_of_bytes(mapping->size);
    last = last < end ? last : end - 1;
    if (end && mapping->is_shmem)
        read_from_swap(mapping, first, last);
    else if (end)
        read_file(mapping, first, last);
    rwlock_read_unlock(&mapping->resize);
}
