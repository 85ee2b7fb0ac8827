/* base/percpu.h: what one CPU uses without a lock, and how others get at it all the same
 *
 * A structure that belongs to a CPU is used by that CPU alone, with preemption off, and has no
 * lock. `busy` says that the CPU is inside. Another CPU that wants the structure takes it out of
 * the owner's sight, by writing a pointer to something that serves for nothing over the owner's
 * pointer to it; then it makes every CPU fence, and waits for `busy` to fall:
 *
 *     owner    store busy = 1,         light fence, load the pointer
 *     other    store another pointer,  heavy fence, load busy
 *
 * By the asymmetric fence one of the two sees the other. The owner pays two plain stores for it, no
 * atomic instruction and no branch, so that the cache misses of consecutive operations overlap. An
 * interrupt handler has no CPU number, so it never enters what it interrupted.
 *
 * Within percpu_enter and percpu_leave the owner takes no more than spinlocks, calls nothing that
 * may come back here, and loads the pointer with acquire, so that it sees with the pointer what
 * others did to the structure. tests/stress/pcp_protocol_model.c is the proof, by exhaustion.
 */
#ifndef QUIRE_BASE_PERCPU_H
#define QUIRE_BASE_PERCPU_H

#include "base/atomic.h"
#include "base/compiler.h"

/* Preemption is off: `busy` is this CPU's. */
static QUIRE_ALWAYS_INLINE void percpu_enter(uint8_t *busy)
{
    quire_store_relaxed(busy, 1);
    quire_port_fence_light();
}

static QUIRE_ALWAYS_INLINE void percpu_leave(uint8_t *busy)
{
    quire_store_release(busy, 0);
}

/* The other side, after it hid the pointers and called quire_port_fence_heavy: returns when the CPU
 * is outside, and can't see what was hidden. */
static inline void percpu_wait(const uint8_t *busy)
{
    while (quire_load_acquire(busy))
        quire_port_relax();
}

#endif
