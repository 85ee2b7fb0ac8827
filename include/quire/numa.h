/* quire/numa.h: which node's memory a program gets (layer 4)
 *
 * A policy says of which nodes pages are taken: a thread's for all that it touches, an area's for
 * what is in there, and of memory that is shared like a file the part that was said it for: that
 * holds for all who map it. The more special one is obeyed; without any, memory is the CPU's node's
 * first and then that of the nodes near it. Policies are obeyed when a page is allocated: by a
 * fault, a copy on write, a read of a file or of swap. Pages that are there are moved by those
 * functions that say so.
 *
 *     struct quire_mempolicy *policy;
 *     quire_mempolicy_create(&policy, vm, QUIRE_MPOL_BIND, 1u << 1);
 *     quire_mbind(mm, at, 1 << 20, policy, QUIRE_MPOL_MF_MOVE);
 *     quire_mempolicy_put(policy);
 *
 * Linux: mm/mempolicy.c, mm/migrate.c; man 2 mbind, set_mempolicy, get_mempolicy, move_pages,
 * migrate_pages, set_mempolicy_home_node. Constants have Linux's values. Contexts are those of
 * quire/vm.h. A machine of one node has policies, too, and they change nothing.
 */
#ifndef QUIRE_NUMA_H
#define QUIRE_NUMA_H

#include <quire/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sets of nodes, a bit each. Bits of nodes that don't exist, or have no memory, may be said. */
typedef uint64_t quire_nodes_t;
#define QUIRE_NODES_BITS 64u

/* ---- policies -------------------------------------------------------------------------------- */

#define QUIRE_MPOL_DEFAULT 0u        /* none: no struct says it */
#define QUIRE_MPOL_PREFERRED 1u      /* the lowest of the nodes, then the others; no node: LOCAL */
#define QUIRE_MPOL_BIND 2u           /* these nodes and no others */
#define QUIRE_MPOL_INTERLEAVE 3u     /* one after the other, by a page's place in its area */
#define QUIRE_MPOL_LOCAL 4u          /* the CPU's node, then the others */
#define QUIRE_MPOL_PREFERRED_MANY 5u /* these nodes, then the others */
#define QUIRE_MPOL_F_NUMA_BALANCING 0x2000u /* with BIND and PREFERRED_MANY; noted */
#define QUIRE_MPOL_F_RELATIVE_NODES                                                                \
    0x4000u                               /* bit n: the nth node that there is, and around again */
#define QUIRE_MPOL_F_STATIC_NODES 0x8000u /* what was said is remembered as it was said */
#define QUIRE_MPOL_MODE_FLAGS 0xe000u

/* A policy, which doesn't change any more. Counted. */
struct quire_mempolicy;

/* One with one reference, of a mode with flags and nodes; NULL of MPOL_DEFAULT.
 *   -EINVAL   no such mode; flags that exclude each other, or that the mode doesn't take; nodes
 * with DEFAULT or LOCAL; none with another mode, or none of them has memory -ENOMEM */
QUIRE_MUST_CHECK int quire_mempolicy_create(struct quire_mempolicy **policy, struct quire_vm *vm,
                                            unsigned mode, quire_nodes_t nodes);
/* What of a mode is wrong whatever the nodes: -EINVAL, as quire_mempolicy_create says it. */
QUIRE_MUST_CHECK int quire_mempolicy_check_mode(unsigned mode);
/* References; NULL is ignored. */
void quire_mempolicy_get(struct quire_mempolicy *policy);
void quire_mempolicy_put(struct quire_mempolicy *policy);

/* The mode with its flags, and the nodes as get_mempolicy(2) tells them; of NULL DEFAULT and none.
 */
unsigned quire_mempolicy_mode(const struct quire_mempolicy *policy);
quire_nodes_t quire_mempolicy_nodes(const struct quire_mempolicy *policy);

/* Nodes that have memory. O(nodes). */
quire_nodes_t quire_vm_nodes(struct quire_vm *vm);

/* A node's pages of programs and files, by how reclaim sees them. */
struct quire_vm_node_info {
    unsigned long active_anon, inactive_anon, active_file, inactive_file, unevictable;
};
/* -ENOENT: no such node. O(1), with CLOCK and FIFO O(pages). */
int quire_vm_node_info(struct quire_vm *vm, unsigned node, struct quire_vm_node_info *info);

/* ---- threads --------------------------------------------------------------------------------- */

/* What a thread has of policies; all zero at first. It is its owner's, who puts `policy` at the
 * thread's end, and gives a copy, with a reference more, to a thread that it makes. */
struct quire_numa_thread {
    struct quire_mempolicy *policy; /* NULL: none */
    unsigned next;                  /* INTERLEAVE of what lies in no area: how many were taken */
};

/* Who allocates: called in the context of faults and other calls while there is any policy; NULL
 * for no thread, or one without. */
