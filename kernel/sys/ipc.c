/* kernel/sys/ipc.c: ipc(2): i386's one call for all of System V IPC; semaphores and messages there
 * are none
 */
#include "errno.h"
#include "sys/calls_memory.h"
#include "user.h"

#define SHMAT 21
#define SHMDT 22
#define SHMGET 23
#define SHMCTL 24
#define IPC_64 0x100u /* structures with 32-bit numbers of users; the older ones aren't given */

/* The address goes where the third argument points to. */
static long attach(const unsigned long *arg)
{
    unsigned long call[3] = {arg[1], arg[4], arg[2]};
    long at = sys_shmat(call);
    if (at < 0 && at >= -4095)
        return at;
    return copy_to_user(arg[3], &at, sizeof at) ? -EFAULT : 0;
}

static long control(const unsigned long *arg)
{
    unsigned long call[3] = {arg[1], arg[2] & ~(unsigned long)IPC_64, arg[4]};
    return arg[2] & IPC_64 ? sys_shmctl(call) : -EINVAL;
}

/* ipc(call, first, second, third, pointer, fifth). */
long sys_ipc(const unsigned long *arg)
{
    unsigned version = (unsigned)arg[0] >> 16;
    switch (arg[0] & 0xffff) {
    case SHMAT:
        return version ? -EINVAL : attach(arg);
    case SHMDT:
        return sys_shmdt(&arg[4]);
    case SHMGET:
        return sys_shmget(&arg[1]);
    case SHMCTL:
        return control(arg);
    default:
        return -ENOSYS;
    }
}
