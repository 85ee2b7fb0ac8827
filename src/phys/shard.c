/* phys/shard.c: a zone's pageblocks, dealt out so that CPUs don't wait for each other
 *
 * A large zone is divided into shards, each with the lists, counts and lock of a buddy allocator;
 * a CPU prefers one of them. What belongs to a shard is told by blocks of 2^MAX_ORDER frames: the
 * largest that can merge, so that merging never crosses shards. At the start each shard gets a run
 * of them, so that pageblocks of different shards are seldom neighbours: processors prefetch what
 * lies beside a cache line, and take it from the CPU that writes it. A shard that needs more memory
 * is handed blocks of MAX_ORDER that lie free in another (rmqueue.c), so that in time each CPU's
 * has as much as the CPU uses, wherever it lies. What is added to a zone later begins in the first
 * shard.
 *
 * Memory that one CPU allocates and another frees would make the cache lines of pageblocks travel:
 * two for each frame, when frees come in random order. So a CPU gives foreign frames to the inbox
 * of their shard, eight to a cache line, and whoever works on the shard next frees them there. Only
 * whole pageblocks may be allocated from an inbox as they are, without a free and an allocation
 * that undo each other: smaller blocks would stay missing in pageblocks that they make whole.
 *
 *   invariant   only what is wholly free changes its shard. So the shard of a frame that is
 *               allocated, or on a per-CPU list, or in an inbox, stays what it is, and is read
 *               without a lock
 *   invariant   blocks in an inbox count as free; whoever can't find enough looks there. Only the
 *               per-CPU lists are drained into inboxes: while a zone's are closed they are empty
 *   invariant   a block of MAX_ORDER that two zones share is never wholly free in one, so it stays
 *               where it was; a zone that finds another's number there masks it
 *   invariant   a slot tells the block's order and type as asked, so that an inbox gives it to the
 *               list that it came from
 *   bound       an inbox is emptied in O(INBOX_SLOTS * MAX_ORDER)
 *
 * mimalloc gives each thread pages of its own and lists for what others free (Leijen, Zorn and de
 * Moura, "Mimalloc: Free List Sharding in Action", 2019); LLFree reserves trees of frames for CPUs
 * (Wrenger et al., ATC 2023).
 */
#include "phys/internal.h"

#define MAX_SHARDS 32 /* zone_lock takes all their locks */

/* A drain leaves fewer slots in its shard's inbox: some cache lines go back and forth for each time
 * that it is emptied. */
#define INBOX_WORTH (INBOX_SLOTS / 8)

unsigned nr_shards(const struct quire_mem *mem, unsigned long frames)
{
    unsigned shards = 1;
    while (2 * shards <= mem->max_shards &&
           frames >> MAX_ORDER >= 2ul * shards * QUIRE_SHARD_BLOCKS)
        shards *= 2;
    return shards;
}

unsigned max_shards(unsigned cpus_of_a_node)
{
    unsigned shards = 1;
    while (2 * shards <= cpus_of_a_node && 2 * shards <= MAX_SHARDS)
        shards *= 2;
    return shards;
}

size_t inboxes_size(const struct quire_mem *mem, unsigned long frames)
{
    unsigned shards = nr_shards(mem, frames);
    return shards > 1 ? (size_t)shards * 2 * INBOX_SLOTS * sizeof(uint64_t) : 0;
}

void shards_open(struct zone *zone, void *inboxes, unsigned long frames)
{
    unsigned shards = nr_shards(zone->mem, frames);
    uint64_t *slots = inboxes;
    for (unsigned i = 0; shards > 1 && i < shards; i++, slots += 2 * INBOX_SLOTS) {
        zone->shard[i].inbox.filling = slots;
        zone->shard[i].inbox.emptying = slots + INBOX_SLOTS;
    }
    /* Until now the first one's lock is the zone's. */
    quire_port_irq_t irq = shard_lock(&zone->shard[0]);
    quire_store_relaxed(&zone->shard_mask, (uint8_t)(shards - 1));
    shard_unlock(&zone->shard[0], irq);
}

void shards_deal(struct zone *zone)
{
    unsigned long shards = zone_shard_mask(zone) + 1ul, first = zone->start >> MAX_ORDER;
    unsigned long blocks = (zone->end >> MAX_ORDER) - first;
    quire_port_irq_t irq = zone_lock(zone);
    for (unsigned long i = 0; shards > 1 && i < blocks; i++) {
        unsigned long pfn = (first + i) << MAX_ORDER;
        struct pageblock *block =
            pfn_valid(zone->mem, pfn) ? pfn_to_pageblock(zone->mem, pfn) : NULL;
        if (block && pageblock_zone(block) == zone->id && block->largest == MAX_ORDER)
            superblock_hand_over(&zone->shard[0], &zone->shard[i * shards / blocks], block);
    }
    zone_unlock(zone, irq);
}

