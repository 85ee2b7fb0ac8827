/* vm/writeback.c: dirty pages of files to their store
 *
 * A page is written with its lock held. Before, every entry that maps it loses the right to write,
 * so that whoever writes to it from then on faults and marks it dirty anew; dirty bits that
 * hardware set are gathered by that, and PG_DIRTY goes before the content is looked at. So what is
 * written after a write began is written by the next one.
 *
 * A page that couldn't be written is dirty again. The error is kept in the mapping until one sync
 * has told it.
 */
#include "vm/cache.h"
#include "vm/fault.h"

/* Bytes of a page that are within the file. */
static size_t bytes_within(struct quire_mapping *mapping, uint64_t index)
{
    uint64_t at = index << QUIRE_PAGE_SHIFT;
    mapping_lock(mapping);
    uint64_t size = mapping->size;
    mapping_unlock(mapping);
    return at >= size ? 0 : size - at < QUIRE_PAGE_SIZE ? (size_t)(size - at) : QUIRE_PAGE_SIZE;
}

static int write_out(struct quire_mapping *mapping, struct quire_page *page, size_t bytes)
{
    const struct quire_mapping_config *file = &mapping->config;
    page_set(page, PG_WRITEBACK);
    vm_stat_add(mapping->vm, NR_WRITEBACK, 1);
    int error = file->ops->write_page(file->owner, page_index(page), page, bytes);
    vm_stat_add(mapping->vm, NR_WRITEBACK, -1);
    page_end_writeback(page);
    return error;
}

void cache_note_error(struct quire_mapping *mapping, int error)
{
    int none = 0;
    (void)quire_compare_exchange(&mapping->error, &none, error);
}

int cache_write_page(struct quire_mapping *mapping, struct quire_page *page)
{
    if (mapping->is_shmem || !page_has(page, PG_DIRTY))
        return 0;
    (void)page_mkclean(mapping->vm, page);
    size_t bytes = bytes_within(mapping, page_index(page));
    if (!cache_clear_dirty(mapping, page) || !bytes)
        return 0;
    int error = write_out(mapping, page, bytes);
    if (!error) {
        vm_count(mapping->vm, VM_PGPGOUT, QUIRE_PAGE_SIZE / 1024);
        return 0;
    }
    cache_set_dirty(mapping, page);
    cache_note_error(mapping, error);
    return error;
}

/* ---- sync ------------------------------------------------------------------------------------ */

static void write_range(struct quire_mapping *mapping, uint64_t first, uint64_t last)
{
    struct quire_page *pages[CACHE_BATCH];
    for (unsigned count; (count = cache_find_batch(mapping, &first, last, true, pages));) {
        for (unsigned i = 0; i < count; i++) {
            page_lock(pages[i]);
            /* A page that went meanwhile was written, or truncated. Errors are in the mapping. */
            if (cache_holds(mapping, pages[i], page_index(pages[i])))
                (void)!cache_write_page(mapping, pages[i]);
            cache_put_page(mapping, pages[i]);
        }
    }
}

int quire_mapping_sync(struct quire_mapping *mapping, uint64_t at, uint64_t size)
{
    uint64_t last = LAST_INDEX;
    if (size && at + size > at && at + size <= MAX_FILE_SIZE)
        last = (at + size - 1) >> QUIRE_PAGE_SHIFT;
    if (mapping->is_shmem)
        return 0;
    write_range(mapping, size ? at >> QUIRE_PAGE_SHIFT : 0, last);
    return __atomic_exchange_n(&mapping->error, 0, __ATOMIC_ACQ_REL);
}

/* ---- msync ----------------------------------------------------------------------------------- */

/* Where an area's part of a range is in its file. */
struct part {
    struct quire_mapping *mapping;
    uint64_t at, size;
};

static struct part part_of(const struct quire_vma *vma, quire_linear_t start, quire_linear_t end)
{
    quire_linear_t to = vma->end < end ? vma->end : end;
    return (struct part){vma->mapping, vma_index(vma, start) << QUIRE_PAGE_SHIFT, to - start};
}

/* Goes on through areas from *start until one that has to be written: its part is given, with a
 * reference. 0: there are no more, or that one; a negative errno ends all. *hole is set when a hole
 * was passed over. */
static int find_part(struct quire_mm *mm, quire_linear_t *start, quire_linear_t end, unsigned flags,
                     struct part *part, bool *hole)
{
    part->mapping = NULL;
    for (struct quire_vma *vma = vma_above(mm, *start); *start < end; vma = vma_next(vma)) {
        if (!vma)
            return -QUIRE_ENOMEM;
        if (*start < vma->start) {
            *hole = true;
            if (flags == QUIRE_MS_ASYNC)
                return -QUIRE_ENOMEM;
            *start = vma->start;
            if (*start >= end)
                return 0;
        }
        if (flags & QUIRE_MS_INVALIDATE && vma->flags & VM_LOCKED)
            return -QUIRE_EBUSY;
        quire_linear_t from = *start;
        *start = vma->end;
        if (flags & QUIRE_MS_SYNC && vma->mapping && vma_is_shared(vma)) {
            *part = part_of(vma, from, end);
            quire_mapping_get(part->mapping);
            return 0;
        }
    }
    return 0;
}

static bool msync_arguments_make_sense(quire_linear_t address, unsigned flags)
{
    return !(flags & ~(QUIRE_MS_ASYNC | QUIRE_MS_INVALIDATE | QUIRE_MS_SYNC)) &&
           !(address & (QUIRE_PAGE_SIZE - 1)) &&
           (flags & (QUIRE_MS_ASYNC | QUIRE_MS_SYNC)) != (QUIRE_MS_ASYNC | QUIRE_MS_SYNC);
}

/* Linux's do_msync: ASYNC does nothing, since pages are written in good time anyway; nor does
 * INVALIDATE, since all see the same pages. */
int quire_msync(struct quire_mm *mm, quire_linear_t address, uint64_t length, unsigned flags)
{
    if (!msync_arguments_make_sense(address, flags))
        return -QUIRE_EINVAL;
    quire_linear_t start = address;
    const uint64_t low_bits = QUIRE_PAGE_SIZE - 1;
    const uint64_t sum = address + ((length + low_bits) & ~low_bits);
    const quire_linear_t end = range_end(sum);
    bool hole = false;
    if (sum < address)
        return -QUIRE_ENOMEM;
    while (start < end) {
        struct part part;
        rwlock_read(&mm->lock);
        int error = find_part(mm, &start, end, flags, &part, &hole);
        rwlock_read_unlock(&mm->lock);
        if (part.mapping) {
            error = quire_mapping_sync(part.mapping, part.at, part.size);
            quire_mapping_put(part.mapping);
        }
        if (error)
            return error;
    }
    return hole ? -QUIRE_ENOMEM : 0;
}
