/* kernel/fs/ramfile.c: content of regular files
 *
 * A file is a quire_mapping without an owner's operations: shared memory, whose pages are the page
 * cache and the file at once, and go to swap when memory is short. Files that are mapped outlive
 * their inode as mappings, and so does the name that maps show for them.
 */
#include "fs/ramfs.h"

#include "base/bits.h"
#include "fs/directory.h"
#include "memory.h"
#include "string.h"

#define ENTRY_BYTES 20u /* of a name, as Linux's tmpfs says */

/* What maps have shown for a file, newest first: a view may be writing an older one, so all stay
 * until the mapping goes. There is one for each name under which it was mapped. */
struct shown_name {
    struct shown_name *older;
    char path[];
};

struct shown_names {
    struct shown_name *newest;
};

static void release_names(void *owner)
{
    struct shown_names *names = owner;
    for (struct shown_name *name = names->newest, *older; name; name = older) {
        older = name->older;
        quire_kfree(machine_slab, name);
    }
    quire_kfree(machine_slab, names);
}

/* ---- how full memory is ---------------------------------------------------------------------- */

/* Of all files, as they were counted last: what was written through a mapping is found out when the
 * file is written, cut or looked at the next time. */
static unsigned long total_pages;

static unsigned long count_pages(struct inode *inode)
{
    struct quire_mapping_info info;
    quire_mapping_info(inode->regular.mapping, &info);
    unsigned long pages = info.nr_pages + info.nr_swapped;
    total_pages += pages - inode->regular.pages;
    inode->volume->nr_pages += pages - inode->regular.pages;
    inode->regular.pages = pages;
    return pages;
}

/* Files may have half of the memory, as Linux's tmpfs, and of swap, which is where they go; and
 * more, as long as much is free. Without a limit whoever fills /tmp would have programs killed
 * rather than get an error. */
static bool is_full(void)
{
    struct quire_zone_info zone;
    unsigned long managed = quire_nr_managed_pages(machine_mem), kept = managed / 16;
    if (total_pages < managed / 2)
        return false;
    const struct memory_swap swap = memory_swap();
    if (total_pages < (managed + swap.total) / 2)
        return false;
    /* What zones keep for others can't be had. */
    for (unsigned i = 0; !quire_zone_info(machine_mem, i, &zone); i++)
        kept += zone.watermark_high + zone.watermark_boost;
    return quire_nr_free_pages(machine_mem) + swap.free < kept;
}

