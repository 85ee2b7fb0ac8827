/* kernel/fs/files.c: a task's open files by descriptor
 *
 *   invariant   `refs` is the number of tasks that have the table; the last one closes. `holds` are
 *               those who work with it over a sleep, in which the tasks may all give it up: it is
 *               freed when there is neither
 *   invariant   slots that are NULL and not promised are free; `capacity` slots exist, and no
 *               descriptor is beyond
 */
#include "fs/files.h"

#include "base/compiler.h"
#include "event.h"
#include "fs/lock.h"
#include "memory.h"
#include "string.h"

#define FIRST_CAPACITY 16u

struct slot {
    struct file *file;
    bool close_on_exec;
    bool promised; /* to a file that comes by files_keep */
};

struct files {
    struct slot *slot;
    unsigned capacity, limit, refs, holds;
};

static struct files *new_files(unsigned capacity, unsigned limit)
{
    struct files *files = quire_kmalloc(machine_slab, sizeof *files, QUIRE_GFP_KERNEL);
    struct slot *slot = quire_kmalloc_array(machine_slab, capacity, sizeof *slot,
                                            QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
    if (!files || !slot) {
        quire_kfree(machine_slab, files);
        quire_kfree(machine_slab, slot);
        return NULL;
    }
    *files = (struct files){slot, capacity, limit, 1, 0};
    return files;
}

struct files *files_create(void)
{
    return new_files(FIRST_CAPACITY, FILES_DEFAULT_LIMIT);
}

/* The original may grow while memory is had for the copy. */
struct files *files_copy(struct files *files)
{
    struct files *copy = NULL;
    files_hold(files);
    do {
        if (copy)
            files_put(copy);
        copy = new_files(files->capacity, files->limit);
    } while (copy && copy->capacity < files->capacity);
    for (unsigned fd = 0; copy && fd < files->capacity; fd++) {
        if (!files->slot[fd].file)
            continue;
        copy->slot[fd] = files->slot[fd];
        (void)file_get(copy->slot[fd].file);
    }
    files_release(files);
    return copy;
}

/* What is closed gives up all that its process has locked of it, as POSIX wants it. */
static void close_slot(struct files *files, unsigned fd)
{
    struct file *file = files->slot[fd].file;
    if (!file)
        return;
    files->slot[fd] = (struct slot){0};
    lock_release_owner(file->inode, files);
    file_put(file);
}

struct files *files_share(struct files *files)
{
    files->refs++;
    return files;
}

bool files_is_shared(const struct files *files)
{
    return files->refs > 1;
}

void files_hold(struct files *files)
{
    files->holds++;
}

static void close_range(struct files *files, unsigned first, unsigned last)
{
    for (unsigned fd = first; fd <= last && fd < files->capacity; fd++)
        if (files->slot[fd].file) {
            close_slot(files, fd);
            event_give_way();
        }
}

/* Whoever held it may have put files into it when nobody had it any more. */
void files_release(struct files *files)
{
    if (files->holds == 1 && !files->refs)
        close_range(files, 0, UINT32_MAX);
    if (--files->holds || files->refs)
        return;
    quire_kfree(machine_slab, files->slot);
    quire_kfree(machine_slab, files);
}

void files_put(struct files *files)
{
    files_hold(files);
    if (!--files->refs)
        close_range(files, 0, UINT32_MAX);
    files_release(files);
}

void files_close_on_exec(struct files *files)
{
    for (unsigned fd = 0; fd < files->capacity; fd++)
        if (files->slot[fd].close_on_exec)
            close_range(files, fd, fd);
}

void files_set_limit(struct files *files, unsigned limit)
{
    files->limit = limit < FILES_MAX_LIMIT ? limit : FILES_MAX_LIMIT;
}

static struct slot *slot_of(const struct files *files, int fd)
{
    bool open = fd >= 0 && (unsigned)fd < files->capacity && files->slot[fd].file;
    return open ? &files->slot[fd] : NULL;
}

struct file *files_get(const struct files *files, int fd)
{
    struct slot *slot = slot_of(files, fd);
    return slot ? file_get(slot->file) : NULL;
}

/* Makes room for descriptor `fd`. May sleep. */
static int grow(struct files *files, unsigned fd)
{
    unsigned capacity = files->capacity;
    while (capacity <= fd)
        capacity *= 2;
    struct slot *slot = quire_kmalloc_array(machine_slab, capacity, sizeof *slot,
                                            QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
    if (!slot)
        return -ENOMEM;
    if (files->capacity > fd) { /* grown by somebody else meanwhile */
        quire_kfree(machine_slab, slot);
        return 0;
    }
    __builtin_memcpy(slot, files->slot, files->capacity * sizeof *slot);
    quire_kfree(machine_slab, files->slot);
    files->slot = slot;
    files->capacity = capacity;
    return 0;
}

static bool is_free(const struct slot *slot)
{
    return !slot->file && !slot->promised;
}

static unsigned first_free(const struct files *files, unsigned from)
{
    unsigned fd = from;
    while (fd < files->capacity && !is_free(&files->slot[fd]))
        fd++;
    return fd;
}

/* The lowest free descriptor from `from` on gets `with`. */
static int fill_free(struct files *files, unsigned from, struct slot with)
{
    int error = 0;
    if (from >= files->limit)
        return -EINVAL;
    files_hold(files);
    unsigned fd = first_free(files, from);
    while (!error && fd >= files->capacity && fd < files->limit) {
        error = grow(files, fd);
        fd = first_free(files, from);
    }
    if (!error && fd >= files->limit)
        error = -EMFILE;
    if (!error)
        files->slot[fd] = with;
    files_release(files);
    return error ? error : (int)fd;
}

int files_add(struct files *files, struct file *file, unsigned from, bool close_on_exec)
{
    return fill_free(files, from, (struct slot){.file = file, .close_on_exec = close_on_exec});
}

int files_promise(struct files *files, bool close_on_exec)
{
    int fd = fill_free(files, 0, (struct slot){.promised = true, .close_on_exec = close_on_exec});
    return fd == -EINVAL ? -EMFILE : fd;
}

void files_keep(struct files *files, int fd, struct file *file)
{
    struct slot *slot = &files->slot[fd];
    QUIRE_BUG_ON(!slot->promised);
    *slot = (struct slot){.file = file, .close_on_exec = file && slot->close_on_exec};
}

int files_set(struct files *files, int fd, struct file *file, bool close_on_exec)
{
    if (fd < 0 || (unsigned)fd >= files->limit)
        return -EBADF;
    files_hold(files);
    int error = (unsigned)fd < files->capacity ? 0 : grow(files, (unsigned)fd);
    if (!error && files->slot[fd].promised)
        error = -EBUSY;
    struct file *before = error ? NULL : files->slot[fd].file;
    if (!error)
        files->slot[fd] = (struct slot){.file = file, .close_on_exec = close_on_exec};
    if (before) {
        lock_release_owner(before->inode, files);
        file_put(before);
    }
    files_release(files);
    return error ? error : fd;
}

int files_close(struct files *files, int fd)
{
    if (!slot_of(files, fd))
        return -EBADF;
    close_slot(files, (unsigned)fd);
    return 0;
}

void files_close_range(struct files *files, unsigned first, unsigned last, bool mark_only)
{
    files_hold(files);
    if (!mark_only)
        close_range(files, first, last);
    for (unsigned fd = first; mark_only && fd <= last && fd < files->capacity; fd++)
        if (files->slot[fd].file)
            files->slot[fd].close_on_exec = true;
    files_release(files);
}

int files_close_on_exec_of(const struct files *files, int fd)
{
    struct slot *slot = slot_of(files, fd);
    return slot ? slot->close_on_exec : -EBADF;
}

int files_mark(struct files *files, int fd, bool close_on_exec)
{
    struct slot *slot = slot_of(files, fd);
    if (!slot)
        return -EBADF;
    slot->close_on_exec = close_on_exec;
    return 0;
}

int files_next(const struct files *files, unsigned from)
{
    for (unsigned fd = from; fd < files->capacity; fd++)
        if (files->slot[fd].file)
            return (int)fd;
    return -ENOENT;
}
