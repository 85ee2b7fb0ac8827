/* vm/file_io.c: read(2) and write(2) through the page cache
 *
 * The same pages that areas map, so that both see what the other wrote. The size stays while they
 * work: who makes the file longer is the writer of `resize`. Pages that are written from end to
 * end, or lie behind the old end, aren't read first; whole pages of shared memory that aren't there
 * yet aren't cleared either, and are put in several at a time.
 *
 * The other side is the kernel's memory, or pages that somebody has pinned: so no fault happens
 * while a page is locked or a file's size held.
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

/* What is read into or written from: bytes, or (NULL) pages from byte `offset` of the first on. */
struct memory {
    char *bytes;
    struct quire_page *const *pages;
    size_t offset;
};

/* Bytes [done, + piece->size) of the memory, out of a page of the file or into it. */
static void transfer(struct quire_vm *vm, struct quire_page *page, const struct piece *piece,
                     const struct memory *memory, size_t done, bool into_file)
{
    if (memory->bytes && into_file) {
        page_write(vm, page, piece->offset, memory->bytes + done, piece->size);
        return;
    }
    if (memory->bytes) {
        page_read(vm, page, piece->offset, memory->bytes + done, piece->size);
        return;
    }
    for (size_t at = 0, part; at < piece->size; at += part) {
        size_t place = memory->offset + done + at, offset = place & (QUIRE_PAGE_SIZE - 1);
        struct quire_page *other = memory->pages[place >> QUIRE_PAGE_SHIFT];
        part = QUIRE_PAGE_SIZE - offset;
        part = part < piece->size - at ? part : piece->size - at;
        if (into_file)
            page_copy_part(vm, page, piece->offset + at, other, offset, part);
        else
            page_copy_part(vm, other, offset, page, piece->offset + at, part);
    }
}

static void clear(struct quire_vm *vm, const struct memory *memory, size_t done, size_t size)
{
    if (memory->bytes) {
        __builtin_memset(memory->bytes + done, 0, size);
        return;
    }
    for (size_t at = 0, part; at < size; at += part) {
        size_t place = memory->offset + done + at, offset = place & (QUIRE_PAGE_SIZE - 1);
        part = QUIRE_PAGE_SIZE - offset < size - at ? QUIRE_PAGE_SIZE - offset : size - at;
        page_zero_part(vm, memory->pages[place >> QUIRE_PAGE_SHIFT], offset, part);
    }
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

static int read_piece(struct quire_mapping *mapping, const struct piece *piece,
                      const struct memory *to, size_t done)
{
    struct quire_page *page = cache_find(mapping, piece->index);
    if (!page && is_hole(mapping, piece->index)) {
        clear(mapping->vm, to, done, piece->size);
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
    transfer(mapping->vm, page, piece, to, done, false);
    lru_mark_accessed(mapping->vm, page);
    vm_put_page(mapping->vm, page);
    return 0;
}

static int64_t read_mapping(struct quire_mapping *mapping, uint64_t at, const struct memory *to,
                            size_t size)
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
        error = read_piece(mapping, &piece, to, done);
        done += error ? 0 : piece.size;
    }
    rwlock_read_unlock(&mapping->resize);
    return result(done, error);
}

int64_t quire_mapping_read(struct quire_mapping *mapping, uint64_t at, void *to, size_t size)
{
    return read_mapping(mapping, at, &(struct memory){.bytes = to}, size);
}

int64_t quire_mapping_read_pages(struct quire_mapping *mapping, uint64_t at,
                                 struct quire_page *const *to, size_t offset, size_t size)
{
    return read_mapping(mapping, at, &(struct memory){.pages = to, .offset = offset}, size);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Whole pages of shared memory, of which there are `size` bytes to write, as far as nothing is in
 * their places: how many bytes that was. 0: one page can't be done so. */
static size_t write_new_pages(struct quire_mapping *mapping, uint64_t at, size_t size,
                              const struct memory *from, size_t done)
{
    struct quire_page *pages[CACHE_BATCH];
    struct quire_vm *vm = mapping->vm;
    const uint64_t index = at >> QUIRE_PAGE_SHIFT;
    size_t most = size >> QUIRE_PAGE_SHIFT;
    int error;
    if (!mapping->is_shmem || at & (QUIRE_PAGE_SIZE - 1) || !most)
        return 0;
    unsigned count =
        cache_count_vacant(mapping, index, most < CACHE_BATCH ? (unsigned)most : CACHE_BATCH);
    if (!count || (mapping->config.noreserve && shmem_commit(mapping, (long)count)))
        return 0;
    unsigned got = vm_alloc_pages_of(mapping, index, pages, count);
    unsigned placed = got ? cache_insert(mapping, index, pages, got, &error) : 0;
    for (unsigned i = placed; i < got; i++)
        vm_put_page(vm, pages[i]);
    if (mapping->config.noreserve && placed < count)
        (void)!shmem_commit(mapping, -(long)(count - placed));
    struct piece piece = {.size = QUIRE_PAGE_SIZE};
    for (unsigned i = 0; i < placed; i++, done += QUIRE_PAGE_SIZE) {
        transfer(vm, pages[i], &piece, from, done, true);
        page_set(pages[i], PG_UPTODATE | PG_DIRTY);
        lru_mark_accessed(vm, pages[i]);
        cache_put_page(mapping, pages[i]);
    }
    return (size_t)placed << QUIRE_PAGE_SHIFT;
}

/* `valid_end`: where the file has content. */
static int write_piece(struct quire_mapping *mapping, const struct piece *piece,
                       const struct memory *from, size_t done, uint64_t valid_end)
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
        transfer(mapping->vm, page, piece, from, done, true);
        page_set(page, PG_UPTODATE);
        lru_mark_accessed(mapping->vm, page);
    } else if (fill == CACHE_ZERO || !page_has(page, PG_UPTODATE)) {
        cache_delete(mapping, page); /* it was made for this: behind the end, or without content */
    }
    cache_put_page(mapping, page);
    return error;
}

static size_t write_pieces(struct quire_mapping *mapping, uint64_t at, const struct memory *from,
                           size_t size, uint64_t valid_end, int *error)
{
    size_t done = 0, whole;
    for (*error = 0; done < size && !*error;) {
        if ((whole = write_new_pages(mapping, at + done, size - done, from, done))) {
            done += whole;
            continue;
        }
        struct piece piece = piece_at(at + done, size - done);
        *error = write_piece(mapping, &piece, from, done, valid_end);
        done += *error ? 0 : piece.size;
    }
    return done;
}

/* Beyond the end: with the writer's lock. The file gets as long as what could be written. */
static int64_t write_longer(struct quire_mapping *mapping, uint64_t at, const struct memory *from,
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

static int64_t write_mapping(struct quire_mapping *mapping, uint64_t at, const struct memory *from,
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

int64_t quire_mapping_write(struct quire_mapping *mapping, uint64_t at, const void *from,
                            size_t size)
{
    struct memory memory = {.bytes = (char *)(uintptr_t)from}; /* read only */
    return write_mapping(mapping, at, &memory, size);
}

int64_t quire_mapping_write_pages(struct quire_mapping *mapping, uint64_t at,
                                  struct quire_page *const *from, size_t offset, size_t size)
{
    return write_mapping(mapping, at, &(struct memory){.pages = from, .offset = offset}, size);
}
