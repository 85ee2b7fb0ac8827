/* kernel/task/return.c: in from a program, and back to it
 */
#include <quire/port.h>

#include "base/compiler.h"
#include "cpu.h"
#include "errno.h"
#include "syscall.h"
#include "task/arch_task.h"
#include "task/lifecycle.h"
#include "task/oom.h"
#include "task/sched.h"
#include "task/signal_deliver.h"
#include "trap.h"

#define VECTOR_DIVIDE 0
#define VECTOR_DEBUG 1
#define VECTOR_BREAKPOINT 3
#define VECTOR_INVALID_OPCODE 6
#define VECTOR_STACK 12
#define VECTOR_NOT_PRESENT 11
#define VECTOR_PAGE_FAULT 14
#define VECTOR_X87 16
#define VECTOR_ALIGNMENT 17
#define VECTOR_SIMD 19

#define FPE_INTDIV 1
#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7
#define FPU_STATUS_OFFSET 2 /* as FXSAVE writes it, behind the control word */
#define FPU_MXCSR_OFFSET 24
#define ILL_ILLOPN 2
#define TRAP_TRACE 2
#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define SI_KERNEL 0x80
#define MOST_WITHOUT_MEMORY 100u

/* ---- exceptions ------------------------------------------------------------------------------ */

static void raise(int number, int code, uintptr_t address)
{
    struct signal_info info = {.number = number, .code = code, .address = address};
    signal_force(number, &info);
}

/* What is flagged and not masked; the order among several is Linux's. */
static int fpe_code(unsigned errors)
{
    enum { INVALID = 1, DENORMAL = 2, DIVIDE = 4, OVERFLOW = 8, UNDERFLOW = 16, PRECISION = 32 };
    if (errors & INVALID)
        return FPE_FLTINV;
    if (errors & DIVIDE)
        return FPE_FLTDIV;
    if (errors & OVERFLOW)
        return FPE_FLTOVF;
    if (errors & (UNDERFLOW | DENORMAL))
        return FPE_FLTUND;
    return errors & PRECISION ? FPE_FLTRES : 0;
}

static void fpu_exception(unsigned vector, uintptr_t pc)
{
    uint16_t control, status;
    uint32_t mxcsr;
    arch_save(current);
    const uint8_t *fpu = current->arch.fpu;
    memcpy(&control, fpu, sizeof control);
    memcpy(&status, fpu + FPU_STATUS_OFFSET, sizeof status);
    memcpy(&mxcsr, fpu + FPU_MXCSR_OFFSET, sizeof mxcsr);
    unsigned errors = vector == VECTOR_X87 ? status & ~(unsigned)control : mxcsr & ~(mxcsr >> 7);
    int code = fpe_code(errors);
    if (code) /* else it was spurious */
        raise(SIGFPE, code, pc);
}

static void page_fault(struct trap_frame *frame, uintptr_t address)
{
    unsigned flags = QUIRE_FAULT_FLAG_USER;
    if (frame->error & QUIRE_PF_WRITE)
        flags |= QUIRE_FAULT_FLAG_WRITE;
    if (frame->error & QUIRE_PF_FETCH)
        flags |= QUIRE_FAULT_FLAG_EXEC;
    switch (quire_handle_fault(current_process()->mm, address, flags, &current->fault_cache)) {
    case QUIRE_VM_MINOR:
    case QUIRE_VM_MAJOR:
        current->nr_without_memory = 0;
        return;
    case QUIRE_VM_SEGV_MAPERR:
        raise(SIGSEGV, SEGV_MAPERR, address);
        return;
    case QUIRE_VM_SEGV_ACCERR:
        raise(SIGSEGV, SEGV_ACCERR, address);
        return;
    case QUIRE_VM_BUS_ADRERR:
        raise(SIGBUS, BUS_ADRERR, address);
        return;
    case QUIRE_VM_BUS_MCEERR:
        raise(SIGBUS, BUS_MCEERR_AR, address);
        return;
    case QUIRE_VM_OOM:
        /* Somebody was chosen to end, and the access is tried again when he has; if that helps
         * nothing, it is this one's turn. */
        if (current->nr_without_memory++ < MOST_WITHOUT_MEMORY)
            schedule();
        else
            oom_kill(current_process());
        return;
    }
}

void user_exception(struct trap_frame *frame)
{
    uintptr_t address = cpu_cr2(), pc = trap_frame_pc(frame);
    current->trap_vector = (unsigned)frame->vector;
    current->trap_error = (unsigned)frame->error;
    if (frame->vector == VECTOR_PAGE_FAULT)
        current->trap_address = address;
    switch (frame->vector) {
    case VECTOR_PAGE_FAULT:
        page_fault(frame, address);
        return;
    case VECTOR_DIVIDE:
        raise(SIGFPE, FPE_INTDIV, pc);
        return;
    case VECTOR_DEBUG:
        raise(SIGTRAP, TRAP_TRACE, pc);
        return;
    case VECTOR_BREAKPOINT:
        raise(SIGTRAP, SI_KERNEL, 0);
        return;
    case VECTOR_INVALID_OPCODE:
        raise(SIGILL, ILL_ILLOPN, pc);
        return;
    case VECTOR_X87:
    case VECTOR_SIMD:
        fpu_exception((unsigned)frame->vector, pc);
        return;
    case VECTOR_NOT_PRESENT:
    case VECTOR_STACK:
        raise(SIGBUS, SI_KERNEL, 0);
        return;
    case VECTOR_ALIGNMENT:
        raise(SIGBUS, BUS_ADRALN, 0);
        return;
    default:
        raise(SIGSEGV, SI_KERNEL, 0);
    }
}

/* ---- system calls ---------------------------------------------------------------------------- */

void system_call(struct trap_frame *frame)
{
    unsigned long argument[6];
    const uint32_t number = (uint32_t)frame->error; /* of a register the lower half counts */
    long result = -ENOSYS;
    trap_frame_arguments(frame, argument);
    if (number < nr_syscalls && syscall_table[number].call)
        result = syscall_table[number].call(argument);
    else
        syscall_count_unknown((unsigned long)(int)number); /* -1 is told so */
    if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK)
        sched_attend();
    /* execve and sigreturn have made the frame anew, and its result with it. */
    if (quire_likely(frame->vector == SYSCALL_VECTOR))
        trap_frame_set_result(frame, (unsigned long)result);
    else
        sched_attend(); /* a frame of the program's making */
}

/* ---- back ------------------------------------------------------------------------------------ */

static QUIRE_NOINLINE void attend(struct trap_frame *frame)
{
    for (;;) {
        struct process *process = current_process();
        sched_attention = false;
        if (process->exiting)
            task_exit(process->status);
        if (process->survivor && process->survivor != current)
            task_exit(0);
        if (signal_has_work(frame)) {
            signal_deliver(frame);
            if (sched_turn_is_over())
                schedule();
        } else if (!trap_frame_can_return(frame))
            raise(SIGSEGV, SI_KERNEL, 0);
        else if (sched_turn_is_over())
            schedule();
        else
            break;
    }
}

void return_to_user(struct trap_frame *frame)
{
    if (quire_unlikely(sched_attention))
        attend(frame);
    sched_leave_kernel();
}
