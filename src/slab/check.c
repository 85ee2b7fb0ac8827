/* slab/check.c: every invariant that can be checked while all is still */
#include "slab/cpu.h"
#include "slab/page.h"

/* What a walk along a node's slabs adds up. */
struct walk {
    unsigned long slabs, pages, objects, free, told;
};

static void check_pages(const struct cache *cache, const struct quire_page *head)
{
    unsigned order = slab_order(head);
    QUIRE_BUG_ON(quire_page_order(head) != order || quire_page_count(head) != 1);
    QUIRE_BUG_ON(slab_objects(head) != slab_capacity(cache, order));
    for (unsigned i = 0; i < 1u << order; i++) {
        QUIRE_BUG_ON(!(page_flags(&head[i]) & QUIRE_PAGE_SLAB));
        QUIRE_BUG_ON(page_cache_id(&head[i]) != cache->id);
        QUIRE_BUG_ON(page_head((struct quire_page *)(uintptr_t)&head[i]) != head);
    }
}

/* A large map's count is that of its bits, of which there are none beyond the objects. */
static unsigned check_map(const struct cache *cache, const struct quire_page *head)
{
    unsigned objects = slab_objects(head), words = (objects + BITS_PER_WORD - 1) / BITS_PER_WORD;
    const uint64_t *map =
        objects <= BITS_PER_WORD ? &head->owner.word[0] : slab_map(cache->slab, head);
    unsigned free = 0;
    for (unsigned i = 0; i < objects; i++)
        free += slab_object_is_free(cache, head, i);
    if (objects % BITS_PER_WORD)
        QUIRE_BUG_ON(map[words - 1] & ~quire_mask64(objects % BITS_PER_WORD));
    QUIRE_BUG_ON(free != slab_free_objects(head));
    return free;
}

/* Pages that the port may take hold nothing. */
static unsigned check_told(const struct cache *cache, struct quire_page *head)
{
    uint64_t told = slab_order(head) ? *slab_told(head) : 0;
    for (unsigned i = 0; i < slab_objects(head); i++) {
        uint32_t start = i * cache->size, last = start + cache->size - 1;
        for (uint32_t page = start >> QUIRE_PAGE_SHIFT; page <= last >> QUIRE_PAGE_SHIFT; page++)
            QUIRE_BUG_ON(told >> page & 1 && !slab_object_is_free(cache, head, i));
    }
    return quire_popcount64(told);
}

static void check_slab(const struct cache *cache, struct quire_page *head, struct walk *walk)
{
    check_pages(cache, head);
    walk->slabs++;
    walk->pages += 1ul << slab_order(head);
    walk->objects += slab_objects(head);
    walk->free += check_map(cache, head);
    walk->told += check_told(cache, head);
}

/* The empty ones are the last. */
static void check_partial(struct cache *cache, struct cache_node *node, struct walk *walk)
{
    unsigned empty = 0;
    for (struct quire_page *head = slab_list_first(cache, &node->partial); head;
         head = slab_list_next(cache, head)) {
        unsigned free = slab_free_objects(head);
        QUIRE_BUG_ON(!free);
        QUIRE_BUG_ON(empty && free != slab_objects(head));
        empty += free == slab_objects(head);
        check_slab(cache, head, walk);
    }
    QUIRE_BUG_ON(empty != node->nr_empty);
    QUIRE_BUG_ON(walk->slabs - empty != node->nr_partial);
}

static void check_node(struct cache *cache, struct cache_node *node)
{
    struct walk walk = {0};
    check_partial(cache, node, &walk);
    QUIRE_BUG_ON(walk.free != node->nr_free);
    for (struct quire_page *head = slab_list_first(cache, &node->full); head;
         head = slab_list_next(cache, head)) {
        QUIRE_BUG_ON(slab_free_objects(head) || !cache_is_debugged(cache));
        check_slab(cache, head, &walk);
    }
    QUIRE_BUG_ON(walk.told > node->nr_told); /* the rest is in full slabs: pages behind objects */
    QUIRE_BUG_ON(walk.slabs > node->nr_slabs || walk.pages > node->nr_pages);
    QUIRE_BUG_ON(cache_is_debugged(cache) &&
                 (walk.slabs != node->nr_slabs || walk.objects != node->nr_objects));
}

/* An object in a sheaf is allocated from its slab. */
static void check_objects(struct cache *cache, void **objects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct quire_page *page;
        QUIRE_BUG_ON(!object_page_checked(cache->slab, objects[i], &page));
        QUIRE_BUG_ON(!(page_flags(page) & QUIRE_PAGE_SLAB) || page_cache_id(page) != cache->id);
        struct quire_page *head = page_head(page);
        uint32_t at = (uint32_t)((char *)objects[i] - slab_address(cache->slab, head));
        QUIRE_BUG_ON(at % cache->size != cache->offset);
        QUIRE_BUG_ON(object_index(cache, at) != at / cache->size);
        QUIRE_BUG_ON(slab_object_is_free(cache, head, at / cache->size));
    }
}

static void check_barn(struct cache *cache, struct barn *barn)
{
    unsigned full = 0, empty = 0;
    for (struct sheaf *sheaf = barn->full; sheaf; sheaf = sheaf->next, full++) {
        QUIRE_BUG_ON(sheaf->count != cache->sheaf_capacity);
        check_objects(cache, sheaf->slot, sheaf->count);
    }
    for (struct sheaf *sheaf = barn->empty; sheaf; sheaf = sheaf->next, empty++)
        QUIRE_BUG_ON(sheaf->count);
    QUIRE_BUG_ON(full != barn->nr_full || empty != barn->nr_empty);
    QUIRE_BUG_ON(full > cache->barn_limit || empty > cache->barn_limit);
}

static void check_shelf(struct cache *cache, const struct shelf *shelf)
{
    if (!shelf->base) {
        QUIRE_BUG_ON(shelf->top || shelf->end || shelf->spare);
        return;
    }
    QUIRE_BUG_ON(shelf->end != shelf->base + cache->sheaf_capacity);
    QUIRE_BUG_ON(shelf->top < shelf->base || shelf->top > shelf->end);
    check_objects(cache, shelf->base, (size_t)(shelf->top - shelf->base));
    if (!shelf->spare)
        return;
    QUIRE_BUG_ON(shelf->spare->count && shelf->spare->count != cache->sheaf_capacity);
    check_objects(cache, shelf->spare->slot, shelf->spare->count);
}

void quire_slab_check(struct quire_slab *slab)
{
    for_each_cache (slab, cache) {
        QUIRE_BUG_ON(slab->cache[cache->id] != cache || !cache->users);
        for (unsigned node = 0; node < slab->nr_nodes; node++) {
            check_node(cache, &cache->node[node]);
            check_barn(cache, &cache->node[node].barn);
        }
        for (unsigned cpu = 0; cpu < slab->nr_cpus; cpu++) {
            QUIRE_BUG_ON(slab->cpu[cpu]->hidden || slab->cpu[cpu]->busy);
            check_shelf(cache, &slab->cpu[cpu]->own[cache->id]);
        }
    }
    QUIRE_BUG_ON(slab->no_cpu->rack != slab->no_rack);
    for (unsigned id = 0; id < slab->max_caches; id++)
        QUIRE_BUG_ON(slab->no_rack[id].top || slab->no_rack[id].base || slab->no_rack[id].end);
}
