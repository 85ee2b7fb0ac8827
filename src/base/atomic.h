/* base/atomic.h: the few atomic operations that Quire uses, named for their ordering
 *
 * On plain integers, so that public structures stay plain C; the compiler's builtins carry the C11
 * memory model, and ThreadSanitizer sees them.
 */
#ifndef QUIRE_BASE_ATOMIC_H
#define QUIRE_BASE_ATOMIC_H

#if defined(__SANITIZE_THREAD__)
#define QUIRE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define QUIRE_THREAD_SANITIZER 1
#endif
#endif

#define quire_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define quire_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define quire_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define quire_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define quire_fetch_add(p, v) __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define quire_add_fetch(p, v) ((void)__atomic_add_fetch((p), (v), __ATOMIC_ACQ_REL))
#define quire_sub_fetch(p, v) __atomic_sub_fetch((p), (v), __ATOMIC_ACQ_REL)
#define quire_fetch_or(p, v) __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define quire_fetch_and(p, v) __atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)

/* True, and `*p` replaced, when it held `*expected`; else `*expected` becomes what it held. */
#define quire_compare_exchange(p, expected, desired)                                               \
    __atomic_compare_exchange_n((p), (expected), (desired), 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

/* A counter that one writer at a time advances and others read. */
#define quire_count(p, v) quire_store_relaxed((p), quire_load_relaxed(p) + (v))

/* The same for a hot path: one instruction on the machines that have it, which gcc doesn't make of
 * an atomic load and store. A reader sees the old or the new value all the same, since it is an
 * aligned word; ThreadSanitizer is shown the atomic form. */
#ifdef QUIRE_THREAD_SANITIZER
#define quire_count_hot(p, v) quire_count((p), (v))
#else
#define quire_count_hot(p, v) ((void)(*(p) += (v)))
#endif

#endif
