/* kernel/i386/calls.c: set_thread_area(2) and get_thread_area(2)
 */
#include "errno.h"
#include "i386/tls.h"
#include "sys/calls_resource.h"
#include "task/arch_task.h"
#include "task/sched.h"
#include "user.h"

#define FIRST_ENTRY (SELECTOR_TLS / 8)

/* As tls_set, with the entry that was taken given back. The CPU gets it at once. */
long sys_set_thread_area(const unsigned long *arg)
{
    struct user_desc desc;
    if (copy_from_user(&desc, arg[0], sizeof desc))
        return -EFAULT;
    bool choose = desc.entry == UINT32_MAX;
    /* What arch_load restores beside the slots has to be the CPU's, not an older state. */
    arch_save(current);
    uint64_t before[NR_TLS_SLOTS];
    memcpy(before, current->arch.tls, sizeof before);
    int error = tls_set(current, &desc);
    if (!error && choose && copy_to_user(arg[0], &desc.entry, sizeof desc.entry)) {
        memcpy(current->arch.tls, before, sizeof before);
        error = -EFAULT;
    }
    if (!error) {
        arch_load(current);
        sched_attend(); /* SS may hold a slot's selector: can the frame be returned to? */
    }
    return error;
}

/* A descriptor (SDM 3A, figure 5-8) as programs have it. */
static struct user_desc describe(uint64_t descriptor, uint32_t entry)
{
    uint32_t type = (uint32_t)(descriptor >> 40) & 0xf, high = (uint32_t)(descriptor >> 52) & 0xf;
    bool present = descriptor >> 47 & 1;
    struct user_desc desc = {.entry = entry};
    desc.base = (uint32_t)(descriptor >> 16 & 0xffffff) | (uint32_t)(descriptor >> 56) << 24;
    desc.limit = (uint32_t)(descriptor & 0xffff) | ((uint32_t)(descriptor >> 48) & 0xf) << 16;
    desc.flags = (high & 4 ? USER_DESC_32BIT : 0) | (type >> 2) << 1 |
                 (type & 2 ? 0 : USER_DESC_READ_ONLY) | (high & 8 ? USER_DESC_LIMIT_IN_PAGES : 0) |
                 (present ? 0 : USER_DESC_NOT_PRESENT) | (high & 1 ? USER_DESC_USEABLE : 0);
    return desc;
}

long sys_get_thread_area(const unsigned long *arg)
{
    uint32_t entry;
    if (copy_from_user(&entry, arg[0], sizeof entry))
        return -EFAULT;
    if (entry - FIRST_ENTRY >= NR_TLS_SLOTS)
        return -EINVAL;
    struct user_desc desc = describe(current->arch.tls[entry - FIRST_ENTRY], entry);
    return copy_to_user(arg[0], &desc, sizeof desc);
}
