/* examples/kernel/boot.S: from QEMU's -kernel to kernel_main, and what a page fault does
 *
 * Entered by the PVH note, in flat 32-bit mode without paging, EBX = what the loader tells. The first
 * GiB is mapped where it is, in pages of 2 MiB; main.c makes better tables from Quire's frames.
 */
#define XEN_ELFNOTE_PHYS32_ENTRY 18
#define TABLE 0x03      /* present, writable */
#define LARGE_PAGE 0x83 /* the same, 2 MiB */
#define CR4_PAE 0x20
#define EFER 0xc0000080
#define EFER_LME_NXE 0x900
#define CR0_PG_WP 0x80010000

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, XEN_ELFNOTE_PHYS32_ENTRY /* bytes of name and value */
    .asciz "Xen"
    .long start

    .text
    .code32
    .globl start
start:
    cli
    cld
    movl $table_2mib, %edi
    movl $LARGE_PAGE, %eax
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    cmpl $(0x40000000 + LARGE_PAGE), %eax
    jne 1b
    movl $(table_2mib + TABLE), table_1gib
    movl $(table_1gib + TABLE), root

    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $root, %eax
    movl %eax, %cr3
    movl $EFER, %ecx
    rdmsr
    orl $EFER_LME_NXE, %eax
    wrmsr
    movl %cr0, %eax
    orl $CR0_PG_WP, %eax
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $long_mode

    .code64
long_mode:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $stack_top, %esp
    movl %ebx, %edi
    call kernel_main
    ud2

/* bool probe(const void *address): whether a byte can be read there */
    .globl probe
probe:
    movb (%rdi), %al
    movl $1, %eax
    ret
no_page:
    xorl %eax, %eax
    ret

/* A fault of probe's read is an answer, any other is a mistake. */
    .globl page_fault
page_fault:
    addq $8, %rsp /* the error code */
    cmpq $probe, (%rsp)
    jne 1f
    movq $no_page, (%rsp)
    iretq
1:  movq %cr2, %rdi
    movq (%rsp), %rsi
    andq $-16, %rsp
    call unexpected_fault

    .data
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 8: code, 64 bits */
    .quad 0x00cf93000000ffff /* 16: data */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .quad gdt

    .bss
    .balign 4096
root:
    .skip 4096
table_1gib:
    .skip 4096
table_2mib:
    .skip 4096
    .skip 16384
stack_top:

    .section .note.GNU-stack, "", @progbits
