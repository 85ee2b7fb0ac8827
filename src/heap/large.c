/* heap/large.c: blocks that are mappings of their own
 *
 * A block that a caller has is in a tree, by address. One that was freed is unmapped, or kept for
 * the next caller who wants about as much. How much may be kept is learned: each block that is
 * unmapped raises the allowance by its size, up to KEPT_BYTES. So what is allocated once is gone
 * when it is freed, and a server that takes and drops blocks over and over soon drops none.
 *
 *   bound   what is kept is at most the allowance, and a new mapping first ends kept ones of the
 *           same size together, the oldest first: so to keep blocks doesn't raise the most memory
 *           that a program takes. What nobody took for the decay time is unmapped, when large
 *           blocks come or go, or at a trim, and takes its part of the allowance along
 *   cost    O(log n) for n blocks, and O(kept) to look for one, MAX_KEPT at most
 */
#include "heap/internal.h"

#define KEPT_BYTES (256ul << 20)
#define MAX_KEPT 64u
#define SLACK_SHARE 8 /* a kept block may be larger than what is wanted by that share */

/* ---- the tree: large.lock is held ------------------------------------------------------------ */

static struct large *large_of(struct tree_node *node)
{
    return quire_container_of(node, struct large, node);
}

static struct large *find(struct quire_heap *heap, const void *at)
{
    struct tree_node *node = heap->large.tree.root;
    while (node && large_of(node)->at != at)
        node = node->child[(const char *)at > large_of(node)->at];
    return node ? large_of(node) : NULL;
}

static void enter(struct quire_heap *heap, struct large *block)
{
    struct large_blocks *large = &heap->large;
    struct tree_node **link = &large->tree.root, *parent = NULL;
    while (*link) {
        parent = *link;
        link = &parent->child[block->at > large_of(parent)->at];
    }
    tree_link(&large->tree, &block->node, parent, link);
    large->used += block->size;
    large->nr_used++;
    large->peak = large->used > large->peak ? large->used : large->peak;
    large->nr_peak = large->nr_used > large->nr_peak ? large->nr_used : large->nr_peak;
}

static void leave(struct quire_heap *heap, struct large *block)
{
    tree_unlink(&heap->large.tree, &block->node);
    heap->large.used -= block->size;
    heap->large.nr_used--;
}

/* ---- kept blocks: large.lock is held --------------------------------------------------------- */

static struct large *kept_of(struct list *link)
{
    return quire_container_of(link, struct large, link);
}

static void keep(struct quire_heap *heap, struct large *block)
{
    block->kept_since_ns = quire_port_clock_ns();
    list_add_tail(&heap->large.kept, &block->link);
    heap->large.kept_bytes += block->size;
    heap->large.nr_kept++;
}

static void take_kept(struct quire_heap *heap, struct large *block)
{
    list_del(&block->link);
    heap->large.kept_bytes -= block->size;
    heap->large.nr_kept--;
}

/* The one that fits best; among equals the last that was freed, whose memory is the warmest. */
static struct large *find_kept(struct quire_heap *heap, size_t size, size_t align)
{
    struct large *best = NULL;
    list_for_each (link, &heap->large.kept) {
        struct large *block = kept_of(link);
        if (block->size >= size && block->size - size <= size / SLACK_SHARE &&
            !((uintptr_t)block->at & (align - 1)) && (!best || block->size <= best->size))
            best = block;
    }
    return best;
}

/* Takes out what is to be unmapped: what is older than `until`, and the oldest up to `bytes`. */
static void take_oldest(struct quire_heap *heap, uint64_t until, size_t bytes, struct list *out)
{
    struct large_blocks *large = &heap->large;
    while (!list_empty(&large->kept)) {
        struct large *oldest = kept_of(large->kept.next);
        bool too_old = oldest->kept_since_ns <= until;
        if (!too_old && !bytes)
            return;
        take_kept(heap, oldest);
        list_add_tail(out, &oldest->link);
        if (too_old)
            large->allowance -= oldest->size < large->allowance ? oldest->size : large->allowance;
        else
            bytes -= oldest->size < bytes ? oldest->size : bytes;
    }
}

static uint64_t decayed(const struct quire_heap *heap)
{
    uint64_t now = quire_port_clock_ns();
    return now > heap->decay_ns ? now - heap->decay_ns : 0;
}

/* ---- mappings: without locks ----------------------------------------------------------------- */

static struct large *record_take(struct quire_heap *heap)
{
    void *record;
    size_t got, committed;
    do {
        committed = quire_load_relaxed(&heap->committed);
        got = quire_kmem_cache_take(heap->large.records, HEAP_GFP, 1, &record);
    } while (!got && heap_grow(heap, committed));
    return got ? record : NULL;
}

static void record_put(struct quire_heap *heap, struct large *record)
{
    void *object = record;
    quire_kmem_cache_put(heap->large.records, 1, &object);
}

static void unmap(struct quire_heap *heap, struct large *block)
{
    heap->ops.unmap(heap->ops_arg, block->at, block->size);
    count_heap_event(&heap->events.unmaps, 1);
    record_put(heap, block);
}

static size_t unmap_all(struct quire_heap *heap, struct list *out)
{
    size_t bytes = 0;
    while (!list_empty(out)) {
        struct large *block = kept_of(out->next);
        list_del(&block->link);
        bytes += block->size;
        unmap(heap, block);
    }
    return bytes;
}

