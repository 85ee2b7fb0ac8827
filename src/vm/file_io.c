/* vm/file_io.c: read(2) and write(2) through the page cache
 *
 * The same pages that areas map, so that both see what the other wrote. The size stays while they
 * work: who makes the file longer is the writer of `resize`. Pages that are written from end to
 * end, or lie behind the old end, aren't read first; whole pages of shared memory that aren't there
 * yet aren't cleared either, and are put in several at a time.
 *
 * The other side is the kernel's memory, or a program's. A program's is copied as far as it is
 * there, and faulted in when nothing of the file's is held or locked, which the fault may want,
 * too; then comes the rest. Nothing of it is pinned: others may fork, unmap or reclaim any time.
 */
#include "vm/cache.h"
#include "vm/lru.h"
#include "vm/uaccess.h"

#define FAULT_BYTES (16 * QUIRE_PAGE_SIZE) /* of a program's memory at a time */

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

/* What is read into or written from: bytes, or (NULL) a program's memory. */
struct memory {
    char *bytes;
    struct quire_mm *mm;
    quire_linear_t address;
};

/* Bytes [done, + piece->size) of the memory, out of a page of the file or into it: how many. Fewer
 * of a program's, if the rest isn't there. */
static size_t transfer(struct quire_vm *vm, struct quire_page *page, const struct piece *piece,
                       const struct memory *memory, size_t done, bool into_file)
{
    if (!memory->bytes) {
        const struct user_other other = {.page = page, .offset = piece->offset};
        return user_copy_present(memory->mm, memory->address + done, &other, piece->size,
                                 !into_file);
    }
    if (into_file)
        page_write(vm, page, piece->offset, memory->bytes + done, piece->size);
    else
        page_read(vm, page, piece->offset, memory->bytes + done, piece->size);
    return piece->size;
}

static size_t clear(const struct memory *memory, size_t done, size_t size)
{
    static const struct user_other zeros = {.bytes = NULL};
    if (!memory->bytes)
        return user_copy_present(memory->mm, memory->address + done, &zeros, size, true);
    __builtin_memset(memory->bytes + done, 0, size);
    return size;
}

/* What was done before it failed counts. */
static int64_t result(size_t done, int error)
{
    if (error == -QUIRE_EHWPOISON)
        error = -QUIRE_EIO;
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

/* Bytes, fewer than there are to read only if the memory isn't there; or why there are none. */
static int64_t read_piece(struct quire_mapping *mapping, const struct piece *piece,
                          const struct memory *to, size_t done)
{
    struct quire_page *page = cache_find(mapping, piece->index);
    if (!page && is_hole(mapping, piece->index))
        return (int64_t)clear(to, done, piece->size);
    if (!page) {
        bool major;
        int error;
        page = cache_get_page(mapping, piece->index, CACHE_READ, 0, &major, &error);
        if (!page)
            return error;
        page_unlock(page);
    }
    size_t copied = transfer(mapping->vm, page, piece, to, done, false);
    lru_mark_accessed(mapping->vm, page);
    vm_put_page(mapping->vm, page);
    return (int64_t)copied;
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
        int64_t copied = read_piece(mapping, &piece, to, done);
        done += copied > 0 ? (size_t)copied : 0;
        if (copied < (int64_t)piece.size)
            error = copied < 0 ? (int)copied : -QUIRE_EFAULT;
    }
    rwlock_read_unlock(&mapping->resize);
    return result(done, error);
}

int64_t quire_mapping_read(struct quire_mapping *mapping, uint64_t at, void *to, size_t size)
{
    return read_mapping(mapping, at, &(struct memory){.bytes = to}, size);
}

/* What of the program's memory is wanted next: no more than the file has. */
static size_t next_to_read(struct quire_mapping *mapping, uint64_t at, size_t size)
{
    uint64_t end = quire_mapping_size(mapping), left = at < end ? end - at : 0;
    size = size < FAULT_BYTES ? size : FAULT_BYTES;
    return size < left ? size : (size_t)left;
}

int64_t quire_mapping_read_user(struct quire_mapping *mapping, uint64_t at, struct quire_mm *mm,
                                quire_linear_t to, size_t size)
{
    size_t done = 0;
    while (done < size) {
        const struct memory memory = {.mm = mm, .address = to + done};
        int64_t got = read_mapping(mapping, at + done, &memory, size - done);
        if (!got || (got < 0 && got != -QUIRE_EFAULT))
            return result(done, (int)got);
        done += got > 0 ? (size_t)got : 0;
        size_t wanted = next_to_read(mapping, at + done, size - done);
        if (wanted && !user_fault_in(mm, to + done, wanted, true))
            return result(done, -QUIRE_EFAULT);
    }
    return (int64_t)done;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Those from the first on for which there is memory; the others go again. How many bytes. */
static size_t fill_new_pages(struct quire_mapping *mapping, struct quire_page **pages,
                             unsigned count, const struct memory *from, size_t done)
{
    const struct piece piece = {.size = QUIRE_PAGE_SIZE};
    size_t filled = 0;
    bool whole = true;
    for (unsigned i = 0; i < count; i++) {
        whole = whole && transfer(mapping->vm, pages[i], &piece, from, done + filled, true) ==
                             QUIRE_PAGE_SIZE;
        if (whole) {
            page_set(pages[i], PG_UPTODATE | PG_DIRTY);
            lru_mark_accessed(mapping->vm, pages[i]);
            filled += QUIRE_PAGE_SIZE;
        } else {
            cache_delete(mapping, pages[i]);
        }
        cache_put_page(mapping, pages[i]);
    }
    return filled;
}

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
    return fill_new_pages(mapping, pages, placed, from, done);
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
    if (!error && transfer(mapping->vm, page, piece, from, done, true) < piece->size)
        error = -QUIRE_EFAULT; /* what was written in part is written again, or wasn't there */
    if (!error) {
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

/* Memory of which something went again before it was copied is had in smaller pieces. */
int64_t quire_mapping_write_user(struct quire_mapping *mapping, uint64_t at, struct quire_mm *mm,
                                 quire_linear_t from, size_t size)
{
    size_t done = 0, most = FAULT_BYTES;
    while (done < size) {
        const struct memory memory = {.mm = mm, .address = from + done};
        size_t wanted = size - done < most ? size - done : most;
        size_t there = user_fault_in(mm, from + done, wanted, false);
        if (!there)
            return result(done, -QUIRE_EFAULT);
        int64_t put = write_mapping(mapping, at + done, &memory, there);
        if (put < 0 && put != -QUIRE_EFAULT)
            return result(done, (int)put);
        done += put > 0 ? (size_t)put : 0;
        most = put < (int64_t)there ? piece_at(at + done, QUIRE_PAGE_SIZE).size : FAULT_BYTES;
    }
    return (int64_t)done;
}
