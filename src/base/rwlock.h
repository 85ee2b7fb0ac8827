/* base/rwlock.h: locks whose waiters may sleep
 *
 * One word: readers, a writer's bit, and a bit that says somebody sleeps. A writer that waits keeps
 * new readers out, so that a stream of readers can't starve it; a reader must therefore not take
 * the same lock again. Waiting is the port's (quire_port_wait, quire_port_wake), or spinning where
 * it can't.
 *
 *   bound   an uncontended acquire or release is one atomic operation
 */
#ifndef QUIRE_BASE_RWLOCK_H
#define QUIRE_BASE_RWLOCK_H

#include "base/atomic.h"
#include "base/compiler.h"

#define RWLOCK_WRITER 0x80000000u  /* held by a writer */
#define RWLOCK_WAITERS 0x40000000u /* somebody sleeps: whoever lets the lock go wakes them */
#define RWLOCK_WANTED 0x20000000u  /* a writer waits: no new readers */
#define RWLOCK_READERS 0x1fffffffu

struct rwlock {
    uint32_t word;
};

void rwlock_read_slow(struct rwlock *lock);
void rwlock_write_slow(struct rwlock *lock);
void rwlock_wake(struct rwlock *lock);

static inline bool rwlock_try_read(struct rwlock *lock)
{
    uint32_t old = quire_load_relaxed(&lock->word);
    do {
        if (old & (RWLOCK_WRITER | RWLOCK_WANTED))
            return false;
    } while (!quire_compare_exchange(&lock->word, &old, old + 1));
    return true;
}

static inline void rwlock_read(struct rwlock *lock)
{
    if (quire_unlikely(!rwlock_try_read(lock)))
        rwlock_read_slow(lock);
}

static inline void rwlock_read_unlock(struct rwlock *lock)
{
    uint32_t now = quire_sub_fetch(&lock->word, 1);
    if (quire_unlikely(now & RWLOCK_WAITERS && !(now & RWLOCK_READERS)))
        rwlock_wake(lock);
}

static inline bool rwlock_try_write(struct rwlock *lock)
{
    uint32_t free = 0;
    return quire_compare_exchange(&lock->word, &free, RWLOCK_WRITER);
}

static inline void rwlock_write(struct rwlock *lock)
{
    if (quire_unlikely(!rwlock_try_write(lock)))
        rwlock_write_slow(lock);
}

static inline void rwlock_write_unlock(struct rwlock *lock)
{
    if (quire_unlikely(quire_fetch_and(&lock->word, ~RWLOCK_WRITER) & RWLOCK_WAITERS))
        rwlock_wake(lock);
}

/* A writer goes on as a reader, with nobody in between. */
static inline void rwlock_downgrade(struct rwlock *lock)
{
    uint32_t old = quire_load_relaxed(&lock->word);
    while (!quire_compare_exchange(&lock->word, &old, (old & ~RWLOCK_WRITER) + 1))
        ;
    if (quire_unlikely(old & RWLOCK_WAITERS))
        rwlock_wake(lock);
}

#endif
