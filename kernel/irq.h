/* kernel/irq.h: interrupts of devices, by the two 8259 of a PC
 */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

struct trap_frame;

/* All are masked at first. */
void irq_init(void);
/* Several handlers may share a number, at most NR_SHARED; each is called with interrupts off.
 * Unmasks it. */
void irq_set_handler(unsigned irq, void (*handler)(void));
void irq_handle(unsigned irq);

#endif
