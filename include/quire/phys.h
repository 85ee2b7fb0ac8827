/* quire/phys.h: page frames (layer 1)
 *
 * A machine's memory is a `struct quire_mem`. It is made from a memory map (a `quire_memblock`),
 * and after that hands out and takes back blocks of 2^order page frames.
 *
 *     static struct quire_memblock memblock;
 *     struct quire_mem *mem;
 *     quire_memblock_init(&memblock, "map", &port);
 *     quire_memblock_add(&memblock, 0x100000, 64 << 20, 0, QUIRE_MEMBLOCK_RAM);
 *     if (quire_mem_init(&mem, &memblock, &(struct quire_mem_config){.port = &port}))
 *         ...;
 *     struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL, 3);
 *     quire_free_pages(mem, page, 3);
 *
 * Locks. A zone has spinlocks, one for each group of CPUs (a "shard" of the zone), and the machine
 * has one, which comes before any zone's; they are taken with interrupts off. Each CPU's page lists
 * are its own. Unless its line says otherwise a function may be called from any context, takes
 * locks of one zone at a time or none, and doesn't sleep; "the zone's lock" is all of the zone's.
 * What changes ranges, zones or settings (reserved memory, CMA, contiguous ranges, isolation,
 * compaction, memory that comes and goes, drains, watermarks, debugging, registrations) takes the
 * machine's lock or waits for other CPUs: not in interrupt handlers. "Waits for other CPUs" means
 * until those are out of their page lists, a few hundred instructions each; while it lasts, and as
 * long as a range is isolated, their allocations take a lock of the zone each. Functions that take
 * `gfp` may sleep, and call back, only if it holds QUIRE_GFP_DIRECT_RECLAIM, or if their line says
 * so.
 *
 * Errors: 0 or a negative errno; a pointer or NULL. What fails changes nothing. A caller's mistake
 * with a range of memory (-EINVAL, -EEXIST) is logged with the range and the reason.
 */
#ifndef QUIRE_PHYS_H
#define QUIRE_PHYS_H

#include <quire/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quire_mem;
struct quire_port_mem;

/* ---- zones, migrate types -------------------------------------------------------------------- */

enum quire_zone_type {
    QUIRE_ZONE_DMA,     /* below 16 MiB on x86: what ISA devices reach */
    QUIRE_ZONE_DMA32,   /* below 4 GiB on 64-bit machines: what 32-bit devices reach */
    QUIRE_ZONE_NORMAL,  /* directly mapped */
    QUIRE_ZONE_HIGHMEM, /* above the direct map on 32-bit machines */
    QUIRE_ZONE_MOVABLE, /* movable allocations only: can be taken away */
    QUIRE_NR_ZONES
};

enum quire_migratetype {
    QUIRE_MIGRATE_UNMOVABLE,
    QUIRE_MIGRATE_MOVABLE,
    QUIRE_MIGRATE_RECLAIMABLE,
    QUIRE_MIGRATE_HIGHATOMIC, /* kept for atomic allocations of higher orders */
    QUIRE_MIGRATE_CMA,        /* lent to movable allocations until its owner asks */
    QUIRE_MIGRATE_ISOLATE,    /* free, and not to be allocated */
    QUIRE_NR_MIGRATETYPES
};

/* ---- gfp flags: Linux's names, values and meanings ------------------------------------------- */

/* What means nothing is answered with NULL: two of DMA, DMA32 and HIGHMEM at once, MOVABLE with
 * RECLAIMABLE, NOFAIL without DIRECT_RECLAIM; and at once, even with NOFAIL, what no zone of the
 * machine (of the node, with THISNODE) could ever serve.
 *
 * Bits outside of QUIRE_GFP_MASK are refused by all functions that allocate by address, exact
 * sizes, in bulk or contiguous ranges (NULL, 0 or -EINVAL). quire_alloc_pages and
 * quire_alloc_pages_node, which have no instruction to spare for it, ignore them; debug builds
 * panic. */
typedef unsigned int quire_gfp_t;

#define QUIRE_GFP_DMA 0x01u /* zone modifiers: the highest zone that will do */
#define QUIRE_GFP_HIGHMEM 0x02u
#define QUIRE_GFP_DMA32 0x04u
#define QUIRE_GFP_MOVABLE 0x08u     /* the owner registered a mover, or can be asked to free */
#define QUIRE_GFP_RECLAIMABLE 0x10u /* a shrinker can free it */
#define QUIRE_GFP_HIGH 0x20u        /* high priority: half of the min watermark may be used */
#define QUIRE_GFP_IO 0x40u          /* handed to the reclaim callbacks, which obey it */
#define QUIRE_GFP_FS 0x80u
#define QUIRE_GFP_ZERO 0x100u           /* content zeroed */
#define QUIRE_GFP_DIRECT_RECLAIM 0x400u /* the caller can sleep */
#define QUIRE_GFP_KSWAPD_RECLAIM 0x800u /* wake the background reclaimer when low */
#define QUIRE_GFP_NOWARN 0x2000u        /* no message on failure */
#define QUIRE_GFP_RETRY_MAYFAIL 0x4000u /* try hard, no OOM callback, may fail */
/* Never NULL: retries for ever, and logs that it does after 16 rounds, 32, and so on; needs
 * DIRECT_RECLAIM. */
