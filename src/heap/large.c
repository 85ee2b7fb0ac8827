/* heap/large.c: blocks that are mappings of their own
 *
 * A block that a caller has is in a tree, by address. One that was freed is unmapped, or kept for
 * the next caller (kept.c). How much may be kept is learned: each block that is unmapped raises the
 * allowance by its size. So what is allocated once is gone when it is freed, and a server that
 * takes and drops blocks over and over soon drops none, and comes here no more (regular.c).
 *
 * When no kept block is large enough the largest grows, by a mapping that is moved; what it has
 * isn't faulted again.
 *
 *   bound   what is kept is at most the allowance, and a new mapping first ends kept ones of the
 *           same size together, the oldest first: so to keep blocks doesn't raise the most memory
 *           that a program takes. What nobody took for the decay time is unmapped, when large
 *           blocks come or go, or free pages are given back, and takes its part of the allowance
 *           along
 *   cost    O(log n) for n blocks, and O(kept) to look for one
 */
#include "heap/large.h"

#define MOST_MAPPED_THRESHOLD (32ul << 20)
#define ROOM_TO_GROW 4 /* a block that grows moves to a kept one that is larger by that */
/* No size of a class of blocks, by which pages of slabs are told: see slab_pages_changed. */
#define RECORD_BYTES                                                                               \
    (sizeof(struct large) + (sizeof(struct large) % MIN_ALIGN ? 0 : sizeof(void *)))

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

static void count(struct large_blocks *large, struct large *block)
{
    large->used += block->asked;
    large->peak = large->used > large->peak ? large->used : large->peak;
    block->is_mapped =
        block->asked >= large->mapped_threshold && large->nr_mapped < large->most_mapped;
    if (!block->is_mapped)
        return;
    large->mapped += block->asked;
    large->nr_mapped++;
    if (large->mapped > large->peak_mapped)
        large->peak_mapped = large->mapped;
    if (large->nr_mapped > large->nr_peak_mapped)
        large->nr_peak_mapped = large->nr_mapped;
}

static void uncount(struct large_blocks *large, const struct large *block)
{
    large->used -= block->asked;
    if (!block->is_mapped)
        return;
    large->mapped -= block->asked;
    large->nr_mapped--;
}

void large_enter(struct quire_heap *heap, struct large *block)
{
    struct large_blocks *large = &heap->large;
    struct tree_node **link = &large->tree.root, *parent = NULL;
    while (*link) {
        parent = *link;
        link = &parent->child[block->at > large_of(parent)->at];
    }
    tree_link(&large->tree, &block->node, parent, link);
    large->nr_used++;
    count(large, block);
}

void large_leave(struct quire_heap *heap, struct large *block)
{
    tree_unlink(&heap->large.tree, &block->node);
    heap->large.nr_used--;
    uncount(&heap->large, block);
}

void large_recount(struct quire_heap *heap, struct large *block, size_t asked)
{
    if (block->asked == asked)
        return;
    uncount(&heap->large, block);
    block->asked = asked;
    count(&heap->large, block);
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
    large_count_unmap(heap, block->size);
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
        large_count_map(heap, size);
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
    *block = (struct large){.at = at, .size = size, .asked = size};
    uint64_t now = quire_port_clock_ns();
    heap_lock(&heap->large.lock);
    heap->large.mapped_ns = now;
    large_enter(heap, block);
    heap_unlock(&heap->large.lock);
    heap_note_growth(heap);
    return at;
}

/* ---- allocating and freeing ------------------------------------------------------------------ */

static void put_spare(struct quire_heap *heap, struct list *spare)
{
    while (!list_empty(spare)) {
        struct large *record = kept_of(spare->next);
        list_del(&record->link);
        record_put(heap, record);
    }
}

/* What is older than that at `now` is to go. */
static uint64_t decayed(const struct quire_heap *heap, uint64_t now)
{
    return now > heap_decay_ns(heap) ? now - heap_decay_ns(heap) : 0;
}

