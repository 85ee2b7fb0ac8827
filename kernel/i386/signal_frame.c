/* kernel/i386/signal_frame.c: a handler's frame, as Linux lays it out
 *
 * There are two: that of handlers without SA_SIGINFO, which sigreturn takes back, and that of
 * rt_sigreturn. Above each is the FPU's state. A handler returns to its SA_RESTORER, or without one
 * to the vDSO. The room for the code that stood on the stack in former times is kept, and is empty.
 *
 * All that sigreturn reads is the program's: FS and GS arch_load looks at before it loads them, CS
 * and SS trap_frame_can_return; of the flags only those that a program may set itself.
 */
#include "task/signal_frame.h"
#include "task/vdso.h"

#include "errno.h"
#include "i386/fpu_frame.h"
#include "task/siginfo.h"
#include "user.h"

/* AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF. */
#define FLAGS_OF_PROGRAM 0x50dd5u
#define FLAGS_CLEARED 0x10500u /* RF, DF, TF, for the handler */
#define FPU_UNUSED_BYTES 624   /* in the old frame: the state stood there once */

struct sigcontext {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t trap, error, eip, cs, eflags, esp_at_signal, ss;
    uint32_t fpu, old_mask, cr2;
};

struct old_head {
    uint32_t return_address;
    int number;
    struct sigcontext context;
};

struct old_frame {
    struct old_head head;
    uint8_t fpu_unused[FPU_UNUSED_BYTES];
    uint32_t mask_high;
    uint8_t code[8];
};

struct rt_frame {
    uint32_t return_address;
    int number;
    uint32_t info_address, context_address;
    struct user_siginfo info;
    uint32_t uc_flags, uc_link;
    struct user_stack stack;
    struct sigcontext context;
    uint64_t mask;
    uint8_t code[8];
};
_Static_assert(sizeof(struct sigcontext) == 88, "as Linux's struct sigcontext_32");
_Static_assert(sizeof(struct old_frame) == 732, "as Linux's struct sigframe_ia32");
_Static_assert(sizeof(struct rt_frame) == 268, "as Linux's struct rt_sigframe_ia32");

/* ---- to the handler -------------------------------------------------------------------------- */

/* Where things go: the FPU's state, aligned so that FXSAVE's part is, and the frame, aligned as
 * the ABI has it at a function's start. */
struct place {
    uint32_t fpu, frame;
};

static int find_place(struct place *place, const struct trap_frame *frame,
                      const struct signal_action *action, uint32_t size)
{
    uint32_t top = signal_stack_choose(&current->alternate, action, frame->esp);
    place->fpu = ((top - FXSAVE_BYTES) & ~(FPU_ALIGN - 1)) - (uint32_t)sizeof(struct fsave_frame);
    place->frame = ((place->fpu - size + 4) & ~15u) - 4;
    return signal_stack_allows(&current->alternate, top, place->frame) ? 0 : -EFAULT;
}

static uint32_t restorer_of(const struct signal_action *action, const char *usual)
{
    return action->flags & SA_RESTORER ? action->restorer
                                       : (uint32_t)vdso_function(current_process()->vdso, usual);
}

/* After fpu_frame_save, which finds out what FS and GS are. */
static void save_context(struct sigcontext *to, const struct trap_frame *frame, uint32_t fpu,
                         uint64_t blocked)
{
    *to = (struct sigcontext){
        .gs = current->arch.gs,
        .fs = current->arch.fs,
        .es = SELECTOR_USER_DATA,
        .ds = SELECTOR_USER_DATA,
        .edi = frame->edi,
        .esi = frame->esi,
        .ebp = frame->ebp,
        .esp = frame->esp,
        .ebx = frame->ebx,
        .edx = frame->edx,
        .ecx = frame->ecx,
        .eax = frame->eax,
        .trap = current->trap_vector,
        .error = current->trap_error,
        .eip = frame->eip,
        .cs = frame->cs & 0xffff,
        .eflags = frame->eflags,
        .esp_at_signal = frame->esp,
        .ss = frame->ss & 0xffff,
        .fpu = fpu,
        .old_mask = (uint32_t)blocked,
        .cr2 = current->trap_address,
    };
}

/* Arguments are on the stack; in registers, too, for handlers that were compiled so. */
static void enter_handler(struct trap_frame *frame, const struct signal_action *action, int number,
                          uint32_t at)
{
    frame->eax = (uint32_t)number;
    frame->edx = frame->ecx = 0;
    frame->eip = action->handler;
    frame->esp = at;
    frame->eflags &= ~FLAGS_CLEARED;
    frame->cs = SELECTOR_USER_CODE;
    frame->ss = SELECTOR_USER_DATA;
    frame->vector = VECTOR_NONE;
}

