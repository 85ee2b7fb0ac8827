/* phys/move.h: what compaction, contiguous ranges and hot-remove share: moving blocks away
 *
 * See migrate.c for how a block is held while it moves, isolate.c for ranges.
 */
#ifndef QUIRE_PHYS_MOVE_H
#define QUIRE_PHYS_MOVE_H

#include "phys/internal.h"

/* ---- pageblocks of a zone -------------------------------------------------------------------- */

/* The first frame of the pageblock that holds `pfn`; and of the next one. */
static inline unsigned long pageblock_start(unsigned long pfn)
{
    return pfn & ~(PAGEBLOCK_PAGES - 1);
}

static inline unsigned long pageblock_end(unsigned long pfn)
{
    return (pfn | (PAGEBLOCK_PAGES - 1)) + 1;
}

/* The zone's pageblock that holds `pfn`, or NULL. Lasts as long as zone_lock is held. */
static inline struct pageblock *zone_pageblock(const struct zone *zone, unsigned long pfn)
{
    if (!pfn_valid(zone->mem, pfn))
        return NULL;
    struct pageblock *block = pfn_to_pageblock(zone->mem, pfn);
    return pageblock_zone(block) == zone->id ? block : NULL;
}

/* Whether the section of `pfn` has descriptors at all: a hole is passed by sections. */
static inline bool section_exists(const struct quire_mem *mem, unsigned long pfn)
{
    unsigned long number = pfn >> SECTION_PFN_SHIFT;
    return number < mem->sections.count && quire_load_relaxed(&mem->sections.section[number].pages);
}

/* Where the pageblock after that of `pfn` begins, or the next section where there is none here. */
static inline unsigned long next_pageblock(const struct quire_mem *mem, unsigned long pfn)
{
    unsigned long step = section_exists(mem, pfn) ? PAGEBLOCK_PAGES : QUIRE_SECTION_PAGES;
    return (pfn | (step - 1)) + 1;
}

/* The first frame from `offset` on in the pageblock's map that isn't free; PAGEBLOCK_PAGES: none.
 * zone_lock is held. */
static inline unsigned next_used_frame(const struct pageblock *block, unsigned offset)
{
    while (offset < PAGEBLOCK_PAGES) {
        uint64_t used = ~block->free[offset >> 6] >> (offset & 63);
        if (used)
            return offset + quire_ctz64(used);
        offset = (offset | 63) + 1;
    }
    return PAGEBLOCK_PAGES;
}

/* ---- migrate.c ------------------------------------------------------------------------------- */

/* The migrate type that a block with a mover was asked for as. One from a special pageblock has
 * lost it, and can be taken for what its mover makes it. */
static inline enum quire_migratetype block_type(uint32_t flags)
{
    unsigned type = flags_type(flags);
    return type == PAGE_TYPE_SPECIAL ? QUIRE_MIGRATE_MOVABLE : type;
}

/* Whether the owner of an allocated block with these flags has said who moves it. */
bool block_is_movable(const struct quire_mem *mem, uint32_t flags);
/* Gets the allocated block that begins at `page` held by its mover; ends with migrate_block or
 * putback_block. False: not now. zone_lock is held, the zone's per-CPU lists are closed. */
bool isolate_block(struct zone *zone, struct quire_page *page);
void putback_block(struct quire_mem *mem, struct quire_page *page);
/* Moves the isolated block `from` to the newly allocated `to` of its order and type, trying
 * `attempts` times while the mover says -EAGAIN. 0: `from` is free; or a negative errno, with
 * `from` put back and `to` free. May sleep. */
int migrate_block(struct quire_mem *mem, struct quire_page *to, struct quire_page *from,
                  unsigned attempts);
/* Moves all that is allocated in [start, end), which lies in isolated pageblocks of the zone, to
 * anywhere else. 0; -EBUSY: something stays; -ENOMEM: no place. May sleep. */
int migrate_range(struct zone *zone, unsigned long start, unsigned long end, quire_gfp_t gfp);

/* ---- isolate.c ------------------------------------------------------------------------------- */

enum isolate_purpose {
    ISOLATE_TO_KEEP,   /* for whoever asked */
    ISOLATE_FOR_CMA,   /* its owner wants it back */
    ISOLATE_TO_REMOVE, /* the sections go away, and what describes them with them */
};

/* The first frame of [start, end), within the pageblock, that holds what can't be moved; `end`:
 * none. What is on its way to or from a free list counts as movable. zone_lock is held. */
unsigned long first_unmovable(const struct zone *zone, const struct pageblock *block,
                              unsigned long start, unsigned long end, enum isolate_purpose purpose);
/* Isolates the pageblocks that hold [start, end), if nothing in that range can't be moved, and
 * keeps the zone's per-CPU lists closed. -EINVAL: not the zone's; -EBUSY: something can't be moved;
 * -EAGAIN: another range operation is at work. */
QUIRE_MUST_CHECK int isolate_pageblocks(struct zone *zone, unsigned long start, unsigned long end,
                                        enum isolate_purpose purpose);
/* Ends that, for pageblocks that are isolated. Each becomes what it was before, or `type`. */
#define TYPE_AS_BEFORE QUIRE_MIGRATE_ISOLATE
void unisolate_pageblocks(struct zone *zone, unsigned long start, unsigned long end,
                          enum quire_migratetype type);
/* Takes the isolated pageblock, all of whose free frames have been taken out, from its zone. True:
 * it was the last isolated one: let pcp_open follow when no lock is held. */
bool isolation_forget(struct zone *zone, struct pageblock *block);
/* A caller's mistake with the addresses [base, end): a line for the log, and -error. What is only
 * busy is no mistake. */
int refuse_range(const char *operation, quire_phys_t base, quire_phys_t end, int error,
                 const char *why);
/* The zone of all pageblocks that hold [start, end); NULL: there are several, or none. */
struct zone *zone_of_range(struct quire_mem *mem, unsigned long start, unsigned long end);

/* Whether the frame holds the descriptors of its own section, and goes away with it. */
bool describes_itself(const struct quire_mem *mem, unsigned long pfn);

/* ---- contig.c -------------------------------------------------------------------------------- */

/* As quire_alloc_contig_range, in one zone; also -EAGAIN: another range operation is at work. */
QUIRE_MUST_CHECK int alloc_contig(struct zone *zone, unsigned long start, unsigned long end,
                                  enum quire_migratetype type, quire_gfp_t gfp, uintptr_t caller);

/* ---- metadata.c ------------------------------------------------------------------------------ */

/* Zeroed, directly mapped memory for this layer's tables, no longer managed. NULL: none, or more
 * than a block of MAX_ORDER. May sleep. */
void *metadata_alloc(struct quire_mem *mem, size_t size);
void metadata_free(struct quire_mem *mem, void *memory, size_t size);

#endif
