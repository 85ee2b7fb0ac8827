/* kernel/x86-64/entry.S: where exceptions, interrupts and system calls arrive, and tasks change
 *
 * Vector n enters at trap_stubs + 16 * n. A zero stands in for the error code where the CPU pushes
 * none, so that every frame is a struct trap_frame; a system call has its number there. In the
 * kernel GS is the CPU's own (struct cpu_local: the stack for system calls, and room for the
 * program's stack pointer).
 */
#include "arch.h"

#define PUSHES_ERROR_CODE 0x60227d00 /* a bit a vector: 8, 10 to 14, 17, 21, 29, 30 */
#define NR_STUBS 48
#define SYSCALL_VECTOR 0x80
#define FRAME_CS 144 /* offset in struct trap_frame */

    .text
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept NR_STUBS
    .balign 16
    .if vector >= 32 || !((PUSHES_ERROR_CODE >> vector) & 1)
    pushq $0
    .endif
    pushq $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

    .globl syscall_stub
syscall_stub:
    swapgs
    movq %rsp, %gs:8
    movq %gs:0, %rsp
    pushq $SELECTOR_USER_DATA
    pushq %gs:8
    pushq %r11
    pushq $SELECTOR_USER_CODE
    pushq %rcx
    pushq %rax
    pushq $SYSCALL_VECTOR
    swapgs /* as it is when a trap comes from a program */
trap_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    .globl smap_patch
smap_patch: /* CLAC, where the processor has it: tables.c */
    .byte 0x0f, 0x1f, 0x00
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
1:  movq %rsp, %rdi
    call trap
trap_return:
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
1:  popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

/* void switch_stacks(void **save, void *load) */
    .globl switch_stacks
switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret

/* Where a new task comes to life: its frame lies on top of the stack. */
    .globl task_entry
task_entry:
    movq %rsp, %rdi
    call task_begin
    jmp trap_return

    .section .note.GNU-stack, "", @progbits
