/* slab/debug.c: catching mistakes in the use of objects
 *
 * A cache with a debugging flag has no sheaves, so each of its allocations and frees comes through
 * here, under the lock of the object's node. What is wrong is noted down, repaired or ignored, and
 * reported when the lock has been given up. See debug.h for what lies around an object.
 */
#include "slab/debug.h"

#include "slab/page.h"

/* Content of free objects that somebody may look at stays. */
static bool can_poison(const struct cache *cache)
{
    return cache->flags & QUIRE_SLAB_POISON && !cache->ctor &&
           !(cache->flags & QUIRE_SLAB_TYPESAFE_BY_RCU);
}

static struct track *tracks(const struct cache *cache, char *object)
{
    return (struct track *)(void *)(object - cache->offset + cache->tracks);
}

static void set_track(const struct cache *cache, char *object, enum track_kind kind,
                      uintptr_t caller)
{
    if (cache->flags & QUIRE_SLAB_STORE_USER)
        tracks(cache, object)[kind] =
            (struct track){caller, quire_port_cpu(), quire_port_clock_ns()};
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static uint32_t *asked(const struct cache *cache, const char *object)
{
    return (uint32_t *)(uintptr_t)(object - cache->offset + cache->asked);
}

/* Where the red zone behind an object begins, from the object's beginning. */
static size_t red_begin(const struct cache *cache, const char *object, bool is_free)
{
    if (is_free || !cache->asked)
        return cache->object_size;
    uint32_t size = *asked(cache, object);
    return size < cache->object_size ? size : cache->object_size; /* it may be overwritten */
}

static size_t red_end(const struct cache *cache)
{
    uint32_t end = cache->tracks ? cache->tracks : cache->asked ? cache->asked : cache->size;
    return end - cache->offset;
}

static void set_red(const struct cache *cache, char *object, bool is_free)
{
    int value = is_free ? RED_FREE : RED_USED;
    size_t begin = red_begin(cache, object, is_free);
    if (!(cache->flags & QUIRE_SLAB_RED_ZONE))
        return;
    __builtin_memset(object - cache->offset, value, cache->offset);
    __builtin_memset(object + begin, value, red_end(cache) - begin);
}

static void set_poison(const struct cache *cache, char *object)
{
    if (!can_poison(cache))
        return;
    __builtin_memset(object, POISON_FREE, cache->object_size - 1);
    object[cache->object_size - 1] = (char)POISON_END;
}

/* Notes the first byte of [from, to), counted from the object's beginning, that isn't `expected`.
 * True: they all are. */
static bool check_bytes(char *object, long from, long to, uint8_t expected, const char *what,
                        struct mistake *mistake)
{
    while (from < to && (uint8_t)object[from] == expected)
        from++;
    if (from == to)
        return true;
    mistake->what = what;
    mistake->offset = from;
    mistake->expected = expected;
    mistake->bytes = 0;
    while (mistake->bytes < sizeof mistake->found && from < to)
        mistake->found[mistake->bytes++] = (uint8_t)object[from++];
    return false;
}

static bool check_red(const struct cache *cache, char *object, bool is_free,
                      struct mistake *mistake)
{
    uint8_t expected = is_free ? RED_FREE : RED_USED;
    return !(cache->flags & QUIRE_SLAB_RED_ZONE) ||
           (check_bytes(object, -(long)cache->offset, 0, expected, "written before its beginning",
                        mistake) &&
            check_bytes(object, (long)red_begin(cache, object, is_free), (long)red_end(cache),
                        expected, "written beyond its end", mistake));
}

static bool check_poison(const struct cache *cache, char *object, struct mistake *mistake)
{
    long last = (long)cache->object_size - 1;
    return !can_poison(cache) ||
           (check_bytes(object, 0, last, POISON_FREE, "written while it was free", mistake) &&
            check_bytes(object, last, last + 1, POISON_END, "written while it was free", mistake));
}

/* Who and where, for the report. */
static void note(const struct cache *cache, char *object, uintptr_t caller, struct mistake *mistake)
{
    mistake->object = object;
    mistake->caller = caller;
    if (cache->flags & QUIRE_SLAB_STORE_USER)
        __builtin_memcpy(mistake->track, tracks(cache, object), sizeof mistake->track);
}

static bool check_object(const struct cache *cache, char *object, bool is_free, uintptr_t caller,
                         struct mistake *mistake)
{
    struct mistake found = {.what = NULL};
    if (check_red(cache, object, is_free, &found) &&
        (!is_free || check_poison(cache, object, &found)))
        return true;
    note(cache, object, caller, &found);
    found.asked = is_free || !cache->asked ? 0 : red_begin(cache, object, false);
    *mistake = found;
    return false;
}

/* ---- slabs and objects ----------------------------------------------------------------------- */

static void become_free(const struct cache *cache, char *object)
{
    set_red(cache, object, true);
    set_poison(cache, object);
}

void debug_slab_created(struct cache *cache, struct quire_page *head)
{
    char *object = slab_address(cache->slab, head) + cache->offset;
    for (unsigned i = 0; i < slab_objects(head); i++, object += cache->size) {
        become_free(cache, object);
        if (cache->flags & QUIRE_SLAB_STORE_USER)
            __builtin_memset(tracks(cache, object), 0, 2 * sizeof(struct track));
    }
}

void debug_take(struct cache *cache, void *object, size_t size, uintptr_t caller,
                struct mistake *mistake)
{
    check_object(cache, object, true, caller, mistake);
    if (can_poison(cache))
        __builtin_memset(object, POISON_NEW, cache->object_size);
    if (cache->asked)
        *asked(cache, object) = (uint32_t)size;
    set_red(cache, object, false);
    set_track(cache, object, TRACK_ALLOC, caller);
}

/* Whose object this would be, under the lock of the page's node; NULL: nobody's, and why is noted.
 */
static struct quire_page *find_slab(struct cache *cache, struct quire_page *page,
                                    struct mistake *mistake)
{
    struct quire_page *head = page_find_slab(cache, page);
    if (head)
        return head;
    mistake->page = page;
    if (large_head(cache->slab, page))
        mistake->what = "free of a large block of kmalloc";
    else if (!(page_flags(page) & QUIRE_PAGE_SLAB) || page_cache_id(page) == cache->id)
        mistake->what = "free of a pointer into a page that is no slab's";
    else
        mistake->what = "free of an object of another cache";
    return NULL;
}

/* Whether an object begins there; where it does is noted. */
static bool is_object(const struct cache *cache, const struct quire_page *head, char *object,
                      struct mistake *mistake)
{
    char *base = slab_address(cache->slab, head);
    uint32_t at = (uint32_t)(object - base), index = at / cache->size;
    if (index < slab_objects(head) && at == index * cache->size + cache->offset)
        return true;
    mistake->what = index < slab_objects(head) ? "free of a pointer that doesn't begin an object"
                                               : "free of a pointer behind the last object";
    if (index < slab_objects(head))
        note(cache, base + index * cache->size + cache->offset, mistake->caller, mistake);
    mistake->given = object;
    return false;
}

static bool object_is_free(const struct cache *cache, const struct quire_page *head,
                           const char *object)
{
    uint32_t at = (uint32_t)(object - slab_address(cache->slab, head));
    return slab_object_is_free(cache, head, at / cache->size);
}

static void free_locked(struct cache *cache, struct cache_node *node, struct quire_page *head,
                        char *object, uintptr_t caller, struct aftermath *after)
{
    if (object_is_free(cache, head, object)) {
        after->mistake.what = "double free";
        note(cache, object, caller, &after->mistake);
        return;
    }
    check_object(cache, object, false, caller, &after->mistake);
    become_free(cache, object);
    set_track(cache, object, TRACK_FREE, caller);
    QUIRE_BUG_ON(!node_put(cache, node, head, object));
    node_trim_usual(cache, node, &after->slabs);
}

/* What is found and what is changed is of one moment, or of two CPUs that free one object the
 * second might free it into a slab that has gone meanwhile. */
void debug_free(struct cache *cache, void *object, uintptr_t caller, struct aftermath *after)
{
    struct quire_page *page;
    struct cache_node *node = NULL;
    after->mistake = (struct mistake){.object = object, .caller = caller};
    if (object_page_checked(cache->slab, object, &page))
        node = node_of_page(cache, page);
    if (!node) {
        after->mistake.what = "free of an address that isn't memory of the direct map";
        return;
    }
    quire_port_irq_t irq = slab_lock(&node->lock);
    struct quire_page *head = find_slab(cache, page, &after->mistake);
    if (head && is_object(cache, head, object, &after->mistake))
        free_locked(cache, node, head, object, caller, after);
    slab_unlock(&node->lock, irq);
}

/* ---- how much of an object its user has ------------------------------------------------------ */

size_t debug_room(const struct cache *cache, const struct quire_page *head, const void *object)
{
    uint32_t at = (uint32_t)((const char *)object - slab_address(cache->slab, head));
    bool begins = at % cache->size == cache->offset && at / cache->size < slab_objects(head);
    return begins ? red_begin(cache, object, false) : cache->object_size;
}

/* What was wrong before doesn't go unseen. */
static void shrink_locked(const struct cache *cache, char *object, size_t size, uintptr_t caller,
                          struct mistake *mistake)
{
    check_object(cache, object, false, caller, mistake);
    *asked(cache, object) = (uint32_t)size;
    set_red(cache, object, false);
}

void debug_shrink(struct cache *cache, void *object, size_t size, uintptr_t caller)
{
    struct quire_page *page;
    struct mistake mistake = {.object = object, .caller = caller};
    if (!cache->asked || !object_page(cache->slab, object, &page))
        return;
    struct cache_node *node = node_of_page(cache, page);
    quire_port_irq_t irq = slab_lock(&node->lock);
    struct quire_page *head = find_slab(cache, page, &mistake);
    if (!head || !is_object(cache, head, object, &mistake))
        mistake.what = "krealloc of what begins no object";
    else if (object_is_free(cache, head, object))
        mistake.what = "krealloc of what is free";
    else
        shrink_locked(cache, object, size, caller, &mistake);
    slab_unlock(&node->lock, irq);
    if (mistake.what)
        mistake_report(cache, &mistake);
}

/* ---- all objects ----------------------------------------------------------------------------- */

/* The first wrong object of a slab is repaired and noted; false: none. */
static bool find_wrong(const struct cache *cache, const struct quire_page *head,
                       struct mistake *mistake)
{
    char *object = slab_address(cache->slab, head) + cache->offset;
    for (unsigned i = 0; i < slab_objects(head); i++, object += cache->size) {
        bool is_free = slab_object_is_free(cache, head, i);
        if (check_object(cache, object, is_free, 0, mistake))
            continue;
        set_red(cache, object, is_free);
        if (is_free)
            set_poison(cache, object);
        return true;
    }
    return false;
}

static bool find_wrong_in(const struct cache *cache, const struct slab_list *list,
                          struct mistake *mistake)
{
    for (struct quire_page *head = slab_list_first(cache, list); head;
         head = slab_list_next(cache, head))
        if (find_wrong(cache, head, mistake))
            return true;
    return false;
}

/* What is found is repaired, so each look finds the next one. */
void debug_slab_ends(struct cache *cache, struct quire_page *head)
{
    struct mistake mistake = {.what = NULL};
    while (find_wrong(cache, head, &mistake))
        mistake_report(cache, &mistake);
}

unsigned long quire_kmem_cache_validate(struct quire_kmem_cache *handle)
{
    struct cache *cache = handle->cache;
    unsigned long count = 0;
    for (unsigned i = 0; cache_is_debugged(cache) && i < cache->slab->nr_nodes;) {
        struct cache_node *node = &cache->node[i];
        struct mistake mistake = {.what = NULL};
        quire_port_irq_t irq = slab_lock(&node->lock);
        bool wrong = find_wrong_in(cache, &node->partial, &mistake) ||
                     find_wrong_in(cache, &node->full, &mistake);
        slab_unlock(&node->lock, irq);
        if (wrong) {
            mistake_report(cache, &mistake);
            count++;
        } else {
            i++;
        }
    }
    return count;
}
