/* kernel/sys/process_vm.c: another process's memory (man 2 process_vm_readv), and membarrier(2)
 */
#include "errno.h"
#include "memory.h"
#include "sys/abi_memory.h"
#include "sys/calls_memory.h"
#include "sys/other_process.h"
#include "task/capability.h"
#include "task/give_way.h"
#include "task/lifecycle.h"
#include "task/shm.h"
#include "user.h"

#define MAX_IOVECS 1024u
#define MAX_BYTES 0x7ffff000u /* of one call; more is cut off */

/* ---- two lists of ranges that are walked side by side ---------------------------------------- */

struct ranges {
    struct abi_iovec *iovec;
    size_t count, at, done; /* `done` bytes of iovec[at] */
};

static void ranges_free(struct ranges *ranges)
{
    if (ranges->count)
        quire_kfree(machine_slab, ranges->iovec);
}

static int ranges_read(struct ranges *ranges, uintptr_t from, unsigned long count)
{
    *ranges = (struct ranges){0};
    if (count > MAX_IOVECS)
        return -EINVAL;
    if (!count)
        return 0;
    ranges->iovec = quire_kmalloc(machine_slab, count * sizeof *ranges->iovec, QUIRE_GFP_KERNEL);
    if (!ranges->iovec)
        return -ENOMEM;
    ranges->count = count;
    if (copy_from_user(ranges->iovec, from, count * sizeof *ranges->iovec))
        return -EFAULT;
    for (size_t i = 0; i < count; i++)
        if (ranges->iovec[i].length > (size_t)-1 >> 1)
            return -EINVAL;
    return 0;
}

/* What is to be done next, in one piece; 0: nothing is left. */
static size_t ranges_next(struct ranges *ranges, uintptr_t *address)
{
    while (ranges->at < ranges->count && ranges->done == ranges->iovec[ranges->at].length) {
        ranges->at++;
        ranges->done = 0;
    }
    if (ranges->at == ranges->count)
        return 0;
    *address = ranges->iovec[ranges->at].base + ranges->done;
    return ranges->iovec[ranges->at].length - ranges->done;
}

/* Addresses that wrap around never get here: the ranges end at a fault before. */
static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

struct transfer {
    struct quire_mm *mm; /* the other's */
    bool write;
    char *buffer; /* of a page */
};

/* Bytes done, of one piece of at most a page. */
static size_t transfer_piece(const struct transfer *t, uintptr_t local, uintptr_t remote,
                             size_t size)
{
    struct quire_mm *own = current_process()->mm;
    struct quire_mm *from = t->write ? own : t->mm, *to = t->write ? t->mm : own;
    uintptr_t source = t->write ? local : remote, target = t->write ? remote : local;
    size_t got = size - quire_copy_from_user(from, t->buffer, source, size);
    return got - (got ? quire_copy_to_user(to, target, t->buffer, got) : 0);
}

/* Ends early at a fault: then what was done counts, unless it is nothing. */
static long transfer_all(const struct transfer *t, struct ranges *local, struct ranges *remote)
{
    uintptr_t here = 0, there = 0;
    size_t total = 0;
    while (total < MAX_BYTES && give_way()) {
        size_t size = smaller(ranges_next(local, &here), ranges_next(remote, &there));
        size = smaller(smaller(size, QUIRE_PAGE_SIZE), MAX_BYTES - total);
        if (!size)
            break;
        size_t done = transfer_piece(t, here, there, size);
        total += done;
        local->done += done;
        remote->done += done;
        if (done < size)
            return total ? (long)total : -EFAULT;
    }
    return (long)total;
}

/* As ptrace(2) may attach: one of the same ids who has no capability that the caller hasn't. */
bool may_access_process(const struct process *other)
{
    const struct process *process = current_process();
    uint32_t uid = process->credentials.uid, gid = process->credentials.gid;
    const struct credentials *who = &other->credentials;
    if (process == other || caller_can(CAP_SYS_PTRACE))
        return true;
    if (process->credentials.lost & ~who->lost)
        return false;
    return uid == who->uid && uid == who->euid && uid == who->suid && gid == who->gid &&
           gid == who->egid && gid == who->sgid && !other->attributes.not_dumpable;
}

