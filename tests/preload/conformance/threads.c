/* tests/preload/conformance/threads.c: threads that come and go, and blocks that change hands */
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

#define MIB ((size_t)1 << 20)

static void run_thread(void *(*function)(void *), void *arg)
{
    pthread_t thread;
    void *result;
    REQUIRE(!pthread_create(&thread, NULL, function, arg));
    REQUIRE(!pthread_join(thread, &result));
    CHECK(!result);
}

/* A mebibyte of small blocks, all freed. */
static void *use_a_mebibyte(void *arg)
{
    char *block[1000];
    uint64_t seed = (uintptr_t)arg;
    for (unsigned i = 0; i < 1000; i++) {
        size_t size = random_size(&seed, 4000);
        block[i] = malloc(size);
        if (!block[i])
            return (void *)1;
        memset(block[i], 1, size);
    }
    for (unsigned i = 0; i < 1000; i++)
        free(block[i]);
    return NULL;
}

static void a_thousand_threads_one_after_another_take_what_one_takes(void)
{
    size_t before = 0;
    for (unsigned i = 0; i < 1000; i++) {
        run_thread(use_a_mebibyte, (void *)(uintptr_t)(i + 1));
        if (i == 50)
            before = resident_bytes();
    }
    CHECK(resident_bytes() < before + 4 * MIB);
}

static void *allocate_for_others(void *arg)
{
    char **block = arg;
    for (unsigned i = 0; i < 1000; i++) {
        block[i] = malloc(i * 3 + 1);
        if (!block[i])
            return arg;
        fill(block[i], i * 3 + 1, i);
    }
    return NULL;
}

static void blocks_outlive_their_thread(void)
{
    static char *block[1000];
    for (unsigned round = 0; round < 20; round++) {
        run_thread(allocate_for_others, block);
        for (unsigned i = 0; i < 1000; i++) {
            CHECK(holds(block[i], i * 3 + 1, i));
            block[i] = realloc(block[i], i * 5 + 1);
            CHECK(holds(block[i], i * 3 + 1, i));
            free(block[i]);
        }
    }
}

static void what_threads_free_for_others_can_be_used_again(void)
{
    static char *block[1000];
    size_t before = 0;
    for (unsigned round = 0; round < 300; round++) {
        run_thread(allocate_for_others, block);
        for (unsigned i = 0; i < 1000; i++)
            free(block[i]);
        if (round == 30)
            before = resident_bytes();
    }
    CHECK(resident_bytes() < before + 8 * MIB);
}

/* ---- hand to hand ---------------------------------------------------------------------------- */

#define NR_THREADS 8u
#define NR_SLOTS 1024u

struct message {
    size_t size;
    unsigned seed;
};
static _Atomic(struct message *) slot[NR_SLOTS];

static void *exchange(void *arg)
{
    uint64_t seed = (uintptr_t)arg;
    for (unsigned step = 0; step < 60000; step++) {
        size_t size = random_size(&seed, step % 100 ? 1000 : 100000) + sizeof(struct message);
        struct message *mine = malloc(size);
        if (!mine)
            return arg;
        *mine = (struct message){size, step};
        fill(mine + 1, size - sizeof *mine, step);
        struct message *other = atomic_exchange(&slot[random_next(&seed) % NR_SLOTS], mine);
        if (!other)
            continue;
        if (!holds(other + 1, other->size - sizeof *other, other->seed))
            return arg;
        free(other);
    }
    return NULL;
}

static void blocks_that_change_hands_keep_contents(void)
{
    pthread_t thread[NR_THREADS];
    void *result;
    for (unsigned i = 0; i < NR_THREADS; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, exchange, (void *)(uintptr_t)(i + 1)));
    for (unsigned i = 0; i < NR_THREADS; i++) {
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
    for (unsigned i = 0; i < NR_SLOTS; i++)
        free(slot[i]);
}

