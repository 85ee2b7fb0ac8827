/* tests/preload/errors/errors.h: small programs that commit one error of the heap each
 *
 * What an allocator makes of it is seen from outside: see main.c. Afterwards the program goes on
 * allocating, as a real one does, since much is noticed only then.
 */
#ifndef QUIRE_TESTS_PRELOAD_ERRORS_H
#define QUIRE_TESTS_PRELOAD_ERRORS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct heap_error {
    const char *name; /* what is done */
    void (*commit)(void);
};
#define HEAP_ERROR(function)                                                                       \
    {                                                                                              \
#function, function                                                                        \
    }

struct error_group {
    const char *name;
    const struct heap_error *errors; /* ends with an empty one */
};

/* Sizes of the four kinds: in a thread's cache, beside others, in pages of its own, mapped. */
#define SMALL ((size_t)24)
#define MIDDLE ((size_t)2008)
#define PAGES ((size_t)20000)
#define LARGE ((size_t)1000000)

/* A block that is filled, with a neighbour of the same size on either side. */
char *block_among_others(size_t size);

/* So that the compiler knows nothing of the pointer: it would leave out what is undefined. */
static inline char *hidden(void *pointer)
{
    __asm__ volatile("" : "+r"(pointer)::"memory");
    return (char *)pointer;
}

/* Runs a function in a thread, to its end. */
void in_a_thread(void (*function)(char *), char *argument);

#ifdef __cplusplus
}
#endif

#endif
