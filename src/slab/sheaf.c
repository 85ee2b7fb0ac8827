/* slab/sheaf.c: a CPU's sheaves: the slow halves of the hot path, and how others empty them
 *
 * A CPU allocates from and frees into its main sheaf of a cache. When that is empty or full it is
 * exchanged with the spare one, then with one of the barn; only then single objects move, between
 * the main sheaf and the slabs, under the node's lock (Bonwick and Adams: "Magazines and Vmem",
 * USENIX 2001; the words are those of Linux since 6.18).
 *
 *   invariant   the spare sheaf is full or empty. Objects in sheaves count as allocated in their
 *               slab
 *   bound       a refill or a flush moves at most one sheaf's objects under a node's lock
 *
 * A refill from slabs starts small and doubles each time, so that a CPU which uses a cache seldom
 * holds few of its objects. Sheaves come from caches without sheaves, once the CPU is outside.
 */
#include "slab/cpu.h"
#include "slab/debug.h"
#include "slab/page.h"

#define FIRST_REFILL 4

/* ---- making sheaves -------------------------------------------------------------------------- */

/* More small objects than large ones, and of the largest just a few. */
unsigned sheaf_capacity_for(size_t size)
{
    unsigned words = size <= 64     ? 128
                     : size <= 256  ? 64
                     : size <= 1024 ? 32
                     : size <= 4096 ? 16
                                    : SHEAF_MIN_WORDS;
    return words - SHEAF_HEADER_WORDS;
}

static struct cache *cache_of_sheaves(const struct cache *cache)
{
    unsigned words = cache->sheaf_capacity + SHEAF_HEADER_WORDS;
    return cache->slab->sheaves[quire_fls32(words / SHEAF_MIN_WORDS)];
}

static struct sheaf *sheaf_create(struct cache *cache)
{
    struct quire_slab *slab = cache->slab;
    if (slab->fail && slab->fail(slab->fail_arg))
        return NULL;
    struct sheaf *sheaf =
        object_alloc(cache_of_sheaves(cache), QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN, -1, 0, 0);
    if (sheaf)
        sheaf->count = 0;
    return sheaf;
}

void sheaf_destroy(struct cache *cache, struct sheaf *sheaf)
{
    object_free(cache_of_sheaves(cache), sheaf, 0);
}

/* ---- the main sheaf and the spare one: the CPU is inside ------------------------------------- */

static size_t shelf_count(const struct shelf *shelf)
{
    return (size_t)(shelf->top - shelf->base);
}

static void set_count(struct shelf *shelf, size_t count)
{
    quire_store_relaxed(&shelf->top, shelf->base + count);
}

static void set_main(struct cache *cache, struct shelf *shelf, struct sheaf *sheaf)
{
    QUIRE_ASSERT(shelf != &cache->slab->no_rack[cache->id]);
    quire_store_relaxed(&shelf->base, sheaf->slot);
    quire_store_relaxed(&shelf->end, sheaf->slot + cache->sheaf_capacity);
    set_count(shelf, sheaf->count);
}

/* The main sheaf in one piece; the shelf may be given another one. */
static struct sheaf *take_main(struct shelf *shelf)
{
    struct sheaf *sheaf = quire_container_of(shelf->base, struct sheaf, slot);
    sheaf->count = shelf_count(shelf);
    return sheaf;
}

static void swap_spare(struct cache *cache, struct shelf *shelf)
{
    struct sheaf *main = take_main(shelf);
    set_main(cache, shelf, shelf->spare);
    shelf->spare = main;
}

static void refill(struct cache *cache, struct cpu *cpu, struct shelf *shelf)
{
    struct cache_node *node = &cache->node[cpu->node];
    uint16_t *want = &cpu->refill[cache->id];
    unsigned max = *want < cache->sheaf_capacity ? *want : cache->sheaf_capacity;
    quire_port_irq_t irq = slab_lock(&node->lock);
    unsigned got = node_take(cache, node, shelf->base + max, max);
    slab_unlock(&node->lock, irq);
    if (got < max)
        __builtin_memmove(shelf->base, shelf->base + max - got, got * sizeof(void *));
    else if (max < cache->sheaf_capacity)
        *want = (uint16_t)(2 * max);
    set_count(shelf, got);
}

/* Gets objects into the main sheaf, which is empty, if that can be. */
static void get_objects(struct cache *cache, struct cpu *cpu, struct shelf *shelf,
                        struct aftermath *after)
{
    if (shelf->spare && shelf->spare->count) {
        swap_spare(cache, shelf);
        return;
    }
    struct sheaf *main = take_main(shelf);
    struct sheaf *full =
        barn_take_full(cache, &cache->node[cpu->node].barn, shelf->spare ? main : NULL, after);
    if (!full) {
        refill(cache, cpu, shelf);
        return;
    }
    if (!shelf->spare)
        shelf->spare = main;
    set_main(cache, shelf, full);
}

