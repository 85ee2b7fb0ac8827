/* kernel/i386/arch.h: what is special about 32 bits: two-level paging, 3 GiB for programs, 1 GiB
 * for the kernel
 *
 *   0xc0000000  direct map of up to 896 MiB, in pages of 4 MiB; the kernel image in it, at 1 MiB
 *   0xff400000  three windows of 4 MiB
 */
#ifndef KERNEL_I386_ARCH_H
#define KERNEL_I386_ARCH_H

#define ARCH_NAME "i386"
#define KERNEL_OFFSET 0xc0000000 /* image address - physical address */
#define DIRECT_MAP_BASE 0xc0000000
#define DIRECT_MAP_MAX 0x38000000 /* 896 MiB */
#define PHYS_END 0x100000000      /* without PAE a page directory reaches 4 GiB */

#define PDE_BYTES 4
#define WINDOW_SHIFT 22
#define WINDOWS_BASE 0xff400000
#define BOOT_MAP_BYTES 0x1000000 /* what boot.S maps: the image must end below */

#define STACK_POINTER "esp"
#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS 0x18
#define SELECTOR_DOUBLE_FAULT 0x20

#ifndef __ASSEMBLER__
#include <stdint.h>

typedef uint32_t pde_t;

/* As entry.S and the CPU push it; from the kernel itself there is no esp and ss. */
struct trap_frame {
    uint32_t edi, esi, ebp, unused_esp, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
};

static inline uintptr_t trap_frame_pc(const struct trap_frame *frame)
{
    return frame->eip;
}

static inline uintptr_t trap_frame_pointer(const struct trap_frame *frame)
{
    return frame->ebp;
}
#endif

#endif
