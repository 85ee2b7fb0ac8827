/* kernel/sys/mempolicy.c: which nodes' memory a program gets (man 2 mbind and its kin)
 *
 * Sets of nodes come as arrays of words and a number of bits, one more than there are. Linux looks
 * at no bit of a set that is 0, and refuses bits of nodes that can't be.
 */
#include <quire/numa.h>

#include "errno.h"
#include "memory.h"
#include "sys/calls_memory.h"
#include "sys/mempolicy.h"
#include "task/capability.h"
#include "task/task.h"
#include "user.h"

#define WORD_BITS (8u * sizeof(unsigned long))
#define MAX_BITS (8u * QUIRE_PAGE_SIZE)

#define MPOL_F_NODE 1u
#define MPOL_F_ADDR 2u
#define MPOL_F_MEMS_ALLOWED 4u

/* ---- sets of nodes --------------------------------------------------------------------------- */

int nodes_from_user(quire_nodes_t *nodes, uintptr_t from, unsigned long bits)
{
    *nodes = 0;
    if (!--bits || !from)
        return 0;
    if (bits > MAX_BITS)
        return -EINVAL;
    for (unsigned long at = 0; at < bits; at += WORD_BITS) {
        unsigned long word;
        if (copy_from_user(&word, from + at / 8, sizeof word))
            return -EFAULT;
        if (bits - at < WORD_BITS)
            word &= (1ul << (bits - at)) - 1;
        if (at >= QUIRE_NODES_BITS && word)
            return -EINVAL;
        if (at < QUIRE_NODES_BITS)
            *nodes |= (quire_nodes_t)word << at;
    }
    return 0;
}

/* By 64 bits, in programs of either class; beyond the nodes that there can be the set is cleared.
 */
static int nodes_to_user(uintptr_t to, unsigned long bits, quire_nodes_t nodes)
{
    unsigned long bytes = (bits - 1 + 63) / 64 * 8;
    unsigned long known = bytes < sizeof nodes ? bytes : sizeof nodes;
    if (bytes > QUIRE_PAGE_SIZE)
        return -EINVAL;
    if (copy_to_user(to, &nodes, known) || clear_user(to + known, bytes - known))
        return -EFAULT;
    return 0;
}

/* ---- setting --------------------------------------------------------------------------------- */

static int mode_and_nodes(quire_nodes_t *nodes, unsigned mode, uintptr_t mask, unsigned long bits)
{
    int error = quire_mempolicy_check_mode(mode);
    return error ? error : nodes_from_user(nodes, mask, bits);
}

/* mbind(address, length, mode, nodes, bits, flags). What is wrong with the nodes is said last, and
 * not of no memory, as on Linux. */
long sys_mbind(const unsigned long *arg)
{
    struct quire_mempolicy *policy;
    quire_nodes_t nodes;
    int error = mode_and_nodes(&nodes, (unsigned)arg[2], arg[3], arg[4]);
    if (error)
        return error;
    if (arg[5] & ~(unsigned long)QUIRE_MPOL_MF_VALID)
        return -EINVAL;
    if (arg[5] & QUIRE_MPOL_MF_MOVE_ALL && !caller_can(CAP_SYS_NICE))
        return -EPERM;
    const unsigned long in_page = QUIRE_PAGE_SIZE - 1, length = (arg[1] + in_page) & ~in_page;
    if (arg[0] & in_page || arg[0] + length < arg[0])
        return -EINVAL;
    if (!length)
        return 0;
    error = quire_mempolicy_create(&policy, machine_vm, (unsigned)arg[2], nodes);
    if (error)
        return error;
    error = quire_mbind(current_process()->mm, arg[0], arg[1], policy, (unsigned)arg[5]);
    quire_mempolicy_put(policy);
    return error;
}

/* set_mempolicy(mode, nodes, bits). */
long sys_set_mempolicy(const unsigned long *arg)
{
    struct quire_mempolicy *policy;
    quire_nodes_t nodes;
    int error = mode_and_nodes(&nodes, (unsigned)arg[0], arg[1], arg[2]);
    if (!error)
        error = quire_mempolicy_create(&policy, machine_vm, (unsigned)arg[0], nodes);
    if (!error)
        quire_numa_thread_set(&current->numa, policy);
    return error;
}

/* set_mempolicy_home_node(address, length, node, flags). */
long sys_set_mempolicy_home_node(const unsigned long *arg)
{
    unsigned node = arg[2] > UINT32_MAX ? UINT32_MAX : (unsigned)arg[2];
    if (arg[3])
        return -EINVAL;
    return quire_set_home_node(current_process()->mm, arg[0], arg[1], node);
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct answer {
    int mode;
    quire_nodes_t nodes;
};

/* With `address` that of the area there, else the thread's. */
static int answer_of(struct answer *answer, uintptr_t address, unsigned flags)
{
    struct quire_mm *mm = current_process()->mm;
    struct quire_mempolicy *policy = current->numa.policy;
    int error = 0;
    if (flags & MPOL_F_ADDR)
        error = quire_area_mempolicy(mm, address, &policy);
    else
        quire_mempolicy_get(policy);
    if (error)
        return error;
    if (!(flags & MPOL_F_NODE))
        answer->mode = (int)quire_mempolicy_mode(policy);
    else if (flags & MPOL_F_ADDR)
        answer->mode = quire_address_node(mm, address);
    else
        answer->mode = quire_numa_thread_next_node(&current->numa);
    answer->nodes = quire_mempolicy_nodes(policy);
    quire_mempolicy_put(policy);
    return answer->mode < 0 ? answer->mode : 0;
}

/* get_mempolicy(mode, nodes, bits, address, flags). */
long sys_get_mempolicy(const unsigned long *arg)
{
    struct answer answer = {0, 0};
    unsigned flags = (unsigned)arg[4];
    if (arg[1] && arg[2] < quire_mem_nr_nodes(machine_mem))
        return -EINVAL;
    if (arg[4] & ~(unsigned long)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED))
        return -EINVAL;
    if (flags & MPOL_F_MEMS_ALLOWED) {
        if (flags & (MPOL_F_NODE | MPOL_F_ADDR))
            return -EINVAL;
        answer.nodes = quire_vm_nodes(machine_vm);
    } else {
        if (!(flags & MPOL_F_ADDR) && arg[3])
            return -EINVAL;
        int error = answer_of(&answer, arg[3], flags);
        if (error)
            return error;
    }
    if (arg[0] && copy_to_user(arg[0], &answer.mode, sizeof answer.mode))
        return -EFAULT;
    return arg[1] ? nodes_to_user(arg[1], arg[2], answer.nodes) : 0;
}
