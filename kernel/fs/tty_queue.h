/* kernel/fs/tty_queue.h: what a terminal's queue holds beside bytes */
#ifndef KERNEL_FS_TTY_QUEUE_H
#define KERNEL_FS_TTY_QUEUE_H

#define TTY_END_OF_LINE 0x100u /* a read ends behind this */
#define TTY_END_OF_FILE 0x200u /* this is no byte */

#endif
