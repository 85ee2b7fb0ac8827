/* map/kmap.c: pages of HighMem at an address for as long as someone uses them
 *
 * A slot is a page of the area. It is free, shows a page (which `users` use, perhaps none any
 * more), or is being flushed. A page without users stays shown, to be found again, until there is
 * no free slot: then all slots without users are closed, and one flush makes them free. So a flush,
 * which every CPU pays for, comes once for many pages, as Linux's flush_all_zero_pkmaps.
 *
 *   invariant   a slot that shows a page is in the hash chain of its frame, and there is one such
 *               slot for a frame; one that is free, in the free list; one that is being flushed, in
 *               the list of who flushes. `next` is the link of whichever it is
 *   invariant   a free slot is closed and in no TLB
 *   bound       the lock is held O(1), O(slots) when there is no free one; not while flushing
 *
 * Source: Linux's mm/highmem.c.
 */
#include "map/windows.h"

#define NONE 0xffffu
_Static_assert(QUIRE_MAX_PKMAP < NONE, "slots have 16-bit numbers");

enum slot_state { SLOT_FREE, SLOT_SHOWS, SLOT_FLUSHED };

struct slot {
    uint32_t pfn;
    uint32_t users;
    uint16_t next;
    uint8_t state;
};

struct quire_pkmap {
    quire_port_spinlock_t lock;
    unsigned nr_flushed; /* slots of which someone awaits the flush */
    unsigned long flushes;
    uint16_t free;
    uint16_t hash_mask;
    uint16_t *head; /* by hash */
    struct slot slot[];
};

static quire_linear_t slot_address(const struct quire_windows *w, unsigned slot)
{
    return w->pkmap_base + (quire_linear_t)slot * QUIRE_PAGE_SIZE;
}

/* Frames are given out in runs, so their low bits spread best. */
static uint16_t *chain_of(const struct quire_pkmap *pk, uint32_t pfn)
{
    return &pk->head[pfn & pk->hash_mask];
}

static unsigned find(const struct quire_pkmap *pk, uint32_t pfn)
{
    unsigned slot = *chain_of(pk, pfn);
    while (slot != NONE && pk->slot[slot].pfn != pfn)
        slot = pk->slot[slot].next;
    return slot;
}

static unsigned take_free(const struct quire_windows *w, uint32_t pfn)
{
    struct quire_pkmap *pk = w->pkmap;
    unsigned slot = pk->free;
    if (slot == NONE)
        return NONE;
    uint16_t *head = chain_of(pk, pfn);
    pk->free = pk->slot[slot].next;
    pk->slot[slot] = (struct slot){.pfn = pfn, .next = *head, .state = SLOT_SHOWS};
    *head = (uint16_t)slot;
    window_open(w, slot_address(w, slot), quire_pfn_to_phys(quire_pfn(pfn)));
    return slot;
}

/* ---- running out of slots -------------------------------------------------------------------- */

/* Takes the slots without users out of their hash chains, as a list. */
static unsigned take_unused(struct quire_pkmap *pk)
{
    unsigned list = NONE;
    for (unsigned hash = 0; hash <= pk->hash_mask; hash++) {
        uint16_t *link = &pk->head[hash];
        while (*link != NONE) {
            unsigned number = *link;
            struct slot *slot = &pk->slot[number];
            if (slot->users) {
                link = &slot->next;
                continue;
            }
            *link = slot->next;
            slot->next = (uint16_t)list;
            slot->state = SLOT_FLUSHED;
            list = number;
            pk->nr_flushed++;
        }
    }
    return list;
}

/* Closes and flushes a list of slots, and makes them free. Without the lock: flushes wait for CPUs,
 * which may wait for the lock. */
