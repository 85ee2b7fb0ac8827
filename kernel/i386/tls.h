/* kernel/i386/tls.h: thread-local storage, as set_thread_area(2) has it */
#ifndef KERNEL_I386_TLS_H
#define KERNEL_I386_TLS_H

#include "i386/ldt.h"

#define NR_TLS_SLOTS 3u

/* Puts a descriptor into the slot that it names, or with entry -1 into a free one, which it names
 * then. arch_load makes it the CPU's. -EINVAL, -ESRCH: none is free. */
QUIRE_MUST_CHECK int tls_set(struct task *task, struct user_desc *desc);

#endif
