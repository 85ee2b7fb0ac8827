/* kernel/task/shm.h: System V shared memory, as far as others have to know of it */
#ifndef KERNEL_TASK_SHM_H
#define KERNEL_TASK_SHM_H

/* Segments that were removed go with their last area: to be called after whatever may have unmapped
 * something. O(1) as long as none is removed and still attached. May sleep. */
void shm_reap(void);

#endif
