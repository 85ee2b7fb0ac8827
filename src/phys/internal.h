/* phys/internal.h: the structures of layer 1
 *
 *     quire_mem ── node[] ── zonelists ──┐
 *        │  └──── zone[] ◄───────────────┘ ── shard[] ── blocks[order][type] ── pageblock ...
 *        └─ cpu[] ── pcp of each zone ── list[order, type] ── slots of pages
 *
 * A zone's free memory is kept by pageblocks, not by blocks: a pageblock has a bitmap with a bit a
 * frame, and lies on the list of its largest free block's order and of its migrate type. See
 * buddy.c. A zone's pageblocks are dealt out to its shards, of which each CPU prefers one: see
 * shard.c. Locks: a shard's for its lists, counts and pageblocks; all of a zone's shards, by
 * zone_lock, for what is the zone's; a pcp belongs to its CPU (see pcp.h); mem->lock for
 * registrations and settings. Order: mem->lock, the shards of one zone by number, an inbox.
 */
#ifndef QUIRE_PHYS_INTERNAL_H
#define QUIRE_PHYS_INTERNAL_H

#include <quire/phys.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "base/list.h"
#include "phys/page.h"

/* ---- pageblocks ------------------------------------------------------------------------------ */

#define PAGEBLOCK_ORDER QUIRE_PAGEBLOCK_ORDER
#define PAGEBLOCK_PAGES QUIRE_PAGEBLOCK_PAGES
#define PAGEBLOCK_WORDS (PAGEBLOCK_PAGES / 64)
#define SECTION_PFN_SHIFT (QUIRE_SECTION_SHIFT - QUIRE_PAGE_SHIFT)
#define MAX_ORDER QUIRE_MAX_ORDER
#define NR_ORDERS (MAX_ORDER + 1)

/* log2 of the frames that one bit of pageblock->reported stands for. */
#define REPORT_ORDER (PAGEBLOCK_ORDER - 6)

#define LARGEST_NONE (-1) /* no frame of the pageblock is free */

#define PAGEBLOCK_TAIL 0x01u         /* within a larger free block that begins at another one */
#define PAGEBLOCK_ISOLATED 0x02u     /* a range operation owns it; type is ISOLATE */
#define PAGEBLOCK_SKIP_MIGRATE 0x04u /* compaction found nothing to move here lately */
#define PAGEBLOCK_SKIP_FREE 0x08u    /* compaction found no place to move to here lately */
#define PAGEBLOCK_HOTADDED 0x10u     /* came at run time */

#define ZONE_NONE 0xff /* `zone` of a pageblock without any memory */

/* The second cache line is the free map; the first everything else. A free or an allocation touches
 * the map first, so that the lines come in descending order: in ascending order processors prefetch
 * what follows, which may be another CPU's pageblock. */
struct pageblock {
    uint64_t reported;        /* bit set: these frames are free and the port knows */
    struct list link;         /* in shard->blocks[largest][type], unless none is free or TAIL */
    struct quire_page *pages; /* descriptor of its first frame */
    uint32_t pfn;
    uint16_t nr[PAGEBLOCK_ORDER + 1]; /* free blocks by order, unmergeable ones, within it */
    uint16_t nr_free;                 /* free frames */
    uint8_t type;                     /* enum quire_migratetype */
    int8_t largest; /* order of its largest free block: above PAGEBLOCK_ORDER when it heads one */
    uint8_t flags;
    uint8_t zone;       /* index in mem->zones */
    uint8_t saved_type; /* while ISOLATED: what it was before */
    /* Bit set: the frame is free, and not on a per-CPU list. */
    uint64_t free[PAGEBLOCK_WORDS] __attribute__((aligned(QUIRE_CACHELINE_BYTES)));
} __attribute__((aligned(QUIRE_CACHELINE_BYTES)));

#if QUIRE_PAGEBLOCK_ORDER == 9
_Static_assert(sizeof(struct pageblock) == 128, "a pageblock costs two cache lines");
#endif

/* ---- per-CPU lists --------------------------------------------------------------------------- */

/* UNMOVABLE, MOVABLE, RECLAIMABLE; the fourth, MOVABLE and RECLAIMABLE together, means nothing and
 * has lists that stay empty, so that the hot path needn't check for it. */
#define PCP_TYPES 3
#define PCP_STRIDE 4
#define PCP_ORDERS 4                        /* 0 to 3 */
#define PCP_HUGE (PCP_ORDERS * PCP_STRIDE)  /* first list of PAGEBLOCK_ORDER */
#define PCP_CLEARED (PCP_HUGE + PCP_STRIDE) /* of order 0, UNMOVABLE: see cleared.h */
#define PCP_LISTS (PCP_CLEARED + 1)

