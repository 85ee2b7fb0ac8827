/* kernel/i386/ldt.h: local descriptor tables (modify_ldt(2)), and descriptors as programs have them
 */
#ifndef KERNEL_I386_LDT_H
#define KERNEL_I386_LDT_H

#include "base/compiler.h"
#include "task/task.h"

struct user_desc {
    uint32_t entry, base, limit, flags;
};
#define USER_DESC_32BIT 0x01u
#define USER_DESC_CONTENTS 0x06u
#define USER_DESC_EXPAND_DOWN 0x02u
#define USER_DESC_READ_ONLY 0x08u
#define USER_DESC_LIMIT_IN_PAGES 0x10u
#define USER_DESC_NOT_PRESENT 0x20u
#define USER_DESC_USEABLE 0x40u

#define SELECTOR_IS_LOCAL 4u /* of the LDT, not of the GDT */

/* How one says that an entry is to be cleared. */
static inline bool user_desc_is_empty(const struct user_desc *desc)
{
    return !desc->base && !desc->limit &&
           desc->flags == (USER_DESC_READ_ONLY | USER_DESC_NOT_PRESENT);
}

/* As the CPU has it: accessed, privilege 3. */
uint64_t descriptor_of(const struct user_desc *desc);
#define DESCRIPTOR_PRESENT (1ull << 47)
#define DESCRIPTOR_CODE (1ull << 43)
#define DESCRIPTOR_WRITABLE (1ull << 41) /* of data; code that can be read */
#define DESCRIPTOR_READABLE DESCRIPTOR_WRITABLE

/* FS and GS can be loaded with it: data, or code that can be read, that is there. */
static inline bool descriptor_can_be_read(uint64_t descriptor)
{
    return (descriptor & DESCRIPTOR_PRESENT) &&
           (!(descriptor & DESCRIPTOR_CODE) || (descriptor & DESCRIPTOR_READABLE));
}

/* The descriptor that a selector of the table names; 0: none. */
uint64_t ldt_descriptor(const struct process *process, uint16_t selector);
/* The CPU's; NULL: none. */
extern const struct ldt *ldt_loaded;
void ldt_load_another(const struct process *process);

/* The CPU's table is the process's from now on. */
static inline void ldt_load(const struct process *process)
{
    if (quire_unlikely(process->ldt || ldt_loaded))
        ldt_load_another(process);
}

#endif
