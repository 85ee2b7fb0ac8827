/* tests/preload/conformance/at_fork.c: handlers of fork that a library's constructor registers */
#include "at_fork.h"

#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool is_used;

void at_fork_begin(void)
{
    is_used = true;
}

void at_fork_lock(void)
{
    (void)pthread_mutex_lock(&lock);
}

void at_fork_unlock(void)
{
    (void)pthread_mutex_unlock(&lock);
}

static void before(void)
{
    if (is_used)
        at_fork_lock();
}

static void after(void)
{
    if (is_used)
        at_fork_unlock();
}

__attribute__((constructor)) static void start(void)
{
    (void)pthread_atfork(before, after, after);
}