static void *grow_by_turns(void *arg)
{
    char **block = arg;
    size_t size = malloc_usable_size(*block);
    if (!holds(*block, size / 2, 9))
        return arg;
    *block = realloc(*block, size * 2);
    if (!*block || !holds(*block, size / 2, 9))
        return arg;
    fill(*block, malloc_usable_size(*block) / 2, 9);
    return NULL;
}

static void each_thread_resizes_what_another_one_made(void)
{
    char *block = malloc(10);
    REQUIRE(block);
    fill(block, malloc_usable_size(block) / 2, 9);
    for (unsigned i = 0; i < 20; i++)
        run_thread(grow_by_turns, &block);
    free(block);
}

/* ---- the end of a thread --------------------------------------------------------------------- */

static pthread_key_t key;
static atomic_uint destructor_runs;

/* Comes back until the system has had enough of it. */
static void allocate_again(void *value)
{
    char *block = malloc(500), *large = malloc(200000);
    if (block && large && holds(value, 100, 10)) {
        memset(block, 1, 500);
        destructor_runs++;
    }
    free(value);
    free(large);
    free(block);
    block = malloc(100);
    fill(block, 100, 10);
    if (destructor_runs % PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(key, block);
    else
        free(block);
}

static void *leave_a_value(void *arg)
{
    char *block = malloc(100);
    (void)arg;
    fill(block, 100, 10);
    pthread_setspecific(key, block);
    return NULL;
}

static void destructors_of_thread_data_allocate_and_free(void)
{
    REQUIRE(!pthread_key_create(&key, allocate_again));
    for (unsigned i = 0; i < 200; i++)
        run_thread(leave_a_value, NULL);
    CHECK_EQ(destructor_runs, 200 * PTHREAD_DESTRUCTOR_ITERATIONS);
    size_t before = resident_bytes();
    for (unsigned i = 0; i < 1000; i++)
        run_thread(leave_a_value, NULL);
    CHECK(resident_bytes() < before + 2 * MIB);
}

static void *allocate_until_cancelled(void *arg)
{
    atomic_bool *started = arg;
    while (started) {
        char *block[20];
        for (unsigned i = 0; i < 20; i++)
            block[i] = opaque(malloc(i * 100));
        for (unsigned i = 0; i < 20; i++)
            free(block[i]);
        *started = true;
        pthread_testcancel();
    }
    return NULL;
}

static void cancelled_threads_leave_a_heap_that_works(void)
{
    for (unsigned i = 0; i < 200; i++) {
        pthread_t thread;
        atomic_bool started = false;
        REQUIRE(!pthread_create(&thread, NULL, allocate_until_cancelled, &started));
        while (!started)
            ;
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    run_thread(use_a_mebibyte, (void *)1);
}

static void *use_on_a_small_stack(void *arg)
{
    for (size_t size = 1; size < 3 * MIB; size = size * 2 + 1) {
        char *block = calloc(1, size);
        char *more = realloc(block, size * 2);
        char *aligned = memalign(4096, size);
        if (!more || !aligned)
            return arg;
        free(more);
        free(aligned);
    }
    malloc_trim(0);
    return NULL;
}

static void the_smallest_stack_is_enough(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *result;
    pthread_attr_init(&attributes);
    REQUIRE(!pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN));
    for (unsigned i = 0; i < 20; i++) {
        REQUIRE(!pthread_create(&thread, &attributes, use_on_a_small_stack, (void *)1));
        pthread_join(thread, &result);
        CHECK(!result);
    }
}

/* ---- many ------------------------------------------------------------------------------------ */

static pthread_barrier_t barrier;

static void *use_and_stay(void *arg)
{
    void *result = use_a_mebibyte(arg);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return result;
}

/* Each has used a mebibyte and holds nothing; glibc's arenas keep what is below their top. */
/* beyond: arenas keep what their threads freed */
static void five_hundred_idle_threads_hold_little(void)
{
    enum { COUNT = 500 };
    static pthread_t thread[COUNT];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_barrier_init(&barrier, NULL, COUNT + 1);
    size_t before = resident_bytes();
    for (unsigned i = 0; i < COUNT; i++)
        REQUIRE(!pthread_create(&thread[i], &attributes, use_and_stay, (void *)(uintptr_t)(i + 1)));
    pthread_barrier_wait(&barrier);
    size_t held = resident_bytes() - before;
    note("%zu KiB resident a thread, its stack among it", held / COUNT / 1024);
    CHECK(held < COUNT * (size_t)65536);
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < COUNT; i++)
        pthread_join(thread[i], NULL);
}

