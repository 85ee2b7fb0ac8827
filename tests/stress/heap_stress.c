/* tests/stress/heap_stress.c: threads that allocate, and free each other's blocks
 *
 * Blocks change hands through slots that all threads exchange blocks with; who takes one out owns
 * it. Content tells when two threads have one block. Under ThreadSanitizer the exchange orders what
 * the threads do with a block, so that any other race is the heap's.
 */
#include <pthread.h>
#include <sched.h>

#include "base/atomic.h"
#include "tests/unit/heap_machine.h"

enum { THREADS = 4, SHARED = 64, OWN = 200, GROWN = 300 * (int)QUIRE_PAGE_SIZE };

struct held {
    unsigned char *ptr;
    size_t size;
    unsigned seed;
};

static struct held *shared[SHARED];
static unsigned long wrong;
static uint64_t effort; /* of all threads together */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t size_of(uint64_t random)
{
    uint64_t size = random % 128 == 1  ? 40 * QUIRE_PAGE_SIZE /* comes and goes: a regular */
                    : random % 64 == 0 ? random / 64 % (64 * QUIRE_PAGE_SIZE)
                    : random % 16 == 0 ? random / 64 % (8 * QUIRE_PAGE_SIZE)
                                       : random / 64 % 700;
    return (size_t)size;
}

static void look(const struct held *held)
{
    if (!pattern_is(held->ptr, held->size, held->seed))
        __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
}

static void *allocate(struct quire_heap_cache *cache, size_t size, uint64_t random)
{
    size_t align = (size_t)16 << random % 9;
    unsigned char *ptr;
    switch (random % 5) {
    case 0:
        ptr = quire_heap_alloc_aligned(cache, size, align);
        if ((uintptr_t)ptr & (align - 1))
            __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
        return ptr;
    case 1:
        ptr = quire_heap_zalloc(cache, size);
        for (size_t i = 0; ptr && i < size; i += size / 16 + 1)
            if (ptr[i])
                __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
        return ptr;
    default:
        return quire_heap_alloc(cache, size);
    }
}

/* The record of a block is a block itself. */
static struct held *make(struct quire_heap_cache *cache, uint64_t random)
{
    struct held *held = quire_heap_alloc(cache, sizeof *held);
    if (!held)
        return NULL;
    held->size = size_of(random);
    held->seed = (unsigned)random;
    held->ptr = allocate(cache, held->size, random >> 32);
    if (!held->ptr) {
        quire_heap_free(cache, held);
        return NULL;
    }
    pattern_write(held->ptr, held->size, held->seed);
    return held;
}

/* What of it is kept is looked at, where that is looked at byte by byte. */
static void resize(struct quire_heap_cache *cache, struct held *held, uint64_t random)
{
    size_t size = size_of(random) + 1, kept = size < held->size ? size : held->size;
    look(held);
    unsigned char *ptr = quire_heap_realloc(cache, held->ptr, size);
    if (!ptr)
        return;
    if (!pattern_is(ptr, kept < 255 ? kept : 255, held->seed))
        __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    held->ptr = ptr;
    held->size = size;
    pattern_write(ptr, size, held->seed);
}

/* As a buffer does that doesn't know how much will come: it is lent room, which others want back.
 */
static void grow(struct quire_heap_cache *cache, struct held *held)
{
    size_t kept = held->size;
    look(held);
    for (size_t size = kept + kept / 2 + 16; size < GROWN; size += size / 2) {
        unsigned char *ptr = quire_heap_realloc(cache, held->ptr, size);
        if (!ptr)
            break;
        ptr[size - 1] = (unsigned char)size;
        held->ptr = ptr;
        held->size = size;
    }
    if (!pattern_is(held->ptr, kept < 255 ? kept : 255, held->seed))
        __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    pattern_write(held->ptr, held->size, held->seed);
}

static void drop(struct quire_heap_cache *cache, struct held *held)
{
    if (!held)
        return;
    look(held);
    quire_heap_free(cache, held->ptr);
    quire_heap_free(cache, held);
}

static void *run(void *arg)
{
    struct quire_heap_cache cache;
    struct held *own[OWN] = {0};
    uint64_t state = test_environment.seed * 7919 + (uintptr_t)arg;
    quire_heap_cache_init(&cache);
    if (quire_heap_cache_attach(heap_machine.heap, &cache))
        return NULL;
    for (uint64_t i = 0; i < effort / THREADS; i++) {
        uint64_t random = next_random(&state);
        struct held **mine = &own[random % OWN];
        random >>= 8;
        if (random % 4 == 0) {
            struct held **slot = &shared[random / 4 % SHARED];
            *mine = __atomic_exchange_n(slot, *mine, __ATOMIC_ACQ_REL);
        } else if (*mine && random % 16 == 1) {
            if (random % 256 == 1)
                grow(&cache, *mine);
            else
                resize(&cache, *mine, random >> 4);
        } else if (*mine) {
            drop(&cache, *mine);
            *mine = NULL;
        } else {
            *mine = make(&cache, random);
        }
        if (i % 10007 == 10006)
            (void)quire_heap_trim(heap_machine.heap, &cache);
        if (i % 15013 == 15012) {
            struct quire_heap_info info;
            quire_heap_info(heap_machine.heap, &info);
        }
    }
    for (unsigned i = 0; i < OWN; i++)
        drop(&cache, own[i]);
    quire_heap_cache_detach(&cache);
    return NULL;
}

