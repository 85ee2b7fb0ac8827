/* base/compiler.h: what the compiler is told, and the three tiers of assertion */
#ifndef QUIRE_BASE_COMPILER_H
#define QUIRE_BASE_COMPILER_H

#include <quire/port.h>

#define quire_likely(x) __builtin_expect(!!(x), 1)
#define quire_unlikely(x) __builtin_expect(!!(x), 0)
#define QUIRE_NOINLINE __attribute__((noinline))
#define QUIRE_ALWAYS_INLINE inline __attribute__((always_inline))
#define QUIRE_CACHELINE_BYTES 64

#define QUIRE_STRINGIFY_(x) #x
#define QUIRE_STRINGIFY(x) QUIRE_STRINGIFY_(x)
#define QUIRE_WHERE __FILE__ ":" QUIRE_STRINGIFY(__LINE__)

/* Always: going on would corrupt memory. */
#define QUIRE_BUG_ON(condition)                                                                    \
    do {                                                                                           \
        if (quire_unlikely(condition))                                                             \
            quire_port_panic("quire: broken invariant: !(" #condition ") at " QUIRE_WHERE);        \
    } while (0)

/* Debug builds: a mistake of our own that would show elsewhere later. */
#if QUIRE_DEBUG_LEVEL >= 1
#define QUIRE_ASSERT(condition) QUIRE_BUG_ON(!(condition))
#else
#define QUIRE_ASSERT(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

/* Model and stress tests: walks a structure. */
#if QUIRE_DEBUG_LEVEL >= 2
#define QUIRE_EXPENSIVE(condition) QUIRE_BUG_ON(!(condition))
#else
#define QUIRE_EXPENSIVE(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
