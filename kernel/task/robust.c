/* kernel/task/robust.c: locks of a thread that ends (man 2 set_robust_list)
 *
 * A thread keeps a list of the locks that it holds, in its own memory, where nothing can be
 * trusted: at most MAX_LOCKS of it are walked. Each lock whose word has the thread's number gets
 * FUTEX_OWNER_DIED, and one of its waiters wakes. The lock that was being taken or released is
 * beside the list.
 */
#include "errno.h"
#include "task/futex.h"
#include "user.h"

#define MAX_LOCKS 2048u
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK 0x3fffffffu
/* In a pointer: a lock that lends priority, which there are none of here. */
#define PRIORITY_LOCK 1u

struct robust_list_head {
    uintptr_t first;
    long offset; /* from an entry to its lock's word */
    uintptr_t pending;
};

/* A lock that was being taken may have no owner yet, and its waiters nobody to wake them. */
static bool release(uintptr_t at, bool is_pending)
{
    struct futex_word word;
    if (at & 3 || futex_word_open(&word, at))
        return false;
    uint32_t value = *word.value;
    bool is_owned = (value & FUTEX_TID_MASK) == (uint32_t)current->tid;
    if (is_owned)
        *word.value = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    futex_word_close(&word);
    if (is_owned ? value & FUTEX_WAITERS : is_pending && !value)
        futex_wake(at, 1);
    return true;
}

static uintptr_t lock_of(uintptr_t entry, long offset)
{
    return (entry & ~(uintptr_t)PRIORITY_LOCK) + (uintptr_t)offset;
}

static void walk(uintptr_t list, const struct robust_list_head *head)
{
    uintptr_t pending = head->pending & ~(uintptr_t)PRIORITY_LOCK;
    uintptr_t entry = head->first;
    for (unsigned i = 0; i < MAX_LOCKS; i++) {
        uintptr_t at = entry & ~(uintptr_t)PRIORITY_LOCK, next;
        if (at == list || copy_from_user(&next, at, sizeof next))
            break;
        if (at != pending && !release(lock_of(entry, head->offset), false))
            break;
        entry = next;
    }
    if (pending)
        (void)release(lock_of(pending, head->offset), true);
}

void futex_exit(struct task *task)
{
    struct robust_list_head head;
    uintptr_t list = task->robust_list;
    task->robust_list = 0;
    if (list && task->process->mm && !copy_from_user(&head, list, sizeof head))
        walk(list, &head);
}