typedef struct quire_numa_thread *quire_numa_thread_fn(void *arg);
void quire_vm_set_numa_thread(struct quire_vm *vm, quire_numa_thread_fn *thread, void *arg);

/* Asked between pieces of a long move of pages, with the same `arg`, without locks: false ends it
 * with -EINTR. What was moved stays there. NULL: it goes on. */
typedef bool quire_numa_go_on_fn(void *arg);
void quire_vm_set_numa_go_on(struct quire_vm *vm, quire_numa_go_on_fn *go_on);

/* set_mempolicy(2): takes over the caller's reference. */
void quire_numa_thread_set(struct quire_numa_thread *thread, struct quire_mempolicy *policy);
/* The node that the next page in no area comes from: get_mempolicy with MPOL_F_NODE. -EINVAL: the
 * policy isn't INTERLEAVE. */
QUIRE_MUST_CHECK int quire_numa_thread_next_node(const struct quire_numa_thread *thread);

/* ---- areas ----------------------------------------------------------------------------------- */

#define QUIRE_MPOL_MF_STRICT 1u   /* an error if pages are elsewhere, and stay there */
#define QUIRE_MPOL_MF_MOVE 2u     /* move pages that only this address space maps */
#define QUIRE_MPOL_MF_MOVE_ALL 4u /* move all */
#define QUIRE_MPOL_MF_VALID 7u    /* these */

/* mbind(2); policy NULL: none any more. Locks: writer, then reader while pages are moved.
 * O(log areas + areas), and with flags the pages; while those move the lock is given up now and
 * then. The first that its nodes have no memory for, and what follows it, stays.
 *   -EINVAL   flags, or an address not of a whole page, or a range that wraps around
 *   -EFAULT   a hole
 *   -EIO      STRICT, and pages are elsewhere: nothing changed, or with MOVE they stayed there
 *   -ENOMEM   too many areas, too many parts of shared memory, or no memory: what lies below has it
 *   -EINTR    it was ended while pages were moved */
QUIRE_MUST_CHECK int quire_mbind(struct quire_mm *mm, quire_linear_t address, uint64_t length,
                                 struct quire_mempolicy *policy, unsigned flags);

/* set_mempolicy_home_node(2): where the search begins. Locks: writer.
 *   -EINVAL   as mbind, or no such node
 *   -EOPNOTSUPP  an area's policy is neither BIND nor PREFERRED_MANY
 *   -ENOENT   no area there has a policy */
QUIRE_MUST_CHECK int quire_set_home_node(struct quire_mm *mm, quire_linear_t address,
                                         uint64_t length, unsigned node);

/* The policy of the area at an address, with a reference; NULL: none of its own. -EFAULT: no area
 * there. Locks: reader. */
QUIRE_MUST_CHECK int quire_area_mempolicy(struct quire_mm *mm, quire_linear_t address,
                                          struct quire_mempolicy **policy);
/* The node of the page at an address, which is faulted in for reading. -EFAULT, -ENOMEM. */
QUIRE_MUST_CHECK int quire_address_node(struct quire_mm *mm, quire_linear_t address);

/* /proc/PID/numa_maps as quire_mm_view writes it, but areas that say nothing have the policy of the
 * thread (NULL: none), and one area at a time: the first that ends above *from, which becomes its
 * end. -ENOENT: there is none. Locks: reader; `write` must not call back. */
QUIRE_MUST_CHECK int quire_mm_numa_maps(struct quire_mm *mm, const struct quire_mempolicy *thread,
                                        quire_linear_t *from, quire_write_fn *write, void *arg);

/* ---- moving pages ---------------------------------------------------------------------------- */

/* move_pages(2): each page's node into `status`, or without it a negative errno: -EFAULT (no area,
 * or the page of zeros that all share), -ENOENT (no page), and when it was to be moved -EACCES
 * (others map it, and `all` isn't said), -EBUSY, -ENOMEM. `nodes` NULL: nothing is moved; else each
 * has memory. The number of pages that should have moved, could be had, and stayed; -ENOMEM: a node
 * is full, and from that page on all stay and have this status. Locks: reader. O(count). */
long quire_move_pages(struct quire_mm *mm, unsigned long count, const quire_linear_t *addresses,
                      const int *nodes, int *status, bool all);
/* migrate_pages(2): what is on the nodes of `from` goes to that node of `to` which has its place
 * among those; `to` has memory. Where nodes are in both sets and go around, pages may move more
 * than once, and end on one node. `all`: pages that others map, too. The number of pages that
 * stayed; -ENOMEM: a node is full; -EINTR: it was ended. Locks: reader, given up now and then.
 * O(pages mapped * nodes of `from`). */
long quire_migrate_pages(struct quire_mm *mm, quire_nodes_t from, quire_nodes_t to, bool all);

#ifdef __cplusplus
}
#endif

#endif
