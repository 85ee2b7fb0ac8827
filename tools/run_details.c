/* tools/run_details.c: what is looked at less often: areas, and whether the heap is there at all */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_watch.h"

#define MOST_WITH_AREAS 8u
#define SHARE_FOR_AREAS 100u
#define LOADED_NS 50000000u
#define NAME_BYTES 15 /* of a program's name that the system keeps */

/* Reading them stops the program's mmap for a moment, so it is done for few, and less and less
 * often: what is known at the end is no older than a quarter of the process's age, unless that
 * takes more than its share of time. */
void watch_look_at_areas(struct watch *watch)
{
    unsigned done = 0;
    uint64_t began = watch_processor_ns();
    if (watch->areas_cost_ns > watch_now(watch) / SHARE_FOR_AREAS)
        return;
    uint64_t largest = 0;
    for (size_t i = 0; i < watch->nr_live; i++)
        largest = watch->live[i]->last.rss > largest ? watch->live[i]->last.rss : largest;
    for (size_t i = 0; i < watch->nr_live && done < MOST_WITH_AREAS; i++) {
        struct process *process = watch->live[i];
        uint64_t now = process->last.t, age = now - process->start_ns;
        if (!process->is_told || age < LOADED_NS || process->last.rss < largest / 16 ||
            (process->areas_ns && now - process->areas_ns < age / 4))
            continue;
        done++;
        if (proc_areas_read(process->pid, &process->areas))
            process->areas_ns = now;
    }
    watch->areas_cost_ns += watch_processor_ns() - began;
}

/* A program that exec starts is another one, mostly by its name. */
static void look_for_library(struct process *process)
{
    char path[64], *line = NULL;
    size_t size = 0;
    bool has_lines = false, has_library = false, has_own_page = false;
    bool is_its = process->page && !strncmp(process->page->name, process->name, NAME_BYTES);
    if (is_its || !strcmp(process->looked_for, process->name))
        return;
    snprintf(path, sizeof path, "/proc/%u/maps", process->pid);
    FILE *file = fopen(path, "re");
    while (file && getline(&line, &size, file) > 0) {
        has_library |= strstr(line, "/libquire-malloc.so") != NULL;
        has_own_page |= strstr(line, "/memfd:" QUIRE_HEAP_PAGE_NAME " ") != NULL;
        has_lines = true;
    }
    free(line);
    if (file)
        fclose(file);
    if (!has_lines) /* not to be seen */
        return;
    process->is_without = !has_library;
    process->is_unread = has_own_page;
    memcpy(process->looked_for, process->name, sizeof process->looked_for);
}

/* A program that has only just started loads it first. */
void watch_look_for_libraries(struct watch *watch)
{
    for (size_t i = 0; watch->places && i < watch->nr_live; i++) {
        struct process *process = watch->live[i];
        if (process->last.t - process->start_ns > LOADED_NS)
            look_for_library(process);
    }
}
