/* phys/cma.c: contiguous memory areas
 *
 * A device that needs large contiguous buffers now and then has an area reserved for it; meanwhile
 * the area's pageblocks, of type CMA, serve movable allocations, which can be moved out when the
 * device asks (Michal Nazarewicz's allocator of Linux 3.5). A bitmap with a bit for 2^order_per_bit
 * frames says what the owner holds. It is guarded by the machine's lock; a range is marked before
 * its frames are taken, so that two owners' requests never try for the same.
 *
 *   invariant   a frame whose bit is clear is free or lent to a movable allocation
 */
#include "phys/move.h"

#define MAX_WAITS 64 /* for another range operation nearby, before going elsewhere */

static unsigned long nr_bits(const struct quire_cma *cma)
{
    return cma->count >> cma->order_per_bit;
}

static size_t bitmap_size(unsigned long bits)
{
    return (size_t)((bits + 63) / 64 * sizeof(uint64_t));
}

static bool bit_is_set(const struct quire_cma *cma, unsigned long bit)
{
    return cma->bitmap[bit / 64] >> (bit % 64) & 1;
}

static void change_bits(struct quire_cma *cma, unsigned long bit, unsigned long count, bool set)
{
    for (; count; count--, bit++) {
        uint64_t mask = (uint64_t)1 << (bit % 64);
        if (set)
            cma->bitmap[bit / 64] |= mask;
        else
            cma->bitmap[bit / 64] &= ~mask;
    }
}

/* ---- making an area -------------------------------------------------------------------------- */

static int refuse(quire_phys_t base, quire_phys_t size, const char *why)
{
    return refuse_range("make a CMA area of", base, base + size, QUIRE_EINVAL, why);
}

int quire_cma_init(struct quire_mem *mem, struct quire_cma *cma, const char *name,
                   quire_phys_t base, quire_phys_t size, unsigned order_per_bit)
{
    quire_phys_t block = QUIRE_PAGE_SIZE << PAGEBLOCK_ORDER;
    if ((base | size) & (block - 1) || !size)
        return refuse(base, size, "it isn't whole pageblocks, one or more");
    if (base + size < base || base + size > quire_pfn_to_phys(quire_pfn(QUIRE_MAX_PFN)))
        return refuse(base, size, "it wraps around or ends beyond QUIRE_MAX_PFN");
    unsigned long start = quire_phys_to_pfn(base).value, end = quire_phys_to_pfn(base + size).value;
    struct zone *zone = zone_of_range(mem, start, end);
    if (!zone)
        return refuse(base, size, "it isn't all memory of one zone");
    if (order_per_bit > 31 || (end - start) & ((1ul << order_per_bit) - 1))
        return refuse(base, size, "it isn't a multiple of 2^order_per_bit frames");
    size_t bytes = bitmap_size((end - start) >> order_per_bit);
    uint64_t *bitmap = metadata_alloc(mem, bytes);
    if (!bitmap)
        return -QUIRE_ENOMEM;
    if (!claim_reserved(mem, start, end)) {
        metadata_free(mem, bitmap, bytes);
        return refuse(base, size, "not all of it was reserved in the memory map, or no more");
    }
    quire_port_irq_t irq = zone_lock(zone);
    for (unsigned long pfn = start; pfn < end; pfn += PAGEBLOCK_PAGES)
        pageblock_set_type(frame_shard(zone, pfn), pfn_to_pageblock(mem, pfn), QUIRE_MIGRATE_CMA);
    quire_count(&zone->cma, end - start);
    zone_unlock(zone, irq);
    release_frames(mem, start, end);
    *cma = (struct quire_cma){
        .name = name,
        .start = quire_pfn(start),
        .count = end - start,
        .order_per_bit = order_per_bit,
        .bitmap = bitmap,
        .mem = mem,
    };
    irq = mem_lock(mem);
    cma->next = mem->cma_areas;
    quire_store_release(&mem->cma_areas, cma);
    zones_changed(mem);
    mem_unlock(mem, irq);
    return 0;
}

