/* kernel/cpu.h: instructions that C has no words for */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <stdint.h>

static inline void cpu_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void cpu_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t cpu_in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uintptr_t cpu_cr2(void)
{
    uintptr_t value;
    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

static inline uintptr_t cpu_cr3(void)
{
    uintptr_t value;
    __asm__ volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}

/* The local APIC's number, by which the firmware's tables name this CPU. */
static inline uint32_t cpu_apic_id(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ebx >> 24;
}

static inline void cpu_load_task(uint16_t selector)
{
    __asm__ volatile("ltr %0" : : "r"(selector));
}

struct __attribute__((packed)) cpu_table_pointer {
    uint16_t limit;
    uintptr_t base;
};

static inline void cpu_load_idt(const void *table, unsigned size)
{
    struct cpu_table_pointer pointer = {(uint16_t)(size - 1), (uintptr_t)table};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

_Noreturn static inline void cpu_stop(void)
{
    for (;;)
        __asm__ volatile("cli\n\thlt");
}

#endif
