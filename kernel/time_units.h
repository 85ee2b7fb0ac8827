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

/* How often `interval`, which isn't 0, goes into `ns`: a long one by hand, since i386 has no such
 * division. */
static inline uint64_t times_in(uint64_t ns, uint64_t interval)
{
    uint64_t count = 0;
    if (interval <= UINT32_MAX)
        return quire_div64(ns, (uint32_t)interval);
    for (int bit = 31; bit >= 0; bit--)
        if (interval <= ns >> bit) {
            count |= (uint64_t)1 << bit;
            ns -= interval << bit;
        }
    return count;
}

#endif
