/* kernel/task/give_way.h: for loops of the kernel whose length a program chooses */
#ifndef KERNEL_TASK_GIVE_WAY_H
#define KERNEL_TASK_GIVE_WAY_H

#include "task/sched.h"

/* Others have their turn, if it has come: what isn't held may be gone afterwards. False: the
 * process ends, and whatever the loop still does is for nobody. */
static inline bool give_way(void)
{
    if (sched_turn_has_passed())
        sched_let_others_run();
    return !current_process()->exiting;
}

#endif
