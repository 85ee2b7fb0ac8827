/* kernel/sys/credentials.c: whose rights a process has (man 7 credentials)
 *
 * The real, effective and saved numbers of user and group. They are a process's: what POSIX wants,
 * and what Linux leaves to the C library. Files are accessed with the effective ones, and with
 * the supplementary groups.
 */
#include "sys/credentials.h"

#include "errno.h"
#include "sys/calls_process.h"
#include "task/capability.h"
#include "task/limits.h"
#include "user.h"

#define KEEP UINT32_MAX

/* Linux's rules are alike for users and groups: of either kind three numbers. */
struct ids {
    uint32_t real, effective, saved;
};

static struct ids user_ids(const struct credentials *who)
{
    return (struct ids){who->uid, who->euid, who->suid};
}

static struct ids group_ids(const struct credentials *who)
{
    return (struct ids){who->gid, who->egid, who->sgid};
}

static bool is_one_of(const struct ids *ids, uint32_t id)
{
    return id == KEEP || id == ids->real || id == ids->effective || id == ids->saved;
}

static bool has_root(const struct ids *ids)
{
    return !ids->real || !ids->effective || !ids->saved;
}

/* Root's capabilities come and go with his ids (man 7 capabilities, "Effect of user ID changes").
 */
static void follow_ids(struct credentials *who, const struct ids *old, const struct ids *new,
                       bool keeps)
{
    if (has_root(old) && !has_root(new) && !keeps)
        who->lost = CAP_ALL;
    if (new->effective)
        who->lacks = old->effective ? who->lacks | who->lost : CAP_ALL;
    else if (old->effective)
        who->lacks = who->lost;
}

/* What may be locked follows the capabilities. */
static void set_user_ids(const struct ids *ids)
{
    struct process *process = current_process();
    struct credentials *who = &process->credentials;
    const struct ids old = user_ids(who);
    if (who->euid != ids->effective)
        process->attributes.not_dumpable = true;
    follow_ids(who, &old, ids, process->attributes.keeps_capabilities);
    who->uid = ids->real;
    who->euid = ids->effective;
    who->suid = ids->saved;
    limits_changed(process);
}

static void set_group_ids(const struct ids *ids)
{
    struct credentials *who = &current_process()->credentials;
    who->gid = ids->real;
    who->egid = ids->effective;
    who->sgid = ids->saved;
}

/* ---- the rules ------------------------------------------------------------------------------- */

/* `any`: whatever one wants, as root does. setuid, setgid: he changes all three, others the
 * effective one to one that they have. */
static int change_one(struct ids *ids, uint32_t id, bool any)
{
    if (id == KEEP)
        return -EINVAL;
    if (any)
        *ids = (struct ids){id, id, id};
    else if (id == ids->real || id == ids->saved)
        ids->effective = id;
    else
        return -EPERM;
    return 0;
}

/* setreuid, setregid: the saved one follows when the real one is given, or the effective one
 * becomes another than the real one was. */
static int change_two(struct ids *ids, uint32_t real, uint32_t effective, bool any)
{
    const struct ids old = *ids;
    if (!any) {
        if (real != KEEP && real != old.real && real != old.effective)
            return -EPERM;
        if (!is_one_of(&old, effective))
            return -EPERM;
    }
    ids->real = real == KEEP ? old.real : real;
    ids->effective = effective == KEEP ? old.effective : effective;
    if (real != KEEP || (effective != KEEP && effective != old.real))
        ids->saved = ids->effective;
    return 0;
}

static int change_three(struct ids *ids, uint32_t real, uint32_t effective, uint32_t saved,
                        bool any)
{
    const struct ids old = *ids;
    bool allowed = is_one_of(&old, real) && is_one_of(&old, effective) && is_one_of(&old, saved);
    if (!allowed && !any)
        return -EPERM;
    ids->real = real == KEEP ? old.real : real;
    ids->effective = effective == KEEP ? old.effective : effective;
    ids->saved = saved == KEEP ? old.saved : saved;
    return 0;
}

static int finish_users(int error, const struct ids *ids)
{
    if (!error)
        set_user_ids(ids);
    return error;
}

static int finish_groups(int error, const struct ids *ids)
{
    if (!error)
        set_group_ids(ids);
    return error;
}

int credentials_set_uid(uint32_t uid)
{
    struct ids ids = user_ids(&current_process()->credentials);
    int error = change_one(&ids, uid, caller_can(CAP_SETUID));
    return finish_users(error, &ids);
}

int credentials_set_gid(uint32_t gid)
{
    struct ids ids = group_ids(&current_process()->credentials);
    int error = change_one(&ids, gid, caller_can(CAP_SETGID));
    return finish_groups(error, &ids);
}

int credentials_set_reuid(uint32_t uid, uint32_t euid)
{
    struct ids ids = user_ids(&current_process()->credentials);
    int error = change_two(&ids, uid, euid, caller_can(CAP_SETUID));
    return finish_users(error, &ids);
}

