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

#define DESCRIPTOR_PRESENT (1ull << 47)
#define DESCRIPTOR_CODE (1ull << 43)
#define DESCRIPTOR_READABLE (1ull << 41)

static bool can_be_read(uint64_t descriptor)
{
    return (descriptor & DESCRIPTOR_PRESENT) &&
           (!(descriptor & DESCRIPTOR_CODE) || (descriptor & DESCRIPTOR_READABLE));
}

/* Loading the selector of a slot that has changed could be an exception of the kernel's: it becomes
 * 0 then. */
static uint16_t loadable(const struct arch_task *arch, uint16_t selector)
{
    unsigned slot = (unsigned)(selector - SELECTOR_TLS) / 8;
    if (selector == SELECTOR_USER_DATA || selector == SELECTOR_USER_CODE)
        return selector;
    bool is_slot = selector >= SELECTOR_TLS && slot < NR_TLS_SLOTS && (selector & 7) == 3;
    return is_slot && can_be_read(arch->tls[slot]) ? selector : 0;
}

void arch_load(struct task *task)
{
    struct arch_task *arch = &task->arch;
    for (unsigned i = 0; i < NR_TLS_SLOTS; i++)
        gdt[SELECTOR_TLS / 8 + i] = arch->tls[i];
    uint16_t fs = loadable(arch, arch->fs), gs = loadable(arch, arch->gs);
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

/* As the kernel makes it of a user_desc (SDM 3A, figure 5-8): accessed and, but for the empty one,
 * privilege 3. */
static uint64_t descriptor_of(const struct user_desc *desc)
{
    uint64_t type = 0xf1u | (desc->flags & USER_DESC_READ_ONLY ? 0 : 2) |
                    (desc->flags & USER_DESC_CONTENTS) << 1;
    uint64_t present = desc->flags & USER_DESC_NOT_PRESENT ? 0 : 0x80;
    type = (type & ~(uint64_t)0x80) | present;
    uint64_t high = (desc->limit >> 16 & 0xf) | (desc->flags & USER_DESC_USEABLE ? 0x1u : 0) << 4 |
                    (desc->flags & USER_DESC_32BIT ? 0x4u : 0) << 4 |
                    (desc->flags & USER_DESC_LIMIT_IN_PAGES ? 0x8u : 0) << 4;
    return (desc->limit & 0xffff) | (uint64_t)(desc->base & 0xffffff) << 16 | type << 40 |
           high << 48 | (uint64_t)(desc->base >> 24) << 56;
}

static bool is_empty(const struct user_desc *desc)
{
    return !desc->base && !desc->limit &&
           desc->flags == (USER_DESC_READ_ONLY | USER_DESC_NOT_PRESENT);
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
