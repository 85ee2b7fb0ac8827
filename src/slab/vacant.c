/* slab/vacant.c: pages without an object in use, in slabs that have some
 *
 * A slab goes back to phys when all its objects are free. One of several pages may have pages
 * before that which hold no part of an object in use. Free objects are bits elsewhere, so nobody
 * reads what such a page holds: the port may use the memory behind it until somebody writes there,
 * as behind free blocks (phys/report.c).
 *
 * A page that was told of isn't told of again before an object in it was taken: the slab's second
 * page descriptor has a bit for each (slab_told).
 *
 * The port is told without the node's lock: a call of it may take long, and there may be many. The
 * slab is set aside meanwhile (node->told), so its pages stay vacant; others may free objects
 * there.
 *
 *   bound   O(objects of slabs that are in use in part); the lock of a node is held for LOOKS of
 *           them at most
 */
#include "slab/page.h"

#define LOOKS 16u

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

/* Those that the port doesn't know, as bits of the slab's pages. */
static uint64_t vacant_pages(const struct cache *cache, struct quire_page *head)
{
    unsigned pages = 1u << slab_order(head);
    uint64_t vacant = 0;
    if (pages == 1 || has_content(cache, head))
        return 0;
    for (uint64_t left = quire_mask64(pages) & ~*slab_told(head); left; left &= left - 1)
        if (is_vacant(cache, head, quire_ctz64(left)))
            vacant |= left & -left;
    return vacant;
}

/* Pages beside each other are told together; those that were. Without locks. */
static uint64_t report_pages(const struct cache *cache, const struct quire_page *head,
                             uint64_t vacant)
{
    uint64_t told = 0;
    for (uint64_t pages; vacant; vacant &= ~pages) {
        unsigned first = quire_ctz64(vacant);
        uint64_t rest = ~(vacant >> first);
        unsigned run = rest ? quire_ctz64(rest) : 64;
        pages = quire_mask64(run) << first;
        quire_phys_t at = quire_page_to_phys(head) + ((quire_phys_t)first << QUIRE_PAGE_SHIFT);
        if (!quire_port_report_free(cache->slab->port, at, (quire_phys_t)run << QUIRE_PAGE_SHIFT))
            told |= pages;
    }
    return told;
}

/* The next slab from `head` on that has some, of no more than `*left`; 0: none was among LOOKS, and
 * `*head` is the last of them, or NULL at the end. */
static uint64_t find_vacant(const struct cache *cache, struct quire_page **head,
                            unsigned long *left)
{
    for (unsigned looks = 0; *head && *left; looks++, --*left) {
        uint64_t vacant = vacant_pages(cache, *head);
        if (vacant || looks == LOOKS)
            return vacant;
        *head = slab_list_next(cache, *head);
    }
    *head = NULL;
    return 0;
}

/* The slab stays on the list while the lock isn't held, but may have become empty and moved to its
 * end: then those from the first on are looked at once more, as many as are left. */
static struct quire_page *look_on(const struct cache *cache, const struct cache_node *node,
                                  const struct quire_page *head)
{
    return slab_free_objects(head) == slab_objects(head) ? slab_list_first(cache, &node->partial)
                                                         : slab_list_next(cache, head);
}

static unsigned long report_node(const struct cache *cache, struct cache_node *node,
                                 unsigned long budget)
{
    unsigned long told = 0;
    quire_port_irq_t irq = slab_lock(&node->lock);
    unsigned long left = node->nr_partial;
    struct quire_page *head = node->told ? NULL : slab_list_first(cache, &node->partial);
    while (head) {
        uint64_t vacant = find_vacant(cache, &head, &left);
        if (!head)
            break;
        node->told = head->pfn;
        slab_unlock(&node->lock, irq);
        vacant = report_pages(cache, head, vacant);
        irq = slab_lock(&node->lock);
        if (vacant)
            slab_tell(node, head, vacant);
        told += quire_popcount64(vacant);
        head = left-- > 1 && told < budget ? look_on(cache, node, head) : NULL;
        node->told = 0;
    }
    slab_unlock(&node->lock, irq);
    return told;
}

unsigned long quire_slab_report_free_pages(struct quire_slab *slab, unsigned long budget)
{
    unsigned long told = 0;
    for_each_cache (slab, cache)
        for (unsigned node = 0; node < slab->nr_nodes && !cache_has_content(cache); node++)
            if (told < budget)
                told += report_node(cache, &cache->node[node], budget - told);
    return told;
}
