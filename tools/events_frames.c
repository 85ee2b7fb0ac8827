/* tools/events_frames.c: the state of every frame, from event to event
 */
#include "events_frames.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <quire/phys.h>

bool frames_init(struct frames *frames, const struct event_reader *reader)
{
    *frames = (struct frames){.count = reader->nr_frames, .max_order = reader->max_order};
    size_t pageblocks = frames->count / FRAMES_OF_PAGEBLOCK + 1;
    frames->frame = calloc(frames->count, sizeof *frames->frame);
    frames->pageblock = malloc(pageblocks);
    if (frames->pageblock)
        memset(frames->pageblock, QUIRE_MIGRATE_MOVABLE, pageblocks);
    return frames->frame && frames->pageblock;
}

void frames_free(struct frames *frames)
{
    free(frames->frame);
    free(frames->pageblock);
}

__attribute__((format(printf, 3, 4))) static bool
fail(struct frames *frames, const struct event *event, const char *format, ...)
{
    va_list list;
    int length =
        snprintf(frames->error, sizeof frames->error, "at byte %" PRIu64 ", %s: ", event->offset,
                 event_form(event->number)->name);
    va_start(list, format);
    vsnprintf(frames->error + length, sizeof frames->error - (size_t)length, format, list);
    va_end(list);
    return false;
}

static void count_free(struct frames *frames, uint64_t pfn, int by)
{
    for (unsigned i = 0; i < FRAMES_MOST_ZONES && frames->zone[i].known; i++)
        if (pfn >= frames->zone[i].start && pfn < frames->zone[i].end)
            frames->zone[i].free += (uint64_t)by;
}

static void set_state(struct frames *frames, uint64_t pfn, enum frame_state state)
{
    struct frame *frame = &frames->frame[pfn];
    if (frame->state == FRAME_FREE)
        count_free(frames, pfn, -1);
    frame->state = (uint8_t)state;
    frame->owner = EVENT_OWNER_KERNEL;
    if (state == FRAME_FREE)
        count_free(frames, pfn, 1);
}

static const char *state_name(unsigned state)
{
    return state == FRAME_FREE ? "free" : state == FRAME_USED ? "in use" : "not the allocator's";
}

/* Frames of the event from its first field on, all in `from` (or, if that is in use, in use
 * already), become `to`. */
static bool change(struct frames *frames, const struct event *event, uint64_t count,
                   enum frame_state to)
{
    uint64_t pfn = event->field[0];
    if (pfn >= frames->count || count > frames->count - pfn)
        return fail(frames, event, "the machine has no frames from %" PRIu64 " on, %" PRIu64, pfn,
                    count);
    unsigned first = frames->frame[pfn].state;
    bool wrong = event->number == QUIRE_EVENT_FREE    ? first != FRAME_USED
                 : event->number == QUIRE_EVENT_ALLOC ? first == FRAME_UNKNOWN
                                                      : first == FRAME_FREE;
    for (uint64_t i = 0; i < count; i++) {
        if (wrong || frames->frame[pfn + i].state != first)
            return fail(frames, event, "frame %" PRIu64 " is %s", pfn + i,
                        state_name(frames->frame[pfn + i].state));
        if (first != (unsigned)to)
            set_state(frames, pfn + i, to);
    }
    return true;
}

static uint64_t block_frames(const struct frames *frames, const struct event *event)
{
    return event->field[1] <= frames->max_order ? (uint64_t)1 << event->field[1] : UINT64_MAX;
}

static bool own(struct frames *frames, const struct event *event, enum quire_event_owner owner)
{
    uint64_t pfn = event->field[0], count = block_frames(frames, event);
    if (pfn >= frames->count || count > frames->count - pfn)
        return fail(frames, event, "the machine has no such frames");
    for (uint64_t i = 0; i < count; i++) {
        if (frames->frame[pfn + i].state != FRAME_USED)
            return fail(frames, event, "frame %" PRIu64 " is %s", pfn + i,
                        state_name(frames->frame[pfn + i].state));
        frames->frame[pfn + i].owner = (uint8_t)owner;
    }
    return true;
}

bool frames_has_zone(const struct frames *frames, const struct event *event)
{
    if (event->field[0] >= FRAMES_MOST_ZONES)
        return false;
    const struct frames_zone *zone = &frames->zone[event->field[0]];
    return zone->known && zone->node == event->field[1] && zone->type == event->field[2] &&
           zone->start == event->field[3] && zone->end - zone->start == event->field[4];
}

/* Zones come in the order of their numbers. */
static bool add_zone(struct frames *frames, const struct event *event)
{
    uint64_t number = event->field[0], start = event->field[3], spanned = event->field[4];
    if (number >= FRAMES_MOST_ZONES || (number && !frames->zone[number - 1].known) ||
        start > frames->count || spanned > frames->count - start)
        return fail(frames, event, "this machine can't have it");
    struct frames_zone *zone = &frames->zone[number];
    if (frames_has_zone(frames, event))
        return true;
    if (zone->known && ++frames->nr_zone_changes > FRAMES_MOST_ZONE_CHANGES)
        return fail(frames, event, "zones change too often");
    *zone = (struct frames_zone){.known = true,
                                 .start = start,
                                 .end = start + spanned,
                                 .node = event->field[1],
                                 .type = event->field[2]};
    for (uint64_t pfn = start; pfn < zone->end; pfn++)
        zone->free += frames->frame[pfn].state == FRAME_FREE;
    return true;
}

static bool compare(struct frames *frames, const struct event *event)
{
    uint64_t number = event->field[0];
    if (number >= FRAMES_MOST_ZONES || !frames->zone[number].known)
        return fail(frames, event, "there is no such zone");
    if (frames->zone[number].free != event->field[1])
        return fail(frames, event,
                    "zone %" PRIu64 " has %" PRIu64 " free frames by the events, and %" PRIu64
                    " as the machine counts",
                    number, frames->zone[number].free, event->field[1]);
    frames->nr_samples++;
    return true;
}

static bool set_type(struct frames *frames, const struct event *event)
{
    uint64_t pfn = event->field[0];
    if (pfn >= frames->count || pfn % FRAMES_OF_PAGEBLOCK ||
        event->field[1] >= QUIRE_NR_MIGRATETYPES)
        return fail(frames, event, "there is no such pageblock or type");
    frames->pageblock[pfn / FRAMES_OF_PAGEBLOCK] = (uint8_t)event->field[1];
    return true;
}

bool frames_take(struct frames *frames, const struct event *event)
{
    switch (event->number) {
    case QUIRE_EVENT_RANGE:
        return change(frames, event, event->field[1], FRAME_FREE);
    case QUIRE_EVENT_ALLOC:
        return change(frames, event, block_frames(frames, event), FRAME_USED);
    case QUIRE_EVENT_FREE:
        return change(frames, event, block_frames(frames, event), FRAME_FREE);
    case QUIRE_EVENT_OWNER:
        return own(frames, event, (enum quire_event_owner)event->field[2]);
    case QUIRE_EVENT_SLAB:
        return own(frames, event, EVENT_OWNER_SLAB);
    case QUIRE_EVENT_ZONE:
        return add_zone(frames, event);
    case QUIRE_EVENT_PAGEBLOCK:
        return set_type(frames, event);
    case QUIRE_EVENT_SAMPLE:
        return compare(frames, event);
    case QUIRE_EVENT_PEAK:
        return event->field[0] <= frames->count ||
               fail(frames, event, "%" PRIu64 " frames of %" PRIu64, event->field[0],
                    (uint64_t)frames->count);
    default:
        return true;
    }
}