/* Makes room in the main sheaf, which is full. `fresh`: an empty sheaf, or NULL; what isn't used of
 * it stays there. False: an empty sheaf would help. */
static bool make_room(struct cache *cache, struct cpu *cpu, struct shelf *shelf,
                      struct sheaf **fresh, struct aftermath *after)
{
    struct barn *barn = &cache->node[cpu->node].barn;
    if (shelf->spare && !shelf->spare->count) {
        swap_spare(cache, shelf);
        return true;
    }
    if (!shelf->spare) {
        if (!*fresh)
            *fresh = barn_take_empty(barn);
    } else if (!barn_leave_full(cache, barn, shelf->spare, fresh)) {
        slabs_put(cache, shelf->base, shelf_count(shelf), after);
        set_count(shelf, 0);
        return true;
    }
    shelf->spare = NULL;
    if (!*fresh)
        return false;
    shelf->spare = take_main(shelf);
    set_main(cache, shelf, *fresh);
    *fresh = NULL;
    return true;
}

/* ---- the slow halves ------------------------------------------------------------------------- */

/* The CPU's shelf of the cache, or NULL if it is hidden. One look at the pointer decides: it may be
 * shown again while the CPU is inside, but isn't hidden from who has seen it without waiting. */
static struct shelf *shelf_of(const struct cache *cache, const struct cpu *cpu)
{
    struct shelf *rack = quire_load_acquire(&cpu->rack);
    return rack == cache->slab->no_rack ? NULL : &rack[cache->id];
}

/* Gets the CPU a sheaf, which makes it leave; it may be another one that enters. */
static struct shelf *equip(struct cache *cache, struct cpu **cpu)
{
    cpu_leave(*cpu);
    struct sheaf *fresh = sheaf_create(cache);
    *cpu = cpu_enter(cache->slab);
    struct shelf *shelf = shelf_of(cache, *cpu);
    if (fresh && shelf && !shelf->base) {
        (*cpu)->refill[cache->id] = FIRST_REFILL;
        set_main(cache, shelf, fresh);
    } else if (fresh) {
        cpu_leave(*cpu);
        sheaf_destroy(cache, fresh);
        *cpu = cpu_enter(cache->slab);
        shelf = shelf_of(cache, *cpu);
    }
    return shelf && shelf->base ? shelf : NULL;
}

/* A shelf with a sheaf that the CPU may use for the cache, or NULL. Who has no number may get one
 * here. */
static struct shelf *ready(struct cache *cache, struct cpu **cpu)
{
    struct quire_slab *slab = cache->slab;
    if (!cache->sheaf_capacity)
        return NULL;
    if (*cpu == slab->no_cpu) {
        cpu_leave(*cpu);
        quire_port_cpu_attach();
        *cpu = cpu_enter(slab);
    }
    struct shelf *shelf = shelf_of(cache, *cpu);
    return !shelf || shelf->base ? shelf : equip(cache, cpu);
}

QUIRE_NOINLINE void *sheaf_alloc_slow(struct quire_slab *slab, size_t shelf_at, quire_gfp_t gfp,
                                      struct cpu *cpu, uintptr_t caller, size_t size)
{
    struct aftermath after;
    struct cache *cache = slab->cache[id_of_shelf_at(shelf_at)];
    void *object = NULL;
    aftermath_init(&after);
    if (!cache) {
        cpu_leave(cpu);
        return QUIRE_ZERO_SIZE_PTR;
    }
    struct shelf *shelf = ready(cache, &cpu);
    if (shelf && !shelf_count(shelf))
        get_objects(cache, cpu, shelf, &after);
    if (shelf && shelf_count(shelf))
        object = shelf_pop(shelf);
    cpu_leave(cpu);
    aftermath_finish(cache, &after);
    if (!object)
        return object_alloc(cache, gfp, -1, caller, size);
    if (gfp & QUIRE_GFP_ZERO && !cache->ctor)
        __builtin_memset(object, 0, cache->size);
    return object;
}

/* Room in a shelf's main sheaf; NULL: there can't be any. The CPU may leave and enter. */
static struct shelf *ready_with_room(struct cache *cache, struct cpu **cpu, struct sheaf **fresh,
                                     struct aftermath *after)
{
    for (;;) {
        struct shelf *shelf = ready(cache, cpu);
        if (!shelf || shelf->top != shelf->end || make_room(cache, *cpu, shelf, fresh, after))
            return shelf;
        cpu_leave(*cpu);
        *fresh = sheaf_create(cache);
        *cpu = cpu_enter(cache->slab);
        if (!*fresh)
            return NULL;
    }
}

