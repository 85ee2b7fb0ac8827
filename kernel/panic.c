/* kernel/panic.c: the end of the machine, wanted or not */
#include <quire/port.h>

#include "cpu.h"
#include "dev/lines.h"
#include "event.h"
#include "events.h"
#include "kernel.h"
#include "memory.h"
#include "serial.h"
#include "trap.h"

#define DEBUG_EXIT_PORT 0xf4
#define PAGE_FAULT 14
#define PAGE_FAULT_PRESENT 1 /* bits of its error code */
#define PAGE_FAULT_WRITE 2
#define PAGE_FAULT_FETCH 16

void (*panic_hook)(void);
void (*panic_last_hook)(void);

static bool panicking;

_Noreturn static void leave(enum machine_status status)
{
    serial_wait_until_sent();
    cpu_out32(DEBUG_EXIT_PORT, status);
    print("The machine has no isa-debug-exit device at port 0x%x: stopped.\n", DEBUG_EXIT_PORT);
    cpu_stop();
}

/* What a transmitter still has ends with the machine. Who reads it may take his time, but not after
 * a panic, which may be one of the lines themselves. */
_Noreturn void machine_exit(enum machine_status status)
{
    uint64_t patience = status == MACHINE_PANIC ? PANIC_PATIENCE_NS : NO_DEADLINE;
    events_end(status == MACHINE_PANIC, patience);
    lines_wait_until_sent(patience);
    leave(status);
}

/* A panic inside a panic says so and ends at once: the first one's message is out already. */
static void panic_begin(void)
{
    quire_port_irq_save();
    if (panicking) {
        print("panic: again, while panicking\n");
        leave(MACHINE_PANIC);
    }
    panicking = true;
}

_Noreturn static void panic_end(uintptr_t pc, uintptr_t stack_pointer)
{
    if (panic_hook)
        panic_hook();
    if (boot_stack_has_overflowed())
        print("  the stack has overflowed\n");
    backtrace(pc, stack_pointer);
    memory_print_views();
    if (panic_last_hook)
        panic_last_hook();
    machine_exit(MACHINE_PANIC);
}

_Noreturn void quire_x86_panic(const char *text)
{
    panic_begin();
    print("panic: %s\n", text);
    panic_end(0, (uintptr_t)__builtin_frame_address(0));
}

_Noreturn void panic(const char *format, ...)
{
    va_list list;
    panic_begin();
    print("panic: ");
    va_start(list, format);
    print_list(format, list);
    va_end(list);
    print("\n");
    panic_end(0, (uintptr_t)__builtin_frame_address(0));
}

/* With one CPU nobody else can release a lock, so that waiting for one is waiting for ever. While
 * panicking the holder doesn't go on, and views of a half-changed zone are better than none. */
void quire_x86_lock_slow(quire_port_spinlock_t *lock)
{
    if (panicking)
        return;
    if (quire_port_nr_cpus() == 1)
        panic("a spinlock is taken by the CPU that holds it");
    while (!quire_port_spin_trylock(lock))
        quire_port_relax();
}

static const char *exception_name(unsigned vector)
{
    static const char *const name[] = {
        "divide error",
        "debug",
        "non-maskable interrupt",
        "breakpoint",
        "overflow",
        "bound range exceeded",
        "invalid opcode",
        "device not available",
        "double fault",
        "coprocessor segment overrun",
        "invalid task state",
        "segment not present",
        "stack fault",
        "general protection",
        "page fault",
        "exception 15",
        "floating-point error",
        "alignment check",
        "machine check",
        "SIMD floating-point error",
        "virtualization exception",
        "control protection",
    };
    return vector < sizeof name / sizeof name[0] ? name[vector] : "reserved exception";
}

static void print_exception(const struct trap_frame *frame)
{
    unsigned vector = (unsigned)frame->vector;
    if (vector == PAGE_FAULT)
        print("panic: page fault: %s of %p, %s\n",
              frame->error & PAGE_FAULT_WRITE   ? "write"
              : frame->error & PAGE_FAULT_FETCH ? "execution"
                                                : "read",
              (void *)cpu_cr2(),
              frame->error & PAGE_FAULT_PRESENT ? "which is protected" : "where nothing is mapped");
    else
        print("panic: %s (exception %u)\n", exception_name(vector), vector);
}

_Noreturn void kernel_exception(struct trap_frame *frame)
{
    panic_begin();
    print_exception(frame);
    trap_print_registers(frame);
    panic_end(trap_frame_pc(frame), trap_frame_kernel_stack(frame));
}
