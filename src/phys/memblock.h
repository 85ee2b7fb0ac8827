/* phys/memblock.h: what the rest of the layer uses of a memblock beyond the public functions, and
 * what the memblock's own files share
 */
#ifndef QUIRE_PHYS_MEMBLOCK_H
#define QUIRE_PHYS_MEMBLOCK_H

#include <quire/phys.h>

/* Where every range has to end: the frame number of an end fits a quire_pfn_t, also where that has
 * 32 bits. */
#define MEMBLOCK_LIMIT ((quire_phys_t)QUIRE_MAX_PFN << QUIRE_PAGE_SHIFT)

/* Reserved ranges are of no node and no kind: all are alike, so that neighbours merge. */
#define MEMBLOCK_RESERVED_NODE (-1)
#define MEMBLOCK_RESERVED_KIND QUIRE_MEMBLOCK_RAM

/* Bytes [base, end). */
struct memblock_range {
    quire_phys_t base, end;
};

/* ---- for quire_mem_init ---------------------------------------------------------------------- */

/* Frames [start, end), not empty. Non-zero ends the visits and is returned. */
typedef int memblock_visit_frames_fn(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                                     enum quire_memblock_kind kind);

/* The whole frames of each range of memory, NOMAP ones included, reserved or not, in order of
 * address. A frame of which only a part is memory of one node and kind is none. */
int memblock_for_each_memory_frames(const struct quire_memblock *memblock,
                                    memblock_visit_frames_fn *visit, void *arg);

/* The whole frames of what quire_memblock_for_each_free visits: every byte of them is usable, and
 * none reserved. */
int memblock_for_each_free_frames(const struct quire_memblock *memblock,
                                  memblock_visit_frames_fn *visit, void *arg);

/* Whether all of `range` (not empty) is reserved. O(log n). */
bool memblock_is_reserved(const struct quire_memblock *memblock, struct memblock_range range);

/* From here on the map doesn't change: each function that would is refused. Giving back early
 * allocations in the reverse order, when something fails before this, never fails. */
static inline void memblock_hand_over(struct quire_memblock *memblock)
{
    memblock->handed_over = true;
}

/* Every invariant of the tables. O(n). For QUIRE_EXPENSIVE and tests. */
bool memblock_is_valid(const struct quire_memblock *memblock);

/* ---- one table: memblock_table.c ------------------------------------------------------------- */

static inline quire_phys_t memblock_region_end(const struct quire_memblock_region *region)
{
    return region->base + region->size;
}

/* The first region that ends above `address`; the table's count if there is none. O(log n). */
unsigned long memblock_first_above(const struct quire_memblock_table *table, quire_phys_t address);

/* The first region that has a byte of `range` (not empty), or NULL. O(log n). */
const struct quire_memblock_region *memblock_overlap(const struct quire_memblock_table *table,
                                                     struct memblock_range range);

/* What an operation is going to make of a table: the regions [first, last) give way to `nr` new
 * ones. It is computed before anything is changed, so that lack of room is known in time. */
struct memblock_change {
    unsigned long first, last;
    unsigned nr;
    struct quire_memblock_region piece[2];
};

/* `range` joined with what it overlaps, which is all of this node and kind, and with neighbours of
 * this node and kind that it touches: one piece. */
void memblock_plan_union(const struct quire_memblock_table *table, struct memblock_range range,
                         int node, enum quire_memblock_kind kind, struct memblock_change *change);
/* `range` cut out: what is left below and above. */
void memblock_plan_difference(const struct quire_memblock_table *table, struct memblock_range range,
                              struct memblock_change *change);

bool memblock_change_fits(const struct quire_memblock_table *table,
                          const struct memblock_change *change);
void memblock_apply(struct quire_memblock_table *table, const struct memblock_change *change);

bool memblock_table_is_valid(const struct quire_memblock_table *table);

/* As quire_memblock_alloc, of RAM only and of each node only what lies below `node_end` (bytes, by
 * node). 0: no room; not logged. */
QUIRE_MUST_CHECK quire_phys_t memblock_alloc_below(struct quire_memblock *memblock,
                                                   quire_phys_t size, quire_phys_t align,
                                                   const quire_phys_t *node_end, int node);

/* ---- growing: memblock_alloc.c --------------------------------------------------------------- */

/* The memory that holds a table which has grown; empty while it is the static one. */
struct memblock_range memblock_table_storage(const struct quire_memblock *memblock,
                                             const struct quire_memblock_table *table);

/* Plans and applies a union or a difference, growing the table first if need be, by memory outside
 * of `range`. 0, or -ENOMEM with both tables as they were. Not logged. */
int memblock_unite(struct quire_memblock *memblock, struct quire_memblock_table *table,
                   struct memblock_range range, int node, enum quire_memblock_kind kind);
int memblock_subtract(struct quire_memblock *memblock, struct quire_memblock_table *table,
                      struct memblock_range range);

/* As memblock_unite for the reserved table; a range that covers a table's own memory keeps that
 * reserved when the table moves. */
int memblock_reserve_range(struct quire_memblock *memblock, struct memblock_range range);

#endif
