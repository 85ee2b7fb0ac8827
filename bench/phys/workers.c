/* bench/phys/workers.c: threads that work on one subject together
 *
 * Each is pinned to a processor of its own where there are as many. They meet at spinning barriers,
 * so that what is timed is done by all at the same time: it can be as short as some microseconds.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <quire/port.h>

#include "bench.h"

#define SAMPLES_PER_ROUND 4096u
#define SPINS_BEFORE_YIELD 10000u

struct barrier {
    unsigned waiting, generation, threads;
};

enum phase { GET, PUT, NR_PHASES };

struct worker {
    struct work *work;
    struct barrier *barrier;
    unsigned index;
    struct span span;
    struct samples get, put, pair;
    uint64_t *start[NR_PHASES], *end[NR_PHASES]; /* by cycle */
    size_t times;                                /* cycles that were timed by themselves */
    uint64_t *time_storage;
};

static void barrier_wait(struct barrier *barrier)
{
    unsigned generation = __atomic_load_n(&barrier->generation, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&barrier->waiting, 1, __ATOMIC_ACQ_REL) == barrier->threads) {
        __atomic_store_n(&barrier->waiting, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&barrier->generation, generation + 1, __ATOMIC_RELEASE);
        return;
    }
    unsigned spins = 0;
    while (__atomic_load_n(&barrier->generation, __ATOMIC_ACQUIRE) == generation) {
        quire_port_relax();
        if (++spins == SPINS_BEFORE_YIELD) {
            sched_yield();
            spins = 0;
        }
    }
}

bool can_pin(unsigned threads)
{
    cpu_set_t allowed;
    return !sched_getaffinity(0, sizeof allowed, &allowed) && CPU_COUNT(&allowed) >= (int)threads;
}

/* To the processor number `index` of those that this process may use. */
static void pin(unsigned index)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed))
        return;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && !index--) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            pthread_setaffinity_np(pthread_self(), sizeof one, &one);
            return;
        }
}

static void shuffle(struct work *work)
{
    for (size_t i = work->threads * work->blocks; i > 1; i--) {
        size_t other = (size_t)random_below(&work->seed, i);
        uintptr_t block = work->held[i - 1];
        work->held[i - 1] = work->held[other];
        work->held[other] = block;
    }
}

static void check(bool enough)
{
    if (!enough)
        fail("an allocator had nothing left, with half of its memory free");
}

static void stamp(struct worker *worker, uint64_t *times)
{
    times[worker->times] = quire_port_clock_ns();
}

/* The two phases follow each other without waiting for the other threads. */
static void run_bulk(struct worker *worker)
{
    const struct subject *subject = worker->work->subject;
    for (size_t cycle = 0; cycle < worker->work->cycles; cycle++) {
        check(subject->fill(&worker->span));
        subject->empty(&worker->span);
    }
}

static void run_random(struct worker *worker)
{
    struct work *work = worker->work;
    for (size_t cycle = 0; cycle < work->cycles; cycle++, worker->times++) {
        barrier_wait(worker->barrier);
        stamp(worker, worker->start[GET]);
        check(work->subject->fill(&worker->span));
        stamp(worker, worker->end[GET]);
        barrier_wait(worker->barrier);
        if (!worker->index)
            shuffle(work);
        barrier_wait(worker->barrier);
        stamp(worker, worker->start[PUT]);
        work->subject->empty(&worker->span);
        stamp(worker, worker->end[PUT]);
        barrier_wait(worker->barrier);
    }
}

static void run_activity(struct worker *worker)
{
    const struct subject *subject = worker->work->subject;
    switch (worker->work->activity) {
    case REPEAT:
        check(subject->repeat(&worker->span));
        break;
    case BULK:
        run_bulk(worker);
        break;
    case RANDOM:
        break;
    case CALLS:
        check(subject->calls(&worker->span));
        break;
    case REMOTE:
        if (worker->index)
            subject->consume(&worker->span, worker->work->ring);
        else
            check(subject->produce(&worker->span, worker->work->ring));
        break;
    }
}

/* Blocks that are held meanwhile: gotten and put outside the time. */
static void hold(struct worker *worker, bool get)
{
    struct work *work = worker->work;
    if (work->activity != REPEAT && work->activity != CALLS)
        return;
    size_t samples[2] = {worker->get.count, worker->put.count};
    if (get)
        check(work->subject->fill(&worker->span));
    else
        work->subject->empty(&worker->span);
    worker->get.count = samples[0];
    worker->put.count = samples[1];
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct work *work = worker->work;
    if (can_pin(work->threads))
        pin(worker->index);
    quire_posix_set_cpu(worker->index);
    barrier_wait(worker->barrier);
    if (work->activity == RANDOM) {
        run_random(worker);
        return NULL;
    }
    hold(worker, true);
    barrier_wait(worker->barrier);
    stamp(worker, worker->start[GET]);
    run_activity(worker);
    stamp(worker, worker->end[GET]);
    worker->times++;
    barrier_wait(worker->barrier);
    hold(worker, false);
    return NULL;
}

