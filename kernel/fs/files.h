/* kernel/fs/files.h: a task's open files by descriptor
 *
 * What files_get gives is counted: a thread may close the descriptor while another is asleep in the
 * file. So is a table: threads share one, fork copies it, and clone and unshare do either.
 */
#ifndef KERNEL_FS_FILES_H
#define KERNEL_FS_FILES_H

#include "fs/file.h"

struct files;

#define FILES_DEFAULT_LIMIT 1024u /* RLIMIT_NOFILE */
#define FILES_MAX_LIMIT 65536u

/* NULL: no memory. */
struct files *files_create(void);
struct files *files_copy(struct files *files);
/* Another task has the same. */
struct files *files_share(struct files *files);
bool files_is_shared(const struct files *files);
/* The last one closes all. */
void files_put(struct files *files);
/* Whoever works with a table over a sleep of his own: it stays, though perhaps nobody's. May sleep.
 */
void files_hold(struct files *files);
void files_release(struct files *files);
void files_close_on_exec(struct files *files);
/* Descriptors below which new ones are; of a shared table, what was set last. */
void files_set_limit(struct files *files, unsigned limit);

/* A new reference, to be put; NULL: -EBADF. */
struct file *files_get(const struct files *files, int fd);
/* The lowest free descriptor from `from` on; takes over the caller's reference when it succeeds.
 * -EMFILE, -EINVAL: `from` is beyond the limit; -ENOMEM. */
int files_add(struct files *files, struct file *file, unsigned from, bool close_on_exec);
/* The lowest free one for a file that isn't to be seen yet; -EMFILE, -ENOMEM. Then, whatever slept
 * meanwhile while the table was held, it gets that file with the caller's reference, or with NULL
 * is free again. */
int files_promise(struct files *files, bool close_on_exec);
void files_keep(struct files *files, int fd, struct file *file);
/* At that very descriptor, closing what is there; takes over the reference when it succeeds.
 * -EBUSY: it is promised. */
int files_set(struct files *files, int fd, struct file *file, bool close_on_exec);
int files_close(struct files *files, int fd);
/* Those that are open from `first` to `last`; or marks them. */
void files_close_range(struct files *files, unsigned first, unsigned last, bool mark_only);

int files_close_on_exec_of(const struct files *files, int fd); /* 0, 1, -EBADF */
int files_mark(struct files *files, int fd, bool close_on_exec);
/* The first that is open from `from` on, or -ENOENT. */
int files_next(const struct files *files, unsigned from);

#endif
