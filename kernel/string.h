/* kernel/string.h: strings that end with NUL, and small blocks from the machine's slab */
#ifndef KERNEL_STRING_H
#define KERNEL_STRING_H

#include <quire/slab.h>

#include "memory.h"

static inline size_t string_length(const char *string)
{
    size_t length = 0;
    while (string[length])
        length++;
    return length;
}

/* At most `size`: then there is no NUL. */
static inline size_t string_length_within(const char *string, size_t size)
{
    size_t length = 0;
    while (length < size && string[length])
        length++;
    return length;
}

static inline bool string_equal(const char *a, const char *b)
{
    for (; *a && *a == *b; a++)
        b++;
    return *a == *b;
}

/* A copy of `size` bytes and a NUL behind them, for quire_kfree; NULL: no memory. */
static inline char *string_copy(const char *from, size_t size)
{
    char *copy = quire_kmalloc(machine_slab, size + 1, QUIRE_GFP_KERNEL);
    if (copy) {
        __builtin_memcpy(copy, from, size);
        copy[size] = '\0';
    }
    return copy;
}

/* A number in decimal that is all of `text`; false: something else, or so large that another digit
 * might not fit. */
static inline bool string_number(const char *text, size_t size, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned digit = (unsigned)text[i] - '0';
        if (digit > 9 || *number > (UINT64_MAX - 9) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    return size > 0;
}

#endif
