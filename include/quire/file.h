/* quire/file.h: files in memory (layer 4)
 *
 * A `struct quire_mapping` stands for one file: its pages that are in memory (the page cache),
 * keyed by index, and the areas that map it. Its owner (a file system) supplies the operations that
 * read and write pages, and tells it the file's size. Without an owner it is memory that is shared
 * like a file and swapped like anonymous memory: tmpfs, memfd_create, MAP_SHARED | MAP_ANONYMOUS.
 *
 * Linux: struct address_space, mm/filemap.c, mm/truncate.c, mm/shmem.c.
 *
 * Contexts are those of quire/vm.h. Locks come in this order: an address space's, a mapping's (for
 * its size), a page's. The second is shared by whoever reads, writes or faults, and truncating,
 * punching and writing beyond the end have it alone.
 */
#ifndef QUIRE_FILE_H
#define QUIRE_FILE_H

#include <quire/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A mapping's owner. Called without spinlocks, with the pages locked; they may sleep, and may
 * allocate, but with QUIRE_GFP_MEMALLOC or without DIRECT_RECLAIM in write_page, which reclaim
 * calls. They use no function of this header on the same mapping, but for its size and references.
 *
 * A page's QUIRE_PAGE_SIZE bytes are at quire_page_address(mem, page). Where that is NULL, in
 * HighMem, they are reached by a window: quire_port_kmap_local(port, quire_page_to_phys(page))
 * until the matching quire_port_kunmap_local, or quire_kmap (quire/windows.h), which may be held
 * while a device works. examples/address-space reads and writes pages of a file and of a swap area.
 */
struct quire_mapping_ops {
    /* Fills `count` pages from `index` on; what lies beyond the file's end is zero. 0, or a
     * negative errno: none of them is valid then. */
    int (*read_pages)(void *owner, uint64_t index, struct quire_page *const *pages, unsigned count);
    /* Writes a page's first `bytes` (a page, or less at the file's end). 0 or a negative errno:
     * the page stays dirty, and the error is told once to the next sync. NULL: can't be written,
     * whatever may_write says.
     * The file may be longer than the owner knows: quire_mapping_write makes it so without a word
     * to him. He asks quire_mapping_size here, and keeps that as the file's length; what of the
     * store lies between the old end and the page is a hole, and reads as zeros. */
    int (*write_page)(void *owner, uint64_t index, struct quire_page *page, size_t bytes);
    /* A clean page is about to be written to, by a program that maps it or quire_mapping_write:
     * make room for it. 0 or a negative errno: SIGBUS for the program, what write returns. May be
     * NULL. */
    int (*page_mkwrite)(void *owner, uint64_t index);
    /* The last reference is gone, and no page is left. May be NULL. */
    void (*release)(void *owner);
};

struct quire_mapping_config {
    const struct quire_mapping_ops *ops; /* NULL: shared memory, which has no file behind it */
    void *owner;
    uint64_t size;    /* bytes */
    const char *name; /* in maps: a path. Used as long as the mapping is */
    uint32_t device_major, device_minor;
    uint64_t inode;
    bool may_write, may_exec; /* shared mappings may be writable; any may be executable */
    bool noreserve;           /* shared memory that is accounted page by page, not at once */
    bool no_readahead;        /* pages are read when they are asked for, and no others */
    bool sealed_write;        /* F_SEAL_WRITE: no new writable shared mapping */
    /* Of shared memory, what ops->release is of a file: the name isn't used any more. May be NULL.
     */
    void (*release)(void *owner);
};

/* A mapping with one reference. -EINVAL: ops without read_pages, or a size that no file has;
 * -ENOMEM: no memory, or shared memory that the overcommit mode forbids. */
QUIRE_MUST_CHECK int quire_mapping_create(struct quire_mapping **mapping, struct quire_vm *vm,
                                          const struct quire_mapping_config *config);
void quire_mapping_get(struct quire_mapping *mapping);
/* With the last reference dirty pages are written, all pages go, and `release` is called. An area's
 * is given back when the address space's lock isn't held any more: so what is called then may use
 * memory of whoever unmapped it. */
void quire_mapping_put(struct quire_mapping *mapping);

uint64_t quire_mapping_size(const struct quire_mapping *mapping);
/* ftruncate(2), for the owner to call: after growth, the owner's part may be done before or after;
 * when it shrinks, what lies beyond the new end is unmapped everywhere and dropped, a part of a
 * page is zeroed, and later accesses get SIGBUS. What the store has beyond the end is the owner's
 * to forget. -EINVAL   larger than a file can be -ENOMEM   shared memory that grows; shared memory
 * whose last page is in swap -EIO      that page couldn't be read */
