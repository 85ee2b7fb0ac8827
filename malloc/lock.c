/* malloc/lock.c: locks that are held
 *
 * A short spin, then sleep. Who holds no other lock pauses for that (gate.c), so fork needn't wait
 * for it. Who does hold one (the layers take locks one within another only under one that is the
 * heap's) may be in the middle of a change: fork waits for it, so it goes on although the gate is
 * closed, unless it may wait for the one who forks. A lock whose owner was left behind in a parent
 * is taken from it.
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
    if (!self_held) {
        bool has_place = gate_pause();
        gate_wait();
        sleep_for(lock);
        gate_resume(has_place);
        return take(lock, true);
    }
    gate_pause_holding();
    if (gate_of_others() & GATE_STRICT)
        gate_wait();
    sleep_for(lock);
    return gate_resume_holding() && take(lock, true);
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
