/* vm/internal.h: address spaces, areas, and what the parts of the layer call of each other
 *
 * Locks, from the outside in. A lock may be taken while those above it are held:
 *
 *     mm->lock         areas of an address space; faults are readers
 *     page lock        one page's content and caches (vm/page.h)
 *     vm->policy_lock  which reclaim policy there is; rounds of reclaim are readers, and take other
 *                      pages' locks by trylock
 *     root->lock       which areas map a file or an anonymous family; walkers are readers
 *     mm->tables       that tables which a walker reads don't go: walkers are readers, and who
 *                      gives tables back is a writer
 *     spinlocks        mapping->lock (pages of a file), swap areas', node lists', roots', vm->lock
 *
 * Those above the line of spinlocks may sleep. Memory is allocated before a root's lock or `tables`
 * is taken, never under it: reclaim takes both. Under mm->lock and one page lock it may be.
 * Copies to and from memory that is there (vm/uaccess.h) take `tables` as walkers do, and an
 * entry's lock, in which a page's bytes are copied.
 *
 * Entries of page tables are changed by quire_cmpxchg_entry and quire_update_entry against what was
 * seen, and whoever comes second looks again; to fill an empty entry needs no more. But a page that
 * one comes to through an entry may be taken out and freed between the look and the first thing
 * done to it. So who takes a page out of an entry (unmap, reclaim, migration, copy on write), and
 * who uses or pins one that he found there, holds the entry's spinlock: entry_lock. Under it
 * nothing is allocated by reclaiming, flushed, or given back. A mapped page's user is counted
 * before its entry is written, and given back after the entry was taken out and flushed.
 */
#ifndef VM_INTERNAL_H
#define VM_INTERNAL_H

#include <quire/file.h>
#include <quire/numa.h>
#include <quire/swap.h>
#include <quire/vm.h>

#include "base/events.h"
#include "base/list.h"
#include "base/rwlock.h"
#include "base/tree.h"
#include "vm/entry.h"
#include "vm/interval.h"
#include "vm/page.h"

/* ---- areas ----------------------------------------------------------------------------------- */

/* Linux's values, as smaps and /proc speak of them. */
#define VM_READ 0x1u
#define VM_WRITE 0x2u
#define VM_EXEC 0x4u
#define VM_SHARED 0x8u
#define VM_MAYREAD 0x10u
#define VM_MAYWRITE 0x20u
#define VM_MAYEXEC 0x40u
#define VM_MAYSHARE 0x80u
#define VM_GROWSDOWN 0x100u
#define VM_UFFD_MISSING 0x200u
#define VM_UFFD_WP 0x1000u
#define VM_LOCKED 0x2000u
#define VM_SEQ_READ 0x8000u
#define VM_RAND_READ 0x10000u
#define VM_DONTCOPY 0x20000u
#define VM_DONTEXPAND 0x40000u
#define VM_LOCKONFAULT 0x80000u
#define VM_ACCOUNT 0x100000u
#define VM_NORESERVE 0x200000u
#define VM_WIPEONFORK 0x2000000u
#define VM_DONTDUMP 0x4000000u
#define VM_MERGEABLE 0x10000000u /* Linux: bit 31 */
#define VM_HUGEPAGE 0x20000000u
#define VM_NOHUGEPAGE 0x40000000u
#define VM_SEALED 0x80000000u /* Linux: bit 63 */

#define VM_ACCESS (VM_READ | VM_WRITE | VM_EXEC)

struct anon_vma;

/* A range of addresses that is alike: Linux's vm_area_struct. Changed by writers of mm->lock; what
 * a walker of reverse maps reads (start, end, pgoff, flags' LOCKED) only under the root's lock too.
 */
struct quire_vma {
    struct tree_node node; /* of mm->areas, by address */
    struct list link;      /* of mm->in_order */
    quire_linear_t start, end;
    quire_linear_t gap;     /* free bytes between the area before and this */
    quire_linear_t max_gap; /* the largest of this subtree, as far as it matters: area_tree.c */
    struct quire_mm *mm;
    uint32_t flags;
    uint64_t prot;  /* of entries: what `flags` allow, without WRITE where a fault must see it */
    uint64_t pgoff; /* index of the first page in its file; of anonymous memory start >> shift, or
                     * what it was where it came from by mremap */
    struct quire_mapping *mapping;     /* the file, or shared memory; NULL: private anonymous */
    struct interval shared;            /* of the mapping's root: rmap.c */
    struct anon_vma *anon_vma;         /* of private pages that were written here; NULL: none yet */
    struct quire_mempolicy *policy;    /* which nodes' memory; NULL: not said. vm/mempolicy.h */
    struct quire_userfault *userfault; /* who sees to faults; NULL: nobody. vm/userfault.h */
    union {
        struct list chains;     /* anon_vma_chains: its anon_vma's and its ancestors' */
        struct quire_vma *gone; /* of one in mm->gone: the next */
    };
};

