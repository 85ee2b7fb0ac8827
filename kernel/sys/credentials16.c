/* kernel/sys/credentials16.c: i386's first calls for users and groups, with numbers of 16 bits
 *
 * 65535 is -1 of 32 bits; a number that doesn't fit is told as 65534.
 */
#include "errno.h"
#include "sys/calls_process.h"
#include "sys/credentials.h"
#include "task/task.h"
#include "user.h"

#define OVERFLOW_ID 65534u

static uint32_t widen(unsigned long id)
{
    return (uint16_t)id == UINT16_MAX ? UINT32_MAX : (uint16_t)id;
}

static uint16_t narrow(uint32_t id)
{
    return (uint16_t)(id > UINT16_MAX ? OVERFLOW_ID : id);
}

long sys_getuid16(const unsigned long *arg)
{
    (void)arg;
    return narrow(current_process()->credentials.uid);
}

long sys_geteuid16(const unsigned long *arg)
{
    (void)arg;
    return narrow(current_process()->credentials.euid);
}

long sys_getgid16(const unsigned long *arg)
{
    (void)arg;
    return narrow(current_process()->credentials.gid);
}

long sys_getegid16(const unsigned long *arg)
{
    (void)arg;
    return narrow(current_process()->credentials.egid);
}

static long give_ids(const unsigned long *arg, const uint32_t ids[3])
{
    for (unsigned i = 0; i < 3; i++) {
        uint16_t id = narrow(ids[i]);
        if (copy_to_user(arg[i], &id, sizeof id))
            return -EFAULT;
    }
    return 0;
}

long sys_getresuid16(const unsigned long *arg)
{
    const struct credentials *who = &current_process()->credentials;
    return give_ids(arg, (const uint32_t[3]){who->uid, who->euid, who->suid});
}

long sys_getresgid16(const unsigned long *arg)
{
    const struct credentials *who = &current_process()->credentials;
    return give_ids(arg, (const uint32_t[3]){who->gid, who->egid, who->sgid});
}

long sys_setuid16(const unsigned long *arg)
{
    return credentials_set_uid(widen(arg[0]));
}

long sys_setgid16(const unsigned long *arg)
{
    return credentials_set_gid(widen(arg[0]));
}

long sys_setreuid16(const unsigned long *arg)
{
    return credentials_set_reuid(widen(arg[0]), widen(arg[1]));
}

long sys_setregid16(const unsigned long *arg)
{
    return credentials_set_regid(widen(arg[0]), widen(arg[1]));
}

long sys_setresuid16(const unsigned long *arg)
{
    return credentials_set_resuid(widen(arg[0]), widen(arg[1]), widen(arg[2]));
}

long sys_setresgid16(const unsigned long *arg)
{
    return credentials_set_resgid(widen(arg[0]), widen(arg[1]), widen(arg[2]));
}

long sys_setfsuid16(const unsigned long *arg)
{
    return narrow(credentials_set_fsuid(widen(arg[0])));
}

long sys_setfsgid16(const unsigned long *arg)
{
    return narrow(credentials_set_fsgid(widen(arg[0])));
}

static int give_groups(uintptr_t to, const struct group_list *groups)
{
    for (unsigned i = 0; i < groups->count; i++) {
        uint16_t gid = narrow(groups->gid[i]);
        if (copy_to_user(to + i * sizeof gid, &gid, sizeof gid))
            return -EFAULT;
    }
    return 0;
}

long sys_getgroups16(const unsigned long *arg)
{
    struct group_list *groups = current_process()->credentials.groups;
    int size = (int)arg[0], count = groups ? (int)groups->count : 0;
    if (size < 0 || (size && size < count))
        return -EINVAL;
    if (!size || !count)
        return count;
    (void)groups_get(groups);
    int error = give_groups(arg[1], groups);
    groups_put(groups);
    return error ? error : count;
}

static int take_groups(struct group_list *groups, uintptr_t from)
{
    for (unsigned i = 0; i < groups->count; i++) {
        uint16_t gid;
        if (copy_from_user(&gid, from + i * sizeof gid, sizeof gid))
            return -EFAULT;
        groups->gid[i] = widen(gid);
    }
    return 0;
}

long sys_setgroups16(const unsigned long *arg)
{
    unsigned count = (unsigned)arg[0];
    int error = credentials_may_set_groups(count);
    if (error)
        return error;
    struct group_list *groups = groups_create(count);
    if (!groups)
        return -ENOMEM;
    error = take_groups(groups, arg[1]);
    if (!error)
        return credentials_set_groups(groups);
    groups_put(groups);
    return error;
}