#define QUIRE_GFP_NOFAIL 0x8000u
#define QUIRE_GFP_NORETRY 0x10000u    /* one round of light reclaim, no more */
#define QUIRE_GFP_MEMALLOC 0x20000u   /* may use all reserves: the caller frees memory with it */
#define QUIRE_GFP_COMP 0x40000u       /* a compound page: freed by its last reference */
#define QUIRE_GFP_NOMEMALLOC 0x80000u /* no reserves, whatever else is said */
#define QUIRE_GFP_THISNODE 0x200000u  /* the asked node or NULL */

#define QUIRE_GFP_RECLAIM (QUIRE_GFP_DIRECT_RECLAIM | QUIRE_GFP_KSWAPD_RECLAIM)
#define QUIRE_GFP_ATOMIC (QUIRE_GFP_HIGH | QUIRE_GFP_KSWAPD_RECLAIM)
#define QUIRE_GFP_KERNEL (QUIRE_GFP_RECLAIM | QUIRE_GFP_IO | QUIRE_GFP_FS)
#define QUIRE_GFP_NOWAIT QUIRE_GFP_KSWAPD_RECLAIM
#define QUIRE_GFP_USER QUIRE_GFP_KERNEL
#define QUIRE_GFP_HIGHUSER (QUIRE_GFP_USER | QUIRE_GFP_HIGHMEM)
#define QUIRE_GFP_HIGHUSER_MOVABLE (QUIRE_GFP_HIGHUSER | QUIRE_GFP_MOVABLE)
#define QUIRE_GFP_MASK 0x2fedffu /* every bit that means something here */

/* ---- page descriptors ------------------------------------------------------------------------ */

/* One per page frame. The first half is this layer's; the owner of an allocated page may use
 * `owner` and `owner_word`, and the QUIRE_PAGE_OWNER_FLAGS bits of `flags` (atomically). They hold
 * anything on allocation and needn't be cleared, but for the owner flags: a page that is freed
 * with one set is reported.
 */
struct quire_page {
    uint32_t flags;    /* state, order, migrate type, owner's flags, zone: see src/phys/page.h */
    uint32_t refcount; /* references to an allocated block, kept in its first page */
    uint32_t pfn;
    uint32_t owner_word;
    union {
        void *pointer[2];
        uint64_t word[2];
    } owner;
};

#define QUIRE_PAGE_OWNER_FLAGS 0x007ff000u

static inline quire_pfn_t quire_page_to_pfn(const struct quire_page *page)
{
    return quire_pfn(page->pfn);
}

static inline quire_phys_t quire_page_to_phys(const struct quire_page *page)
{
    return (quire_phys_t)page->pfn << QUIRE_PAGE_SHIFT;
}

/* The first member of every `struct quire_mem`: sections, so that pfn_to_page can be inline. */
struct quire_section {
    uintptr_t pages;  /* address of the descriptor that frame 0 would have; 0: no section */
    uintptr_t blocks; /* the same for pageblocks */
};
struct quire_mem_sections {
    struct quire_section *section;
    unsigned long count;
};

/* The descriptor of a frame that exists; undefined for others. A shift, a load, an add. */
static inline struct quire_page *quire_pfn_to_page(const struct quire_mem *mem, quire_pfn_t pfn)
{
    const struct quire_mem_sections *sections =
        (const struct quire_mem_sections *)(const void *)mem;
    uintptr_t base = sections->section[pfn.value >> (QUIRE_SECTION_SHIFT - QUIRE_PAGE_SHIFT)].pages;
    return (struct quire_page *)(base + (uintptr_t)pfn.value * sizeof(struct quire_page));
}

/* Whether `pfn` has a descriptor: any number may be asked about. O(1). */
bool quire_pfn_valid(const struct quire_mem *mem, quire_pfn_t pfn);

/* The direct-mapped address of a page, NULL for HighMem; and back. O(1), without locks. */
void *quire_page_address(const struct quire_mem *mem, const struct quire_page *page);
struct quire_page *quire_virt_to_page(const struct quire_mem *mem, const void *addr);

/* Where a page is. O(1), without locks: true while the page's memory stays. */
int quire_page_node(const struct quire_mem *mem, const struct quire_page *page);
enum quire_zone_type quire_page_zone(const struct quire_mem *mem, const struct quire_page *page);
enum quire_migratetype quire_pageblock_migratetype(const struct quire_mem *mem,
                                                   const struct quire_page *page);

/* ---- memblock: the memory map before there are zones ----------------------------------------- */

enum quire_memblock_kind {
    QUIRE_MEMBLOCK_RAM,     /* usable */
    QUIRE_MEMBLOCK_HOTPLUG, /* usable, and may be taken away: goes to ZONE_MOVABLE if that exists */
    QUIRE_MEMBLOCK_NOMAP,   /* RAM that is never handed out nor touched, but has descriptors */
};

struct quire_memblock_region {
    quire_phys_t base, size;
    int node;
    enum quire_memblock_kind kind;
};

struct quire_memblock_table {
    struct quire_memblock_region *region; /* sorted by base, disjoint, neighbours alike merged */
    unsigned long count, capacity;
    bool storage_is_kept; /* the caller reserved some of where it has grown to: all stays so */
    struct quire_memblock_region first[QUIRE_MEMBLOCK_STATIC_REGIONS];
};

/* Supplied by the caller, used until quire_mem_init has taken everything over: what would change
 * it afterwards is refused with -EINVAL. Not for concurrent use; stays where it was initialised.
 * `name` appears in messages and must outlive it.
 *
 * A table that is full moves to free memory of the map. So reserve what has content (an image, a
 * RAM disk) before adding the memory that it lies in. A range of zero length is no error and
 * changes nothing. */
