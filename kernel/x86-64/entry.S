/* kernel/x86-64/entry.S: where exceptions arrive
 *
 * Vector n enters at trap_stubs + 16 * n. A zero stands in for the error code where the CPU pushes
 * none, so that every frame is a struct trap_frame.
 */
#define PUSHES_ERROR_CODE 0x60227d00 /* a bit a vector: 8, 10 to 14, 17, 21, 29, 30 */

    .text
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    .if !((PUSHES_ERROR_CODE >> vector) & 1)
    pushq $0
    .endif
    pushq $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

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
    movq %rsp, %rdi
    call trap
    ud2

    .section .note.GNU-stack, "", @progbits