static void flush_slots(const struct quire_windows *w, unsigned list)
{
    struct quire_pkmap *pk = w->pkmap;
    struct quire_tlb_batch batch;
    quire_tlb_batch_init(&batch, w->pt);
    for (unsigned slot = list; slot != NONE; slot = pk->slot[slot].next)
        window_close(w, slot_address(w, slot), &batch);
    quire_tlb_flush(&batch);

    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&pk->lock);
    quire_count(&pk->flushes, 1);
    for (unsigned next, slot = list; slot != NONE; slot = next) {
        next = pk->slot[slot].next;
        pk->slot[slot].state = SLOT_FREE;
        pk->slot[slot].next = pk->free;
        pk->free = (uint16_t)slot;
        pk->nr_flushed--;
    }
    quire_port_spin_unlock(&pk->lock);
    quire_port_irq_restore(irq);
}

/* A slot for the frame, with one user more. NONE: there is none free, and *unused is a list of
 * those to be flushed, *wait says whether someone flushes others already. */
static unsigned get_slot(struct quire_windows *w, uint32_t pfn, unsigned *unused, bool *others)
{
    struct quire_pkmap *pk = w->pkmap;
    *unused = NONE;
    *others = false;
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&pk->lock);
    unsigned slot = find(pk, pfn);
    if (slot == NONE)
        slot = take_free(w, pfn);
    if (slot != NONE)
        pk->slot[slot].users++;
    else {
        *others = pk->nr_flushed;
        *unused = take_unused(pk);
    }
    quire_port_spin_unlock(&pk->lock);
    quire_port_irq_restore(irq);
    return slot;
}

int quire_kmap(struct quire_windows *w, const struct quire_page *page, quire_gfp_t gfp,
               quire_linear_t *virt)
{
    quire_phys_t phys = quire_page_to_phys(page);
    unsigned slot, unused;
    bool others;
    if (quire_is_directly_mapped(&w->direct, phys)) {
        *virt = w->direct.base + phys;
        return 0;
    }
    if (!w->pkmap || !window_can_show(w, phys))
        return -QUIRE_EINVAL;
    while ((slot = get_slot(w, page->pfn, &unused, &others)) == NONE) {
        if (unused != NONE)
            flush_slots(w, unused);
        else if (others)
            quire_port_relax();
        else if (!(gfp & QUIRE_GFP_DIRECT_RECLAIM) || !quire_mem_wait(w->pt->mem))
            return -QUIRE_EAGAIN;
    }
    *virt = slot_address(w, slot);
    return 0;
}

/* ---- giving back, asking --------------------------------------------------------------------- */

void quire_kunmap(struct quire_windows *w, const struct quire_page *page)
{
    struct quire_pkmap *pk = w->pkmap;
    bool was_used = false;
    if (quire_is_directly_mapped(&w->direct, quire_page_to_phys(page)))
        return;
    if (pk) {
        quire_port_irq_t irq = quire_port_irq_save();
        quire_port_spin_lock(&pk->lock);
        unsigned slot = find(pk, page->pfn);
        was_used = slot != NONE && pk->slot[slot].users;
        if (was_used)
            pk->slot[slot].users--;
        quire_port_spin_unlock(&pk->lock);
        quire_port_irq_restore(irq);
    }
    if (!was_used)
        quire_report_mistake(w->pt->mem, quire_page_to_pfn(page),
                             "kunmap: the page isn't mapped by kmap");
}

int quire_kmap_address(struct quire_windows *w, const struct quire_page *page, quire_linear_t *virt)
{
    struct quire_pkmap *pk = w->pkmap;
    quire_phys_t phys = quire_page_to_phys(page);
    int error = -QUIRE_ENOENT;
    if (quire_is_directly_mapped(&w->direct, phys)) {
        *virt = w->direct.base + phys;
        return 0;
    }
    if (!pk)
        return error;
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&pk->lock);
    unsigned slot = find(pk, page->pfn);
    if (slot != NONE && pk->slot[slot].users) {
        *virt = slot_address(w, slot);
        error = 0;
    }
    quire_port_spin_unlock(&pk->lock);
    quire_port_irq_restore(irq);
    return error;
}

