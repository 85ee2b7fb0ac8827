/* kernel/x86-64/signal_frame.c: a handler's frame, as Linux lays it out
 *
 * From the top down: 128 bytes below the stack pointer that are the program's own (the red zone of
 * the ABI), the FPU's state as FXSAVE writes it, on 64 bytes, and the frame, whose first word is
 * the handler's return address, so that the stack is aligned as after a call. There is no XSAVE
 * here, so the state has no extension and uc_flags doesn't say so.
 *
 * All that sigreturn reads is the program's: segments are the flat ones, of the flags only those
 * that a program may set itself, and MXCSR's reserved bits, with which FXRSTOR would fault, are
 * left out. An address that isn't a program's is found before it returns (task/return.c).
 */
#include "task/signal_frame.h"

#include "errno.h"
#include "fpu.h"
#include "task/arch_task.h"
#include "task/siginfo.h"
#include "user.h"

#define RED_ZONE_BYTES 128u
/* SS is in the frame and is to be kept as it is: Linux says so for programs that ask. */
#define UC_SIGCONTEXT_SS 2u
#define UC_STRICT_RESTORE_SS 4u

/* AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF. */
#define FLAGS_OF_PROGRAM 0x50dd5u
#define FLAGS_CLEARED 0x10500u /* RF, DF, TF, for the handler */

struct sigcontext {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, trap, old_mask, cr2;
    uint64_t fpu;
    uint64_t reserved[8];
};

struct rt_frame {
    uint64_t return_address;
    uint64_t uc_flags, uc_link;
    struct user_stack stack;
    struct sigcontext context;
    uint64_t mask;
    struct user_siginfo info;
};
_Static_assert(sizeof(struct sigcontext) == 256, "as Linux's struct sigcontext");
_Static_assert(sizeof(struct rt_frame) == 440, "as Linux's struct rt_sigframe");

/* ---- to the handler -------------------------------------------------------------------------- */

static void save_registers(struct sigcontext *to, const struct trap_frame *frame)
{
    to->r8 = frame->r8;
    to->r9 = frame->r9;
    to->r10 = frame->r10;
    to->r11 = frame->r11;
    to->r12 = frame->r12;
    to->r13 = frame->r13;
    to->r14 = frame->r14;
    to->r15 = frame->r15;
    to->rdi = frame->rdi;
    to->rsi = frame->rsi;
    to->rbp = frame->rbp;
    to->rbx = frame->rbx;
    to->rdx = frame->rdx;
    to->rax = frame->rax;
    to->rcx = frame->rcx;
    to->rsp = frame->rsp;
    to->rip = frame->rip;
    to->rflags = frame->rflags;
    to->cs = (uint16_t)frame->cs;
    to->ss = (uint16_t)frame->ss;
}

/* The switch to another task, while the copy sleeps, writes the same there. */
static int save_fpu(uintptr_t at)
{
    arch_save(current);
    memset(current->arch.fpu + FPU_SOFTWARE_OFFSET, 0, FXSAVE_BYTES - FPU_SOFTWARE_OFFSET);
    return copy_to_user(at, current->arch.fpu, FXSAVE_BYTES);
}

static void fill(struct rt_frame *to, const struct trap_frame *frame, uint64_t blocked)
{
    memset(to, 0, sizeof *to);
    to->uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    save_registers(&to->context, frame);
    to->context.error = current->trap_error;
    to->context.trap = current->trap_vector;
    to->context.cr2 = current->trap_address;
    to->context.old_mask = blocked;
    to->mask = blocked;
}

static void enter_handler(struct trap_frame *frame, const struct signal_action *action, int number,
                          uint64_t at)
{
    frame->rdi = (uint64_t)number;
    frame->rsi = at + offsetof(struct rt_frame, info);
    frame->rdx = at + offsetof(struct rt_frame, uc_flags);
    frame->rax = 0;
    frame->rip = action->handler;
    frame->rsp = at;
    frame->rflags &= ~(uint64_t)FLAGS_CLEARED;
    frame->cs = SELECTOR_USER_CODE;
    frame->ss = SELECTOR_USER_DATA;
    frame->vector = VECTOR_NONE;
}

