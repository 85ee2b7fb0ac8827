/* kernel/x86-64/arch.h: what is special about 64 bits: four-level paging
 *
 *   0xffff888000000000  direct map of all memory, in pages of 2 MiB
 *   0xffffffff80000000  the first GiB again; the kernel image in it, at 1 MiB
 *   0xffffffffffa00000  three windows of 2 MiB
 */
#ifndef KERNEL_X86_64_ARCH_H
#define KERNEL_X86_64_ARCH_H

#define ARCH_NAME "x86-64"
#define KERNEL_OFFSET 0xffffffff80000000 /* image address - physical address */
#define DIRECT_MAP_BASE 0xffff888000000000
#define DIRECT_MAP_MAX 0x400000000000 /* 64 TiB, as far as Linux's reaches */
#define PHYS_END 0x400000000000

#define PDE_BYTES 8
#define WINDOW_SHIFT 21
#define WINDOWS_BASE 0xffffffffffa00000
#define BOOT_MAP_BYTES 0x40000000 /* what boot.S maps: the image must end below */

#define STACK_POINTER "rsp"
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS 0x18 /* takes two slots */

#ifndef __ASSEMBLER__
#include <stdint.h>

typedef uint64_t pde_t;

/* As entry.S and the CPU push it. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

static inline uintptr_t trap_frame_pc(const struct trap_frame *frame)
{
    return frame->rip;
}

static inline uintptr_t trap_frame_pointer(const struct trap_frame *frame)
{
    return frame->rbp;
}
#endif

#endif