static void worker_init(struct worker *worker, struct work *work, unsigned index,
                        struct barrier *barrier)
{
    bool ok = samples_init(&worker->get, SAMPLES_PER_ROUND) &&
              samples_init(&worker->put, SAMPLES_PER_ROUND) &&
              samples_init(&worker->pair, SAMPLES_PER_ROUND);
    worker->time_storage = calloc(4 * (work->cycles + 1), sizeof(uint64_t));
    if (!ok || !worker->time_storage)
        fail("out of memory");
    for (unsigned phase = 0; phase < NR_PHASES; phase++) {
        worker->start[phase] = worker->time_storage + 2 * phase * work->cycles;
        worker->end[phase] = worker->start[phase] + work->cycles;
    }
    worker->work = work;
    worker->barrier = barrier;
    worker->index = index;
    worker->span = (struct span){
        .allocator = work->subject->local(work->machine, index),
        .order = work->order,
        .block = work->held + index * work->blocks,
        .count = work->blocks,
        .pairs = work->cycles * CHUNK,
        .scratch = work->held + work->threads * work->blocks + index * CALL_PAGES,
        .get = &worker->get,
        .put = &worker->put,
        .pair = &worker->pair,
    };
}

/* From when the first thread began a phase until the last one ended it. */
static double elapsed(const struct worker *workers, unsigned threads)
{
    uint64_t sum = 0;
    for (size_t cycle = 0; cycle < workers[0].times; cycle++)
        for (unsigned phase = 0; phase < NR_PHASES; phase++) {
            uint64_t start = UINT64_MAX, end = 0;
            for (unsigned t = 0; t < threads; t++) {
                if (workers[t].start[phase][cycle] < start)
                    start = workers[t].start[phase][cycle];
                if (workers[t].end[phase][cycle] > end)
                    end = workers[t].end[phase][cycle];
            }
            sum += end - start;
        }
    return (double)sum;
}

static double pairs_done(const struct work *work)
{
    if (work->activity == REMOTE)
        return (double)(work->cycles * CHUNK);
    size_t each = work->activity == BULK || work->activity == RANDOM ? work->blocks : CHUNK;
    return (double)(work->threads * work->cycles * each);
}

void work_run(struct work *work)
{
    struct worker workers[MAX_THREADS] = {0};
    struct barrier barrier = {.threads = work->threads};
    pthread_t thread[MAX_THREADS];
    if (work->ring)
        work->ring->head = work->ring->tail = 0;
    for (unsigned t = 0; t < work->threads; t++)
        worker_init(&workers[t], work, t, &barrier);
    for (unsigned t = 0; t < work->threads; t++)
        if (pthread_create(&thread[t], NULL, worker_main, &workers[t]))
            fail("no thread could be made");
    for (unsigned t = 0; t < work->threads; t++)
        pthread_join(thread[t], NULL);
    work->elapsed_ns = elapsed(workers, work->threads);
    work->pairs = pairs_done(work);
    for (unsigned t = 0; t < work->threads; t++) {
        samples_add_all(&work->get, &workers[t].get);
        samples_add_all(&work->put, &workers[t].put);
        samples_add_all(&work->pair, &workers[t].pair);
        samples_free(&workers[t].get);
        samples_free(&workers[t].put);
        samples_free(&workers[t].pair);
        free(workers[t].time_storage);
    }
}

bool work_init(struct work *work)
{
    size_t places = work->threads * (work->blocks + CALL_PAGES);
    size_t samples = (size_t)SAMPLES_PER_ROUND * MAX_THREADS * (options.rounds + 1);
    work->held = malloc(places * sizeof work->held[0]);
    work->ring = work->activity == REMOTE ? aligned_alloc(64, sizeof *work->ring) : NULL;
    if (!work->held || (work->activity == REMOTE && !work->ring) ||
        !samples_init(&work->get, samples) || !samples_init(&work->put, samples) ||
        !samples_init(&work->pair, samples))
        return false;
    memset(work->held, 0, places * sizeof work->held[0]);
    if (work->ring)
        memset(work->ring, 0, sizeof *work->ring);
    return true;
}

void work_free(struct work *work)
{
    free(work->held);
    free(work->ring);
    samples_free(&work->get);
    samples_free(&work->put);
    samples_free(&work->pair);
}
