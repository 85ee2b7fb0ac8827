/* kernel/x86-64/task.c: thread-local storage by base registers, and the FPU */
#include "task/arch_task.h"

#include "cpu.h"
#include "errno.h"
#include "fpu.h"
#include "memory.h"

/* The program's GS base waits in KERNEL_GS_BASE while the kernel runs. FSGSBASE is off, so a
 * program changes bases by arch_prctl, or by loading a selector, whose descriptor has base 0. What
 * base a null selector leaves depends on the processor: here it stays what it was, as on Linux.
 * Nobody but a program uses DS, ES and FS, and of GS only the base is the kernel's.
 */
#define NULL_SELECTORS 4u /* those below, whatever privilege they ask for */

void arch_save(struct task *task)
{
    struct arch_task *arch = &task->arch;
    __asm__ volatile("mov %%ds, %0" : "=m"(arch->ds));
    __asm__ volatile("mov %%es, %0" : "=m"(arch->es));
    __asm__ volatile("mov %%fs, %0" : "=m"(arch->fs));
    __asm__ volatile("mov %%gs, %0" : "=m"(arch->gs));
    if (arch->fs >= NULL_SELECTORS)
        arch->fs_base = 0;
    if (arch->gs >= NULL_SELECTORS)
        arch->gs_base = 0;
    cpu_fxsave(arch->fpu);
}

/* What was loaded once can be loaded again: descriptors never change. */
void arch_load(struct task *task)
{
    const struct arch_task *arch = &task->arch;
    uint16_t gs;
    __asm__ volatile("mov %0, %%ds" : : "r"(arch->ds));
    __asm__ volatile("mov %0, %%es" : : "r"(arch->es));
    __asm__ volatile("mov %0, %%fs" : : "r"(arch->fs));
    __asm__ volatile("mov %%gs, %0" : "=r"(gs));
    if (gs != arch->gs) /* the load changes the base, which has to be the program's meanwhile */
        __asm__ volatile("swapgs\n\tmov %0, %%gs\n\tswapgs" : : "r"(arch->gs) : "memory");
    cpu_write_msr(MSR_FS_BASE, arch->fs_base);
    cpu_write_msr(MSR_KERNEL_GS_BASE, arch->gs_base);
    cpu_fxrstor(arch->fpu);
}

void arch_reset(struct arch_task *arch)
{
    *arch = (struct arch_task){0};
    *(uint16_t *)(void *)arch->fpu = FPU_CONTROL;
    *(uint32_t *)(void *)(arch->fpu + MXCSR_OFFSET) = MXCSR_START;
}

int arch_set_tls(struct task *task, uintptr_t tls)
{
    if (tls >= quire_mm_layout_x86_64.end)
        return -EPERM;
    task->arch.fs_base = tls;
    task->arch.fs = 0;
    return 0;
}

/* There is no modify_ldt: code segments of a program's own would be of 32 bits, for which there is
 * no way in. */
int arch_fork_process(struct process *child, const struct process *parent, bool same_memory)
{
    (void)child;
    (void)parent;
    (void)same_memory;
    return 0;
}

void arch_end_process(struct process *process)
{
    (void)process;
}