/* A stack of pages; one cache line, cold fields included. */
struct pcp_list {
    struct quire_page **top;   /* where the next page freed goes */
    struct quire_page **base;  /* where the oldest is; the list is empty when top is here */
    struct quire_page **limit; /* when top is here a free drains first: base + high */
    struct shard *shard;       /* its CPU's: where blocks come from, and most go back to */
    uint64_t alloc_state;      /* state of the first page of a block allocated from here */
    unsigned long nr_alloc;    /* blocks ever allocated from here */
    unsigned long net_in;      /* blocks ever refilled, less those drained */
    uint16_t cap;              /* slots; 0: the list isn't used */
    uint16_t high_min;         /* where `high` starts and comes back to */
    uint16_t refill, drain;    /* blocks that the next one moves: they grow while repeated */
} __attribute__((aligned(QUIRE_CACHELINE_BYTES)));

_Static_assert(sizeof(struct pcp_list) == QUIRE_CACHELINE_BYTES, "a list costs one cache line");
_Static_assert(1 << PAGE_TYPE_SHIFT == sizeof(struct pcp_list) &&
                   1 << PAGE_ORDER_SHIFT == PCP_STRIDE * sizeof(struct pcp_list),
               "order and type in flags are the offset of the list");

struct pcp {
    struct pcp_list list[PCP_LISTS];
};

/* What a CPU may use now: the hot path's first two cache lines. Zones whose lists are closed, and
 * those that a CPU without number would use, are mem->no_pcp here: lists both empty and full. */
struct cpu {
    struct pcp_list *prefer[32]; /* by gfp's zone and mobility: the order-0 list to try first */
    uint8_t busy;                /* it is inside: no other CPU touches the lists */
    struct pcp *zone[];          /* by zone id */
} __attribute__((aligned(QUIRE_CACHELINE_BYTES)));

#define GFP_PREFER_MASK 0x1fu

/* ---- zones, nodes ---------------------------------------------------------------------------- */

enum watermark { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARKS };

struct compact_state {
    unsigned long migrate_pfn, free_pfn; /* where the scanners go on; 0: at the zone's ends */
    unsigned considered, defer_shift;    /* deferral after failures, as Linux's */
    int order_failed;
};

/* Blocks that other CPUs freed and that belong to a shard: free, but in no pageblock's map yet.
 * Each is a slot: its first frame, and its kind above. Has a lock of its own, so that who sends
 * doesn't wait for who works on the shard. */
struct inbox {
    quire_port_spinlock_t lock;
    uint32_t count;     /* slots in `filling` */
    uint64_t *filling;  /* INBOX_SLOTS of them */
    uint64_t *emptying; /* the other half, while its blocks are given to the shard */
    unsigned long sent; /* frames of all blocks that were ever put in */
    /* Written by who takes out, with the shard's lock: on another line than what senders write. */
    unsigned long freed __attribute__((aligned(QUIRE_CACHELINE_BYTES)));
    /* `count` is worth an emptying: each drain looks, but senders seldom write it. */
    uint8_t ripe;
} __attribute__((aligned(QUIRE_CACHELINE_BYTES)));

/* Frames of all blocks in both halves. */
static inline unsigned long inbox_frames(const struct inbox *inbox)
{
    unsigned long freed = quire_load_acquire(&inbox->freed);
    return quire_load_acquire(&inbox->sent) - freed;
}

#define INBOX_SLOTS (1u << QUIRE_PCP_SHIFT)

struct shard {
    /* What each refill and drain writes comes first: two cache lines, most of the time. */
    quire_port_spinlock_t lock;
    uint8_t index;                         /* in zone->shard */
    unsigned long nr_free;                 /* frames on the lists below, ISOLATE's not counted */
    unsigned long nr_blocks[NR_ORDERS];    /* free blocks by order, all types */
    uint32_t avail[QUIRE_NR_MIGRATETYPES]; /* bit o: blocks[o][type] is not empty */
    unsigned long nr_free_special[QUIRE_NR_MIGRATETYPES]; /* of HIGHATOMIC, CMA and ISOLATE only */
    struct list blocks[NR_ORDERS][QUIRE_NR_MIGRATETYPES]; /* pageblocks, by largest free block */
    struct zone *zone;
    struct quire_mem *mem;
    /* Blocks allocated and freed past the per-CPU lists. Counted with atomic adds. */
    unsigned long nr_alloc[NR_ORDERS], nr_freed[NR_ORDERS];
    struct inbox inbox;
} __attribute__((aligned(QUIRE_CACHELINE_BYTES)));

