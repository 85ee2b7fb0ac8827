/* kernel/task/futex.h: fast user-space locks (man 2 futex) */
#ifndef KERNEL_TASK_FUTEX_H
#define KERNEL_TASK_FUTEX_H

#include "task/task.h"

/* Addresses are of whole words of the current program's. `shared`: it may be memory that others
 * have at another address. All may sleep; -EFAULT, -ENOMEM. */
#define FUTEX_ALL_BITS 0xffffffffu

/* Sleeps while the word is `value`: -EAGAIN: it isn't; -EINTR; -ETIMEDOUT. */
QUIRE_MUST_CHECK int futex_wait(uintptr_t at, bool shared, uint32_t value, uint32_t bits,
                                uint64_t deadline);
/* Wakes up to `most` of those whose bits have one of `bits`; their number. */
QUIRE_MUST_CHECK int futex_wake_bits(uintptr_t at, bool shared, unsigned most, uint32_t bits);
/* The same for all bits and a word that may be shared; errors don't matter. */
int futex_wake(uintptr_t at, unsigned most);

struct futex_requeue {
    uintptr_t from, to;
    bool shared;
    unsigned wake, move;      /* at most */
    const uint32_t *expected; /* NULL, or -EAGAIN unless the first word is this */
};
/* Wakes some, and others sleep on another word from now on; the number of both. */
QUIRE_MUST_CHECK int futex_requeue(const struct futex_requeue *request);

struct futex_wake_op {
    uintptr_t at, at_changed;
    bool shared;
    unsigned wake, wake_changed; /* at most */
    uint32_t code;               /* FUTEX_OP() */
};
/* Changes a word, wakes who sleeps on another, and if the old value says so those of the first.
 * -ENOSYS: no such operation. */
QUIRE_MUST_CHECK int futex_wake_op(const struct futex_wake_op *request);

/* Walks the robust list: owners of its locks are dead, waiters wake. `task` is the running one, and
 * its memory is still there: at its end, and when execve is about to take it. */
void futex_exit(struct task *task);

/* ---- a word of the program's, seen by the kernel --------------------------------------------- */

struct futex_word {
    struct quire_page *page;
    char *window;
    volatile uint32_t *value;
};
/* Between both nothing may sleep: so what is done to the word is one step for all programs. */
QUIRE_MUST_CHECK int futex_word_open(struct futex_word *word, uintptr_t at);
void futex_word_close(struct futex_word *word);

#endif
