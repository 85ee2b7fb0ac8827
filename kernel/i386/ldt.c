/* kernel/i386/ldt.c: modify_ldt(2): segments of a program's own, shared by who shares its memory
 *
 * The table is made by the first write, for all processes that have the memory, and grows; fork
 * copies it, and a new program has none. Entries are data or code of 32 bits, so they need none of
 * what returning to a stack of 16 bits takes: such are refused, as by a Linux without
 * CONFIG_X86_16BIT. DS and ES are the flat segments whenever the kernel was entered.
 *
 *   invariant   a task of a process that has a table comes to user mode with CS and SS looked at
 *               (trap_frame_can_return) after each switch and each write: IRET loads nothing that
 *               has changed meanwhile
 */
#include "i386/ldt.h"

#include "base/compiler.h"
#include "cpu.h"
#include "errno.h"
#include "memory.h"
#include "sys/calls_resource.h"
#include "task/arch_task.h"
#include "task/lifecycle.h"
#include "task/sched.h"
#include "trap.h"
#include "user.h"

#define MOST_ENTRIES 8192u
#define FIRST_CAPACITY 32u
#define DEFAULT_BYTES 40u /* of the table that Linux had for who wrote none */
#define PIECE_ENTRIES 32u

#define DESCRIPTOR_CONFORMING (1ull << 42)
#define DESCRIPTOR_AVAILABLE (1ull << 52)
#define DESCRIPTOR_LIMIT_IN_PAGES (1ull << 55)
#define DESCRIPTOR_LDT 0x82ull /* type, present */

struct ldt {
    uint64_t *entry;
    unsigned count, capacity, refs; /* refs: processes that have it */
};

extern uint64_t gdt[];
const struct ldt *ldt_loaded;

/* ---- descriptors ----------------------------------------------------------------------------- */

/* SDM 3A, figure 5-8. */
uint64_t descriptor_of(const struct user_desc *desc)
{
    uint64_t type = 0xf1u | (desc->flags & USER_DESC_READ_ONLY ? 0 : 2) |
                    (desc->flags & USER_DESC_CONTENTS) << 1;
    uint64_t present = desc->flags & USER_DESC_NOT_PRESENT ? 0 : 0x80;
    type = (type & ~(uint64_t)0x80) | present;
    uint64_t high = (desc->limit >> 16 & 0xf) | (desc->flags & USER_DESC_USEABLE ? 0x1u : 0) << 4 |
                    (desc->flags & USER_DESC_32BIT ? 0x4u : 0) << 4 |
                    (desc->flags & USER_DESC_LIMIT_IN_PAGES ? 0x8u : 0) << 4;
    return (desc->limit & 0xffff) | (uint64_t)(desc->base & 0xffffff) << 16 | type << 40 |
           high << 48 | (uint64_t)(desc->base >> 24) << 56;
}

uint64_t ldt_descriptor(const struct process *process, uint16_t selector)
{
    const struct ldt *ldt = process->ldt;
    unsigned entry = selector / 8;
    bool is_there = ldt && (selector & 7) == (SELECTOR_IS_LOCAL | 3) && entry < ldt->count;
    return is_there ? ldt->entry[entry] : 0;
}

/* ---- back to the program --------------------------------------------------------------------- */

static bool can_be_code(uint16_t selector, uint32_t at)
{
    if (selector == SELECTOR_USER_CODE)
        return true;
    uint64_t descriptor = ldt_descriptor(current_process(), selector);
    uint32_t limit = (uint32_t)(descriptor & 0xffff) | ((uint32_t)(descriptor >> 32) & 0xf0000);
    if (descriptor & DESCRIPTOR_LIMIT_IN_PAGES)
        limit = limit << 12 | 0xfff;
    const uint64_t want = DESCRIPTOR_PRESENT | DESCRIPTOR_CODE;
    return (descriptor & (want | DESCRIPTOR_CONFORMING)) == want && at <= limit;
}

static bool can_be_stack(uint16_t selector)
{
    const uint64_t want = DESCRIPTOR_PRESENT | DESCRIPTOR_WRITABLE;
    return selector == SELECTOR_USER_DATA ||
           (ldt_descriptor(current_process(), selector) & (want | DESCRIPTOR_CODE)) == want;
}

