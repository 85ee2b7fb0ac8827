/* kernel/task/signal_frame.h: a handler's frame on the program's stack, as each architecture has it
 */
#ifndef KERNEL_TASK_SIGNAL_FRAME_H
#define KERNEL_TASK_SIGNAL_FRAME_H

#include "task/task.h"

/* Puts what the program was doing, with the mask `blocked`, onto its stack, and makes `frame` that
 * of the handler. -EFAULT: there is no room, or nothing for the handler to return to. */
QUIRE_MUST_CHECK int signal_frame_push(struct trap_frame *frame, const struct signal_action *action,
                                       const struct signal_info *info, uint64_t blocked);

/* What rt_sigreturn finds at the stack pointer becomes `frame`, and its mask and alternate stack
 * the task's. The frame is no longer a system call's. -EFAULT: nothing has changed. */
QUIRE_MUST_CHECK int signal_frame_pop(struct trap_frame *frame);
/* i386's sigreturn, for handlers without SA_SIGINFO. */
QUIRE_MUST_CHECK int signal_frame_pop_old(struct trap_frame *frame);

/* What stands in struct trap_frame's vector when it isn't a trap's any more. */
#define VECTOR_NONE 0

/* ---- alternate stacks (man 2 sigaltstack) ---------------------------------------------------- */

/* stack_t. The flags are an int, and padding on x86-64. */
struct user_stack {
    uintptr_t base;
    unsigned long flags, size;
};

/* Is `pointer` within it? Never for one that disarms itself. */
bool signal_stack_is_on(const struct signal_stack *stack, uintptr_t pointer);
/* As a program sees it that has `pointer` as its stack pointer. */
struct user_stack signal_stack_show(const struct signal_stack *stack, uintptr_t pointer);
/* -EPERM, -EINVAL, -ENOMEM: as the manual. */
QUIRE_MUST_CHECK int signal_stack_set(struct signal_stack *stack, const struct user_stack *user,
                                      uintptr_t pointer);
/* Where a handler's frame begins to grow down from. */
uintptr_t signal_stack_choose(const struct signal_stack *stack, const struct signal_action *action,
                              uintptr_t pointer);
/* May a frame that began at `top` reach down to `bottom`? Not out of an alternate stack. */
bool signal_stack_allows(const struct signal_stack *stack, uintptr_t top, uintptr_t bottom);
/* The stack as a frame keeps it; one that disarms itself is off from now on. */
struct user_stack signal_stack_keep(struct signal_stack *stack);

#endif
