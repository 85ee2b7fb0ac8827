/* kernel/crash.c: to prove that an end is seen, and that protection is on
 *
 *   pf, ud, df    exceptions: a write to address 16, an invalid opcode, a push to nowhere
 *   text, rodata  a write to code, to constants; nx: a jump to data (each a page fault)
 *   stack, idle   a task's stack overflows into its guard page, or the idle task's
 *   panic, lock   a panic; a lock that is taken twice
 *   reset, hang   no way to handle an exception; nothing more happens
 */
#include "crash.h"

#include <quire/port.h>

#include "cpu.h"
#include "kernel.h"
#include "memory.h"
#include "string.h"
#include "task/lifecycle.h"
#include "task/sched.h"
#include "trap.h"

static volatile uintptr_t nowhere = 0x10;        /* where nothing is mapped */
static volatile uint8_t code_in_data[] = {0xc3}; /* ret */

static void write_to(volatile void *at)
{
    *(volatile int *)at = 1;
}

static volatile bool is_over; /* never */

static int overflow(int depth)
{
    volatile char room[256];
    room[0] = (char)depth;
    return is_over ? 0 : overflow(depth + 1) + room[0];
}

static void overflow_main(void)
{
    overflow(0);
}

_Noreturn static void overflow_of_a_task(void)
{
    memory_init_programs();
    sched_init();
    if (!task_create_kernel("overflow", overflow_main))
        panic("no memory for a task");
    sched_idle();
}

_Noreturn static void overflow_of_the_idle_task(void)
{
    memory_init_programs();
    sched_init();
    sched_run_idle(overflow_main);
}

static void by_protection(const char *way)
{
    if (string_equal(way, "text"))
        write_to(text_start);
    if (string_equal(way, "rodata"))
        write_to(rodata_start);
    if (string_equal(way, "nx"))
        ((void (*)(void))(uintptr_t)code_in_data)();
    if (string_equal(way, "stack"))
        overflow_of_a_task();
    if (string_equal(way, "idle"))
        overflow_of_the_idle_task();
}

__attribute__((noinline)) _Noreturn void crash(const char *way)
{
    if (string_equal(way, "pf"))
        write_to((volatile void *)nowhere);
    if (string_equal(way, "ud"))
        __asm__ volatile("ud2");
    if (string_equal(way, "df"))
        __asm__ volatile("mov %0, %%" STACK_POINTER "\n\tpush %0" : : "r"(nowhere));
    if (string_equal(way, "lock")) {
        static quire_port_spinlock_t lock;
        quire_port_spin_lock(&lock);
        quire_port_spin_lock(&lock);
    }
    if (string_equal(way, "reset")) {
        cpu_load_idt(NULL, 1);
        __asm__ volatile("ud2");
    }
    if (string_equal(way, "hang"))
        cpu_stop();
    by_protection(way);
    if (string_equal(way, "panic"))
        panic("as the command line asks for");
    print("crash=%s: there is no such way; there are pf, ud, df, text, rodata, nx, stack, idle, "
          "panic, lock, reset, hang and late\n",
          way);
    machine_exit(MACHINE_FAILED);
}
