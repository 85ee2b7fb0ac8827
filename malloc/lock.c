/* malloc/lock.c: locks that are held
 *
 * A short spin, then sleep. Who waits holds no other lock that somebody could need to leave a slow
 * path (the layers take locks one within another only under one that is the heap's), and says that
 * it waits: so fork needn't wait for it. While the gate is closed nobody gets a lock that he had to
 * wait for: see fork.c. A lock whose owner was left behind in a parent is taken from it.
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
    return quire_compare_exchange(&lock->word, &word, mine);
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

void malloc_lock_slow(quire_port_spinlock_t *lock)
{
    if ((quire_load_relaxed(&lock->word) & ~LOCK_WAITED_FOR) == self_number && self_number)
        quire_port_panic("quire-malloc: a signal handler that interrupted the heap calls it");
    if (spin(lock))
        return;
    fork_check();
    for (;;) {
        __atomic_store_n(&self.waiting, 1, __ATOMIC_SEQ_CST);
        gate_wait();
        sleep_for(lock);
        __atomic_store_n(&self.waiting, 0, __ATOMIC_SEQ_CST);
        uint32_t closed = __atomic_load_n(&gate, __ATOMIC_SEQ_CST);
        if ((!closed || closed == self_number) && take(lock, true))
            return;
    }
}

void malloc_lock_wake(quire_port_spinlock_t *lock)
{
    futex_wake(&lock->word);
}
