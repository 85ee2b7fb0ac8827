/* kernel/sys/signal_calls.h: what the calls of both generations share */
#ifndef KERNEL_SYS_SIGNAL_CALLS_H
#define KERNEL_SYS_SIGNAL_CALLS_H

#include "task/task.h"

enum mask_change { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };

/* The action of a signal; `old` and `new` may be NULL. -EINVAL: no such signal, or one that can't
 * be changed. */
QUIRE_MUST_CHECK int change_action(int number, const struct signal_action *new,
                                   struct signal_action *old);
/* Until a handler has run, with another mask. */
long suspend_with(uint64_t blocked);
/* A bad frame is a SIGSEGV. */
long end_handler(int (*pop)(struct trap_frame *frame));

#endif
