/* kernel/i386/boot.S: from the PVH entry to kernel_main
 *
 * Entered in flat 32-bit mode without paging, EBX = hvm_start_info. Maps the first 16 MiB twice,
 * where they are and at 0xc0000000, turns on paging with PAE, and goes up.
 */
#include "arch.h"

#define PHYS(symbol) ((symbol) - KERNEL_OFFSET)
#define PDPTE_TABLE 0x01
#define PDE_LARGE_PAGE 0x83
#define NR_BOOT_PDES (BOOT_MAP_BYTES >> 21)
#define CR4_PAE 0x20
#define CR0_PG_WP 0x80010000

    .section .text.boot, "ax"
    .code32
    .globl pvh_start
pvh_start:
    cli
    cld
    movl $PHYS(boot_pd), %edi
    movl $PDE_LARGE_PAGE, %eax
    movl $NR_BOOT_PDES, %ecx
1:  movl %eax, (%edi)
    movl %eax, 3 * 4096(%edi)
    addl $8, %edi
    addl $(1 << 21), %eax
    loop 1b

    movl $PHYS(boot_pd) + PDPTE_TABLE, %eax
    movl $PHYS(boot_pdpt), %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $4096, %eax
    loop 1b

    movl %cr4, %eax
    orl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $PHYS(boot_pdpt), %eax
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
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl $boot_stack_top, %esp
    xorl %ebp, %ebp /* ends a backtrace */
    pushl %ebx
    call kernel_main
    ud2

    .section .data
    .balign 8
    .globl gdt
gdt: /* at Linux's selectors; traps_init adds the task states */
    .skip SELECTOR_CODE
    .quad 0x00cf9b000000ffff /* code: base 0, limit 4 GiB, 32 bits, privilege 0 */
    .quad 0x00cf93000000ffff /* data */
    .quad 0x00cffb000000ffff /* code, privilege 3 */
    .quad 0x00cff3000000ffff /* data, privilege 3 */
    .skip GDT_ENTRIES * 8 - SELECTOR_CODE - 4 * 8
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt

    .section .bss
    .balign 4096
    .globl boot_pd
boot_pd: /* four page directories, 1 GiB each */
    .skip 4 * 4096
boot_pdpt:
    .skip 32
    .balign 4096
    .globl boot_stack, boot_stack_top
boot_stack:
    .skip 65536
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
