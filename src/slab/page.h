/* slab/page.h: what page descriptors say of slabs
 *
 * Every page of a slab:
 *
 *     flags          QUIRE_PAGE_SLAB, the slab's order, and which of its pages this is; the first
 *                    one's QUIRE_PAGE_SLAB is set and cleared under the lock of the slab's node
 *     owner_word     low half: where racks have the cache's shelf, which says which cache it is
 *
 * and the first one beside that:
 *
 *     owner_word     high half: the number of objects
 *     owner.word[0]  which objects are free: up to 64 objects, a bit each; more, the number of
 *                    free ones (low half) and the word of the map to look at first (high half);
 *                    the map is then at the end of the slab
 *     owner.word[1]  the next slab of the list (low half) and the one before, by frame
 *
 * and the second one, of a slab of several:
 *
 *     owner.word[0]  which pages are vacant and the port was told so (vacant.c)
 *
 * Free objects are known by bits and not by links in them: giving an object back touches no cache
 * line of its content, and nothing that its user may write to. Every page says which cache,
 * so that kfree looks at one descriptor; and its number, so that the first page is found by a
 * subtraction.
 */
#ifndef QUIRE_SLAB_PAGE_H
#define QUIRE_SLAB_PAGE_H

#include "slab/internal.h"

#define PAGE_INDEX_SHIFT 12
#define PAGE_INDEX_MASK 0x3fu
#define PAGE_ORDER_SHIFT 18
#define PAGE_ORDER_MASK 0x7u
#define PAGE_SLAB_FLAGS                                                                            \
    (QUIRE_PAGE_SLAB | PAGE_INDEX_MASK << PAGE_INDEX_SHIFT | PAGE_ORDER_MASK << PAGE_ORDER_SHIFT)

_Static_assert(((PAGE_SLAB_FLAGS | QUIRE_PAGE_LARGE) & ~QUIRE_PAGE_OWNER_FLAGS) == 0,
               "only the owner's flags are used");
_Static_assert(1u << QUIRE_KMEM_CACHE_MAX_ORDER <= PAGE_INDEX_MASK + 1 &&
                   QUIRE_KMEM_CACHE_MAX_ORDER <= PAGE_ORDER_MASK,
               "a slab's pages have numbers");
_Static_assert(QUIRE_KMEM_CACHE_MAX_ORDER <= QUIRE_MAX_ORDER, "phys has blocks of that order");

#define BITS_PER_WORD 64u
#define MAX_OBJECTS 0xffffu

static QUIRE_ALWAYS_INLINE uint32_t page_flags(const struct quire_page *page)
{
    return quire_load_relaxed(&page->flags);
}

static QUIRE_ALWAYS_INLINE size_t page_shelf_at(const struct quire_page *page)
{
    return page->owner_word & 0xffff;
}

static inline unsigned page_cache_id(const struct quire_page *page)
{
    return id_of_shelf_at(page_shelf_at(page));
}

/* Which of its slab's pages has the flags. */
static inline unsigned index_of_flags(uint32_t flags)
{
    return flags >> PAGE_INDEX_SHIFT & PAGE_INDEX_MASK;
}

static inline struct quire_page *page_head(struct quire_page *page)
{
    return page - index_of_flags(page_flags(page));
}

static inline unsigned slab_order(const struct quire_page *head)
{
    return page_flags(head) >> PAGE_ORDER_SHIFT & PAGE_ORDER_MASK;
}

static inline unsigned slab_objects(const struct quire_page *head)
{
    return head->owner_word >> 16;
}

/* A word of its descriptor. */
static inline bool has_small_map(const struct quire_page *head)
{
    return slab_objects(head) <= BITS_PER_WORD;
}

static inline char *slab_address(const struct quire_slab *slab, const struct quire_page *head)
{
    return quire_port_phys_to_virt(slab->port, quire_page_to_phys(head));
}

static inline uint64_t *slab_map(const struct quire_slab *slab, const struct quire_page *head)
{
    if (slab->maps)
        return (uint64_t *)(void *)(slab->maps + (size_t)head->pfn * QUIRE_SLAB_MAP_BYTES);
    unsigned words = (slab_objects(head) + BITS_PER_WORD - 1) / BITS_PER_WORD;
    char *end = slab_address(slab, head) + (QUIRE_PAGE_SIZE << slab_order(head));
    return (uint64_t *)(void *)end - words;
}

