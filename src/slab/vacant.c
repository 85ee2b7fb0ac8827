/* slab/vacant.c: pages without an object in use, in slabs that have some
 *
 * A slab goes back to phys when all its objects are free. One of several pages may have pages
 * before that which hold no part of an object in use. Free objects are bits elsewhere, so nobody
 * reads what such a page holds: the port may use the memory behind it until somebody writes there,
 * as behind free blocks (phys/report.c).
 *
 *   bound   O(objects of slabs that are in use in part), under the lock of one node at a time
 */
#include "slab/page.h"

/* Content of free objects that somebody counts on, or a map at the slab's end. */
static bool has_content(const struct cache *cache, const struct quire_page *head)
{
    return !cache->slab->maps && slab_objects(head) > BITS_PER_WORD;
}

static bool cache_has_content(const struct cache *cache)
{
    return cache->ctor || cache_is_debugged(cache) || cache->flags & QUIRE_SLAB_TYPESAFE_BY_RCU;
}

static bool is_vacant(const struct cache *cache, const struct quire_page *head, unsigned page)
{
    size_t start = (size_t)page << QUIRE_PAGE_SHIFT, last = start + QUIRE_PAGE_SIZE - 1;
    unsigned objects = slab_objects(head), end = object_index(cache, (uint32_t)last);
    for (unsigned i = object_index(cache, (uint32_t)start); i <= end && i < objects; i++)
        if (!slab_object_is_free(cache, head, i))
            return false;
    return true;
}

/* Pages beside each other are told together. */
static unsigned long report_slab(const struct cache *cache, const struct quire_page *head)
{
    unsigned pages = 1u << slab_order(head), run = 0;
    unsigned long told = 0;
    if (pages == 1 || has_content(cache, head))
        return 0;
    for (unsigned page = 0; page <= pages; page++) {
        if (page < pages && is_vacant(cache, head, page)) {
            run++;
            continue;
        }
        quire_phys_t first =
            quire_page_to_phys(head) + ((quire_phys_t)(page - run) << QUIRE_PAGE_SHIFT);
        if (run && !quire_port_report_free(cache->slab->port, first,
                                           (quire_phys_t)run << QUIRE_PAGE_SHIFT))
            told += run;
        run = 0;
    }
    return told;
}

static unsigned long report_node(const struct cache *cache, struct cache_node *node)
{
    unsigned long told = 0;
    quire_port_irq_t irq = slab_lock(&node->lock);
    for (const struct quire_page *head = slab_list_first(cache, &node->partial); head;
         head = slab_list_next(cache, head))
        told += report_slab(cache, head);
    slab_unlock(&node->lock, irq);
    return told;
}

unsigned long quire_slab_report_free_pages(struct quire_slab *slab)
{
    unsigned long told = 0;
    for_each_cache (slab, cache)
        for (unsigned node = 0; node < slab->nr_nodes && !cache_has_content(cache); node++)
            told += report_node(cache, &cache->node[node]);
    return told;
}
