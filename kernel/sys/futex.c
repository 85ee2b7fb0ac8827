/* kernel/sys/futex.c: futex(2), set_robust_list(2)
 *
 * There are no locks that lend priority (FUTEX_LOCK_PI and its kin): -ENOSYS, as a kernel without
 * CONFIG_FUTEX_PI has it.
 */
#include "task/futex.h"
#include "sys/calls_signal.h"
#include "sys/user_time.h"
#include "task/lifecycle.h"
#include "task/sched.h"
#include "user.h"

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_REQUEUE 3
#define FUTEX_CMP_REQUEUE 4
#define FUTEX_WAKE_OP 5
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define FUTEX_PRIVATE_FLAG 0x80u
#define FUTEX_CLOCK_REALTIME 0x100u

struct call {
    unsigned operation;
    bool shared, realtime;
    uintptr_t at, at2, time; /* `time` may also be a number */
    uint32_t value, value3;
    enum time_width width;
};

static int check_address(uintptr_t at)
{
    return at & 3 ? -EINVAL : 0;
}

/* Linux wakes one even where none was asked for. */
static unsigned at_least_one(uint32_t most)
{
    return (int)most < 1 ? 1 : most;
}

/* FUTEX_WAIT's time is a length, FUTEX_WAIT_BITSET's a point. */
static int deadline_of(const struct call *call, uint64_t *deadline)
{
    uint64_t ns;
    *deadline = NO_DEADLINE;
    if (!call->time)
        return 0;
    int error = time_from_user(&ns, call->time, call->width);
    if (error)
        return error;
    if (call->operation == FUTEX_WAIT) {
        uint64_t restarted = restart_take_deadline();
        *deadline = restarted ? restarted : deadline_after(ns);
    } else {
        *deadline = call->realtime ? deadline_of_realtime(ns) : ns;
    }
    return 0;
}

static long wait(const struct call *call)
{
    uint64_t deadline;
    uint32_t bits = call->operation == FUTEX_WAIT ? FUTEX_ALL_BITS : call->value3;
    int error = deadline_of(call, &deadline);
    if (!error && !bits)
        error = -EINVAL;
    if (error)
        return error;
    error = futex_wait(call->at, call->shared, call->value, bits, deadline);
    if (error != -EINTR)
        return error;
    if (deadline == NO_DEADLINE)
        return -ERESTARTSYS;
    if (call->operation != FUTEX_WAIT)
        return -ERESTARTNOHAND;
    current->restart_deadline = deadline;
    return -ERESTART_RESTARTBLOCK;
}

static long wake(const struct call *call)
{
    uint32_t bits = call->operation == FUTEX_WAKE ? FUTEX_ALL_BITS : call->value3;
    if (!bits)
        return -EINVAL;
    return futex_wake_bits(call->at, call->shared, at_least_one(call->value), bits);
}

static long requeue(const struct call *call)
{
    struct futex_requeue request = {
        .from = call->at,
        .to = call->at2,
        .shared = call->shared,
        .wake = call->value,
        .move = (uint32_t)call->time,
        .expected = call->operation == FUTEX_CMP_REQUEUE ? &call->value3 : NULL,
    };
    int error = check_address(call->at2);
    if (error)
        return error;
    if ((int)request.wake < 0 || (int)request.move < 0)
        return -EINVAL;
    return futex_requeue(&request);
}

static long wake_op(const struct call *call)
{
    struct futex_wake_op request = {
        .at = call->at,
        .at_changed = call->at2,
        .shared = call->shared,
        .wake = at_least_one(call->value),
        .wake_changed = at_least_one((uint32_t)call->time),
        .code = call->value3,
    };
    int error = check_address(call->at2);
    return error ? error : futex_wake_op(&request);
}

static long futex(const unsigned long *arg, enum time_width width)
{
    struct call call = {
        .operation = (unsigned)arg[1] & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME),
        .shared = !(arg[1] & FUTEX_PRIVATE_FLAG),
        .realtime = arg[1] & FUTEX_CLOCK_REALTIME,
        .at = arg[0],
        .at2 = arg[4],
        .time = arg[3],
        .value = (uint32_t)arg[2],
        .value3 = (uint32_t)arg[5],
        .width = width,
    };
    if (call.realtime && call.operation != FUTEX_WAIT_BITSET)
        return -ENOSYS;
    int error = check_address(call.at);
    switch (call.operation) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        return error ? error : wait(&call);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
        return error ? error : wake(&call);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return error ? error : requeue(&call);
    case FUTEX_WAKE_OP:
        return error ? error : wake_op(&call);
    default:
        return -ENOSYS;
    }
}

long sys_futex(const unsigned long *arg)
{
    return futex(arg, TIME_LONG);
}

#ifdef __i386__
long sys_futex_time64(const unsigned long *arg)
{
    return futex(arg, TIME_64);
}
#endif

/* ---- robust lists ---------------------------------------------------------------------------- */

#define ROBUST_LIST_BYTES (3 * sizeof(long))

long sys_set_robust_list(const unsigned long *arg)
{
    if (arg[1] != ROBUST_LIST_BYTES)
        return -EINVAL;
    current->robust_list = arg[0];
    current->robust_list_size = arg[1];
    return 0;
}

long sys_get_robust_list(const unsigned long *arg)
{
    const unsigned long size = ROBUST_LIST_BYTES;
    const struct credentials *own = &current_process()->credentials;
    struct task *task = arg[0] ? task_find((int)arg[0]) : current;
    if (!task)
        return -ESRCH;
    if (!credentials_can(own, CAP_SYS_PTRACE) && own->euid != task->process->credentials.uid)
        return -EPERM;
    /* The task may be gone after a copy. */
    uintptr_t list = task->robust_list;
    if (copy_to_user(arg[2], &size, sizeof size))
        return -EFAULT;
    return copy_to_user(arg[1], &list, sizeof list);
}
