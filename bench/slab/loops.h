/* bench/slab/loops.h: the loops that are timed, written once for all subjects
 *
 * A subject gives its functions as constants, and the compiler calls them directly. The clock is
 * read before and after each chunk, never between two operations. Each object is written to, as who
 * allocates one does.
 */
#ifndef QUIRE_BENCH_SLAB_LOOPS_H
#define QUIRE_BENCH_SLAB_LOOPS_H

#include <quire/port.h>

#include "bench.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

typedef void *alloc_fn(void *allocator, size_t size);
typedef void free_fn(void *allocator, void *object);
typedef bool alloc_bulk_fn(void *allocator, size_t size, size_t count, void **objects);
typedef void free_bulk_fn(void *allocator, size_t count, void **objects);

/* The compiler can't know it: as a size that a program computes. */
static ALWAYS_INLINE size_t opaque(size_t size)
{
    __asm__ volatile("" : "+r"(size));
    return size;
}

static ALWAYS_INLINE void touch(void *object)
{
    *(volatile uint64_t *)object = (uintptr_t)object;
}

static ALWAYS_INLINE uint64_t begin(const struct span *span)
{
    return span->ns ? quire_port_clock_ns() : 0;
}

static ALWAYS_INLINE void end(struct span *span, uint64_t start, unsigned operations)
{
    if (span->ns && span->nr_ns < MAX_CHUNKS)
        span->ns[span->nr_ns++] = (double)(quire_port_clock_ns() - start) / operations;
}

static ALWAYS_INLINE bool loop_hot(alloc_fn *alloc, free_fn *free, struct span *span)
{
    for (size_t chunk = 0; chunk < span->chunks; chunk++) {
        uint64_t start = begin(span);
        for (unsigned i = 0; i < CHUNK; i++) {
            void *object = alloc(span->allocator, opaque(span->size));
            if (!object)
                return false;
            touch(object);
            free(span->allocator, object);
        }
        end(span, start, CHUNK);
    }
    return true;
}

static ALWAYS_INLINE bool loop_bulk(alloc_bulk_fn *alloc, free_bulk_fn *free, struct span *span)
{
    void *objects[BULK_OBJECTS];
    for (size_t chunk = 0; chunk < span->chunks; chunk++) {
        uint64_t start = begin(span);
        for (unsigned i = 0; i < CHUNK; i += BULK_OBJECTS) {
            if (!alloc(span->allocator, opaque(span->size), BULK_OBJECTS, objects))
                return false;
            for (unsigned o = 0; o < BULK_OBJECTS; o++)
                touch(objects[o]);
            free(span->allocator, BULK_OBJECTS, objects);
        }
        end(span, start, CHUNK);
    }
    return true;
}

/* xorshift64*: the same numbers for every subject. */
static ALWAYS_INLINE uint64_t random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1du >> 32;
}

static ALWAYS_INLINE size_t random_size(uint64_t random)
{
    return 8 + (random & 0x7fffffff) % (1024 - 8 + 1);
}

static ALWAYS_INLINE bool loop_random(alloc_fn *alloc, free_fn *free, struct span *span)
{
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < span->nr_held; i++) {
        span->held[i] = alloc(span->allocator, random_size(random_next(&state)));
        if (!span->held[i])
            return false;
        touch(span->held[i]);
    }
    for (size_t chunk = 0; chunk < span->chunks; chunk++) {
        uint64_t start = begin(span);
        for (unsigned i = 0; i < CHUNK; i++) {
            void **place = &span->held[random_next(&state) * span->nr_held >> 32];
            free(span->allocator, *place);
            *place = alloc(span->allocator, random_size(random_next(&state)));
            if (!*place)
                return false;
            touch(*place);
        }
        end(span, start, CHUNK);
    }
    for (size_t i = 0; i < span->nr_held; i++)
        free(span->allocator, span->held[i]);
    return true;
}

static ALWAYS_INLINE bool loop_produce(alloc_fn *alloc, struct span *span)
{
    struct ring *ring = span->ring;
    size_t head = 0, tail = 0;
    for (size_t chunk = 0; chunk < span->chunks; chunk++) {
        uint64_t start = begin(span);
        for (unsigned i = 0; i < CHUNK; i++, head++) {
            void *object = alloc(span->allocator, opaque(span->size));
            if (!object)
                return false;
            touch(object);
            while (head - tail == RING_OBJECTS)
                tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
            ring->object[head % RING_OBJECTS] = object;
            __atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
        }
        end(span, start, CHUNK);
    }
    return true;
}

static ALWAYS_INLINE void loop_consume(free_fn *free, struct span *span)
{
    struct ring *ring = span->ring;
    size_t head = 0;
    for (size_t tail = 0; tail < span->chunks * CHUNK; tail++) {
        while (head == tail)
            head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
        void *object = ring->object[tail % RING_OBJECTS];
        __atomic_store_n(&ring->tail, tail + 1, __ATOMIC_RELEASE);
        free(span->allocator, object);
    }
}

/* A byte in each page of each object, so that what the system gives for it counts. */
static ALWAYS_INLINE bool loop_fill(alloc_fn *alloc, struct span *span)
{
    for (size_t i = 0; i < span->nr_held; i++) {
        char *object = span->held[i] = alloc(span->allocator, opaque(span->size));
        if (!object)
            return false;
        for (size_t at = 0; at < span->size; at += 4096)
            ((volatile char *)object)[at] = 1;
    }
    return true;
}

/* Defines the loops of a subject named NAME, with NAME_alloc and so on. */
#define DEFINE_LOOPS(name)                                                                         \
    static bool name##_hot(struct span *span)                                                      \
    {                                                                                              \
        return loop_hot(name##_alloc, name##_free, span);                                          \
    }                                                                                              \
    static bool name##_bulk(struct span *span)                                                     \
    {                                                                                              \
        return loop_bulk(name##_alloc_bulk, name##_free_bulk, span);                               \
    }                                                                                              \
    static bool name##_random(struct span *span)                                                   \
    {                                                                                              \
        return loop_random(name##_alloc, name##_free, span);                                       \
    }                                                                                              \
    static bool name##_produce(struct span *span)                                                  \
    {                                                                                              \
        return loop_produce(name##_alloc, span);                                                   \
    }                                                                                              \
    static void name##_consume(struct span *span)                                                  \
    {                                                                                              \
        loop_consume(name##_free, span);                                                           \
    }                                                                                              \
    static bool name##_fill(struct span *span)                                                     \
    {                                                                                              \
        return loop_fill(name##_alloc, span);                                                      \
    }

#define SUBJECT_LOOPS(name)                                                                        \
    .hot = name##_hot, .bulk = name##_bulk, .random = name##_random, .produce = name##_produce,    \
    .consume = name##_consume, .fill = name##_fill

#endif
