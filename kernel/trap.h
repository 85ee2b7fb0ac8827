/* kernel/trap.h: what interrupts a program or the kernel: exceptions, devices, system calls
 *
 * The kernel itself runs with interrupts off; they come while a program runs, and while there is
 * nothing to do. So the handlers of devices never meet the kernel half way.
 */
#ifndef KERNEL_TRAP_H
#define KERNEL_TRAP_H

#include "kernel.h"

#define NR_EXCEPTIONS 32
#define FIRST_IRQ_VECTOR 32
#define NR_IRQS 16
#define NR_TRAPS (FIRST_IRQ_VECTOR + NR_IRQS)
#define SYSCALL_VECTOR 0x80

/* GDT with its task state, IDT with all exceptions and interrupts. */
void traps_init(void);
void trap_print_registers(const struct trap_frame *frame);
/* Where traps from programs begin to push. */
void traps_set_stack(void *top);

/* The kernel's page tables, for traps that switch to a task of their own (i386). */
void traps_set_tables(uintptr_t cr3);

/* Where every trap arrives. Returns to what was interrupted. */
void trap(struct trap_frame *frame);

/* For tests that make the kernel fault on purpose: looks at an exception of the kernel's before it
 * is a panic. True: the frame says where to go on. NULL, as ever but in such a test: nobody does.
 */
extern bool (*trap_recover)(struct trap_frame *frame);

/* Programs' traps: task/return.c. */
void user_exception(struct trap_frame *frame);
void system_call(struct trap_frame *frame);
/* Before a program goes on: signals, and others' turns. */
void return_to_user(struct trap_frame *frame);

#endif