struct zone {
    uint8_t id, type;   /* index in mem->zones; enum quire_zone_type */
    uint8_t shard_mask; /* shards in use, a power of two, less one */
    int node;
    struct quire_mem *mem;
    struct shard *shard;

    unsigned long watermark[NR_WMARKS], watermark_boost;
    unsigned long lowmem_reserve[QUIRE_NR_ZONES];
    unsigned long nr_reserved_highatomic; /* frames in HIGHATOMIC pageblocks */
    unsigned long start, end;             /* frames spanned: [start, end); 0, 0: empty */
    unsigned long present, managed, cma;  /* frames of RAM; handed to the allocator; in CMA areas */
    unsigned nr_isolated_blocks;
    struct pcp **pcp;    /* by CPU; NULL: see zone_pcps */
    unsigned pcp_closed; /* how many want all CPUs out of the lists; under mem->lock */
    struct compact_state compact;
    /* Counted with atomic adds. Of the NUMA events only the rare ones are: see view_numa.c. */
    unsigned long hand_overs_begun, hand_overs_ended; /* of blocks from one shard to another */
    unsigned long allocstall, numa_miss, numa_foreign, numa_other;
} __attribute__((aligned(QUIRE_CACHELINE_BYTES)));

struct node {
    struct zone **fallback;      /* every populated zone, nearest first, NULL at the end */
    struct zone **this_node;     /* only this node's */
    unsigned long movable_start; /* frames from here on are ZONE_MOVABLE's; ~0ul: none */
};

/* ---- the machine's memory -------------------------------------------------------------------- */

/* Events that aren't a zone's, as vmstat names them. Counted with atomic adds: all are rare. */
enum event {
    EVENT_PAGEFAIL,
    EVENT_COMPACT_STALL,
    EVENT_COMPACT_FAIL,
    EVENT_COMPACT_SUCCESS,
    EVENT_COMPACT_MIGRATE_SCANNED,
    EVENT_COMPACT_FREE_SCANNED,
    EVENT_COMPACT_ISOLATED,
    EVENT_PGMIGRATE_SUCCESS,
    EVENT_PGMIGRATE_FAIL,
    EVENT_OOM,
    EVENT_FALLBACK_CLAIM,
    EVENT_FALLBACK_STEAL,
    EVENT_DRAIN_ALL,
    EVENT_CMA_ALLOC_SUCCESS,
    EVENT_CMA_ALLOC_FAIL,
    NR_EVENTS
};

struct section_extent {
    uint32_t first, end; /* frames that have descriptors: [first, end), multiples of 2^MAX_ORDER */
};

struct page_owner {
    uintptr_t caller;
    unsigned order; /* + 1; 0: not allocated */
};

struct quire_mem {
    struct quire_mem_sections sections;  /* first: quire_pfn_to_page relies on it */
    struct cpu *cpu[QUIRE_MAX_CPUS + 1]; /* from nr_cpus on: the one of who has no number */
    unsigned nr_cpus, nr_nodes, nr_zones;
    struct zone *zones;
    struct node *nodes;
    struct section_extent *extents; /* by section */
    const struct quire_port_mem *port;
    uint8_t *cpu_node, *distance;
    uint8_t *cpu_rank; /* the CPU's number among those of its node */
    /* By frame >> MAX_ORDER: the shard, of its zone, that these frames belong to (shard.c). */
    uint8_t *shard_of;
    unsigned max_shards; /* elements of each zone->shard */
    quire_phys_t zone_end[QUIRE_NR_ZONES];
    uint8_t zone_of_gfp[16];        /* highest zone for the zone bits; 0xff: nonsense */
    uint8_t type_of_pcp[PCP_TYPES]; /* the identity; all UNMOVABLE without grouping */
    bool no_mobility_grouping, fresh_is_reported;
    unsigned debug;
    struct quire_mem_ops ops; /* the configuration's, or who reclaims now: quire_set_reclaim */
    struct quire_mem_ops configured;
    void *ops_arg, *reclaim_arg;
    struct pcp no_pcp; /* all zero */

    uint32_t hotplug; /* 1: memory is being added or removed */
    quire_port_spinlock_t lock;
    unsigned long min_free_kbytes;
    unsigned watermark_scale_factor, watermark_boost_factor;
    const struct quire_mover *mover[QUIRE_MAX_MOVERS + 1];
    struct quire_shrinker *shrinkers;
    struct quire_cma *cma_areas;
    struct page_owner **owners; /* by section, from its first frame on; NULL: no tracking */
    unsigned long events[NR_EVENTS];
    size_t metadata_size;
    unsigned long last_warning_second; /* allocation failures are told at most once a second */
};

