/* slab/put.c: many objects back into their slabs
 *
 * What CPUs' sheaves and threads' stacks don't keep comes here, in the order in which it was freed.
 * Often some objects that follow each other share a word of a slab's map: they are put back with
 * one look at the slab's head and at the lists. What goes round between threads is put back one by
 * one.
 *
 *   bound       on x86-64, 16 instructions for an object, and some 130 for each time that the next
 *               one is of another word
 */
#include "slab/page.h"

static void misfit(struct aftermath *after, void *object, const char *what)
{
    if (after->nr_misfits < MAX_MISFITS)
        after->misfit[after->nr_misfits] = (struct misfit){what, object};
    after->nr_misfits++;
}

/* What shares a word of a slab's map. */
struct slab_word {
    uint64_t *bits;
    const char *first; /* object */
    size_t bytes;      /* of all its objects */
};

/* Puts those objects back that begin the array and are of the word, which stays in a register, so
 * that they don't wait for each other's stores; where the next one is. */
static QUIRE_ALWAYS_INLINE void **put_word(const struct cache *cache, struct slab_word word,
                                           void **objects, void **end, unsigned *freed,
                                           struct aftermath *after)
{
    const uint64_t size = cache->size, reciprocal = cache->reciprocal;
    uint64_t bits = *word.bits;
    unsigned misfits = 0;
    void **next = objects;
    do {
        uint64_t offset = (size_t)((const char *)*next - word.first);
        if (offset >= word.bytes)
            break;
        uint64_t index = offset * reciprocal >> 32, with = bits | (uint64_t)1 << index;
        if (quire_unlikely(index * size != offset) || quire_unlikely(with == bits)) {
            misfit(after, *next, "free of what is free, or begins no object");
            misfits++;
            continue;
        }
        bits = with;
    } while (++next < end);
    *word.bits = bits;
    *freed = (unsigned)(next - objects) - misfits;
    return next;
}

/* Of a slab of many objects, whose all `word` has: the one that has the object `offset` bytes
 * behind the first. Its number. */
static QUIRE_ALWAYS_INLINE size_t find_word(const struct cache *cache,
                                            const struct quire_page *head, size_t offset,
                                            struct slab_word *word)
{
    size_t number = object_index(cache, (uint32_t)offset) / BITS_PER_WORD;
    size_t bytes = BITS_PER_WORD * (size_t)cache->size, before = number * bytes;
    word->bits = &slab_map(cache->slab, head)[number];
    word->first += before;
    word->bytes -= before;
    word->bytes = word->bytes < bytes ? word->bytes : bytes;
    return number;
}

/* The first object is `at` bytes into `page`; if it is none of the cache's nothing is put back. */
static QUIRE_ALWAYS_INLINE void **put_run(struct cache *cache, struct cache_node *node,
                                          struct quire_page *page, size_t at, void **objects,
                                          void **end, struct aftermath *after)
{
    uint32_t flags = page_flags(page);
    struct quire_page *head = page_find_slab_by(cache, page, flags);
    if (quire_unlikely(!head))
        return objects;
    size_t offset = at + ((size_t)index_of_flags(flags) << QUIRE_PAGE_SHIFT) - cache->offset;
    size_t objects_of_slab = slab_objects(head), bytes = objects_of_slab * cache->size;
    if (quire_unlikely(offset >= bytes))
        return objects;
    struct slab_word word = {&head->owner.word[0], (const char *)*objects - offset, bytes};
    const uint64_t had = head->owner.word[0];
    bool was_full, is_empty;
    unsigned freed;
    if (has_small_map(head)) {
        objects = put_word(cache, word, objects, end, &freed, after);
        was_full = !had;
        is_empty = head->owner.word[0] == quire_mask64((unsigned)objects_of_slab);
    } else {
        size_t number = find_word(cache, head, offset, &word);
        objects = put_word(cache, word, objects, end, &freed, after);
        uint64_t has = slab_count_put(had, freed, number);
        head->owner.word[0] = has;
        was_full = !(uint32_t)had;
        is_empty = (uint32_t)has == objects_of_slab;
    }
    quire_count(&node->nr_free, freed);
    if (quire_unlikely(was_full || is_empty) && freed)
        node_move_slab(cache, node, head, was_full);
    return objects;
}

static void put_end(struct cache *cache, struct cache_node *node, quire_port_irq_t irq,
                    struct aftermath *after)
{
    node_trim_usual(cache, node, &after->slabs);
    slab_unlock(&node->lock, irq);
}

void slabs_put(struct cache *cache, void **objects, size_t count, struct aftermath *after)
{
    struct cache_node *locked = NULL;
    quire_port_irq_t irq = 0;
    void **end = objects + count, **next;
    for (; objects < end; objects = next) {
        struct quire_page *page;
        struct cache_node *node = NULL;
        /* The direct map may begin within a page. */
        quire_phys_t phys = quire_port_virt_to_phys(cache->slab->port, *objects);
        size_t at = (size_t)phys % QUIRE_PAGE_SIZE;
        if (object_page(cache->slab, *objects, &page))
            node = node_of_page(cache, page);
        if (node && node != locked) {
            if (locked)
                put_end(cache, locked, irq, after);
            irq = slab_lock(&node->lock);
            locked = node;
        }
        next = node ? put_run(cache, node, page, at, objects, end, after) : objects;
        if (quire_unlikely(next == objects))
            misfit(after, *next++, "free of what is no object of this cache");
    }
    if (locked)
        put_end(cache, locked, irq, after);
}
