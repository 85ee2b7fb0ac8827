/* kernel/time_units.h: nanoseconds, which the kernel counts in, and what programs count in */
#ifndef KERNEL_TIME_UNITS_H
#define KERNEL_TIME_UNITS_H

#include "base/bits.h"

#define NS_PER_SECOND 1000000000u
#define USER_HZ 100u /* ticks of user space in a second */
#define NS_PER_TICK (NS_PER_SECOND / USER_HZ)

static inline unsigned long long ticks_of(uint64_t ns)
{
    return quire_div64(ns, NS_PER_TICK);
}

#endif
