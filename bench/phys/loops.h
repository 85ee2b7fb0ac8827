/* bench/phys/loops.h: the loops that are timed, written once for all subjects
 *
 * A subject gives its two functions as constants, and the compiler calls them directly. The clock
 * is read before and after each chunk of operations, never between two of them.
 */
#ifndef QUIRE_BENCH_LOOPS_H
#define QUIRE_BENCH_LOOPS_H

#include <quire/port.h>

#include "bench.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Called as a library's function is: not inlined, not fitted to its caller. */
#if defined(__clang__)
#define OUT_OF_LINE __attribute__((noinline))
#else
#define OUT_OF_LINE __attribute__((noipa))
#endif

typedef uintptr_t get_fn(void *allocator, unsigned order);
typedef void put_fn(void *allocator, uintptr_t block, unsigned order);

static inline size_t chunk_end(size_t from, size_t end)
{
    return end - from < CHUNK ? end : from + CHUNK;
}

static ALWAYS_INLINE bool loop_fill(get_fn *get, struct span *span)
{
    for (size_t i = 0; i < span->count;) {
        size_t first = i, end = chunk_end(i, span->count);
        uint64_t start = quire_port_clock_ns();
        for (; i < end; i++)
            if (!(span->block[i] = get(span->allocator, span->order)))
                return false;
        samples_add(span->get, quire_port_clock_ns() - start, end - first);
    }
    return true;
}

static ALWAYS_INLINE void loop_empty(put_fn *put, struct span *span)
{
    for (size_t i = 0; i < span->count;) {
        size_t first = i, end = chunk_end(i, span->count);
        uint64_t start = quire_port_clock_ns();
        for (; i < end; i++)
            put(span->allocator, span->block[i], span->order);
        samples_add(span->put, quire_port_clock_ns() - start, end - first);
    }
}

static ALWAYS_INLINE bool loop_repeat(get_fn *get, put_fn *put, struct span *span)
{
    for (size_t i = 0; i < span->pairs;) {
        size_t first = i, end = chunk_end(i, span->pairs);
        uint64_t start = quire_port_clock_ns();
        for (; i < end; i++) {
            uintptr_t block = get(span->allocator, span->order);
            if (!block)
                return false;
            put(span->allocator, block, span->order);
        }
        samples_add(span->pair, quire_port_clock_ns() - start, end - first);
    }
    return true;
}

typedef bool get_many_fn(void *allocator, void *blocks);
typedef void put_many_fn(void *allocator, void *blocks);

/* Counts pages, not calls. */
static ALWAYS_INLINE bool loop_calls(get_many_fn *get, put_many_fn *put, struct span *span)
{
    for (size_t i = 0; i < span->pairs;) {
        size_t first = i, end = chunk_end(i, span->pairs);
        uint64_t start = quire_port_clock_ns();
        for (; i < end; i += CALL_PAGES) {
            if (!get(span->allocator, span->scratch))
                return false;
            put(span->allocator, span->scratch);
        }
        samples_add(span->pair, quire_port_clock_ns() - start, end - first);
    }
    return true;
}

static ALWAYS_INLINE bool loop_produce(get_fn *get, struct span *span, struct ring *ring)
{
    for (size_t i = 0; i < span->pairs; i++) {
        while (i - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) == RING_BLOCKS)
            quire_port_relax();
        uintptr_t block = get(span->allocator, span->order);
        if (!block)
            return false;
        ring->block[i % RING_BLOCKS] = block;
        __atomic_store_n(&ring->head, i + 1, __ATOMIC_RELEASE);
    }
    return true;
}

/* The pair's time is the consumer's: the slower of the two sides sets it. */
static ALWAYS_INLINE void loop_consume(put_fn *put, struct span *span, struct ring *ring)
{
    for (size_t i = 0; i < span->pairs;) {
        size_t first = i, end = chunk_end(i, span->pairs);
        uint64_t start = quire_port_clock_ns();
        for (; i < end; i++) {
            while (__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == i)
                quire_port_relax();
            uintptr_t block = ring->block[i % RING_BLOCKS];
            __atomic_store_n(&ring->tail, i + 1, __ATOMIC_RELEASE);
            put(span->allocator, block, span->order);
        }
        samples_add(span->pair, quire_port_clock_ns() - start, end - first);
    }
}

#endif
