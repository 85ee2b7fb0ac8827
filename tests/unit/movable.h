/* tests/unit/movable.h: an owner of movable blocks, for the tests that move them
 *
 * A `struct movables` is a table of allocated blocks and the mover for them. Each block holds a
 * pattern of its own in every frame, which is checked whenever it moves and when it is freed. The
 * mover can be told to refuse now and then.
 */
#ifndef QUIRE_TESTS_MOVABLE_H
#define QUIRE_TESTS_MOVABLE_H

#include "tests/unit/machine.h"

#define MAX_MOVABLES 16384

/* A machine with pageblocks enough for each type, and no more frames than the table. */
#define BLOCK_BYTES ((quire_phys_t)QUIRE_PAGE_SIZE << QUIRE_PAGEBLOCK_ORDER)
#define SMALL_SIZE (16 * BLOCK_BYTES > 32 * MIB ? 16 * BLOCK_BYTES : 32 * MIB)

struct movable {
    struct quire_page *page; /* NULL: a free slot */
    uint32_t key;            /* what its frames hold */
    uint8_t order;
    bool isolated;
};

struct movables {
    struct quire_mem *mem;
    struct quire_mover mover;
    unsigned id;
    unsigned refuse; /* isolate refuses one time in so many; 0: never */
    unsigned fail;   /* the same for migrate, with -EAGAIN or -EBUSY */
    unsigned count, next, isolations, moves, failures, putbacks;
    struct movable block[MAX_MOVABLES];
};
extern struct movables movables;

/* Begins an empty table for the machine and registers its mover. */
void movables_init(struct quire_mem *mem);
/* Allocates a block into a free slot: its number, or -1 when there is no memory or no slot. */
int movable_alloc(quire_gfp_t gfp, unsigned order);
/* Makes an allocated block, which has no mover, one of the table. */
int movable_adopt(struct quire_page *page);
/* Checks its content and frees it. */
void movable_free(unsigned slot);
/* Checks the content of all. */
void movables_check(void);
void movables_free_all(void);

/* The end of a case: drains all CPUs' lists, checks every invariant, and that nothing is allocated
 * and no mistake was reported. */
void machine_check_empty(struct quire_mem *mem);

#endif