int credentials_set_regid(uint32_t gid, uint32_t egid)
{
    struct ids ids = group_ids(&current_process()->credentials);
    int error = change_two(&ids, gid, egid, caller_can(CAP_SETGID));
    return finish_groups(error, &ids);
}

int credentials_set_resuid(uint32_t uid, uint32_t euid, uint32_t suid)
{
    struct ids ids = user_ids(&current_process()->credentials);
    int error = change_three(&ids, uid, euid, suid, caller_can(CAP_SETUID));
    return finish_users(error, &ids);
}

int credentials_set_resgid(uint32_t gid, uint32_t egid, uint32_t sgid)
{
    struct ids ids = group_ids(&current_process()->credentials);
    int error = change_three(&ids, gid, egid, sgid, caller_can(CAP_SETGID));
    return finish_groups(error, &ids);
}

uint32_t credentials_set_fsuid(uint32_t uid)
{
    (void)uid;
    return current_process()->credentials.euid;
}

uint32_t credentials_set_fsgid(uint32_t gid)
{
    (void)gid;
    return current_process()->credentials.egid;
}

/* ---- the calls ------------------------------------------------------------------------------- */

long sys_getuid(const unsigned long *arg)
{
    (void)arg;
    return (long)current_process()->credentials.uid;
}

long sys_geteuid(const unsigned long *arg)
{
    (void)arg;
    return (long)current_process()->credentials.euid;
}

long sys_getgid(const unsigned long *arg)
{
    (void)arg;
    return (long)current_process()->credentials.gid;
}

long sys_getegid(const unsigned long *arg)
{
    (void)arg;
    return (long)current_process()->credentials.egid;
}

static long give_ids(const unsigned long *arg, const struct ids *ids)
{
    if (copy_to_user(arg[0], &ids->real, sizeof ids->real) ||
        copy_to_user(arg[1], &ids->effective, sizeof ids->effective))
        return -EFAULT;
    return copy_to_user(arg[2], &ids->saved, sizeof ids->saved);
}

long sys_getresuid(const unsigned long *arg)
{
    struct ids ids = user_ids(&current_process()->credentials);
    return give_ids(arg, &ids);
}

long sys_getresgid(const unsigned long *arg)
{
    struct ids ids = group_ids(&current_process()->credentials);
    return give_ids(arg, &ids);
}

long sys_setuid(const unsigned long *arg)
{
    return credentials_set_uid((uint32_t)arg[0]);
}

long sys_setgid(const unsigned long *arg)
{
    return credentials_set_gid((uint32_t)arg[0]);
}

long sys_setreuid(const unsigned long *arg)
{
    return credentials_set_reuid((uint32_t)arg[0], (uint32_t)arg[1]);
}

long sys_setregid(const unsigned long *arg)
{
    return credentials_set_regid((uint32_t)arg[0], (uint32_t)arg[1]);
}

long sys_setresuid(const unsigned long *arg)
{
    return credentials_set_resuid((uint32_t)arg[0], (uint32_t)arg[1], (uint32_t)arg[2]);
}

long sys_setresgid(const unsigned long *arg)
{
    return credentials_set_resgid((uint32_t)arg[0], (uint32_t)arg[1], (uint32_t)arg[2]);
}

long sys_setfsuid(const unsigned long *arg)
{
    return (long)credentials_set_fsuid((uint32_t)arg[0]);
}

long sys_setfsgid(const unsigned long *arg)
{
    return (long)credentials_set_fsgid((uint32_t)arg[0]);
}

/* ---- supplementary groups -------------------------------------------------------------------- */

int credentials_may_set_groups(unsigned count)
{
    if (!caller_can(CAP_SETGID))
        return -EPERM;
    return count > MAX_GROUPS ? -EINVAL : 0;
}

int credentials_set_groups(struct group_list *groups)
{
    struct credentials *who = &current_process()->credentials;
    struct group_list *before = who->groups;
    groups_sort(groups);
    if (groups->count && groups->gid[groups->count - 1] == UINT32_MAX) {
        groups_put(groups);
        return -EINVAL;
    }
    who->groups = groups;
    groups_put(before);
    return 0;
}

/* getgroups(size, list): the count; nothing is told if `size` is 0. */
long sys_getgroups(const unsigned long *arg)
{
    struct group_list *groups = current_process()->credentials.groups;
    int size = (int)arg[0], count = groups ? (int)groups->count : 0;
    if (size < 0 || (size && size < count))
        return -EINVAL;
    if (!size || !count)
        return count;
    (void)groups_get(groups);
    int error = copy_to_user(arg[1], groups->gid, (unsigned)count * sizeof groups->gid[0]);
    groups_put(groups);
    return error ? error : count;
}

/* setgroups(size, list). */
long sys_setgroups(const unsigned long *arg)
{
    unsigned count = (unsigned)arg[0];
    int error = credentials_may_set_groups(count);
    if (error)
        return error;
    struct group_list *groups = groups_create(count);
    if (!groups)
        return -ENOMEM;
    error = copy_from_user(groups->gid, arg[1], count * sizeof groups->gid[0]);
    if (!error)
        return credentials_set_groups(groups);
    groups_put(groups);
    return error;
}
