/* vm/policy.h: which page goes next
 *
 * A policy owns the lists of each node from LIST_FIRST on, and decides three things: on which of
 * them a page is put, and at which end; which pages are looked at next; and what becomes of one
 * that was looked at. All else, locks, links, references, unmapping and writing, is the same for
 * all.
 *
 * Policies are constant; what one remembers of a node is in node_lists.policy_word, zeroed when it
 * is chosen.
 */
#ifndef VM_POLICY_H
#define VM_POLICY_H

#include "vm/lru.h"
#include "vm/rmap.h"

/* Why a page comes to a list. */
enum place_reason {
    PLACE_NEW,       /* it was just allocated, or read */
    PLACE_ACTIVATED, /* used again soon after it was evicted, or twice since it was looked at */
    PLACE_KEPT,      /* isolated and looked at, and stays until it is looked at again */
    PLACE_COLD,      /* not needed soon */
    PLACE_BACK,      /* was isolated by somebody else, or locked in memory until now */
};

/* Beside a list's number: at the end where pages leave. */
#define PLACE_OLD 0x10u

/* Pages in use, by Linux's words; of files, of what goes to swap, or both. */
#define LIST_HOLDS_ACTIVE 0x1u
#define LIST_HOLDS_FILE 0x2u
#define LIST_HOLDS_ANON 0x4u

enum verdict {
    VERDICT_RECLAIM,
    VERDICT_KEEP,
    VERDICT_ACTIVATE,
};

struct scan;

struct reclaim_policy {
    const char *name;
    unsigned nr_lists;       /* of its own, from LIST_FIRST on */
    bool ignores_references; /* no need to ask the page tables */
    /* Where a page goes, which isn't on a list: a list, perhaps with PLACE_OLD. Under the lists'
     * lock. */
    unsigned (*place)(struct quire_vm *vm, struct node_lists *lists, const struct quire_page *page,
                      enum place_reason reason);
    /* A page on one of the policy's lists was used: whether it should be activated now. Under the
     * lists' lock. */
    bool (*used)(struct node_lists *lists, struct quire_page *page);
    /* An isolated page, locked, that `references` entries referenced since the last look, in areas
     * with `vma_flags`. */
    enum verdict (*judge)(struct quire_page *page, unsigned references, uint32_t vma_flags);
    /* One round of reclaim of scan->node at scan->priority. */
    void (*shrink)(struct scan *scan);
    /* What a list of the policy's holds: LIST_HOLDS_ bits. Under the lists' lock. */
    unsigned (*holds)(const struct node_lists *lists, unsigned list);
    /* Pages of a kind that were looked at in vain, written, or came back too soon. May be NULL.
     * Under the lists' lock. */
    void (*note_cost)(struct node_lists *lists, bool is_file, unsigned long pages);
};

extern const struct reclaim_policy policy_lru, policy_mglru, policy_clock, policy_fifo;

const struct reclaim_policy *vm_policy(const struct quire_vm *vm);

/* ---- lists: lru.c ---------------------------------------------------------------------------- */

static inline struct node_lists *page_lists(struct quire_vm *vm, const struct quire_page *page)
{
    return &vm->lists[quire_page_node(vm->mem, page)];
}

quire_port_irq_t lists_lock(struct node_lists *lists);
void lists_unlock(struct node_lists *lists, quire_port_irq_t irq);
/* Links a page that is on no list, if it has users. */
void list_link(struct quire_vm *vm, struct node_lists *lists, struct quire_page *page,
               unsigned where);
void list_unlink(struct quire_vm *vm, struct node_lists *lists, struct quire_page *page);
/* Takes up to `count` pages off the old end of a list, pinned; how many. Takes the lock. */
unsigned list_isolate(struct quire_vm *vm, struct node_lists *lists, unsigned list,
                      struct quire_page **pages, unsigned count);
/* A page that was isolated, to where the policy puts it; the pin is given back. */
void lru_return(struct quire_vm *vm, struct quire_page *page, enum place_reason reason);
/* To the unevictable list. */
void lru_return_unevictable(struct quire_vm *vm, struct quire_page *page);

/* Whether it goes without swap: a file's, or anonymous memory whose content nobody wants any more
 * (MADV_FREE), which is neither dirty nor in the swap cache. */
static inline bool page_goes_without_swap(const struct quire_page *page)
{
    return !page_is_swapbacked(page) ||
           (page_is_anon(page) && !page_has(page, PG_DIRTY | PG_SWAPCACHE));
}

/* ---- reclaim: vmscan.c, shrink.c ------------------------------------------------------------- */

#define DEF_PRIORITY 12

/* One reclaim of a node. */
struct scan {
    struct quire_vm *vm;
    struct node_lists *lists;
    const struct reclaim_policy *policy;
    quire_gfp_t gfp;
    int node, priority; /* of a list of n pages n >> priority are looked at in a round */
    bool by_kswapd;
    bool force_deactivate;  /* nothing could be had: active pages go, whatever their number */
    bool ignore_references; /* by request: MADV_PAGEOUT */
    unsigned long wanted, reclaimed, scanned, written;
    unsigned refused; /* pages that swap didn't take, though it has room */
};

static inline bool scan_is_done(const struct scan *scan)
{
    return scan->reclaimed >= scan->wanted;
}

/* Reclaims what it can of `count` isolated pages, at most RECLAIM_BATCH, and puts the others back;
 * pages that went. */
unsigned long shrink_pages(struct scan *scan, struct quire_page **pages, unsigned count);
/* Isolates a batch from the old end of a list, no more than is still wanted if `exactly`, and
 * shrinks it; pages looked at. */
unsigned shrink_list(struct scan *scan, unsigned list, unsigned long most);

/* Evictions and activations move the clock of refault distances: workingset.c. */
void workingset_age(struct node_lists *lists, unsigned long pages);

#endif
