/* kernel/no_events.c: images that tell of no events */
#include "events.h"

bool events_are_compiled_in(void)
{
    return false;
}

void events_begin(void)
{
}

void events_tick(void)
{
}

unsigned long events_most_used(void)
{
    return 0;
}

void events_end(bool panicked, uint64_t patience_ns)
{
    (void)panicked;
    (void)patience_ns;
}
