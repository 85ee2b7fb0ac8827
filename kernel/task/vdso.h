/* kernel/task/vdso.h: the shared object that every program has (man 7 vdso) */
#ifndef KERNEL_TASK_VDSO_H
#define KERNEL_TASK_VDSO_H

#include <quire/vm.h>

/* Maps it, and below it what it would read: four pages of zeros, as many as Linux's are, so that a
 * program's other mappings lie where Linux has them. */
QUIRE_MUST_CHECK int vdso_map(struct quire_mm *mm, quire_linear_t *base);
/* The address of one of its functions (of i386's: __kernel_vsyscall and its like), where it lies at
 * `base`; 0: there is none. */
quire_linear_t vdso_function(quire_linear_t base, const char *name);

#endif