struct quire_memblock {
    const char *name;
    const struct quire_port_mem *port;
    struct quire_memblock_table memory, reserved;
    /* For the caller to set after quire_memblock_init: all memory of the map holds zeros, and what
     * isn't written costs nothing (reserved addresses of a process). Then early allocations aren't
     * cleared; nothing that was one may be given back. */
    bool is_zero;
    bool handed_over;
};

/* Makes an empty map. Its symbol holds the knobs of quire/config.h: where a program isn't linked
 * for want of it, program and library were compiled with different ones. O(1). */
#define quire_memblock_init QUIRE_WITH_KNOBS(quire_memblock_init)
void quire_memblock_init(struct quire_memblock *memblock, const char *name,
                         const struct quire_port_mem *port);

/* Adds a range of memory of one kind on one node. Ranges may come unsorted, unaligned, adjacent
 * and of zero length. An overlap with memory of the same kind and node adds what is new; of
 * another kind or node it is refused. O(n) for n ranges in the map.
 *   -EINVAL   it wraps around, or ends beyond the start of frame QUIRE_MAX_PFN, or `node` or
 *             `kind` is out of range
 *   -EEXIST   it overlaps memory of another node or kind
 *   -ENOMEM   the table is full and there is no memory yet to grow it
 * Each is logged with the range. */
QUIRE_MUST_CHECK int quire_memblock_add(struct quire_memblock *memblock, quire_phys_t base,
                                        quire_phys_t size, int node, enum quire_memblock_kind kind);

/* Takes a range out of the memory again, whole or in part; what of it isn't memory is ignored.
 * -EINVAL and -ENOMEM as for add; also
 *   -EBUSY    some memory in it is reserved
 * O(n). */
QUIRE_MUST_CHECK int quire_memblock_remove(struct quire_memblock *memblock, quire_phys_t base,
                                           quire_phys_t size);

/* Keeps a range from being handed out: an image, a RAM disk, firmware tables. It may lie outside
 * all memory and may overlap other reservations. Errors: -EINVAL, -ENOMEM. O(n). */
QUIRE_MUST_CHECK int quire_memblock_reserve(struct quire_memblock *memblock, quire_phys_t base,
                                            quire_phys_t size);

/* Undoes a reservation, whole or in part; what of it isn't reserved is ignored. Before the
 * hand-over only. Errors as for reserve (-ENOMEM when it would split one); also
 *   -EBUSY    a table of the map itself has grown into it
 * O(n). */
QUIRE_MUST_CHECK int quire_memblock_free(struct quire_memblock *memblock, quire_phys_t base,
                                         quire_phys_t size);

/* Early allocation: reserves `size` bytes aligned to `align` (a power of two) within [min, max) of
 * usable memory that the direct map reaches, on `node` or, with -1, anywhere, from the highest
 * address down; from HOTPLUG memory only when no other has room, since what is allocated here
 * stays. Zeroed. Returns the physical address, or 0 (frame 0 is never handed out). O(n log n). */
QUIRE_MUST_CHECK quire_phys_t quire_memblock_alloc(struct quire_memblock *memblock,
                                                   quire_phys_t size, quire_phys_t align,
                                                   quire_phys_t min, quire_phys_t max, int node);

/* Visits what is usable and not reserved, in order of address, until `visit` returns non-zero,
 * which is returned. `visit` must not change the map. O(n). */
typedef int quire_memblock_visit_fn(void *arg, quire_phys_t base, quire_phys_t size, int node,
                                    enum quire_memblock_kind kind);
int quire_memblock_for_each_free(const struct quire_memblock *memblock,
                                 quire_memblock_visit_fn *visit, void *arg);

/* Sums, O(n), and the end of the highest range of memory, O(1). Bytes. Memory is of every kind. */
quire_phys_t quire_memblock_memory_size(const struct quire_memblock *memblock);
quire_phys_t quire_memblock_reserved_size(const struct quire_memblock *memblock);
quire_phys_t quire_memblock_end(const struct quire_memblock *memblock);

/* The map as text, a line a range: base, end, size, node, kind. O(n). */
void quire_memblock_dump(const struct quire_memblock *memblock, quire_write_fn *write, void *arg);

/* ---- making a machine's memory --------------------------------------------------------------- */

/* What this layer asks of those above; each may be NULL. They are called without locks, from
 * allocations that may sleep (wake_reclaim from any). */
struct quire_mem_ops {
    /* Free pages of a zone of `node` fell below its low watermark: start background reclaim, which
     * ends when quire_node_balanced says so. */
    void (*wake_reclaim)(void *arg, int node, unsigned order, enum quire_zone_type highest);
    /* Reclaim about `nr_pages` now, for an allocation of `order`; the number freed. */
    unsigned long (*direct_reclaim)(void *arg, int node, quire_gfp_t gfp, unsigned order,
                                    unsigned long nr_pages);
    /* Nothing is left to reclaim on `nodes`, a bit for each that will do: make room there (kill a
     * process, which quire_count_oom_kill counts) and return true, or false. True without a kill:
     * somebody is on his way out already, or others reclaim. */
    bool (*oom)(void *arg, quire_gfp_t gfp, unsigned order, uint32_t nodes);
    /* Between two rounds that made no progress: let others run. Also for the layers above. */
    void (*wait)(void *arg);
    /* A caller's mistake that was caught (double free, wrong order, a page with references): the
     * call is ignored when this returns; without it the port's panic is called. `text` names it,
     * and is the line that the log had last: who has a log needn't print it again. */
    void (*bad_page)(void *arg, quire_pfn_t pfn, const char *text);
    /* For tests, with QUIRE_DEBUG_FAIL: asked before each allocation but those with NOFAIL; true:
     * it fails, as if nothing could be had. From any context that allocates. */
    bool (*refuse)(void *arg, quire_gfp_t gfp, unsigned order);
};

