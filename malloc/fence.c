/* malloc/fence.c: all threads fence, and a thread without signals
 *
 * For who takes blocks from the stacks of threads that wait (src/heap/reap.c). membarrier(2) is
 * told at the beginning that it will be asked, while there is one thread: later that takes long. A
 * system that doesn't have it, or doesn't allow it, leaves the blocks where they are.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "malloc/self.h"

static QUIRE_MALLOC_TLS sigset_t held; /* what was blocked before */

static int membarrier(int command)
{
    int saved = errno;
    int error = syscall(SYS_membarrier, command, 0, 0) ? -errno : 0;
    errno = saved;
    return error;
}

void fence_start(void)
{
    (void)membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

int fence_all(void *arg)
{
    (void)arg;
    return membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

void hold_signals(void *arg, bool hold)
{
    sigset_t all;
    (void)arg;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, hold ? &all : &held, hold ? &held : NULL);
}
