/* tools/events_frames.h: whose each frame is, as events say
 */
#ifndef TOOLS_EVENTS_FRAMES_H
#define TOOLS_EVENTS_FRAMES_H

#include "events.h"

enum frame_state { FRAME_UNKNOWN, FRAME_FREE, FRAME_USED };

struct frame {
    uint8_t state;
    uint8_t owner; /* enum quire_event_owner, of one in use */
};

#define FRAMES_MOST_ZONES 80
/* Zones that are told of again, with other frames: each time all of these are counted. */
#define FRAMES_MOST_ZONE_CHANGES 64u
#define FRAMES_OF_PAGEBLOCK 512u

struct frames {
    struct frame *frame; /* as many as the header says */
    uint32_t count, max_order;
    struct frames_zone {
        bool known;
        uint64_t start, end, node, type, free;
    } zone[FRAMES_MOST_ZONES];
    unsigned nr_zone_changes;
    uint8_t *pageblock;  /* enum quire_migratetype, one for each FRAMES_OF_PAGEBLOCK */
    uint64_t nr_samples; /* that agreed */
    char error[200];
};

/* False: no memory. */
bool frames_init(struct frames *frames, const struct event_reader *reader);
void frames_free(struct frames *frames);

/* A zone that is told of once more as it is. */
bool frames_has_zone(const struct frames *frames, const struct event *event);
/* What the event makes of them. False: it can't be, as `error` says: what is freed isn't in use,
 * what is allocated isn't free, or the machine counts other free frames than are left by the
 * events. An allocated block that is cut into smaller ones is allocated again, piece by piece. */
bool frames_take(struct frames *frames, const struct event *event);

#endif
