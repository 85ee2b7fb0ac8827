/* kernel/x86-64/traps.c: the IDT, the way in for system calls, and the stacks that traps switch to
 *
 * A trap from a program comes in on the running task's kernel stack; an exception of the kernel
 * stays on the stack that it interrupted, but for the double fault, which is what a broken stack
 * ends in.
 */
#include "cpu.h"
#include "kernel.h"
#include "trap.h"

#define STUB_BYTES 16
#define DOUBLE_FAULT 8
#define BREAKPOINT 3
#define OVERFLOW 4
#define DOUBLE_FAULT_STACK 1
#define GATE_INTERRUPT 0x8e /* present, privilege 0, interrupts off */
#define GATE_PROGRAM 0x60   /* programs may raise it, too */
#define DESCRIPTOR_TSS 0x89
#define SYSCALL_CLEARS 0x47700 /* of RFLAGS: AC, NT, IOPL, DF, IF, TF */

struct gate {
    uint16_t offset_low, selector;
    uint8_t stack, type;
    uint16_t offset_middle;
    uint32_t offset_high, zero;
};

/* Intel SDM volume 3, 8.7. */
struct __attribute__((packed)) task_state {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1, interrupt_stack[7], reserved2;
    uint16_t reserved3, io_map;
};
_Static_assert(sizeof(struct task_state) == 104, "a task state segment has 104 bytes");

/* Behind GS while the kernel runs; entry.S knows the offsets. */
struct cpu_local {
    uint64_t stack, program_stack;
};

extern uint64_t gdt[];
extern char trap_stubs[], syscall_stub[];

static struct gate idt[NR_TRAPS];
static struct task_state task;
static struct cpu_local local;
static char double_fault_stack[8192] __attribute__((aligned(16)));

static void set_task_descriptor(void)
{
    uint64_t base = (uint64_t)&task, limit = sizeof task - 1;
    gdt[SELECTOR_TSS / 8] = limit | (base & 0xffffff) << 16 | (uint64_t)DESCRIPTOR_TSS << 40 |
                            (base >> 24 & 0xff) << 56;
    gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
}

static void enable_syscall(void)
{
    cpu_write_msr(MSR_EFER, cpu_read_msr(MSR_EFER) | EFER_SCE);
    cpu_write_msr(MSR_STAR, (uint64_t)SELECTOR_USER_CODE32 << 48 | (uint64_t)SELECTOR_CODE << 32);
    cpu_write_msr(MSR_LSTAR, (uint64_t)syscall_stub);
    cpu_write_msr(MSR_SFMASK, SYSCALL_CLEARS);
    cpu_write_msr(MSR_GS_BASE, (uint64_t)&local);
    cpu_write_msr(MSR_KERNEL_GS_BASE, 0);
}

void traps_init(void)
{
    for (unsigned vector = 0; vector < NR_TRAPS; vector++) {
        uint64_t entry = (uint64_t)(trap_stubs + vector * STUB_BYTES);
        idt[vector] = (struct gate){.offset_low = (uint16_t)entry,
                                    .selector = SELECTOR_CODE,
                                    .type = GATE_INTERRUPT,
                                    .offset_middle = (uint16_t)(entry >> 16),
                                    .offset_high = (uint32_t)(entry >> 32)};
    }
    idt[BREAKPOINT].type |= GATE_PROGRAM;
    idt[OVERFLOW].type |= GATE_PROGRAM;
    idt[DOUBLE_FAULT].stack = DOUBLE_FAULT_STACK;
    task.interrupt_stack[DOUBLE_FAULT_STACK - 1] =
        (uint64_t)(double_fault_stack + sizeof double_fault_stack);
    task.io_map = sizeof task;
    set_task_descriptor();
    cpu_load_task(SELECTOR_TSS);
    cpu_load_ldt(0);
    cpu_load_idt(idt, sizeof idt);
    enable_syscall();
}

void traps_set_stack(void *top)
{
    task.rsp[0] = (uint64_t)top;
    local.stack = (uint64_t)top;
}

void traps_set_tables(uintptr_t cr3)
{
    (void)cr3;
}

void trap_print_registers(const struct trap_frame *frame)
{
    const uint64_t *value = &frame->r15;
    static const char *const name[] = {"r15", "r14", "r13", "r12", "r11", "r10", "r9 ", "r8 ",
                                       "rdi", "rsi", "rbp", "rbx", "rdx", "rcx", "rax"};
    for (unsigned i = 0; i < sizeof name / sizeof name[0]; i++)
        print("  %s %016lx%s", name[i], value[i], i % 3 == 2 ? "\n" : "");
    print("  rip %016lx  rsp %016lx\n", frame->rip, frame->rsp);
    print("  cs %04lx rflags %08lx error %lx\n", frame->cs, frame->rflags, frame->error);
}
