/* kernel/task/switch.c: from one task to another, as far as it's the same on both architectures */
#include <quire/port.h>

#include "cpu.h"
#include "memory.h"
#include "task/arch_task.h"
#include "task/lifecycle.h"
#include "trap.h"

static struct quire_mm *loaded; /* whose tables CR3 has; NULL: the kernel's own */

/* A kernel thread runs on whatever is loaded, since all share the kernel's part; only an address
 * space that goes away has to be left (mm_leave). */
static void load_tables(struct quire_mm *mm)
{
    if (!mm || mm == loaded)
        return;
    struct quire_pgtable *old = loaded ? quire_mm_pgtable(loaded) : NULL;
    struct quire_pgtable *tables = quire_mm_pgtable(mm);
    quire_pgtable_cpu_enter(tables, quire_port_cpu());
    cpu_set_cr3((uintptr_t)tables->root);
    if (old)
        quire_pgtable_cpu_leave(old, quire_port_cpu());
    loaded = mm;
}

void mm_use(struct quire_mm *mm)
{
    load_tables(mm);
}

void mm_leave(struct quire_mm *mm)
{
    if (!mm || loaded != mm)
        return;
    cpu_set_cr3((uintptr_t)machine_tables.root);
    quire_pgtable_cpu_leave(quire_mm_pgtable(mm), quire_port_cpu());
    loaded = NULL;
}

void arch_switch(struct task *previous, struct task *next)
{
    if (previous->process)
        arch_save(previous);
    if (next->process) {
        load_tables(next->process->mm);
        arch_load(next);
        traps_set_stack(next->stack + KERNEL_STACK_BYTES);
    }
    switch_stacks(&previous->stack_pointer, next->stack_pointer);
}

void arch_prepare(struct task *task)
{
    uintptr_t *stack = (uintptr_t *)(void *)task->frame;
    *--stack = (uintptr_t)task_entry;
    for (unsigned i = 0; i < SAVED_REGISTERS; i++)
        *--stack = 0;
    task->stack_pointer = stack;
}
