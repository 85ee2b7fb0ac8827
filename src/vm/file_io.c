/* vm/file_io.c: read(2) and write(2) through the page cache
 *
 * The same pages that areas map, so that both see what the other wrote. The size stays while they
 * work: who makes the file longer is the writer of `resize`. Pages that are written from end to
 * end, or lie behind the old end, aren't read first.
 */
#include "vm/cache.h"
#include "vm/lru.h"

/* The part of a transfer that lies in one page. */
struct piece {
    uint64_t index;
    size_t offset, size;
};

static struct piece piece_at(uint64_t at, size_t size)
{
    struct piece piece = {at >> QUIRE_PAGE_SHIFT, at & (QUIRE_PAGE_SIZE - 1), 0};
    piece.size = QUIRE_PAGE_SIZE - piece.offset;
    if (piece.size > size)
        piece.size = size;
    return piece;
}

/* What was done before it failed counts. */
static int64_t result(size_t done, int error)
{
    return done ? (int64_t)done : error;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* A hole of shared memory stays one for who only reads. */
static bool is_hole(struct quire_mapping *mapping, uint64_t index)
{
    if (!mapping->is_shmem)
        return false;
    mapping_lock(mapping);
    bool hole = !xa_load(&mapping->pages, index);
    mapping_unlock(mapping);
    return hole;
}

static int read_piece(struct quire_mapping *mapping, const struct piece *piece, char *to)
{
    struct quire_page *page = cache_find(mapping, piece->index);
    if (!page && is_hole(mapping, piece->index)) {
        __builtin_memset(to, 0, piece->size);
        return 0;
    }
    if (!page) {
        bool major;
        int error;
        page = cache_get_page(mapping, piece->index, CACHE_READ, 0, &major, &error);
        if (!page)
            return error;
        page_unlock(page);
    }
    page_read(mapping->vm, page, piece->offset, to, piece->size);
    lru_mark_accessed(mapping->vm, page);
    vm_put_page(mapping->vm, page);
    return 0;
}

int64_t quire_mapping_read(struct quire_mapping *mapping, uint64_t at, void *to, size_t size)
{
    size_t done = 0;
    int error = 0;
    rwlock_read(&mapping->resize);
    if (at >= mapping->size)
        size = 0;
    else if (size > mapping->size - at)
        size = (size_t)(mapping->size - at);
    while (done < size && !error) {
        struct piece piece = piece_at(at + done, size - done);
        error = read_piece(mapping, &piece, (char *)to + done);
        done += error ? 0 : piece.size;
    }
    rwlock_read_unlock(&mapping->resize);
    return result(done, error);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* `valid_end`: where the file has content. */
static int write_piece(struct quire_mapping *mapping, const struct piece *piece, const char *from,
                       uint64_t valid_end)
{
    enum cache_fill fill = CACHE_READ;
    bool major;
    int error;
    if (piece->index >= pages_of_bytes(valid_end))
        fill = CACHE_ZERO;
    if (piece->size == QUIRE_PAGE_SIZE)
        fill = CACHE_LEAVE;
    struct quire_page *page = cache_get_page(mapping, piece->index, fill, 0, &major, &error);
    if (!page)
        return error;
    error = cache_make_dirty(mapping, page);
    if (!error) {
        page_write(mapping->vm, page, piece->offset, from, piece->size);
        page_set(page, PG_UPTODATE);
        lru_mark_accessed(mapping->vm, page);
    } else if (fill == CACHE_ZERO || !page_has(page, PG_UPTODATE)) {
        cache_delete(mapping, page); /* it was made for this: behind the end, or without content */
    }
    cache_put_page(mapping, page);
    return error;
}

static size_t write_pieces(struct quire_mapping *mapping, uint64_t at, const char *from,
                           size_t size, uint64_t valid_end, int *error)
{
    size_t done = 0;
    for (*error = 0; done < size && !*error;) {
        struct piece piece = piece_at(at + done, size - done);
        *error = write_piece(mapping, &piece, from + done, valid_end);
        done += *error ? 0 : piece.size;
    }
    return done;
}

/* Beyond the end: with the writer's lock. The file gets as long as what could be written. */
static int64_t write_longer(struct quire_mapping *mapping, uint64_t at, const void *from,
                            size_t size)
{
    uint64_t old = mapping->size;
    int error = mapping_grow(mapping, at + size);
    if (error)
        return error;
    size_t done = write_pieces(mapping, at, from, size, old, &error);
    uint64_t end = done && at + done > old ? at + done : old;
    if (end < at + size)
        (void)!mapping_set_size(mapping, end); /* no page was made behind it */
    return result(done, error);
}

int64_t quire_mapping_write(struct quire_mapping *mapping, uint64_t at, const void *from,
                            size_t size)
{
    int error;
    if (mapping->config.sealed_write || !(mapping->is_shmem || mapping->config.ops->write_page))
        return -QUIRE_EPERM;
    if (at > MAX_FILE_SIZE || size > MAX_FILE_SIZE - at ||
        !mapping_size_is_valid(mapping->is_shmem, at + size))
        return -QUIRE_EINVAL;
    rwlock_read(&mapping->resize);
    if (size && at + size <= mapping->size) {
        size_t done = write_pieces(mapping, at, from, size, mapping->size, &error);
        rwlock_read_unlock(&mapping->resize);
        return result(done, error);
    }
    rwlock_read_unlock(&mapping->resize);
    if (!size)
        return 0;
    rwlock_write(&mapping->resize);
    int64_t done;
    if (at + size > mapping->size)
        done = write_longer(mapping, at, from, size);
    else
        done = result(write_pieces(mapping, at, from, size, mapping->size, &error), error);
    rwlock_write_unlock(&mapping->resize);
    return done;
}
