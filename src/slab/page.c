/* slab/page.c: slabs: blocks of pages cut into objects
 *
 * A slab has a map with a bit for each object that is free. Slabs with free objects lie on their
 * node's list, the empty ones last; what is taken comes from the first ones, the lowest address
 * first, so that slabs in use fill up and the others can empty.
 *
 *   invariant   a slab is on node->partial while it has a free object; the empty ones, of which
 *               there are nr_empty, are the last of the list. node->told stays on it, and none of
 *               its objects is taken
 *   bound       taking or putting an object is O(1); a map of many words is searched from where
 *               its lowest free object may be
 */
#include "slab/page.h"

#include "slab/debug.h"

/* Empty slabs that a node keeps of a cache: some, so that a slab that fills and empties in turn
 * doesn't go to phys and back each time, and more where a cache is large. */
#define EMPTY_SLABS_KEPT 4
#define EMPTY_SLABS_SHARE 32 /* and one of so many */

/* ---- lists ----------------------------------------------------------------------------------- */

static uint32_t next_pfn(const struct quire_page *head)
{
    return (uint32_t)head->owner.word[1];
}

static uint32_t prev_pfn(const struct quire_page *head)
{
    return (uint32_t)(head->owner.word[1] >> 32);
}

static void set_links(struct quire_page *head, uint32_t next, uint32_t prev)
{
    head->owner.word[1] = (uint64_t)prev << 32 | next;
}

static void set_next(const struct cache *cache, struct slab_list *list, uint32_t pfn, uint32_t next)
{
    if (!pfn) {
        list->first = next;
        return;
    }
    struct quire_page *head = slab_of_frame(cache->slab, pfn);
    set_links(head, next, prev_pfn(head));
}

static void set_prev(const struct cache *cache, struct slab_list *list, uint32_t pfn, uint32_t prev)
{
    if (!pfn) {
        list->last = prev;
        return;
    }
    struct quire_page *head = slab_of_frame(cache->slab, pfn);
    set_links(head, next_pfn(head), prev);
}

static void add_between(const struct cache *cache, struct slab_list *list, struct quire_page *head,
                        uint32_t prev, uint32_t next)
{
    set_links(head, next, prev);
    set_next(cache, list, prev, head->pfn);
    set_prev(cache, list, next, head->pfn);
}

void slab_list_add(const struct cache *cache, struct slab_list *list, struct quire_page *head)
{
    add_between(cache, list, head, 0, list->first);
}

static void slab_list_add_tail(const struct cache *cache, struct slab_list *list,
                               struct quire_page *head)
{
    add_between(cache, list, head, list->last, 0);
}

void slab_list_del(const struct cache *cache, struct slab_list *list, struct quire_page *head)
{
    set_next(cache, list, prev_pfn(head), next_pfn(head));
    set_prev(cache, list, next_pfn(head), prev_pfn(head));
}

struct quire_page *slab_list_first(const struct cache *cache, const struct slab_list *list)
{
    return list->first ? slab_of_frame(cache->slab, list->first) : NULL;
}

struct quire_page *slab_list_next(const struct cache *cache, const struct quire_page *head)
{
    return next_pfn(head) ? slab_of_frame(cache->slab, next_pfn(head)) : NULL;
}

/* ---- maps ------------------------------------------------------------------------------------ */