static void run_threads(size_t cache_bytes)
{
    pthread_t thread[THREADS];
    if (!heap_boot_with(
            &(struct quire_heap_config){.decay_ns = 1000000, .cache_bytes = cache_bytes}))
        return;
    wrong = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, run, (void *)(i + 1)));
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < SHARED; i++) {
        drop(&heap_cache, shared[i]);
        shared[i] = NULL;
    }
    CHECK_EQ(wrong, 0);
    heap_end();
}

static void blocks_belong_to_one_thread_at_a_time(void)
{
    effort = test_environment.effort;
    run_threads(0);
}

/* A thread that doesn't run for a while loses some, and finds that when it runs again. */
static void threads_take_room_for_stacks_from_each_other(void)
{
    effort = test_environment.effort;
    run_threads(64 << 10);
}

/* The same, and what is on its stacks. Fences of this kind are none that ThreadSanitizer knows. */
static void threads_take_what_is_on_stacks_from_each_other(void)
{
#ifdef QUIRE_THREAD_SANITIZER
    test_skip("nothing that this tool sees orders the hot path");
#else
    heap_fences = true;
    effort = test_environment.effort / 4;
    run_threads(64 << 10);
    heap_fences = false;
    CHECK(heap_machine.fences > 0);
#endif
}

/* ---- the first blocks of each class ---------------------------------------------------------- */

enum { COLD = 48, TURNS = 6 };

static struct held first[COLD];
static uint32_t arrived;

/* All have come so far. */
static void meet(uint32_t turn)
{
    (void)__atomic_fetch_add(&arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < turn * THREADS)
        sched_yield();
}

/* Everybody asks for each block how much of it may be used, and uses his part of that. */
static void use_all_of_it(uintptr_t me)
{
    for (unsigned i = 0; i < COLD; i++) {
        size_t usable = quire_heap_usable_size(heap_machine.heap, first[i].ptr);
        if (usable < first[i].size)
            __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
        for (size_t at = me; at < usable; at += THREADS)
            first[i].ptr[at] = (unsigned char)me;
    }
}

/* Which reads what others write just then, and knows that it did. */
static void look_at_all(void)
{
#ifndef QUIRE_THREAD_SANITIZER
    quire_heap_settle(heap_machine.heap);
#endif
}

/* Others free what one has allocated, of classes that become warm meanwhile. */
static void *run_cold(void *arg)
{
    struct quire_heap_cache cache;
    uintptr_t me = (uintptr_t)arg;
    uint32_t turn = 0;
    quire_heap_cache_init(&cache);
    if (quire_heap_cache_attach(heap_machine.heap, &cache))
        return NULL;
    for (unsigned i = 0; i < TURNS; i++) {
        for (unsigned n = (unsigned)me; n < COLD; n += THREADS) {
            first[n].size = (n * 97 + i) % 3000;
            first[n].ptr = quire_heap_alloc(&cache, first[n].size);
            if (!first[n].ptr)
                __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
        }
        meet(++turn);
        use_all_of_it(me);
        meet(++turn);
        for (unsigned n = (unsigned)(me + i) % THREADS; n < COLD; n += THREADS) {
            first[n].ptr = quire_heap_realloc(&cache, first[n].ptr, first[n].size + n % 24 + 1);
            first[n].ptr[first[n].size + n % 24] = 1;
            if (n % 4 == 1)
                look_at_all();
            quire_heap_free(&cache, first[n].ptr);
        }
        meet(++turn);
    }
    quire_heap_cache_detach(&cache);
    return NULL;
}

/* heap_end counts the mistakes, of which there are none. */
static void first_blocks_are_used_to_their_ends_by_all_threads(void)
{
    for (uint64_t round = 0; round <= test_environment.effort / 10000; round++) {
        pthread_t thread[THREADS];
        if (!heap_boot())
            return;
        wrong = 0;
        arrived = 0;
        for (uintptr_t i = 0; i < THREADS; i++)
            REQUIRE(!pthread_create(&thread[i], NULL, run_cold, (void *)i));
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        CHECK_EQ(wrong, 0);
        heap_end();
    }
}

static const struct test_case cases[] = {
    TEST_CASE(blocks_belong_to_one_thread_at_a_time),
    TEST_CASE(threads_take_room_for_stacks_from_each_other),
    TEST_CASE(threads_take_what_is_on_stacks_from_each_other),
    TEST_CASE(first_blocks_are_used_to_their_ends_by_all_threads),
    {0},
};
const struct test_suite suite_heap_stress = {"heap_stress", cases};
