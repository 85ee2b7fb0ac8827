/* bench/phys/stack.c: a bare stack of frame numbers for each thread
 *
 * The floor: it never locks, merges or shares, and serves one order. A thread can run empty while
 * another has plenty, so it takes no part in `remote`.
 */
#include <stdlib.h>

#include "loops.h"

struct stack {
    _Alignas(64) size_t top, capacity;
    uint32_t *frame;
};

struct stacks {
    struct stack stack[MAX_THREADS];
    uint32_t *frames;
    size_t bytes;
};

static OUT_OF_LINE uintptr_t stack_get(void *allocator, unsigned order)
{
    struct stack *stack = allocator;
    (void)order;
    return stack->top ? stack->frame[--stack->top] : 0;
}

static OUT_OF_LINE void stack_put(void *allocator, uintptr_t block, unsigned order)
{
    struct stack *stack = allocator;
    (void)order;
    if (stack->top < stack->capacity)
        stack->frame[stack->top++] = (uint32_t)block;
}

/* Frame 0 is left out: blocks are never 0. */
static void *stack_create(uint64_t bytes, unsigned threads, unsigned order)
{
    size_t blocks = (size_t)(bytes / FRAME_BYTES >> order) - 1;
    struct stacks *stacks = aligned_alloc(64, sizeof *stacks);
    if (!stacks)
        return NULL;
    stacks->bytes = threads * blocks * sizeof(uint32_t);
    stacks->frames = malloc(stacks->bytes);
    if (!stacks->frames) {
        free(stacks);
        return NULL;
    }
    uint32_t next = 1;
    for (unsigned t = 0; t < threads; t++) {
        struct stack *stack = &stacks->stack[t];
        *stack = (struct stack){.frame = stacks->frames + t * blocks, .capacity = blocks};
        for (size_t i = 0; i < blocks; i++) /* touched, those beyond `top` too */
            stack->frame[i] = 0;
        while (stack->top < blocks / threads)
            stack->frame[stack->top++] = next++ << order;
    }
    return stacks;
}

static void stack_destroy(void *machine)
{
    struct stacks *stacks = machine;
    free(stacks->frames);
    free(stacks);
}

static void *stack_local(void *machine, unsigned thread)
{
    return &((struct stacks *)machine)->stack[thread];
}

static size_t stack_metadata(void *machine)
{
    return ((struct stacks *)machine)->bytes;
}

static bool stack_fill(struct span *span)
{
    return loop_fill(stack_get, span);
}

static void stack_empty(struct span *span)
{
    loop_empty(stack_put, span);
}

static bool stack_repeat(struct span *span)
{
    return loop_repeat(stack_get, stack_put, span);
}

static OUT_OF_LINE bool stack_get_many(void *allocator, void *blocks)
{
    uintptr_t *block = blocks;
    for (unsigned i = 0; i < CALL_PAGES; i++)
        if (!(block[i] = stack_get(allocator, 0)))
            return false;
    return true;
}

static OUT_OF_LINE void stack_put_many(void *allocator, void *blocks)
{
    uintptr_t *block = blocks;
    for (unsigned i = 0; i < CALL_PAGES; i++)
        stack_put(allocator, block[i], 0);
}

static bool stack_calls(struct span *span)
{
    return loop_calls(stack_get_many, stack_put_many, span);
}

const struct subject stack_subject = {
    .name = "stack",
    .create = stack_create,
    .destroy = stack_destroy,
    .local = stack_local,
    .metadata = stack_metadata,
    .fill = stack_fill,
    .empty = stack_empty,
    .repeat = stack_repeat,
    .calls = stack_calls,
};
