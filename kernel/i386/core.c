/* kernel/i386/core.c: a thread's registers in a core */
#include "i386/fpu_frame.h"
#include "task/core_notes.h"
#include "trap.h"

#define NT_PRFPREG 2
#define NT_PRXFPREG 0x46e62b7fu
#define FSAVE_BYTES 108 /* without Linux's words of a signal frame */

/* DS and ES are the flat ones. */
void core_registers(const struct task *task, unsigned long registers[NR_CORE_REGISTERS])
{
    const struct trap_frame *f = task->frame;
    const struct arch_task *arch = &task->arch;
    const unsigned long call = f->vector == SYSCALL_VECTOR ? f->error : -1ul;
    const unsigned long order[NR_CORE_REGISTERS] = {f->ebx,
                                                    f->ecx,
                                                    f->edx,
                                                    f->esi,
                                                    f->edi,
                                                    f->ebp,
                                                    f->eax,
                                                    SELECTOR_USER_DATA,
                                                    SELECTOR_USER_DATA,
                                                    arch->fs,
                                                    arch->gs,
                                                    call,
                                                    f->eip,
                                                    f->cs,
                                                    f->eflags,
                                                    f->esp,
                                                    f->ss};
    __builtin_memcpy(registers, order, sizeof order);
}

void core_fpu_notes(struct text_file *notes, const uint8_t *fpu)
{
    struct fsave_frame old;
    fpu_frame_of(&old, fpu);
    core_note(notes, "CORE", NT_PRFPREG, &old, FSAVE_BYTES);
    core_note(notes, "LINUX", NT_PRXFPREG, fpu, FXSAVE_BYTES);
}