bool trap_frame_can_return(const struct trap_frame *frame)
{
    return can_be_code((uint16_t)frame->cs, frame->eip) && can_be_stack((uint16_t)frame->ss);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* One without entries isn't the CPU's: the least limit that a descriptor can say is a byte. */
static void set_table(const struct ldt *ldt)
{
    ldt_loaded = ldt;
    if (!ldt || !ldt->count) {
        cpu_load_ldt(0);
        return;
    }
    uint32_t base = (uint32_t)(uintptr_t)ldt->entry, limit = ldt->count * 8 - 1;
    gdt[SELECTOR_LDT / 8] = limit | (uint64_t)(base & 0xffffff) << 16 | DESCRIPTOR_LDT << 40 |
                            (uint64_t)(base >> 24) << 56;
    cpu_load_ldt(SELECTOR_LDT);
}

void ldt_load_another(const struct process *process)
{
    if (process->ldt != ldt_loaded)
        set_table(process->ldt);
    if (process->ldt)
        sched_attend();
}

static uint64_t *new_entries(unsigned capacity)
{
    return quire_kmalloc_array(machine_slab, capacity, sizeof(uint64_t),
                               QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO);
}

static struct ldt *new_table(unsigned capacity)
{
    struct ldt *ldt = quire_kmalloc(machine_slab, sizeof *ldt, QUIRE_GFP_KERNEL);
    uint64_t *entry = ldt ? new_entries(capacity) : NULL;
    if (!entry) {
        quire_kfree(machine_slab, ldt);
        return NULL;
    }
    *ldt = (struct ldt){.entry = entry, .capacity = capacity};
    return ldt;
}

static void free_table(struct ldt *ldt)
{
    if (ldt == ldt_loaded)
        set_table(NULL);
    quire_kfree(machine_slab, ldt->entry);
    quire_kfree(machine_slab, ldt);
}

static void have(struct process *process, struct ldt *ldt)
{
    process->ldt = ldt;
    ldt->refs++;
}

/* The parent may write more while memory is had for the copy. */
int arch_fork_process(struct process *child, const struct process *parent, bool same_memory)
{
    struct ldt *copy = NULL;
    while (!same_memory && parent->ldt && (!copy || copy->capacity < parent->ldt->count)) {
        if (copy)
            free_table(copy);
        copy = new_table(parent->ldt->capacity);
        if (!copy)
            return -ENOMEM;
    }
    if (copy) {
        memcpy(copy->entry, parent->ldt->entry, parent->ldt->count * sizeof *copy->entry);
        copy->count = parent->ldt->count;
        have(child, copy);
    } else if (parent->ldt)
        have(child, parent->ldt);
    return 0;
}

void arch_end_process(struct process *process)
{
    struct ldt *ldt = process->ldt;
    process->ldt = NULL;
    if (ldt && !--ldt->refs)
        free_table(ldt);
}

/* Somebody who has the memory may do the same while this one sleeps. */
static int make_table(struct process *process)
{
    struct ldt *ldt = process->ldt ? NULL : new_table(FIRST_CAPACITY);
    if (process->ldt) {
        if (ldt)
            free_table(ldt);
        return 0;
    }
    if (!ldt)
        return -ENOMEM;
    list_for_each (at, &all_processes) {
        struct process *other = quire_container_of(at, struct process, all);
        if (other->mm == process->mm)
            have(other, ldt);
    }
    return 0;
}

static int make_room(struct ldt *ldt, unsigned count)
{
    unsigned capacity = ldt->capacity;
    while (capacity < count)
        capacity *= 2;
    if (capacity == ldt->capacity)
        return 0;
    uint64_t *entry = new_entries(capacity);
    if (!entry)
        return -ENOMEM;
    if (capacity > ldt->capacity) { /* nobody else has made more */
        uint64_t *before = ldt->entry;
        memcpy(entry, before, ldt->count * sizeof *entry);
        ldt->entry = entry;
        ldt->capacity = capacity;
        if (ldt == ldt_loaded)
            set_table(ldt);
        entry = before;
    }
    quire_kfree(machine_slab, entry);
    return 0;
}

static int set_entry(struct process *process, unsigned number, uint64_t descriptor)
{
    int error = make_table(process);
    if (!error)
        error = make_room(process->ldt, number + 1);
    if (error)
        return error;
    struct ldt *ldt = process->ldt;
    arch_save(current);
    ldt->entry[number] = descriptor;
    ldt->count = ldt->count > number ? ldt->count : number + 1;
    set_table(ldt);
    arch_load(current);
    return 0;
}

/* ---- the call -------------------------------------------------------------------------------- */

static long read_table(const struct process *process, uintptr_t to, unsigned long size)
{
    uint64_t piece[PIECE_ENTRIES];
    if (!process->ldt || !process->ldt->count)
        return 0;
    size = size < MOST_ENTRIES * 8 ? size : MOST_ENTRIES * 8;
    for (unsigned long done = 0; done < size; done += sizeof piece) {
        const struct ldt *ldt = process->ldt;
        unsigned first = (unsigned)(done / 8);
        for (unsigned i = 0; i < PIECE_ENTRIES; i++)
            piece[i] = first + i < ldt->count ? ldt->entry[first + i] : 0;
        if (copy_to_user(to + done, piece, size - done < sizeof piece ? size - done : sizeof piece))
            return -EFAULT;
    }
    return (long)size;
}

/* All zero since anybody can remember. */
static long read_default(uintptr_t to, unsigned long size)
{
    static const char zero[DEFAULT_BYTES];
    size = size < sizeof zero ? size : sizeof zero;
    return copy_to_user(to, zero, size) ? -EFAULT : (long)size;
}

static long write_entry(struct process *process, uintptr_t from, unsigned long size, bool old)
{
    struct user_desc desc;
    if (size != sizeof desc)
        return -EINVAL;
    if (copy_from_user(&desc, from, sizeof desc))
        return -EFAULT;
    bool is_conforming = (desc.flags & USER_DESC_CONTENTS) == USER_DESC_CONTENTS;
    if (desc.entry >= MOST_ENTRIES ||
        (is_conforming && (old || !(desc.flags & USER_DESC_NOT_PRESENT))))
        return -EINVAL;
    if (user_desc_is_empty(&desc) || (old && !desc.base && !desc.limit))
        return set_entry(process, desc.entry, 0);
    if (!(desc.flags & USER_DESC_32BIT))
        return -EINVAL;
    uint64_t descriptor = descriptor_of(&desc);
    return set_entry(process, desc.entry, old ? descriptor & ~DESCRIPTOR_AVAILABLE : descriptor);
}

/* modify_ldt(function, pointer, bytes). */
long sys_modify_ldt(const unsigned long *arg)
{
    struct process *process = current_process();
    switch ((int)arg[0]) {
    case 0:
        return read_table(process, arg[1], arg[2]);
    case 1:
        return write_entry(process, arg[1], arg[2], true);
    case 2:
        return read_default(arg[1], arg[2]);
    case 0x11:
        return write_entry(process, arg[1], arg[2], false);
    default:
        return -ENOSYS;
    }
}
