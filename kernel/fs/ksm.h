/* kernel/fs/ksm.h: /sys/kernel/mm/ksm: whether and how fast pages of the same content are merged */
#ifndef KERNEL_FS_KSM_H
#define KERNEL_FS_KSM_H

#include "event.h"
#include "fs/procfs.h"

#define KSM_STOP 0u
#define KSM_MERGE 1u
#define KSM_UNMERGE 2u

struct ksm_settings {
    uint64_t run, pages, sleep_ms;
    uint64_t max_sharing, across_nodes, zero_pages; /* as the library has them */
    struct event changed;
};
extern struct ksm_settings ksm_settings;

extern const struct proc_node ksm_nodes[];

#endif
