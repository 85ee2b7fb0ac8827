/* bench/slab/child.c: one case of one subject, in a process of its own */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <quire/port.h>

#include "bench.h"

#define CHUNKS 256u /* of each thread, a round */
#define WARM_CHUNKS 8u

/* Not by the malloc that is measured. */
static void *get_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        fail("out of memory");
    return memory;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    if (!count)
        return 0;
    qsort(values, count, sizeof values[0], compare);
    return values[count / 2];
}

static cpu_set_t allowed; /* to this process, before any thread was pinned */

/* To a processor of its own, where there are as many. */
static void pin(unsigned index)
{
    cpu_set_t one;
    quire_posix_set_cpu(index);
    if (CPU_COUNT(&allowed) <= (int)index)
        return;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && !index--) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            pthread_setaffinity_np(pthread_self(), sizeof one, &one);
            return;
        }
}

static void check(bool enough)
{
    if (!enough)
        fail("the allocator had no memory left");
}

/* ---- two threads ----------------------------------------------------------------------------- */

struct consumer {
    const struct subject *subject;
    struct span span;
};

static void *consume(void *arg)
{
    struct consumer *consumer = arg;
    pin(1);
    consumer->subject->consume(&consumer->span);
    return NULL;
}

static void run_remote(const struct subject *subject, struct span *span)
{
    struct consumer consumer = {subject, *span};
    pthread_t thread;
    if (pthread_create(&thread, NULL, consume, &consumer))
        fail("no thread could be made");
    check(subject->produce(span));
    pthread_join(thread, NULL);
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void run(const struct subject *subject, const struct bench_case *c, struct span *span)
{
    switch (c->activity) {
    case HOT:
        check(subject->hot(span));
        break;
    case BULK:
        check(subject->bulk(span));
        break;
    case RANDOM:
        check(subject->random(span));
        break;
    case REMOTE:
        span->ring->head = span->ring->tail = 0;
        run_remote(subject, span);
        break;
    case MEMORY:
        check(subject->fill(span));
        break;
    }
}

static const struct subject *subject_of(const struct bench_case *c)
{
    if (strcmp(options.child, "quire"))
        return &malloc_subject;
    return c->general ? &quire_kmalloc_subject : &quire_cache_subject;
}

void run_child(const struct bench_case *c)
{
    const struct subject *subject = subject_of(c);
    size_t held = c->activity == RANDOM ? WORKING_SET : c->activity == MEMORY ? options.objects : 1;
    if (sched_getaffinity(0, sizeof allowed, &allowed))
        CPU_ZERO(&allowed);
    pin(0);
    struct span span = {
        .allocator = subject->create(c),
        .size = c->size,
        .chunks = WARM_CHUNKS,
        .held = get_memory(held * sizeof(void *)),
        .nr_held = held,
        .ring = get_memory(sizeof(struct ring)),
    };
    if (c->activity == MEMORY) {
        uint64_t before = subject->bytes(span.allocator);
        run(subject, c, &span);
        uint64_t bytes = subject->bytes(span.allocator) - before;
        printf("ratio %.4f\n", (double)bytes / (double)held / (double)c->size);
        return;
    }
    if (options.count < 0) {
        run(subject, c, &span);
        span.ns = get_memory(MAX_CHUNKS * sizeof span.ns[0]);
    }
    span.chunks = options.count < 0 ? CHUNKS : (size_t)options.count;
    run(subject, c, &span);
    if (span.ns)
        printf("ns %.3f\n", median(span.ns, span.nr_ns));
}
