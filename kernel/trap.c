/* kernel/trap.c: who handles which trap
 */
#include "trap.h"

#include "irq.h"

bool (*trap_recover)(struct trap_frame *frame);

void trap(struct trap_frame *frame)
{
    unsigned vector = (unsigned)frame->vector;
    if (!trap_frame_is_user(frame)) {
        if (vector < FIRST_IRQ_VECTOR) {
            if (trap_recover && trap_recover(frame))
                return;
            kernel_exception(frame);
        }
        irq_handle(vector - FIRST_IRQ_VECTOR);
        return;
    }
    enter_kernel();
    if (vector == SYSCALL_VECTOR)
        system_call(frame);
    else if (vector < FIRST_IRQ_VECTOR)
        user_exception(frame);
    else
        irq_handle(vector - FIRST_IRQ_VECTOR);
    return_to_user(frame);
}