/* Without SA_RESTORER there is nothing to return to, on Linux either. */
int signal_frame_push(struct trap_frame *frame, const struct signal_action *action,
                      const struct signal_info *info, uint64_t blocked)
{
    uint64_t top = signal_stack_choose(&current->alternate, action, frame->rsp - RED_ZONE_BYTES);
    uint64_t fpu = (top - FXSAVE_BYTES) & ~(uint64_t)(FPU_ALIGN - 1);
    uint64_t at = ((fpu - sizeof(struct rt_frame)) & ~(uint64_t)15) - 8;
    struct rt_frame to;
    if (!(action->flags & SA_RESTORER) || !signal_stack_allows(&current->alternate, top, at))
        return -EFAULT;
    fill(&to, frame, blocked);
    to.return_address = action->restorer;
    to.context.fpu = fpu;
    siginfo_to_user(&to.info, info);
    struct signal_stack alternate = current->alternate;
    to.stack = signal_stack_keep(&alternate);
    if (save_fpu(fpu) || copy_to_user(at, &to, sizeof to))
        return -EFAULT;
    current->alternate = alternate;
    enter_handler(frame, action, info->number, at);
    return 0;
}

/* ---- and back -------------------------------------------------------------------------------- */

static uint32_t *word_of(uint8_t *fpu, unsigned offset)
{
    return (uint32_t *)(void *)(fpu + offset);
}

/* `at` 0: as at a program's start, which is what Linux makes of no state. */
static int restore_fpu(uintptr_t at)
{
    uint8_t fpu[FXSAVE_BYTES] __attribute__((aligned(16))) = {0};
    *(uint16_t *)(void *)fpu = FPU_CONTROL;
    *word_of(fpu, MXCSR_OFFSET) = MXCSR_START;
    if (at && copy_from_user(fpu, at, sizeof fpu))
        return -EFAULT;
    arch_save(current);
    uint32_t mask = *word_of(current->arch.fpu, MXCSR_MASK_OFFSET);
    *word_of(fpu, MXCSR_OFFSET) &= mask ? mask : MXCSR_MASK_DEFAULT;
    memcpy(current->arch.fpu, fpu, sizeof fpu);
    arch_load(current);
    return 0;
}

static void restore_registers(struct trap_frame *frame, const struct sigcontext *from)
{
    frame->r8 = from->r8;
    frame->r9 = from->r9;
    frame->r10 = from->r10;
    frame->r11 = from->r11;
    frame->r12 = from->r12;
    frame->r13 = from->r13;
    frame->r14 = from->r14;
    frame->r15 = from->r15;
    frame->rdi = from->rdi;
    frame->rsi = from->rsi;
    frame->rbp = from->rbp;
    frame->rbx = from->rbx;
    frame->rdx = from->rdx;
    frame->rax = from->rax;
    frame->rcx = from->rcx;
    frame->rsp = from->rsp;
    frame->rip = from->rip;
    frame->rflags =
        (frame->rflags & ~(uint64_t)FLAGS_OF_PROGRAM) | (from->rflags & FLAGS_OF_PROGRAM);
    frame->cs = SELECTOR_USER_CODE;
    frame->ss = SELECTOR_USER_DATA;
    frame->vector = VECTOR_NONE;
}

/* The stack pointer is behind the return address, which the handler's return has taken. */
int signal_frame_pop(struct trap_frame *frame)
{
    struct rt_frame from;
    uint64_t at = frame->rsp - sizeof from.return_address;
    if (copy_from_user(&from, at, offsetof(struct rt_frame, info)))
        return -EFAULT;
    if (restore_fpu(from.context.fpu))
        return -EFAULT;
    restore_registers(frame, &from.context);
    signal_set_blocked(from.mask);
    /* One that can't be set is no reason to fail, as on Linux. */
    (void)!signal_stack_set(&current->alternate, &from.stack, frame->rsp);
    return 0;
}
