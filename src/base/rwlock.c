#include "base/rwlock.h"

/* Sleeps until the word is no longer `seen`, with the waiters' bit in it first. */
static void wait_while(struct rwlock *lock, uint32_t seen, uint32_t bits)
{
    if ((seen & bits) != bits && !quire_compare_exchange(&lock->word, &seen, seen | bits))
        return;
    quire_port_wait(&lock->word, seen | bits);
}

void rwlock_read_slow(struct rwlock *lock)
{
    while (!rwlock_try_read(lock)) {
        uint32_t seen = quire_load_relaxed(&lock->word);
        if (seen & (RWLOCK_WRITER | RWLOCK_WANTED))
            wait_while(lock, seen, RWLOCK_WAITERS);
    }
}

/* Who takes the lock leaves the waiters' bit for those who still sleep. WANTED goes with who takes
 * it: another writer that waits sets it again when it finds the lock held. */
void rwlock_write_slow(struct rwlock *lock)
{
    for (;;) {
        uint32_t seen = quire_load_relaxed(&lock->word);
        if (seen & (RWLOCK_WRITER | RWLOCK_READERS))
            wait_while(lock, seen, RWLOCK_WAITERS | RWLOCK_WANTED);
        else if (quire_compare_exchange(&lock->word, &seen,
                                        (seen & RWLOCK_WAITERS) | RWLOCK_WRITER))
            return;
    }
}

/* All are woken and look again: locks here are held for long, waiters are few. */
void rwlock_wake(struct rwlock *lock)
{
    (void)quire_fetch_and(&lock->word, ~(RWLOCK_WAITERS | RWLOCK_WANTED));
    quire_port_wake(&lock->word);
}
