/* kernel/sys/move_pages.c: pages from node to node (man 2 move_pages, migrate_pages) */
#include <quire/numa.h>

#include "errno.h"
#include "memory.h"
#include "sys/calls_memory.h"
#include "sys/mempolicy.h"
#include "sys/other_process.h"
#include "task/capability.h"
#include "task/give_way.h"
#include "task/lifecycle.h"
#include "task/shm.h"
#include "user.h"

#define PIECE 128u

struct move {
    struct quire_mm *mm;
    uintptr_t pages, nodes, status; /* arrays of the program's; nodes 0: it only asks */
    bool all;
    struct piece {
        quire_linear_t address[PIECE];
        int node[PIECE], status[PIECE];
    } * piece;
};

/* Addresses and nodes of `count` pages from the `at`-th on: how many, up to one whose node can't
 * be; *error says why then. */
static unsigned read_piece(struct move *m, unsigned long at, unsigned count, int *error)
{
    for (unsigned i = 0; i < count; i++, at++) {
        uintptr_t address;
        int *node = &m->piece->node[i];
        *error = -EFAULT;
        if (copy_from_user(&address, m->pages + at * sizeof address, sizeof address))
            return i;
        m->piece->address[i] = address;
        if (m->nodes) {
            if (copy_from_user(node, m->nodes + at * sizeof *node, sizeof *node))
                return i;
            *error = -ENODEV;
            if (*node < 0 || *node >= (int)QUIRE_NODES_BITS ||
                !(quire_vm_nodes(machine_vm) >> *node & 1))
                return i;
        }
    }
    *error = 0;
    return count;
}

static long move_all(struct move *m, unsigned long count)
{
    unsigned long stayed = 0;
    for (unsigned long at = 0; at < count;) {
        int error;
        unsigned wanted = count - at < PIECE ? (unsigned)(count - at) : PIECE;
        if (!give_way())
            return -EINTR;
        unsigned got = read_piece(m, at, wanted, &error);
        long left = quire_move_pages(m->mm, got, m->piece->address,
                                     m->nodes ? m->piece->node : NULL, m->piece->status, m->all);
        if (copy_to_user(m->status + at * sizeof(int), m->piece->status, got * sizeof(int)))
            return -EFAULT;
        if (left < 0)
            return left;
        stayed += (unsigned long)left;
        if (error)
            return error;
        at += got;
    }
    return (long)stayed;
}

/* move_pages(pid, count, pages, nodes, status, flags). */
long sys_move_pages(const unsigned long *arg)
{
    const unsigned long known = QUIRE_MPOL_MF_MOVE | QUIRE_MPOL_MF_MOVE_ALL;
    struct move m = {
        .pages = arg[2], .nodes = arg[3], .status = arg[4], .all = arg[5] & QUIRE_MPOL_MF_MOVE_ALL};
    if ((uint32_t)arg[5] & ~known)
        return -EINVAL;
    if (m.all && !caller_can(CAP_SYS_NICE))
        return -EPERM;
    int error = other_mm((int)arg[0], &m.mm);
    if (error)
        return error;
    m.piece = quire_kmalloc(machine_slab, sizeof *m.piece, QUIRE_GFP_KERNEL);
    long result = m.piece ? move_all(&m, arg[1]) : -ENOMEM;
    quire_kfree(machine_slab, m.piece);
    quire_mm_put(m.mm);
    shm_reap();
    return result;
}

/* migrate_pages(pid, bits, from, to). */
long sys_migrate_pages(const unsigned long *arg)
{
    quire_nodes_t from, to, there = quire_vm_nodes(machine_vm);
    struct quire_mm *mm;
    bool may = caller_can(CAP_SYS_NICE);
    int error = nodes_from_user(&from, arg[2], arg[1]);
    if (!error)
        error = nodes_from_user(&to, arg[3], arg[1]);
    if (!error)
        error = other_mm((int)arg[0], &mm);
    if (error)
        return error;
    long result = -EINVAL;
    if (to & ~there && !may)
        result = -EPERM;
    else if (to & there)
        result = quire_migrate_pages(mm, from, to & there, may);
    quire_mm_put(mm);
    shm_reap();
    return result;
}
