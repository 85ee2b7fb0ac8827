/* kernel/sys/prctl.c: what a process says of itself (man 2 prctl, personality)
 */
#include "base/text.h"
#include "errno.h"
#include "memory.h"
#include "sys/calls_resource.h"
#include "task/capability.h"
#include "task/lifecycle.h"
#include "user.h"

#define PR_SET_PDEATHSIG 1
#define PR_GET_PDEATHSIG 2
#define PR_GET_DUMPABLE 3
#define PR_SET_DUMPABLE 4
#define PR_GET_KEEPCAPS 7
#define PR_SET_KEEPCAPS 8
#define PR_SET_NAME 15
#define PR_GET_NAME 16
#define PR_CAPBSET_READ 23
#define PR_SET_NO_NEW_PRIVS 38
#define PR_GET_NO_NEW_PRIVS 39
#define PR_GET_TID_ADDRESS 40
#define PR_SET_THP_DISABLE 41
#define PR_GET_THP_DISABLE 42

/* The first thread's name is the process's, as ps and maps' views show it. */
static long set_name(uintptr_t from)
{
    struct process *process = current_process();
    char name[TASK_NAME_BYTES] = {0};
    int length = string_from_user(name, from, sizeof name);
    if (length == -EFAULT)
        return -EFAULT;
    name[sizeof name - 1] = '\0'; /* longer ones are cut off */
    if (current->tid != process->pid) {
        memcpy(current->name, name, sizeof name);
        return 0;
    }
    memset(process->name, 0, sizeof process->name);
    quire_snprintf(process->name, sizeof process->name, "%s", name);
    quire_mm_set_name(process->mm, process->pid, process->name);
    return 0;
}

static long get_name(uintptr_t to)
{
    char name[TASK_NAME_BYTES] = {0};
    quire_snprintf(name, sizeof name, "%s",
                   current->name[0] ? current->name : current_process()->name);
    return copy_to_user(to, name, sizeof name);
}

static long set_death_signal(struct process_attributes *attributes, unsigned long number)
{
    if (number > NR_SIGNALS)
        return -EINVAL;
    attributes->death_signal = (int)number;
    return 0;
}

/* To a flag what is 0 or 1. */
static long set_flag(bool *flag, unsigned long value, bool inverse)
{
    if (value > 1)
        return -EINVAL;
    *flag = inverse ? !value : value;
    return 0;
}

static bool are_zero(const unsigned long *arg, unsigned from)
{
    for (unsigned i = from; i < 5; i++)
        if (arg[i])
            return false;
    return true;
}

/* Those of which Linux wants that the arguments that aren't used are 0. */
static long strict_call(const unsigned long *arg, struct process_attributes *attributes)
{
    switch ((int)arg[0]) {
    case PR_SET_NO_NEW_PRIVS:
        if (arg[1] != 1 || !are_zero(arg, 2))
            return -EINVAL;
        attributes->no_new_privileges = true;
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        return are_zero(arg, 1) ? attributes->no_new_privileges : -EINVAL;
    case PR_SET_THP_DISABLE:
        if (!are_zero(arg, 2))
            return -EINVAL;
        attributes->no_huge_pages = arg[1];
        return 0;
    case PR_GET_THP_DISABLE:
        return are_zero(arg, 1) ? attributes->no_huge_pages : -EINVAL;
    default:
        return -EINVAL;
    }
}

static long get_tid_address(uintptr_t to)
{
    return copy_to_user(to, &current->clear_child_tid, sizeof current->clear_child_tid);
}

long sys_prctl(const unsigned long *arg)
{
    struct process_attributes *attributes = &current_process()->attributes;
    switch ((int)arg[0]) {
    case PR_SET_PDEATHSIG:
        return set_death_signal(attributes, arg[1]);
    case PR_GET_PDEATHSIG:
        return copy_to_user(arg[1], &attributes->death_signal, sizeof(int));
    case PR_GET_DUMPABLE:
        return !attributes->not_dumpable;
    case PR_SET_DUMPABLE:
        return set_flag(&attributes->not_dumpable, arg[1], true);
    case PR_GET_KEEPCAPS:
        return attributes->keeps_capabilities;
    case PR_SET_KEEPCAPS:
        return set_flag(&attributes->keeps_capabilities, arg[1], false);
    case PR_SET_NAME:
        return set_name(arg[1]);
    case PR_GET_NAME:
        return get_name(arg[1]);
    case PR_CAPBSET_READ:
        return arg[1] < NR_CAPABILITIES ? 1 : -EINVAL;
    case PR_GET_TID_ADDRESS:
        return get_tid_address(arg[1]);
    default:
        return strict_call(arg, attributes);
    }
}

/* Of its bits READ_IMPLIES_EXEC is obeyed; addresses aren't randomised anyway. */
long sys_personality(const unsigned long *arg)
{
    struct process_attributes *attributes = &current_process()->attributes;
    uint32_t old = attributes->personality, wanted = (uint32_t)arg[0];
    if (wanted != UINT32_MAX)
        attributes->personality = wanted;
    return (long)old;
}
