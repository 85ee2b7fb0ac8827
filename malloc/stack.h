/* malloc/stack.h: who called */
#ifndef QUIRE_MALLOC_STACK_H
#define QUIRE_MALLOC_STACK_H

#include <stddef.h>
#include <stdint.h>

#define STACK_FRAMES 8

struct stack {
    uintptr_t frame[STACK_FRAMES]; /* 0 behind the last */
};

/* The callers of the library, the nearest first. By unwind tables: tens of microseconds. */
void stack_take(struct stack *stack);
/* A line a frame on stderr: the program or library, and the offset in it that addr2line wants. */
void stack_print(const struct stack *stack);

#endif
