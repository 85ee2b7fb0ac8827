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

/* More small objects than large ones: a sheaf's content is 8 KiB to 48 KiB. */
unsigned sheaf_capacity_for(size_t size)
{
    unsigned bytes = size <= 64     ? 1024
                     : size <= 256  ? 512
                     : size <= 1024 ? 256
                     : size <= 4096 ? 128
                                    : 64;
    return (unsigned)((bytes - sizeof(struct sheaf)) / sizeof(void *));
}

static struct cache *sheaf_cache(const struct quire_slab *slab, size_t capacity)
{
    size_t bytes = sizeof(struct sheaf) + capacity * sizeof(void *);
    return slab->sheaves[quire_fls32((uint32_t)bytes / SHEAF_MIN_BYTES)];
}

static struct sheaf *sheaf_create(struct cache *cache)
{
    struct quire_slab *slab = cache->slab;
    if (slab->fail && slab->fail(slab->fail_arg))
        return NULL;
    struct sheaf *sheaf = object_alloc(sheaf_cache(slab, cache->sheaf_capacity),
                                       QUIRE_GFP_NOWAIT | QUIRE_GFP_NOWARN, -1, 0);
    if (sheaf) {
        sheaf->count = 0;
        sheaf->capacity = cache->sheaf_capacity;
    }
    return sheaf;
}

void sheaf_destroy(struct quire_slab *slab, struct sheaf *sheaf)
{
    object_free(sheaf_cache(slab, sheaf->capacity), sheaf, 0);
}

/* ---- exchanging ------------------------------------------------------------------------------ */

/* Makes `sheaf` the main one. If the CPU's sheaves are being taken out of its sight right now, that
 * stands; who does it waits for this CPU to leave, and finds the sheaf in `own`. */
static void set_main(struct cpu *cpu, unsigned id, struct sheaf *sheaf)
{
    struct sheaf *shown = cpu->own[id].main;
    cpu->own[id].main = sheaf;
    quire_compare_exchange(&cpu->sheaf[id], &shown, sheaf);
}

static struct sheaf *own_sheaf(const struct cpu *cpu, unsigned id)
{
    return cpu_sheaf(cpu, sheaf_at_of_id(id));
}

static bool can_use(const struct quire_slab *slab, const struct cpu *cpu, unsigned id)
{
    const struct sheaf *sheaf = own_sheaf(cpu, id);
    return sheaf != &slab->closed && sheaf != &slab->none;
}

static void swap_spare(struct cpu *cpu, unsigned id)
{
    struct own *own = &cpu->own[id];
    struct sheaf *spare = own->spare;
    own->spare = own->main;
    set_main(cpu, id, spare);
}

static void refill(struct cache *cache, struct cpu *cpu, struct sheaf *sheaf)
{
    struct cache_node *node = &cache->node[cpu->node];
    uint16_t *want = &cpu->refill[cache->id];
    unsigned max = *want < cache->sheaf_capacity ? *want : cache->sheaf_capacity;
    quire_port_irq_t irq = slab_lock(&node->lock);
    unsigned got = node_take(cache, node, sheaf->slot + max, max);
    slab_unlock(&node->lock, irq);
    if (got < max)
        __builtin_memmove(sheaf->slot, sheaf->slot + max - got, got * sizeof(void *));
    quire_store_relaxed(&sheaf->count, got);
    if (got == max && max < cache->sheaf_capacity)
        *want = (uint16_t)(2 * max);
}

/* Gets objects into the main sheaf, which is empty. */
static void get_objects(struct cache *cache, struct cpu *cpu, struct aftermath *after)
{
    struct own *own = &cpu->own[cache->id];
    if (own->spare && own->spare->count) {
        swap_spare(cpu, cache->id);
        return;
    }
    struct sheaf *full =
        barn_take_full(cache, &cache->node[cpu->node].barn, own->spare ? own->main : NULL, after);
    if (!full) {
        refill(cache, cpu, own->main);
        return;
    }
    if (!own->spare)
        own->spare = own->main;
    set_main(cpu, cache->id, full);
}

/* Makes room in the main sheaf, which is full. `fresh`: an empty sheaf, or NULL; what isn't used of
 * it stays there. False: an empty sheaf would help. */
