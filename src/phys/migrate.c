/* phys/migrate.c: moving one allocated block elsewhere through its mover
 *
 * What may be moved: an allocated block whose owner named a mover and that has just one reference,
 * the owner's. A block with more is in use by someone whom the mover may not know, and stays.
 *
 * Holding on to it. Between finding a block and asking its mover, it must not be freed and become
 * someone else's. A lock alone doesn't see to that: a CPU frees to its own lists, and
 * allocates from them, without it, nor with an atomic operation on the reference count. So
 *
 *   - the zone's per-CPU lists are closed from the first isolate_block to the last migrate_block or
 *     putback_block. Then a block of the zone is freed under its shard's lock, and under all of
 *     them one that says ALLOCATED is one; its count may already be 0, which means that its owner
 *     is waiting for the lock in order to free it;
 *   - under the lock the count goes from exactly 1 to 2. That excludes blocks on their way out,
 *     pinned ones, and those that another isolation holds;
 *   - the mover's isolate, still under the lock, agrees or not: the owner may be about to free the
 *     block, which only the owner knows. If it frees it while we ask, its reference is the first
 *     to go, and ours, as the last one, frees the block.
 *
 * Once isolate has agreed the owner keeps the block. After migrate has succeeded both references
 * are ours, and the block goes to the zone, as all frees do while the lists are closed: the point
 * is large blocks. The target gets its order, type, mover and COMPOUND before migrate is called,
 * since it may be freed by its new owner at any time after; a second reference keeps others from
 * isolating it before the mover knows it.
 *
 * Lists are closed for as long as blocks move, so that other CPUs take a lock of the zone for each
 * operation meanwhile. Opening them in between would cost each batch two fences on all CPUs.
 */
#include "phys/move.h"

#define MAX_PASSES 8     /* over a range, while something refuses to move */
#define RANGE_ATTEMPTS 4 /* of one block of a range */

/* ---- movers ---------------------------------------------------------------------------------- */

void quire_page_set_mover(struct quire_page *page, unsigned mover)
{
    uint32_t flags = page_flags(page);
    uint32_t bits = mover << PAGE_MOVER_SHIFT & PAGE_MOVER_MASK;
    while (!quire_compare_exchange(&page->flags, &flags, (flags & ~PAGE_MOVER_MASK) | bits))
        ;
}

int quire_register_mover(struct quire_mem *mem, const struct quire_mover *mover)
{
    int id = -QUIRE_ENOSPC;
    quire_port_irq_t irq = mem_lock(mem);
    for (int i = 1; i <= QUIRE_MAX_MOVERS && id < 0; i++)
        if (!mem->mover[i]) {
            quire_store_release(&mem->mover[i], mover);
            id = i;
        }
    mem_unlock(mem, irq);
    return id;
}

void quire_unregister_mover(struct quire_mem *mem, unsigned mover)
{
    quire_port_irq_t irq = mem_lock(mem);
    quire_store_release(&mem->mover[mover], NULL);
    mem_unlock(mem, irq);
}

static const struct quire_mover *mover_of(const struct quire_mem *mem, uint32_t flags)
{
    unsigned mover = flags_mover(flags);
    return mover ? quire_load_acquire(&mem->mover[mover]) : NULL;
}

bool block_is_movable(const struct quire_mem *mem, uint32_t flags)
{
    return mover_of(mem, flags) != NULL;
}

/* ---- holding --------------------------------------------------------------------------------- */

/* Gives references up; with the last one the block goes to its zone. */
static void drop_references(struct quire_mem *mem, struct quire_page *page, uint32_t nr)
{
    uint32_t flags = page_flags(page), references = quire_load_relaxed(&page->refcount), left;
    do {
        QUIRE_BUG_ON(!references);
        left = references > nr ? references - nr : 0;
    } while (!quire_compare_exchange(&page->refcount, &references, left));
    if (!left)
        free_block(mem, page, flags_order(flags), flags);
}

bool isolate_block(struct zone *zone, struct quire_page *page)
{
    uint32_t one = 1, flags = quire_load_acquire(&page->flags);
    const struct quire_mover *mover = mover_of(zone->mem, flags);
    if (!mover || !quire_compare_exchange(&page->refcount, &one, 2))
        return false;
    if (!mover->isolate(mover->arg, page))
        return true;
    if (!quire_sub_fetch(&page->refcount, 1))
        free_block_locked(zone, page, flags_order(flags), flags);
    return false;
}

void putback_block(struct quire_mem *mem, struct quire_page *page)
{
    const struct quire_mover *mover = mover_of(mem, page_flags(page));
    mover->putback(mover->arg, page);
    drop_references(mem, page, 1);
}

/* ---- moving ---------------------------------------------------------------------------------- */

static void dress_target(struct quire_mem *mem, struct quire_page *to, struct quire_page *from)
{
    quire_fetch_add(&to->refcount, 1);
    quire_fetch_or(&to->flags, page_flags(from) & (PAGE_MOVER_MASK | PAGE_COMPOUND));
    if (quire_unlikely(mem->debug & QUIRE_DEBUG_OWNER))
        owner_copy(mem, to, from);
}

