/* kernel/task/exec_stack.h: what a program finds on its stack */
#ifndef KERNEL_TASK_EXEC_STACK_H
#define KERNEL_TASK_EXEC_STACK_H

#include "task/elf.h"
#include "task/exec.h"

struct exec_stack {
    const char *path; /* of the program */
    const struct exec_strings *argv, *envp;
    const struct credentials *who; /* that it will have */
    const struct elf *elf;
    const struct elf_place *place;
    quire_linear_t interpreter; /* where it was mapped; 0: none */
    quire_linear_t vdso;
    /* Where things went. */
    quire_linear_t pointer, arg_start, arg_end, env_start, env_end;
};

/* Maps the stack at the end of an address space and writes strings, the auxiliary vector and
 * pointers to it, as the System V ABI has them (3.4.1). -ENOMEM, -E2BIG. */
QUIRE_MUST_CHECK int exec_stack_make(struct exec_stack *stack, struct quire_mm *mm,
                                     quire_linear_t top);

#endif
