/* tools/run_samples.c: what was seen of processes over time, in bounded memory */
#include <stdlib.h>

#include "allocate.h"
#include "run_watch.h"

void samples_keep(struct watch *watch, struct samples *samples, const struct sample *added)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? 2 * samples->room : 16;
        samples->sample = must(realloc(samples->sample, samples->room * sizeof *samples->sample));
    }
    samples->sample[samples->count++] = *added;
    watch->nr_samples++;
}

/* Every second one goes, but for the first and the last. */
static void thin(struct watch *watch, struct samples *samples)
{
    size_t kept = 0;
    for (size_t i = 0; i < samples->count; i++)
        if (!(i & 1) || i + 1 == samples->count)
            samples->sample[kept++] = samples->sample[i];
    watch->dropped += samples->count - kept;
    watch->nr_samples -= samples->count - kept;
    samples->count = kept;
}

void samples_thin_if_full(struct watch *watch)
{
    if (watch->nr_samples < MOST_SAMPLES)
        return;
    for (size_t i = 0; i < watch->nr_told; i++)
        thin(watch, &watch->told[i]->samples);
    thin(watch, &watch->all);
    watch->stride *= 2;
}
