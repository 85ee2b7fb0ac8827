/* phys/shrinker.c: who can free pages that this layer knows nothing of
 *
 * A list of owners of freeable objects. A walk asks each for its share in proportion to what it
 * says it could free. The machine's lock guards changes of the list; a walk takes none, since
 * shrinkers are callbacks that may do anything. So a shrinker may be unregistered only when no walk
 * can be under way: its owner sees to that.
 */
#include "phys/internal.h"

void quire_register_shrinker(struct quire_mem *mem, struct quire_shrinker *shrinker)
{
    quire_port_irq_t irq = mem_lock(mem);
    shrinker->next = mem->shrinkers;
    quire_store_release(&mem->shrinkers, shrinker);
    mem_unlock(mem, irq);
}

void quire_unregister_shrinker(struct quire_mem *mem, struct quire_shrinker *shrinker)
{
    quire_port_irq_t irq = mem_lock(mem);
    struct quire_shrinker **link = &mem->shrinkers;
    while (*link && *link != shrinker)
        link = &(*link)->next;
    if (*link)
        quire_store_release(link, shrinker->next);
    mem_unlock(mem, irq);
}

unsigned long quire_shrink(struct quire_mem *mem, int node, quire_gfp_t gfp, unsigned long nr_pages)
{
    unsigned long freed = 0;
    for (struct quire_shrinker *shrinker = quire_load_acquire(&mem->shrinkers);
         shrinker && freed < nr_pages; shrinker = quire_load_acquire(&shrinker->next)) {
        unsigned long objects = shrinker->count(shrinker, node);
        if (!objects)
            continue;
        /* An eighth of it at a time, more when that is less than what is wanted. */
        unsigned long share = objects / 8 > nr_pages ? objects / 8 : nr_pages;
        freed += shrinker->scan(shrinker, node, gfp, share < objects ? share : objects);
    }
    return freed;
}