int other_mm(int pid, struct quire_mm **mm)
{
    const struct task *task = pid ? task_find(pid) : current;
    struct process *process = task ? task->process : NULL;
    if (!process)
        return -ESRCH;
    if (!may_access_process(process))
        return -EPERM;
    if (!process->mm)
        return -EINVAL;
    quire_mm_get(*mm = process->mm);
    return 0;
}

static long transfer_with(int pid, bool write, struct ranges *local, struct ranges *remote)
{
    struct transfer t = {.write = write};
    t.buffer = quire_kmalloc(machine_slab, QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL);
    if (!t.buffer)
        return -ENOMEM;
    struct task *task = task_find(pid);
    struct process *other = task ? task->process : NULL;
    long result = -ESRCH;
    if (other && other->mm) {
        result = -EPERM;
        if (may_access_process(other)) {
            quire_mm_get(t.mm = other->mm); /* it may end while this sleeps */
            result = transfer_all(&t, local, remote);
            quire_mm_put(t.mm);
            shm_reap();
        }
    }
    quire_kfree(machine_slab, t.buffer);
    return result;
}

/* process_vm_...v(pid, local, count, remote, count, flags). */
static long transfer_call(const unsigned long *arg, bool write)
{
    struct ranges local, remote = {0};
    if (arg[5])
        return -EINVAL;
    int error = ranges_read(&local, arg[1], arg[2]);
    if (!error)
        error = ranges_read(&remote, arg[3], arg[4]);
    long result = error;
    uintptr_t address;
    if (!error && ranges_next(&local, &address) && ranges_next(&remote, &address))
        result = transfer_with((int)arg[0], write, &local, &remote);
    ranges_free(&local);
    ranges_free(&remote);
    return result;
}

long sys_process_vm_readv(const unsigned long *arg)
{
    return transfer_call(arg, false);
}

long sys_process_vm_writev(const unsigned long *arg)
{
    return transfer_call(arg, true);
}

/* ---- membarrier ------------------------------------------------------------------------------ */

#define BARRIER_QUERY 0u
#define BARRIER_GLOBAL 0x01u
#define BARRIER_GLOBAL_EXPEDITED 0x02u
#define BARRIER_REGISTER_GLOBAL_EXPEDITED 0x04u
#define BARRIER_PRIVATE_EXPEDITED 0x08u
#define BARRIER_REGISTER_PRIVATE_EXPEDITED 0x10u
#define BARRIER_PRIVATE_EXPEDITED_SYNC_CORE 0x20u
#define BARRIER_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE 0x40u
#define BARRIERS                                                                                   \
    (BARRIER_GLOBAL | BARRIER_GLOBAL_EXPEDITED | BARRIER_REGISTER_GLOBAL_EXPEDITED |               \
     BARRIER_PRIVATE_EXPEDITED | BARRIER_REGISTER_PRIVATE_EXPEDITED |                              \
     BARRIER_PRIVATE_EXPEDITED_SYNC_CORE | BARRIER_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

/* Other threads of one CPU have been through a switch before they run, which is barrier enough for
 * all commands; what is left of them is who may use which. */
long sys_membarrier(const unsigned long *arg)
{
    struct process_attributes *attributes = &current_process()->attributes;
    unsigned command = (unsigned)arg[0];
    if (arg[1] & 0xffffffff)
        return -EINVAL;
    switch (command) {
    case BARRIER_QUERY:
        return BARRIERS;
    case BARRIER_REGISTER_PRIVATE_EXPEDITED:
    case BARRIER_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
        attributes->barriers |= command;
        return 0;
    case BARRIER_PRIVATE_EXPEDITED:
    case BARRIER_PRIVATE_EXPEDITED_SYNC_CORE:
        /* A command's registration is the bit above its own. */
        return attributes->barriers & command << 1 ? 0 : -EPERM;
    case BARRIER_GLOBAL:
    case BARRIER_GLOBAL_EXPEDITED:
    case BARRIER_REGISTER_GLOBAL_EXPEDITED:
        return 0;
    default:
        return -EINVAL;
    }
}
