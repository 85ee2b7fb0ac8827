/* tests/model/phys_model.h: a machine's memory, and beside it the reference that is obviously right
 *
 * The reference has a state for each frame, the zone that each should be in, and a list of the
 * blocks that are allocated. What it expects of zones it works out from the memory map and the
 * documentation alone. Files: phys_machine.c makes a random machine, phys_frames.c the reference's
 * frames; phys_blocks.c is the list of blocks with their content; phys_zones.c what zones have to
 * be like; phys_model.c, phys_mistakes.c and phys_moves.c the random operations.
 */
#ifndef QUIRE_TESTS_MODEL_PHYS_MODEL_H
#define QUIRE_TESTS_MODEL_PHYS_MODEL_H

#include <quire/phys.h>
#include <quire/port.h>

#include "base/bits.h"
#include "base/text.h"
#include "tests/harness/harness.h"

#define MODEL_MAX_NODES (QUIRE_MAX_NODES < 4 ? QUIRE_MAX_NODES : 4u)
#define MODEL_MAX_CPUS (QUIRE_MAX_CPUS < 8 ? QUIRE_MAX_CPUS : 8u)
#define MODEL_MAX_RANGES 24u
#define MODEL_MAX_RESERVED 12u
#define MODEL_MAX_ZONES (MODEL_MAX_NODES * QUIRE_NR_ZONES)

enum frame_state {
    FRAME_HOLE,     /* not RAM, or not wholly */
    FRAME_NOMAP,    /* RAM that isn't to be touched */
    FRAME_RESERVED, /* by the caller or by the library: not handed out */
    FRAME_FREE,
    FRAME_USED
};

/* A zone of the reference is a node and a type as one number. */
#define ZONE_NOWHERE 0xffu
static inline uint8_t zone_key(unsigned node, unsigned type)
{
    return (uint8_t)(node * QUIRE_NR_ZONES + type);
}

struct model_range {
    quire_phys_t base, size;
    int node;
    enum quire_memblock_kind kind;
};

struct model_block {
    uint32_t pfn, pages;
    uint32_t tag; /* what its content is made of */
    uint16_t references;
    uint8_t order;
    uint8_t highest;      /* zone type that its gfp allows */
    bool compound, exact; /* exact: `pages` blocks of order 0, given back as one */
};

struct model {
    uint64_t random;
    bool broken; /* something was wrong: the rest would only follow from it */

    struct quire_port_mem port;
    struct quire_memblock memblock;
    struct quire_mem_config config;
    struct quire_mem_ops ops;
    uint8_t cpu_node[MODEL_MAX_CPUS], distance[MODEL_MAX_NODES * MODEL_MAX_NODES];
    unsigned nr_nodes;
    struct quire_mem *mem;

    struct model_range range[MODEL_MAX_RANGES]; /* ascending, disjoint */
    unsigned nr_ranges;
    struct model_range reserved[MODEL_MAX_RESERVED]; /* by the caller; a size of 0: given up */
    unsigned nr_reserved;

    unsigned long nr_frames; /* frames that physical addresses span */
    uint8_t *state, *zone;   /* by frame: enum frame_state; zone_key */
    unsigned long managed, used;
    unsigned long zone_managed[MODEL_MAX_ZONES];

    struct model_block *block;
    unsigned long nr_blocks;

    struct quire_mover mover;
    int mover_id;
    unsigned long isolated, moves; /* blocks under way; moved so far */

    unsigned cpu; /* that is being played */
    unsigned debug;
    unsigned long reports;      /* calls of ops->bad_page */
    unsigned long reported_pfn; /* of the last one */
    unsigned long operations, failures;
};

/* As CHECK, and the machine is given up. */
#define EXPECT(model, condition)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_fail(__FILE__, __LINE__, #condition);                                             \
            (model)->broken = true;                                                                \
        }                                                                                          \
    } while (0)
