/* tests/stress/posix_test.c: the port for a process lets others run while it waits
 *
 * Counted by a sched_yield of our own, which the port calls in place of libc's. So nothing depends
 * on how the system schedules.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <quire/port.h>

#include "base/atomic.h"
#include "tests/harness/harness.h"

static unsigned yields;
static quire_port_spinlock_t lock;

int sched_yield(void)
{
    quire_fetch_add(&yields, 1);
    return (int)syscall(SYS_sched_yield);
}

static void a_long_wait_lets_others_run_now_and_then(void)
{
    quire_store_relaxed(&yields, 0);
    for (unsigned turn = 0; turn < 100000; turn++)
        quire_port_relax();
    CHECK(yields >= 100 && yields <= 10000);
}

/* Holds the lock until whoever wants it has yielded: for ever, if it never does. */
static void *hold_until_yielded(void *arg)
{
    quire_port_spin_lock(&lock);
    quire_store_release((uint32_t *)arg, 1);
    while (!quire_load_relaxed(&yields))
        ;
    quire_port_spin_unlock(&lock);
    return NULL;
}

static void a_wait_for_a_lock_lets_its_holder_run(void)
{
    pthread_t holder;
    uint32_t held = 0;
    quire_store_relaxed(&yields, 0);
    REQUIRE(!pthread_create(&holder, NULL, hold_until_yielded, &held));
    while (!quire_load_acquire(&held))
        ;
    quire_port_spin_lock(&lock);
    CHECK(quire_load_relaxed(&yields) > 0);
    quire_port_spin_unlock(&lock);
    CHECK(!pthread_join(holder, NULL));
}

static const struct test_case cases[] = {
    TEST_CASE(a_long_wait_lets_others_run_now_and_then),
    TEST_CASE(a_wait_for_a_lock_lets_its_holder_run),
    {0},
};
const struct test_suite suite_posix = {"posix", cases};
