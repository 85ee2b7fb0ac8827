/* tools/model.h: what the exact models share */
#ifndef TOOLS_MODEL_H
#define TOOLS_MODEL_H

#include "replay.h"

extern const struct replay_engine model_fifo, model_clock, model_lru, model_opt;

/* Makes room for `count` elements of `size` bytes at *array, which holds *capacity of them; those
 * that are new are zero. False: no memory, and all is as it was. */
bool model_reserve(void **array, size_t *capacity, size_t count, size_t size);

/* Every policy misses a page's first reference, and evicts on a miss once all frames are taken. */
static inline void model_count(struct replay_counts *counts, uint64_t frames, uint64_t pages,
                               uint64_t misses, uint64_t write_backs)
{
    *counts = (struct replay_counts){
        .minor = pages,
        .major = misses - pages,
        .evictions = misses > frames ? misses - frames : 0,
        .write_backs = write_backs,
    };
}

#endif