QUIRE_MUST_CHECK int quire_mapping_truncate(struct quire_mapping *mapping, uint64_t size);
/* fallocate(PUNCH_HOLE): drops whole pages of a range and zeroes parts of pages that are in memory.
 * The owner does the same to what is in the store, before. Private copies stay.
 *   -EINVAL   empty, or beyond what a file can be
 *   -EPERM    sealed_write
 *   -ENOMEM, -EIO  shared memory, a part of whose page is in swap: nothing but parts was zeroed */
QUIRE_MUST_CHECK int quire_mapping_punch(struct quire_mapping *mapping, uint64_t start,
                                         uint64_t size);
/* fallocate(2): shared memory gets the pages of a range that it lacks, as far as the file reaches.
 *   -EINVAL   empty, beyond what a file can be, or a mapping with an owner's operations
 *   -ENOMEM   some may have been made */
QUIRE_MUST_CHECK int quire_mapping_allocate(struct quire_mapping *mapping, uint64_t start,
                                            uint64_t size);
/* SEEK_DATA and SEEK_HOLE: the first index from `index` on whose page is there, in memory or, of
 * shared memory, in swap; or, without `present`, whose page isn't, be it beyond the end.
 * UINT64_MAX: no page follows. O(pages passed). */
uint64_t quire_mapping_next(struct quire_mapping *mapping, uint64_t index, bool present);
void quire_mapping_set_writable(struct quire_mapping *mapping, bool may_write);
/* From now on; no new writable shared mapping, and no write(2). For good. */
void quire_mapping_seal_write(struct quire_mapping *mapping);
/* What maps show from now on. A view that is being written may still use the name before, so that
 * stays until the mapping's release, too. O(1). */
void quire_mapping_set_name(struct quire_mapping *mapping, const char *name);

/* read(2) and write(2) through the page cache: bytes done, less at the file's end, or a negative
 * errno when there are none. Writing beyond the end makes the file longer, which
 * its owner finds out when the pages are written (write_page).
 *   -EINVAL   beyond what a file can be
 *   -EPERM    sealed_write, or the owner can't write
 *   -ENOMEM, and what the owner says */
QUIRE_MUST_CHECK int64_t quire_mapping_read(struct quire_mapping *mapping, uint64_t at, void *to,
                                            size_t size);
QUIRE_MUST_CHECK int64_t quire_mapping_write(struct quire_mapping *mapping, uint64_t at,
                                             const void *from, size_t size);

/* The same to and from an address space's memory, page to page: nothing is copied twice. It is
 * faulted in as the program itself would, with nothing of the file locked; what others do to it
 * meanwhile (fork, unmap) they do before or after a page is copied. What comes before memory that
 * the program may not access is done. Locks: as copies to and from user memory.
 *   -EFAULT   there is nothing before it */
QUIRE_MUST_CHECK int64_t quire_mapping_read_user(struct quire_mapping *mapping, uint64_t at,
                                                 struct quire_mm *mm, quire_linear_t to,
                                                 size_t size);
QUIRE_MUST_CHECK int64_t quire_mapping_write_user(struct quire_mapping *mapping, uint64_t at,
                                                  struct quire_mm *mm, quire_linear_t from,
                                                  size_t size);

/* fsync(2): writes the dirty pages of a range of bytes (size 0: all). The first error, also one of
 * an earlier write-back that nobody was told of. Pages that couldn't be written stay dirty. */
QUIRE_MUST_CHECK int quire_mapping_sync(struct quire_mapping *mapping, uint64_t at, uint64_t size);

/* posix_fadvise(DONTNEED): drops clean pages that nobody maps; their number. */
unsigned long quire_mapping_drop(struct quire_mapping *mapping);
/* The same for all mappings: drop_caches. */
unsigned long quire_drop_caches(struct quire_vm *vm);

/* cachestat(2): pages of [first, last] in the cache, in pages; evicted: that were there, as far as
 * that is remembered, and of shared memory in swap. */
struct quire_cachestat {
    uint64_t nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted;
};
/* O(pages there). */
void quire_mapping_cachestat(struct quire_mapping *mapping, uint64_t first, uint64_t last,
                             struct quire_cachestat *stat);

/* Pages of shared memory whose frames went out of use count as there. */
struct quire_mapping_info {
    unsigned long nr_pages, nr_dirty, nr_swapped, nr_areas;
    unsigned long nr_writable_areas; /* shared ones that can be, or be made, writable */
};
void quire_mapping_info(struct quire_mapping *mapping, struct quire_mapping_info *info);

#ifdef __cplusplus
}
#endif

#endif