static inline void count_event(struct quire_mem *mem, enum event event, unsigned long n)
{
    quire_fetch_add(&mem->events[event], n);
}

static inline struct pageblock *pfn_to_pageblock(const struct quire_mem *mem, unsigned long pfn)
{
    uintptr_t base = mem->sections.section[pfn >> SECTION_PFN_SHIFT].blocks;
    return (struct pageblock *)(base + (pfn >> PAGEBLOCK_ORDER) * sizeof(struct pageblock));
}

/* The zone that has the pageblock, or ZONE_NONE. Who walks a zone, holding its lock, meets
 * pageblocks of others, which come and go under theirs. */
static inline unsigned pageblock_zone(const struct pageblock *block)
{
    return quire_load_relaxed(&block->zone);
}

static inline struct quire_page *pfn_to_page(const struct quire_mem *mem, unsigned long pfn)
{
    return quire_pfn_to_page(mem, quire_pfn(pfn));
}

static inline struct zone *page_zone(const struct quire_mem *mem, const struct quire_page *page)
{
    return &mem->zones[flags_zone(page_flags(page))];
}

static inline bool pfn_valid(const struct quire_mem *mem, unsigned long pfn)
{
    return quire_pfn_valid(mem, quire_pfn(pfn));
}

static inline bool zone_populated(const struct zone *zone)
{
    return quire_load_relaxed(&zone->managed) != 0;
}

/* The zone's lists by CPU; NULL: it never had memory. They come with its first memory, and stay. */
static inline struct pcp **zone_pcps(const struct zone *zone)
{
    return quire_load_acquire(&zone->pcp);
}

#define for_each_zone(mem, pos)                                                                    \
    for (struct zone *pos = (mem)->zones; pos < (mem)->zones + (mem)->nr_zones; pos++)

static inline quire_port_irq_t mem_lock(struct quire_mem *mem)
{
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&mem->lock);
    return irq;
}

static inline void mem_unlock(struct quire_mem *mem, quire_port_irq_t irq)
{
    quire_port_spin_unlock(&mem->lock);
    quire_port_irq_restore(irq);
}

/* ---- shard.c --------------------------------------------------------------------------------- */

/* A zone that was empty gets more shards with its first memory: see shards_open. */
static inline unsigned zone_shard_mask(const struct zone *zone)
{
    return quire_load_relaxed(&zone->shard_mask);
}

#define for_each_shard(zone, pos)                                                                  \
    for (struct shard *pos = (zone)->shard; pos <= (zone)->shard + zone_shard_mask(zone); pos++)

static inline quire_port_irq_t shard_lock(struct shard *shard)
{
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&shard->lock);
    return irq;
}

static inline void shard_unlock(struct shard *shard, quire_port_irq_t irq)
{
    quire_port_spin_unlock(&shard->lock);
    quire_port_irq_restore(irq);
}

/* Locks all shards of a zone, and leaves nothing in their inboxes: for whoever works on the zone as
 * a whole, or on pageblocks of any shard. "zone_lock held" means this. */
quire_port_irq_t zone_lock(struct zone *zone);
void zone_unlock(struct zone *zone, quire_port_irq_t irq);

/* Which shards the frames of a zone belong to, in registers for a loop. */
struct shard_map {
    const uint8_t *shard_of;
    unsigned mask;
};

static QUIRE_ALWAYS_INLINE struct shard_map shard_map(const struct zone *zone)
{
    return (struct shard_map){zone->mem->shard_of, zone_shard_mask(zone)};
}

static QUIRE_ALWAYS_INLINE unsigned map_index(const struct shard_map *map, unsigned long pfn)
{
    return quire_load_relaxed(&map->shard_of[pfn >> MAX_ORDER]) & map->mask;
}

/* The shard that a frame of the zone belongs to. Stays so while the frame is allocated, or while
 * the shard's lock is held. */
static inline struct shard *frame_shard(const struct zone *zone, unsigned long pfn)
{
    struct shard_map map = shard_map(zone);
    return &zone->shard[map_index(&map, pfn)];
}

