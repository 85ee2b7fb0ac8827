/* kernel/note.S: the ELF note by which a PVH loader finds the 32-bit entry */
#include "arch.h"

#define XEN_ELFNOTE_PHYS32_ENTRY 18

    .section .note.pvh, "a", @note
    .balign 4
    .long 4 /* bytes of the name */
    .long 4 /* bytes of the value */
    .long XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long pvh_start - KERNEL_OFFSET

    .section .note.GNU-stack, "", @progbits