/* What blocks are lent is kept from now on. */
static void end_loans(struct quire_heap *heap, struct regular_filter which)
{
    struct large *record;
    struct list records, spare;
    list_init(&records);
    list_init(&spare);
    heap_lock(&heap->large.lock);
    unsigned wanted = regular_nr_lent(heap, which);
    heap_unlock(&heap->large.lock);
    while (wanted-- && (record = record_take(heap)))
        list_add_tail(&records, &record->link);
    uint64_t now = quire_port_clock_ns();
    heap_lock(&heap->large.lock);
    regular_end_loans(heap, which, now, &records, &spare);
    heap_unlock(&heap->large.lock);
    put_spare(heap, &records);
    put_spare(heap, &spare);
}

/* A kept block with room, and if there is none, one that came and went without us. */
static struct large *find_kept(struct quire_heap *heap, size_t size, size_t align,
                               struct list *spare)
{
    struct large *kept = kept_find(heap, size, align);
    if (kept || !heap->large.regulars)
        return kept;
    regular_recall(heap, quire_port_clock_ns(), spare);
    return kept_find(heap, size, align);
}

/* Gives a kept block to a caller, without what is more than `room` of it. It was taken before. */
static void use_kept(struct quire_heap *heap, struct large *kept, size_t size, size_t room,
                     struct large **rest)
{
    if (kept_take_part(heap, kept, room, *rest))
        *rest = NULL;
    kept->asked = size;
    large_enter(heap, kept);
    regular_add(heap, kept);
}

/* A kept block for a caller; NULL: none has room. Then `*grow` is one that may be made larger, out
 * of all lists, or NULL, and what is to be unmapped is in `out`. */
static struct large *reuse(struct quire_heap *heap, size_t size, size_t align, struct large **rest,
                           struct large **grow, struct list *out)
{
    struct large *kept = kept_find(heap, size, align);
    if (kept) {
        use_kept(heap, kept, size, size, rest);
        return kept;
    }
    *grow = kept_find_to_grow(heap, size, align);
    if (*grow)
        kept_take(heap, *grow);
    else
        kept_take_oldest(heap, decayed(heap, quire_port_clock_ns()), size, out);
    return NULL;
}

/* Makes a kept block as large as wanted; NULL: it can't be, and is unmapped. */
static void *grow_kept(struct quire_heap *heap, struct large *block, size_t size)
{
    char *at = heap->ops.remap(heap->ops_arg, block->at, block->size, size, true);
    if (!at) {
        unmap(heap, block);
        return NULL;
    }
    size_t had = block->size;
    *block = (struct large){.at = at, .size = size, .asked = size};
    heap_lock(&heap->large.lock);
    large_enter(heap, block);
    heap_unlock(&heap->large.lock);
    large_count_reuse(heap, size, 1);
    large_count_resize(heap, had, size);
    return at;
}

static void *alloc_from_kept(struct quire_heap *heap, size_t size, size_t align)
{
    struct list out, spare;
    struct large *grow = NULL, *rest = NULL;
    list_init(&out);
    list_init(&spare);
    heap_lock(&heap->large.lock);
    struct large *first = find_kept(heap, size, align, &spare);
    if (!first && regular_nr_lent(heap, (struct regular_filter){0})) {
        heap_unlock(&heap->large.lock);
        end_loans(heap, (struct regular_filter){0});
        heap_lock(&heap->large.lock);
        first = kept_find(heap, size, align);
    }
    if (first && is_to_cut(first->size, size)) { /* seldom: a record is needed, and a second look */
        heap_unlock(&heap->large.lock);
        rest = record_take(heap);
        heap_lock(&heap->large.lock);
    }
    struct large *kept = reuse(heap, size, align, &rest, &grow, &out);
    void *at = kept ? kept->at : NULL;
    heap_unlock(&heap->large.lock);
    if (rest)
        record_put(heap, rest);
    (void)unmap_all(heap, &out);
    put_spare(heap, &spare);
    if (at)
        large_count_reuse(heap, size, 1);
    return grow ? grow_kept(heap, grow, size) : at;
}