/* What the first page says of a map of many words, after `freed` objects of one were put back. */
static QUIRE_ALWAYS_INLINE uint64_t slab_count_put(uint64_t state, unsigned freed, size_t word)
{
    state += freed;
    return quire_unlikely(word < state >> 32) ? (uint64_t)word << 32 | (uint32_t)state : state;
}

/* Under the lock of the slab's node; of a slab of one page there is none. */
static inline uint64_t *slab_told(struct quire_page *head)
{
    return &head[1].owner.word[0];
}

static inline bool slab_has_told(struct quire_page *head)
{
    return slab_order(head) && *slab_told(head);
}

static inline struct quire_page *slab_of_frame(const struct quire_slab *slab, uint32_t pfn)
{
    return quire_pfn_to_page(slab->mem, quire_pfn(pfn));
}

/* The page of an address of the direct map in the first `sections` sections. False: it isn't there;
 * NULL isn't, or it is in a page that phys never hands out. What lies in a hole of memory isn't
 * found out. */
static QUIRE_ALWAYS_INLINE bool object_page_within(const struct quire_slab *slab,
                                                   const void *object, unsigned long sections,
                                                   struct quire_page **page)
{
    quire_phys_t phys = quire_port_virt_to_phys(slab->port, object);
    quire_phys_t section = phys >> QUIRE_SECTION_SHIFT;
    if (quire_unlikely(section >= sections))
        return false;
    uintptr_t base = slab->sections[section].pages;
    uintptr_t offset = (uintptr_t)(phys >> QUIRE_PAGE_SHIFT) * sizeof(struct quire_page);
    *page = (struct quire_page *)(base + offset);
    return true;
}

static inline bool object_page(const struct quire_slab *slab, const void *object,
                               struct quire_page **page)
{
    return object_page_within(slab, object, slab->nr_sections, page);
}

/* The same for any pointer. */
static inline bool object_page_checked(const struct quire_slab *slab, const void *object,
                                       struct quire_page **page)
{
    quire_phys_t phys = quire_port_virt_to_phys(slab->port, object);
    return phys >> QUIRE_SECTION_SHIFT < slab->nr_sections &&
           quire_pfn_valid(slab->mem, quire_phys_to_pfn(phys)) && object_page(slab, object, page);
}

/* The first page of kmalloc's large block that `page` is one of; NULL: it is of none. */
static inline struct quire_page *large_head(const struct quire_slab *slab,
                                            const struct quire_page *page)
{
    struct quire_page *head = quire_compound_head(slab->mem, page);
    return head && page_flags(head) & QUIRE_PAGE_LARGE ? head : NULL;
}

/* The node whose lock guards the slab that `page` may be one of; NULL: a hole of memory. */
static QUIRE_ALWAYS_INLINE struct cache_node *node_of_page(struct cache *cache,
                                                           const struct quire_page *page)
{
    if (cache->slab->nr_nodes == 1)
        return &cache->node[0];
    int node = quire_page_node(cache->slab->mem, page);
    return node < 0 ? NULL : &cache->node[node];
}

/* The first page of the slab of this cache that `page` is one of; NULL: it is of no such slab. With
 * the node's lock held. A page's number within its slab is written at once with QUIRE_PAGE_SLAB,
 * but for the first one's, which gets that when all is written. `flags` are the page's, loaded
 * once, since other owners of pages use the bits of the number. */
static QUIRE_ALWAYS_INLINE struct quire_page *
page_find_slab_by(const struct cache *cache, struct quire_page *page, uint32_t flags)
{
    if (quire_unlikely(!(flags & QUIRE_PAGE_SLAB)))
        return NULL;
    struct quire_page *head = page - index_of_flags(flags);
    bool is_of_cache = page_shelf_at(head) == shelf_at_of_id(cache->id);
    return quire_likely(is_of_cache && page_flags(head) & QUIRE_PAGE_SLAB) ? head : NULL;
}

static inline struct quire_page *page_find_slab(const struct cache *cache, struct quire_page *page)
{
    return page_find_slab_by(cache, page, page_flags(page));
}

/* The number of the object that begins `offset` bytes into its slab. */
static inline unsigned object_index(const struct cache *cache, uint32_t offset)
{
    return (unsigned)((uint64_t)offset * cache->reciprocal >> 32);
}

#endif
