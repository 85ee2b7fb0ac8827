/* tools/report_frames.h: free blocks and frames' owners, as events say, for a map
 */
#ifndef TOOLS_REPORT_FRAMES_H
#define TOOLS_REPORT_FRAMES_H

#include <quire/phys.h>

#include "events_frames.h"
#include "report_map.h"

#define REPORT_MOST_CACHES 4096u

struct report_frames {
    struct frames frames;
    struct report_map *map;
    uint8_t *block;                 /* order + 1 of the free block that begins with this frame */
    uint16_t *slab;                 /* cache + 1 of the slab that begins with this frame */
    uint64_t kind[REPORT_NR_KINDS]; /* frames of each */
    uint64_t nr_frames, nr_free;    /* of all kinds; free ones */
    uint32_t nr_blocks[FRAMES_MOST_ZONES + 1][QUIRE_NR_MIGRATETYPES][REPORT_NR_ORDERS];
    struct report_frames_cache {
        uint64_t frames, slabs, objects; /* now; objects: that its slabs have room for */
    } cache[REPORT_MOST_CACHES];
};

/* False: no memory. */
bool report_frames_init(struct report_frames *frames, struct report_map *map,
                        const struct event_reader *reader);
void report_frames_free(struct report_frames *frames);

/* As frames_take: false: it can't be, as frames.error says; what was before stays. The cache whose
 * slabs changed goes to *cache, or else -1. */
bool report_frames_take(struct report_frames *frames, const struct event *event, int *cache);

#endif
