/* phys/metadata.c: memory for the layer's own tables, once there are zones
 *
 * What init carves out of the map never becomes managed memory. Tables that are made later (a CMA
 * area's bitmap, the per-CPU lists of a zone that was empty) are allocated as anyone's pages, then
 * leave the managed ones, so that they aren't taken for a leak, and count as metadata.
 */
#include "phys/move.h"

void *metadata_alloc(struct quire_mem *mem, size_t size)
{
    char *memory =
        quire_alloc_pages_exact(mem, size, QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO | QUIRE_GFP_NOWARN);
    if (!memory)
        return NULL;
    for (size_t done = 0; done < size; done += QUIRE_PAGE_SIZE) {
        struct quire_page *page = quire_virt_to_page(mem, memory + done);
        struct zone *zone = page_zone(mem, page);
        if (quire_unlikely(mem->debug & QUIRE_DEBUG_OWNER))
            owner_clear(mem, page);
        quire_port_irq_t irq = zone_lock(zone);
        page_set_free(page, page_flags(page));
        quire_fetch_or(&page->flags, PAGE_METADATA);
        quire_count(&zone->managed, ~0ul);
        zone_unlock(zone, irq);
        quire_tell_event(OWNER, page->pfn, 0, EVENT_OWNER_METADATA);
    }
    quire_fetch_add(&mem->metadata_size, size);
    return memory;
}

void metadata_free(struct quire_mem *mem, void *memory, size_t size)
{
    unsigned long start = quire_virt_to_page(mem, memory)->pfn;
    unsigned long end = start + (unsigned long)((size - 1) >> QUIRE_PAGE_SHIFT) + 1;
    for (unsigned long pfn = start; pfn < end; pfn++)
        quire_fetch_and(&pfn_to_page(mem, pfn)->flags, PAGE_ZONE_MASK | PAGE_RESERVED);
    release_frames(mem, start, end);
    quire_fetch_add(&mem->metadata_size, 0 - size);
}
