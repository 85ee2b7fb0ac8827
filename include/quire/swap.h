/* quire/swap.h: when memory is short (layer 4)
 *
 * Swap areas; reclaim, in the background and by who needs memory; the policy that says which page
 * goes; and the end, when something has to be killed.
 *
 * Linux: mm/swapfile.c, swap_state.c, vmscan.c, workingset.c, oom_kill.c.
 */
#ifndef QUIRE_SWAP_H
#define QUIRE_SWAP_H

#include <quire/vm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- swap areas ------------------------------------------------------------------------------ */

/* A backing store of pages: a file, a device, another machine's memory. Called without spinlocks;
 * may sleep, and may allocate with QUIRE_GFP_MEMALLOC only. `slot` counts pages. How to reach a
 * page's bytes: as for struct quire_mapping_ops (quire/file.h). */
struct quire_swap_ops {
    /* Reads or writes `count` consecutive slots. 0 or a negative errno: a write is retried
     * elsewhere, a read gives SIGBUS to whoever asked. */
    int (*read)(void *store, uint64_t slot, struct quire_page *const *pages, unsigned count);
    int (*write)(void *store, uint64_t slot, struct quire_page *const *pages, unsigned count);
    /* These slots' content is no longer needed. May be NULL. */
    void (*discard)(void *store, uint64_t slot, uint64_t count);
};

#define QUIRE_MAX_SWAP_AREAS 28u

struct quire_swap_config {
    const struct quire_swap_ops *ops;
    void *store;
    uint64_t nr_slots; /* pages of the store; slot 0 is never used, it holds the header */
    int priority;      /* -1: lower than all before it, as without SWAP_FLAG_PREFER */
    const char *name;  /* in views; copied, at most 63 characters */
    bool is_file;      /* views say "file" rather than "partition" */
};

/* swapon(2): the area's number. -EINVAL: fewer than 2 slots, or more than entries can say (such
 * are used as far as they can be, with a line in the log); -EPERM: QUIRE_MAX_SWAP_AREAS are in use;
 * -ENOMEM. */
QUIRE_MUST_CHECK int quire_swapon(struct quire_vm *vm, const struct quire_swap_config *config);
/* swapoff(2): reads everything back, then the area is gone. -EINVAL: no such area; -ENOMEM: not
 * enough memory, known beforehand or found out; -EIO: something couldn't be read: it stays in use
 * either way, and nothing is lost. O(slots in use * pages of address spaces). */
QUIRE_MUST_CHECK int quire_swapoff(struct quire_vm *vm, int area);

/* Pages that are read from swap at a time, around the one that is needed: 2^page_cluster, 0 to 5; 3
 * at first, 0 is no read-ahead. Fewer are read when they turn out not to be needed. -EINVAL. Linux:
 * vm.page-cluster. */
QUIRE_MUST_CHECK int quire_vm_set_page_cluster(struct quire_vm *vm, unsigned page_cluster);

struct quire_swap_info {
    char name[64];
    bool is_file;
    int priority;
    uint64_t nr_slots, nr_used; /* without the header */
};
/* -ENOENT: no such area. */
QUIRE_MUST_CHECK int quire_swap_info(struct quire_vm *vm, int area, struct quire_swap_info *info);

/* ---- reclaim --------------------------------------------------------------------------------- */

/* Which pages go first. */
enum quire_reclaim_policy {
    QUIRE_RECLAIM_LRU,   /* active and inactive lists, anonymous and file; refault distances */
    QUIRE_RECLAIM_MGLRU, /* generations */
    QUIRE_RECLAIM_CLOCK, /* one list with a hand; referenced pages are passed once */
    QUIRE_RECLAIM_FIFO,  /* in order of arrival, referenced or not */
    QUIRE_NR_RECLAIM_POLICIES
};
/* "lru", "mglru", "clock", "fifo"; NULL: no such policy. */
const char *quire_reclaim_policy_name(enum quire_reclaim_policy policy);

