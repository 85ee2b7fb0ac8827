/* vm/truncate.c: files become shorter, or get holes
 *
 * The size changes first, so that no fault brings back what goes; the writer's lock on `resize`
 * keeps out those who looked at the old one. Then entries are taken out of all areas, then pages
 * out of the array. A fork may bring back an entry that the walk of reverse maps has passed in the
 * child, or a page's user may be given back late, after a flush: so before a page goes, its users
 * are waited for, and its entries looked for again.
 *
 * Linux: mm/truncate.c.
 */
#include "vm/cache.h"
#include "vm/fault.h"

/* A locked page whose entries were all taken out, by and large. */
static void wait_until_unmapped(struct quire_mapping *mapping, struct quire_page *page)
{
    uint64_t index = page_index(page);
    while (page_mapcount(page)) {
        zap_mapping(mapping, index, index, false);
        quire_port_relax();
    }
}

void cache_drop_range(struct quire_mapping *mapping, uint64_t first, uint64_t last)
{
    struct quire_page *pages[CACHE_BATCH];
    uint64_t index = first;
    for (unsigned count; (count = cache_find_batch(mapping, &index, last, false, pages));) {
        for (unsigned i = 0; i < count; i++) {
            page_lock(pages[i]);
            if (cache_holds(mapping, pages[i], page_index(pages[i]))) {
                wait_until_unmapped(mapping, pages[i]);
                cache_delete(mapping, pages[i]);
            }
            cache_put_page(mapping, pages[i]);
        }
    }
    /* Pages that reclaim was faster with are numbers now. */
    cache_drop_numbers(mapping, first, last);
}

int cache_zero_part(struct quire_mapping *mapping, uint64_t index, size_t from, size_t to)
{
    uintptr_t word;
    int error = 0;
    struct quire_page *page = cache_lock_page(mapping, index, &word);
    if (!page && word && mapping->is_shmem) {
        bool major;
        page = shmem_get_page(mapping, index, false, &major, &error);
    }
    if (!page) /* what was lost with its frame needs no zeros: it is never read */
        return error == -QUIRE_EHWPOISON ? 0 : error;
    page_zero_part(mapping->vm, page, from, to - from);
    cache_put_page(mapping, page);
    return 0;
}

int mapping_set_size(struct quire_mapping *mapping, uint64_t size)
{
    long more = (long)pages_of_bytes(size) - (long)pages_of_bytes(mapping->size);
    if (mapping->is_shmem && !mapping->config.noreserve) {
        int error = shmem_commit(mapping, more);
        if (error)
            return error;
    }
    mapping_lock(mapping);
    mapping->size = size;
    mapping_unlock(mapping);
    return 0;
}

/* What a process wrote behind the end of the last page must not become part of the file when it
 * grows, nor what was there before it shrank. */
static int zero_behind(struct quire_mapping *mapping, uint64_t end)
{
    size_t offset = end & (QUIRE_PAGE_SIZE - 1);
    return offset ? cache_zero_part(mapping, end >> QUIRE_PAGE_SHIFT, offset, QUIRE_PAGE_SIZE) : 0;
}

int mapping_grow(struct quire_mapping *mapping, uint64_t size)
{
    int error = zero_behind(mapping, mapping->size);
    return error ? error : mapping_set_size(mapping, size);
}

static int shrink(struct quire_mapping *mapping, uint64_t size)
{
    uint64_t first = pages_of_bytes(size);
    int error = zero_behind(mapping, size);
    if (!error)
        error = mapping_set_size(mapping, size);
    if (error)
        return error;
    zap_mapping(mapping, first, LAST_INDEX, true);
    cache_drop_range(mapping, first, LAST_INDEX);
    return 0;
}

int quire_mapping_truncate(struct quire_mapping *mapping, uint64_t size)
{
    if (!mapping_size_is_valid(mapping->is_shmem, size))
        return -QUIRE_EINVAL;
    rwlock_write(&mapping->resize);
    int error = size < mapping->size ? shrink(mapping, size) : mapping_grow(mapping, size);
    rwlock_write_unlock(&mapping->resize);
    return error;
}

/* ---- holes ----------------------------------------------------------------------------------- */

/* [start, end): parts of pages are zeroed, whole pages [*first, *last) are for the caller. */
static int zero_parts(struct quire_mapping *mapping, uint64_t start, uint64_t end, uint64_t *first,
                      uint64_t *last)
{
    size_t head = start & (QUIRE_PAGE_SIZE - 1), tail = end & (QUIRE_PAGE_SIZE - 1);
    int error = 0;
    *first = pages_of_bytes(start);
    *last = end >> QUIRE_PAGE_SHIFT;
    if (*last < *first) /* within one page */
        return cache_zero_part(mapping, *last, head, tail);
    if (head)
        error = cache_zero_part(mapping, *first - 1, head, QUIRE_PAGE_SIZE);
    if (!error && tail)
        error = cache_zero_part(mapping, *last, 0, tail);
    return error;
}

int quire_mapping_punch(struct quire_mapping *mapping, uint64_t start, uint64_t size)
{
    uint64_t first, last;
    if (!size || start > MAX_FILE_SIZE || size > MAX_FILE_SIZE - start)
        return -QUIRE_EINVAL;
    if (mapping->config.sealed_write)
        return -QUIRE_EPERM;
    rwlock_write(&mapping->resize);
    int error = zero_parts(mapping, start, start + size, &first, &last);
    if (!error && first < last) {
        zap_mapping(mapping, first, last - 1, false);
        cache_drop_range(mapping, first, last - 1);
    }
    rwlock_write_unlock(&mapping->resize);
    return error;
}

/* ---- clean pages ----------------------------------------------------------------------------- */

unsigned long quire_mapping_drop(struct quire_mapping *mapping)
{
    struct quire_page *pages[CACHE_BATCH];
    unsigned long dropped = 0;
    uint64_t index = 0;
    for (unsigned count; (count = cache_find_batch(mapping, &index, LAST_INDEX, false, pages));) {
        for (unsigned i = 0; i < count; i++) {
            if (page_trylock(pages[i])) {
                dropped += !mapping->is_shmem && cache_remove(mapping, pages[i], 0);
                page_unlock(pages[i]);
            }
            vm_put_page(mapping->vm, pages[i]);
        }
    }
    if (!mapping->is_shmem)
        cache_drop_numbers(mapping, 0, LAST_INDEX);
    return dropped;
}
