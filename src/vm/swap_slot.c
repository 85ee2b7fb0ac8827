/* vm/swap_slot.c: slots are taken, counted, and given back: see vm/swap_area.h */
#include "vm/swap_area.h"

quire_port_irq_t swap_lock(struct swap_state *swap)
{
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&swap->lock);
    return irq;
}

void swap_unlock(struct swap_state *swap, quire_port_irq_t irq)
{
    quire_port_spin_unlock(&swap->lock);
    quire_port_irq_restore(irq);
}

/* ---- lists of clusters ----------------------------------------------------------------------- */

static void cluster_append(struct swap_area *area, uint32_t number, enum cluster_list list)
{
    struct cluster_queue *queue = &area->queue[list];
    struct swap_cluster *cluster = area->cluster[number];
    cluster->list = (uint8_t)list;
    cluster->next = NO_CLUSTER;
    cluster->prev = queue->last;
    *(queue->last == NO_CLUSTER ? &queue->first : &area->cluster[queue->last]->next) = number;
    queue->last = number;
}

static void cluster_remove(struct swap_area *area, uint32_t number)
{
    struct swap_cluster *cluster = area->cluster[number];
    struct cluster_queue *queue = &area->queue[cluster->list];
    *(cluster->prev == NO_CLUSTER ? &queue->first : &area->cluster[cluster->prev]->next) =
        cluster->next;
    *(cluster->next == NO_CLUSTER ? &queue->last : &area->cluster[cluster->next]->prev) =
        cluster->prev;
    cluster->list = CLUSTER_UNLISTED;
}

/* Onto the list that it belongs to by what is free in it; nobody owns it. */
static void cluster_sort(struct swap_area *area, uint32_t number)
{
    struct swap_cluster *cluster = area->cluster[number];
    unsigned list = !cluster->free                       ? CLUSTER_UNLISTED
                    : cluster->free < cluster->usable    ? CLUSTER_PARTIAL
                    : area->ops->discard && !area->going ? CLUSTER_DISCARD
                                                         : CLUSTER_FREE;
    if (list == cluster->list)
        return;
    if (cluster->list != CLUSTER_UNLISTED)
        cluster_remove(area, number);
    if (list != CLUSTER_UNLISTED)
        cluster_append(area, number, list);
}