static bool make_room(struct cache *cache, struct cpu *cpu, struct sheaf **fresh,
                      struct aftermath *after)
{
    struct own *own = &cpu->own[cache->id];
    struct barn *barn = &cache->node[cpu->node].barn;
    if (own->spare && !own->spare->count) {
        swap_spare(cpu, cache->id);
        return true;
    }
    if (!*fresh)
        *fresh = barn_take_empty(barn);
    if (own->spare && !barn_leave_full(cache, barn, own->spare, fresh)) {
        slabs_put(cache, own->main->slot, own->main->count, after);
        quire_store_relaxed(&own->main->count, 0);
        return true;
    }
    own->spare = NULL;
    if (!*fresh)
        return false;
    own->spare = own->main;
    set_main(cpu, cache->id, *fresh);
    *fresh = NULL;
    return true;
}

/* ---- the slow halves ------------------------------------------------------------------------- */

/* The CPU has no sheaf of the cache yet: gets it one, which makes it leave and enter again. */
static struct cpu *install(struct cache *cache, struct cpu *cpu)
{
    struct quire_slab *slab = cache->slab;
    cpu_leave(cpu);
    struct sheaf *fresh = sheaf_create(cache);
    cpu = cpu_enter(slab);
    struct sheaf *shown = &slab->none;
    if (!fresh)
        return cpu;
    if (!cpu->own[cache->id].main && own_sheaf(cpu, cache->id) == &slab->none) {
        cpu->own[cache->id].main = fresh;
        cpu->refill[cache->id] = FIRST_REFILL;
        quire_compare_exchange(&cpu->sheaf[cache->id], &shown, fresh);
        return cpu;
    }
    cpu_leave(cpu);
    sheaf_destroy(slab, fresh);
    return cpu_enter(slab);
}

/* Who comes first may get a number, and then sheaves. */
static struct cpu *ready(struct cache *cache, struct cpu *cpu)
{
    struct quire_slab *slab = cache->slab;
    if (!cache->sheaf_capacity)
        return cpu;
    if (cpu == slab->no_cpu) {
        cpu_leave(cpu);
        quire_port_cpu_attach();
        cpu = cpu_enter(slab);
    }
    return own_sheaf(cpu, cache->id) == &slab->none ? install(cache, cpu) : cpu;
}

QUIRE_NOINLINE void *sheaf_alloc_slow(struct quire_slab *slab, size_t sheaf_at, quire_gfp_t gfp,
                                      struct cpu *cpu, uintptr_t caller)
{
    struct aftermath after = AFTERMATH_NONE;
    unsigned id = id_of_sheaf_at(sheaf_at);
    struct cache *cache = slab->cache[id];
    void *object = NULL;
    if (!id) {
        cpu_leave(cpu);
        return QUIRE_ZERO_SIZE_PTR;
    }
    cpu = ready(cache, cpu);
    if (can_use(slab, cpu, id)) {
        struct own *own = &cpu->own[id];
        if (!own->main->count)
            get_objects(cache, cpu, &after);
        if (own->main->count)
            object = sheaf_pop(own->main, own->main->count);
    }
    cpu_leave(cpu);
    aftermath_finish(cache, &after);
    if (!object)
        return object_alloc(cache, gfp, -1, caller);
    if (gfp & QUIRE_GFP_ZERO)
        __builtin_memset(object, 0, cache->size);
    return object;
}

QUIRE_NOINLINE void sheaf_free_slow(struct quire_slab *slab, size_t sheaf_at, void *object,
                                    struct cpu *cpu, uintptr_t caller)
{
    struct aftermath after = AFTERMATH_NONE;
    unsigned id = id_of_sheaf_at(sheaf_at);
    struct cache *cache = slab->cache[id];
    struct sheaf *fresh = NULL;
    bool done = false;
    if (!object) {
        cpu_leave(cpu);
        return;
    }
    cpu = ready(cache, cpu);
    for (bool again = true; again && can_use(slab, cpu, id);) {
        struct sheaf *main = cpu->own[id].main;
        done = main->count < main->capacity || make_room(cache, cpu, &fresh, &after);
        if (done) {
            main = cpu->own[id].main;
            sheaf_push(main, main->count, object);
            break;
        }
        cpu_leave(cpu);
        fresh = sheaf_create(cache);
        again = fresh != NULL;
        cpu = cpu_enter(slab);
    }
    cpu_leave(cpu);
    if (!done)
        object_free(cache, object, caller);
    if (fresh)
        sheaf_destroy(slab, fresh);
    aftermath_finish(cache, &after);
}

/* ---- many at once ---------------------------------------------------------------------------- */

