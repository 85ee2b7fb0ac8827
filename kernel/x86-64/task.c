/* kernel/x86-64/task.c: thread-local storage by base registers, and the FPU */
#include "task/arch_task.h"

#include "cpu.h"
#include "errno.h"
#include "fpu.h"
#include "memory.h"

/* The program's GS base waits in KERNEL_GS_BASE while the kernel runs. FSGSBASE is off, so a
 * program changes bases by arch_prctl; what it makes of them by loading selectors lasts until its
 * turn ends.
 */
void arch_save(struct task *task)
{
    cpu_fxsave(task->arch.fpu);
}

void arch_load(struct task *task)
{
    cpu_write_msr(MSR_FS_BASE, task->arch.fs_base);
    cpu_write_msr(MSR_KERNEL_GS_BASE, task->arch.gs_base);
    cpu_fxrstor(task->arch.fpu);
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
    return 0;
}
