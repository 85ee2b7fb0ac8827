/* kernel/vdso/i386.S: what programs call by address: system calls all of them
 *
 * See x86-64.S. Arguments are on the stack; of registers the caller loses EAX, ECX and EDX.
 */
.macro call name, number
    .globl \name
    .type \name, @function
    .balign 16
\name:
    pushl %ebx
    movl 8(%esp), %ebx
    movl 12(%esp), %ecx
    movl 16(%esp), %edx
    movl $\number, %eax
    int $0x80
    popl %ebx
    ret
    .size \name, . - \name
.endm

    .text
    call __vdso_clock_gettime, 265
    call __vdso_clock_getres, 266
    call __vdso_gettimeofday, 78
    call __vdso_time, 13
    call __vdso_getcpu, 318
    call __vdso_clock_gettime64, 403

/* AT_SYSINFO: whatever way into the kernel is the fastest. */
    .globl __kernel_vsyscall
    .type __kernel_vsyscall, @function
    .balign 16
__kernel_vsyscall:
    int $0x80
    ret
    .size __kernel_vsyscall, . - __kernel_vsyscall

/* Where handlers without SA_RESTORER return to. The first takes the signal's number off. */
    .globl __kernel_sigreturn, __kernel_rt_sigreturn
    .type __kernel_sigreturn, @function
    .type __kernel_rt_sigreturn, @function
    .balign 16
__kernel_sigreturn:
    popl %eax
    movl $119, %eax
    int $0x80
    .size __kernel_sigreturn, . - __kernel_sigreturn
    .balign 16
__kernel_rt_sigreturn:
    movl $173, %eax
    int $0x80
    .size __kernel_rt_sigreturn, . - __kernel_rt_sigreturn

    .section .note.GNU-stack, "", @progbits
