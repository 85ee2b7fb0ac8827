/* tools/run_watch.c: watches the processes that descend from this one
 *
 * Every look reads the figures of each process that is ours. New ones are looked for in the list of
 * all processes, which costs more: in the first looks, when a heap's page has an owner that nobody
 * knows, and each SELDOM looks. Of others it is remembered that they are nobody of ours; a number
 * may be given to a new process, so each AGAIN looks they are read again.
 */
#define _GNU_SOURCE
#include "run_watch.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "allocate.h"
#include "heap_page.h"

#define SELDOM 4u
#define AGAIN (4 * SELDOM)
#define FIRST_LOOKS 8u
#define MOST_ANCESTORS 64u
#define SHARE_OF_TIME 50u /* looks take at most one part of so many */
#define FIRST_INTERVAL_NS 1000000u

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t watch_processor_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t watch_now(const struct watch *watch)
{
    return clock_ns(CLOCK_MONOTONIC) - watch->began_ns;
}

void watch_begin(struct watch *watch, struct places *places, uint64_t interval_ns)
{
    *watch = (struct watch){.self = (uint32_t)getpid(),
                            .began_ns = clock_ns(CLOCK_MONOTONIC),
                            .began_boot_ns = clock_ns(CLOCK_BOOTTIME),
                            .interval_ns = interval_ns,
                            .has_swap = proc_has_swap(),
                            .places = places,
                            .stride = 1};
}

/* ---- samples --------------------------------------------------------------------------------- */

static bool is_sampled(const struct watch *watch)
{
    return watch->looks % watch->stride == 0;
}

static void take_sample(struct watch *watch, struct process *process, const struct proc_stat *stat)
{
    process->last.t = watch_now(watch);
    process->last.rss = stat->state == 'Z' ? 0 : stat->rss;
    process->last.swap = watch->has_swap && stat->state != 'Z' ? proc_swap(stat->pid) : 0;
    process->last.minor = stat->minor;
    process->last.major = stat->major;
    process->last.user_ns = stat->user_ns;
    process->last.kernel_ns = stat->kernel_ns;
    if (process->last.rss > process->peak_rss)
        process->peak_rss = process->last.rss;
}

/* ---- processes ------------------------------------------------------------------------------- */

