/* kernel/sys/mempolicy.h: sets of nodes from programs */
#ifndef KERNEL_SYS_MEMPOLICY_H
#define KERNEL_SYS_MEMPOLICY_H

#include <quire/numa.h>

/* `bits`: one more than the set has, as those calls want it. -EFAULT; -EINVAL: too many, or a node
 * that can't be. */
QUIRE_MUST_CHECK int nodes_from_user(quire_nodes_t *nodes, uintptr_t from, unsigned long bits);

#endif