size_t sheaf_alloc_many(struct cache *cache, size_t count, void **objects)
{
    struct aftermath after = AFTERMATH_NONE;
    struct quire_slab *slab = cache->slab;
    size_t done = 0;
    struct cpu *cpu = ready(cache, cpu_enter(slab));
    while (done < count && can_use(slab, cpu, cache->id)) {
        struct own *own = &cpu->own[cache->id];
        if (!own->main->count)
            get_objects(cache, cpu, &after);
        size_t have = own->main->count;
        size_t n = have < count - done ? have : count - done;
        if (!n)
            break;
        __builtin_memcpy(objects + done, own->main->slot + have - n, n * sizeof(void *));
        quire_store_relaxed(&own->main->count, have - n);
        done += n;
    }
    cpu_leave(cpu);
    aftermath_finish(cache, &after);
    return done;
}

/* The rest is up to the caller: it would need a sheaf that isn't there. */
size_t sheaf_free_many(struct cache *cache, size_t count, void **objects)
{
    struct aftermath after = AFTERMATH_NONE;
    struct quire_slab *slab = cache->slab;
    struct sheaf *fresh = NULL;
    size_t done = 0;
    struct cpu *cpu = ready(cache, cpu_enter(slab));
    while (done < count && can_use(slab, cpu, cache->id)) {
        struct own *own = &cpu->own[cache->id];
        if (own->main->count == own->main->capacity && !make_room(cache, cpu, &fresh, &after))
            break;
        struct sheaf *main = own->main;
        size_t room = main->capacity - main->count;
        size_t n = room < count - done ? room : count - done;
        __builtin_memcpy(main->slot + main->count, objects + done, n * sizeof(void *));
        quire_store_relaxed(&main->count, main->count + n);
        done += n;
    }
    cpu_leave(cpu);
    if (fresh)
        sheaf_destroy(slab, fresh);
    aftermath_finish(cache, &after);
    return done;
}

/* ---- from outside ---------------------------------------------------------------------------- */

/* What a CPU's pointer shows when nobody keeps it out. */
static struct sheaf *to_show(const struct cache *cache, const struct cpu *cpu)
{
    struct quire_slab *slab = cache->slab;
    struct sheaf *main;
    if (!cache->sheaf_capacity)
        return &slab->closed;
    main = cpu->own[cache->id].main;
    return main ? main : &slab->none;
}

/* Takes a cache's sheaves out of the sight of all CPUs, or gives them back. Nests. */
static void change_closed(struct cache *cache, int by)
{
    struct quire_slab *slab = cache->slab;
    quire_port_irq_t irq = slab_lock(&slab->lock);
    cache->closed += (unsigned)by;
    for (unsigned cpu = 0; cpu < slab->nr_cpus; cpu++)
        quire_store_release(&slab->cpu[cpu]->sheaf[cache->id],
                            cache->closed ? &slab->closed : to_show(cache, slab->cpu[cpu]));
    slab_unlock(&slab->lock, irq);
}

void sheaves_show(struct cache *cache)
{
    change_closed(cache, 0);
}

void sheaves_hide(struct cache *cache)
{
    change_closed(cache, 1);
}

/* Two that drain the same cache find each sheaf once. */
static struct own steal(struct cache *cache, struct cpu *cpu)
{
    quire_port_irq_t irq = slab_lock(&cache->slab->lock);
    struct own own = cpu->own[cache->id];
    cpu->own[cache->id] = (struct own){NULL, NULL};
    slab_unlock(&cache->slab->lock, irq);
    return own;
}

static void empty(struct cache *cache, struct sheaf *sheaf, struct aftermath *after)
{
    if (!sheaf)
        return;
    slabs_put(cache, sheaf->slot, sheaf->count, after);
    sheaf->count = 0;
    sheaf->next = after->sheaves;
    after->sheaves = sheaf;
}

void sheaves_drain(struct cache *cache, unsigned first, unsigned end)
{
    struct aftermath after = AFTERMATH_NONE;
    struct quire_slab *slab = cache->slab;
    if (!cache->sheaf_capacity)
        return;
    change_closed(cache, 1);
    quire_port_fence_heavy();
    for (unsigned cpu = first; cpu < end; cpu++) {
        percpu_wait(&slab->cpu[cpu]->busy);
        struct own own = steal(cache, slab->cpu[cpu]);
        empty(cache, own.main, &after);
        empty(cache, own.spare, &after);
    }
    change_closed(cache, -1);
    aftermath_finish(cache, &after);
}