static size_t place_of(const struct watch *watch, uint32_t pid)
{
    size_t low = 0, high = watch->nr_live;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (watch->live[middle]->pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct process *find(const struct watch *watch, uint32_t pid)
{
    size_t at = place_of(watch, pid);
    return at < watch->nr_live && watch->live[at]->pid == pid ? watch->live[at] : NULL;
}

static struct process *new_process(struct watch *watch, uint32_t pid, uint32_t parent)
{
    struct process *process = must(calloc(1, sizeof *process));
    process->pid = process->inner = pid;
    process->parent = parent;
    process->place = QUIRE_HEAP_PLACES;
    process->is_told = watch->nr_told < MOST_PROCESSES;
    if (!process->is_told) {
        watch->nr_beyond++;
        return process;
    }
    watch->told = must(realloc(watch->told, (watch->nr_told + 1) * sizeof(struct process *)));
    watch->told[watch->nr_told++] = process;
    return process;
}

static void free_process(struct process *process)
{
    proc_areas_free(&process->areas);
    free(process->samples.sample);
    free(process->page);
    free(process->peak_page);
    free(process);
}

static struct process *enter(struct watch *watch, const struct proc_stat *stat)
{
    struct process *process = new_process(watch, stat->pid, stat->parent);
    size_t at = place_of(watch, stat->pid);
    watch->live = must(realloc(watch->live, (watch->nr_live + 1) * sizeof(struct process *)));
    memmove(&watch->live[at + 1], &watch->live[at],
            (watch->nr_live - at) * sizeof(struct process *));
    watch->live[at] = process;
    watch->nr_live++;
    if (watch->nr_live > watch->most_live)
        watch->most_live = watch->nr_live;
    process->is_live = true;
    process->inner = heap_page_innermost_pid(stat->pid);
    process->birth_ns = stat->start_ns;
    uint64_t before = watch->began_boot_ns;
    process->start_ns = stat->start_ns > before ? stat->start_ns - before : 0;
    return process;
}

static void see(struct watch *watch, struct process *process, const struct proc_stat *stat)
{
    process->is_seen = true;
    process->parent = stat->parent;
    memcpy(process->name, stat->name, sizeof process->name);
    take_sample(watch, process, stat);
}

/* ---- pages of heaps -------------------------------------------------------------------------- */

/* When it ended. What one process held may be more than all did in any look. */
static void note_heap(struct watch *watch, const struct process *process)
{
    uint64_t began = watch->began_ns, mapped = process->mapped_ns;
    if (mapped > began && mapped - began > watch->last_map_ns)
        watch->last_map_ns = mapped - began;

    struct heap_counts counts;
    heap_counts_of(&counts, process->peak_page);
    if (!heap_holds_more(&counts, watch->most_held.held, watch->most_held.asked))
        return;
    watch->most_held = counts;
    watch->most_held_ns = watch_now(watch);
}

/* It was over before anybody saw it: it is told by what its page has. */
static void add_by_page(struct watch *watch, uint32_t n)
{
    static struct quire_heap_page page;
    if (!places_read(watch->places, n, &page))
        return;
    struct process *process = new_process(watch, page.pid, page.parent);
    uint64_t began = watch->began_ns;
    process->start_ns = page.started_ns > began ? page.started_ns - began : 0;
    process->end_ns = page.written_ns > began ? page.written_ns - began : 0;
    memcpy(process->name, page.name, sizeof page.name);
    process->name[sizeof page.name] = '\0';
    proc_clean_name(process->name);
    process->last = (struct sample){.t = process->end_ns,
                                    .minor = page.minor_faults,
                                    .major = page.major_faults,
                                    .user_ns = page.user_ns,
                                    .kernel_ns = page.kernel_ns};
    process->peak_rss = page.peak_resident;
    process_take_page(process, &page);
    note_heap(watch, process);
    watch->nr_pages++;
    if (process->is_told) {
        samples_keep(watch, &process->samples, &process->last);
        return;
    }
    process_add_counts(process, &watch->beyond);
    free_process(process);
}

static struct process *owner_of(const struct watch *watch, uint32_t inner)
{
    struct process *process = find(watch, inner);
    if (process && process->inner == inner)
        return process;
    for (size_t i = 0; i < watch->nr_live; i++)
        if (watch->live[i]->inner == inner && watch->live[i]->inner != watch->live[i]->pid)
            return watch->live[i];
    return NULL;
}

static bool is_ours(const struct watch *watch, const struct proc_stat *stat)
{
    if (stat->parent == watch->self)
        return !strangers_have(watch->strangers, stat->pid);
    return find(watch, stat->parent);
}

/* A process that runs, and was taken for somebody else's when its number was another process's: it
 * is ours if one of its ancestors is. */
static bool adopt(struct watch *watch, uint32_t pid, unsigned most)
{
    struct proc_stat stat;
    if (find(watch, pid))
        return true;
    if (!most || pid <= 1 || pid == watch->self || !proc_stat_read(pid, &stat) || stat.state == 'Z')
        return false;
    if (!is_ours(watch, &stat) &&
        (stat.parent == watch->self || !adopt(watch, stat.parent, most - 1)))
        return false;
    see(watch, enter(watch, &stat), &stat);
    return true;
}

/* Who isn't ours in two looks, between which all processes were looked through, is over. */
static void look_at_places(struct watch *watch, bool is_last)
{
    struct places *places = watch->places;
    if (!places)
        return;
    places_look(places);
    for (uint32_t n = 0; n < QUIRE_HEAP_PLACES; n++) {
        uint32_t owner = places->owner[n];
        struct process *process = owner ? owner_of(watch, owner) : NULL;
        bool was_unknown = owner && watch->unknown[n] == owner;
        watch->unknown[n] = owner && !process ? owner : 0;
        if (process) {
            process_read_place(watch, process, n);
        } else if (owner && (was_unknown || is_last) && !adopt(watch, owner, MOST_ANCESTORS)) {
            add_by_page(watch, n);
            places_free(places, n);
            watch->unknown[n] = 0;
        }
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

/* A process that was waited for by others ended some time after the last look. */
static void use_last_words(struct process *process, const struct quire_heap_page *page)
{
    if (page->peak_resident > process->peak_rss)
        process->peak_rss = page->peak_resident;
    if (page->minor_faults <= process->last.minor)
        return;
    process->last.minor = page->minor_faults;
    process->last.major = page->major_faults;
    process->last.user_ns = page->user_ns;
    process->last.kernel_ns = page->kernel_ns;
}

static void leave(struct watch *watch, struct process *process)
{
    size_t at = place_of(watch, process->pid);
    watch->nr_live--;
    memmove(&watch->live[at], &watch->live[at + 1],
            (watch->nr_live - at) * sizeof(struct process *));
    process->is_live = false;
    process->end_ns = watch_now(watch);
    if (watch->places && process->place < QUIRE_HEAP_PLACES &&
        watch->places->owner[process->place] == process->inner) {
        process_read_place(watch, process, process->place);
        places_free(watch->places, process->place);
        process->place = QUIRE_HEAP_PLACES;
    }
    process->last.rss = process->last.swap = 0;
    if (process->page) {
        use_last_words(process, process->page);
        note_heap(watch, process);
    }
    watch->gone_minor += process->last.minor;
    watch->gone_major += process->last.major;
    watch->gone_user_ns += process->last.user_ns;
    watch->gone_kernel_ns += process->last.kernel_ns;
    if (process->is_told) {
        process->last.t = process->end_ns;
        samples_keep(watch, &process->samples, &process->last);
        return;
    }
    process_add_counts(process, &watch->beyond);
    free_process(process);
}

void watch_ended(struct watch *watch, uint32_t pid)
{
    struct proc_stat stat;
    struct process *process = find(watch, pid);
    if (!process)
        return;
    if (proc_stat_read(pid, &stat))
        see(watch, process, &stat);
    if (watch->places) {
        places_look(watch->places);
        for (uint32_t n = 0; n < QUIRE_HEAP_PLACES; n++)
            if (watch->places->owner[n] == process->inner)
                process_read_place(watch, process, n);
    }
    leave(watch, process);
}

/* ---- looks ----------------------------------------------------------------------------------- */

static bool was_foreign(const struct watch *watch, uint32_t pid, size_t *next)
{
    while (*next < watch->nr_foreign && watch->foreign[*next] < pid)
        ++*next;
    return *next < watch->nr_foreign && watch->foreign[*next] == pid;
}

/* True: it is somebody else's. */
static bool look_at(struct watch *watch, uint32_t pid)
{
    struct proc_stat stat;
    struct process *process = find(watch, pid);
    if (!proc_stat_read(pid, &stat))
        return false;
    if (process && process->birth_ns != stat.start_ns) { /* its number was given again */
        leave(watch, process);
        process = NULL;
    }
    if (!process && !is_ours(watch, &stat))
        return true;
    see(watch, process ? process : enter(watch, &stat), &stat);
    return false;
}

static int by_number(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

/* When a process was found, of those that weren't ours some may be its children: numbers begin
 * anew when they are used up, so a child may have a lower one, and come first. How many are left.
 */
static size_t look_again(struct watch *watch, uint32_t *foreign, size_t count)
{
    size_t left = 0, next = 0;
    for (size_t i = 0; i < count; i++)
        if (was_foreign(watch, foreign[i], &next) || look_at(watch, foreign[i]))
            foreign[left++] = foreign[i];
    return left;
}

static void look_through(struct watch *watch)
{
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    uint32_t *foreign = NULL;
    size_t count = 0, room = 0, next = 0, nr_live = watch->nr_live;
    bool again = watch->looks % AGAIN == 0;
    while (folder && (entry = readdir(folder))) {
        uint32_t pid =
            isdigit((unsigned char)*entry->d_name) ? (uint32_t)strtoul(entry->d_name, NULL, 10) : 0;
        if (!pid || pid == watch->self ||
            !((!again && was_foreign(watch, pid, &next)) || look_at(watch, pid)))
            continue;
        if (count == room) {
            room = room ? 2 * room : 256;
            foreign = must(realloc(foreign, room * sizeof *foreign));
        }
        foreign[count++] = pid;
    }
    if (folder)
        closedir(folder);
    while (watch->nr_live > nr_live) {
        nr_live = watch->nr_live;
        count = look_again(watch, foreign, count);
    }
    if (count)
        qsort(foreign, count, sizeof *foreign, by_number);
    free(watch->foreign);
    watch->foreign = foreign;
    watch->nr_foreign = count;
}

static void look_at_known(struct watch *watch)
{
    for (size_t i = watch->nr_live; i-- > 0;)
        (void)look_at(watch, watch->live[i]->pid);
}

static bool has_unknown_owner(struct watch *watch)
{
    struct places *places = watch->places;
    if (!places)
        return false;
    places_look(places);
    for (uint32_t n = 0; n < QUIRE_HEAP_PLACES; n++)
        if (places->owner[n] && !owner_of(watch, places->owner[n]))
            return true;
    return false;
}

static void forget_unseen(struct watch *watch)
{
    for (size_t i = watch->nr_live; i-- > 0;)
        if (!watch->live[i]->is_seen)
            leave(watch, watch->live[i]);
}

static void sum_up(struct watch *watch, bool is_kept)
{
    struct sample sum = {.t = watch_now(watch),
                         .minor = watch->gone_minor,
                         .major = watch->gone_major,
                         .user_ns = watch->gone_user_ns,
                         .kernel_ns = watch->gone_kernel_ns};
    struct heap_counts counts;
    watch_counts(watch, &counts);
    for (size_t i = 0; i < watch->nr_live; i++) {
        const struct sample *last = &watch->live[i]->last;
        sum.rss += last->rss;
        sum.swap += last->swap;
        sum.minor += last->minor;
        sum.major += last->major;
        sum.user_ns += last->user_ns;
        sum.kernel_ns += last->kernel_ns;
    }
    sum.has_heap = watch->nr_pages != 0;
    sum.asked = counts.asked;
    sum.used = counts.used;
    sum.held = counts.held;
    sum.given_back = counts.given_back;
    sum.maps = counts.maps;
    sum.unmaps = counts.unmaps;
    if (sum.rss >= watch->most_rss.rss)
        watch->most_rss = sum;
    if (heap_holds_more(&counts, watch->most_held.held, watch->most_held.asked)) {
        watch->most_held = counts;
        watch->most_held_ns = sum.t;
    }
    if (is_kept)
        samples_keep(watch, &watch->all, &sum);
}

void watch_add(struct watch *watch, uint32_t pid, const struct strangers *strangers)
{
    struct proc_stat stat;
    watch->strangers = strangers;
    if (proc_stat_read(pid, &stat))
        see(watch, enter(watch, &stat), &stat);
}

/* Short programs are looked at more often. */
static uint64_t next_look(const struct watch *watch)
{
    uint64_t interval = watch->interval_ns;
    if (watch->looks < 32 && (uint64_t)FIRST_INTERVAL_NS << watch->looks < interval)
        interval = (uint64_t)FIRST_INTERVAL_NS << watch->looks;
    uint64_t least = SHARE_OF_TIME * watch->look_ns;
    return watch_now(watch) + (interval > least ? interval : least);
}

uint64_t watch_look(struct watch *watch)
{
    uint64_t began = watch_processor_ns();
    for (size_t i = 0; i < watch->nr_live; i++)
        watch->live[i]->is_seen = false;
    if (watch->looks < FIRST_LOOKS || watch->looks % SELDOM == 0 || has_unknown_owner(watch))
        look_through(watch);
    else
        look_at_known(watch);
    look_at_places(watch, false);
    forget_unseen(watch);
    watch_look_for_libraries(watch);
    sum_up(watch, is_sampled(watch));
    for (size_t i = 0; i < watch->nr_live && is_sampled(watch); i++)
        if (watch->live[i]->is_told)
            samples_keep(watch, &watch->live[i]->samples, &watch->live[i]->last);
    samples_thin_if_full(watch);
    watch->looks++;
    watch->look_ns = watch_processor_ns() - began;
    watch->cost_ns += watch->look_ns;
    watch_look_at_areas(watch);
    return next_look(watch);
}

void watch_finish(struct watch *watch)
{
    look_at_places(watch, true);
    sum_up(watch, true);
    while (watch->nr_live)
        leave(watch, watch->live[watch->nr_live - 1]);
}

void watch_free(struct watch *watch)
{
    for (size_t i = 0; i < watch->nr_told; i++)
        free_process(watch->told[i]);
    free(watch->told);
    free(watch->live);
    free(watch->foreign);
    free(watch->all.sample);
}

void watch_counts(const struct watch *watch, struct heap_counts *counts)
{
    *counts = watch->beyond;
    for (size_t i = 0; i < watch->nr_told; i++)
        process_add_counts(watch->told[i], counts);
    for (size_t i = 0; i < watch->nr_live; i++)
        if (!watch->live[i]->is_told)
            process_add_counts(watch->live[i], counts);
}
