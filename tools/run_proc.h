/* tools/run_proc.h: what /proc tells of a process */
#ifndef TOOLS_RUN_PROC_H
#define TOOLS_RUN_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proc_stat {
    uint32_t pid, parent;
    char name[64];
    char state;
    uint64_t minor, major; /* faults, without those of its children */
    uint64_t user_ns, kernel_ns;
    unsigned nr_threads;
    uint64_t start_ns; /* since the machine's start; some milliseconds exact */
    uint64_t rss;      /* bytes */
};
/* False: it is gone. */
bool proc_stat_read(uint32_t pid, struct proc_stat *stat);

/* A program may call itself anything, and terminals obey some of it. */
void proc_clean_name(char *name);

/* Bytes of it in swap. */
uint64_t proc_swap(uint32_t pid);
/* The machine has any. */
bool proc_has_swap(void);

/* The file that counts who the kernel killed for want of memory: of this process's control group,
 * with those below it, where that is told (cgroup v2), or else of the whole system. */
char *proc_oom_file(void);
/* How many; 0: it doesn't tell. */
uint64_t proc_oom_kills(const char *file);

/* A part of a process's addresses. */
struct proc_area {
    uint64_t start, end;
    char perms[5];
    char *name; /* "": anonymous */
    uint64_t resident, swap;
};
#define PROC_MOST_AREAS 512u
struct proc_areas {
    struct proc_area *area;
    size_t count;
};
/* All of a process's; of more than PROC_MOST_AREAS the last are one. False: there are none to be
 * seen, and `areas` is as it was. */
bool proc_areas_read(uint32_t pid, struct proc_areas *areas);
void proc_areas_free(struct proc_areas *areas);

#endif
