/* kernel/i386/boot.S: from the PVH entry to kernel_main
 *
 * Entered in flat 32-bit mode without paging, EBX = hvm_start_info. Maps the first 16 MiB twice,
 * where they are and at 0xc0000000, turns on paging, and goes up. With PAE if the processor has NX
 * or there is memory beyond 4 GiB; without, tables of two levels do, whose entries one instruction
 * reads.
 */
#include "arch.h"

#define PHYS(symbol) ((symbol) - KERNEL_OFFSET)
#define PDPTE_TABLE 0x01
#define PDE_LARGE_PAGE 0x83
#define NR_BOOT_PDES (BOOT_MAP_BYTES >> 21)
#define NR_BOOT_LARGE_PDES (BOOT_MAP_BYTES >> 22)
#define PDE_TABLE 0x03
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define CPUID_EXTENDED 0x80000000
#define CPUID_EXTENDED_NX (1 << 20) /* in EDX of the next one */
#define START_VERSION 4 /* of hvm_start_info */
#define START_MEMMAP 40
#define START_NR_MEMMAP 48
#define MEMMAP_BASE 0 /* of its entries */
#define MEMMAP_SIZE 8
#define MEMMAP_TYPE 16
#define MEMMAP_BYTES 24
#define MEMMAP_RAM 1
#define CR0_PG_WP 0x80010000

    .section .text.boot, "ax"
    .code32
    .globl pvh_start
pvh_start:
    cli
    cld
    movl %ebx, %ebp
    movl $CPUID_EXTENDED, %eax
    cpuid
    cmpl $CPUID_EXTENDED, %eax
    jbe 1f
    movl $CPUID_EXTENDED + 1, %eax
    cpuid
    testl $CPUID_EXTENDED_NX, %edx
    jnz wide_tables

    /* Does a range of memory end beyond 4 GiB? */
1:  cmpl $1, START_VERSION(%ebp)
    jb narrow_tables
    movl START_MEMMAP(%ebp), %esi
    movl START_NR_MEMMAP(%ebp), %ecx
    jecxz narrow_tables
2:  cmpl $MEMMAP_RAM, MEMMAP_TYPE(%esi)
    jne 3f
    movl MEMMAP_BASE(%esi), %eax
    movl MEMMAP_BASE + 4(%esi), %edx
    addl MEMMAP_SIZE(%esi), %eax
    adcl MEMMAP_SIZE + 4(%esi), %edx
    subl $1, %eax
    sbbl $0, %edx
    jnz wide_tables
3:  addl $MEMMAP_BYTES, %esi
    loop 2b

narrow_tables:
    movl $PHYS(boot_pd), %edi
    movl $PDE_LARGE_PAGE, %eax
    movl $NR_BOOT_LARGE_PDES, %ecx
1:  movl %eax, (%edi)
    movl %eax, (KERNEL_OFFSET >> 22) * 4(%edi)
    addl $4, %edi
    addl $(1 << 22), %eax
    loop 1b
    movl $PHYS(boot_pd) + 4096 + PDE_TABLE, PHYS(boot_pd) + (WINDOWS_BASE >> 22) * 4
    movl %cr4, %eax
    orl $CR4_PSE, %eax
    movl %eax, %cr4
    movl $PHYS(boot_pd), %eax
    jmp paging_on

wide_tables:
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
paging_on:
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
    movl %ebp, %eax
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
boot_pd: /* four page directories, 1 GiB each; or one, and the table of the windows */
    .skip 4 * 4096
boot_pdpt:
    .skip 32
    .balign 4096
    .globl boot_stack, boot_stack_top
boot_stack:
    .skip BOOT_STACK_BYTES
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