#define QUIRE_DEBUG_POISON 0x1u /* fill freed pages with 0xaa and check that on allocation */
#define QUIRE_DEBUG_OWNER 0x2u  /* remember who allocated each page; must be set at init */
#define QUIRE_DEBUG_FAIL 0x4u   /* ask ops->refuse before each allocation; must be set at init */

struct quire_mem_config {
    const struct quire_port_mem *port; /* where the memory is; must outlive the quire_mem */
    unsigned nr_cpus;                  /* 0: quire_port_nr_cpus() */
    const uint8_t *cpu_node;           /* node of each CPU; NULL: all on the first node */
    const uint8_t *distance; /* nr_nodes x nr_nodes, row = from; NULL: 10 to itself, 20 to others */
    unsigned nr_nodes;       /* 0: the highest node of the map + 1 */
    /* Where each zone ends (exclusive), a multiple of a pageblock; 0: the machine hasn't got it.
     * All 0: the port's QUIRE_PORT_ZONE_ENDS. MOVABLE has no place of its own: any value but 0
     * makes it exist, and so does movable_size. */
    quire_phys_t zone_end[QUIRE_NR_ZONES];
    /* Bytes to put into ZONE_MOVABLE, beside HOTPLUG ranges: from the top of the machine's highest
     * zone, spread evenly over the nodes that have memory there, rounded to 2^MAX_ORDER frames.
     * Init's own metadata lies outside of ZONE_MOVABLE, as far as half of what is left has room. */
    quire_phys_t movable_size;
    unsigned long min_free_kbytes;   /* 0: 4 * sqrt(lowmem KiB), within 128 to 262144, as Linux */
    unsigned watermark_scale_factor; /* 0: 10 (0.1 %); at most 3000 */
    unsigned watermark_boost_factor; /* in 1/10000 of the high watermark; 0: 15000; ~0u: none */
    bool no_mobility_grouping;       /* one migrate type for all, as Linux with little memory */
    bool fresh_is_reported;          /* memory that is new takes nothing of its backing: what
                                      * quire_report_free_pages needn't tell */
    bool no_pcp;                     /* no per-CPU lists: for tests of the zone's own paths */
    unsigned debug;                  /* QUIRE_DEBUG_ flags */
    quire_phys_t max_phys; /* memory added at run time ends here at most; 0: the map's end */
    const struct quire_mem_ops *ops; /* may be NULL */
    void *ops_arg;
};

/* Carves descriptors out of the map, and hands the rest to zones. The memblock can't allocate any
 * more afterwards. The quire_mem lives in the map's own memory. O(frames). Without locks: nobody
 * else has the map, and nobody the quire_mem before this returns.
 *   -EINVAL   the map is empty, or the configuration is missing or out of range (logged, naming the
 * field), or memory of a zone below HIGHMEM isn't directly mapped -ENOMEM   the map is too small to
 * hold its own descriptors (logged with both sizes); nothing stays allocated */
QUIRE_MUST_CHECK int quire_mem_init(struct quire_mem **mem, struct quire_memblock *memblock,
                                    const struct quire_mem_config *config);

/* The end of a machine: no CPU uses it any more. Returns the number of pages that were still
 * allocated. The memory that held the map is the caller's again. O(zones * CPUs), without locks. */
unsigned long quire_mem_destroy(struct quire_mem *mem);

/* What the machine was made with. CPUs and nodes are numbered from 0; a CPU beyond the last is on
 * node 0. O(1). */
const struct quire_port_mem *quire_mem_port(const struct quire_mem *mem);
unsigned quire_mem_nr_cpus(const struct quire_mem *mem);
unsigned quire_mem_nr_nodes(const struct quire_mem *mem);
int quire_mem_cpu_node(const struct quire_mem *mem, unsigned cpu);
/* The nodes that have memory, a bit each. O(nodes). */
uint64_t quire_mem_nodes(const struct quire_mem *mem);
/* How far it is between two nodes that exist; 10: not at all. O(1). */
unsigned quire_node_distance(const struct quire_mem *mem, unsigned from, unsigned to);

/* For the layers above: reports a caller's mistake with what is at `pfn` as this layer's own are
 * reported: a line in the log, and ops->bad_page or the panic. */
void quire_report_mistake(struct quire_mem *mem, quire_pfn_t pfn, const char *text);
/* For the layers above: calls ops->wait, to let those run who give back what the caller is short
 * of. False: there is no such callback, and nothing was done. May sleep; without locks. */
QUIRE_MUST_CHECK bool quire_mem_wait(struct quire_mem *mem);

/* Gives frames that were reserved in the memblock to the allocator (initial memory no longer
 * needed). Whole frames within [base, base + size); -EINVAL if some of it isn't reserved.
 * O(frames); the machine's lock is held for a look at all of them, zones' locks block by block. */
QUIRE_MUST_CHECK int quire_free_reserved(struct quire_mem *mem, quire_phys_t base,
                                         quire_phys_t size);

