/* kernel/trap.c: who handles which trap
 */
#include "trap.h"

#include "irq.h"
#include "task/sched.h"

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
    sched_enter_kernel();
    if (vector == SYSCALL_VECTOR) {
        system_call(frame);
    } else if (vector < FIRST_IRQ_VECTOR) {
        user_exception(frame);
    } else {
        irq_handle(vector - FIRST_IRQ_VECTOR);
        sched_attend(); /* the turn may be over, whatever the device */
    }
    return_to_user(frame);
}
