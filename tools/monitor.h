/* tools/monitor.h: whether QEMU has paused the machine, as its monitor says (QMP)
 *
 * When a machine can't go on (KVM's internal errors), QEMU pauses it and waits for somebody who
 * looks at it. Nobody does, so that is its end.
 */
#ifndef TOOLS_MONITOR_H
#define TOOLS_MONITOR_H

#include <stdbool.h>
#include <stddef.h>

struct monitor {
    bool paused;
    size_t line_bytes; /* of what it is just saying */
    char line[256];    /* the beginning */
};

/* A socket to us, and one for QEMU to be its monitor; 0 or -errno. Events are asked for already. */
int monitor_open(int *ours, int *given);
/* A flow's filter, of a struct monitor: takes everything and passes nothing on. */
size_t monitor_take(void *monitor, const char *bytes, size_t size, char *to);

#endif