/* Where a range ends that begins at an address. Sizes, and sums with them, have 64 bits, as Linux
 * on x86-64 computes for programs of either class; what is more than an address can say ends with
 * the last address, which is beyond every area. */
static inline quire_linear_t range_end(uint64_t end)
{
    const quire_linear_t last = (quire_linear_t)-1;
    return end < last ? (quire_linear_t)end : last;
}

static inline quire_linear_t vma_pages(const struct quire_vma *vma)
{
    return (vma->end - vma->start) >> QUIRE_PAGE_SHIFT;
}

/* The index of the page at an address, in its file or family. */
static inline uint64_t vma_index(const struct quire_vma *vma, quire_linear_t address)
{
    return vma->pgoff + ((address - vma->start) >> QUIRE_PAGE_SHIFT);
}

static inline bool vma_is_shared(const struct quire_vma *vma)
{
    return vma->flags & VM_SHARED;
}

/* ---- address spaces -------------------------------------------------------------------------- */

enum rss { RSS_FILE, RSS_ANON, RSS_SWAP, RSS_SHMEM, NR_RSS };

#define ENTRY_LOCKS 16u /* a power of two */

struct quire_mm {
    struct quire_vm *vm;
    struct quire_pgtable pt;
    struct rwlock lock, tables;
    quire_port_spinlock_t entry_lock[ENTRY_LOCKS];
    uint32_t nr_users; /* quire_mm_get and _put */
    uint32_t nr_refs;  /* of the structure itself: users together one, and walkers */

    struct tree areas;    /* of struct quire_vma */
    struct list in_order; /* the same, as a list */
    unsigned nr_areas;
    bool has_sealed;        /* or had */
    bool has_mergeable;     /* or had: vm/ksm.c looks at it */
    struct quire_vma *gone; /* areas that went, whose files are put without the lock: mm.c */
    uint64_t generation;    /* of the areas, and no other address space's that had the same address:
                             * what a quire_fault_cache compares */
    struct quire_mm_layout layout;
    quire_linear_t mmap_base;
    struct quire_mm_program program;
    quire_linear_t brk; /* the heap's end */
    uint32_t def_flags; /* VM_LOCKED, VM_LOCKONFAULT of areas to come: mlockall(MCL_FUTURE) */
    uint64_t limit[QUIRE_NR_LIMITS];

    /* Pages of addresses; by writers. */
    unsigned long total_vm, locked_vm, data_vm, exec_vm, stack_vm, hiwater_vm;
    /* Pages; atomic. */
    long rss[NR_RSS];
    unsigned long hiwater_rss, min_flt, maj_flt;

    struct list link; /* of vm->mms */
    int pid, oom_score_adj;
    char name[16];
    uint32_t oom_victim; /* chosen: reclaim and allocation let it through */
};

/* References of the structure, for walkers of vm->mms, who take one under vm->lock: it stays in the
 * list until the last one goes, with empty tables and no areas once its users are gone. mm.c */
void mm_ref(struct quire_mm *mm);
void mm_unref(struct quire_mm *mm);

/* The spinlock of the entries in one table's reach (2 MiB), shared with others by chance. */
static inline void entry_lock(struct quire_mm *mm, quire_linear_t address)
{
    quire_port_preempt_disable();
    quire_port_spin_lock(&mm->entry_lock[address >> 21 & (ENTRY_LOCKS - 1)]);
}

static inline void entry_unlock(struct quire_mm *mm, quire_linear_t address)
{
    quire_port_spin_unlock(&mm->entry_lock[address >> 21 & (ENTRY_LOCKS - 1)]);
    quire_port_preempt_enable();
}

/* What events call an address space: the frame of its root, which is no other's as long as it is
 * there. */
static inline uint64_t mm_number(const struct quire_mm *mm)
{
    return mm->pt.root >> QUIRE_PAGE_SHIFT;
}

static inline void mm_add_rss(struct quire_mm *mm, enum rss kind, long pages)
{
    quire_tell_event(RSS, mm_number(mm), kind, (uint64_t)pages);
    (void)__atomic_fetch_add(&mm->rss[kind], pages, __ATOMIC_RELAXED);
}

/* What kind of resident a page is. */
static inline enum rss page_rss(const struct quire_page *page)
{
    enum page_kind kind = page_kind(page);
    return kind == PAGE_KIND_ANON ? RSS_ANON : kind == PAGE_KIND_SHMEM ? RSS_SHMEM : RSS_FILE;
}

/* ---- a machine's virtual memory -------------------------------------------------------------- */

