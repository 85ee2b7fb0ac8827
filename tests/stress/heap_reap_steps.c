/* tests/stress/heap_reap_steps.c: stacks are reaped while their thread is anywhere in the hot path
 *
 * The thread is single stepped, and so is who reaps, for a while. The thread stops behind its first
 * instructions, however many; the other finds it idle, and reaps its stacks (reap.c). While it
 * stores their ends the thread goes some instructions on, and once more before the fence; when all
 * is done it goes to its end. Then no block may be lost, or be in two places.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "heap/cache.h"
#include "tests/unit/heap_machine.h"

#if (defined(__x86_64__) || defined(__i386__)) && !defined(QUIRE_THREAD_SANITIZER)
#include <x86intrin.h>

#define TRAP_FLAG 0x100u
#define SIZE 64u
#define ROUNDS 500u
#define TO_THE_END 100000u
#define STEPS 64u  /* of the thread, about */
#define AROUND 16u /* steps of who reaps, before and behind that by which an end is stored */
#define BETWEEN 8u /* of those, from where the top is loaded on, about */

static struct quire_heap_cache idle;
static void *block[400], *hand[STACK_MOST];
static unsigned nr_hands, fences_before;
static volatile unsigned nr_steps;
/* The other's steps: so far, where the thread goes on, and where an end of its stack is stored. */
static volatile unsigned nr_steps_of_other, end_is_at;
static unsigned top_before; /* of the stack, in blocks */
static unsigned at_step, goes_on_by, goes_further_by;
static __thread bool is_thread;
static uint32_t is_its_turn;
static volatile bool is_done, is_over, is_reaping;
static const char *ops;

/* The compiler knows of no order between this and what is stored. */
static void trace(bool on)
{
    __asm__ volatile("" ::: "memory");
    __writeeflags((__readeflags() & ~(unsigned long)TRAP_FLAG) | (on ? TRAP_FLAG : 0));
    __asm__ volatile("" ::: "memory");
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void wait_for_turn(uint32_t of_it)
{
    while (quire_load_acquire(&is_its_turn) != of_it)
        sched_yield();
}

static void give_turn(uint32_t to_it)
{
    quire_store_release(&is_its_turn, to_it);
    wait_for_turn(!to_it);
}

static void step(void)
{
    if (nr_steps > 1) {
        nr_steps--;
        return;
    }
    give_turn(0);
}

/* The slow path waits for who reaps. */
static void come_the_slow_way(void)
{
    while (is_reaping)
        ;
}

static void pop_and_push(void)
{
    size_t class = small_class(SIZE);
    for (const char *op = ops; *op; op++)
        if (*op == '-' && (hand[nr_hands] = stack_pop(&idle, class)))
            nr_hands++;
        else if (*op == '+' && nr_hands && stack_push(&idle, class, hand[nr_hands - 1]))
            nr_hands--;
        else
            come_the_slow_way();
}

static void *live(void *arg)
{
    (void)arg;
    is_thread = true;
    for (wait_for_turn(1); !is_over; give_turn(0)) {
        trace(true);
        pop_and_push();
        trace(false);
        is_done = true;
    }
    return NULL;
}

/* ---- who reaps ------------------------------------------------------------------------------- */

static void go(unsigned steps)
{
    if (is_done || !steps)
        return;
    nr_steps = steps;
    give_turn(1);
}

static void trapped(int signal, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;
    (void)signal;
    (void)info;
    void *volatile *low = idle.slots + idle.place[small_class(SIZE)] + top_before - 1;
    if (is_thread) {
        step();
    } else if (++nr_steps_of_other == at_step) {
        interrupted->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        go(goes_on_by);
    } else if (!end_is_at && is_end(*low)) {
        end_is_at = nr_steps_of_other;
    }
}

static void at_fence(void)
{
    if (heap_machine.fences == fences_before + 1) {
        trace(true);
    } else {
        trace(false);
        go(goes_further_by);
    }
}

static void look_for_idle_ones(void)
{
    for (unsigned i = 0; i < 2; i++) {
        heap_cache.nr_visits++;
        heap_machine.heap->refusals = heap_machine.heap->nr_caches; /* it is time */
        heap_cache.nr_refusals = ~0u;
        CHECK(!room_take(&heap_cache, SIZE_MAX / 2));
    }
}

static void fill(void)
{
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 100; i++)
            REQUIRE((block[i] = quire_heap_alloc(&idle, SIZE)));
        for (unsigned i = 0; i < 100; i++)
            quire_heap_free(&idle, block[i]);
    }
}