/* Half of what it may grow into is its own at once. */
void *large_alloc_to_grow(struct quire_heap *heap, size_t size)
{
    size_t least = ROOM_TO_GROW * size;
    if (!large_has_kept(heap))
        return NULL;
    struct list spare;
    list_init(&spare);
    struct large *rest = record_take(heap);
    size = (size_t)quire_align_up(size, QUIRE_PAGE_SIZE);
    heap_lock(&heap->large.lock);
    struct large *kept = rest ? find_kept(heap, least + LEAST_REST, QUIRE_PAGE_SIZE, &spare) : NULL;
    if (kept) {
        use_kept(heap, kept, size, ROOM_TO_GROW / 2 * size, &rest);
        kept->is_grown = true;
    }
    void *at = kept ? kept->at : NULL;
    heap_unlock(&heap->large.lock);
    if (rest)
        record_put(heap, rest);
    put_spare(heap, &spare);
    if (at)
        large_count_reuse(heap, size, 1);
    return at;
}

void *large_alloc(struct quire_heap *heap, size_t size, size_t align, bool *is_zero)
{
    *is_zero = false;
    if (size > PTRDIFF_MAX - QUIRE_PAGE_SIZE || !heap->ops.map)
        return NULL;
    size = (size_t)quire_align_up(size ? size : 1, QUIRE_PAGE_SIZE);
    void *at = large_has_kept(heap) ? alloc_from_kept(heap, size, align) : NULL;
    if (at)
        return at;
    *is_zero = true;
    return map_new(heap, size, align);
}

/* glibc's rule: what a program frees it is likely to want again. */
static void raise_threshold(struct large_blocks *large, const struct large *block)
{
    if (block->is_mapped && !large->is_fixed && block->size > large->mapped_threshold &&
        block->size <= MOST_MAPPED_THRESHOLD)
        large->mapped_threshold = block->size;
}

/* True: loans are to end first, without the lock. */
static bool take_idle(struct quire_heap *heap, uint64_t now, struct list *out)
{
    if (regular_loans_are_due(heap, now))
        return true;
    regular_take_idle(heap, now, out);
    return false;
}

/* Its next owner may have it without our knowing: so what is idle is looked for here, too. */
bool large_free(struct quire_heap *heap, void *ptr)
{
    struct list out, spare;
    list_init(&out);
    list_init(&spare);
    heap_lock(&heap->large.lock);
    struct large *block = find(heap, ptr);
    if (!block || !regular_leave(heap, block)) {
        heap_unlock(&heap->large.lock);
        return false;
    }
    large_leave(heap, block);
    raise_threshold(&heap->large, block);
    uint64_t now = quire_port_clock_ns();
    if (kept_has_room(heap, block->size))
        kept_add(heap, block, now, &spare);
    else
        list_add_tail(&out, &block->link);
    kept_take_oldest(heap, decayed(heap, now), 0, &out);
    bool due = take_idle(heap, now, &out);
    heap_unlock(&heap->large.lock);
    (void)unmap_all(heap, &out);
    put_spare(heap, &spare);
    if (due)
        end_loans(heap, (struct regular_filter){.idle = true});
    return true;
}

size_t large_size(struct quire_heap *heap, const void *ptr)
{
    heap_lock(&heap->large.lock);
    struct large *block = find(heap, ptr);
    size_t size = block && !regular_is_free(heap, block) ? regular_size(heap, block) : 0;
    heap_unlock(&heap->large.lock);
    return size;
}

/* ---- resizing -------------------------------------------------------------------------------- */

/* What grows once is likely to grow again: then it gets some addresses more than it needs, which
 * take no memory before they are written. */
static size_t grown_size(const struct large *block, size_t size)
{
    size_t more = block->is_grown ? size / SLACK_SHARE : 0;
    return (size_t)quire_align_up(size + more, QUIRE_PAGE_SIZE);
}

/* Whether it is as large as wanted where it is. Of what is kept behind it, which may take memory
 * already, it gets half as much again: so that the next steps are none. */
