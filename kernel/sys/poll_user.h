/* kernel/sys/poll_user.h: what calls have in common that wait for files: time, and signals
 * meanwhile */
#ifndef KERNEL_SYS_POLL_USER_H
#define KERNEL_SYS_POLL_USER_H

#include <quire/types.h>

/* Negative: never; 0: at once. */
uint64_t poll_deadline_of_ms(int ms);

/* Other signals are blocked until the call is over: after a signal they are so for its handler's
 * frame only, by the way that sigsuspend goes. `at` 0: nothing is done. */
QUIRE_MUST_CHECK int poll_mask_begin(uintptr_t at, unsigned long size);
void poll_mask_end(uintptr_t at, long result);

#endif
