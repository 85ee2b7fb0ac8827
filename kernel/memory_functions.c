/* kernel/memory_functions.c: the four functions that the compiler and the library call
 *
 * The string instructions are the shortest code, and fast on CPUs of this century; by words, since
 * those without ERMS, and emulators, take a step for each element. The direction flag is clear, as
 * the calling convention says, but for the copy that must go backwards.
 */
#include "kernel.h"

#if __SIZEOF_LONG__ == 8
#define LETTER "q"
#else
#define LETTER "l"
#endif

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *result = to;
    size_t words = size / sizeof(long), rest = size % sizeof(long);
    __asm__ volatile("rep movs" LETTER : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
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
    size_t words = size / sizeof(long), rest = size % sizeof(long);
    unsigned long pattern = ~0ul / 0xff * (unsigned char)value;
    __asm__ volatile("rep stos" LETTER : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(pattern) : "memory");
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