/* The shard that a CPU prefers; any number will do. */
struct shard *home_shard(const struct zone *zone, unsigned cpu);
/* How many shards a zone of about `frames` frames gets, and what their inboxes take. */
unsigned nr_shards(const struct quire_mem *mem, unsigned long frames);
/* The most shards that make sense where no node has more CPUs. */
unsigned max_shards(unsigned cpus_of_a_node);
size_t inboxes_size(const struct quire_mem *mem, unsigned long frames);
/* Puts them to use, for a zone that has nothing free yet. */
void shards_open(struct zone *zone, void *inboxes, unsigned long frames);
/* Moves those of `count` allocated or listed blocks that are the shard's to the front; returns how
 * many. Without locks. */
unsigned shard_gather(const struct shard *shard, struct quire_page **pages, unsigned count);
/* Deals the zone's wholly free blocks of MAX_ORDER out by address. All are the first shard's. */
void shards_deal(struct zone *zone);
/* Gives blocks of one kind, some of which may be other shards' than `home`, to whom they belong;
 * `pages` is used up. Locks what it needs. */
void shards_free(struct shard *home, struct quire_page **pages, unsigned count, uint32_t kind);
/* Hands a wholly free block of MAX_ORDER over; false: `from` has none of the type. Both locks are
 * held. */
bool shard_hand_over(struct shard *from, struct shard *to, enum quire_migratetype type);
/* Who looks at one shard after the other, and finds too little, may have missed a block that was
 * handed over meanwhile: if hand_over_since says so of what hand_overs_ended said before. */
unsigned long hand_overs_ended(const struct zone *zone);
bool hand_over_since(const struct zone *zone, unsigned long ended);

/* Takes up to `max` blocks of a kind out of the shard's inbox, the newest first, while the newest
 * is of this kind; stored as by buddy_take. The shard's lock is held. */
unsigned inbox_take_slow(struct shard *shard, uint32_t kind, unsigned max, struct quire_page **end);
static inline unsigned inbox_take(struct shard *shard, uint32_t kind, unsigned max,
                                  struct quire_page **end)
{
    if (quire_likely(!quire_load_relaxed(&shard->inbox.count)))
        return 0;
    return inbox_take_slow(shard, kind, max, end);
}
/* Gives what is in the shard's inbox to the shard, whose lock is held. */
void shard_empty_inbox_slow(struct shard *shard);
static inline void shard_empty_inbox(struct shard *shard)
{
    if (quire_unlikely(quire_load_relaxed(&shard->inbox.count)))
        shard_empty_inbox_slow(shard);
}
/* The same for all of a zone, without locks; false: there was nothing in them. */
bool zone_empty_inboxes(struct zone *zone);

/* Sums over shards; without locks they may be of different moments. */
unsigned long zone_nr_free(const struct zone *zone);
unsigned long zone_inbox_frames(const struct zone *zone);
unsigned long zone_nr_blocks(const struct zone *zone, unsigned order);
unsigned long zone_free_special(const struct zone *zone, enum quire_migratetype type);
uint32_t zone_avail(const struct zone *zone, enum quire_migratetype type);

/* Frames that are free but isolated: not counted in nr_free. */
static inline unsigned long zone_isolated_free(const struct zone *zone)
{
    return zone_free_special(zone, QUIRE_MIGRATE_ISOLATE);
}

/* ---- buddy.c: all with the shard's lock held ------------------------------------------------- */

/* Frees the block of `order` at `pfn`, merging it with what is free around it. */
void buddy_free(struct shard *shard, struct pageblock *block, unsigned long pfn, unsigned order);
/* Frees blocks of one order, all the shard's. Runs of buddies among neighbours in `pages` are
 * merged before they get to the lists. */
void buddy_free_pages(struct shard *shard, struct quire_page **pages, unsigned count,
                      unsigned order);
/* The same from an inbox. */
void buddy_free_slots(struct shard *shard, const uint64_t *slots, unsigned count, unsigned order);
/* Takes up to `max` blocks of `order` from the smallest free blocks of `type` that hold one;
 * returns how many, 0 only when there is none. Their first pages are stored downwards, the one of
 * the lowest address at end[-1], as a stack is filled whose top will be taken first. */
unsigned buddy_take(struct shard *shard, unsigned order, enum quire_migratetype type, unsigned max,
                    struct quire_page **end);
/* The same below PAGEBLOCK_ORDER from the pageblock `block`, whose largest free block is of `order`
 * or larger. */
unsigned buddy_take_from(struct shard *shard, struct pageblock *block, unsigned order, unsigned max,
                         struct quire_page **end);
