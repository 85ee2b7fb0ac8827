/* kernel/events.h: the machine's events on their way out (base/events.h, docs/events.md)
 *
 * Only images whose name ends with -events have any: in others these functions do nothing.
 */
#ifndef KERNEL_EVENTS_H
#define KERNEL_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

/* Whether this image can. */
bool events_are_compiled_in(void);
/* The lines are there: what was noted so far goes out, and from now on all. Without, nothing is
 * kept. */
void events_begin(void);
/* A tick of the clock: now and then, how much is free. */
void events_tick(void);
/* The most frames that were in use after any allocation, from the first on; 0: nobody looked. */
unsigned long events_most_used(void);
/* All that there was goes out, or NO_DEADLINE or so many ns are over. For the machine's end;
 * nothing comes after it. */
void events_end(bool panicked, uint64_t patience_ns);

#endif
