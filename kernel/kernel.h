/* kernel/kernel.h: console, end, panic, and what the linker says about the image */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include <stdarg.h>

#include <quire/types.h>

#include "arch.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *at, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

/* The serial line COM1. A quire_write_fn; `arg` isn't used. */
void console_init(void);
void console_write(void *arg, const char *text, size_t length);
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);
void print_list(const char *format, va_list list);

/* Gets the library's log lines in place of the console, when set. */
extern void (*log_hook)(int level, const char *text);

/* How the machine ends, written to QEMU's isa-debug-exit device: QEMU exits with 2 * value + 1.
 * tools/boot.c knows the same numbers. */
enum machine_status {
    MACHINE_DONE = 0x10, /* QEMU exits with 33 */
    MACHINE_FAILED =
        0x11, /* 35: tests failed or all were skipped, or the command line made no sense */
    MACHINE_PANIC = 0x12, /* 37 */
};
_Noreturn void machine_exit(enum machine_status status);

struct trap_frame;

/* Message, backtrace, views of the memory if there is one already, end. */
__attribute__((format(printf, 1, 2))) _Noreturn void panic(const char *format, ...);
/* How long a panic waits for who is slow to take what it has to say. */
#define PANIC_PATIENCE_NS 1000000000u
/* Called after the message of a panic, when set. */
extern void (*panic_hook)(void);
/* Called when all of a panic is on the console, when set: what it does may panic again. */
extern void (*panic_last_hook)(void);

/* Prints `pc`, unless it is 0, and the callers whose return addresses lie from the stack pointer
 * on, with their names. */
void backtrace(uintptr_t pc, uintptr_t stack_pointer);

/* An exception in the kernel: the end. */
_Noreturn void kernel_exception(struct trap_frame *frame);

/* link.ld; text and rodata begin and end with pages. */
extern char image_start[], image_end[], text_start[], text_end[], rodata_start[], rodata_end[];
extern char boot_stack[], boot_stack_top[]; /* boot.S; of whole pages */
/* Stands at the bottom of the stack, and is gone when it has overflowed. */
#define BOOT_STACK_MARK 0x71756972u
/* The bottom: boot_stack until memory_free_boot_stack, then boot_stack_top: it is empty. */
extern char *boot_stack_bottom;

static inline void boot_stack_mark(void)
{
    *(uint32_t *)(void *)boot_stack_bottom = BOOT_STACK_MARK;
}

static inline bool boot_stack_has_overflowed(void)
{
    return boot_stack_bottom < boot_stack_top &&
           *(const uint32_t *)(const void *)boot_stack_bottom != BOOT_STACK_MARK;
}

#endif