/* The stack has `less` than it may, and its thread stops after so many steps. */
static void reap_after(unsigned steps, unsigned less)
{
    fill();
    room_come_by(&idle);
    for (nr_hands = 0; nr_hands < less; nr_hands++)
        REQUIRE((hand[nr_hands] = quire_heap_alloc(&idle, SIZE)));
    is_done = false;
    go(steps);
    top_before = stack_count(&idle, small_class(SIZE));
    nr_steps_of_other = 0;
    is_reaping = true;
    fences_before = heap_machine.fences;
    heap_machine.on_fence = at_fence;
    look_for_idle_ones();
    heap_machine.on_fence = NULL;
    is_reaping = false;
    CHECK_EQ(heap_machine.fences, fences_before + 2);
    go(TO_THE_END);
    CHECK(is_done);
    while (nr_hands)
        quire_heap_free(&idle, hand[--nr_hands]);
    quire_heap_check(heap_machine.heap);
    quire_heap_cache_flush(&idle);
    CHECK_EQ(heap_info().used, 0);
    CHECK_EQ(heap_machine.mistakes, 0);
}

static bool boot(void)
{
    heap_fences = true;
    bool is_up = heap_boot();
    heap_fences = false;
    return is_up;
}

static void begin(pthread_t *thread)
{
    quire_heap_cache_init(&idle);
    REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &idle));
    is_over = false;
    is_its_turn = 0;
    REQUIRE(!pthread_create(thread, NULL, live, NULL));
}

static void end(pthread_t thread)
{
    is_over = true;
    quire_store_release(&is_its_turn, 1u);
    pthread_join(thread, NULL);
    quire_heap_cache_detach(&idle);
    heap_end();
}

static void reap_wherever_it_is(const char *what, unsigned less)
{
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO}, before;
    pthread_t thread;
    if (!boot())
        return;
    begin(&thread);
    REQUIRE(!sigaction(SIGTRAP, &action, &before));
    ops = what;
    at_step = goes_on_by = goes_further_by = end_is_at = 0;
    reap_after(1, less);
    CHECK(end_is_at);
    for (unsigned round = 0; round < ROUNDS; round++) {
        /* Half of them where a stale top is acted on: at random that is hardly ever met. */
        bool is_close = round % 2, stays = round % 4 > 1;
        at_step = is_close ? end_is_at - test_random_below(BETWEEN)
                           : end_is_at - AROUND + test_random_below(2 * AROUND);
        goes_on_by = test_random_below(STEPS);
        goes_further_by = stays ? 0 : test_random_below(STEPS);
        reap_after(1 + test_random_below(STEPS), less);
    }
    CHECK(!sigaction(SIGTRAP, &before, NULL));
    end(thread);
}

static void a_full_stack_is_reaped_while_blocks_are_popped(void)
{
    reap_wherever_it_is("--+++", 0);
}

static void a_stack_is_reaped_while_blocks_are_pushed(void)
{
    reap_wherever_it_is("+++-", 5);
}

static void a_stack_is_reaped_while_blocks_come_and_go(void)
{
    reap_wherever_it_is("--+++-", 3);
}

#else

static void a_full_stack_is_reaped_while_blocks_are_popped(void)
{
    test_skip("no single steps");
}

static void a_stack_is_reaped_while_blocks_are_pushed(void)
{
    test_skip("no single steps");
}

static void a_stack_is_reaped_while_blocks_come_and_go(void)
{
    test_skip("no single steps");
}

#endif

static const struct test_case cases[] = {
    TEST_CASE(a_full_stack_is_reaped_while_blocks_are_popped),
    TEST_CASE(a_stack_is_reaped_while_blocks_are_pushed),
    TEST_CASE(a_stack_is_reaped_while_blocks_come_and_go),
    {0},
};
const struct test_suite suite_heap_reap_steps = {"heap_reap_steps", cases};
