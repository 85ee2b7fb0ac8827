/* kernel/irq.c: interrupts of devices, by the two 8259 of a PC
 *
 * Their vectors are moved behind the exceptions. An interrupt is acknowledged before its handlers
 * run: they run with interrupts off, and what comes meanwhile waits in the controller. A spurious
 * interrupt (7 and 15 whose in-service bit is clear) is none.
 */
#include "irq.h"

#include "cpu.h"
#include "kernel.h"
#include "trap.h"

#define NR_SHARED 2
#define MASTER 0x20
#define SLAVE 0xa0
#define CASCADE 2
#define COMMAND_INIT 0x11 /* edge-triggered, cascaded, four words */
#define COMMAND_END 0x20
#define COMMAND_READ_IN_SERVICE 0x0b
#define MODE_8086 0x01

static void (*handlers[NR_IRQS][NR_SHARED])(void);
static uint16_t mask = (uint16_t) ~(1u << CASCADE);

static void set_mask(void)
{
    cpu_out8(MASTER + 1, (uint8_t)mask);
    cpu_out8(SLAVE + 1, (uint8_t)(mask >> 8));
}

void irq_init(void)
{
    cpu_out8(MASTER, COMMAND_INIT);
    cpu_out8(SLAVE, COMMAND_INIT);
    cpu_out8(MASTER + 1, FIRST_IRQ_VECTOR);
    cpu_out8(SLAVE + 1, FIRST_IRQ_VECTOR + 8);
    cpu_out8(MASTER + 1, 1 << CASCADE);
    cpu_out8(SLAVE + 1, CASCADE);
    cpu_out8(MASTER + 1, MODE_8086);
    cpu_out8(SLAVE + 1, MODE_8086);
    set_mask();
}

void irq_set_handler(unsigned irq, void (*handler)(void))
{
    unsigned i = 0;
    while (i < NR_SHARED && handlers[irq][i])
        i++;
    if (i == NR_SHARED)
        panic("interrupt %u has too many handlers", irq);
    handlers[irq][i] = handler;
    mask &= (uint16_t) ~(1u << irq);
    set_mask();
}

static bool is_spurious(unsigned irq)
{
    if (irq % 8 != 7)
        return false;
    uint16_t port = irq < 8 ? MASTER : SLAVE;
    cpu_out8(port, COMMAND_READ_IN_SERVICE);
    return !(cpu_in8(port) & 0x80);
}

void irq_handle(unsigned irq)
{
    bool spurious = is_spurious(irq);
    if (irq >= 8 && !spurious)
        cpu_out8(SLAVE, COMMAND_END);
    if (irq >= 8 || !spurious)
        cpu_out8(MASTER, COMMAND_END);
    if (spurious)
        return;
    for (unsigned i = 0; i < NR_SHARED && handlers[irq][i]; i++)
        handlers[irq][i]();
}