/* ---- the owner's memory ---------------------------------------------------------------------- */

/* The first of `count` clear bits from `bit` on whose first frame is aligned; nr_bits: none. */
static unsigned long find_clear(const struct quire_cma *cma, unsigned long bit, unsigned long count,
                                unsigned align_order)
{
    unsigned long bits = nr_bits(cma), align = 1ul << align_order;
    for (; bit < bits && count <= bits - bit; bit++) {
        if ((cma->start.value + (bit << cma->order_per_bit)) & (align - 1))
            continue;
        unsigned long run = 0;
        while (run < count && !bit_is_set(cma, bit + run))
            run++;
        if (run == count)
            return bit;
        bit += run;
    }
    return bits;
}

/* Takes the frames of a range whose bits are ours. */
static int take_range(struct quire_cma *cma, unsigned long start, unsigned long count,
                      uintptr_t caller)
{
    struct zone *zone = &cma->mem->zones[pfn_to_pageblock(cma->mem, start)->zone];
    int error = -QUIRE_EAGAIN;
    for (unsigned wait = 0; error == -QUIRE_EAGAIN && wait < MAX_WAITS; wait++) {
        if (wait)
            wait_a_moment(cma->mem);
        error =
            alloc_contig(zone, start, start + count, QUIRE_MIGRATE_CMA, QUIRE_GFP_KERNEL, caller);
    }
    return error;
}

struct quire_page *quire_cma_alloc(struct quire_cma *cma, unsigned long count, unsigned align_order)
{
    struct quire_mem *mem = cma->mem;
    uintptr_t caller = (uintptr_t)__builtin_return_address(0);
    unsigned long bits = count >> cma->order_per_bit, bit = 0;
    bits += (count & ((1ul << cma->order_per_bit) - 1)) != 0;
    while (count && count <= cma->count && align_order < 32) {
        quire_port_irq_t irq = mem_lock(mem);
        bit = find_clear(cma, bit, bits, align_order);
        bool found = bit < nr_bits(cma);
        if (found)
            change_bits(cma, bit, bits, true);
        mem_unlock(mem, irq);
        if (!found)
            break;
        unsigned long start = cma->start.value + (bit << cma->order_per_bit);
        int error = take_range(cma, start, count, caller);
        irq = mem_lock(mem);
        if (error)
            change_bits(cma, bit, bits, false);
        else
            cma->nr_used += count;
        mem_unlock(mem, irq);
        if (!error) {
            count_event(mem, EVENT_CMA_ALLOC_SUCCESS, 1);
            return pfn_to_page(mem, start);
        }
        if (error == -QUIRE_ENOMEM)
            break;
        bit++;
    }
    count_event(mem, EVENT_CMA_ALLOC_FAIL, 1);
    return NULL;
}

bool quire_cma_release(struct quire_cma *cma, struct quire_page *page, unsigned long count)
{
    struct quire_mem *mem = cma->mem;
    if (!page || !count || page->pfn < cma->start.value || count > cma->count ||
        page->pfn - cma->start.value > cma->count - count)
        return false;
    unsigned long offset = page->pfn - cma->start.value, bit = offset >> cma->order_per_bit;
    unsigned long bits = ((offset + count - 1) >> cma->order_per_bit) - bit + 1;
    bool held = true;
    quire_port_irq_t irq = mem_lock(mem);
    for (unsigned long i = 0; held && i < bits; i++)
        held = bit_is_set(cma, bit + i);
    for (unsigned long i = 0; held && i < count; i++)
        held = (page_flags(pfn_to_page(mem, page->pfn + i)) & (PAGE_ALLOCATED | PAGE_ORDER_MASK)) ==
               PAGE_ALLOCATED;
    mem_unlock(mem, irq);
    if (!held)
        return false;
    /* The bits go last: until then nobody else tries for the range. */
    quire_free_contig_range(mem, quire_page_to_pfn(page), count);
    irq = mem_lock(mem);
    change_bits(cma, bit, bits, false);
    cma->nr_used -= count;
    mem_unlock(mem, irq);
    return true;
}