static int push_old(struct trap_frame *frame, const struct signal_action *action, int number,
                    uint64_t blocked)
{
    struct old_head to;
    struct place place;
    uint32_t mask_high = (uint32_t)(blocked >> 32);
    if (find_place(&place, frame, action, sizeof(struct old_frame)) || fpu_frame_save(place.fpu))
        return -EFAULT;
    to.return_address = restorer_of(action, "__kernel_sigreturn");
    to.number = number;
    save_context(&to.context, frame, place.fpu, blocked);
    /* What is between has no meaning, and isn't written. */
    if (copy_to_user(place.frame, &to, sizeof to) ||
        copy_to_user(place.frame + offsetof(struct old_frame, mask_high), &mask_high,
                     sizeof mask_high))
        return -EFAULT;
    enter_handler(frame, action, number, place.frame);
    return 0;
}

static int push_rt(struct trap_frame *frame, const struct signal_action *action,
                   const struct signal_info *info, uint64_t blocked)
{
    struct rt_frame to;
    struct place place;
    memset(&to, 0, sizeof to);
    if (find_place(&place, frame, action, sizeof to) || fpu_frame_save(place.fpu))
        return -EFAULT;
    to.return_address = restorer_of(action, "__kernel_rt_sigreturn");
    to.number = info->number;
    to.info_address = place.frame + offsetof(struct rt_frame, info);
    to.context_address = place.frame + offsetof(struct rt_frame, uc_flags);
    siginfo_to_user(&to.info, info);
    save_context(&to.context, frame, place.fpu, blocked);
    to.mask = blocked;
    struct signal_stack alternate = current->alternate;
    to.stack = signal_stack_keep(&alternate);
    if (copy_to_user(place.frame, &to, sizeof to))
        return -EFAULT;
    current->alternate = alternate;
    enter_handler(frame, action, info->number, place.frame);
    frame->edx = to.info_address;
    frame->ecx = to.context_address;
    return 0;
}

int signal_frame_push(struct trap_frame *frame, const struct signal_action *action,
                      const struct signal_info *info, uint64_t blocked)
{
    return action->flags & SA_SIGINFO ? push_rt(frame, action, info, blocked)
                                      : push_old(frame, action, info->number, blocked);
}

/* ---- and back -------------------------------------------------------------------------------- */

static int restore_context(struct trap_frame *frame, const struct sigcontext *from, uint64_t mask)
{
    if (fpu_frame_restore(from->fpu, (uint16_t)from->fs, (uint16_t)from->gs))
        return -EFAULT;
    frame->edi = from->edi;
    frame->esi = from->esi;
    frame->ebp = from->ebp;
    frame->esp = from->esp;
    frame->ebx = from->ebx;
    frame->edx = from->edx;
    frame->ecx = from->ecx;
    frame->eax = from->eax;
    frame->eip = from->eip;
    frame->eflags = (frame->eflags & ~FLAGS_OF_PROGRAM) | (from->eflags & FLAGS_OF_PROGRAM);
    frame->cs = (from->cs & 0xffff) | 3;
    frame->ss = (from->ss & 0xffff) | 3;
    frame->vector = VECTOR_NONE;
    signal_set_blocked(mask);
    return 0;
}

/* The handler's return has taken the return address. */
int signal_frame_pop(struct trap_frame *frame)
{
    struct rt_frame from;
    uint32_t at = frame->esp - (uint32_t)sizeof from.return_address;
    if (copy_from_user(&from, at, sizeof from) || restore_context(frame, &from.context, from.mask))
        return -EFAULT;
    /* One that can't be set is no reason to fail, as on Linux. */
    (void)!signal_stack_set(&current->alternate, &from.stack, frame->esp);
    return 0;
}

/* The restorer has taken the number, too. */
int signal_frame_pop_old(struct trap_frame *frame)
{
    struct sigcontext context;
    uint32_t mask_high;
    uint32_t at = frame->esp - offsetof(struct old_head, context);
    if (copy_from_user(&context, frame->esp, sizeof context) ||
        copy_from_user(&mask_high, at + offsetof(struct old_frame, mask_high), sizeof mask_high))
        return -EFAULT;
    return restore_context(frame, &context, (uint64_t)mask_high << 32 | context.old_mask);
}
