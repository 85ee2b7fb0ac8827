/* kernel/i386/traps.c: the IDT, and the task that a double fault switches to
 *
 * A trap from a program comes in on the running task's kernel stack; an exception of the kernel
 * stays on the stack that it interrupted. When that stack is the trouble, the CPU
 * can't push and raises a double fault; its task gate brings a stack of its own, and the state of
 * the interrupted code is found in the main task's segment.
 */
#include "cpu.h"
#include "kernel.h"
#include "trap.h"

#define STUB_BYTES 16
#define DOUBLE_FAULT 8
#define GATE_INTERRUPT 0x8e /* present, privilege 0, 32 bits, interrupts off */
#define GATE_PROGRAM 0x60   /* programs may raise it, too */
#define GATE_TASK 0x85
#define BREAKPOINT 3
#define OVERFLOW 4
#define DESCRIPTOR_TSS 0x89
#define EFLAGS_ALWAYS_SET 0x2

struct gate {
    uint16_t offset_low, selector;
    uint8_t zero, type;
    uint16_t offset_high;
};

/* Intel SDM volume 3, 8.2.1. */
struct task_state {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
};
_Static_assert(sizeof(struct task_state) == 104, "a task state segment has 104 bytes");

extern uint64_t gdt[];
extern char trap_stubs[], syscall_stub[];

static struct gate idt[SYSCALL_VECTOR + 1];
static struct task_state main_task, double_fault_task;
static char double_fault_stack[8192] __attribute__((aligned(16)));

_Noreturn static void double_fault(void)
{
    struct trap_frame frame = {
        .edi = main_task.edi,
        .esi = main_task.esi,
        .ebp = main_task.ebp,
        .stub_esp = main_task.esp - TRAP_FRAME_ABOVE_VECTOR,
        .ebx = main_task.ebx,
        .edx = main_task.edx,
        .ecx = main_task.ecx,
        .eax = main_task.eax,
        .vector = DOUBLE_FAULT,
        .eip = main_task.eip,
        .cs = main_task.cs,
        .eflags = main_task.eflags,
    };
    kernel_exception(&frame);
}

static void set_task_descriptor(unsigned selector, const struct task_state *task)
{
    uint32_t base = (uint32_t)(uintptr_t)task, limit = sizeof *task - 1;
    uint32_t low = limit | base << 16;
    uint32_t high = (base >> 16 & 0xff) | DESCRIPTOR_TSS << 8 | (base & 0xff000000);
    gdt[selector / 8] = (uint64_t)high << 32 | low;
}

static struct gate gate_to(const char *code)
{
    uint32_t entry = (uint32_t)(uintptr_t)code;
    return (struct gate){(uint16_t)entry, SELECTOR_CODE, 0, GATE_INTERRUPT,
                         (uint16_t)(entry >> 16)};
}

void traps_init(void)
{
    for (unsigned vector = 0; vector < NR_TRAPS; vector++)
        idt[vector] = gate_to(trap_stubs + vector * STUB_BYTES);
    idt[BREAKPOINT].type |= GATE_PROGRAM;
    idt[OVERFLOW].type |= GATE_PROGRAM;
    idt[SYSCALL_VECTOR] = gate_to(syscall_stub);
    idt[SYSCALL_VECTOR].type |= GATE_PROGRAM;
    idt[DOUBLE_FAULT] = (struct gate){0, SELECTOR_DOUBLE_FAULT, 0, GATE_TASK, 0};
    double_fault_task = (struct task_state){
        .cr3 = (uint32_t)cpu_cr3(),
        .eip = (uint32_t)(uintptr_t)double_fault,
        .eflags = EFLAGS_ALWAYS_SET,
        .esp = (uint32_t)(uintptr_t)(double_fault_stack + sizeof double_fault_stack),
        .cs = SELECTOR_CODE,
        .ds = SELECTOR_DATA,
        .es = SELECTOR_DATA,
        .ss = SELECTOR_DATA,
        .io_map = sizeof(struct task_state),
    };
    main_task.io_map = sizeof main_task;
    main_task.ss0 = SELECTOR_DATA;
    set_task_descriptor(SELECTOR_TSS, &main_task);
    set_task_descriptor(SELECTOR_DOUBLE_FAULT, &double_fault_task);
    cpu_load_task(SELECTOR_TSS);
    cpu_load_ldt(0);
    cpu_load_idt(idt, sizeof idt);
}

void traps_set_stack(void *top)
{
    main_task.esp0 = (uint32_t)(uintptr_t)top;
}

/* The double fault's task runs on what all tables share. */
void traps_set_tables(uintptr_t cr3)
{
    double_fault_task.cr3 = (uint32_t)cr3;
}

void trap_print_registers(const struct trap_frame *frame)
{
    print("  eax %08x ebx %08x ecx %08x edx %08x\n", frame->eax, frame->ebx, frame->ecx,
          frame->edx);
    print("  esi %08x edi %08x ebp %08x eip %08x\n", frame->esi, frame->edi, frame->ebp,
          frame->eip);
    print("  cs %04x eflags %08x error %x\n", frame->cs, frame->eflags, frame->error);
}