int slots_create(struct swap_state *swap, struct swap_area *area)
{
    for (unsigned list = 0; list < NR_CLUSTER_LISTS; list++)
        area->queue[list] = (struct cluster_queue){NO_CLUSTER, NO_CLUSTER};
    for (uint32_t number = 0; number < area->nr_clusters; number++) {
        struct swap_cluster *cluster =
            quire_kmem_cache_zalloc(swap->cluster_cache, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
        if (!cluster)
            return -QUIRE_ENOMEM;
        area->cluster[number] = cluster;
        uint32_t first = number << CLUSTER_SHIFT;
        for (unsigned i = 0; i < CLUSTER_SLOTS; i++)
            if (first + i == 0 || first + i >= area->nr_slots)
                cluster->state[i] = SLOT_BAD;
            else
                cluster->usable++;
        cluster->free = cluster->usable;
        cluster->list = CLUSTER_UNLISTED;
        if (cluster->free)
            cluster_append(area, number, CLUSTER_FREE);
    }
    return 0;
}

void slots_destroy(struct swap_state *swap, struct swap_area *area)
{
    for (uint32_t number = 0; number < area->nr_clusters; number++)
        quire_kmem_cache_free(swap->cluster_cache, area->cluster[number]);
}

/* What is in use of an area that isn't going is counted in all too: always both together. */
static void use_one(struct swap_state *swap, struct swap_area *area)
{
    area->nr_used++;
    if (!area->going)
        quire_store_relaxed(&swap->used, swap->used + 1);
}

static void unuse_one(struct swap_state *swap, struct swap_area *area)
{
    area->nr_used--;
    if (!area->going)
        quire_store_relaxed(&swap->used, swap->used - 1);
}

/* ---- taking ---------------------------------------------------------------------------------- */

static void cpu_disown(struct swap_cpu *cpu)
{
    struct swap_area *area = cpu->area;
    if (!area)
        return;
    cpu->area = NULL;
    area->cluster[cpu->cluster]->owned = false;
    cluster_sort(area, cpu->cluster);
}

void slots_disown(struct swap_state *swap, struct swap_area *area)
{
    for (unsigned i = 0; i <= swap->nr_cpus; i++)
        if (swap->cpu[i].area == area)
            cpu_disown(&swap->cpu[i]);
}

static void cpu_own(struct swap_cpu *cpu, struct swap_area *area, uint32_t number)
{
    cluster_remove(area, number);
    area->cluster[number]->owned = true;
    *cpu = (struct swap_cpu){area, number, 0};
}

/* The next free slot of the CPU's cluster; 0: none. */
static swap_entry cpu_take(struct swap_state *swap, struct swap_cpu *cpu)
{
    struct swap_area *area = cpu->area;
    if (!area)
        return 0;
    struct swap_cluster *cluster = area->cluster[cpu->cluster];
    while (cluster->free && cpu->next < CLUSTER_SLOTS) {
        unsigned i = cpu->next++;
        if (cluster->state[i])
            continue;
        cluster->state[i] = SLOT_CACHED;
        cluster->free--;
        use_one(swap, area);
        return entry_of_slot(area, (cpu->cluster << CLUSTER_SHIFT) + i);
    }
    return 0;
}

/* Behind those of the same priority, so that they take turns. */
static void area_rotate(struct swap_state *swap, struct swap_area *area)
{
    struct list *after = area->link.next;
    list_del(&area->link);
    while (after != &swap->order &&
           quire_container_of(after, struct swap_area, link)->priority == area->priority)
        after = after->next;
    list_add_tail(after, &area->link);
}

/* A cluster for a CPU: a free one of the first area that has some, else one with gaps. */
static bool cpu_find_cluster(struct swap_state *swap, struct swap_cpu *cpu, bool *wants_discard)
{
    list_for_each (link, &swap->order) {
        struct swap_area *area = quire_container_of(link, struct swap_area, link);
        uint32_t number = area->queue[CLUSTER_FREE].first;
        if (number == NO_CLUSTER && area->queue[CLUSTER_DISCARD].first != NO_CLUSTER &&
            *wants_discard)
            return false;
        if (number == NO_CLUSTER)
            number = area->queue[CLUSTER_PARTIAL].first;
        if (number == NO_CLUSTER)
            continue;
        cpu_own(cpu, area, number);
        area_rotate(swap, area);
        return true;
    }
    *wants_discard = false;
    return false;
}

/* When only clusters that CPUs own have free slots: one of theirs, from its beginning. */
static swap_entry steal(struct swap_state *swap)
{
    for (unsigned i = 0; i <= swap->nr_cpus; i++) {
        struct swap_cpu thief = swap->cpu[i];
        thief.next = 0;
        swap_entry entry = cpu_take(swap, &thief);
        if (entry)
            return entry;
    }
    return 0;
}

swap_entry slot_take(struct swap_state *swap, bool *wants_discard)
{
    unsigned number = quire_port_cpu();
    struct swap_cpu *cpu = &swap->cpu[number < swap->nr_cpus ? number : swap->nr_cpus];
    swap_entry entry = cpu_take(swap, cpu);
    if (quire_likely(entry)) {
        *wants_discard = false;
        return entry;
    }
    cpu_disown(cpu);
    if (cpu_find_cluster(swap, cpu, wants_discard))
        entry = cpu_take(swap, cpu);
    else if (!*wants_discard)
        entry = steal(swap);
    if (entry)
        *wants_discard = false;
    return entry;
}

swap_entry slot_take_outside(struct swap_state *swap, const struct swap_area *avoided)
{
    swap_entry entry = 0;
    list_for_each (link, &swap->order) {
        struct swap_area *area = quire_container_of(link, struct swap_area, link);
        struct swap_cpu taker;
        uint32_t number = area->queue[CLUSTER_PARTIAL].first;
        if (number == NO_CLUSTER)
            number = area->queue[CLUSTER_FREE].first;
        if (area == avoided || number == NO_CLUSTER)
            continue;
        cpu_own(&taker, area, number);
        entry = cpu_take(swap, &taker);
        cpu_disown(&taker);
        break;
    }
    return entry;
}

/* ---- giving back ----------------------------------------------------------------------------- */

void slot_release(struct swap_state *swap, swap_entry entry)
{
    struct swap_area *area = area_of(swap, entry);
    uint32_t number = (uint32_t)(entry_offset(entry) >> CLUSTER_SHIFT);
    struct swap_cluster *cluster = area->cluster[number];
    QUIRE_ASSERT(!*slot_state(swap, entry));
    *slot_word(swap, entry) = 0;
    cluster->free++;
    unuse_one(swap, area);
    if (!cluster->owned)
        cluster_sort(area, number);
}

/* One cluster that is to be discarded, owned by nobody and on no list meanwhile; NULL: none. */
static struct swap_area *next_discard(struct swap_state *swap, uint32_t *number)
{
    list_for_each (link, &swap->order) {
        struct swap_area *area = quire_container_of(link, struct swap_area, link);
        *number = area->queue[CLUSTER_DISCARD].first;
        if (*number != NO_CLUSTER) {
            cluster_remove(area, *number);
            return area;
        }
    }
    return NULL;
}

void swap_discard(struct swap_state *swap)
{
    struct swap_area *area;
    uint32_t number;
    quire_port_irq_t irq = swap_lock(swap);
    while ((area = next_discard(swap, &number))) {
        struct swap_cluster *cluster = area->cluster[number];
        uint64_t first = (uint64_t)number << CLUSTER_SHIFT;
        const struct quire_swap_ops *ops = area->ops;
        void *store = area->store;
        use_one(swap, area); /* swapoff waits for it, and may begin meanwhile */
        swap_unlock(swap, irq);
        ops->discard(store, first + !first, cluster->usable);
        irq = swap_lock(swap);
        unuse_one(swap, area);
        cluster_append(area, number, CLUSTER_FREE);
    }
    swap_unlock(swap, irq);
}

/* ---- counts of entries ----------------------------------------------------------------------- */

bool swap_duplicate(struct quire_vm *vm, swap_entry entry)
{
    struct swap_state *swap = vm->swap;
    quire_port_irq_t irq = swap_lock(swap);
    uint16_t *state = slot_state(swap, entry);
    QUIRE_BUG_ON(!*state || (*state & SLOT_COUNT) == SLOT_BAD);
    bool counted = (*state & SLOT_COUNT) < SLOT_MAX;
    if (counted)
        ++*state;
    swap_unlock(swap, irq);
    return counted;
}

unsigned swap_count(struct quire_vm *vm, swap_entry entry)
{
    struct swap_state *swap = vm->swap;
    quire_port_irq_t irq = swap_lock(swap);
    unsigned count = slot_state_now(swap, entry) & SLOT_COUNT;
    swap_unlock(swap, irq);
    return count;
}

void swap_free(struct quire_vm *vm, swap_entry entry)
{
    struct swap_state *swap = vm->swap;
    struct quire_page *page = NULL;
    quire_port_irq_t irq = swap_lock(swap);
    uint16_t *state = slot_state(swap, entry);
    QUIRE_BUG_ON(!(*state & SLOT_COUNT) || (*state & SLOT_COUNT) == SLOT_BAD);
    --*state;
    if (!*state) {
        slot_release(swap, entry);
    } else if (*state == SLOT_CACHED) {
        page = quire_pfn_to_page(vm->mem, quire_pfn(*slot_word(swap, entry)));
        page_pin(page);
    }
    swap_unlock(swap, irq);
    if (page) {
        swap_cache_drop_unused(vm, page);
        vm_put_page(vm, page);
    }
}

unsigned long swap_total_pages(struct quire_vm *vm)
{
    return quire_load_relaxed(&vm->swap->total);
}

unsigned long swap_free_pages(struct quire_vm *vm)
{
    unsigned long total = quire_load_relaxed(&vm->swap->total);
    unsigned long used = quire_load_relaxed(&vm->swap->used);
    return used < total ? total - used : 0;
}

bool swap_wants_slot_back(struct quire_vm *vm, swap_entry entry)
{
    struct swap_state *swap = vm->swap;
    quire_port_irq_t irq = swap_lock(swap);
    bool wants = area_of(swap, entry)->going || swap->used * 2 >= swap->total;
    swap_unlock(swap, irq);
    return wants;
}
