/* examples/riscv64/boot.S: where QEMU's virt machine starts, in machine mode */
    .section .text.boot, "ax"
    .globl start
start:
    la sp, stack_top
    la t0, bss_start
    la t1, image_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  la t0, trap
    csrw mtvec, t0
    call riscv64_main
    .balign 4
trap:
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    call riscv64_trap

    .bss
    .balign 16
    .skip 16384
stack_top:

    .section .note.GNU-stack, "", @progbits
