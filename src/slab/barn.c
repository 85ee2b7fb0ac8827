/* slab/barn.c: sheaves that no CPU has
 *
 * A node keeps some full and some empty sheaves of a cache, which CPUs exchange whole: where one
 * CPU allocates and another frees, sheaves go round, no object's cache line is touched, and the
 * lock is held for a few instructions each time a sheaf is used up. The newest are taken first.
 *
 *   bound       at most cache->barn_limit full and as many empty sheaves
 */
#include "slab/internal.h"

static struct sheaf *pop(struct sheaf **stack, uint16_t *count)
{
    struct sheaf *sheaf = *stack;
    if (sheaf) {
        *stack = sheaf->next;
        quire_store_relaxed(count, (uint16_t)(*count - 1));
    }
    return sheaf;
}

static void push(struct sheaf **stack, uint16_t *count, struct sheaf *sheaf)
{
    sheaf->next = *stack;
    *stack = sheaf;
    quire_store_relaxed(count, (uint16_t)(*count + 1));
}

struct sheaf *barn_take_full(struct cache *cache, struct barn *barn, struct sheaf *empty,
                             struct aftermath *after)
{
    if (!quire_load_relaxed(&barn->nr_full))
        return NULL;
    quire_port_irq_t irq = slab_lock(&barn->lock);
    struct sheaf *full = pop(&barn->full, &barn->nr_full);
    if (full && empty) {
        if (barn->nr_empty < cache->barn_limit) {
            push(&barn->empty, &barn->nr_empty, empty);
        } else {
            empty->next = after->sheaves;
            after->sheaves = empty;
        }
    }
    slab_unlock(&barn->lock, irq);
    return full;
}

bool barn_leave_full(struct cache *cache, struct barn *barn, struct sheaf *full,
                     struct sheaf **empty)
{
    if (quire_load_relaxed(&barn->nr_full) >= cache->barn_limit)
        return false;
    quire_port_irq_t irq = slab_lock(&barn->lock);
    bool room = barn->nr_full < cache->barn_limit;
    if (room) {
        push(&barn->full, &barn->nr_full, full);
        if (!*empty)
            *empty = pop(&barn->empty, &barn->nr_empty);
    }
    slab_unlock(&barn->lock, irq);
    return room;
}

struct sheaf *barn_take_empty(struct barn *barn)
{
    quire_port_irq_t irq = slab_lock(&barn->lock);
    struct sheaf *empty = pop(&barn->empty, &barn->nr_empty);
    slab_unlock(&barn->lock, irq);
    return empty;
}

void barn_drain(struct cache *cache, struct barn *barn, struct aftermath *after)
{
    quire_port_irq_t irq = slab_lock(&barn->lock);
    struct sheaf *full = barn->full, *empty = barn->empty;
    barn->full = barn->empty = NULL;
    quire_store_relaxed(&barn->nr_full, 0);
    quire_store_relaxed(&barn->nr_empty, 0);
    slab_unlock(&barn->lock, irq);
    while (full || empty) {
        struct sheaf **from = full ? &full : &empty, *sheaf = *from;
        *from = sheaf->next;
        slabs_put(cache, sheaf->slot, sheaf->count, after);
        sheaf->next = after->sheaves;
        after->sheaves = sheaf;
    }
}
