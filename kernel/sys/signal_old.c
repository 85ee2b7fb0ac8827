/* kernel/sys/signal_old.c: i386's first signal calls, whose sets have 32 bits
 */
#include "sys/calls_signal.h"
#include "sys/signal_calls.h"
#include "task/signal_frame.h"
#include "user.h"

/* struct old_sigaction. */
struct old_action {
    uint32_t handler, mask, flags, restorer;
};

#define LOW_HALF 0xffffffffull

long sys_sigaction(const unsigned long *arg)
{
    struct old_action user;
    struct signal_action new = {0}, old;
    if (arg[1]) {
        if (copy_from_user(&user, arg[1], sizeof user))
            return -EFAULT;
        new = (struct signal_action){user.handler, user.flags, user.restorer, user.mask};
    }
    int error = change_action((int)arg[0], arg[1] ? &new : NULL, &old);
    if (error || !arg[2])
        return error;
    user = (struct old_action){old.handler, (uint32_t)old.mask, old.flags, old.restorer};
    return copy_to_user(arg[2], &user, sizeof user);
}

/* As System V had it: the handler is good for one signal. */
long sys_signal(const unsigned long *arg)
{
    struct signal_action new = {.handler = arg[1], .flags = SA_RESETHAND | SA_NODEFER}, old;
    int error = change_action((int)arg[0], &new, &old);
    return error ? error : (long)old.handler;
}

long sys_sigprocmask(const unsigned long *arg)
{
    uint64_t blocked = current->blocked;
    uint32_t old = (uint32_t)blocked, set;
    if (arg[1]) {
        if (copy_from_user(&set, arg[1], sizeof set))
            return -EFAULT;
        switch ((int)arg[0]) {
        case SIG_BLOCK:
            signal_set_blocked(blocked | set);
            break;
        case SIG_UNBLOCK:
            signal_set_blocked(blocked & ~(uint64_t)set);
            break;
        case SIG_SETMASK:
            signal_set_blocked((blocked & ~LOW_HALF) | set);
            break;
        default:
            return -EINVAL;
        }
    }
    return arg[2] ? copy_to_user(arg[2], &old, sizeof old) : 0;
}

long sys_sigpending(const unsigned long *arg)
{
    uint32_t set = (uint32_t)(signal_pending_set(current) & current->blocked);
    return copy_to_user(arg[0], &set, sizeof set);
}

/* The first two arguments have no meaning. */
long sys_sigsuspend(const unsigned long *arg)
{
    return suspend_with(arg[2]);
}

long sys_sgetmask(const unsigned long *arg)
{
    (void)arg;
    return (long)(uint32_t)current->blocked;
}

long sys_ssetmask(const unsigned long *arg)
{
    long old = (long)(uint32_t)current->blocked;
    signal_set_blocked(arg[0]);
    return old;
}

long sys_sigreturn(const unsigned long *arg)
{
    (void)arg;
    return end_handler(signal_frame_pop_old);
}
