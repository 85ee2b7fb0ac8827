/* kernel/x86-64/boot.S: from the PVH entry to kernel_main
 *
 * Entered in flat 32-bit mode without paging, EBX = hvm_start_info. Maps the first GiB three
 * times, in pages of 2 MiB: where it is, at the direct map's begin and at -2 GiB; then turns on
 * long mode and goes up. The direct map is completed by paging.c.
 */
#include "arch.h"

#define PHYS(symbol) ((symbol) - KERNEL_OFFSET)
#define PDE_TABLE 0x03
#define PDE_LARGE_PAGE 0x83
#define CR4_PAE 0x20
#define EFER 0xc0000080
#define EFER_LME 0x100
#define CR0_PG_WP 0x80010000

    .section .text.boot, "ax"
    .code32
    .globl pvh_start
pvh_start:
    cli
    cld
    movl $PHYS(boot_pd), %edi
    movl $PDE_LARGE_PAGE, %eax
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $(1 << 21), %eax
    cmpl $(PDE_LARGE_PAGE + BOOT_MAP_BYTES), %eax
    jne 1b

    movl $PHYS(boot_pd) + PDE_TABLE, %eax
    movl %eax, PHYS(direct_pdpt)
    movl %eax, PHYS(high_pdpt) + 510 * 8
    movl $PHYS(window_pd) + PDE_TABLE, %eax
    movl %eax, PHYS(high_pdpt) + 511 * 8
    movl $PHYS(direct_pdpt) + PDE_TABLE, %eax
    movl %eax, PHYS(pml4)
    movl %eax, PHYS(pml4) + ((DIRECT_MAP_BASE >> 39) & 511) * 8
    movl $PHYS(high_pdpt) + PDE_TABLE, %eax
    movl %eax, PHYS(pml4) + 511 * 8

    movl %cr4, %eax
    orl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $PHYS(pml4), %eax
    movl %eax, %cr3
    movl $EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl %cr0, %eax
    orl $CR0_PG_WP, %eax
    movl %eax, %cr0
    lgdt PHYS(gdt_pointer_low)
    ljmp $SELECTOR_CODE, $PHYS(2f)

    .code64
2:  movabsq $3f, %rax
    jmp *%rax
3:  lgdt gdt_pointer(%rip)
    movl $SELECTOR_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    leaq boot_stack_top(%rip), %rsp
    movl %ebx, %edi
    call kernel_main
    ud2

    .section .data
    .balign 8
    .globl gdt
gdt: /* at Linux's selectors; traps_init adds the task state */
    .quad 0
    .quad 0
    .quad 0x00af9b000000ffff /* code: 64 bits, privilege 0 */
    .quad 0x00cf93000000ffff /* data */
    .quad 0x00cf7b000000ffff /* code: 32 bits, privilege 3: not present, no program gets there */
    .quad 0x00cff3000000ffff /* data, privilege 3 */
    .quad 0x00affb000000ffff /* code: 64 bits, privilege 3 */
    .skip GDT_ENTRIES * 8 - 7 * 8
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt
gdt_pointer_low: /* for 32-bit mode, which sees the image where it was loaded */
    .word gdt_end - gdt - 1
    .long PHYS(gdt)

    .section .bss
    .balign 4096
    .globl pml4, direct_pdpt, window_pd
pml4:
    .skip 4096
direct_pdpt:
    .skip 4096
high_pdpt:
    .skip 4096
boot_pd:
    .skip 4096
window_pd:
    .skip 4096
    .globl boot_stack, boot_stack_top
boot_stack:
    .skip BOOT_STACK_BYTES
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
