/* kernel/i386/task.c: thread-local storage by descriptors, and the FPU */
#include "task/arch_task.h"

#include "cpu.h"
#include "errno.h"
#include "fpu.h"
#include "i386/tls.h"
#include "user.h"

extern uint64_t gdt[];

/* FS and GS are what the program last loaded. */
void arch_save(struct task *task)
{
    __asm__ volatile("mov %%fs, %0" : "=m"(task->arch.fs));
    __asm__ volatile("mov %%gs, %0" : "=m"(task->arch.gs));
    cpu_fxsave(task->arch.fpu);
}

/* Loading the selector of a descriptor that has changed could be an exception of the kernel's: it
 * becomes 0 then. */
static uint16_t loadable(const struct task *task, uint16_t selector)
{
    unsigned slot = (unsigned)(selector - SELECTOR_TLS) / 8;
    if (selector == SELECTOR_USER_DATA || selector == SELECTOR_USER_CODE)
        return selector;
    uint64_t descriptor = 0;
    if (selector & SELECTOR_IS_LOCAL)
        descriptor = ldt_descriptor(task->process, selector);
    else if (selector >= SELECTOR_TLS && slot < NR_TLS_SLOTS && (selector & 3) == 3)
        descriptor = task->arch.tls[slot];
    return descriptor_can_be_read(descriptor) ? selector : 0;
}

void arch_load(struct task *task)
{
    struct arch_task *arch = &task->arch;
    for (unsigned i = 0; i < NR_TLS_SLOTS; i++)
        gdt[SELECTOR_TLS / 8 + i] = arch->tls[i];
    ldt_load(task->process);
    uint16_t fs = loadable(task, arch->fs), gs = loadable(task, arch->gs);
    __asm__ volatile("mov %0, %%fs" : : "r"(fs));
    __asm__ volatile("mov %0, %%gs" : : "r"(gs));
    cpu_fxrstor(arch->fpu);
}

void arch_reset(struct arch_task *arch)
{
    *arch = (struct arch_task){0};
    *(uint16_t *)(void *)arch->fpu = FPU_CONTROL;
    *(uint32_t *)(void *)(arch->fpu + MXCSR_OFFSET) = MXCSR_START;
}

/* ---- set_thread_area ------------------------------------------------------------------------- */

/* All zero but for its number, which Linux takes as empty, too. */
static bool is_empty(const struct user_desc *desc)
{
    return user_desc_is_empty(desc) || (!desc->base && !desc->limit && !desc->flags);
}

/* Data of 32 bits that is there: what IRET and loads of selectors can always take. */
static bool is_harmless(const struct user_desc *desc)
{
    return (desc->flags & USER_DESC_32BIT) && !(desc->flags & USER_DESC_NOT_PRESENT) &&
           (desc->flags & USER_DESC_CONTENTS) <= USER_DESC_EXPAND_DOWN;
}

int tls_set(struct task *task, struct user_desc *desc)
{
    unsigned slot = desc->entry - SELECTOR_TLS / 8;
    if (desc->entry == UINT32_MAX)
        for (slot = 0; slot < NR_TLS_SLOTS && task->arch.tls[slot]; slot++)
            ;
    if (slot >= NR_TLS_SLOTS)
        return desc->entry == UINT32_MAX ? -ESRCH : -EINVAL;
    if (!is_empty(desc) && !is_harmless(desc))
        return -EINVAL;
    task->arch.tls[slot] = is_empty(desc) ? 0 : descriptor_of(desc);
    desc->entry = slot + SELECTOR_TLS / 8;
    return 0;
}

int arch_set_tls(struct task *task, uintptr_t tls)
{
    struct user_desc desc;
    if (copy_from_user(&desc, tls, sizeof desc))
        return -EFAULT;
    return desc.entry == UINT32_MAX ? -EINVAL : tls_set(task, &desc);
}
