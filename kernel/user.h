/* kernel/user.h: the current program's memory, from the kernel
 *
 * All access goes through Quire's checked copies, which find the page by its tables, fault it in,
 * and never touch a user address directly (SMAP stays on). An address is a uintptr_t: a pointer
 * would invite to use it.
 */
#ifndef KERNEL_USER_H
#define KERNEL_USER_H

#include <stddef.h>
#include <stdint.h>

/* 0, or -EFAULT; some of it may have been copied then. */
int copy_from_user(void *to, uintptr_t from, size_t size);
int copy_to_user(uintptr_t to, const void *from, size_t size);
/* Bytes that were copied, from the first on. */
size_t copy_some_from_user(void *to, uintptr_t from, size_t size);
size_t copy_some_to_user(uintptr_t to, const void *from, size_t size);
int clear_user(uintptr_t to, size_t size);
/* The length without the NUL; -EFAULT; -ENAMETOOLONG: no NUL in `size` bytes. */
int string_from_user(char *to, uintptr_t from, size_t size);

#endif
