/* kernel/sys/file_user.h: what system calls of files have in common: descriptors and paths of the
 * running program
 */
#ifndef KERNEL_SYS_FILE_USER_H
#define KERNEL_SYS_FILE_USER_H

#include "fs/file.h"
#include "fs/files.h"
#include "fs/names.h"
#include "sys/calls_file.h"
#include "task/task.h"
#include "user.h"

/* An open file with a reference; NULL: -EBADF. With O_PATH it is one for paths only: NULL, too,
 * unless `any`. */
struct file *user_file(unsigned long fd);
struct file *user_file_any(unsigned long fd);

/* A descriptor for a new file, whose reference it takes over whatever happens. -EMFILE, -ENOMEM. */
long user_add_file(struct file *file, bool close_on_exec);

/* The same for two, whose numbers are written to `to`: int[2]. -EFAULT. */
int user_add_pair(struct file *files[2], bool close_on_exec, uintptr_t to);

/* Before a write: what RLIMIT_FSIZE allows of `size` bytes at `at`, of a file whose lock is held;
 * -EFBIG, with SIGXFSZ. A program that will be another has no rights of its own any more. */
int64_t user_within_limit(struct file *file, uint64_t at, size_t size);

/* A path of the program, and where it begins. */
struct user_path {
    struct fs_at at;
    char *text;
    struct file *held; /* whose directory `at` begins in */
};
/* -EBADF, -ENOTDIR, -EFAULT, -ENAMETOOLONG, -ENOMEM; -ENOENT: empty. A descriptor isn't looked at
 * when the path is absolute. To be ended only if it succeeds. */
int user_path_begin(struct user_path *path, unsigned long directory, uintptr_t text);
/* With AT_EMPTY_PATH in flags an empty path is the descriptor's own file, of any type. */
int user_path_begin_at(struct user_path *path, unsigned long directory, uintptr_t text,
                       unsigned flags);
void user_path_end(struct user_path *path);
/* Begins, walks, and ends the path; with success the walk is to be ended. */
int user_walk(struct walk *walk, unsigned long directory, uintptr_t text, unsigned at_flags,
              unsigned walk_flags);

static inline const struct credentials *user_credentials(void)
{
    return &current_process()->credentials;
}

/* What waited and did nothing yet is begun anew. */
static inline long user_restart(int64_t result)
{
    return result == -EINTR ? -ERESTARTSYS : result == -EINTR_AT_ONCE ? -EINTR : (long)result;
}

/* A 64-bit argument: one register on x86-64, two on i386, the lower half first. */
#if defined(__x86_64__)
#define USER_WORDS_64 1
static inline uint64_t user_64(const unsigned long *arg)
{
    return arg[0];
}
#else
#define USER_WORDS_64 2
static inline uint64_t user_64(const unsigned long *arg)
{
    return arg[0] | (uint64_t)arg[1] << 32;
}
#endif

#endif