/* Takes one particular free block out: the frames [pfn, pfn + 2^order) are all free. */
void buddy_take_exact(struct shard *shard, unsigned long pfn, unsigned order);
/* Whether the frame is free in the zone (not on a per-CPU list). */
bool buddy_frame_is_free(const struct quire_mem *mem, unsigned long pfn);
/* The order of the free block that holds the free frame `pfn`; its first frame into `start`. */
unsigned buddy_free_order(const struct quire_mem *mem, unsigned long pfn, unsigned long *start);
/* Gives a pageblock, its free frames included, another migrate type. */
void pageblock_set_type(struct shard *shard, struct pageblock *block, enum quire_migratetype type);
/* buddy_take for PAGEBLOCK_ORDER and above, from type `from`; what is taken becomes of type `to`.
 */
unsigned superblock_take(struct shard *shard, unsigned order, unsigned from, unsigned to,
                         unsigned max, struct quire_page **end);
/* Gives the free block of MAX_ORDER at `block` to another shard. Both locks are held. */
void superblock_hand_over(struct shard *from, struct shard *to, struct pageblock *block);
/* Whether two blocks of PAGEBLOCK_ORDER are buddies. */
static inline bool superblock_are_halves(const struct quire_page *a, const struct quire_page *b)
{
    return PAGEBLOCK_ORDER < MAX_ORDER && (a->pfn ^ b->pfn) == PAGEBLOCK_PAGES;
}

/* Halves a free block above PAGEBLOCK_ORDER until `block` is one of its own. */
void pageblock_separate(struct shard *shard, struct pageblock *block);
void buddy_init_shard(struct shard *shard);

/* ---- fallback.c ------------------------------------------------------------------------------ */

#define ALLOC_WMARK_MASK 0x3u
#define ALLOC_NO_WATERMARKS 0x4u
#define ALLOC_MIN_RESERVE 0x8u /* GFP_HIGH: half of the reserve */
#define ALLOC_NON_BLOCK 0x10u  /* can't wait: with MIN_RESERVE, a quarter of the rest too */
#define ALLOC_HIGHATOMIC 0x20u /* may use, and make, HIGHATOMIC pageblocks */
#define ALLOC_CMA 0x40u        /* movable: may use CMA pageblocks */

/* The types that `type` falls back to, best first; `i` is 0 or 1. */
enum quire_migratetype fallback_type(enum quire_migratetype type, unsigned i);
/* Gives `type` a pageblock of another type, so that buddy_take finds a block of `order` below
 * PAGEBLOCK_ORDER; false: there is none worth it. The shard's lock is held, as for the next two. */
bool shard_claim(struct shard *shard, unsigned order, enum quire_migratetype type);
/* buddy_take for PAGEBLOCK_ORDER and above from other types, whose pageblocks become of `type`. */
unsigned shard_claim_large(struct shard *shard, unsigned order, enum quire_migratetype type,
                           unsigned max, struct quire_page **end);
/* Takes one block from a pageblock of another type, as buddy_take would. */
unsigned shard_steal(struct shard *shard, unsigned order, enum quire_migratetype type,
                     struct quire_page **end);
/* Makes the pageblock a HIGHATOMIC one if the zone's share allows; true: it did. With zone_lock
 * held, as is the next. */
bool reserve_highatomic(struct zone *zone, struct pageblock *block);
/* Whether it might; without locks. */
bool highatomic_has_room(const struct zone *zone);
/* Gives one HIGHATOMIC pageblock of the zone back to ordinary use; true: there was one with free
 * pages. `force`: even if it is the last. */
bool unreserve_highatomic(struct zone *zone, bool force);

/* ---- rmqueue.c ------------------------------------------------------------------------------- */

/* Takes up to `max` blocks of a kind out of a zone, from the shard `home` if it can, by Linux's
 * order of preference. Stored as by buddy_take. Locks what it needs. */
unsigned rmqueue(struct shard *home, uint32_t kind, unsigned alloc_flags, unsigned max,
                 struct quire_page **end);
/* One block of a HIGHATOMIC pageblock. */
struct quire_page *rmqueue_highatomic(struct zone *zone, unsigned order);

/* ---- watermark.c ----------------------------------------------------------------------------- */

void watermarks_setup(struct quire_mem *mem);
unsigned long zone_watermark(const struct zone *zone, enum watermark mark);
/* Whether an allocation of `order` leaves `mark` free, as Linux's zone_watermark_ok. Looks without
 * locks first, and into inboxes before it says no. */
bool zone_watermark_ok(struct zone *zone, unsigned order, unsigned long mark,
                       enum quire_zone_type highest, unsigned alloc_flags);
/* The same for the low mark and the list that `pages` pages would go to, in few instructions: true
 * only when it is far from the mark, whatever is reserved. */
