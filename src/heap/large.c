/* heap/large.c: blocks that are mappings of their own
 *
 * A block that a caller has is in a tree, by address. One that was freed is unmapped, or kept for
 * the next caller. How much may be kept is learned: each block that is unmapped raises the
 * allowance by its size, up to KEPT_BYTES. So what is allocated once is gone when it is freed, and
 * a server that takes and drops blocks over and over soon drops none.
 *
 * Kept blocks are cut where they are larger than what is wanted, and joined with those beside them:
 * that is our own book-keeping, since the system lets any part of a mapping be unmapped. When none
 * is large enough the largest grows, by a mapping that is moved; what it has isn't faulted again.
 *
 *   bound   what is kept is at most the allowance, and a new mapping first ends kept ones of the
 *           same size together, the oldest first: so to keep blocks doesn't raise the most memory
 *           that a program takes. What nobody took for the decay time is unmapped, when large
 *           blocks come or go, or free pages are given back, and takes its part of the allowance
 *           along
 *   cost    O(log n) for n blocks, and O(kept) to look for one, MAX_KEPT at most
 */
#include "heap/internal.h"

#define KEPT_BYTES (256ul << 20)
#define MAX_KEPT 64u
#define MOST_MAPPED_THRESHOLD (32ul << 20)
#define ROOM_TO_GROW 4 /* a block that grows moves to a kept one that is larger by that */
#define SLACK_SHARE 8  /* a block may be larger than what is wanted by that share */
/* No size of a class of blocks, by which pages of slabs are told: see slab_pages_changed. */
#define RECORD_BYTES                                                                               \
    (sizeof(struct large) + (sizeof(struct large) % MIN_ALIGN ? 0 : sizeof(void *)))
#define LEAST_REST ((size_t)NR_RUNS << QUIRE_PAGE_SHIFT) /* what is cut off is no less */

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