/* From now on; pages on lists pass to the new policy's. At first LRU. Waits for rounds of reclaim
 * that are under way. O(pages), with the lists' locks. -EINVAL. */
QUIRE_MUST_CHECK int quire_vm_set_policy(struct quire_vm *vm, enum quire_reclaim_policy policy);
/* 0 to 200, 60 at first: how much sooner anonymous pages go than files'. -EINVAL. */
QUIRE_MUST_CHECK int quire_vm_set_swappiness(struct quire_vm *vm, unsigned swappiness);

/* The background reclaimer of a node, for the port's thread or by hand: reclaims until the node is
 * balanced or nothing more can be had; pages reclaimed. quire_vm_needs_reclaim says whether some
 * allocation asked for it since; `wake` (quire_vm_set_wake) is called then, without locks held
 * that it could need, from any context. */
unsigned long quire_kswapd(struct quire_vm *vm, int node);
bool quire_vm_needs_reclaim(struct quire_vm *vm, int node);
void quire_vm_set_wake(struct quire_vm *vm, void (*wake)(void *arg, int node), void *arg);

/* Reclaims by hand (memory.reclaim): about `nr_pages`, fewer only if nothing more can be had; the
 * number. A node that there isn't has nothing to give: 0, as from quire_kswapd. */
unsigned long quire_vm_reclaim(struct quire_vm *vm, int node, unsigned long nr_pages);

/* ---- out of memory --------------------------------------------------------------------------- */

/* Nothing can be reclaimed: `victim` is the one with the largest badness (its memory, swap and
 * tables in pages, and oom_score_adj thousandths of all memory; -1000: never). Kill it, so that its
 * memory is given back soon, and say so, which vmstat's oom_kill counts; or refuse, and the
 * allocation fails. `report`
 * is as Linux's log has it, but for the last line, which says "Kill process" rather than "Killed":
 * whether that happens is yet to be decided. Without a callback allocations fail.
 * Called without spinlocks, but from within whatever allocates: a fault or a fork holds an address
 * space's lock, which may be the victim's, a file's and a page's. So a callback leaves word (a
 * signal) and neither waits for the victim's end nor unmaps or puts it; nor keeps `victim`, whose
 * last user may be on his way out. */
enum quire_oom_result {
    QUIRE_OOM_REFUSED,
    QUIRE_OOM_KILLED,
    QUIRE_OOM_ENDS, /* it was on its way out before: nobody is killed, and it is waited for */
};
typedef enum quire_oom_result quire_oom_fn(void *arg, struct quire_mm *victim, const char *report);
void quire_vm_set_oom(struct quire_vm *vm, quire_oom_fn *oom, void *arg);

/* Asked before anybody is chosen, with the same `arg`. `victim`: who was killed and still has
 * memory; NULL: there is none. False: whoever allocates is on his way out himself, and his
 * allocation fails, so that he gets there (Linux: a task with a fatal signal). True with a victim:
 * he had time to run, and the allocation is tried again; after 16 times the next one is chosen,
 * since he may wait for what the allocation holds. So it may wait, but not without an end; what it
 * must not take is as above. NULL, as in the beginning: nobody is on his way out, and nothing
 * waits. */
typedef bool quire_oom_wait_fn(void *arg, struct quire_mm *victim);
void quire_vm_set_oom_wait(struct quire_vm *vm, quire_oom_wait_fn *wait);

/* Asked when only some nodes have no memory left, as by a policy of MPOL_BIND, with the same `arg`:
 * the address space that the allocation is for, which lives as long; NULL: nobody's. It is the one
 * that may be chosen then, since others' memory may lie elsewhere. Without this, or NULL, all may.
 */
typedef struct quire_mm *quire_oom_who_fn(void *arg);
void quire_vm_set_oom_who(struct quire_vm *vm, quire_oom_who_fn *who);

/* /proc/PID/oom_score: 0 to 2000. */
unsigned quire_mm_oom_score(struct quire_mm *mm);

#ifdef __cplusplus
}
#endif

#endif