static inline bool zone_has_plenty(const struct shard *shard, enum quire_zone_type highest,
                                   unsigned long pages)
{
    const struct zone *zone = shard->zone;
    unsigned long kept = quire_load_relaxed(&zone->watermark[WMARK_LOW]) +
                         quire_load_relaxed(&zone->watermark_boost) +
                         quire_load_relaxed(&zone->lowmem_reserve[highest]) +
                         quire_load_relaxed(&zone->nr_reserved_highatomic) +
                         quire_load_relaxed(&zone->cma);
    return quire_likely(quire_load_relaxed(&shard->nr_free) > kept + pages) ||
           zone_nr_free(zone) > kept + pages;
}
void boost_watermark(struct zone *zone);

/* ---- zonelist.c ------------------------------------------------------------------------------ */

void zonelists_build(struct quire_mem *mem);
/* Writes what each CPU may use, by zonelists and closed lists. With mem->lock held, or at init. */
void cpus_publish(struct quire_mem *mem);
void gfp_zones_build(struct quire_mem *mem);

/* ---- alloc.c, slowpath.c --------------------------------------------------------------------- */

struct alloc_context {
    struct quire_mem *mem;
    struct zone **zonelist;
    int node;
    quire_gfp_t gfp;
    unsigned order;
    enum quire_migratetype type; /* as asked; zones know it as mem->type_of_pcp[type] */
    enum quire_zone_type highest;
    uint32_t nodes; /* a bit for each that will do */
};

static inline bool zone_will_do(const struct alloc_context *ac, const struct zone *zone)
{
    return zone->type <= ac->highest && ac->nodes >> zone->node & 1;
}

/* False: impossible request. */
bool alloc_context_prepare(struct quire_mem *mem, int node, quire_gfp_t gfp, unsigned order,
                           struct alloc_context *ac);
/* One walk of the zonelist under the watermark that alloc_flags name. */
struct quire_page *get_page_from_freelist(const struct alloc_context *ac, unsigned alloc_flags);
/* Between two rounds that made no progress: lets others run. Without locks. */
void wait_a_moment(struct quire_mem *mem);
struct quire_page *alloc_pages_slowpath(const struct alloc_context *ac);
/* Content and bookkeeping of a block that left the zone past the hot path. */
void prepare_new_page(struct quire_mem *mem, struct quire_page *page, unsigned order,
                      quire_gfp_t gfp, uintptr_t caller);
/* Frees a block whose last reference is gone; its flags have been checked. */
void free_block(struct quire_mem *mem, struct quire_page *page, unsigned order, uint32_t flags);
/* The same with zone_lock held. */
void free_block_locked(struct zone *zone, struct quire_page *page, unsigned order, uint32_t flags);
/* `type`: as asked, or PAGE_TYPE_SPECIAL. */
uint32_t page_head_flags(const struct zone *zone, unsigned order, unsigned type);

/* ---- pcp.c ----------------------------------------------------------------------------------- */

#define PCP_NOT_LISTED 0xffu
/* The list of an order and type, or PCP_NOT_LISTED. */
static inline unsigned pcp_index(unsigned order, unsigned type)
{
    if (order < PCP_ORDERS)
        return order * PCP_STRIDE + type;
    return order == PAGEBLOCK_ORDER ? PCP_HUGE + type : PCP_NOT_LISTED;
}

static inline unsigned pcp_list_order(unsigned index)
{
    if (index == PCP_CLEARED)
        return 0;
    return index < PCP_HUGE ? index / PCP_STRIDE : PAGEBLOCK_ORDER;
}

/* Bytes that the lists of all CPUs for a zone of about `frames` frames take; and makes `memory` of
 * that size hold them. */
size_t zone_pcps_size(const struct zone *zone, unsigned long frames);
void zone_pcps_create(struct zone *zone, void *memory, unsigned long frames);
/* Takes a block from this CPU's list, refilling it from the zone when empty. NULL: closed, or the
 * zone has none. */
struct quire_page *pcp_alloc(struct zone *zone, unsigned order, enum quire_migratetype type,
                             unsigned alloc_flags);
/* Fills the NULL elements of `pages` with order-0 pages, refilling as needed; the index of the
 * first that it left NULL. */
unsigned long pcp_alloc_bulk(struct zone *zone, enum quire_migratetype type, unsigned alloc_flags,
                             unsigned long count, struct quire_page **pages);
/* Refills an empty list of this CPU; within cpu_enter and cpu_leave. */
void pcp_refill(struct pcp_list *list, unsigned alloc_flags);
/* Drains a full list of this CPU; within cpu_enter and cpu_leave. */
void pcp_drain(struct pcp_list *list);
/* Puts a block on this CPU's list, draining it when full. False: closed. */
bool pcp_free(struct zone *zone, struct quire_page *page, unsigned order, uint32_t flags);
/* Keeps all CPUs out of the zone's lists, which are emptied; and lets them in again. Nests. Not
 * with a lock held. */
