/* kernel/sys/system.c: what machine this is (man 2 sysinfo, uname, getcpu, syslog)
 */

#include "base/text.h"
#include "errno.h"
#include "memory.h"
#include "sys/abi_resource.h"
#include "sys/calls_resource.h"
#include "task/capability.h"
#include "task/lifecycle.h"
#include "task/system_name.h"
#include "time_units.h"
#include "user.h"

char system_node[UTS_BYTES] = "quire";
char system_domain[UTS_BYTES] = "(none)";

#if defined(__x86_64__)
#define MACHINE "x86_64"
#else
#define MACHINE "i686"
#endif

long sys_uname(const unsigned long *arg)
{
    struct abi_utsname name;
    memset(&name, 0, sizeof name);
    quire_snprintf(name.system, UTS_BYTES, "%s", SYSTEM_NAME);
    quire_snprintf(name.node, UTS_BYTES, "%s", system_node);
    quire_snprintf(name.release, UTS_BYTES, "%s", SYSTEM_RELEASE);
    quire_snprintf(name.version, UTS_BYTES, "%s", SYSTEM_VERSION);
    quire_snprintf(name.machine, UTS_BYTES, "%s", MACHINE);
    quire_snprintf(name.domain, UTS_BYTES, "%s", system_domain);
    return copy_to_user(arg[0], &name, sizeof name);
}

/* ---- sysinfo --------------------------------------------------------------------------------- */

/* In pages. */
struct amounts {
    uint64_t total, free, total_high, free_high, total_swap, free_swap;
};

static void add_zones(struct amounts *amounts)
{
    struct quire_zone_info info;
    for (unsigned zone = 0; !quire_zone_info(machine_mem, zone, &info); zone++) {
        uint64_t free = info.nr_free + info.nr_pcp;
        amounts->total += info.managed;
        amounts->free += free;
        if (info.type == QUIRE_ZONE_HIGHMEM) {
            amounts->total_high += info.managed;
            amounts->free_high += free;
        }
    }
}

static unsigned count_tasks(void)
{
    unsigned count = 0;
    list_for_each (at, &all_processes)
        count += quire_container_of(at, struct process, all)->nr_threads;
    return count;
}

/* Bytes, unless there are more than a register counts: then pages. No load is kept, nor told: of
 * shared and buffers, neither. */
long sys_sysinfo(const unsigned long *arg)
{
    struct amounts amounts = {0};
    struct abi_sysinfo info;
    add_zones(&amounts);
    const struct memory_swap swap = memory_swap();
    amounts.total_swap = swap.total;
    amounts.free_swap = swap.free;
    uint64_t all = amounts.total + amounts.total_swap;
    unsigned shift = all > (~0ul >> QUIRE_PAGE_SHIFT) ? 0 : QUIRE_PAGE_SHIFT;
    unsigned tasks = count_tasks();
    memset(&info, 0, sizeof info);
    info.uptime = (long)quire_div64(quire_port_clock_ns(), NS_PER_SECOND);
    info.total = (unsigned long)(amounts.total << shift);
    info.free = (unsigned long)(amounts.free << shift);
    info.total_high = (unsigned long)(amounts.total_high << shift);
    info.free_high = (unsigned long)(amounts.free_high << shift);
    info.total_swap = (unsigned long)(amounts.total_swap << shift);
    info.free_swap = (unsigned long)(amounts.free_swap << shift);
    info.nr_tasks = (uint16_t)(tasks < UINT16_MAX ? tasks : UINT16_MAX);
    info.unit = shift ? 1 : QUIRE_PAGE_SIZE;
    return copy_to_user(arg[0], &info, sizeof info);
}

/* ---- others ---------------------------------------------------------------------------------- */

/* getcpu(cpu, node, unused): there is one CPU in use. */
long sys_getcpu(const unsigned long *arg)
{
    const uint32_t zero = 0;
    if (arg[0] && copy_to_user(arg[0], &zero, sizeof zero))
        return -EFAULT;
    return arg[1] ? copy_to_user(arg[1], &zero, sizeof zero) : 0;
}

#define SYSLOG_READ 2
#define SYSLOG_READ_CLEAR 4
#define SYSLOG_LAST 10

/* The log goes out as it comes, so that there is nothing left to read. */
long sys_syslog(const unsigned long *arg)
{
    int type = (int)arg[0];
    if (type < 0 || type > SYSLOG_LAST)
        return -EINVAL;
    if (!caller_can(CAP_SYSLOG))
        return -EPERM;
    bool reads = type >= SYSLOG_READ && type <= SYSLOG_READ_CLEAR;
    return reads && (!arg[1] || (int)arg[2] < 0) ? -EINVAL : 0;
}
