/* vm/swap_area.h: the slots of swap areas, for the files of swap
 *
 * Slots are kept by clusters of 256. A CPU that swaps out owns a cluster and takes its slots in
 * order, so what goes together lies together, and is read ahead together. Other clusters of an area
 * are on a list by what is free in them:
 *
 *     FREE      nothing is in use
 *     DISCARD   the same, but the store is to be told first
 *     PARTIAL   some slots are free
 *     FULL      on no list, nor are those that somebody owns
 *
 *   invariant   a slot is free when its count is 0 and no page is cached for it (state 0)
 *   invariant   cluster->free counts the free slots of each cluster, area->nr_used the others but
 *               for those that can't be used: slot 0, and beyond the end
 *   bound       taking a slot looks at 256 at most; giving one back is O(1)
 *
 * All of it, with the hash from frames to slots, is under one lock.
 */
#ifndef VM_SWAP_AREA_H
#define VM_SWAP_AREA_H

#include "vm/swap.h"

#define CLUSTER_SHIFT 8
#define CLUSTER_SLOTS (1u << CLUSTER_SHIFT)
#define NO_CLUSTER UINT32_MAX

/* A slot's state: how many entries mean it, and whether a page is cached. */
#define SLOT_CACHED 0x8000u
#define SLOT_COUNT 0x7fffu
#define SLOT_BAD 0x7fffu
#define SLOT_MAX 0x7ffeu

enum cluster_list { CLUSTER_FREE, CLUSTER_DISCARD, CLUSTER_PARTIAL, NR_CLUSTER_LISTS };
#define CLUSTER_UNLISTED NR_CLUSTER_LISTS

struct swap_cluster {
    uint32_t next, prev; /* clusters of the same list */
    uint16_t free, usable;
    uint8_t list;
    bool owned;
    uint16_t state[CLUSTER_SLOTS];
    uint32_t word[CLUSTER_SLOTS];  /* cached: the frame; else the shadow of the evicted page */
    uint32_t chain[CLUSTER_SLOTS]; /* cached: the next slot with this hash */
};

struct cluster_queue {
    uint32_t first, last;
};

struct swap_area {
    struct list link; /* of state->order: by falling priority */
    unsigned number;
    const struct quire_swap_ops *ops;
    void *store;
    bool is_file, going; /* going: swapoff is at work, nothing new comes here */
    int priority;
    uint32_t nr_slots, nr_clusters;
    uint32_t nr_used;
    struct cluster_queue queue[NR_CLUSTER_LISTS];
    char name[64];
    struct swap_cluster *cluster[]; /* nr_clusters */
};

/* Where a CPU takes slots. */
struct swap_cpu {
    struct swap_area *area; /* NULL: nowhere */
    uint32_t cluster;
    unsigned next; /* slot of the cluster to look at */
};

struct swap_state {
    quire_port_spinlock_t lock;
    struct quire_kmem_cache *cluster_cache;
    struct swap_area *area[QUIRE_MAX_SWAP_AREAS];
    unsigned nr_areas; /* those that are going too, until swapoff is done with them */
    struct list order;
    unsigned long total, used; /* slots of areas that aren't going */
    int lowest_priority;
    uint32_t *bucket; /* of the hash: slots as slot_id; NULL: no area yet */
    unsigned bucket_bits;

    /* Read-ahead: log2 of the most pages, what was hit of the last ones, and where it was. */
    uint32_t page_cluster, hits, last_window;
    swap_entry last_entry;

    unsigned nr_cpus;
    struct swap_cpu cpu[]; /* nr_cpus and one for who has no number */
};

/* A slot of any area in 32 bits. */
#define SLOT_ID_BITS 27
#define NO_SLOT UINT32_MAX
_Static_assert((QUIRE_MAX_SWAP_AREAS - 1) >> (32 - SLOT_ID_BITS) == 0, "an area's number fits");

static inline uint32_t slot_id(swap_entry entry)
{
    return (entry_type(entry) - 1) << SLOT_ID_BITS | (uint32_t)entry_offset(entry);
}

