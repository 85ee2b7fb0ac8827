/* kernel/fpu.h: the FPU's state as FXSAVE writes it (SDM volume 1, 10.5.1), of both classes */
#ifndef KERNEL_FPU_H
#define KERNEL_FPU_H

#define FXSAVE_BYTES 512u
#define FPU_ALIGN 64u /* of it in a signal frame */
#define MXCSR_OFFSET 24
#define MXCSR_MASK_OFFSET 28
#define FPU_SOFTWARE_OFFSET 464 /* 48 bytes that FXSAVE leaves alone */

/* As a program finds them, and as FNINIT sets the first: all exceptions masked, 64 bits of
 * precision. */
#define FPU_CONTROL 0x37f
#define MXCSR_START 0x1f80u
#define MXCSR_MASK_DEFAULT 0xffbfu /* where the CPU says 0 (SDM 1, 11.6.6) */

#endif