QUIRE_NOINLINE void sheaf_free_slow(struct quire_slab *slab, size_t shelf_at, void *object,
                                    struct cpu *cpu, uintptr_t caller)
{
    struct aftermath after;
    struct cache *cache = slab->cache[id_of_shelf_at(shelf_at)];
    struct sheaf *fresh = NULL;
    aftermath_init(&after);
    if (quire_unlikely(!cache)) { /* kfree of another quire_slab's object */
        cpu_leave(cpu);
        report_foreign_kfree(slab, object, caller);
        return;
    }
    struct shelf *shelf = ready_with_room(cache, &cpu, &fresh, &after);
    if (shelf)
        shelf_push(shelf, object);
    cpu_leave(cpu);
    if (!shelf)
        object_free(cache, object, caller);
    if (fresh)
        sheaf_destroy(cache, fresh);
    aftermath_finish(cache, &after);
}

/* ---- many at once ---------------------------------------------------------------------------- */

size_t sheaf_alloc_many(struct cache *cache, size_t count, void **objects)
{
    struct aftermath after;
    size_t done = 0;
    aftermath_init(&after);
    struct cpu *cpu = cpu_enter(cache->slab);
    struct shelf *shelf = ready(cache, &cpu);
    while (shelf && done < count) {
        if (!shelf_count(shelf))
            get_objects(cache, cpu, shelf, &after);
        size_t have = shelf_count(shelf), n = have < count - done ? have : count - done;
        if (!n)
            break;
        set_count(shelf, have - n);
        __builtin_memcpy(objects + done, shelf->top, n * sizeof(void *));
        done += n;
    }
    cpu_leave(cpu);
    aftermath_finish(cache, &after);
    return done;
}

size_t sheaf_free_many(struct cache *cache, size_t count, void **objects)
{
    struct aftermath after;
    struct sheaf *fresh = NULL;
    size_t done = 0;
    aftermath_init(&after);
    struct cpu *cpu = cpu_enter(cache->slab);
    while (done < count) {
        struct shelf *shelf = ready_with_room(cache, &cpu, &fresh, &after);
        if (!shelf)
            break;
        size_t room = (size_t)(shelf->end - shelf->top);
        size_t n = room < count - done ? room : count - done;
        __builtin_memcpy(shelf->top, objects + done, n * sizeof(void *));
        set_count(shelf, shelf_count(shelf) + n);
        done += n;
    }
    cpu_leave(cpu);
    if (fresh)
        sheaf_destroy(cache, fresh);
    aftermath_finish(cache, &after);
    return done;
}

/* ---- from outside ---------------------------------------------------------------------------- */

/* Takes the shelves of CPUs out of their sight, or gives them back. Nests. */
static void change_hidden(struct quire_slab *slab, unsigned first, unsigned end, int by)
{
    quire_port_irq_t irq = slab_lock(&slab->lock);
    for (unsigned i = first; i < end; i++) {
        struct cpu *cpu = slab->cpu[i];
        cpu->hidden += (unsigned)by;
        quire_store_release(&cpu->rack, cpu->hidden ? slab->no_rack : cpu->own);
    }
    slab_unlock(&slab->lock, irq);
}

void sheaves_hide(struct quire_slab *slab, unsigned first, unsigned end)
{
    change_hidden(slab, first, end, 1);
    quire_port_fence_heavy();
    for (unsigned i = first; i < end; i++)
        percpu_wait(&slab->cpu[i]->busy);
}

void sheaves_show(struct quire_slab *slab, unsigned first, unsigned end)
{
    change_hidden(slab, first, end, -1);
}

/* Takes what is on a shelf. Two that drain the same one find each sheaf once. */
static void clear(struct cache *cache, struct cpu *cpu, struct sheaf *found[2])
{
    struct shelf *shelf = &cpu->own[cache->id];
    quire_port_irq_t irq = slab_lock(&cache->slab->lock);
    found[0] = shelf->base ? take_main(shelf) : NULL;
    found[1] = shelf->spare;
    quire_store_relaxed(&shelf->top, NULL);
    quire_store_relaxed(&shelf->base, NULL);
    quire_store_relaxed(&shelf->end, NULL);
    shelf->spare = NULL;
    slab_unlock(&cache->slab->lock, irq);
}

/* The CPU can't see its shelves. */
static void drain_shelf(struct cache *cache, struct cpu *cpu)
{
    struct aftermath after;
    struct sheaf *found[2];
    aftermath_init(&after);
    clear(cache, cpu, found);
    for (unsigned i = 0; i < 2; i++)
        if (found[i]) {
            slabs_put(cache, found[i]->slot, found[i]->count, &after);
            found[i]->next = after.sheaves;
            after.sheaves = found[i];
        }
    aftermath_finish(cache, &after);
}

void sheaves_drain(struct quire_slab *slab, struct cache *only, unsigned first, unsigned end)
{
    if (only && !only->sheaf_capacity)
        return;
    sheaves_hide(slab, first, end);
    for (unsigned i = first; i < end; i++) {
        struct cpu *cpu = slab->cpu[i];
        if (only)
            drain_shelf(only, cpu);
        else
            for_each_cache (slab, cache)
                if (cache->sheaf_capacity)
                    drain_shelf(cache, cpu);
    }
    sheaves_show(slab, first, end);
}