static inline swap_entry entry_of_id(uint32_t id)
{
    return entry_make((id >> SLOT_ID_BITS) + 1, id & ((1u << SLOT_ID_BITS) - 1));
}

static inline swap_entry entry_of_slot(const struct swap_area *area, uint32_t slot)
{
    return entry_make(area->number + 1, slot);
}

quire_port_irq_t swap_lock(struct swap_state *swap);
void swap_unlock(struct swap_state *swap, quire_port_irq_t irq);

/* ---- with the lock held ---------------------------------------------------------------------- */

/* The area of an entry; an entry of none is a broken page table. */
static inline struct swap_area *area_of(struct swap_state *swap, swap_entry entry)
{
    unsigned type = entry_type(entry);
    QUIRE_BUG_ON(!type || type > QUIRE_MAX_SWAP_AREAS || !swap->area[type - 1] ||
                 entry_offset(entry) >= swap->area[type - 1]->nr_slots);
    return swap->area[type - 1];
}

static inline struct swap_cluster *cluster_of(struct swap_state *swap, swap_entry entry)
{
    return area_of(swap, entry)->cluster[entry_offset(entry) >> CLUSTER_SHIFT];
}

static inline uint16_t *slot_state(struct swap_state *swap, swap_entry entry)
{
    return &cluster_of(swap, entry)->state[entry_offset(entry) & (CLUSTER_SLOTS - 1)];
}

/* The same for an entry that may be gone from all page tables, and its area with it; 0 then. */
static inline uint16_t slot_state_now(struct swap_state *swap, swap_entry entry)
{
    const struct swap_area *area = swap->area[entry_type(entry) - 1];
    return area && entry_offset(entry) < area->nr_slots ? *slot_state(swap, entry) : 0;
}

static inline uint32_t *slot_word(struct swap_state *swap, swap_entry entry)
{
    return &cluster_of(swap, entry)->word[entry_offset(entry) & (CLUSTER_SLOTS - 1)];
}

/* A free slot becomes cached, for nobody yet; 0: there is none. *wants_discard says whether the
 * caller can discard; it stays true if there may be a slot after that, and none was taken. */
swap_entry slot_take(struct swap_state *swap, bool *wants_discard);
/* The same in any area but one, whose store has just failed; 0: there is none. Discards nothing. */
swap_entry slot_take_outside(struct swap_state *swap, const struct swap_area *avoided);
/* A slot whose state has become 0. */
void slot_release(struct swap_state *swap, swap_entry entry);
/* Gives up all clusters of an area that CPUs own. */
void slots_disown(struct swap_state *swap, struct swap_area *area);

/* The page is cached for the slot from now on, and no longer. swap_cache.c */
void cache_link(struct swap_state *swap, swap_entry entry, uint32_t pfn);
void cache_unlink(struct swap_state *swap, swap_entry entry);

/* An area may be taken from, and is counted; and no longer: swapoff. swap_area.c */
void swap_area_show(struct swap_state *swap, struct swap_area *area);
void swap_area_hide(struct swap_state *swap, struct swap_area *area);

/* ---- without it ------------------------------------------------------------------------------ */

/* Tells stores what they may forget, and frees those clusters. */
void swap_discard(struct swap_state *swap);
/* All clusters of a new area, free. -ENOMEM. */
QUIRE_MUST_CHECK int slots_create(struct swap_state *swap, struct swap_area *area);
void slots_destroy(struct swap_state *swap, struct swap_area *area);
/* The end of an area that is hidden and has no slot in use. Nothing is touched after it. */
void swap_area_forget(struct quire_vm *vm, struct swap_area *area);
/* Whether entries that are swapped in should leave their slot: the area goes, or swap is more than
 * half full. */
bool swap_wants_slot_back(struct quire_vm *vm, swap_entry entry);

/* swap_in for who mustn't kill for it: `extra` beside the flags of a user's page. */
struct quire_page *swap_in_gfp(struct quire_vm *vm, swap_entry entry,
                               const struct alloc_place *place, quire_gfp_t extra, bool *major,
                               int *error);

#endif
