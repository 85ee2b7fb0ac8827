/* kernel/memory_functions.c: the four functions that the compiler and the library call
 *
 * The string instructions are the shortest code, and fast on CPUs of this century. The direction
 * flag is clear, as the calling convention says, but for the copy that must go backwards.
 */
#include "kernel.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *result = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return result;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    void *last_to = (char *)to + size - 1;
    const void *last_from = (const char *)from + size - 1;
    __asm__ volatile("std\n\trep movsb\n\tcld"
                     : "+D"(last_to), "+S"(last_from), "+c"(size)
                     :
                     : "memory");
    return to;
}

void *memset(void *at, int value, size_t size)
{
    void *result = at;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
    return result;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}
