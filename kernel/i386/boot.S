/* kernel/i386/boot.S: from the PVH entry to kernel_main
 *
 * Entered in flat 32-bit mode without paging, EBX = hvm_start_info. Maps the first 16 MiB twice,
 * where they are and at 0xc0000000, turns paging on, and goes up.
 */
#include "arch.h"

#define PHYS(symbol) ((symbol) - KERNEL_OFFSET)
#define PDE_LARGE_PAGE 0x83
#define NR_BOOT_PDES (BOOT_MAP_BYTES >> 22)
#define CR4_PSE 0x10
#define CR0_PG_WP 0x80010000

    .section .text.boot, "ax"
    .code32
    .globl pvh_start
pvh_start:
    cli
    cld
    movl $PHYS(page_directory), %edi
    movl $PDE_LARGE_PAGE, %eax
1:  movl %eax, (%edi)
    movl %eax, (KERNEL_OFFSET >> 22) * 4(%edi)
    addl $4, %edi
    addl $(1 << 22), %eax
    cmpl $(PDE_LARGE_PAGE + BOOT_MAP_BYTES), %eax
    jne 1b

    movl %cr4, %eax
    orl $CR4_PSE, %eax
    movl %eax, %cr4
    movl $PHYS(page_directory), %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $CR0_PG_WP, %eax
    movl %eax, %cr0
    movl $2f, %eax
    jmp *%eax

2:  lgdt gdt_pointer
    ljmp $SELECTOR_CODE, $3f
3:  movl $SELECTOR_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movl $boot_stack_top, %esp
    xorl %ebp, %ebp /* ends a backtrace */
    pushl %ebx
    call kernel_main
    ud2

    .section .data
    .balign 8
    .globl gdt
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* code: base 0, limit 4 GiB, 32 bits, privilege 0 */
    .quad 0x00cf93000000ffff /* data */
    .quad 0                  /* task state: filled in by traps_init */
    .quad 0                  /* task state of the double fault */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt

    .section .bss
    .balign 4096
    .globl page_directory
page_directory:
    .skip 4096
    .globl boot_stack, boot_stack_top
boot_stack:
    .skip 65536
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
