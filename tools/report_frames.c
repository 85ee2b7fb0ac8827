/* tools/report_frames.c: free blocks and frames' owners, as events say, for a map
 *
 * Events tell of blocks that are allocated and freed, not of how free ones merge. Here they do as
 * buddies: a free block's buddy of the same order in the same zone that is free, too, makes one of
 * the next order with it. That is what the machine's buddy allocator has, but for frames on per-CPU
 * lists, which are free to the events, and in no block of the machine.
 *
 *   invariant   free frames are covered by blocks without overlap; no two buddies of a zone are
 * both blocks of the same order below the largest cost        O(orders) a block
 */
#include "report_frames.h"

#include <stdlib.h>
#include <string.h>

#define NO_ZONE FRAMES_MOST_ZONES

bool report_frames_init(struct report_frames *of, struct report_map *map,
                        const struct event_reader *reader)
{
    memset(of, 0, sizeof *of);
    of->map = map;
    of->block = calloc(reader->nr_frames, sizeof *of->block);
    of->slab = calloc(reader->nr_frames, sizeof *of->slab);
    return frames_init(&of->frames, reader) && of->block && of->slab;
}

void report_frames_free(struct report_frames *of)
{
    frames_free(&of->frames);
    free(of->block);
    free(of->slab);
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static void add_kind(struct report_frames *of, uint64_t pfn, uint64_t count, unsigned kind)
{
    of->kind[kind] += count;
    report_map_add(of->map, pfn, count, kind);
}

static void remove_kind(struct report_frames *of, uint64_t pfn, uint64_t count, unsigned kind)
{
    of->kind[kind] -= count;
    report_map_remove(of->map, pfn, count, kind);
}

/* ---- free blocks ----------------------------------------------------------------------------- */

static unsigned zone_of(const struct report_frames *of, uint64_t pfn)
{
    for (unsigned i = 0; i < FRAMES_MOST_ZONES && of->frames.zone[i].known; i++)
        if (pfn >= of->frames.zone[i].start && pfn < of->frames.zone[i].end)
            return i;
    return NO_ZONE;
}

static uint32_t *count_of(struct report_frames *of, uint64_t pfn, unsigned order)
{
    unsigned type = of->frames.pageblock[pfn / FRAMES_OF_PAGEBLOCK];
    return &of->nr_blocks[zone_of(of, pfn)][type][order];
}

static void add_block(struct report_frames *of, uint64_t pfn, unsigned order)
{
    of->block[pfn] = (uint8_t)(order + 1);
    ++*count_of(of, pfn, order);
    add_kind(of, pfn, (uint64_t)1 << order, REPORT_KIND_FREE(order));
}

static void remove_block(struct report_frames *of, uint64_t pfn, unsigned order)
{
    of->block[pfn] = 0;
    --*count_of(of, pfn, order);
    remove_kind(of, pfn, (uint64_t)1 << order, REPORT_KIND_FREE(order));
}

/* The block that the frame is in. False: it isn't free. */
static bool find_block(const struct report_frames *of, uint64_t pfn, uint64_t *first,
                       unsigned *order)
{
    for (unsigned o = 0; o <= of->frames.max_order; o++) {
        *first = pfn & ~(((uint64_t)1 << o) - 1);
        if (of->block[*first] > o) {
            *order = of->block[*first] - 1u;
            return true;
        }
    }
    return false;
}

static void merge_block(struct report_frames *of, uint64_t pfn, unsigned order)
{
    for (; order < of->frames.max_order; order++) {
        uint64_t buddy = pfn ^ (uint64_t)1 << order;
        if (buddy >= of->frames.count || of->block[buddy] != order + 1 ||
            zone_of(of, buddy) != zone_of(of, pfn))
            break;
        remove_block(of, buddy, order);
        pfn &= buddy;
    }
    add_block(of, pfn, order);
}

/* The largest order of a block that begins here and isn't longer than that. */
static unsigned order_that_fits(const struct report_frames *of, uint64_t pfn, uint64_t count)
{
    unsigned order = 0;
    while (order < of->frames.max_order && !(pfn >> order & 1) && (uint64_t)2 << order <= count)
        order++;
    return order;
}

static void put_range(struct report_frames *of, uint64_t pfn, uint64_t count,
                      void (*put)(struct report_frames *, uint64_t, unsigned))
{
    while (count) {
        unsigned order = order_that_fits(of, pfn, count);
        put(of, pfn, order);
        pfn += (uint64_t)1 << order;
        count -= (uint64_t)1 << order;
    }
}

/* Frames that are free are no longer in blocks. */
static void take_range(struct report_frames *of, uint64_t pfn, uint64_t count)
{
    uint64_t end = pfn + count, first;
    unsigned order;
    while (pfn < end && find_block(of, pfn, &first, &order)) {
        uint64_t next = first + ((uint64_t)1 << order);
        remove_block(of, first, order);
        put_range(of, first, pfn - first, add_block);
        if (next > end)
            put_range(of, end, next - end, add_block);
        pfn = next;
    }
}

/* No block reaches across. */
static void cut_at(struct report_frames *of, uint64_t pfn)
{
    uint64_t first;
    unsigned order;
    if (pfn >= of->frames.count || !find_block(of, pfn, &first, &order) || first == pfn)
        return;
    remove_block(of, first, order);
    put_range(of, first, pfn - first, add_block);
    put_range(of, pfn, first + ((uint64_t)1 << order) - pfn, add_block);
}

/* Counts of the blocks that begin in a range, before and after what they are counted by changes. */
static void count_blocks(struct report_frames *of, uint64_t pfn, uint64_t end, uint32_t by)
{
    for (; pfn < end && pfn < of->frames.count; pfn++)
        if (of->block[pfn])
            *count_of(of, pfn, of->block[pfn] - 1u) += by;
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool are_in_use(const struct report_frames *of, uint64_t pfn, uint64_t count)
{
    const struct frames *frames = &of->frames;
    if (pfn >= frames->count || count > frames->count - pfn)
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (frames->frame[pfn + i].state != FRAME_USED)
            return false;
    return true;
}

static void count_owners(struct report_frames *of, uint64_t pfn, uint64_t count,
                         void (*change)(struct report_frames *, uint64_t, uint64_t, unsigned))
{
    for (uint64_t i = 0; i < count; i++)
        change(of, pfn + i, 1, of->frames.frame[pfn + i].owner & (REPORT_NR_OWNERS - 1));
}

static int end_slab(struct report_frames *of, uint64_t pfn, uint64_t count)
{
    int cache = (int)of->slab[pfn] - 1;
    if (cache >= 0) {
        of->cache[cache].frames -= count;
        of->cache[cache].slabs--;
        of->slab[pfn] = 0;
    }
    return cache;
}

static int begin_slab(struct report_frames *of, const struct event *event, uint64_t count)
{
    uint64_t pfn = event->field[0], cache = event->field[2];
    (void)end_slab(of, pfn, count);
    if (cache >= REPORT_MOST_CACHES)
        return -1;
    of->slab[pfn] = (uint16_t)(cache + 1);
    of->cache[cache].frames += count;
    of->cache[cache].slabs++;
    of->cache[cache].objects = event->field[3];
    return (int)cache;
}

/* Of frames that are in use and change owner, or are freed. */
static bool take_owned(struct report_frames *of, const struct event *event, uint64_t count,
                       int *cache)
{
    uint64_t pfn = event->field[0];
    bool counted = are_in_use(of, pfn, count);
    if (counted)
        count_owners(of, pfn, count, remove_kind);
    bool right = frames_take(&of->frames, event);
    if (counted && (!right || event->number != QUIRE_EVENT_FREE))
        count_owners(of, pfn, count, add_kind);
    if (!right)
        return false;
    if (event->number == QUIRE_EVENT_FREE) {
        *cache = end_slab(of, pfn, count);
        of->nr_free += count;
        put_range(of, pfn, count, merge_block);
    } else if (event->number == QUIRE_EVENT_SLAB) {
        *cache = begin_slab(of, event, count);
    }
    return true;
}

/* What is allocated is free, or in use and cut into smaller blocks. */
static bool take_alloc(struct report_frames *of, const struct event *event, uint64_t count)
{
    uint64_t pfn = event->field[0];
    bool was_used = are_in_use(of, pfn, count);
    if (!frames_take(&of->frames, event))
        return false;
    if (!was_used) {
        take_range(of, pfn, count);
        of->nr_free -= count;
        add_kind(of, pfn, count, EVENT_OWNER_KERNEL);
    }
    return true;
}

/* Frames that come, or come back. */
static bool take_range_event(struct report_frames *of, const struct event *event)
{
    uint64_t pfn = event->field[0], count = event->field[1];
    bool were_used = are_in_use(of, pfn, count);
    if (were_used)
        count_owners(of, pfn, count, remove_kind);
    if (!frames_take(&of->frames, event))
        return false;
    of->nr_frames += were_used ? 0 : count;
    of->nr_free += count;
    put_range(of, pfn, count, merge_block);
    return true;
}

static bool take_zone(struct report_frames *of, const struct event *event)
{
    uint64_t start = event->field[3], end = start + event->field[4];
    if (frames_has_zone(&of->frames, event))
        return true;
    bool is_new = event->field[0] < FRAMES_MOST_ZONES && start < of->frames.count && end > start &&
                  !of->frames.zone[event->field[0]].known;
    if (!is_new) { /* of no frames, or none that there can be */
        start = 0;
        end = of->frames.count;
    }
    cut_at(of, start);
    cut_at(of, end);
    count_blocks(of, start, end, (uint32_t)-1);
    bool right = frames_take(&of->frames, event);
    count_blocks(of, start, end, 1);
    return right;
}

static bool take_pageblock(struct report_frames *of, const struct event *event)
{
    uint64_t pfn = event->field[0];
    if (pfn < of->frames.count)
        count_blocks(of, pfn, pfn + FRAMES_OF_PAGEBLOCK, (uint32_t)-1);
    bool right = frames_take(&of->frames, event);
    if (pfn < of->frames.count)
        count_blocks(of, pfn, pfn + FRAMES_OF_PAGEBLOCK, 1);
    return right;
}

bool report_frames_take(struct report_frames *of, const struct event *event, int *cache)
{
    uint64_t count =
        event->field[1] <= of->frames.max_order ? (uint64_t)1 << event->field[1] : UINT64_MAX;
    *cache = -1;
    switch (event->number) {
    case QUIRE_EVENT_RANGE:
        return take_range_event(of, event);
    case QUIRE_EVENT_ALLOC:
        return take_alloc(of, event, count);
    case QUIRE_EVENT_FREE:
    case QUIRE_EVENT_OWNER:
    case QUIRE_EVENT_SLAB:
        return take_owned(of, event, count, cache);
    case QUIRE_EVENT_ZONE:
        return take_zone(of, event);
    case QUIRE_EVENT_PAGEBLOCK:
        return take_pageblock(of, event);
    default:
        return frames_take(&of->frames, event);
    }
}
