/* kernel/task/exec.h: a process begins another program */
#ifndef KERNEL_TASK_EXEC_H
#define KERNEL_TASK_EXEC_H

#include "task/task.h"

struct inode;

/* Strings, one behind the other, each with its NUL. */
struct exec_strings {
    char *text;
    size_t size, room;
    unsigned count;
};
/* What arguments and environment have together at most, and each string, as on Linux. */
#define EXEC_STRINGS_MAX 0x600000u
#define EXEC_STRING_MAX 0x20000u

/* -ENOMEM. */
QUIRE_MUST_CHECK int exec_strings_init(struct exec_strings *strings);
void exec_strings_free(struct exec_strings *strings);
/* -E2BIG. */
QUIRE_MUST_CHECK int exec_strings_add(struct exec_strings *strings, const char *text,
                                      size_t length);
/* A program's array of pointers, which ends with NULL. -EFAULT, -E2BIG. */
QUIRE_MUST_CHECK int exec_strings_from_user(struct exec_strings *strings, uintptr_t array);

/* Of the path, arguments and environment of a new program, and the pointers to them: whether they
 * have at most a quarter of the stack's limit, but 128 KiB in any case, and at most
 * EXEC_STRINGS_MAX. -E2BIG. */
QUIRE_MUST_CHECK int exec_strings_fit(const char *path, const struct exec_strings *argv,
                                      const struct exec_strings *envp);

/* execve(2) of the current process. What fails leaves the old program as it was. On success the
 * task's frame is the new program's.
 * `start`: what a relative path begins at; NULL: the working directory. */
QUIRE_MUST_CHECK int exec(struct inode *start, const char *path, const struct exec_strings *argv,
                          const struct exec_strings *envp);

#endif