static unsigned count_bits(uint64_t bits)
{
    unsigned count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

unsigned slab_free_objects(const struct quire_page *head)
{
    if (!has_small_map(head))
        return (uint32_t)head->owner.word[0];
    return count_bits(head->owner.word[0]);
}

static bool slab_is_empty(const struct quire_page *head)
{
    unsigned objects = slab_objects(head);
    if (has_small_map(head))
        return head->owner.word[0] == quire_mask64(objects);
    return (uint32_t)head->owner.word[0] == objects;
}

static bool slab_is_full(const struct quire_page *head)
{
    return has_small_map(head) ? !head->owner.word[0] : !(uint32_t)head->owner.word[0];
}

static void map_fill(const struct cache *cache, struct quire_page *head)
{
    unsigned objects = slab_objects(head);
    if (has_small_map(head)) {
        head->owner.word[0] = quire_mask64(objects);
        return;
    }
    uint64_t *map = slab_map(cache->slab, head);
    head->owner.word[0] = objects;
    for (unsigned at = 0; at < objects; at += BITS_PER_WORD)
        map[at / BITS_PER_WORD] = quire_mask64(objects - at);
}

bool slab_object_is_free(const struct cache *cache, const struct quire_page *head, unsigned index)
{
    if (has_small_map(head))
        return head->owner.word[0] >> index & 1;
    return slab_map(cache->slab, head)[index / BITS_PER_WORD] >> index % BITS_PER_WORD & 1;
}

/* Takes up to `max` objects of a word of a map, whose first is at `base`. Those of a new slab lie
 * side by side, and needn't be looked for one by one. */
static unsigned word_take(const struct cache *cache, uint64_t *word, char *base, void **end,
                          unsigned max)
{
    uint64_t bits = *word, behind = bits + (bits & -bits);
    unsigned taken = 0;
    if (!(bits & behind)) {
        unsigned from = quire_ctz64(bits), to = behind ? quire_ctz64(behind) : BITS_PER_WORD;
        char *object = base + (size_t)from * cache->size;
        taken = max < to - from ? max : to - from;
        *word = taken < to - from ? bits & bits << taken : 0;
        for (void **stop = end - taken; end > stop; object += cache->size)
            *--end = object;
        return taken;
    }
    for (; bits && taken < max; taken++, bits &= bits - 1)
        *--end = base + quire_ctz64(bits) * cache->size;
    *word = bits;
    return taken;
}

/* One at random, every free one as likely. */
static unsigned word_take_random(const struct cache *cache, struct cache_node *node, uint64_t *word,
                                 char *base, void **end)
{
    node->random ^= node->random << 13; /* Marsaglia: "Xorshift RNGs" (2003) */
    node->random ^= node->random >> 7;
    node->random ^= node->random << 17;
    uint64_t bits = *word;
    for (unsigned skip = (unsigned)((node->random >> 32) * count_bits(bits) >> 32); skip; skip--)
        bits &= bits - 1;
    *word &= ~(bits & -bits);
    end[-1] = base + quire_ctz64(bits) * cache->size;
    return 1;
}

static unsigned slab_take(const struct cache *cache, struct cache_node *node,
                          struct quire_page *head, void **end, unsigned max)
{
    char *base = slab_address(cache->slab, head) + cache->offset;
    bool random = cache->flags & QUIRE_SLAB_FREELIST_RANDOM;
    if (has_small_map(head)) {
        uint64_t *word = &head->owner.word[0];
        return random ? word_take_random(cache, node, word, base, end)
                      : word_take(cache, word, base, end, max);
    }
    uint64_t *map = slab_map(cache->slab, head);
    uint32_t left = (uint32_t)head->owner.word[0], at = (uint32_t)(head->owner.word[0] >> 32);
    unsigned taken = 0;
    while (left && taken < max && !(random && taken)) {
        while (!map[at])
            at++;
        char *first = base + (size_t)at * BITS_PER_WORD * cache->size;
        unsigned got = random ? word_take_random(cache, node, &map[at], first, end - taken)
                              : word_take(cache, &map[at], first, end - taken, max - taken);
        taken += got;
        left -= got;
    }
    head->owner.word[0] = (uint64_t)at << 32 | left;
    return taken;
}

static bool map_put(const struct cache *cache, struct quire_page *head, unsigned index)
{
    uint64_t bit = (uint64_t)1 << index % BITS_PER_WORD;
    if (has_small_map(head)) {
        bool was_free = head->owner.word[0] & bit;
        head->owner.word[0] |= bit;
        return !was_free;
    }
    uint64_t *map = slab_map(cache->slab, head);
    if (map[index / BITS_PER_WORD] & bit)
        return false;
    map[index / BITS_PER_WORD] |= bit;
    head->owner.word[0] = slab_count_put(head->owner.word[0], 1, index / BITS_PER_WORD);
    return true;
}

/* ---- slabs of a node ------------------------------------------------------------------------- */

/* The first one, but for the one that is being told; that goes behind the other empty ones if it is
 * one itself, since what is taken next isn't empty any more. */
static struct quire_page *slab_to_take(const struct cache *cache, struct cache_node *node)
{
    struct quire_page *head = slab_list_first(cache, &node->partial);
    if (!head || quire_likely(node->told != head->pfn))
        return head;
    if (!slab_is_empty(head))
        return slab_list_next(cache, head);
    slab_list_del(cache, &node->partial, head);
    slab_list_add_tail(cache, &node->partial, head);
    struct quire_page *first = slab_list_first(cache, &node->partial);
    return first == head ? NULL : first;
}

static void set_told(struct cache_node *node, struct quire_page *head, uint64_t told)
{
    quire_count(&node->nr_told, (unsigned long)count_bits(told) - count_bits(*slab_told(head)));
    *slab_told(head) = told;
}

void slab_tell(struct cache_node *node, struct quire_page *head, uint64_t pages)
{
    set_told(node, head, *slab_told(head) | pages);
}

/* Objects from `first` to `last` were taken: their pages will be written to. */
static void slab_untell(const struct cache *cache, struct cache_node *node, struct quire_page *head,
                        const void *first, const void *last)
{
    const char *base = slab_address(cache->slab, head) + cache->offset;
    size_t start = (size_t)((const char *)first - base) >> QUIRE_PAGE_SHIFT;
    size_t end = ((size_t)((const char *)last - base) + cache->size - 1) >> QUIRE_PAGE_SHIFT;
    uint64_t pages = quire_mask64((unsigned)(end - start + 1)) << start;
    set_told(node, head, *slab_told(head) & ~pages);
}

unsigned node_take(struct cache *cache, struct cache_node *node, void **end, unsigned max)
{
    unsigned taken = 0;
    struct quire_page *head;
    while (taken < max && (head = slab_to_take(cache, node))) {
        if (slab_is_empty(head)) {
            node->nr_empty--;
            node->nr_partial++;
        }
        void **from = end - taken;
        unsigned got = slab_take(cache, node, head, from, max - taken);
        if (quire_unlikely(slab_has_told(head)))
            slab_untell(cache, node, head, from[-1], from[-(int)got]);
        taken += got;
        if (!slab_is_full(head))
            continue;
        node->nr_partial--;
        slab_list_del(cache, &node->partial, head);
        if (cache_is_debugged(cache))
            slab_list_add(cache, &node->full, head);
    }
    quire_count(&node->nr_free, 0ul - taken);
    return taken;
}

void node_add(struct cache *cache, struct cache_node *node, struct quire_page *head)
{
    quire_fetch_or(&head->flags, QUIRE_PAGE_SLAB);
    slab_list_add_tail(cache, &node->partial, head);
    node->nr_slabs++;
    quire_count(&node->nr_pages, 1ul << slab_order(head));
    node->nr_empty++;
    quire_count(&node->nr_objects, slab_objects(head));
    quire_count(&node->nr_free, slab_objects(head));
}

QUIRE_NOINLINE void node_move_slab(struct cache *cache, struct cache_node *node,
                                   struct quire_page *head, bool was_full)
{
    if (was_full && cache_is_debugged(cache))
        slab_list_del(cache, &node->full, head);
    if (slab_is_empty(head)) {
        if (!was_full) {
            slab_list_del(cache, &node->partial, head);
            node->nr_partial--;
        }
        slab_list_add_tail(cache, &node->partial, head);
        node->nr_empty++;
    } else if (was_full) {
        slab_list_add(cache, &node->partial, head);
        node->nr_partial++;
    }
}

static bool map_put_at(const struct cache *cache, struct quire_page *head, uint32_t offset)
{
    unsigned index = object_index(cache, offset);
    return index * cache->size + cache->offset == offset && index < slab_objects(head) &&
           map_put(cache, head, index);
}

bool node_put(struct cache *cache, struct cache_node *node, struct quire_page *head, void *object)
{
    bool was_full = slab_is_full(head);
    if (!map_put_at(cache, head, (uint32_t)((char *)object - slab_address(cache->slab, head))))
        return false;
    quire_count(&node->nr_free, 1);
    if (was_full || slab_is_empty(head))
        node_move_slab(cache, node, head, was_full);
    return true;
}

void node_trim(struct cache *cache, struct cache_node *node, unsigned long keep,
               struct slab_list *out)
{
    while (node->nr_empty > keep) {
        struct quire_page *head = slab_of_frame(cache->slab, node->partial.last);
        if (quire_unlikely(head->pfn == node->told)) { /* another empty one, or none */
            uint32_t before = prev_pfn(head);
            if (node->nr_empty == 1)
                return;
            head = slab_of_frame(cache->slab, before);
        }
        slab_list_del(cache, &node->partial, head);
        slab_list_add(cache, out, head);
        quire_fetch_and(&head->flags, ~QUIRE_PAGE_SLAB);
        if (quire_unlikely(slab_has_told(head)))
            set_told(node, head, 0);
        node->nr_slabs--;
        quire_count(&node->nr_pages, 0ul - (1ul << slab_order(head)));
        node->nr_empty--;
        quire_count(&node->nr_objects, 0ul - slab_objects(head));
        quire_count(&node->nr_free, 0ul - slab_objects(head));
    }
}

void node_trim_usual(struct cache *cache, struct cache_node *node, struct slab_list *out)
{
    unsigned long few = cache->slab->empty_pages >> cache->order;
    few = few > EMPTY_SLABS_KEPT ? few : EMPTY_SLABS_KEPT;
    if (quire_unlikely(node->nr_empty > few) && cache_can_trim(cache))
        node_trim(cache, node, few + node->nr_slabs / EMPTY_SLABS_SHARE, out);
}

/* ---- from phys and back ---------------------------------------------------------------------- */

unsigned slab_capacity(const struct cache *cache, unsigned order)
{
    size_t bytes = QUIRE_PAGE_SIZE << order, size = cache->size;
    size_t objects = bytes / size;
    size_t most = cache->slab->maps ? (size_t)(8 * QUIRE_SLAB_MAP_BYTES) << order : MAX_OBJECTS;
    if (objects > most)
        objects = most;
    while (!cache->slab->maps && objects > BITS_PER_WORD &&
           objects * size + (objects + BITS_PER_WORD - 1) / BITS_PER_WORD * 8 > bytes)
        objects--;
    return (unsigned)objects;
}

#define GFP_SLAB_IGNORES                                                                           \
    (QUIRE_GFP_ZERO | QUIRE_GFP_COMP | QUIRE_GFP_HIGHMEM | QUIRE_GFP_MOVABLE | QUIRE_GFP_DMA |     \
     QUIRE_GFP_DMA32 | QUIRE_GFP_RECLAIMABLE)

static quire_gfp_t slab_gfp(const struct cache *cache, quire_gfp_t gfp)
{
    gfp &= ~GFP_SLAB_IGNORES;
    if (cache->flags & QUIRE_SLAB_RECLAIM_ACCOUNT)
        gfp |= QUIRE_GFP_RECLAIMABLE;
    if (cache->flags & QUIRE_SLAB_CACHE_DMA)
        gfp |= QUIRE_GFP_DMA;
    if (cache->flags & QUIRE_SLAB_CACHE_DMA32)
        gfp |= QUIRE_GFP_DMA32;
    return gfp;
}

/* The direct map may end within a block. */
static bool is_mapped(const struct quire_slab *slab, const struct quire_page *page, unsigned order)
{
    return quire_port_phys_to_virt(slab->port, quire_page_to_phys(page)) &&
           quire_port_phys_to_virt(slab->port, quire_page_to_phys(page + (1ul << order) - 1));
}

struct quire_page *slab_pages_alloc(struct quire_slab *slab, quire_gfp_t gfp, int node,
                                    unsigned order)
{
    if (quire_unlikely(slab->fail && slab->fail(slab->fail_arg)))
        return NULL;
    struct quire_page *page = node == -1 ? quire_alloc_pages(slab->mem, gfp, order)
                                         : quire_alloc_pages_node(slab->mem, node, gfp, order);
    if (page && !is_mapped(slab, page, order)) {
        quire_free_pages(slab->mem, page, order);
        return NULL;
    }
    return page;
}

/* A larger order than the least is welcome, but not worth reclaiming for. */
static struct quire_page *pages_for_slab(struct cache *cache, quire_gfp_t gfp, int node,
                                         unsigned *order)
{
    struct quire_page *page = NULL;
    gfp = slab_gfp(cache, gfp);
    *order = quire_load_relaxed(&cache->order);
    if (*order > cache->min_order) {
        quire_gfp_t gently = gfp & ~(QUIRE_GFP_DIRECT_RECLAIM | QUIRE_GFP_NOFAIL);
        page = slab_pages_alloc(cache->slab, gently | QUIRE_GFP_NOWARN, node, *order);
        if (page)
            return page;
        *order = cache->min_order;
    }
    return slab_pages_alloc(cache->slab, gfp, node, *order);
}

struct quire_page *slab_create(struct cache *cache, quire_gfp_t gfp, int node)
{
    unsigned order;
    struct quire_page *head = pages_for_slab(cache, gfp, node, &order);
    if (!head)
        return NULL;
    unsigned objects = slab_capacity(cache, order);
    for (uint32_t i = 0; i < 1u << order; i++) {
        quire_fetch_or(&head[i].flags, (i ? QUIRE_PAGE_SLAB : 0) | i << PAGE_INDEX_SHIFT |
                                           (uint32_t)order << PAGE_ORDER_SHIFT);
        head[i].owner_word = (uint32_t)shelf_at_of_id(cache->id);
    }
    head->owner_word |= objects << 16;
    if (order)
        *slab_told(head) = 0;
    quire_tell_event(SLAB, head->pfn, order, cache->id, objects);
    map_fill(cache, head);
    char *base = slab_address(cache->slab, head) + cache->offset;
    if (quire_unlikely(cache_is_debugged(cache)))
        debug_slab_created(cache, head);
    if (quire_unlikely(cache->flags & QUIRE_SLAB_NO_SHEAVES) && cache->slab->pages_changed)
        cache->slab->pages_changed(cache->slab->pages_arg, slab_address(cache->slab, head),
                                   QUIRE_PAGE_SIZE << order, cache->size);
    if (cache->ctor)
        for (unsigned i = 0; i < objects; i++)
            cache->ctor(base + (size_t)i * cache->size);
    return head;
}

void slab_give_back(struct cache *cache, struct quire_page *head)
{
    unsigned order = slab_order(head);
    if (quire_unlikely(cache_is_debugged(cache)))
        debug_slab_ends(cache, head);
    if (quire_unlikely(cache->flags & QUIRE_SLAB_NO_SHEAVES) && cache->slab->pages_changed)
        cache->slab->pages_changed(cache->slab->pages_arg, slab_address(cache->slab, head),
                                   QUIRE_PAGE_SIZE << order, 0);
    for (unsigned i = 0; i < 1u << order; i++)
        quire_fetch_and(&head[i].flags, ~PAGE_SLAB_FLAGS);
    quire_free_pages(cache->slab->mem, head, order);
}