/* May a write need pages that the file hasn't? */
static bool needs_pages(struct inode *inode, uint64_t end)
{
    uint64_t size = quire_mapping_size(inode->regular.mapping);
    uint64_t pages = (size + QUIRE_PAGE_SIZE - 1) >> QUIRE_PAGE_SHIFT;
    return end > size || count_pages(inode) < pages;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

int ramfile_init(struct inode *inode)
{
    struct shown_names *names = quire_kzalloc(machine_slab, sizeof *names, QUIRE_GFP_KERNEL);
    if (!names)
        return -ENOMEM;
    struct quire_mapping_config config = {
        .owner = names,
        .release = release_names,
        .device_minor = inode->volume->minor,
        .inode = inode->number,
        .may_write = true,
        .may_exec = true,
        .noreserve = true,
    };
    int error = quire_mapping_create(&inode->regular.mapping, machine_vm, &config);
    if (error) {
        quire_kfree(machine_slab, names);
        return error;
    }
    inode->regular.names = names;
    return 0;
}

static void release(struct inode *inode)
{
    total_pages -= inode->regular.pages;
    inode->volume->nr_pages -= inode->regular.pages;
    quire_mapping_put(inode->regular.mapping);
}

const struct inode_ops ramfile_ops = {.release = release};

/* ---- names ----------------------------------------------------------------------------------- */

int ramfile_show_name(struct inode *inode, const char *path)
{
    struct shown_names *names = inode->regular.names;
    if (names->newest && string_equal(names->newest->path, path))
        return 0;
    size_t size = string_length(path) + 1;
    struct shown_name *name = quire_kmalloc(machine_slab, sizeof *name + size, QUIRE_GFP_KERNEL);
    if (!name)
        return -ENOMEM;
    __builtin_memcpy(name->path, path, size);
    name->older = names->newest;
    names->newest = name;
    quire_mapping_set_name(inode->regular.mapping, name->path);
    return 0;
}

/* Without memory for it the old name is shown: nothing worse. */
void ramfile_name_deleted(struct inode *inode)
{
    static const char deleted[] = " (deleted)";
    const struct shown_name *name = inode->regular.names->newest;
    if (!name)
        return;
    size_t length = string_length(name->path);
    char *path = quire_kmalloc(machine_slab, length + sizeof deleted, QUIRE_GFP_KERNEL);
    if (!path)
        return;
    __builtin_memcpy(path, name->path, length);
    __builtin_memcpy(path + length, deleted, sizeof deleted);
    (void)!ramfile_show_name(inode, path);
    quire_kfree(machine_slab, path);
}

/* ---- content --------------------------------------------------------------------------------- */

int64_t ramfile_read(struct inode *inode, uint64_t at, void *to, size_t size)
{
    inode_accessed(inode);
    return quire_mapping_read(inode->regular.mapping, at, to, size);
}

int64_t ramfile_read_user(struct inode *inode, uint64_t at, struct quire_mm *mm, uintptr_t to,
                          size_t size)
{
    inode_accessed(inode);
    return quire_mapping_read_user(inode->regular.mapping, at, mm, to, size);
}

/* What a file that mustn't grow takes: as Linux, which asks for each page, all pages but the one
 * that would cross its end. */
static size_t within_size(struct inode *inode, uint64_t at, size_t size)
{
    uint64_t end = quire_mapping_size(inode->regular.mapping);
    if (at + size <= end)
        return size;
    end &= ~(uint64_t)(QUIRE_PAGE_SIZE - 1);
    return at < end ? (size_t)(end - at) : 0;
}

/* How much of it, which isn't 0, may be written; or why nothing. */
static int64_t may_write(struct inode *inode, uint64_t at, size_t size)
{
    unsigned seals = inode->regular.seals;
    if (at > INT64_MAX || size > INT64_MAX - at)
        return -EFBIG;
    if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    if (seals & F_SEAL_GROW)
        size = within_size(inode, at, size);
    if (!size)
        return -EPERM;
    return needs_pages(inode, at + size) && is_full() ? -ENOSPC : (int64_t)size;
}

static int64_t written(struct inode *inode, int64_t done)
{
    (void)count_pages(inode);
    if (done > 0)
        inode_touch(inode);
    return done == -EINVAL ? -EFBIG : done;
}

int64_t ramfile_write(struct inode *inode, uint64_t at, const void *from, size_t size)
{
    int64_t may = size ? may_write(inode, at, size) : 0;
    return may <= 0 ? may : ramfile_fill(inode, at, from, (size_t)may);
}

int64_t ramfile_write_user(struct inode *inode, uint64_t at, struct quire_mm *mm, uintptr_t from,
                           size_t size)
{
    int64_t may = size ? may_write(inode, at, size) : 0;
    if (may <= 0)
        return may;
    return written(inode,
                   quire_mapping_write_user(inode->regular.mapping, at, mm, from, (size_t)may));
}

int64_t ramfile_fill(struct inode *inode, uint64_t at, const void *from, size_t size)
{
    return written(inode, quire_mapping_write(inode->regular.mapping, at, from, size));
}

int ramfile_truncate(struct inode *inode, uint64_t size)
{
    struct quire_mapping *mapping = inode->regular.mapping;
    inode_lock(inode);
    uint64_t old = quire_mapping_size(mapping);
    unsigned forbids = size < old ? F_SEAL_SHRINK : size > old ? F_SEAL_GROW : 0;
    int error = inode->regular.seals & forbids ? -EPERM : quire_mapping_truncate(mapping, size);
    (void)count_pages(inode);
    if (!error)
        inode_touch(inode);
    inode_unlock(inode);
    return error == -EINVAL ? -EFBIG : error;
}

int64_t ramfile_find(struct inode *inode, uint64_t at, bool data)
{
    struct quire_mapping *mapping = inode->regular.mapping;
    uint64_t size = quire_mapping_size(mapping);
    uint64_t index = quire_mapping_next(mapping, at >> QUIRE_PAGE_SHIFT, data);
    if (index >= (size + QUIRE_PAGE_SIZE - 1) >> QUIRE_PAGE_SHIFT)
        return data ? -ENXIO : (int64_t)size;
    uint64_t found = index << QUIRE_PAGE_SHIFT;
    return (int64_t)(found > at ? found : at);
}

/* In steps, so that what others take meanwhile is seen. */
#define FILL_BYTES (64 * (uint64_t)QUIRE_PAGE_SIZE)

static int fill(struct inode *inode, uint64_t at, uint64_t end)
{
    int error = 0;
    while (!error && at < end) {
        uint64_t piece = end - at < FILL_BYTES ? end - at : FILL_BYTES;
        (void)count_pages(inode);
        error = is_full() ? -ENOSPC : quire_mapping_allocate(inode->regular.mapping, at, piece);
        at += piece;
    }
    return error;
}

/* What lies beyond the end that was is undone when there is no room for all of it. */
static int fill_and_grow(struct inode *inode, uint64_t at, uint64_t end)
{
    struct quire_mapping *mapping = inode->regular.mapping;
    uint64_t old = quire_mapping_size(mapping);
    int error = end > old ? quire_mapping_truncate(mapping, end) : 0;
    if (error)
        return error;
    error = fill(inode, at, end);
    if (error && end > old)
        (void)!quire_mapping_truncate(mapping, old);
    return error;
}

static int allocate(struct inode *inode, unsigned mode, uint64_t at, uint64_t size)
{
    struct quire_mapping *mapping = inode->regular.mapping;
    uint64_t old = quire_mapping_size(mapping);
    unsigned seals = inode->regular.seals;
    bool grows = !(mode & FALLOC_FL_KEEP_SIZE) && at + size > old;
    bool clears = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
    if ((grows && seals & F_SEAL_GROW) || (clears && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
        return -EPERM;
    int error = 0;
    if (clears && at < old) {
        /* To the end of its page: a last page that is cleared whole goes. */
        uint64_t end = quire_align_up(old, QUIRE_PAGE_SIZE);
        error = quire_mapping_punch(mapping, at, at + size < end ? size : end - at);
    }
    if (!error && !(mode & FALLOC_FL_PUNCH_HOLE)) {
        uint64_t end = grows || at + size < old ? at + size : old;
        error = fill_and_grow(inode, at, end);
    }
    return error == -EINVAL ? -EFBIG : error;
}

int ramfile_allocate(struct inode *inode, unsigned mode, uint64_t at, uint64_t size)
{
    unsigned kind = mode & ~FALLOC_FL_KEEP_SIZE;
    if (!size || at > INT64_MAX || size > INT64_MAX)
        return -EINVAL;
    if ((kind && kind != FALLOC_FL_PUNCH_HOLE && kind != FALLOC_FL_ZERO_RANGE) ||
        mode == FALLOC_FL_PUNCH_HOLE)
        return -EOPNOTSUPP;
    if (size > INT64_MAX - at)
        return -EFBIG;
    inode_lock(inode);
    int error = allocate(inode, mode, at, size);
    (void)count_pages(inode);
    if (!error)
        inode_touch(inode);
    inode_unlock(inode);
    return error;
}

unsigned ramfile_seals(const struct inode *inode)
{
    return inode->ops == &ramfile_ops ? inode->regular.seals : 0;
}

/* Whoever seals what can be executed seals all of it. */
static unsigned implied_seals(const struct inode *inode, unsigned seals)
{
    const unsigned all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
    return seals & F_SEAL_EXEC && inode->mode & 0111 ? seals | all : seals;
}

/* Which areas are writable isn't known, so no area may be there. */
static int add_seals(struct inode *inode, unsigned seals)
{
    struct quire_mapping *mapping = inode->regular.mapping;
    struct quire_mapping_info info;
    if (inode->regular.seals & F_SEAL_SEAL)
        return -EPERM;
    quire_mapping_info(mapping, &info);
    seals = implied_seals(inode, seals);
    if (seals & F_SEAL_WRITE && info.nr_writable_areas)
        return -EBUSY;
    if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        quire_mapping_seal_write(mapping);
    inode->regular.seals |= seals;
    return 0;
}

int ramfile_add_seals(struct inode *inode, unsigned seals)
{
    if (seals & ~F_SEAL_ALL)
        return -EINVAL;
    inode_lock(inode);
    int error = add_seals(inode, seals);
    inode_unlock(inode);
    return error;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

void ramfs_size(struct inode *inode, uint64_t *size, uint64_t *blocks)
{
    *size = *blocks = 0;
    if (inode->ops == &ramfile_ops) {
        *size = quire_mapping_size(inode->regular.mapping);
        *blocks = (uint64_t)count_pages(inode) * (QUIRE_PAGE_SIZE / 512);
    } else if (inode_is(inode, S_IFLNK) && !inode->ops->read_link) {
        *size = string_length(inode->target);
    } else if (inode_is(inode, S_IFDIR) && ramfs_is_kept(inode)) {
        *size = (inode->directory->count + 2u) * ENTRY_BYTES;
    }
}
