/* kernel/task/signal_stack.c: stacks for signal handlers (man 2 sigaltstack)
 */
#include "errno.h"
#include "task/signal_frame.h"

#define STACK_BYTES_MIN 2048u /* MINSIGSTKSZ of both classes */

static bool holds(const struct signal_stack *stack, uintptr_t pointer)
{
    return pointer > stack->base && pointer - stack->base <= stack->size;
}

bool signal_stack_is_on(const struct signal_stack *stack, uintptr_t pointer)
{
    return !(stack->flags & SS_AUTODISARM) && holds(stack, pointer);
}

struct user_stack signal_stack_show(const struct signal_stack *stack, uintptr_t pointer)
{
    struct user_stack user = {stack->base, (uint32_t)(stack->flags & SS_AUTODISARM), stack->size};
    if (!stack->size)
        user.flags |= SS_DISABLE;
    else if (signal_stack_is_on(stack, pointer))
        user.flags |= SS_ONSTACK;
    return user;
}

int signal_stack_set(struct signal_stack *stack, const struct user_stack *user, uintptr_t pointer)
{
    int flags = (int)(uint32_t)user->flags, mode = flags & ~SS_AUTODISARM;
    if (signal_stack_is_on(stack, pointer))
        return -EPERM;
    if (mode && mode != SS_DISABLE && mode != SS_ONSTACK)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        *stack = (struct signal_stack){.flags = flags};
        return 0;
    }
    if (user->size < STACK_BYTES_MIN)
        return -ENOMEM;
    *stack = (struct signal_stack){user->base, user->size, flags & ~SS_ONSTACK};
    return 0;
}

uintptr_t signal_stack_choose(const struct signal_stack *stack, const struct signal_action *action,
                              uintptr_t pointer)
{
    bool is_wanted = (action->flags & SA_ONSTACK) && stack->size;
    return is_wanted && !signal_stack_is_on(stack, pointer) ? stack->base + stack->size : pointer;
}

bool signal_stack_allows(const struct signal_stack *stack, uintptr_t top, uintptr_t bottom)
{
    return bottom < top && (!holds(stack, top) || holds(stack, bottom));
}

struct user_stack signal_stack_keep(struct signal_stack *stack)
{
    struct user_stack user = {stack->base, (uint32_t)stack->flags, stack->size};
    if (stack->flags & SS_AUTODISARM)
        *stack = (struct signal_stack){.flags = SS_DISABLE};
    return user;
}
