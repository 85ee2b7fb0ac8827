/* slab/users.c: who holds the objects of a cache
 *
 * Of caches with STORE_USER. Callers are visited in the order of their addresses: each walk adds up
 * what one holds and finds the next, so that no memory is needed.
 */
#include "base/text.h"
#include "slab/debug.h"
#include "slab/page.h"

struct user_sum {
    uintptr_t caller, next; /* this one, and the lowest above it */
    unsigned long objects;
};

static void sum_slab(const struct cache *cache, const struct quire_page *head, struct user_sum *sum)
{
    char *place = slab_address(cache->slab, head);
    for (unsigned i = 0; i < slab_objects(head); i++, place += cache->size) {
        const struct track *track = (const struct track *)(const void *)(place + cache->tracks);
        if (slab_object_is_free(cache, head, i))
            continue;
        if (track[TRACK_ALLOC].caller == sum->caller)
            sum->objects++;
        else if (track[TRACK_ALLOC].caller > sum->caller && track[TRACK_ALLOC].caller < sum->next)
            sum->next = track[TRACK_ALLOC].caller;
    }
}

static void sum_list(const struct cache *cache, const struct slab_list *list, struct user_sum *sum)
{
    for (struct quire_page *head = slab_list_first(cache, list); head;
         head = slab_list_next(cache, head))
        sum_slab(cache, head, sum);
}

static void sum_user(struct cache *cache, struct user_sum *sum)
{
    for (unsigned i = 0; i < cache->slab->nr_nodes; i++) {
        struct cache_node *node = &cache->node[i];
        quire_port_irq_t irq = slab_lock(&node->lock);
        sum_list(cache, &node->partial, sum);
        sum_list(cache, &node->full, sum);
        slab_unlock(&node->lock, irq);
    }
}

void quire_kmem_cache_dump_users(struct quire_kmem_cache *handle, quire_write_fn *write, void *arg)
{
    struct text text;
    char caller[CODE_TEXT_BYTES];
    struct cache *cache = handle->cache;
    text_init(&text, write, arg);
    if (!(cache->flags & QUIRE_SLAB_STORE_USER)) {
        text_puts(&text, "users aren't tracked: set QUIRE_SLAB_STORE_USER\n");
        text_flush(&text);
        return;
    }
    text_printf(&text, "%10s %12s %s\n", "objects", "bytes", "caller");
    for (struct user_sum sum = {.next = UINTPTR_MAX};;
         sum = (struct user_sum){sum.next, UINTPTR_MAX, 0}) {
        sum_user(cache, &sum);
        if (sum.objects)
            text_printf(&text, "%10lu %12llu %s\n", sum.objects,
                        (unsigned long long)sum.objects * cache->size,
                        code_text(sum.caller, caller));
        if (sum.next == UINTPTR_MAX)
            break;
    }
    text_flush(&text);
}