/* When there is no memory, what is kept goes, and then once more. */
static char *map(struct quire_heap *heap, size_t size, size_t align)
{
    char *at = heap->ops.map(heap->ops_arg, size, align);
    if (!at && large_release(heap, true))
        at = heap->ops.map(heap->ops_arg, size, align);
    if (at)
        count_heap_event(&heap->events.maps, 1);
    return at;
}

static void *map_new(struct quire_heap *heap, size_t size, size_t align)
{
    struct large *block = record_take(heap);
    char *at = block ? map(heap, size, align) : NULL;
    if (!at) {
        if (block)
            record_put(heap, block);
        return NULL;
    }
    *block = (struct large){.at = at, .size = size};
    heap_lock(&heap->large.lock);
    enter(heap, block);
    heap_unlock(&heap->large.lock);
    return at;
}

/* ---- allocating and freeing ------------------------------------------------------------------ */

void *large_alloc(struct quire_heap *heap, size_t size, size_t align, bool *is_zero)
{
    struct list out;
    *is_zero = false;
    if (size > PTRDIFF_MAX - QUIRE_PAGE_SIZE || !heap->ops.map)
        return NULL;
    size = (size_t)quire_align_up(size ? size : 1, QUIRE_PAGE_SIZE);
    list_init(&out);
    heap_lock(&heap->large.lock);
    struct large *kept = find_kept(heap, size, align);
    void *at = kept ? kept->at : NULL;
    if (kept) {
        take_kept(heap, kept);
        enter(heap, kept);
    } else if (heap->large.nr_kept) {
        take_oldest(heap, decayed(heap), size, &out);
    }
    heap_unlock(&heap->large.lock);
    unmap_all(heap, &out);
    if (at) {
        count_heap_event(&heap->events.reused, 1);
        return at;
    }
    *is_zero = true;
    return map_new(heap, size, align);
}

/* Whether the block is to be kept; else its size is allowed the next time. */
static bool keep_if_allowed(struct quire_heap *heap, struct large *block)
{
    struct large_blocks *large = &heap->large;
    if (large->nr_kept < MAX_KEPT && large->kept_bytes + block->size <= large->allowance) {
        keep(heap, block);
        return true;
    }
    size_t room = KEPT_BYTES - large->allowance;
    large->allowance += block->size < room ? block->size : room;
    return false;
}

bool large_free(struct quire_heap *heap, void *ptr)
{
    struct list out;
    list_init(&out);
    heap_lock(&heap->large.lock);
    struct large *block = find(heap, ptr);
    if (!block) {
        heap_unlock(&heap->large.lock);
        return false;
    }
    leave(heap, block);
    block->is_grown = false;
    if (!keep_if_allowed(heap, block))
        list_add_tail(&out, &block->link);
    if (heap->large.nr_kept)
        take_oldest(heap, decayed(heap), 0, &out);
    heap_unlock(&heap->large.lock);
    unmap_all(heap, &out);
    return true;
}

size_t large_size(struct quire_heap *heap, const void *ptr)
{
    heap_lock(&heap->large.lock);
    struct large *block = find(heap, ptr);
    size_t size = block ? block->size : 0;
    heap_unlock(&heap->large.lock);
    return size;
}

/* What grows once is likely to grow again: then it gets some addresses more than it needs, which
 * take no memory before they are written. */
static size_t grown_size(const struct large *block, size_t size)
{
    size_t more = block->is_grown ? size / SLACK_SHARE : 0;
    return (size_t)quire_align_up(size + more, QUIRE_PAGE_SIZE);
}

void *large_resize(struct quire_heap *heap, void *ptr, size_t size)
{
    if (size > PTRDIFF_MAX / 2 || !heap->ops.remap)
        return NULL;
    heap_lock(&heap->large.lock);
    struct large *block = find(heap, ptr);
    size_t had = block ? block->size : 0;
    size_t wanted = (size_t)quire_align_up(size, QUIRE_PAGE_SIZE);
    bool stays = !block || (wanted <= had && had - wanted <= wanted / SLACK_SHARE);
    if (!stays)
        leave(heap, block);
    heap_unlock(&heap->large.lock);
    if (stays)
        return block ? ptr : NULL;
    if (wanted > had)
        wanted = grown_size(block, wanted);
    char *at = heap->ops.remap(heap->ops_arg, ptr, had, wanted, true);
    if (at) {
        block->is_grown = wanted > had;
        block->at = at;
        block->size = wanted;
    }
    heap_lock(&heap->large.lock);
    enter(heap, block);
    heap_unlock(&heap->large.lock);
    return at;
}

/* ---- giving back, beginning and end ---------------------------------------------------------- */

size_t large_release(struct quire_heap *heap, bool all)
{
    struct list out;
    list_init(&out);
    heap_lock(&heap->large.lock);
    take_oldest(heap, all ? UINT64_MAX : decayed(heap), 0, &out);
    heap_unlock(&heap->large.lock);
    return unmap_all(heap, &out);
}

int large_init(struct quire_heap *heap)
{
    list_init(&heap->large.kept);
    heap->large.records =
        quire_kmem_cache_create(heap->slab, "heap-large", sizeof(struct large), 0,
                                QUIRE_SLAB_NO_SHEAVES | QUIRE_SLAB_NO_MERGE, NULL);
    return heap->large.records ? 0 : -QUIRE_ENOMEM;
}

void large_end(struct quire_heap *heap)
{
    (void)large_release(heap, true);
    struct tree_node *node;
    while ((node = heap->large.tree.root)) {
        struct large *block = large_of(node);
        leave(heap, block);
        unmap(heap, block);
    }
}