struct shard *home_shard(const struct zone *zone, unsigned cpu)
{
    const struct quire_mem *mem = zone->mem;
    return &zone->shard[(cpu < mem->nr_cpus ? mem->cpu_rank[cpu] : 0) & zone_shard_mask(zone)];
}

/* ---- inboxes --------------------------------------------------------------------------------- */

static uint64_t slot_of(const struct quire_page *page, uint32_t kind)
{
    return (uint64_t)kind << 32 | page->pfn;
}

/* With the inbox's lock held. */
static void inbox_set_count(struct inbox *inbox, unsigned count)
{
    bool ripe = count >= INBOX_WORTH;
    quire_store_relaxed(&inbox->count, count);
    if (inbox->ripe != ripe)
        quire_store_relaxed(&inbox->ripe, ripe);
}

/* Puts the first of `count` blocks, all `to`'s, into its inbox, as many as there is room for;
 * returns how many. */
static unsigned inbox_send(struct shard *to, struct quire_page **pages, unsigned count,
                           uint32_t kind)
{
    struct inbox *inbox = &to->inbox;
    quire_port_irq_t irq = quire_port_irq_save();
    quire_port_spin_lock(&inbox->lock);
    uint64_t *slots = inbox->filling + inbox->count;
    unsigned room = INBOX_SLOTS - inbox->count, sent = count < room ? count : room;
    for (unsigned i = 0; i < sent; i++)
        slots[i] = slot_of(pages[i], kind);
    unsigned long frames = (unsigned long)sent << flags_order(kind);
    quire_store_release(&inbox->sent, inbox->sent + frames);
    inbox_set_count(inbox, inbox->count + sent);
    quire_port_spin_unlock(&inbox->lock);
    quire_port_irq_restore(irq);
    return sent;
}

unsigned inbox_take_slow(struct shard *shard, uint32_t kind, unsigned max, struct quire_page **end)
{
    struct inbox *inbox = &shard->inbox;
    quire_port_spin_lock(&inbox->lock);
    const uint64_t *slots = inbox->filling;
    unsigned count = inbox->count, got = 0;
    for (; got < max && count && slots[count - 1] >> 32 == kind; got++)
        *--end = pfn_to_page(shard->mem, (uint32_t)slots[--count]);
    inbox_set_count(inbox, count);
    quire_port_spin_unlock(&inbox->lock);
    quire_store_release(&inbox->freed, inbox->freed + ((unsigned long)got << flags_order(kind)));
    return got;
}

void shard_empty_inbox_slow(struct shard *shard)
{
    struct inbox *inbox = &shard->inbox;
    quire_port_spin_lock(&inbox->lock);
    uint64_t *slots = inbox->filling;
    unsigned count = inbox->count;
    inbox->filling = inbox->emptying;
    inbox->emptying = slots;
    inbox_set_count(inbox, 0);
    quire_port_spin_unlock(&inbox->lock);
    unsigned long frames = 0;
    for (unsigned i = 0, run; i < count; i += run) {
        uint64_t kind = slots[i] >> 32;
        for (run = 1; i + run < count && slots[i + run] >> 32 == kind; run++)
            ;
        unsigned order = flags_order((uint32_t)kind);
        buddy_free_slots(shard, slots + i, run, order);
        frames += (unsigned long)run << order;
    }
    /* Only now, and after the shard's counts: for a moment they count twice, never not at all. */
    quire_store_release(&inbox->freed, inbox->freed + frames);
}

bool zone_empty_inboxes(struct zone *zone)
{
    bool any = false;
    for_each_shard (zone, shard) {
        if (!inbox_frames(&shard->inbox)) /* falls when they are in the maps */
            continue;
        any = true;
        quire_port_irq_t irq = shard_lock(shard);
        shard_empty_inbox(shard);
        shard_unlock(shard, irq);
    }
    return any;
}

/* 0, but for bits beyond the map's mask, when the block is the shard's. */
static QUIRE_ALWAYS_INLINE unsigned
difference(const struct shard *shard, const struct shard_map *map, const struct quire_page *page)
{
    return quire_load_relaxed(&map->shard_of[page->pfn >> MAX_ORDER]) ^ shard->index;
}

/* Most often all are the shard's: four at a time, while they are. Then it swaps without branches,
 * since whose the next one is can't be predicted when they come in random order. */