void pcp_close(struct zone *zone);
void pcp_open(struct zone *zone);
unsigned long pcp_pages(const struct zone *zone);
unsigned long pcp_allocated_blocks(const struct zone *zone, unsigned order);
unsigned long pcp_freed_blocks(const struct zone *zone, unsigned order);

/* ---- report.c -------------------------------------------------------------------------------- */

/* The port needn't be told of a free block within a pageblock. With zone_lock held. */
void mark_reported(struct pageblock *block, unsigned long pfn, unsigned order);

/* ---- section.c ------------------------------------------------------------------------------- */

/* Bytes that descriptors and pageblocks of `frames` frames take. */
size_t section_size(const struct quire_mem *mem, unsigned long frames);
/* Says which frames of a section have descriptors. Anyone may ask for one meanwhile. */
void section_set_extent(struct quire_mem *mem, unsigned long number, unsigned long first,
                        unsigned long end);
/* Makes `memory` (section_size bytes) the descriptors of [first, end) of one section, whose entry
 * is empty: holes all. */
void section_create(struct quire_mem *mem, unsigned long first, unsigned long end, void *memory,
                    uint8_t block_flags);
/* Makes frames of a section present and reserved. A pageblock goes to the zone of its first. */
void section_add_frames(struct quire_mem *mem, unsigned long start, unsigned long end, int node,
                        bool hotplug, uint32_t flags);
/* Takes reserved frames [start, end) for the caller, so that nobody else can; false: some aren't.
 */
bool claim_reserved(struct quire_mem *mem, unsigned long start, unsigned long end);
/* Hands the frames [start, end), reserved so far, to their zones. */
void release_frames(struct quire_mem *mem, unsigned long start, unsigned long end);
/* The zone type of a frame, or QUIRE_NR_ZONES where the machine has no zone for it. */
unsigned zone_type_of(const struct quire_mem *mem, int node, unsigned long pfn, bool hotplug);
struct zone *zone_of(struct quire_mem *mem, int node, unsigned type);
/* Recomputes what depends on how large zones are. */
void zones_changed(struct quire_mem *mem);

/* ---- compaction.c, fragindex.c, isolate.c: see there ----------------------------------------- */

enum compact_result {
    COMPACT_SKIPPED,
    COMPACT_DEFERRED,
    COMPACT_PARTIAL,
    COMPACT_COMPLETE,
    COMPACT_SUCCESS
};

/* Compacts zones for the allocation; the block if one came free. */
struct quire_page *direct_compact(const struct alloc_context *ac, unsigned alloc_flags, bool gently,
                                  enum compact_result *result);
/* 0 to 1000, as Linux: towards 0 a failure would be for lack of memory, towards 1000 for
 * fragmentation; -1000: it would succeed. */
int fragmentation_index(const struct zone *zone, unsigned order);
int unusable_index(const struct zone *zone, unsigned order);

/* ---- check.c: for QUIRE_EXPENSIVE ------------------------------------------------------------ */

bool pageblock_is_valid(const struct pageblock *block);
bool pcp_list_is_valid(const struct pcp_list *list);

/* ---- debug.c --------------------------------------------------------------------------------- */

/* A caller's mistake with `page`: reported to ops->bad_page, or a panic. */
void bad_page(struct quire_mem *mem, unsigned long pfn, const char *what);
/* Why a free of this block is wrong, and report it. */
void report_bad_free(struct quire_mem *mem, struct quire_page *page, unsigned order,
                     uint32_t flags);
void owner_set(struct quire_mem *mem, struct quire_page *page, unsigned order, uintptr_t caller);
void owner_clear(struct quire_mem *mem, struct quire_page *page);
/* A block that moved is still held by who allocated it. */
void owner_copy(struct quire_mem *mem, struct quire_page *to, struct quire_page *from);
/* One owner for each page of a block that was split. */
void owner_split(struct quire_mem *mem, struct quire_page *page, unsigned order);
/* Poisons all that is free; the per-CPU lists are closed. */
void poison_free_pages(struct quire_mem *mem);
void poison_pages(struct quire_mem *mem, unsigned long pfn, unsigned long count);
void check_poison(struct quire_mem *mem, unsigned long pfn, unsigned long count);
void clear_pages(struct quire_mem *mem, unsigned long pfn, unsigned long count);

#endif
