/* kernel/task/capability.h: root's rights in parts (man 7 capabilities) */
#ifndef KERNEL_TASK_CAPABILITY_H
#define KERNEL_TASK_CAPABILITY_H

#include "task/task.h"

#define NR_CAPABILITIES 41u

/* What capget and /proc/PID/status tell: everything is root's, but for what he gave up; nothing is
 * anybody else's. What may be done is asked of euid, not of these. */
static inline uint64_t process_capabilities(const struct process *process)
{
    const uint64_t all = ((uint64_t)1 << NR_CAPABILITIES) - 1;
    return process->credentials.euid ? 0 : all & ~process->attributes.dropped_capabilities;
}

#endif
