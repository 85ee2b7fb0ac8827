/* vm/swap_cache.c: pages that are in memory and have a slot
 *
 * From slot to page: the slot's word. From page to slot: a hash of frames, whose chains go through
 * the slots' own descriptors, so that neither putting a page in nor replacing it needs memory, of
 * which there is none then. (Linux and this layer's files use an array by index for such; here that
 * would be another allocation between reclaim and its goal.)
 *
 *   invariant   a page has PG_SWAPCACHE when it is in the hash, and one user for it; both change
 *               under the page lock. A page has one slot, but while it moves to another two slots
 *               lead to it
 *   invariant   who holds a page of the cache in his hands and wants it gone needs the swap lock to
 *               see that nobody else has it: lookups pin under it
 */
#include "vm/policy.h"
#include "vm/swap_area.h"

/* ---- the hash -------------------------------------------------------------------------------- */

static uint32_t *bucket_of(struct swap_state *swap, uint32_t pfn)
{
    return &swap->bucket[(uint32_t)(pfn * 0x9e3779b1u) >> (32 - swap->bucket_bits)];
}

static uint32_t *chain_of(struct swap_state *swap, swap_entry entry)
{
    return &cluster_of(swap, entry)->chain[entry_offset(entry) & (CLUSTER_SLOTS - 1)];
}

void cache_link(struct swap_state *swap, swap_entry entry, uint32_t pfn)
{
    uint32_t *bucket = bucket_of(swap, pfn);
    *slot_word(swap, entry) = pfn;
    *slot_state(swap, entry) |= SLOT_CACHED;
    *chain_of(swap, entry) = *bucket;
    *bucket = slot_id(entry);
}

/* The link that leads to the slot of a frame; *link is NO_SLOT where there is none. */
static uint32_t *find_link(struct swap_state *swap, uint32_t pfn)
{
    uint32_t *link = bucket_of(swap, pfn);
    while (*link != NO_SLOT && *slot_word(swap, entry_of_id(*link)) != pfn)
        link = chain_of(swap, entry_of_id(*link));
    return link;
}

void cache_unlink(struct swap_state *swap, swap_entry entry)
{
    uint32_t *link = find_link(swap, *slot_word(swap, entry));
    QUIRE_BUG_ON(*link != slot_id(entry));
    *link = *chain_of(swap, entry);
    *slot_word(swap, entry) = 0;
    *slot_state(swap, entry) &= (uint16_t)~SLOT_CACHED;
}

/* 0: none. */
static swap_entry entry_of_page(struct swap_state *swap, const struct quire_page *page)
{
    if (!swap->bucket)
        return 0;
    uint32_t id = *find_link(swap, page->pfn);
    return id == NO_SLOT ? 0 : entry_of_id(id);
}

swap_entry swap_cache_entry(struct quire_vm *vm, const struct quire_page *page)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    swap_entry entry = entry_of_page(vm->swap, page);
    swap_unlock(vm->swap, irq);
    QUIRE_BUG_ON(!entry);
    return entry;
}

bool swap_cache_is(struct quire_vm *vm, swap_entry entry, const struct quire_page *page)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    bool is =
        slot_state_now(vm->swap, entry) & SLOT_CACHED && *slot_word(vm->swap, entry) == page->pfn;
    swap_unlock(vm->swap, irq);
    return is;
}

struct quire_page *swap_cache_find(struct quire_vm *vm, swap_entry entry)
{
    struct quire_page *page = NULL;
    quire_port_irq_t irq = swap_lock(vm->swap);
    if (slot_state_now(vm->swap, entry) & SLOT_CACHED) {
        page = quire_pfn_to_page(vm->mem, quire_pfn(*slot_word(vm->swap, entry)));
        page_pin(page);
    }
    swap_unlock(vm->swap, irq);
    return page;
}

/* ---- in and out ------------------------------------------------------------------------------ */

int swap_cache_add(struct quire_vm *vm, struct quire_page *page)
{
    bool wants_discard = true;
    if (!page_use_unless_unused(page))
        return -QUIRE_ENOMEM;
    quire_port_irq_t irq = swap_lock(vm->swap);
    swap_entry entry = slot_take(vm->swap, &wants_discard);
    if (wants_discard) {
        swap_unlock(vm->swap, irq);
        swap_discard(vm->swap);
        irq = swap_lock(vm->swap);
        wants_discard = false;
        entry = slot_take(vm->swap, &wants_discard);
    }
    if (entry)
        cache_link(vm->swap, entry, page->pfn);
    swap_unlock(vm->swap, irq);
    if (!entry) {
        page_drop_user(vm, page);
        return -QUIRE_ENOSPC;
    }
    page_set(page, PG_SWAPCACHE | PG_DIRTY);
    vm_stat_add(vm, NR_SWAPCACHE, 1);
    return 0;
}

/* Out of the hash; what the slot is to remember, if anybody means it. */
static void forget(struct swap_state *swap, swap_entry entry, uint32_t shadow)
{
    cache_unlink(swap, entry);
    if (*slot_state(swap, entry))
        *slot_word(swap, entry) = shadow;
    else
        slot_release(swap, entry);
}

static void leave(struct quire_vm *vm, struct quire_page *page)
{
    page_clear(page, PG_SWAPCACHE | PG_RECLAIM);
    vm_stat_add(vm, NR_SWAPCACHE, -1);
    page_drop_user(vm, page);
}

void swap_cache_remove(struct quire_vm *vm, struct quire_page *page)
{
    QUIRE_ASSERT(page_has(page, PG_LOCKED) && !page_has(page, PG_WRITEBACK));
    quire_port_irq_t irq = swap_lock(vm->swap);
    forget(vm->swap, entry_of_page(vm->swap, page), 0);
    swap_unlock(vm->swap, irq);
    page_set(page, PG_DIRTY); /* there is no other copy of it now */
    leave(vm, page);
}

bool swap_cache_evict(struct quire_vm *vm, struct quire_page *page)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    bool alone = page_users(page) == 1 && quire_load_acquire(&page->refcount) == 2 &&
                 !page_has(page, PG_DIRTY | PG_WRITEBACK);
    if (alone)
        forget(vm->swap, entry_of_page(vm->swap, page), workingset_eviction(vm, page));
    swap_unlock(vm->swap, irq);
    if (alone)
        leave(vm, page);
    return alone;
}

int swap_cache_replace(struct quire_vm *vm, struct quire_page *from, struct quire_page *to)
{
    quire_port_irq_t irq = swap_lock(vm->swap);
    bool alone = page_users(from) == 1 && quire_load_acquire(&from->refcount) == 2;
    if (alone) {
        swap_entry entry = entry_of_page(vm->swap, from);
        cache_unlink(vm->swap, entry);
        cache_link(vm->swap, entry, to->pfn);
    }
    swap_unlock(vm->swap, irq);
    return alone ? 0 : -QUIRE_EAGAIN;
}

/* ---- pages that only the cache uses, of slots that nobody means ------------------------------ */

void swap_cache_drop_unused(struct quire_vm *vm, struct quire_page *page)
{
    if (page_users(page) != 1 || !page_trylock(page))
        return;
    if (page_has(page, PG_SWAPCACHE) && !page_has(page, PG_WRITEBACK) && page_users(page) == 1 &&
        !swap_count(vm, swap_cache_entry(vm, page)))
        swap_cache_remove(vm, page);
    page_unlock(page);
}

void swap_cache_unuse(struct quire_vm *vm, struct quire_page *page)
{
    page_pin(page);
    page_drop_user(vm, page);
    swap_cache_drop_unused(vm, page);
    vm_put_page(vm, page);
}
