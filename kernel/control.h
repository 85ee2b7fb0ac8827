/* kernel/control.h: what who started the machine says to it while it runs (docs/machine.md) */
#ifndef KERNEL_CONTROL_H
#define KERNEL_CONTROL_H

/* Listens. -ENOMEM. */
int control_init(void);

#endif
