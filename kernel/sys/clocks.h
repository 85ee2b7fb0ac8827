/* kernel/sys/clocks.h: the clocks of clock_gettime(2) */
#ifndef KERNEL_SYS_CLOCKS_H
#define KERNEL_SYS_CLOCKS_H

#include <quire/types.h>

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID 3
#define CLOCK_MONOTONIC_RAW 4
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME 7
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9
#define CLOCK_TAI 11

/* What a clock says. -EINVAL: there is no such clock, or no such process's. */
QUIRE_MUST_CHECK int clock_read(int clock, uint64_t *ns);

#endif