#define EXPECT_EQ(model, got, expected)                                                            \
    do {                                                                                           \
        uint64_t got_ = (uint64_t)(got), expected_ = (uint64_t)(expected);                         \
        if (got_ != expected_) {                                                                   \
            test_fail_eq(__FILE__, __LINE__, #got " == " #expected, got_, expected_);              \
            (model)->broken = true;                                                                \
        }                                                                                          \
    } while (0)

/* ---- phys_machine.c -------------------------------------------------------------------------- */

uint64_t model_random(struct model *model);
uint32_t below(struct model *model, uint32_t bound);
static inline bool one_in(struct model *model, uint32_t n)
{
    return !below(model, n);
}

/* Makes the machine of this seed. False: no memory for it, or (`broken`) it wouldn't start. */
bool machine_create(struct model *model, uint64_t seed);
/* Returns what the machine says was still allocated. */
unsigned long machine_destroy(struct model *model);
void model_set_cpu(struct model *model, unsigned cpu);

/* ---- phys_frames.c --------------------------------------------------------------------------- */

/* Of a machine that has just started. */
void frames_fill(struct model *model);
/* What isn't the allocator's has the content that it had. */
void frames_check_kept(struct model *model);

/* ---- phys_model.c, phys_mistakes.c ----------------------------------------------------------- */

unsigned random_order(struct model *model);
unsigned long random_block(struct model *model); /* an index; there is a block */
/* A wrong call: reported once, and nothing else. */
void op_mistake(struct model *model);

/* ---- phys_blocks.c --------------------------------------------------------------------------- */

/* An allocation for `gfp` returned this: checks all that can be seen of it, and enters it. */
void blocks_add(struct model *model, struct quire_page *page, unsigned order, quire_gfp_t gfp);
/* The `pages` pages of an exact allocation that began as a block. */
void blocks_add_exact(struct model *model, void *address, unsigned pages, quire_gfp_t gfp);
/* Contiguous frames, each a block of order 0. */
void blocks_add_range(struct model *model, unsigned long pfn, unsigned pages, quire_gfp_t gfp);
/* The block is at `pfn` from now on. */
void blocks_move(struct model *model, unsigned long index, unsigned long pfn);
/* The block will be freed: checks its content, and forgets it. */
void blocks_remove(struct model *model, unsigned long index);
/* The block becomes single pages. */
void blocks_split(struct model *model, unsigned long index);
void blocks_check_content(struct model *model, const struct model_block *block);
struct quire_page *block_page(const struct model *model, const struct model_block *block);

/* ---- phys_moves.c ---------------------------------------------------------------------------- */

void moves_register(struct model *model);
/* A random block gets a mover, or loses it. */
void op_set_mover(struct model *model);
/* Compaction, or a contiguous range. */
void op_move(struct model *model);

/* ---- phys_zones.c ---------------------------------------------------------------------------- */

/* The highest zone that gfp allows; QUIRE_NR_ZONES: gfp asks for nonsense. */
unsigned gfp_highest_zone(const struct model *model, quire_gfp_t gfp);
/* The reference's zones in the order that an allocation tries them; returns how many. */
unsigned zones_in_order(const struct model *model, unsigned node, unsigned highest, bool this_node,
                        uint8_t zones[MODEL_MAX_ZONES]);
unsigned home_node(const struct model *model);

/* Counts of all zones, by zone_key. */
struct zone_counts {
    struct quire_zone_info info[MODEL_MAX_ZONES];
    bool exists[MODEL_MAX_ZONES];
};
void zones_read(struct model *model, struct zone_counts *counts);

/* A request of one block, and what the zones were like before and after it. */
struct request {
    int node; /* -1: the CPU's */
    quire_gfp_t gfp;
    unsigned order;
};
/* The page is of a zone that the request may use. */
void zones_check_allowed(struct model *model, const struct request *request,
                         const struct quire_page *page);
void zones_check_success(struct model *model, const struct request *request,
                         const struct zone_counts *before, const struct zone_counts *after,
                         const struct quire_page *page);
void zones_check_failure(struct model *model, const struct request *request,
                         const struct zone_counts *after);
/* Free and allocated frames are all there are. Cheap. */
void zones_check_sums(struct model *model);
/* Empties the per-CPU lists; then each zone's free blocks are the largest that its free frames can
 * form. O(frames). */
void zones_check_merged(struct model *model);

#endif
