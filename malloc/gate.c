/* malloc/gate.c: the way into slow paths
 *
 * fork has to know of everybody who may be changing the heap. Of a thread with stacks it finds
 * `inside` in the list of threads. All others take a place in an array for as long as they are in:
 * those in their first slow path or past their last, without memory for stacks, or while a mode is
 * on.
 *
 *   invariant   who may be changing the heap has `inside` set, and is in `threads` or has a place
 *   bound       PLACES of those without stacks at a time; others wait for a place, and hold nothing
 *
 * In a slow path a thread may pause, for the loader's lock: then it holds none of the heap's and
 * changes nothing, fork doesn't wait for it, and it doesn't go on before the gate is open.
 *
 * The C library takes locks of its own after the gate was closed (all but the one of its list of
 * FILEs: see fork.c), and who has one may allocate. So nobody waits long who wants a block: it gets
 * one that needs no heap (emergency.c), and what it frees is kept for later (family.c).
 */
#include <errno.h>
#include <sched.h>

#include "malloc/self.h"

#define PLACES 256u
#define PATIENCE_NS 10000000u
#define PLACE_WAITS 0x80000000u /* its owner waits for a lock */

static uint32_t places[PLACES]; /* numbers of threads */
uint32_t gate, gate_turn;

uint32_t gate_of_others(void)
{
    uint32_t closed = __atomic_load_n(&gate, __ATOMIC_SEQ_CST);
    return (closed & ~GATE_STRICT) == self_number ? 0 : closed;
}

void gate_wait(void)
{
    uint32_t closed;
    while ((closed = gate_of_others()) && !owner_is_gone(closed & ~GATE_STRICT))
        futex_wait(&gate, closed);
}

bool gate_wait_for(uint64_t ns)
{
    uint64_t until = quire_port_clock_ns() + ns;
    uint32_t closed;
    while ((closed = gate_of_others()) && !owner_is_gone(closed & ~GATE_STRICT)) {
        uint64_t now = quire_port_clock_ns();
        if (now >= until)
            return false;
        futex_wait_for(&gate, closed, until - now);
    }
    return true;
}

/* ---- places ---------------------------------------------------------------------------------- */

static bool try_place(uint32_t *place)
{
    uint32_t owner = quire_load_relaxed(place);
    if ((owner && !owner_is_gone(owner & ~PLACE_WAITS)) ||
        !__atomic_compare_exchange_n(place, &owner, self_number, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_RELAXED))
        return false;
    self.place = place;
    return true;
}

void place_take(void)
{
    if (quire_likely(self.state == THREAD_ATTACHED) || self.place)
        return;
    for (uint32_t turn = 0; !try_place(&places[(self_number + turn) % PLACES]); turn++)
        if (turn % PLACES == PLACES - 1)
            (void)sched_yield();
}

void place_leave(void)
{
    uint32_t *place = self.place;
    if (quire_likely(!place))
        return;
    self.place = NULL;
    __atomic_store_n(place, 0, __ATOMIC_SEQ_CST);
}

bool places_are_empty(bool strict)
{
    for (unsigned i = 0; i < PLACES; i++) {
        uint32_t owner = __atomic_load_n(&places[i], __ATOMIC_SEQ_CST);
        uint32_t number = owner & ~PLACE_WAITS;
        if (owner && number != self_number && !owner_is_gone(number) &&
            !(strict && owner & PLACE_WAITS))
            return false;
    }
    return true;
}

void places_clear(void)
{
    for (unsigned i = 0; i < PLACES; i++)
        if ((places[i] & ~PLACE_WAITS) != self_number)
            places[i] = 0;
}

/* ---- pauses ---------------------------------------------------------------------------------- */

bool gate_pause(void)
{
    bool has_place = self.place;
    __atomic_store_n(&self.waiting, WAITS, __ATOMIC_SEQ_CST);
    place_leave();
    return has_place;
}

void gate_resume(bool has_place)
{
    for (;;) {
        gate_wait();
        if (has_place)
            place_take();
        __atomic_store_n(&self.waiting, WAITS_NOT, __ATOMIC_SEQ_CST);
        if (!gate_of_others())
            return;
        (void)gate_pause();
    }
}

static void set_place(uint32_t value)
{
    if (self.place)
        __atomic_store_n(self.place, value, __ATOMIC_SEQ_CST);
}

void gate_lock_begin(void)
{
    __atomic_store_n(&self.waiting, WAITS_FOR_LOCK, __ATOMIC_SEQ_CST);
    set_place(self_number | PLACE_WAITS);
}

void gate_waits_as(enum waiting waiting)
{
    if (waiting == WAITS_FOR_LOCK)
        set_place(self_number | PLACE_WAITS);
    __atomic_store_n(&self.waiting, waiting, __ATOMIC_SEQ_CST);
}

bool gate_lock_end(void)
{
    set_place(self_number);
    __atomic_store_n(&self.waiting, WAITS_NOT, __ATOMIC_SEQ_CST);
    return !(gate_of_others() & GATE_STRICT);
}

/* ---- in and out ------------------------------------------------------------------------------ */

/* For each closing once: a thread that waits while it has a FILE keeps it from who waits for that,
 * and a thread that allocates often would have it nearly always. */
static bool wait_once(void)
{
    uint32_t turn = quire_load_relaxed(&gate_turn);
    if (self.refused != turn && gate_wait_for(PATIENCE_NS))
        return true;
    self.refused = turn;
    return false;
}

/* Dekker's way with gate_close: either it sees us inside, or we see the gate closed. False: it is
 * closed for long. */
static bool pass_gate(bool soon)
{
    for (;;) {
        __atomic_store_n(&self.inside, 1, __ATOMIC_SEQ_CST);
        place_take();
        if (quire_likely(!gate_of_others()))
            return true;
        place_leave();
        __atomic_store_n(&self.inside, 0, __ATOMIC_SEQ_CST);
        fork_notice();
        if (!soon)
            gate_wait();
        else if (!wait_once())
            return false;
    }
}

static bool enter(bool soon)
{
    if (quire_unlikely(!self_number))
        thread_number();
    if (quire_unlikely(self.inside)) /* a signal handler */
        self.inside++;
    else if (!pass_gate(soon))
        return false;
    if (quire_unlikely(!quire_load_acquire(&heap)) && !heap_start()) {
        heap_leave();
        errno = ENOMEM;
        return false;
    }
    if (quire_unlikely(self.state == THREAD_NEW))
        thread_attach();
    return true;
}

bool heap_enter(void)
{
    return enter(false);
}

bool heap_enter_soon(void)
{
    return enter(true);
}

/* The place first: while `inside` is set no signal handler takes another. */
void heap_leave(void)
{
    if (self.inside == 1)
        place_leave();
    __atomic_store_n(&self.inside, self.inside - 1, __ATOMIC_RELEASE);
}