/* ---- allocating and freeing ------------------------------------------------------------------ */

/* 2^order contiguous frames aligned to their size, from the calling CPU's node outwards. NULL: no
 * memory under these flags, or order > QUIRE_MAX_ORDER. Reference count 1. O(1) from the CPU's
 * lists (orders 0 to 3 and QUIRE_PAGEBLOCK_ORDER); O(order) from the zone; see slowpath.c beyond.
 */
QUIRE_MUST_CHECK struct quire_page *quire_alloc_pages(struct quire_mem *mem, quire_gfp_t gfp,
                                                      unsigned order);

/* The same from `node` outwards, past the CPU's preferred list: O(order), with a zone's lock where
 * the CPU's list is empty. NULL also when there is no such node. */
QUIRE_MUST_CHECK struct quire_page *quire_alloc_pages_node(struct quire_mem *mem, int node,
                                                           quire_gfp_t gfp, unsigned order);

/* The same of no node but those whose bit is set in `nodes`; `node` (-1: the CPU's) is where the
 * search begins, be it one of them or not. What is reclaimed for it is theirs, too. */
QUIRE_MUST_CHECK struct quire_page *quire_alloc_pages_nodemask(struct quire_mem *mem, int node,
                                                               uint32_t nodes, quire_gfp_t gfp,
                                                               unsigned order);

/* Drops a reference of a block (not NULL) of exactly this order; frees it with the last. With one
 * reference left nobody else may be taking another meanwhile: blocks that others look up are
 * dropped by quire_put_page. A block that isn't allocated, or has another order, is reported to
 * ops->bad_page. O(1); when a per-CPU list overflows, O(batch * order). Linux: __free_pages. */
void quire_free_pages(struct quire_mem *mem, struct quire_page *page, unsigned order);

static inline struct quire_page *quire_alloc_page(struct quire_mem *mem, quire_gfp_t gfp)
{
    return quire_alloc_pages(mem, gfp, 0);
}

static inline void quire_free_page(struct quire_mem *mem, struct quire_page *page)
{
    quire_free_pages(mem, page, 0);
}

/* By direct-mapped address; HIGHMEM is refused (NULL). Costs and context as quire_alloc_pages and
 * quire_free_pages. Linux: __get_free_pages, free_pages. */
QUIRE_MUST_CHECK void *quire_get_free_pages(struct quire_mem *mem, quire_gfp_t gfp, unsigned order);
QUIRE_MUST_CHECK void *quire_get_zeroed_page(struct quire_mem *mem, quire_gfp_t gfp);
void quire_free_pages_at(struct quire_mem *mem, void *addr, unsigned order);

/* Fills the NULL elements of `pages` with order-0 pages of `node` (-1: the CPU's) in order, until
 * one can't be had; returns how many elements are non-NULL from the start. O(count), with one
 * visit of the CPU's list where the zone can spare them all. Linux: alloc_pages_bulk. */
QUIRE_MUST_CHECK unsigned long quire_alloc_pages_bulk(struct quire_mem *mem, int node,
                                                      quire_gfp_t gfp, unsigned long count,
                                                      struct quire_page **pages);
/* Frees `count` order-0 pages; NULL elements are skipped. As so many quire_free_pages. */
void quire_free_pages_bulk(struct quire_mem *mem, unsigned long count, struct quire_page **pages);

/* Exactly ceil(size / page size) pages: the next power of two, its tail given back. By address.
 * NULL also for size 0 or more than QUIRE_MAX_ORDER holds, and for COMP or HIGHMEM. O(the power of
 * two) pages, written one by one; freeing as so many quire_free_pages_at. */
QUIRE_MUST_CHECK void *quire_alloc_pages_exact(struct quire_mem *mem, size_t size, quire_gfp_t gfp);
void quire_free_pages_exact(struct quire_mem *mem, void *addr, size_t size);

/* A run: `pages` contiguous frames, aligned to 2^align_order frames, of no more than that. What the
 * power of two has beyond is freed again in as few blocks as it makes, and what is kept is as few:
 * so freeing, too, costs a block operation for each set bit of `pages`. NULL also for 0 pages, and
 * when either is beyond QUIRE_MAX_ORDER, and for COMP. A run is freed whole, with the same number
 * of pages; one that isn't allocated is reported to ops->bad_page. Context and locks as
 * quire_alloc_pages and quire_free_pages. */
QUIRE_MUST_CHECK struct quire_page *quire_alloc_run(struct quire_mem *mem, unsigned long pages,
                                                    unsigned align_order, quire_gfp_t gfp);
void quire_free_run(struct quire_mem *mem, struct quire_page *page, unsigned long pages);

/* Turns one allocated block into 2^order blocks of order 0, each with the reference count of the
 * first. Not for compound pages, nor blocks of another order: ops->bad_page. Without locks, in any
 * context: the block is the caller's, and nobody else may use, move or look it up meanwhile.
 * O(2^order). Linux: split_page. */
void quire_split_page(struct quire_mem *mem, struct quire_page *page, unsigned order);

/* ---- references and compound pages ----------------------------------------------------------- */

/* The first page of the allocated block that `page` lies in, or NULL when it is not allocated. For
 * a block allocated with COMP any page of it will do. O(QUIRE_MAX_ORDER). */
struct quire_page *quire_compound_head(const struct quire_mem *mem, const struct quire_page *page);

/* Of the allocated block that begins at `page`. O(1). */
unsigned quire_page_order(const struct quire_page *page);
bool quire_page_is_compound(const struct quire_page *page);