int migrate_block(struct quire_mem *mem, struct quire_page *to, struct quire_page *from,
                  unsigned attempts)
{
    uint32_t flags = page_flags(from);
    const struct quire_mover *mover = mover_of(mem, flags);
    unsigned long pages = 1ul << flags_order(flags);
    int error;
    dress_target(mem, to, from);
    do
        error = mover->migrate(mover->arg, to, from);
    while (error == -QUIRE_EAGAIN && --attempts);
    if (error) {
        count_event(mem, EVENT_PGMIGRATE_FAIL, pages);
        drop_references(mem, to, 2);
        putback_block(mem, from);
        return error;
    }
    count_event(mem, EVENT_PGMIGRATE_SUCCESS, pages);
    /* Whoever still looks at `from` must not take it for the mover's. */
    quire_fetch_and(&from->flags, ~(PAGE_MOVER_MASK | QUIRE_PAGE_OWNER_FLAGS));
    drop_references(mem, from, 2);
    drop_references(mem, to, 1);
    return 0;
}

/* A block for the content of `from`: as near as can be, and in no higher a zone than where it is
 * now, since nobody remembers what it was allocated for. From ZONE_MOVABLE it may go anywhere. */
static struct quire_page *alloc_target(struct quire_mem *mem, struct quire_page *from,
                                       quire_gfp_t gfp)
{
    static const quire_gfp_t zone_bits[QUIRE_NR_ZONES] = {
        [QUIRE_ZONE_DMA] = QUIRE_GFP_DMA,
        [QUIRE_ZONE_DMA32] = QUIRE_GFP_DMA32,
        [QUIRE_ZONE_HIGHMEM] = QUIRE_GFP_HIGHMEM,
        [QUIRE_ZONE_MOVABLE] = QUIRE_GFP_HIGHMEM,
    };
    uint32_t flags = page_flags(from);
    const struct zone *zone = page_zone(mem, from);
    gfp &= QUIRE_GFP_RECLAIM | QUIRE_GFP_IO | QUIRE_GFP_FS | QUIRE_GFP_HIGH;
    gfp |= zone_bits[zone->type] | QUIRE_GFP_NOWARN | QUIRE_GFP_NORETRY;
    gfp |= block_type(flags) == QUIRE_MIGRATE_MOVABLE       ? QUIRE_GFP_MOVABLE
           : block_type(flags) == QUIRE_MIGRATE_RECLAIMABLE ? QUIRE_GFP_RECLAIMABLE
                                                            : 0;
    return quire_alloc_pages_node(mem, zone->node, gfp, flags_order(flags));
}

/* ---- ranges ---------------------------------------------------------------------------------- */

struct range_scan {
    struct zone *zone;
    unsigned long pfn, end;
    bool busy; /* something stays where it is */
};

/* The allocated block that holds the frame, which isn't free. Also one that begins below. */
static struct quire_page *block_of_frame(const struct quire_mem *mem, struct quire_page *page)
{
    return page_flags(page) & PAGE_ALLOCATED ? page : quire_compound_head(mem, page);
}

/* Isolates the next block of the range that is in the pageblock of scan->pfn, and goes past it;
 * NULL: none any more in this pageblock. */
static struct quire_page *isolate_next(struct range_scan *scan)
{
    struct zone *zone = scan->zone;
    struct pageblock *block = pfn_to_pageblock(zone->mem, scan->pfn);
    unsigned long end = block->pfn + PAGEBLOCK_PAGES;
    end = end < scan->end ? end : scan->end;
    while (scan->pfn < end) {
        scan->pfn = block->pfn + next_used_frame(block, (unsigned)(scan->pfn - block->pfn));
        if (scan->pfn >= end)
            break;
        struct quire_page *page = block->pages + (scan->pfn - block->pfn);
        if (page_flags(page) & PAGE_RESERVED) { /* isolate.c has looked at those */
            scan->pfn++;
            continue;
        }
        struct quire_page *head = block_of_frame(zone->mem, page);
        if (!head) { /* neither free nor allocated: on its way */
            scan->busy = true;
            scan->pfn++;
            continue;
        }
        scan->pfn = head->pfn + (1ul << quire_page_order(head));
        if (isolate_block(zone, head))
            return head;
        scan->busy = true;
    }
    return NULL;
}

/* Goes once through the range. */
static int migrate_pass(struct range_scan *scan, quire_gfp_t gfp)
{
    struct quire_mem *mem = scan->zone->mem;
    while (scan->pfn < scan->end) {
        quire_port_irq_t irq = zone_lock(scan->zone);
        struct quire_page *from = isolate_next(scan);
        zone_unlock(scan->zone, irq);
        if (!from)
            continue;
        struct quire_page *to = alloc_target(mem, from, gfp);
        if (!to) {
            putback_block(mem, from);
            return -QUIRE_ENOMEM;
        }
        if (migrate_block(mem, to, from, RANGE_ATTEMPTS))
            scan->busy = true;
    }
    return scan->busy ? -QUIRE_EBUSY : 0;
}

int migrate_range(struct zone *zone, unsigned long start, unsigned long end, quire_gfp_t gfp)
{
    int error = -QUIRE_EBUSY;
    for (unsigned pass = 0; pass < MAX_PASSES && error == -QUIRE_EBUSY; pass++) {
        struct range_scan scan = {.zone = zone, .pfn = start, .end = end};
        error = migrate_pass(&scan, gfp);
    }
    return error;
}
