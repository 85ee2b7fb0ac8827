/* kernel/vdso/image.S: the shared object, in the kernel's constants */
    .section .rodata
    .balign 16
    .globl vdso_image, vdso_image_end
vdso_image:
    .incbin "vdso.so"
vdso_image_end:

    .section .note.GNU-stack, "", @progbits