/* References of a block's first page. get: one more, of a block that has one. get_unless_zero: one
 * more unless the last is gone, false then; for who looks blocks up in a table of his own, whose
 * users all drop them by quire_put_page and which keeps a block from being freed and allocated anew
 * between the look and the get (a lock, or a grace period). put: one less, freed with the last,
 * whatever its order: then as quire_free_pages. Else one atomic operation each, in any context. */
unsigned quire_page_count(const struct quire_page *page);
void quire_get_page(struct quire_page *page);
QUIRE_MUST_CHECK bool quire_get_page_unless_zero(struct quire_page *page);
void quire_put_page(struct quire_mem *mem, struct quire_page *page);

/* ---- reclaim --------------------------------------------------------------------------------- */

/* Who reclaims, from now on: wake_reclaim, direct_reclaim and oom of `ops`, called with `arg`, in
 * place of those of the configuration; the other callbacks stay. NULL: the configuration's again.
 * While nobody else allocates from `mem`. O(1). */
void quire_set_reclaim(struct quire_mem *mem, const struct quire_mem_ops *ops, void *arg);

/* Somebody was killed for want of memory: oom_kill of vmstat. vm.h's layer counts those that it has
 * killed by itself. In any context. O(1). */
void quire_count_oom_kill(struct quire_mem *mem);

/* ---- contiguous ranges and CMA --------------------------------------------------------------- */

/* Takes exactly the frames [start, end), freeing them by moving what is there. Afterwards each is
 * an order-0 block. `type` is what they are for; only CMA takes from CMA areas. May sleep, whatever
 * gfp says: movers do, and it waits for other CPUs. gfp is for the memory that things move to, and
 * ZERO. O(frames), and what is moved; locks as quire_isolate_range.
 *   -EINVAL   empty, or no such frames, or not of one zone, or nonsense in type or gfp
 *   -EBUSY    something there can't be moved, or another range operation is at work there
 *   -ENOMEM   no place to move it to */
QUIRE_MUST_CHECK int quire_alloc_contig_range(struct quire_mem *mem, quire_pfn_t start,
                                              quire_pfn_t end, enum quire_migratetype type,
                                              quire_gfp_t gfp);
/* Any `count` contiguous frames of `node` (-1: any), aligned to `align` frames (a power of two).
 * NULL: none to be had, or nonsense. Zone bits of gfp say which zones will do. May sleep as
 * alloc_contig_range, which each likely place is tried with: O(frames of the node) to find one. The
 * descriptors of the result are neighbours only within a section. Linux: alloc_contig_pages. */
QUIRE_MUST_CHECK struct quire_page *quire_alloc_contig_pages(struct quire_mem *mem,
                                                             unsigned long count,
                                                             unsigned long align, quire_gfp_t gfp,
                                                             int node);
/* Frees each of these frames as an order-0 block, with quire_free_pages; frames that don't exist
 * are reported to ops->bad_page. O(count), with a zone's lock for each. */
void quire_free_contig_range(struct quire_mem *mem, quire_pfn_t start, unsigned long count);

/* A CMA area: contiguous memory kept for one owner, lent to movable allocations meanwhile. Its
 * members are the library's, guarded by the machine's lock. It stays where it is for the machine's
 * life. */
struct quire_cma {
    const char *name;
    quire_pfn_t start;
    unsigned long count;    /* frames */
    unsigned order_per_bit; /* granularity */
    uint64_t *bitmap;
    unsigned long nr_used; /* frames that its owner holds */
    struct quire_mem *mem;
    struct quire_cma *next;
};

/* Turns reserved memory into a CMA area after quire_mem_init; `base` and `size` are multiples of a
 * pageblock, in one zone, and were reserved in the memblock. `name` must outlive it. -EINVAL,
 * -ENOMEM (its bitmap). May sleep, for the bitmap. O(frames). */
QUIRE_MUST_CHECK int quire_cma_init(struct quire_mem *mem, struct quire_cma *cma, const char *name,
                                    quire_phys_t base, quire_phys_t size, unsigned order_per_bit);
/* `count` frames aligned to 2^align_order; NULL when nothing could be freed. May sleep, and waits
 * for other CPUs. O(bits of the area), with the machine's lock, and what quire_alloc_contig_range
 * costs, for each place that is tried. The descriptors are neighbours only within a section. */
QUIRE_MUST_CHECK struct quire_page *quire_cma_alloc(struct quire_cma *cma, unsigned long count,
                                                    unsigned align_order);
/* Gives frames back, all or a part of what an allocation got. False: the range isn't the area's or
 * isn't allocated; nothing is changed. Doesn't sleep. O(count): looked at with the machine's lock,
 * freed as by quire_free_contig_range. */
bool quire_cma_release(struct quire_cma *cma, struct quire_page *page, unsigned long count);

/* ---- moving pages ---------------------------------------------------------------------------- */

/* Who owns movable pages registers how to move them, and marks each with the mover. A block moves
 * only while its owner's is the one reference to it. */
