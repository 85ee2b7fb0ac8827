/* tests/stress/heap_steps.c: what comes between two instructions of a thread that looks at its room
 *
 * A thread whose claims were waived finds its room gone, and cuts its stacks (room.c). It is single
 * stepped meanwhile: at each instruction, or each so many, a signal handler frees and takes blocks,
 * or another thread looks who is idle, as far as locks let it.
 */
#define _GNU_SOURCE
#include <signal.h>

#include "heap/cache.h"
#include "tests/unit/heap_machine.h"

#if (defined(__x86_64__) || defined(__i386__)) && !defined(QUIRE_THREAD_SANITIZER)
#include <x86intrin.h>

#define TRAP_FLAG 0x100u
#define SIZE 64u

static struct quire_heap_cache idle;
static void *block[400], *hand;
static unsigned nr_steps, period;

static void (*at_step)(void);

static void trapped(int signal)
{
    (void)signal;
    if (!(++nr_steps % period))
        at_step();
}

static void free_or_take(void)
{
    if (!hand)
        hand = stack_pop(&idle, small_class(SIZE));
    else if (stack_push(&idle, small_class(SIZE), hand))
        hand = NULL;
}

/* Twice, so that who doesn't come by in between is idle. */
static void look_for_idle_ones(void)
{
    quire_port_spinlock_t *lock = &heap_machine.heap->caches_lock;
    if (!quire_port_spin_trylock(lock)) /* then another thread would wait */
        return;
    quire_port_spin_unlock(lock);
    for (unsigned i = 0; i < 2; i++) {
        heap_machine.heap->refusals = heap_machine.heap->nr_caches; /* it is time */
        heap_cache.nr_refusals = ~0u;
        CHECK(!room_take(&heap_cache, SIZE_MAX / 2));
    }
}

/* Every stack has half of what it may hold, or less. */
static void fill_in_part(void)
{
    for (unsigned round = 0; round < 8; round++)
        for (size_t size = 16; size <= 1024; size *= 2) {
            for (unsigned i = 0; i < 400; i++)
                REQUIRE((block[i] = quire_heap_alloc(&idle, size)));
            for (unsigned i = 0; i < 400; i++)
                quire_heap_free(&idle, block[i]);
        }
    for (size_t size = 16; size <= 1024; size *= 2)
        while (stack_count(&idle, small_class(size)) > idle.capacity[small_class(size)] / 2u)
            quire_heap_free(&heap_cache, quire_heap_alloc(&idle, size));
}

static void step_through_a_visit(void)
{
    struct sigaction action = {.sa_handler = trapped}, before;
    REQUIRE(!sigaction(SIGTRAP, &action, &before));
    nr_steps = 0;
    __writeeflags(__readeflags() | TRAP_FLAG);
    room_come_by(&idle);
    __writeeflags(__readeflags() & ~(unsigned long)TRAP_FLAG);
    CHECK(!sigaction(SIGTRAP, &before, NULL));
}

static void cut_while(void (*what)(void), unsigned every)
{
    size_t class = small_class(SIZE), bound = 512 << 10;
    if (!heap_boot_with(&(struct quire_heap_config){.cache_bytes = bound}))
        return;
    quire_heap_cache_init(&idle);
    REQUIRE(!quire_heap_cache_attach(heap_machine.heap, &idle));
    fill_in_part();
    look_for_idle_ones();
    CHECK(idle.waived > 0);
    unsigned count = stack_count(&idle, class);
    CHECK(count > 2 && count < idle.capacity[class]);
    hand = NULL;
    at_step = what;
    period = every;
    heap_machine.heap->cache_bytes = 0; /* as if others had all of it */
    step_through_a_visit();
    if (!nr_steps)
        test_skip("nothing is traced");
    heap_machine.heap->cache_bytes = bound;
    CHECK_EQ(stack_count(&idle, class) + !!hand, count);
    quire_heap_check(heap_machine.heap);
    if (hand)
        quire_heap_free(&heap_cache, hand);
    quire_heap_cache_detach(&idle);
    heap_end();
}

static void a_handler_frees_while_stacks_are_cut(void)
{
    for (unsigned every = 1; every < 8; every++)
        cut_while(free_or_take, every);
}

static void nobody_waives_what_is_being_cut(void)
{
    cut_while(look_for_idle_ones, 1);
}

#else

static void a_handler_frees_while_stacks_are_cut(void)
{
    test_skip("no single steps");
}

static void nobody_waives_what_is_being_cut(void)
{
    test_skip("no single steps");
}

#endif

static const struct test_case cases[] = {
    TEST_CASE(a_handler_frees_while_stacks_are_cut),
    TEST_CASE(nobody_waives_what_is_being_cut),
    {0},
};
const struct test_suite suite_heap_steps = {"heap_steps", cases};
