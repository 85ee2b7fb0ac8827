/* kernel/sys/abi_resource.h: structures of programs about limits, use and the machine */
#ifndef KERNEL_SYS_ABI_RESOURCE_H
#define KERNEL_SYS_ABI_RESOURCE_H

#include <stdint.h>

struct abi_rlimit {
    unsigned long current, max;
};

struct abi_timeval {
    long seconds, microseconds;
};

struct abi_rusage {
    struct abi_timeval user, system;
    long max_rss, shared_text, unshared_data, unshared_stack; /* KiB; the last three aren't told */
    long min_flt, maj_flt, swaps, blocks_in, blocks_out, messages_sent, messages_received, signals,
        voluntary_switches, involuntary_switches;
};
_Static_assert(sizeof(struct abi_rusage) == 18 * sizeof(long), "Linux's layout");

struct abi_sysinfo {
    long uptime;
    unsigned long loads[3];
    unsigned long total, free, shared, buffers, total_swap, free_swap;
    uint16_t nr_tasks, pad;
    unsigned long total_high, free_high;
    uint32_t unit;
#if !defined(__x86_64__)
    char unused[8];
#endif
};
#if defined(__x86_64__)
_Static_assert(sizeof(struct abi_sysinfo) == 112, "Linux's layout on x86-64");
#else
_Static_assert(sizeof(struct abi_sysinfo) == 64, "Linux's layout on i386");
#endif

#define UTS_BYTES 65

struct abi_utsname {
    char system[UTS_BYTES], node[UTS_BYTES], release[UTS_BYTES], version[UTS_BYTES],
        machine[UTS_BYTES], domain[UTS_BYTES];
};

struct rusage_times;
void abi_rusage_from(struct abi_rusage *usage, const struct rusage_times *times);

#endif