struct quire_page *quire_kmap_to_page(struct quire_windows *w, quire_linear_t virt)
{
    struct quire_pkmap *pk = w->pkmap;
    struct quire_mem *mem = w->pt->mem;
    uint64_t slot = (virt - w->pkmap_base) >> QUIRE_PAGE_SHIFT;
    quire_pfn_t pfn = quire_pfn(0);
    bool found = false;
    if (virt - w->direct.base < w->direct.end) {
        pfn = quire_phys_to_pfn(virt - w->direct.base);
        found = quire_pfn_valid(mem, pfn);
    } else if (pk && slot < w->nr_pkmap) {
        quire_port_irq_t irq = quire_port_irq_save();
        quire_port_spin_lock(&pk->lock);
        found = pk->slot[slot].state == SLOT_SHOWS && pk->slot[slot].users;
        pfn = quire_pfn(pk->slot[slot].pfn);
        quire_port_spin_unlock(&pk->lock);
        quire_port_irq_restore(irq);
    }
    return found ? quire_pfn_to_page(mem, pfn) : NULL;
}

unsigned long quire_kmap_flushes(const struct quire_windows *w)
{
    return w->pkmap ? quire_load_relaxed(&w->pkmap->flushes) : 0;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

/* A power of two, as many as there are slots at least. */
static unsigned nr_heads(const struct quire_windows *w)
{
    unsigned count = 1;
    while (count < w->nr_pkmap)
        count *= 2;
    return count;
}

static size_t pkmap_size(const struct quire_windows *w)
{
    return sizeof(struct quire_pkmap) + w->nr_pkmap * sizeof(struct slot) +
           nr_heads(w) * sizeof(uint16_t);
}

int pkmap_init(struct quire_windows *w)
{
    if (!w->nr_pkmap)
        return 0;
    struct quire_pkmap *pk = quire_alloc_pages_exact(w->pt->mem, pkmap_size(w), w->pt->gfp);
    if (!pk)
        return -QUIRE_ENOMEM;
    pk->head = (uint16_t *)(void *)&pk->slot[w->nr_pkmap];
    pk->hash_mask = (uint16_t)(nr_heads(w) - 1);
    for (unsigned hash = 0; hash <= pk->hash_mask; hash++)
        pk->head[hash] = NONE;
    for (unsigned slot = 0; slot < w->nr_pkmap; slot++)
        pk->slot[slot].next = (uint16_t)(slot + 1 < w->nr_pkmap ? slot + 1 : NONE);
    w->pkmap = pk;
    return 0;
}

unsigned long pkmap_destroy(struct quire_windows *w)
{
    unsigned long used = 0;
    if (!w->pkmap)
        return 0;
    for (unsigned slot = 0; slot < w->nr_pkmap; slot++)
        used += w->pkmap->slot[slot].users != 0;
    quire_free_pages_exact(w->pt->mem, w->pkmap, pkmap_size(w));
    w->pkmap = NULL;
    return used;
}

static void check_slot(const struct quire_windows *w, unsigned number)
{
    const struct slot *slot = &w->pkmap->slot[number];
    quire_phys_t phys;
    bool open = window_phys(w, slot_address(w, number), &phys);
    QUIRE_BUG_ON(open != (slot->state == SLOT_SHOWS));
    QUIRE_BUG_ON(open && phys != quire_pfn_to_phys(quire_pfn(slot->pfn)));
    QUIRE_BUG_ON(open && find(w->pkmap, slot->pfn) != number);
    QUIRE_BUG_ON(!open && slot->users);
}

void pkmap_check(const struct quire_windows *w)
{
    const struct quire_pkmap *pk = w->pkmap;
    unsigned nr_free = 0, nr_not_shown = 0;
    if (!pk)
        return;
    QUIRE_BUG_ON(pk->nr_flushed);
    for (unsigned slot = 0; slot < w->nr_pkmap; slot++) {
        check_slot(w, slot);
        nr_not_shown += pk->slot[slot].state != SLOT_SHOWS;
    }
    for (unsigned slot = pk->free; slot != NONE; slot = pk->slot[slot].next) {
        QUIRE_BUG_ON(pk->slot[slot].state != SLOT_FREE || ++nr_free > w->nr_pkmap);
    }
    QUIRE_BUG_ON(nr_free != nr_not_shown);
}
