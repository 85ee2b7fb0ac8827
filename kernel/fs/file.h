/* kernel/fs/file.h: open files (Linux: struct file)
 *
 * What descriptors refer to: an inode, a position, and flags. Copies of a descriptor, in one
 * process or several, share it. It is counted: who works with one, and may sleep, holds it.
 *
 * Buffers are the kernel's. What waits, waits interruptibly: -EINTR, of which a system call that
 * has done nothing yet makes -ERESTARTSYS; or -EINTR_AT_ONCE, of which it makes EINTR.
 */
#ifndef KERNEL_FS_FILE_H
#define KERNEL_FS_FILE_H

#include "fs/inode.h"
#include "fs/path.h"

struct file;

/* Who does an ioctl, of what concerns processes. */
struct fs_caller {
    int pid, pgid, sid;
};

/* All but `name` may be NULL: then it is -EINVAL, or as a plain file does it. */
struct file_ops {
    const char *name; /* of files without one, as /proc/PID/fd shows it: "pipe" */
    bool shared_name; /* that is all; otherwise the inode's number follows: "pipe:[17]" */
    bool stream;      /* no position: read and write are given 0 */
    bool no_position; /* the same, and each seek ends at 0 instead of failing */
    bool by_parts;    /* a call gets what one read gives, which knows where to end */
    int64_t (*read)(struct file *file, uint64_t at, void *to, size_t size);
    int64_t (*write)(struct file *file, uint64_t at, const void *from, size_t size);
    /* Both or none: the same to and from a program's memory; -EFAULT. Such a file has a size, is no
     * stream, and waits for nothing but memory. */
    int64_t (*read_user)(struct file *file, uint64_t at, struct quire_mm *mm, uintptr_t to,
                         size_t size);
    int64_t (*write_user)(struct file *file, uint64_t at, struct quire_mm *mm, uintptr_t from,
                          size_t size);
    /* Bytes that SEEK_END counts from. */
    uint64_t (*size)(struct file *file);
    /* What was written is safe: 0, or what says that it isn't. NULL: it always is. May sleep. */
    int (*sync)(struct file *file);
    /* `argument` is the number that was passed, or the buffer of ioctl_shape. */
    long (*ioctl)(struct file *file, unsigned command, void *argument,
                  const struct fs_caller *caller);
    unsigned (*poll)(struct file *file); /* POLL*; whoever waits for a change sleeps on any_event */
    /* How often something came for who waits for these POLL*, be it more of what there was: bytes,
     * room that a writer may have missed, an expiration. It never goes back, whatever was taken, so
     * a count that is another one is an edge. NULL: nothing but what poll says. */
    uint32_t (*happened)(struct file *file, unsigned events);
    /* When poll will say more without an event: ns, of what isn't due yet; NULL: never. */
    uint64_t (*due)(struct file *file);
    void (*release)(struct file *file);
};

struct watch; /* epoll.c */

struct file {
    unsigned refs;
    int flags; /* O_*, without those that only open looks at */
    uint64_t position;
    struct inode *inode; /* counted; never NULL */
    struct entry *entry; /* counted; NULL: has no name, or the root */
    const struct file_ops *ops;
    void *data;            /* of ops */
    struct watch *watches; /* of epolls */
    bool writer; /* counted in the inode: regular files that have, or had, a name; no memfd */
};

/* open(2): a new file with one reference. `start` as in path_walk. May sleep. */
int file_open(struct file **file, const struct fs_context *fs, const struct credentials *who,
              struct inode *start, const char *path, int flags, unsigned mode);
/* To run it: what isn't a regular file that `who` may run is -EACCES; it needn't be readable. */
int file_open_to_run(struct file **file, const struct fs_context *fs, const struct credentials *who,
                     struct inode *start, const char *path);
/* Of what has no path. Takes a reference to `inode` and, unless NULL, `entry`. NULL: no memory. */
struct file *file_new(struct inode *inode, struct entry *entry, const struct file_ops *ops,
                      int flags);
struct file *file_get(struct file *file);
void file_put(struct file *file); /* NULL is ignored. May sleep */

/* Bytes; 0: the end; or a negative errno. -EBADF: not open for that. */
int64_t file_read(struct file *file, void *to, size_t size);
int64_t file_pread(struct file *file, uint64_t at, void *to, size_t size); /* -ESPIPE */
/* Between file_write_begin and _end, so that a write of many pieces is one. */
int64_t file_write(struct file *file, const void *from, size_t size);
int64_t file_pwrite(struct file *file, uint64_t at, const void *from, size_t size);
void file_write_begin(struct file *file);
void file_write_end(struct file *file);
int64_t file_seek(struct file *file, int64_t offset, int whence);
/* getdents: from the position on. */
int file_list(struct file *file, const struct inode *root, list_fn *tell, void *arg);
int file_truncate(struct file *file, uint64_t size);

/* What crosses the border with an ioctl: bytes in and out of the address that was passed. Commands
 * that aren't known have none, and get the number itself. 64 bytes at most. */
struct ioctl_shape {
    unsigned in, out;
};
#define IOCTL_BYTES 64u
struct ioctl_shape ioctl_shape(unsigned command);
long file_ioctl(struct file *file, unsigned command, void *argument,
                const struct fs_caller *caller);
unsigned file_poll(struct file *file);
uint64_t file_due(struct file *file); /* NO_DEADLINE: never by itself */

/* For mmap, borrowed: the file is held meanwhile. It shows the file's path in maps from now on.
 * Who maps it shared has to look at the file's flags: a mapping doesn't know how it was opened.
 * -ENODEV; -ENOMEM, for the path. */
QUIRE_MUST_CHECK int file_mapping(struct file *file, struct quire_mapping **mapping);
/* /dev/zero: to be mapped is to be anonymous memory. */
bool file_is_zero(const struct file *file);
/* As /proc/PID/fd shows it. The length without NUL; -ENAMETOOLONG. */
int file_path(struct file *file, char *to, size_t size);

static inline bool file_may_read(const struct file *file)
{
    return (file->flags & O_ACCMODE) != O_WRONLY && !(file->flags & O_PATH);
}

static inline bool file_may_write(const struct file *file)
{
    return (file->flags & O_ACCMODE) != O_RDONLY && !(file->flags & O_PATH);
}

#endif
