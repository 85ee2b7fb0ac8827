/* bench/heap/threads.c: threads that inherit, hand over, and are many
 *
 * Times are of elapsed time, all threads together: they mean something on a machine that does
 * nothing else.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static void start(pthread_t *thread, void *(*function)(void *), void *arg)
{
    if (pthread_create(thread, NULL, function, arg))
        fail("no thread could be made");
}

/* ---- larson: a server whose threads take over what others left ------------------------------- */

#define LARSON_SLOTS 1000u
#define LARSON_STEPS 20000u
#define LARSON_GENERATIONS 10u

struct heirloom {
    uint64_t state;
    unsigned generation, generations;
    void *slot[LARSON_SLOTS];
};

static void *larson_thread(void *arg)
{
    struct heirloom *own = arg;
    for (unsigned step = 0; step < LARSON_STEPS; step++) {
        void **slot = &own->slot[random_below(&own->state, LARSON_SLOTS)];
        free(*slot);
        *slot = malloc(8 + random_below(&own->state, 993));
        *(char *)*slot = 1;
    }
    if (++own->generation < own->generations) {
        pthread_t heir;
        start(&heir, larson_thread, own);
        pthread_join(heir, NULL);
    }
    return NULL;
}

static void larson(void)
{
    enum { MAX_THREADS = 16 };
    static struct heirloom heirloom[MAX_THREADS];
    pthread_t thread[MAX_THREADS];
    unsigned generations = LARSON_GENERATIONS * (unsigned)options.scale;
    uint64_t begin = clock_ns();
    for (unsigned i = 0; i < running->threads; i++) {
        heirloom[i].state = i + 1;
        heirloom[i].generations = generations;
        start(&thread[i], larson_thread, &heirloom[i]);
    }
    for (unsigned i = 0; i < running->threads; i++)
        pthread_join(thread[i], NULL);
    double pairs = (double)running->threads * LARSON_STEPS * generations;
    result("ns/pair", (double)(clock_ns() - begin) / pairs);
    result("MiB", (double)resident_bytes() / (1 << 20));
}

/* ---- one allocates, another frees ------------------------------------------------------------ */

#define RING 1024u

static struct {
    _Alignas(128) atomic_size_t head;
    _Alignas(128) atomic_size_t tail;
    _Alignas(128) void *slot[RING];
} ring;
static size_t ring_steps;

static void spin(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void *consume(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < ring_steps; i++) {
        while (atomic_load_explicit(&ring.head, memory_order_acquire) == i)
            spin();
        free(ring.slot[i % RING]);
        atomic_store_explicit(&ring.tail, i + 1, memory_order_release);
    }
    return NULL;
}

static void producer_consumer(void)
{
    pthread_t thread;
    uint64_t state = 1;
    ring_steps = 500000 * options.scale;
    uint64_t begin = clock_ns();
    start(&thread, consume, NULL);
    for (size_t i = 0; i < ring_steps; i++) {
        char *block =
            malloc(running->parameter ? running->parameter : 8 + random_below(&state, 1017));
        block[0] = 1;
        while (i - atomic_load_explicit(&ring.tail, memory_order_acquire) == RING)
            spin();
        ring.slot[i % RING] = block;
        atomic_store_explicit(&ring.head, i + 1, memory_order_release);
    }
    pthread_join(thread, NULL);
    result("ns/pair", (double)(clock_ns() - begin) / (double)ring_steps);
    result("MiB", (double)resident_bytes() / (1 << 20));
}

/* ---- more than processors
 * ------------------------------------------------------------------------ */

#define MANY_STEPS 20000u

static void *many_thread(void *arg)
{
    uint64_t state = (uintptr_t)arg;
    void *slot[200] = {NULL};
    for (size_t step = 0; step < MANY_STEPS * options.scale; step++) {
        unsigned i = (unsigned)random_below(&state, 200);
        free(slot[i]);
        slot[i] = malloc(8 + random_below(&state, 1017));
        *(char *)slot[i] = 1;
    }
    for (unsigned i = 0; i < 200; i++)
        free(slot[i]);
    return NULL;
}

static void many_threads(void)
{
    static pthread_t thread[256];
    uint64_t begin = clock_ns();
    for (unsigned i = 0; i < running->threads; i++)
        start(&thread[i], many_thread, (void *)(uintptr_t)(i + 1));
    for (unsigned i = 0; i < running->threads; i++)
        pthread_join(thread[i], NULL);
    double pairs = (double)running->threads * (double)(MANY_STEPS * options.scale);
    result("ns/pair", (double)(clock_ns() - begin) / pairs);
    result("MiB", (double)resident_bytes() / (1 << 20));
}

/* ---- threads that are done, and wait --------------------------------------------------------- */

#define NR_IDLE 1000u
#define IDLE_BYTES ((size_t)1 << 20) /* that each has had, in small blocks */

static pthread_mutex_t idle_turn = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t idle_begins, idle_ends;

/* One after the other: what all have together isn't what is asked about. */
static void *idle_thread(void *arg)
{
    uint64_t state = (uintptr_t)arg;
    void *slot[4096];
    size_t count = 0;
    pthread_mutex_lock(&idle_turn);
    for (size_t bytes = 0; bytes < IDLE_BYTES && count < 4096; count++) {
        size_t size = 16 + random_below(&state, 1009);
        slot[count] = malloc(size);
        check(slot[count]);
        memset(slot[count], 1, size);
        bytes += size;
    }
    while (count)
        free(slot[--count]);
    pthread_mutex_unlock(&idle_turn);
    pthread_barrier_wait(&idle_begins);
    pthread_barrier_wait(&idle_ends);
    return NULL;
}

static void idle_threads(void)
{
    static pthread_t thread[NR_IDLE];
    uint64_t before = resident_bytes();
    pthread_barrier_init(&idle_begins, NULL, NR_IDLE + 1);
    pthread_barrier_init(&idle_ends, NULL, NR_IDLE + 1);
    for (unsigned i = 0; i < NR_IDLE; i++)
        start(&thread[i], idle_thread, (void *)(uintptr_t)(i + 1));
    pthread_barrier_wait(&idle_begins);
    result("KiB/thread", (double)(resident_bytes() - before) / NR_IDLE / 1024);
    pthread_barrier_wait(&idle_ends);
    for (unsigned i = 0; i < NR_IDLE; i++)
        pthread_join(thread[i], NULL);
}

const struct heap_case thread_cases[] = {
    {.name = "larson", .threads = 2, .run = larson},
    {.name = "larson-8", .threads = 8, .run = larson},
    {.name = "producer-consumer-64", .threads = 2, .run = producer_consumer, .parameter = 64},
    {.name = "producer-consumer", .threads = 2, .run = producer_consumer},
    {.name = "many-threads", .threads = 32, .run = many_threads},
    {.name = "idle-threads", .threads = NR_IDLE, .run = idle_threads},
    {0},
};
