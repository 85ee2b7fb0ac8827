/* kernel/sys/signal.c: actions, masks, and waiting for signals
 */
#include <quire/port.h>

#include "sys/calls_signal.h"
#include "sys/signal_calls.h"
#include "sys/user_time.h"
#include "task/sched.h"
#include "task/siginfo.h"
#include "task/signal_deliver.h"
#include "task/signal_frame.h"
#include "user.h"

#define SET_BYTES 8u
#define SA_EXPOSE_TAGBITS 0x00000800ul
/* Others are dropped, by which programs learn that they aren't known (man 2 sigaction). */
#define SA_KNOWN                                                                                   \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_RESTORER | SA_ONSTACK |     \
     SA_RESTART | SA_NODEFER | SA_RESETHAND)

_Static_assert(sizeof(struct signal_action) == 3 * sizeof(long) + SET_BYTES,
               "as programs write struct sigaction");

/* ---- actions --------------------------------------------------------------------------------- */

int change_action(int number, const struct signal_action *new, struct signal_action *old)
{
    struct process *process = current_process();
    if (number < 1 || number > NR_SIGNALS)
        return -EINVAL;
    if (new && (SIGNALS_UNBLOCKABLE & SIGNAL_BIT(number)))
        return -EINVAL;
    if (old)
        *old = process->actions->action[number - 1];
    if (!new)
        return 0;
    struct signal_action action = *new;
    action.flags &= SA_KNOWN;
    action.mask &= ~SIGNALS_UNBLOCKABLE;
    signal_set_action(process, number, &action);
    return 0;
}

long sys_rt_sigaction(const unsigned long *arg)
{
    struct signal_action new, old;
    if (arg[3] != SET_BYTES)
        return -EINVAL;
    if (arg[1] && copy_from_user(&new, arg[1], sizeof new))
        return -EFAULT;
    int error = change_action((int)arg[0], arg[1] ? &new : NULL, &old);
    if (error || !arg[2])
        return error;
    return copy_to_user(arg[2], &old, sizeof old);
}

/* ---- masks ----------------------------------------------------------------------------------- */

long sys_rt_sigprocmask(const unsigned long *arg)
{
    uint64_t old = current->blocked, set;
    if (arg[3] != SET_BYTES)
        return -EINVAL;
    if (arg[1]) {
        if (copy_from_user(&set, arg[1], sizeof set))
            return -EFAULT;
        switch ((int)arg[0]) {
        case SIG_BLOCK:
            signal_set_blocked(old | set);
            break;
        case SIG_UNBLOCK:
            signal_set_blocked(old & ~set);
            break;
        case SIG_SETMASK:
            signal_set_blocked(set);
            break;
        default:
            return -EINVAL;
        }
    }
    return arg[2] ? copy_to_user(arg[2], &old, sizeof old) : 0;
}

long sys_rt_sigpending(const unsigned long *arg)
{
    uint64_t set = signal_pending_set(current) & current->blocked;
    if (arg[1] > sizeof set)
        return -EINVAL;
    return copy_to_user(arg[0], &set, arg[1]);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void sleep_until_signal(void)
{
    while (!signal_is_pending())
        (void)sched_sleep(NULL, 0, SLEEP_INTERRUPTIBLE, NO_DEADLINE);
}

long sys_pause(const unsigned long *arg)
{
    (void)arg;
    sleep_until_signal();
    return -ERESTARTNOHAND;
}

long suspend_with(uint64_t blocked)
{
    current->saved_blocked = current->blocked;
    current->restore_blocked = true;
    signal_set_blocked(blocked);
    sleep_until_signal();
    return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(const unsigned long *arg)
{
    uint64_t set;
    if (arg[1] != SET_BYTES)
        return -EINVAL;
    if (copy_from_user(&set, arg[0], sizeof set))
        return -EFAULT;
    return suspend_with(set);
}

/* The signals that it waits for aren't ignored meanwhile, and other threads leave none of them to
 * this one in vain: they are looked for before every sleep, and after it. */
static long wait_for(uint64_t set, struct signal_info *info, uint64_t deadline)
{
    for (;;) {
        int number = signal_take(set, info);
        if (number)
            return number;
        if (quire_port_clock_ns() >= deadline)
            return -EAGAIN;
        current->waiting = set;
        int error = sched_sleep(NULL, 0, SLEEP_INTERRUPTIBLE, deadline);
        current->waiting = 0;
        if (error == -EINTR && !(signal_pending_set(current) & set))
            return -EINTR;
    }
}

static long timed_wait(const unsigned long *arg, enum time_width width)
{
    struct signal_info info;
    struct user_siginfo user;
    uint64_t set, ns, deadline = NO_DEADLINE;
    if (arg[3] != SET_BYTES)
        return -EINVAL;
    if (copy_from_user(&set, arg[0], sizeof set))
        return -EFAULT;
    if (arg[2]) {
        int error = time_from_user(&ns, arg[2], width);
        if (error)
            return error;
        deadline = deadline_after(ns);
    }
    long number = wait_for(set & ~SIGNALS_UNBLOCKABLE, &info, deadline);
    if (number < 0 || !arg[1])
        return number;
    siginfo_to_user(&user, &info);
    return copy_to_user(arg[1], &user, sizeof user) ? -EFAULT : number;
}

long sys_rt_sigtimedwait(const unsigned long *arg)
{
    return timed_wait(arg, TIME_LONG);
}

#ifdef __i386__
long sys_rt_sigtimedwait_time64(const unsigned long *arg)
{
    return timed_wait(arg, TIME_64);
}
#endif

/* ---- stacks and frames ----------------------------------------------------------------------- */

long sys_sigaltstack(const unsigned long *arg)
{
    uintptr_t pointer = trap_frame_stack(current->frame);
    struct user_stack old = signal_stack_show(&current->alternate, pointer), new;
    if (arg[0]) {
        if (copy_from_user(&new, arg[0], sizeof new))
            return -EFAULT;
        int error = signal_stack_set(&current->alternate, &new, pointer);
        if (error)
            return error;
    }
    return arg[1] ? copy_to_user(arg[1], &old, sizeof old) : 0;
}

long end_handler(int (*pop)(struct trap_frame *frame))
{
    const struct signal_info info = {.number = SIGSEGV, .code = SI_KERNEL};
    if (pop(current->frame))
        signal_force(SIGSEGV, &info);
    return 0;
}

long sys_rt_sigreturn(const unsigned long *arg)
{
    (void)arg;
    return end_handler(signal_frame_pop);
}