/* Events that vmstat counts: vm/count.c has Linux's names. */
enum vm_event {
    VM_PGFAULT,
    VM_PGMAJFAULT,
    VM_PGFAULT_FAILED,
    VM_PSWPIN,
    VM_PSWPOUT,
    VM_PGPGIN, /* KiB read for files and swap */
    VM_PGPGOUT,
    VM_PGACTIVATE,
    VM_PGDEACTIVATE,
    VM_PGLAZYFREE,
    VM_PGLAZYFREED,
    VM_PGREUSE,
    VM_PGSTEAL_KSWAPD,
    VM_PGSTEAL_DIRECT,
    VM_PGSCAN_KSWAPD,
    VM_PGSCAN_DIRECT,
    VM_PGSTEAL_ANON,
    VM_PGSTEAL_FILE,
    VM_PGSCAN_ANON,
    VM_PGSCAN_FILE,
    VM_PGROTATED,
    VM_WORKINGSET_REFAULT_ANON,
    VM_WORKINGSET_REFAULT_FILE,
    VM_WORKINGSET_ACTIVATE_ANON,
    VM_WORKINGSET_ACTIVATE_FILE,
    VM_WORKINGSET_RESTORE_ANON,
    VM_WORKINGSET_RESTORE_FILE,
    VM_UNEVICTABLE_CULLED,
    VM_UNEVICTABLE_RESCUED,
    VM_SWAP_RA,
    VM_SWAP_RA_HIT,
    VM_DROP_PAGECACHE,
    NR_VM_EVENTS
};

/* Pages in a state, for meminfo and vmstat. */
enum vm_stat {
    NR_ANON_MAPPED, /* anonymous pages that are mapped */
    NR_FILE_MAPPED,
    NR_FILE_PAGES, /* in the page cache, shared memory included */
    NR_SHMEM,
    NR_FILE_DIRTY,
    NR_WRITEBACK,
    NR_SWAPCACHE,
    NR_VM_STATS
};

struct node_lists; /* vm/lru.h */
struct swap_state; /* vm/swap.h */
struct ksm;        /* vm/ksm.c */

struct quire_vm {
    struct quire_mem *mem;
    struct quire_slab *slab;
    const struct quire_port_mem *port;
    struct quire_vm_config config;
    unsigned nr_nodes;
    int mover;            /* its id at phys */
    uint32_t nr_policies; /* struct quire_mempolicy that there are; 0: no allocation asks for one */
    uint32_t nr_policy_runs; /* of shared memory that there is room for: mempolicy_shared.c */
    quire_numa_thread_fn *numa_thread;
    quire_numa_go_on_fn *numa_go_on;
    void *numa_arg;
    struct quire_mover moves;

    struct quire_kmem_cache *mm_cache, *vma_cache, *anon_vma_cache, *chain_cache, *mapping_cache,
        *xa_cache;
    struct quire_page *zero_page; /* shared by all who only read; has no users, never goes */

    quire_port_spinlock_t lock; /* of mms, and of what is set at run time */
    struct list mms;
    uint64_t generations;     /* handed out to address spaces: under `lock` */
    struct root_table *roots; /* anon_vmas and mappings by id: vm/rmap.h */
    struct node_lists *lists; /* by node */
    struct swap_state *swap;
    struct ksm *ksm;      /* NULL: nothing was mergeable yet */
    struct list mappings; /* of struct quire_mapping, under `lock` */
    uint32_t bad_frames;  /* the last one that went out of use: vm/hwpoison.c, under `lock` */
    unsigned long nr_bad_frames;

    uint32_t policy, swappiness, overcommit, overcommit_ratio; /* set at run time: relaxed */
    unsigned long overcommit_pages; /* in place of the ratio; 0: not set */
    uint32_t max_areas;             /* of an address space */
    struct rwlock policy_lock;      /* rounds of reclaim are readers: the policy stays */
    long committed;                 /* pages: atomic */
    quire_oom_fn *oom;
    quire_oom_wait_fn *oom_wait;
    quire_oom_who_fn *oom_who;
    void *oom_arg;
    char *oom_report;   /* room for it, from the beginning: OOM_REPORT_BYTES */
    uint32_t oom_busy;  /* somebody chooses */
    unsigned oom_waits; /* under `lock`: how often a victim was found still there */
    /* Batches of pages that reclaim has in hand, what changes when one ends, who waits for that,
     * and how often in a row in vain: shrink.c, oom.c. */
    uint32_t batches, batches_ended, batch_waiters, batch_waits;
    void (*wake)(void *arg, int node);
    void *wake_arg;

    unsigned long event[NR_VM_EVENTS]; /* atomic; by CPU where it hurts: vm/count.c */
    long stat[NR_VM_STATS];
};

static inline quire_port_irq_t vm_lock(struct quire_vm *vm)
{
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&vm->lock);
    return irq;
}

static inline void vm_unlock(struct quire_vm *vm, quire_port_irq_t irq)
{
    quire_port_spin_unlock(&vm->lock);
    quire_port_irq_restore(irq);
}

static inline void vm_count(struct quire_vm *vm, enum vm_event event, unsigned long nr)
{
    (void)__atomic_fetch_add(&vm->event[event], nr, __ATOMIC_RELAXED);
}

static inline void vm_stat_add(struct quire_vm *vm, enum vm_stat stat, long pages)
{
    (void)__atomic_fetch_add(&vm->stat[stat], pages, __ATOMIC_RELAXED);
}

#endif
