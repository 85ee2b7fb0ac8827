/* kernel/x86-64/arch.h: what is special about 64 bits: four-level paging
 *
 *   0xffff888000000000  direct map of all memory, in pages of 2 MiB
 *   0xffffc90000000000  vmalloc, 512 GiB: what one entry of the root leads to
 *   0xffffffff80000000  the first GiB again; the kernel image in it, at 1 MiB
 *   0xffffffffff800000  three windows of 2 MiB
 */
#ifndef KERNEL_X86_64_ARCH_H
#define KERNEL_X86_64_ARCH_H

#define ARCH_NAME "x86-64"
#define KERNEL_OFFSET 0xffffffff80000000 /* image address - physical address */
#define DIRECT_MAP_BASE 0xffff888000000000
#define DIRECT_MAP_MAX 0x400000000000 /* 64 TiB, as far as Linux's reaches */
#define PHYS_END 0x400000000000
#define PROGRAM_END 0x800000000000 /* up to here addresses are canonical */
#define VMALLOC_START 0xffffc90000000000
#define VMALLOC_END 0xffffc98000000000

#define WINDOWS_BASE 0xffffffffff800000
#define BOOT_MAP_BYTES 0x40000000 /* what boot.S maps: the image must end below */

#define BOOT_STACK_BYTES 65536
#define STACK_POINTER "rsp"
/* Linux's. */
#define GDT_ENTRIES 16
#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_USER_CODE32 0x23 /* what SYSRET expects below the two others */
#define SELECTOR_USER_DATA 0x2b
#define SELECTOR_USER_CODE 0x33
#define SELECTOR_TSS 0x40 /* takes two slots */

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

/* As entry.S and the CPU push it. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* What a task has beside its frame while it doesn't run. */
struct arch_task {
    uint8_t fpu[512] __attribute__((aligned(16))); /* as FXSAVE writes it */
    uint64_t fs_base, gs_base;
    uint16_t ds, es, fs, gs;
};

/* Can IRET go there without an exception of the kernel's own? */
static inline bool trap_frame_can_return(const struct trap_frame *frame)
{
    return frame->rip < PROGRAM_END && frame->cs == SELECTOR_USER_CODE &&
           frame->ss == SELECTOR_USER_DATA;
}

static inline bool trap_frame_is_user(const struct trap_frame *frame)
{
    return frame->cs & 3;
}

/* A system call's arguments, in the order that programs pass them. */
static inline void trap_frame_arguments(const struct trap_frame *frame, unsigned long argument[6])
{
    argument[0] = frame->rdi;
    argument[1] = frame->rsi;
    argument[2] = frame->rdx;
    argument[3] = frame->r10;
    argument[4] = frame->r8;
    argument[5] = frame->r9;
}

static inline void trap_frame_set_result(struct trap_frame *frame, unsigned long result)
{
    frame->rax = result;
}

static inline unsigned long trap_frame_result(const struct trap_frame *frame)
{
    return frame->rax;
}

static inline uintptr_t trap_frame_stack(const struct trap_frame *frame)
{
    return frame->rsp;
}

#define SYSCALL_INSTRUCTION_BYTES 2 /* syscall */
#define SAVED_REGISTERS 6           /* by switch_stacks */
#define EFLAGS_PROGRAM 0x202        /* interrupts on */

static inline void trap_frame_set_pc(struct trap_frame *frame, uintptr_t pc)
{
    frame->rip = pc;
}

static inline void trap_frame_set_stack(struct trap_frame *frame, uintptr_t stack)
{
    frame->rsp = stack;
}

/* All registers as a program finds them. */
static inline void trap_frame_start(struct trap_frame *frame, uintptr_t pc, uintptr_t stack)
{
    *frame = (struct trap_frame){.rip = pc,
                                 .cs = SELECTOR_USER_CODE,
                                 .rflags = EFLAGS_PROGRAM,
                                 .rsp = stack,
                                 .ss = SELECTOR_USER_DATA};
}

static inline uintptr_t trap_frame_pc(const struct trap_frame *frame)
{
    return frame->rip;
}

/* Of an exception of the kernel's: what lay on its stack. */
static inline uintptr_t trap_frame_kernel_stack(const struct trap_frame *frame)
{
    return frame->rsp;
}
#endif

#endif
