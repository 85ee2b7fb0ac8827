/* kernel/sys/user_time.h: times as programs write them
 *
 * i386 has each call twice: with the class's own `long`, and with 64 bits, where the upper half of
 * the nanoseconds is padding. On x86-64 both are the same.
 */
#ifndef KERNEL_SYS_USER_TIME_H
#define KERNEL_SYS_USER_TIME_H

#include <quire/types.h>

#include "time_units.h"

enum time_width { TIME_LONG, TIME_64 };

#define NS_PER_US 1000u

/* Of struct timespec. */
static inline size_t time_spec_bytes(enum time_width width)
{
    return width == TIME_64 ? 16 : 2 * sizeof(long);
}

struct time_spec {
    int64_t seconds, ns;
};

/* Lengths of time saturate at INT64_MAX ns, 292 years, as Linux's do. -EFAULT; -EINVAL: negative,
 * or not less than a second's nanoseconds. */
QUIRE_MUST_CHECK int time_from_user(uint64_t *ns, uintptr_t at, enum time_width width);
/* -EFAULT */
QUIRE_MUST_CHECK int time_to_user(uintptr_t at, uint64_t ns, enum time_width width);
/* The same with microseconds, struct timeval. */
QUIRE_MUST_CHECK int timeval_from_user(uint64_t *ns, uintptr_t at);
QUIRE_MUST_CHECK int timeval_to_user(uintptr_t at, uint64_t ns);

/* When a sleep ends that begins now. */
uint64_t deadline_after(uint64_t ns);
/* The machine's own time of a world's time. */
uint64_t deadline_of_realtime(uint64_t ns);

/* Of a call that goes on after a stop: when it was to end; 0: it begins. */
uint64_t restart_take_deadline(void);

#endif
