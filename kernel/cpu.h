/* kernel/cpu.h: instructions that C has no words for */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include <stdint.h>

static inline void cpu_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void cpu_out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
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

static inline uint16_t cpu_in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t cpu_in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
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

static inline void cpu_set_cr3(uintptr_t value)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

static inline uintptr_t cpu_cr4(void)
{
    uintptr_t value;
    __asm__ volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}

static inline void cpu_set_cr4(uintptr_t value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

#define CR4_OSFXSR 0x200u
#define CR4_OSXMMEXCPT 0x400u
#define CR4_PAE 0x20u
#define CR4_PGE 0x80u
#define CR4_UMIP 0x800u
#define CR4_SMEP 0x100000u
#define CR4_SMAP 0x200000u

#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define EFER_SCE 0x1u
#define EFER_NXE 0x800u

static inline uint64_t cpu_read_msr(uint32_t number)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
    return (uint64_t)high << 32 | low;
}

static inline uint64_t cpu_ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline void cpu_write_msr(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpu_id(uint32_t leaf)
{
    struct cpuid id = {.eax = leaf};
    __asm__ volatile("cpuid" : "+a"(id.eax), "=b"(id.ebx), "+c"(id.ecx), "=d"(id.edx));
    return id;
}

/* CR0: EM and TS off, MP and NE on: instructions of the FPU work, and report errors by exception.
 */
static inline void cpu_enable_fpu(void)
{
    uintptr_t cr0;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    cr0 = (cr0 & ~(uintptr_t)0x0c) | 0x22;
    __asm__ volatile("mov %0, %%cr0\n\tfninit" : : "r"(cr0));
}

static inline void cpu_fxsave(void *to)
{
    __asm__ volatile("fxsave (%0)" : : "r"(to) : "memory");
}

static inline void cpu_fxrstor(const void *from)
{
    __asm__ volatile("fxrstor (%0)" : : "r"(from) : "memory");
}

/* The local APIC's number, by which the firmware's tables name this CPU. */
static inline uint32_t cpu_apic_id(void)
{
    return cpu_id(1).ebx >> 24;
}

/* 0: none. */
static inline void cpu_load_ldt(uint16_t selector)
{
    __asm__ volatile("lldt %0" : : "r"(selector) : "memory");
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
