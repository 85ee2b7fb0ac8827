/* tools/model.c: which models there are, and the arrays that they keep by page */
#include "model.h"

#include <stdlib.h>
#include <string.h>

const struct replay_engine *replay_model(enum replay_policy policy)
{
    static const struct replay_engine *const models[REPLAY_NR_POLICIES] = {
        [REPLAY_LRU] = &model_lru,
        [REPLAY_CLOCK] = &model_clock,
        [REPLAY_FIFO] = &model_fifo,
        [REPLAY_OPT] = &model_opt,
    };
    return models[policy];
}

bool model_reserve(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count <= *capacity)
        return true;
    size_t wanted = *capacity ? *capacity : 1024;
    while (wanted < count)
        wanted *= 2;
    if (wanted > SIZE_MAX / size)
        return false;
    char *larger = realloc(*array, wanted * size);
    if (!larger)
        return false;
    memset(larger + *capacity * size, 0, (wanted - *capacity) * size);
    *array = larger;
    *capacity = wanted;
    return true;
}
