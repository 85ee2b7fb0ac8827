/* examples/kernel/machine.h: what boot.S and machine.c give to main.c */
#ifndef EXAMPLE_MACHINE_H
#define EXAMPLE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* What a PVH loader tells (Xen's hvm_start_info, version 1). */
struct start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t nr_memory_map, reserved;
};
struct memory_map_entry {
    uint64_t base, size;
    uint32_t type; /* 1: RAM */
    uint32_t reserved;
};

/* Of the linker script. */
extern char image_start[], image_data[], image_end[];

bool probe(const void *address);
void catch_page_faults(void);
void load_tables(uint64_t root);

/* One line on the serial port: %s, %u (unsigned long) and %x (the same, in hexadecimal). */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* Ends QEMU with status 33 after success, and 35 after failure. */
_Noreturn void leave(bool success);

#endif
