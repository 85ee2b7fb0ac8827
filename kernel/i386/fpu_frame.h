/* kernel/i386/fpu_frame.h: the FPU's state in a signal frame of i386 */
#ifndef KERNEL_I386_FPU_FRAME_H
#define KERNEL_I386_FPU_FRAME_H

#include "fpu.h"
#include "task/task.h"

/* As FSAVE wrote it in its time, and two words of Linux's. */
struct fsave_frame {
    uint32_t control, status, tags;
    uint32_t pc, code_and_opcode, operand, operand_segment;
    uint8_t registers[8][10];
    uint16_t status_again, magic; /* 0: FXSAVE's state is behind it */
};
_Static_assert(sizeof(struct fsave_frame) == 112, "FXSAVE's state is 112 bytes further on");

/* Of what FXSAVE wrote. */
void fpu_frame_of(struct fsave_frame *old, const uint8_t fxsave[FXSAVE_BYTES]);
/* `at`: of the struct fsave_frame, with FXSAVE_BYTES behind it. */
QUIRE_MUST_CHECK int fpu_frame_save(uintptr_t at);
/* What both say of the old FPU is believed to the first; `at` 0: as at a program's start. Takes
 * over `fs` and `gs`, too. -EFAULT: nothing has changed. */
QUIRE_MUST_CHECK int fpu_frame_restore(uintptr_t at, uint16_t fs, uint16_t gs);

#endif