static bool resize_in_place(struct quire_heap *heap, struct large *block, size_t wanted,
                            struct list *spare)
{
    if (wanted > block->size) {
        kept_grow(heap, block, wanted - block->size,
                  (size_t)quire_align_down(wanted / 2, QUIRE_PAGE_SIZE), spare);
        block->is_grown |= wanted <= block->size;
    }
    size_t has = block->size;
    if (wanted > has || (wanted < block->asked && has - wanted > wanted / SLACK_SHARE))
        return false;
    large_recount(heap, block, wanted);
    if (block->is_grown)
        regular_add(heap, block);
    return true;
}

void *large_resize(struct quire_heap *heap, void *ptr, size_t size)
{
    if (size > PTRDIFF_MAX / 2 || !heap->ops.remap)
        return NULL;
    struct list spare;
    list_init(&spare);
    heap_lock(&heap->large.lock);
    struct large *block = find(heap, ptr);
    size_t wanted = (size_t)quire_align_up(size, QUIRE_PAGE_SIZE);
    if (block && block->regular &&
        wanted <= block->size) { /* what it is lent isn't to be unmapped */
        heap_unlock(&heap->large.lock);
        end_loans(heap, (struct regular_filter){.at = ptr});
        heap_lock(&heap->large.lock);
        block = find(heap, ptr);
    }
    if (block && !regular_leave(heap, block))
        block = NULL;
    bool stays = block && resize_in_place(heap, block, wanted, &spare);
    if (block && !stays)
        large_leave(heap, block);
    heap_unlock(&heap->large.lock);
    put_spare(heap, &spare);
    if (!block || stays)
        return block ? ptr : NULL;
    size_t had = block->size, mapped = wanted > had ? grown_size(block, wanted) : wanted;
    char *at = heap->ops.remap(heap->ops_arg, ptr, had, mapped, true);
    if (at) {
        large_count_resize(heap, had, mapped);
        block->is_grown = wanted > had;
        block->at = at;
        block->size = mapped;
        block->asked = wanted;
    }
    heap_lock(&heap->large.lock);
    large_enter(heap, block);
    heap_unlock(&heap->large.lock);
    return at;
}

/* ---- giving back, beginning and end ---------------------------------------------------------- */

size_t large_release(struct quire_heap *heap, bool all)
{
    bool due = false;
    struct list out, spare;
    list_init(&out);
    list_init(&spare);
    if (all)
        end_loans(heap, (struct regular_filter){0});
    heap_lock(&heap->large.lock);
    uint64_t now = quire_port_clock_ns();
    if (all)
        regular_recall(heap, now, &spare);
    else
        due = take_idle(heap, now, &out);
    kept_take_oldest(heap, all ? UINT64_MAX : decayed(heap, now), 0, &out);
    heap_unlock(&heap->large.lock);
    put_spare(heap, &spare);
    if (due)
        end_loans(heap, (struct regular_filter){.idle = true});
    return unmap_all(heap, &out);
}

void large_release_oldest(struct quire_heap *heap, size_t bytes)
{
    struct list out, spare;
    list_init(&out);
    list_init(&spare);
    if (!large_has_kept(heap))
        return;
    heap_lock(&heap->large.lock);
    if (heap->large.kept_bytes < bytes && heap->large.regulars)
        regular_recall(heap, quire_port_clock_ns(), &spare);
    struct large_part part = kept_cut_oldest(heap, bytes, &out);
    heap_unlock(&heap->large.lock);
    if (part.size) {
        heap->ops.unmap(heap->ops_arg, part.at, part.size);
        large_count_cut(heap, part.left + part.size, part.size);
    }
    (void)unmap_all(heap, &out);
    put_spare(heap, &spare);
}

int large_init(struct quire_heap *heap)
{
    list_init(&heap->large.kept);
    heap->large.records =
        quire_kmem_cache_create(heap->slab, "heap-large", RECORD_BYTES, 0,
                                QUIRE_SLAB_NO_SHEAVES | QUIRE_SLAB_NO_MERGE, NULL);
    return heap->large.records ? 0 : -QUIRE_ENOMEM;
}

void large_end(struct quire_heap *heap)
{
    (void)large_release(heap, true);
    struct tree_node *node;
    while ((node = heap->large.tree.root)) {
        struct large *block = large_of(node);
        large_leave(heap, block);
        unmap(heap, block);
    }
}
