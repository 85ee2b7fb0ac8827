/* kernel/i386/entry.S: where exceptions, interrupts and system calls arrive, and tasks change
 *
 * Vector n enters at trap_stubs + 16 * n. A zero stands in for the error code where the CPU pushes
 * none, so that every frame is a struct trap_frame; a system call has its number there. DS and ES
 * are the flat user segments in the kernel, too; FS and GS stay the program's, which the kernel has
 * no use for. Functions of C take their first three arguments in EAX, EDX and ECX.
 */
#include "arch.h"

#define PUSHES_ERROR_CODE 0x60227d00 /* a bit a vector: 8, 10 to 14, 17, 21, 29, 30 */
#define NR_STUBS 48
#define SYSCALL_VECTOR 0x80

    .text
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept NR_STUBS
    .balign 16
    .if vector >= 32 || !((PUSHES_ERROR_CODE >> vector) & 1)
    pushl $0
    .endif
    pushl $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

    .globl syscall_stub
syscall_stub:
    pushl %eax
    pushl $SYSCALL_VECTOR
trap_common:
    pushal
    cld
    .globl smap_patch
smap_patch: /* CLAC, where the processor has it: tables.c */
    .byte 0x0f, 0x1f, 0x00
    movl $SELECTOR_USER_DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %esp, %eax
    call trap
trap_return:
    popal
    addl $8, %esp
    iretl

/* void switch_stacks(void **save, void *load) */
    .globl switch_stacks
switch_stacks:
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movl %esp, (%eax)
    movl %edx, %esp
    popl %edi
    popl %esi
    popl %ebx
    popl %ebp
    ret

/* Where a new task comes to life: its frame lies on top of the stack. */
    .globl task_entry
task_entry:
    movl %esp, %eax
    call task_begin
    jmp trap_return

    .section .note.GNU-stack, "", @progbits