static void two_hundred_threads_at_once_keep_contents(void)
{
    enum { COUNT = 200 };
    pthread_t thread[COUNT];
    static char *block[COUNT][1000];
    for (unsigned i = 0; i < COUNT; i++)
        REQUIRE(!pthread_create(&thread[i], NULL, allocate_for_others, block[i]));
    for (unsigned i = 0; i < COUNT; i++) {
        void *result;
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
    for (unsigned i = 0; i < COUNT; i++)
        for (unsigned j = 0; j < 1000; j++) {
            CHECK(holds(block[i][j], j * 3 + 1, j));
            free(block[i][j]);
        }
}

/* Replaces blocks, and looks at those that go; false: one wasn't as it was left. */
static bool replace(char *held[100], size_t size[100], uint64_t *seed, unsigned steps)
{
    bool good = true;
    for (unsigned step = 0; step < steps; step++) {
        unsigned i = (unsigned)random_size(seed, 100) - 1;
        good = good && (!held[i] || holds(held[i], size[i], i));
        free(held[i]);
        size[i] = random_size(seed, 1000);
        held[i] = malloc(size[i]);
        if (!held[i])
            return false;
        fill(held[i], size[i], i);
    }
    return good;
}

static void *work_and_wait(void *arg)
{
    uint64_t seed = (uintptr_t)arg;
    char *held[100] = {NULL};
    size_t size[100];
    bool good = true;
    for (unsigned round = 0; round < 4; round++) {
        good = replace(held, size, &seed, 2000) && good;
        pthread_barrier_wait(&barrier);
    }
    for (unsigned i = 0; i < 100; i++)
        free(held[i]);
    return good ? NULL : arg;
}

static bool child_works(void)
{
    pid_t pid = fork();
    int status;
    if (!pid) {
        char *held[100] = {NULL};
        size_t size[100];
        uint64_t seed = 1;
        alarm(60);
        _exit(!replace(held, size, &seed, 3000));
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

/* All but the last of a round wait while others work. */
static void threads_that_wait_and_come_again_have_what_they_had(void)
{
    enum { COUNT = 400 };
    static pthread_t thread[COUNT];
    pthread_attr_t attributes;
    void *result;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_barrier_init(&barrier, NULL, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        REQUIRE(
            !pthread_create(&thread[i], &attributes, work_and_wait, (void *)(uintptr_t)(i + 1)));
    for (unsigned i = 0; i < 20; i++)
        CHECK(child_works());
    for (unsigned i = 0; i < COUNT; i++) {
        pthread_join(thread[i], &result);
        CHECK(!result);
    }
}

static const struct conformance_case cases[] = {
    CASE(a_thousand_threads_one_after_another_take_what_one_takes),
    CASE(blocks_outlive_their_thread),
    CASE(what_threads_free_for_others_can_be_used_again),
    CASE(blocks_that_change_hands_keep_contents),
    CASE(each_thread_resizes_what_another_one_made),
    CASE(destructors_of_thread_data_allocate_and_free),
    CASE(cancelled_threads_leave_a_heap_that_works),
    CASE(the_smallest_stack_is_enough),
    CASE_BEYOND(five_hundred_idle_threads_hold_little, "arenas keep what their threads freed"),
    CASE(two_hundred_threads_at_once_keep_contents),
    CASE(threads_that_wait_and_come_again_have_what_they_had),
    END_OF_CASES,
};
const struct conformance_group conformance_threads = {"threads", cases};
