/* kernel/sys/capability.c: capget(2) and capset(2)
 */
#include "task/capability.h"

#include "errno.h"
#include "sys/calls_resource.h"
#include "task/limits.h"
#include "user.h"

/* The layout: 32 capabilities in one structure, or 64 in two. */
#define VERSION_1 0x19980330u
#define VERSION_2 0x20071026u
#define VERSION_3 0x20080522u

struct abi_header {
    uint32_t version;
    int pid;
};

struct abi_sets {
    uint32_t effective, permitted, inheritable;
};

/* Structures of a version; 0: -EINVAL, and the program is told which version is. */
static int check_version(struct abi_header *header, uintptr_t at, unsigned *count)
{
    if (copy_from_user(header, at, sizeof *header))
        return -EFAULT;
    const uint32_t newest = VERSION_3;
    *count = header->version == VERSION_1                                   ? 1
             : header->version == VERSION_2 || header->version == VERSION_3 ? 2
                                                                            : 0;
    if (*count)
        return 0;
    return copy_to_user(at, &newest, sizeof newest) ? -EFAULT : -EINVAL;
}

long sys_capget(const unsigned long *arg)
{
    struct abi_header header;
    struct abi_sets sets[2] = {{0}};
    unsigned count = 0;
    int error = check_version(&header, arg[0], &count);
    if (error)
        return error == -EINVAL && !arg[1] ? 0 : error;
    if (header.pid < 0)
        return -EINVAL;
    const struct task *task = header.pid ? task_find(header.pid) : current;
    if (!task)
        return -ESRCH;
    if (!arg[1])
        return 0;
    const struct credentials *who = &task->process->credentials;
    for (unsigned i = 0; i < count; i++)
        sets[i] = (struct abi_sets){.effective = (uint32_t)((CAP_ALL & ~who->lacks) >> 32 * i),
                                    .permitted = (uint32_t)((CAP_ALL & ~who->lost) >> 32 * i),
                                    .inheritable = (uint32_t)(who->inheritable >> 32 * i)};
    return copy_to_user(arg[1], sets, count * sizeof sets[0]);
}

/* Those that there aren't count for nothing. */
static uint64_t joined(uint32_t low, uint32_t high)
{
    return (low | (uint64_t)high << 32) & CAP_ALL;
}

/* Nobody gains by it what isn't permitted. What may be locked follows. */
long sys_capset(const unsigned long *arg)
{
    struct process *process = current_process();
    struct abi_header header;
    struct abi_sets sets[2] = {{0}};
    unsigned count = 0;
    int error = check_version(&header, arg[0], &count);
    if (error)
        return error;
    if (header.pid && header.pid != current->tid)
        return -EPERM;
    if (copy_from_user(sets, arg[1], count * sizeof sets[0]))
        return -EFAULT;
    struct credentials *who = &process->credentials;
    const uint64_t has = CAP_ALL & ~who->lost;
    const uint64_t permitted = joined(sets[0].permitted, sets[1].permitted);
    const uint64_t effective = joined(sets[0].effective, sets[1].effective);
    const uint64_t inheritable = joined(sets[0].inheritable, sets[1].inheritable);
    const uint64_t may_inherit =
        credentials_can(who, CAP_SETPCAP) ? CAP_ALL : has | who->inheritable;
    if (permitted & ~has || effective & ~permitted || inheritable & ~may_inherit)
        return -EPERM;
    who->lost = CAP_ALL & ~permitted;
    who->lacks = CAP_ALL & ~effective;
    who->inheritable = inheritable;
    limits_changed(process);
    return 0;
}
