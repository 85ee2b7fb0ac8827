/* kernel/task/capability.h: what the caller may do (man 7 capabilities)
 *
 * A process has them, not a thread. There are no file capabilities, no ambient ones, and the
 * bounding set is all of them: so exec gives root all, and anybody else none. Without new
 * privileges, or beside another who has the directories, root keeps what was permitted.
 */
#ifndef KERNEL_TASK_CAPABILITY_H
#define KERNEL_TASK_CAPABILITY_H

#include "task/lifecycle.h"

static inline bool caller_can(unsigned capability)
{
    return credentials_can(&current_process()->credentials, capability);
}

#endif