unsigned shard_gather(const struct shard *shard, struct quire_page **pages, unsigned count)
{
    struct shard_map map = shard_map(shard->zone);
    struct quire_page **own = pages, **end = pages + count;
    while (end - own >= 4 && !((difference(shard, &map, own[0]) | difference(shard, &map, own[1]) |
                                difference(shard, &map, own[2]) | difference(shard, &map, own[3])) &
                               map.mask))
        own += 4;
    for (struct quire_page **at = own; at < end; at++) {
        struct quire_page *page = *at;
        *at = *own;
        *own = page;
        own += !(difference(shard, &map, page) & map.mask);
    }
    return (unsigned)(own - pages);
}

static QUIRE_ALWAYS_INLINE void free_directly(struct shard *shard, struct quire_page **pages,
                                              unsigned count, unsigned order)
{
    quire_port_irq_t irq = shard_lock(shard);
    if (quire_unlikely(quire_load_relaxed(&shard->inbox.ripe)))
        shard_empty_inbox_slow(shard);
    buddy_free_pages(shard, pages, count, order);
    shard_unlock(shard, irq);
}

static QUIRE_NOINLINE void free_foreign(struct zone *zone, struct quire_page **pages,
                                        unsigned count, uint32_t kind)
{
    for (unsigned done = 0; done < count;) {
        struct shard *to = frame_shard(zone, pages[done]->pfn);
        unsigned some = shard_gather(to, pages + done, count - done);
        unsigned sent = inbox_send(to, pages + done, some, kind);
        if (!sent) { /* full: its owner has been elsewhere for a while */
            free_directly(to, pages + done, some, flags_order(kind));
            sent = some;
        }
        done += sent;
    }
}

/* The others' first, while their descriptors are in the cache. */
void shards_free(struct shard *home, struct quire_page **pages, unsigned count, uint32_t kind)
{
    unsigned own = shard_gather(home, pages, count);
    if (quire_unlikely(own < count))
        free_foreign(home->zone, pages + own, count - own, kind);
    free_directly(home, pages, own, flags_order(kind));
}

/* ---- handing over ---------------------------------------------------------------------------- */

bool shard_hand_over(struct shard *from, struct shard *to, enum quire_migratetype type)
{
    struct zone *zone = from->zone;
    if (!(from->avail[type] >> MAX_ORDER & 1))
        return false;
    quire_add_fetch(&zone->hand_overs_begun, 1);
    struct list *first = from->blocks[MAX_ORDER][type].next;
    superblock_hand_over(from, to, quire_container_of(first, struct pageblock, link));
    quire_add_fetch(&zone->hand_overs_ended, 1);
    return true;
}

unsigned long hand_overs_ended(const struct zone *zone)
{
    return quire_load_acquire(&zone->hand_overs_ended);
}

bool hand_over_since(const struct zone *zone, unsigned long ended)
{
    return quire_load_acquire(&zone->hand_overs_begun) != ended;
}

/* ---- a zone as a whole ----------------------------------------------------------------------- */

quire_port_irq_t zone_lock(struct zone *zone)
{
    zone_empty_inboxes(zone); /* most of it with one lock at a time */
    quire_port_irq_t irq = quire_port_irq_save();
    for_each_shard (zone, shard)
        quire_port_spin_lock(&shard->lock);
    for_each_shard (zone, shard)
        shard_empty_inbox(shard);
    return irq;
}

/* The first one last: with it held the zone doesn't get more shards, whose locks would then be
 * given up without having been taken. */
void zone_unlock(struct zone *zone, quire_port_irq_t irq)
{
    for (unsigned i = zone_shard_mask(zone) + 1; i-- > 0;)
        quire_port_spin_unlock(&zone->shard[i].lock);
    quire_port_irq_restore(irq);
}

unsigned long zone_inbox_frames(const struct zone *zone)
{
    unsigned long frames = 0;
    for_each_shard (zone, shard)
        frames += inbox_frames(&shard->inbox);
    return frames;
}

unsigned long zone_nr_free(const struct zone *zone)
{
    unsigned long frames = zone_inbox_frames(zone);
    for_each_shard (zone, shard)
        frames += quire_load_acquire(&shard->nr_free);
    return frames;
}

unsigned long zone_nr_blocks(const struct zone *zone, unsigned order)
{
    unsigned long blocks = 0;
    for_each_shard (zone, shard)
        blocks += quire_load_relaxed(&shard->nr_blocks[order]);
    return blocks;
}

unsigned long zone_free_special(const struct zone *zone, enum quire_migratetype type)
{
    unsigned long frames = 0;
    for_each_shard (zone, shard)
        frames += quire_load_relaxed(&shard->nr_free_special[type]);
    return frames;
}

uint32_t zone_avail(const struct zone *zone, enum quire_migratetype type)
{
    uint32_t orders = 0;
    for_each_shard (zone, shard)
        orders |= quire_load_acquire(&shard->avail[type]);
    return orders;
}
