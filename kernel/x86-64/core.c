/* kernel/x86-64/core.c: a thread's registers in a core */
#include "fpu.h"
#include "task/core_notes.h"
#include "trap.h"

#define NT_PRFPREG 2

void core_registers(const struct task *task, unsigned long registers[NR_CORE_REGISTERS])
{
    const struct trap_frame *f = task->frame;
    const struct arch_task *arch = &task->arch;
    const unsigned long call = f->vector == SYSCALL_VECTOR ? f->error : -1ul;
    const unsigned long order[NR_CORE_REGISTERS] = {
        f->r15,        f->r14,        f->r13,   f->r12,   f->rbp,    f->rbx,  f->r11,
        f->r10,        f->r9,         f->r8,    f->rax,   f->rcx,    f->rdx,  f->rsi,
        f->rdi,        call,          f->rip,   f->cs,    f->rflags, f->rsp,  f->ss,
        arch->fs_base, arch->gs_base, arch->ds, arch->es, arch->fs,  arch->gs};
    __builtin_memcpy(registers, order, sizeof order);
}

void core_fpu_notes(struct text_file *notes, const uint8_t *fpu)
{
    core_note(notes, "CORE", NT_PRFPREG, fpu, FXSAVE_BYTES);
}
