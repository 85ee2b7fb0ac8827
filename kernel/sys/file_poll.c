/* kernel/sys/file_poll.c: poll(2), select(2) and their relatives */
#include <quire/vmalloc.h>

#include "fs/poll.h"
#include "memory.h"
#include "sys/abi_file.h"
#include "sys/file_user.h"
#include "sys/poll_user.h"
#include "sys/user_time.h"
#include "task/limits.h"

#define NS_PER_MS 1000000u

/* ---- the time until which, and the signals meanwhile ----------------------------------------- */

enum timeout_kind { TIMEOUT_SPEC, TIMEOUT_SPEC_64, TIMEOUT_VAL };

/* A timeout in user memory, which is told what is left of it. */
struct timeout {
    uintptr_t at; /* 0: none */
    enum timeout_kind kind;
    uint64_t deadline;
};

static int timeout_begin(struct timeout *timeout, uintptr_t at, enum timeout_kind kind)
{
    uint64_t ns;
    *timeout = (struct timeout){at, kind, NO_DEADLINE};
    if (!at)
        return 0;
    int error = kind == TIMEOUT_VAL
                    ? timeval_from_user(&ns, at)
                    : time_from_user(&ns, at, kind == TIMEOUT_SPEC ? TIME_LONG : TIME_64);
    if (!error)
        timeout->deadline = ns ? deadline_after(ns) : 0;
    return error;
}

/* What can't be written isn't, as in Linux: the result stands. */
static void timeout_end(const struct timeout *timeout)
{
    uint64_t now = quire_port_clock_ns();
    uint64_t left = timeout->deadline > now ? timeout->deadline - now : 0;
    if (!timeout->at)
        return;
    if (timeout->kind == TIMEOUT_VAL)
        (void)!timeval_to_user(timeout->at, left);
    else
        (void)!time_to_user(timeout->at, left, timeout->kind == TIMEOUT_SPEC ? TIME_LONG : TIME_64);
}

uint64_t poll_deadline_of_ms(int ms)
{
    if (ms < 0)
        return NO_DEADLINE;
    return ms ? deadline_after((uint64_t)ms * NS_PER_MS) : 0;
}

int poll_mask_begin(uintptr_t at, unsigned long size)
{
    uint64_t mask;
    if (!at)
        return 0;
    if (size != sizeof mask)
        return -EINVAL;
    if (copy_from_user(&mask, at, sizeof mask))
        return -EFAULT;
    current->saved_blocked = current->blocked;
    current->restore_blocked = true;
    signal_set_blocked(mask);
    return 0;
}

void poll_mask_end(uintptr_t at, long result)
{
    if (!at || result == -EINTR)
        return;
    current->restore_blocked = false;
    signal_set_blocked(current->saved_blocked);
}

/* ---- poll ------------------------------------------------------------------------------------ */

static void end_items(struct poll_item *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        file_put(items[i].file);
}

static void begin_items(struct poll_item *items, const struct abi_pollfd *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        items[i] = (struct poll_item){.wanted = (uint16_t)fds[i].wanted};
        if (fds[i].fd < 0)
            continue;
        items[i].file = user_file_any((unsigned long)fds[i].fd);
        if (!items[i].file)
            items[i].ready = POLLNVAL;
    }
}

static long poll_copied(struct abi_pollfd *fds, struct poll_item *items, unsigned count,
                        uint64_t deadline)
{
    begin_items(items, fds, count);
    long result = poll_wait(items, count, deadline);
    for (unsigned i = 0; i < count; i++)
        fds[i].ready = (int16_t)items[i].ready;
    end_items(items, count);
    return result;
}

static long poll(uintptr_t at, unsigned long count, uint64_t deadline)
{
    if (count > current_process()->limit[RLIMIT_NOFILE].current || count > FILES_MAX_LIMIT)
        return -EINVAL;
    size_t size = count * sizeof(struct abi_pollfd);
    struct abi_pollfd *fds = quire_kvmalloc(machine_vmalloc, size, QUIRE_GFP_KERNEL);
    struct poll_item *items =
        quire_kvmalloc(machine_vmalloc, count * sizeof *items, QUIRE_GFP_KERNEL);
    long result = fds && items ? copy_from_user(fds, at, size) : -ENOMEM;
    if (!result)
        result = poll_copied(fds, items, (unsigned)count, deadline);
    if (result >= 0 && copy_to_user(at, fds, size))
        result = -EFAULT;
    quire_kvfree(machine_vmalloc, fds);
    quire_kvfree(machine_vmalloc, items);
    return result;
}

long sys_poll(const unsigned long *arg)
{
    return poll(arg[0], arg[1], poll_deadline_of_ms((int)arg[2]));
}

static long ppoll(const unsigned long *arg, enum timeout_kind kind)
{
    struct timeout timeout;
    int error = timeout_begin(&timeout, arg[2], kind);
    if (!error)
        error = poll_mask_begin(arg[3], arg[4]);
    if (error)
        return error;
    long result = poll(arg[0], arg[1], timeout.deadline);
    poll_mask_end(arg[3], result);
    timeout_end(&timeout);
    return result;
}

long sys_ppoll(const unsigned long *arg)
{
    return ppoll(arg, TIMEOUT_SPEC);
}

/* ---- select ---------------------------------------------------------------------------------- */

#define SELECT_MAX 4096u
#define WORD_BITS (8 * (unsigned)sizeof(unsigned long))
#define WORDS (SELECT_MAX / WORD_BITS)

enum { READ_SET, WRITE_SET, EXCEPT_SET, NR_SETS };

