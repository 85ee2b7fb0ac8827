/* kernel/task/siginfo.c: what a handler is told, in Linux's layout
 */
#include "task/siginfo.h"

#include "kernel.h"

static bool is_fault(int number)
{
    return number == SIGILL || number == SIGFPE || number == SIGSEGV || number == SIGBUS ||
           number == SIGTRAP;
}

/* Codes above 0 are the kernel's, with a meaning of its own for each signal; SI_KERNEL tells of
 * nothing more, but of a fault's address where there is one. */
void siginfo_to_user(struct user_siginfo *user, const struct signal_info *info)
{
    memset(user, 0, sizeof *user);
    user->number = info->number;
    user->error = info->error;
    user->code = info->code;
    if (info->code > 0 && is_fault(info->number)) {
        user->of.fault.address = info->address;
        if (info->number == SIGBUS && info->code == BUS_MCEERR_AR)
            user->of.fault.address_lsb = QUIRE_PAGE_SHIFT;
    } else if (info->code > 0 && info->number == SIGCHLD) {
        user->of.child.pid = info->pid;
        user->of.child.uid = info->uid;
        user->of.child.status = info->status;
        user->of.child.user_ticks = (long)info->user_ticks;
        user->of.child.system_ticks = (long)info->system_ticks;
    } else {
        user->of.sender.pid = info->pid;
        user->of.sender.uid = info->uid;
        user->of.sender.value = info->value;
    }
}

void siginfo_from_user(struct signal_info *info, const struct user_siginfo *user)
{
    *info = (struct signal_info){
        .number = user->number,
        .code = user->code,
        .error = user->error,
        .pid = user->of.sender.pid,
        .uid = user->of.sender.uid,
        .value = user->of.sender.value,
    };
}
