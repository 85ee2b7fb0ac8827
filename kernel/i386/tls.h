/* kernel/i386/tls.h: thread-local storage, as set_thread_area(2) has it */
#ifndef KERNEL_I386_TLS_H
#define KERNEL_I386_TLS_H

#include "task/task.h"

#define NR_TLS_SLOTS 3u

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

/* Puts a descriptor into the slot that it names, or with entry -1 into a free one, which it names
 * then. arch_load makes it the CPU's. -EINVAL, -ESRCH: none is free. */
QUIRE_MUST_CHECK int tls_set(struct task *task, struct user_desc *desc);

#endif