static const unsigned wanted_of[NR_SETS] = {POLLIN | POLLRDNORM | POLLRDBAND,
                                            POLLOUT | POLLWRNORM | POLLWRBAND, POLLPRI};
/* An end or an error makes reading, and an error writing, possible without waiting. */
static const unsigned ready_of[NR_SETS] = {POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
                                           POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR, POLLPRI};

struct selection {
    unsigned count; /* of descriptors */
    unsigned nr_items;
    unsigned long set[NR_SETS][WORDS];
    int *fd; /* of each item; room for `count`, like these: */
    struct poll_item item[];
};

static size_t set_bytes(unsigned count)
{
    return (count + WORD_BITS - 1) / WORD_BITS * sizeof(unsigned long);
}

static int read_sets(struct selection *selection, const unsigned long *arg)
{
    for (unsigned i = 0; i < NR_SETS; i++)
        if (arg[1 + i] &&
            copy_from_user(selection->set[i], arg[1 + i], set_bytes(selection->count)))
            return -EFAULT;
    return 0;
}

static int write_sets(const struct selection *selection, const unsigned long *arg)
{
    for (unsigned i = 0; i < NR_SETS; i++)
        if (arg[1 + i] && copy_to_user(arg[1 + i], selection->set[i], set_bytes(selection->count)))
            return -EFAULT;
    return 0;
}

/* -EBADF: a descriptor is in a set and not open; the caller puts what there is. */
static int choose(struct selection *selection)
{
    for (unsigned fd = 0; fd < selection->count; fd++) {
        unsigned wanted = 0;
        for (unsigned i = 0; i < NR_SETS; i++)
            if (selection->set[i][fd / WORD_BITS] >> fd % WORD_BITS & 1)
                wanted |= wanted_of[i];
        if (!wanted)
            continue;
        struct file *file = user_file(fd);
        if (!file)
            return -EBADF;
        selection->fd[selection->nr_items] = (int)fd;
        selection->item[selection->nr_items++] = (struct poll_item){file, wanted, 0};
    }
    return 0;
}

/* What was asked for and is ready; the number of bits. */
static long set_results(struct selection *selection)
{
    long count = 0;
    unsigned long asked[NR_SETS];
    for (unsigned i = 0, at = 0; i < (selection->count + WORD_BITS - 1) / WORD_BITS; i++) {
        for (unsigned s = 0; s < NR_SETS; s++) {
            asked[s] = selection->set[s][i];
            selection->set[s][i] = 0;
        }
        for (; at < selection->nr_items && (unsigned)selection->fd[at] / WORD_BITS == i; at++)
            for (unsigned s = 0; s < NR_SETS; s++) {
                unsigned long bit = 1ul << (unsigned)selection->fd[at] % WORD_BITS;
                if (!(asked[s] & bit) || !(selection->item[at].ready & ready_of[s]))
                    continue;
                selection->set[s][i] |= bit;
                count++;
            }
    }
    return count;
}

static long select_in(struct selection *selection, const unsigned long *arg, uint64_t deadline)
{
    long result = read_sets(selection, arg);
    if (!result)
        result = choose(selection);
    if (!result)
        result = poll_wait(selection->item, selection->nr_items, deadline);
    if (result >= 0)
        result = set_results(selection);
    end_items(selection->item, selection->nr_items);
    if (result >= 0 && write_sets(selection, arg))
        result = -EFAULT;
    return result;
}

static long select_at(const unsigned long *arg, uint64_t deadline)
{
    if ((int)arg[0] < 0)
        return -EINVAL;
    /* Descriptors beyond the table's end aren't looked at, as in Linux. */
    unsigned count = arg[0] < SELECT_MAX ? (unsigned)arg[0] : SELECT_MAX;
    size_t size = count * (sizeof(struct poll_item) + sizeof(int));
    struct selection *selection =
        quire_kvzalloc(machine_vmalloc, sizeof *selection + size, QUIRE_GFP_KERNEL);
    if (!selection)
        return -ENOMEM;
    selection->count = count;
    selection->fd = (int *)(selection->item + count);
    long result = select_in(selection, arg, deadline);
    quire_kvfree(machine_vmalloc, selection);
    return result;
}

long sys_select(const unsigned long *arg)
{
    struct timeout timeout;
    int error = timeout_begin(&timeout, arg[4], TIMEOUT_VAL);
    if (error)
        return error;
    long result = select_at(arg, timeout.deadline);
    timeout_end(&timeout);
    return result;
}

static long pselect(const unsigned long *arg, enum timeout_kind kind)
{
    struct timeout timeout;
    unsigned long mask[2] = {0, 0}; /* address and size */
    if (arg[5] && copy_from_user(mask, arg[5], sizeof mask))
        return -EFAULT;
    int error = timeout_begin(&timeout, arg[4], kind);
    if (!error)
        error = poll_mask_begin(mask[0], mask[1]);
    if (error)
        return error;
    long result = select_at(arg, timeout.deadline);
    poll_mask_end(mask[0], result);
    timeout_end(&timeout);
    return result;
}

long sys_pselect6(const unsigned long *arg)
{
    return pselect(arg, TIMEOUT_SPEC);
}

#if !defined(__x86_64__)
long sys_ppoll_time64(const unsigned long *arg)
{
    return ppoll(arg, TIMEOUT_SPEC_64);
}

long sys_pselect6_time64(const unsigned long *arg)
{
    return pselect(arg, TIMEOUT_SPEC_64);
}
#endif
