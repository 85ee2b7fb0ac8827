/* kernel/vdso/x86-64.S: what programs call by address: system calls all of them
 *
 * The C library finds these by name and version (man 7 vdso). They save nothing here: they exist
 * because a library whose kernel has none lays out its heap otherwise.
 */
.macro call name, number
    .globl \name
    .type \name, @function
    .balign 16
\name:
    movl $\number, %eax
    syscall
    ret
    .size \name, . - \name
.endm

    .text
    call __vdso_clock_gettime, 228
    call __vdso_clock_getres, 229
    call __vdso_gettimeofday, 96
    call __vdso_time, 201
    call __vdso_getcpu, 309

    .section .note.GNU-stack, "", @progbits
