/* malloc/lock.c: locks that are held
 *
 * A short spin, then sleep. Who waits is in the middle of a slow path, so fork waits for it, and it
 * goes on although the gate is closed; unless who forks has interrupted a slow path, and may hold
 * what is waited for (gate.c). A lock whose owner was left behind in a parent is taken from it.
 */
#include "malloc/self.h"

#define SPINS 100u

/* True: it is ours now. */
static bool take(quire_port_spinlock_t *lock, bool others_wait)
{
    uint32_t word = quire_load_relaxed(&lock->word);
    uint32_t owner = word & ~LOCK_WAITED_FOR;
    if (owner && !owner_is_gone(owner))
        return false;
    uint32_t mine = self_number | (others_wait || owner ? LOCK_WAITED_FOR : 0);
    if (!quire_compare_exchange(&lock->word, &word, mine))
        return false;
    self_held++;
    return true;
}

static bool spin(quire_port_spinlock_t *lock)
{
    for (unsigned turn = 0; turn < SPINS; turn++) {
        if (take(lock, false))
            return true;
        quire_port_relax();
    }
    return false;
}

static void sleep_for(quire_port_spinlock_t *lock)
{
    uint32_t word = quire_load_relaxed(&lock->word);
    if (!word)
        return;
    if (word & LOCK_WAITED_FOR ||
        quire_compare_exchange(&lock->word, &word, word | LOCK_WAITED_FOR))
        futex_wait(&lock->word, word | LOCK_WAITED_FOR);
}

static bool sleep_and_take(quire_port_spinlock_t *lock)
{
    gate_lock_begin();
    if (gate_of_others() & GATE_STRICT)
        gate_wait();
    sleep_for(lock);
    return gate_lock_end() && take(lock, true);
}

void malloc_lock_slow(quire_port_spinlock_t *lock)
{
    if ((quire_load_relaxed(&lock->word) & ~LOCK_WAITED_FOR) == self_number && self_number)
        quire_port_panic("quire-malloc: a signal handler that interrupted the heap calls it");
    if (spin(lock))
        return;
    fork_notice();
    while (!sleep_and_take(lock))
        ;
}

void malloc_lock_wake(quire_port_spinlock_t *lock)
{
    futex_wake(&lock->word);
}