struct quire_mover {
    /* Keep `page` (a block's first) as it is until migrate or putback: take it off lists. 0, or
     * -EBUSY: not now. Called with the zone's locks held and interrupts off: must not call Quire.
     * The block may be one that its owner is about to free on another CPU: refuse that. */
    int (*isolate)(void *arg, struct quire_page *page);
    /* Move content and all uses of `from` to `to`, of the same order, then it owns `to`. Its
     * reference to `from` passes to the library, which frees it. `to` has the same mover already;
     * the owner's flags, owner_word and owner are for migrate to copy. Both have one reference more
     * than their owner's meanwhile. 0, or -EAGAIN/-EBUSY: `from` stays. May allocate, but not with
     * DIRECT_RECLAIM. */
    int (*migrate)(void *arg, struct quire_page *to, struct quire_page *from);
    /* Undo isolate. */
    void (*putback)(void *arg, struct quire_page *page);
    void *arg;
};

#define QUIRE_MAX_MOVERS 3
/* Returns the mover's id, 1 to QUIRE_MAX_MOVERS; -ENOSPC beyond. It must outlive the quire_mem, or
 * be unregistered. O(1), with the machine's lock. */
QUIRE_MUST_CHECK int quire_register_mover(struct quire_mem *mem, const struct quire_mover *mover);
/* The id is free again. No page has it, and no operation that moves pages is under way. O(1), with
 * the machine's lock. */
void quire_unregister_mover(struct quire_mem *mem, unsigned mover);
/* The owner of an allocated block says who moves it; 0: nobody. One atomic operation, in any
 * context: from then on the mover may be called for it. */
void quire_page_set_mover(struct quire_page *page, unsigned mover);

/* Compacts all zones of `node` (-1: all) for blocks of `order` until none is lacking, or entirely
 * with order -1. Returns the number of blocks moved. May sleep; waits for other CPUs. O(frames) and
 * what is moved; zones' locks a pageblock at a time. Linux: compact_memory. */
unsigned long quire_compact(struct quire_mem *mem, int node, int order);

/* ---- shrinkers ------------------------------------------------------------------------------- */

struct quire_shrinker {
    unsigned long (*count)(struct quire_shrinker *shrinker, int node); /* objects that could go */
    unsigned long (*scan)(struct quire_shrinker *shrinker, int node, quire_gfp_t gfp,
                          unsigned long nr); /* pages freed */
    void *arg;
    struct quire_shrinker *next;
};
/* `shrinker` stays where it is while it is registered; it may be called before this returns. O(1),
 * with the machine's lock. */
void quire_register_shrinker(struct quire_mem *mem, struct quire_shrinker *shrinker);
/* Only when no shrinker can be running or about to (a walk takes no lock): its owner sees to that.
 * One that isn't registered is no error. O(shrinkers), with the machine's lock. */
void quire_unregister_shrinker(struct quire_mem *mem, struct quire_shrinker *shrinker);
/* Runs shrinkers, the last registered first, until about `nr_pages` are freed; pages freed. Takes
 * no lock; sleeps where they do, whom gfp is handed to. O(shrinkers), and what they cost. */
unsigned long quire_shrink(struct quire_mem *mem, int node, quire_gfp_t gfp,
                           unsigned long nr_pages);

/* ---- isolation, memory that comes and goes --------------------------------------------------- */

/* Takes the free pages of the pageblocks in [start, end) out of allocation, and keeps what is
 * freed there. Bounds are multiples of a pageblock. -EINVAL; -EBUSY: isolated already, or holding
 * what can't be moved. Doesn't sleep, but waits for other CPUs. O(frames); the zone's lock is held
 * for a look at all pageblocks, then for the frames of one at a time. */
QUIRE_MUST_CHECK int quire_isolate_range(struct quire_mem *mem, quire_pfn_t start, quire_pfn_t end);
/* Back into allocation, as `type` where the pageblock was of an ordinary one; those that aren't
 * isolated stay as they are. O(pageblocks) and their free blocks, the zone's lock for one at a
 * time. */
void quire_unisolate_range(struct quire_mem *mem, quire_pfn_t start, quire_pfn_t end,
                           enum quire_migratetype type);

/* Adds memory at run time; whole sections. Descriptors come from the new memory itself, where it is
 * directly mapped. In ZONE_MOVABLE if that exists and `movable`, else by address. May sleep.
 * O(frames). One addition or removal runs at a time, others wait for it; so neither may be called
 * from callbacks of quire_mem_ops, shrinkers and movers, which it may be waiting for itself.
 *   -EINVAL   not whole sections, beyond the section table, or no such node or zone
 *   -EEXIST   some of it is there already
 *   -ENOMEM */
QUIRE_MUST_CHECK int quire_add_memory(struct quire_mem *mem, int node, quire_phys_t base,
                                      quire_phys_t size, bool movable);
/* Takes memory away that was added at run time or is in ZONE_MOVABLE: moves what is there, then
 * forgets it. Whole pageblocks; a section that was added goes as a whole, since it holds its own
 * descriptors. May sleep; waits for other CPUs. Callbacks as for add. O(frames) and what is moved.
 *   -EINVAL   not whole pageblocks, not all such memory, or a part of an added section
 *   -EBUSY    something there can't be moved, or another range operation is at work there
 *   -ENOMEM   no place to move it to */
QUIRE_MUST_CHECK int quire_remove_memory(struct quire_mem *mem, quire_phys_t base,
                                         quire_phys_t size);

/* Tells the port about free blocks of `min_order` and larger that it hasn't been told about, at
 * most `budget` pages; returns the pages reported. None with QUIRE_DEBUG_POISON, whose content
 * matters, nor below a zone's low watermark. Orders below QUIRE_PAGEBLOCK_ORDER - 6 count as that.
 * May sleep (the port's report, with no lock held). O(frames); zones' locks for 64 pageblocks at
 * most at a time. */
