/* kernel/i386/entry.S: where exceptions arrive
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
    pushl $0
    .endif
    pushl $vector
    jmp trap_common
    .set vector, vector + 1
    .endr

trap_common:
    pushal
    cld
    pushl %esp
    call trap
    ud2

    .section .note.GNU-stack, "", @progbits
