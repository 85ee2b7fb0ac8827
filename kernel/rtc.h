/* kernel/rtc.h: what time it is in the world */
#ifndef KERNEL_RTC_H
#define KERNEL_RTC_H

#include <stdint.h>

/* Since 1970, UTC: the PC's clock when it was first asked for, and the machine's own clock
 * (quire_port_clock_ns) since. */
uint64_t realtime_ns(void);
/* The same less the machine's own clock. */
uint64_t realtime_offset_ns(void);

#endif