unsigned long quire_report_free_pages(struct quire_mem *mem, unsigned min_order,
                                      unsigned long budget);

/* ---- per-CPU lists --------------------------------------------------------------------------- */

/* Gives the pages of one CPU's lists (any CPU's, running or gone), or of all, back to the zones.
 * Doesn't sleep, but waits for those CPUs. O(pages), and for each zone O(CPUs * zones) with the
 * machine's lock. */
void quire_drain_pages(struct quire_mem *mem, unsigned cpu);
void quire_drain_all_pages(struct quire_mem *mem);

/* ---- watermarks and counts ------------------------------------------------------------------- */

/* -EINVAL: out of range (min_free_kbytes: at most half of memory; scale: 1 to 3000). O(zones^2),
 * with the machine's lock and each zone's in turn. */
QUIRE_MUST_CHECK int quire_set_min_free_kbytes(struct quire_mem *mem, unsigned long kbytes);
QUIRE_MUST_CHECK int quire_set_watermark_scale_factor(struct quire_mem *mem, unsigned factor);

/* Whether some zone of `node` up to `highest` has its high watermark free for `order`; true without
 * such a zone. O(zones * orders), without locks. */
bool quire_node_balanced(struct quire_mem *mem, int node, unsigned order,
                         enum quire_zone_type highest);

/* The background reclaimer's last act for a node: ends the boost that fallbacks gave to its
 * watermarks. O(zones), each one's lock in turn. */
void quire_reset_watermark_boost(struct quire_mem *mem, int node);

struct quire_zone_info {
    int node;
    enum quire_zone_type type;
    quire_pfn_t start;
    unsigned long spanned, present, managed; /* frames */
    unsigned long nr_free;                   /* in the buddy lists */
    unsigned long nr_pcp;                    /* on per-CPU lists */
    unsigned long nr_free_cma, nr_reserved_highatomic, nr_isolated;
    unsigned long cma; /* frames of CMA areas */
    unsigned long watermark_min, watermark_low, watermark_high, watermark_boost;
    unsigned long lowmem_reserve[QUIRE_NR_ZONES];
    unsigned long nr_blocks[QUIRE_MAX_ORDER + 1]; /* free blocks by order */
};

/* The zones that exist are numbered from 0; -ENOENT beyond the last. O(CPUs), for nr_pcp. */
int quire_zone_info(struct quire_mem *mem, unsigned zone, struct quire_zone_info *info);

/* What a node has, in pages, and what was allocated there (man 8 numastat), in blocks. */
struct quire_node_info {
    unsigned long present, managed, nr_free; /* per-CPU lists included */
    unsigned long numa_hit, numa_miss, numa_foreign, numa_local, numa_other;
};
/* -ENOENT: no such node. O(zones * CPUs), without locks. */
int quire_node_info(struct quire_mem *mem, unsigned node, struct quire_node_info *info);

/* Sums over all zones, in pages, without locks: true while the machine is still. Free includes the
 * per-CPU lists, O(zones * CPUs); managed O(zones). */
unsigned long quire_nr_free_pages(struct quire_mem *mem);
unsigned long quire_nr_managed_pages(struct quire_mem *mem);
/* Bytes that descriptors, pageblocks, per-CPU lists and the quire_mem itself take. O(1). */
size_t quire_metadata_size(struct quire_mem *mem);

/* ---- debugging ------------------------------------------------------------------------------- */

/* Turns QUIRE_DEBUG_POISON on or off at run time, while no other CPU allocates or frees; -EINVAL
 * for flags that need init. O(free memory) when turned on. */
QUIRE_MUST_CHECK int quire_set_debug(struct quire_mem *mem, unsigned debug);
/* With QUIRE_DEBUG_OWNER: a line per caller that holds pages: pages, blocks, caller, as an
 * address and as what the port calls it. Exact while nobody allocates or frees; not while memory
 * comes or goes. O(frames * callers), without locks. */
void quire_dump_owners(struct quire_mem *mem, quire_write_fn *write, void *arg);
/* Checks every invariant of the zones that can be checked while they are still; a broken one is
 * a panic. O(frames), each zone's lock held for all of it. For tests. */
void quire_mem_check(struct quire_mem *mem);

/* ---- views ----------------------------------------------------------------------------------- */

enum quire_view {
    QUIRE_VIEW_BUDDYINFO,    /* as /proc/buddyinfo */
    QUIRE_VIEW_PAGETYPEINFO, /* as /proc/pagetypeinfo */
    QUIRE_VIEW_ZONEINFO,     /* as /proc/zoneinfo */
    QUIRE_VIEW_VMSTAT,       /* as /proc/vmstat: the counters that apply */
    QUIRE_VIEW_EXTFRAG,      /* as debugfs extfrag/extfrag_index */
    QUIRE_VIEW_UNUSABLE,     /* as debugfs extfrag/unusable_index */
    QUIRE_NR_VIEWS
};
enum quire_format { QUIRE_FORMAT_TEXT, QUIRE_FORMAT_JSON };

/* Writes a view. Zone locks are taken a pageblock at a time, so that the numbers of a busy machine
 * are each true but not of one instant. `write` is called without locks. -EINVAL: no such view or
 * format. O(zones * CPUs); pagetypeinfo O(pageblocks). */
int quire_view(struct quire_mem *mem, enum quire_view view, enum quire_format format,
               quire_write_fn *write, void *arg);

#ifdef __cplusplus
}
#endif

#endif
