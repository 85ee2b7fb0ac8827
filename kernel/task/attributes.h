/* kernel/task/attributes.h: what a process is told of itself and little else depends on */
#ifndef KERNEL_TASK_ATTRIBUTES_H
#define KERNEL_TASK_ATTRIBUTES_H

#include <stdbool.h>
#include <stdint.h>

struct process_attributes {
    uint32_t personality;
    int nice;                    /* -20 to 19; turns are equal all the same */
    int death_signal;            /* to it when its parent ends; 0: none */
    uint32_t barriers;           /* commands of membarrier(2) that it registered for */
    uint32_t core_filter_change; /* CORE_FILTER_DEFAULT ^ coredump_filter */
    bool no_new_privileges, not_dumpable, keeps_capabilities, no_huge_pages;
    bool executed; /* since its fork: its parent no longer moves it to another group */
};

static inline void attributes_fork(struct process_attributes *child)
{
    child->death_signal = 0;
    child->executed = false;
}

static inline void attributes_exec(struct process_attributes *attributes)
{
    attributes->barriers = 0;
    attributes->not_dumpable = attributes->keeps_capabilities = false;
    attributes->executed = true;
}

#endif
