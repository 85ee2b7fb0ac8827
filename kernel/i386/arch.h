/* kernel/i386/arch.h: what is special about 32 bits: 3 GiB for programs, 1 GiB for the kernel;
 * paging with PAE, or with tables of two levels where PAE gives nothing (boot.S)
 *
 *   0xc0000000  direct map of up to 896 MiB, in large pages; the kernel image in it, at 1 MiB
 *   0xf8800000  vmalloc, up to 0xff000000
 *   0xff000000  three windows
 */
#ifndef KERNEL_I386_ARCH_H
#define KERNEL_I386_ARCH_H

#define ARCH_NAME "i386"
#define KERNEL_OFFSET 0xc0000000 /* image address - physical address */
#define DIRECT_MAP_BASE 0xc0000000
#define DIRECT_MAP_MAX 0x38000000 /* 896 MiB */
#define PHYS_END 0x1000000000     /* 64 GiB, as far as Linux goes with PAE */
#define PROGRAM_END 0xc0000000
#define VMALLOC_START 0xf8800000
#define VMALLOC_END 0xff000000

#define WINDOWS_BASE 0xff000000
#define BOOT_MAP_BYTES 0x1000000 /* what boot.S maps: the image must end below */

#define BOOT_STACK_BYTES 65536
#define STACK_POINTER "esp"
/* Linux's. */
#define GDT_ENTRIES 32
#define SELECTOR_TLS 0x30 /* three slots */
#define SELECTOR_CODE 0x60
#define SELECTOR_DATA 0x68
#define SELECTOR_USER_CODE 0x73
#define SELECTOR_USER_DATA 0x7b
#define SELECTOR_TSS 0x80
#define SELECTOR_LDT 0x88
#define SELECTOR_DOUBLE_FAULT 0xf8

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As entry.S and the CPU push it; from the kernel itself there is no esp and ss. */
struct trap_frame {
    uint32_t edi, esi, ebp, stub_esp, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
    uint32_t esp, ss;
};

#define TRAP_FRAME_ABOVE_VECTOR                                                                    \
    (offsetof(struct trap_frame, esp) - offsetof(struct trap_frame, vector))

/* What a task has beside its frame while it doesn't run. Segments for thread-local storage are in
 * three slots of the GDT (set_thread_area), or the process's (ldt.c). DS and ES always are the
 * flat ones. */
struct arch_task {
    uint8_t fpu[512] __attribute__((aligned(16))); /* as FXSAVE writes it */
    uint64_t tls[3];
    uint16_t fs, gs;
};

/* Can IRET go there without an exception of the kernel's own? (ldt.c) */
bool trap_frame_can_return(const struct trap_frame *frame);

static inline bool trap_frame_is_user(const struct trap_frame *frame)
{
    return frame->cs & 3;
}

/* A system call's arguments, in the order that programs pass them. */
static inline void trap_frame_arguments(const struct trap_frame *frame, unsigned long argument[6])
{
    argument[0] = frame->ebx;
    argument[1] = frame->ecx;
    argument[2] = frame->edx;
    argument[3] = frame->esi;
    argument[4] = frame->edi;
    argument[5] = frame->ebp;
}

static inline void trap_frame_set_result(struct trap_frame *frame, unsigned long result)
{
    frame->eax = (uint32_t)result;
}

static inline unsigned long trap_frame_result(const struct trap_frame *frame)
{
    return frame->eax;
}

static inline uintptr_t trap_frame_stack(const struct trap_frame *frame)
{
    return frame->esp;
}

#define SYSCALL_INSTRUCTION_BYTES 2 /* int $0x80 */
#define SAVED_REGISTERS 4           /* by switch_stacks */
#define EFLAGS_PROGRAM 0x202        /* interrupts on */

static inline void trap_frame_set_pc(struct trap_frame *frame, uintptr_t pc)
{
    frame->eip = pc;
}

static inline void trap_frame_set_stack(struct trap_frame *frame, uintptr_t stack)
{
    frame->esp = stack;
}

/* All registers as a program finds them. */
static inline void trap_frame_start(struct trap_frame *frame, uintptr_t pc, uintptr_t stack)
{
    *frame = (struct trap_frame){.eip = pc,
                                 .cs = SELECTOR_USER_CODE,
                                 .eflags = EFLAGS_PROGRAM,
                                 .esp = stack,
                                 .ss = SELECTOR_USER_DATA};
}

static inline uintptr_t trap_frame_pc(const struct trap_frame *frame)
{
    return frame->eip;
}

/* Of an exception of the kernel's: what lay on its stack. The CPU pushes no ESP then; what the
 * entry code has pushed points at `vector`. */
static inline uintptr_t trap_frame_kernel_stack(const struct trap_frame *frame)
{
    return frame->stub_esp + TRAP_FRAME_ABOVE_VECTOR;
}
#endif

#endif