static void count_mapped(struct large_blocks *large, struct large *block)
{
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

static void uncount_mapped(struct large_blocks *large, const struct large *block)
{
    if (!block->is_mapped)
        return;
    large->mapped -= block->asked;
    large->nr_mapped--;
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
    large->used += block->asked;
    large->nr_used++;
    large->peak = large->used > large->peak ? large->used : large->peak;
    count_mapped(large, block);
}

static void leave(struct quire_heap *heap, struct large *block)
{
    tree_unlink(&heap->large.tree, &block->node);
    heap->large.used -= block->asked;
    heap->large.nr_used--;
    uncount_mapped(&heap->large, block);
}

/* ---- kept blocks: large.lock is held --------------------------------------------------------- */

static struct large *kept_of(struct list *link)
{
    return quire_container_of(link, struct large, link);
}

static void take_kept(struct quire_heap *heap, struct large *block)
{
    list_del(&block->link);
    heap->large.kept_bytes -= block->size;
    quire_store_relaxed(&heap->large.nr_kept, heap->large.nr_kept - 1);
}

/* Before the one at `place`, which is younger, or the end. */
static void add_kept_at(struct quire_heap *heap, struct large *block, struct list *place)
{
    list_add_tail(place, &block->link);
    heap->large.kept_bytes += block->size;
    quire_store_relaxed(&heap->large.nr_kept, heap->large.nr_kept + 1);
}

/* Joins `block` with the kept one that lies beside it, whose record it returns; NULL: none does. */
static struct large *join(struct quire_heap *heap, struct large *block)
{
    list_for_each (link, &heap->large.kept) {
        struct large *other = kept_of(link);
        bool below = other->at + other->size == block->at;
        if (!below && block->at + block->size != other->at)
            continue;
        take_kept(heap, other);
        block->at = below ? other->at : block->at;
        block->size += other->size;
        return other;
    }
    return NULL;
}

/* The records that joining leaves over go to `spare`, linked as lists are. */
static void keep(struct quire_heap *heap, struct large *block, uint64_t now, struct list *spare)
{
    struct large *other;
    while ((other = join(heap, block)))
        list_add_tail(spare, &other->link);
    block->kept_since_ns = now;
    add_kept_at(heap, block, &heap->large.kept);
}

static bool is_aligned(const struct large *block, size_t align)
{
    return !((uintptr_t)block->at & (align - 1));
}

/* The smallest that has room, the last freed among equals, whose memory is the warmest. */
static struct large *find_kept(struct quire_heap *heap, size_t size, size_t align)
{
    struct large *best = NULL;
    list_for_each (link, &heap->large.kept) {
        struct large *block = kept_of(link);
        if (block->size >= size && is_aligned(block, align) && (!best || block->size <= best->size))
            best = block;
    }
    return best;
}

/* The largest, if it is half of what is wanted. */
static struct large *find_to_grow(struct quire_heap *heap, size_t size, size_t align)
{
    struct large *best = NULL;
    if (align > QUIRE_PAGE_SIZE || !heap->ops.remap)
        return NULL;
    list_for_each (link, &heap->large.kept) {
        struct large *block = kept_of(link);
        if (block->size >= size / 2 && (!best || block->size > best->size))
            best = block;
    }
    return best;
}

/* What of a kept block is more than `size` stays kept, with the record `rest`, as old as the block
 * was: so it takes its place in the list. True: the record was used. */
static bool is_to_cut(const struct large *block, size_t size)
{
    size_t over = block->size - size;
    return over >= LEAST_REST && over > size / SLACK_SHARE;
}

static bool cut(struct quire_heap *heap, struct large *block, size_t size, struct large *rest,
                struct list *place)
{
    size_t over = block->size - size;
    if (!rest || !is_to_cut(block, size))
        return false;
    *rest =
        (struct large){.at = block->at + size, .size = over, .kept_since_ns = block->kept_since_ns};
    block->size = size;
    add_kept_at(heap, rest, place);
    return true;
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

/* What is older than that at `now` is to go. */
static uint64_t decayed(const struct quire_heap *heap, uint64_t now)
{
    return now > heap_decay_ns(heap) ? now - heap_decay_ns(heap) : 0;
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
    enter(heap, block);
    heap_unlock(&heap->large.lock);
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

/* Gives a kept block to a caller, without what it doesn't need of it. */
static void use_kept(struct quire_heap *heap, struct large *kept, size_t size, struct large **rest)
{
    struct list *place = kept->link.next;
    take_kept(heap, kept);
    if (cut(heap, kept, size, *rest, place))
        *rest = NULL;
    kept->asked = size;
    enter(heap, kept);
}

/* A kept block for a caller; NULL: none has room. Then `*grow` is one that may be made larger, out
 * of all lists, or NULL, and what is to be unmapped is in `out`. */
static struct large *reuse(struct quire_heap *heap, size_t size, size_t align, struct large **rest,
                           struct large **grow, struct list *out)
{
    struct large *kept = find_kept(heap, size, align);
    if (kept) {
        use_kept(heap, kept, size, rest);
        return kept;
    }
    *grow = find_to_grow(heap, size, align);
    if (*grow)
        take_kept(heap, *grow);
    else
        take_oldest(heap, decayed(heap, quire_port_clock_ns()), size, out);
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
    enter(heap, block);
    heap_unlock(&heap->large.lock);
    large_count_reuse(heap, size);
    large_count_resize(heap, had, size);
    return at;
}

static void *alloc_from_kept(struct quire_heap *heap, size_t size, size_t align)
{
    struct list out;
    struct large *grow = NULL, *rest = NULL;
    list_init(&out);
    heap_lock(&heap->large.lock);
    struct large *first = find_kept(heap, size, align);
    if (first && is_to_cut(first, size)) { /* seldom: a record is needed, and then a second look */
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
    if (at)
        large_count_reuse(heap, size);
    return grow ? grow_kept(heap, grow, size) : at;
}

void *large_alloc_to_grow(struct quire_heap *heap, size_t size)
{
    size_t least = ROOM_TO_GROW * size;
    if (!quire_load_relaxed(&heap->large.nr_kept))
        return NULL;
    struct large *rest = record_take(heap);
    size = (size_t)quire_align_up(size, QUIRE_PAGE_SIZE);
    heap_lock(&heap->large.lock);
    struct large *kept = rest ? find_kept(heap, least + LEAST_REST, QUIRE_PAGE_SIZE) : NULL;
    if (kept)
        use_kept(heap, kept, size, &rest);
    void *at = kept ? kept->at : NULL;
    heap_unlock(&heap->large.lock);
    if (rest)
        record_put(heap, rest);
    if (at)
        large_count_reuse(heap, size);
    return at;
}

void *large_alloc(struct quire_heap *heap, size_t size, size_t align, bool *is_zero)
{
    *is_zero = false;
    if (size > PTRDIFF_MAX - QUIRE_PAGE_SIZE || !heap->ops.map)
        return NULL;
    size = (size_t)quire_align_up(size ? size : 1, QUIRE_PAGE_SIZE);
    void *at = quire_load_relaxed(&heap->large.nr_kept) ? alloc_from_kept(heap, size, align) : NULL;
    if (at)
        return at;
    *is_zero = true;
    return map_new(heap, size, align);
}

/* Whether the block is kept; else its size is allowed the next time. */
static bool keep_if_allowed(struct quire_heap *heap, struct large *block, uint64_t now,
                            struct list *spare)
{
    struct large_blocks *large = &heap->large;
    if (large->nr_kept < MAX_KEPT && large->kept_bytes + block->size <= large->allowance) {
        keep(heap, block, now, spare);
        return true;
    }
    size_t room = KEPT_BYTES - large->allowance;
    large->allowance += block->size < room ? block->size : room;
    return false;
}

/* glibc's rule: what a program frees it is likely to want again. */
static void raise_threshold(struct large_blocks *large, const struct large *block)
{
    if (block->is_mapped && !large->is_fixed && block->size > large->mapped_threshold &&
        block->size <= MOST_MAPPED_THRESHOLD)
        large->mapped_threshold = block->size;
}

bool large_free(struct quire_heap *heap, void *ptr)
{
    struct list out, spare;
    list_init(&out);
    list_init(&spare);
    heap_lock(&heap->large.lock);
    struct large *block = find(heap, ptr);
    if (!block) {
        heap_unlock(&heap->large.lock);
        return false;
    }
    leave(heap, block);
    raise_threshold(&heap->large, block);
    block->is_grown = false;
    uint64_t now = quire_port_clock_ns();
    if (!keep_if_allowed(heap, block, now, &spare))
        list_add_tail(&out, &block->link);
    if (heap->large.nr_kept)
        take_oldest(heap, decayed(heap, now), 0, &out);
    heap_unlock(&heap->large.lock);
    (void)unmap_all(heap, &out);
    put_spare(heap, &spare);
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

/* Takes what lies behind a block from a kept one; `spare`: its record, if nothing of it is left. */
static void grow_in_place(struct quire_heap *heap, struct large *block, size_t size,
                          struct list *spare)
{
    list_for_each (link, &heap->large.kept) {
        struct large *next = kept_of(link);
        if (next->at != block->at + block->size)
            continue;
        size_t more = size - block->size;
        if (next->size < more)
            return;
        struct list *place = link->next;
        take_kept(heap, next);
        more = next->size - more < LEAST_REST ? next->size : more;
        block->size += more;
        next->at += more;
        next->size -= more;
        if (next->size)
            add_kept_at(heap, next, place);
        else
            list_add_tail(spare, &next->link);
        return;
    }
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
    if (block && wanted > block->size)
        grow_in_place(heap, block, wanted, &spare);
    size_t had = block ? block->size : 0;
    bool stays = wanted <= had && (wanted >= block->asked || had - wanted <= wanted / SLACK_SHARE);
    if (block)
        leave(heap, block);
    if (block && stays) {
        block->asked = wanted;
        enter(heap, block);
    }
    heap_unlock(&heap->large.lock);
    put_spare(heap, &spare);
    if (!block || stays)
        return block ? ptr : NULL;
    size_t mapped = wanted > had ? grown_size(block, wanted) : wanted;
    char *at = heap->ops.remap(heap->ops_arg, ptr, had, mapped, true);
    if (at) {
        large_count_resize(heap, had, mapped);
        block->is_grown = wanted > had;
        block->at = at;
        block->size = mapped;
        block->asked = wanted;
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
    take_oldest(heap, all ? UINT64_MAX : decayed(heap, quire_port_clock_ns()), 0, &out);
    heap_unlock(&heap->large.lock);
    return unmap_all(heap, &out);
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
        leave(heap, block);
        unmap(heap, block);
    }
}
