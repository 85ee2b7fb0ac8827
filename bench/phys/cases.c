/* bench/phys/cases.c: which cases there are, and timing them
 *
 * All subjects of a case run in the same rounds, one after the other, so that what else the machine
 * does meets all of them. The first round warms up and isn't counted.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define MAX_SUBJECTS 8
#define PAIRS_PER_ROUND (512u * 1024)

const struct subject *const subjects[] = {&quire_subject, &stack_subject, &buddy_subject, NULL};

const struct bench_case bench_cases[] = {
    {"order-0-repeat", REPEAT, 0},     {"order-0-bulk", BULK, 0},     {"order-0-random", RANDOM, 0},
    {"order-3-repeat", REPEAT, 3},     {"order-3-bulk", BULK, 3},     {"order-3-random", RANDOM, 3},
    {"order-9-repeat", REPEAT, 9},     {"order-9-bulk", BULK, 9},     {"order-9-random", RANDOM, 9},
    {"order-0-calls-of-64", CALLS, 0}, {"order-0-remote", REMOTE, 0}, {NULL, REPEAT, 0},
};

bool case_selected(const struct bench_case *c)
{
    return !options.cases || !fnmatch(options.cases, c->name, 0);
}

bool subject_selected(const struct subject *subject)
{
    return !options.subjects || !fnmatch(options.subjects, subject->name, 0);
}

bool subject_can(const struct subject *subject, enum activity activity)
{
    return (activity != CALLS || subject->calls) && (activity != REMOTE || subject->produce);
}

void case_prepare(struct work *work, const struct subject *subject, const struct bench_case *c,
                  unsigned threads)
{
    uint64_t frames = options.bytes / FRAME_BYTES;
    *work = (struct work){
        .subject = subject,
        .machine = subject->create(options.bytes, threads, c->order),
        .activity = c->activity,
        .order = c->order,
        .threads = threads,
        .blocks = (size_t)((frames >> c->order) / threads / 2),
        .seed = options.seed,
    };
    size_t pairs = c->activity == BULK || c->activity == RANDOM ? work->blocks : CHUNK;
    if (!pairs)
        fail("the memory is too small for this order");
    work->cycles = PAIRS_PER_ROUND / threads / pairs;
    if (c->order >= 6) /* each costs a shuffle or a look at the clock more than it is worth */
        work->cycles /= 4;
    if (!work->cycles)
        work->cycles = 1;
    if (!work->machine || !work_init(work))
        fail("out of memory");
}

/* Pairs a second of all threads, in millions: by the median of chunks, and by the clock on the
 * wall, which includes what else the machine did meanwhile. */
struct throughput {
    double chunks, wall;
};

/* One subject's share of a case. */
struct result {
    struct work work;
    struct samples wall;     /* of each round */
    struct throughput alone; /* of one thread, measured before; 0: it wasn't */
};

static void run_rounds(struct result *results, unsigned count, const char *name)
{
    for (unsigned round = 0; round <= options.rounds; round++) {
        char text[80];
        snprintf(text, sizeof text, "%s, %u threads, round %u of %u", name, results[0].work.threads,
                 round, options.rounds);
        progress(text);
        for (unsigned i = 0; i < count; i++) {
            struct work *work = &results[i].work;
            work_run(work);
            if (!round)
                work->get.count = work->put.count = work->pair.count = 0;
            else
                samples_add(&results[i].wall, (uint64_t)(work->pairs * 1000),
                            (size_t)work->elapsed_ns);
        }
    }
    progress(NULL);
}

static struct throughput print_result(const char *name, struct result *result)
{
    struct work *work = &result->work;
    const char *subject = work->subject->name;
    unsigned threads = work->threads;
    double pair = samples_median(&work->pair);
    if (work->activity == BULK || work->activity == RANDOM) {
        double get = samples_median(&work->get), put = samples_median(&work->put);
        print_row(name, threads, subject, get, 1, "ns/get");
        print_row(name, threads, subject, put, 1, "ns/put");
        pair = get + put;
    }
    double at_once = work->activity == REMOTE ? 1 : threads;
    struct throughput throughput = {.chunks = at_once * 1000 / pair,
                                    .wall = samples_median(&result->wall)};
    print_row(name, threads, subject, pair, 1, "ns/pair");
    print_row(name, threads, subject, throughput.chunks, 2, "Mpairs/s");
    print_row(name, threads, subject, throughput.wall, 2, "Mpairs/s-wall");
    if (threads == 2 && result->alone.chunks > 0) {
        print_row(name, threads, subject, throughput.chunks / result->alone.chunks, 2, "x1thread");
        print_row(name, threads, subject, throughput.wall / result->alone.wall, 2, "x1thread-wall");
    }
    return throughput;
}

static void run_case(const struct bench_case *c, unsigned threads, struct throughput *alone)
{
    struct result results[MAX_SUBJECTS] = {0};
    unsigned count = 0;
    for (unsigned i = 0; subjects[i]; i++) {
        if (!subject_selected(subjects[i]) || !subject_can(subjects[i], c->activity))
            continue;
        struct result *result = &results[count++];
        case_prepare(&result->work, subjects[i], c, threads);
        if (!samples_init(&result->wall, options.rounds))
            fail("out of memory");
        result->alone = alone[i];
    }
    if (count)
        run_rounds(results, count, c->name);
    for (unsigned i = 0, n = 0; subjects[i]; i++) {
        if (!subject_selected(subjects[i]) || !subject_can(subjects[i], c->activity))
            continue;
        struct result *result = &results[n++];
        alone[i] = print_result(c->name, result);
        result->work.subject->destroy(result->work.machine);
        work_free(&result->work);
        samples_free(&result->wall);
    }
}

static void print_metadata(void)
{
    for (unsigned i = 0; subjects[i]; i++) {
        if (!subject_selected(subjects[i]))
            continue;
        void *machine = subjects[i]->create(options.bytes, 1, 0);
        if (!machine)
            fail("out of memory");
        double part = (double)subjects[i]->metadata(machine) / (double)options.bytes;
        print_row("metadata", 1, subjects[i]->name, 100 * part, 3, "percent");
        subjects[i]->destroy(machine);
    }
}

void run_cases(void)
{
    printf(
        "# %llu MiB of simulated memory, descriptors touched before (warm); compiler %s; 2 threads "
        "%s\n",
        (unsigned long long)options.bytes >> 20, __VERSION__,
        can_pin(2) ? "on a processor each" : "share a processor: what they say of it is nothing");
    printf("# ns: median over chunks of %u operations, or all blocks when fewer; %u rounds\n",
           CHUNK, options.rounds);
    printf("# Mpairs/s: of all threads, from ns/pair; x1thread: that by one thread's\n");
    printf(
        "# -wall: by elapsed time, median over rounds: needs a machine that does nothing else\n");
    print_row("# case", 0, NULL, 0, 0, NULL);
    for (const struct bench_case *c = bench_cases; c->name; c++) {
        struct throughput alone[MAX_SUBJECTS] = {0};
        if (!case_selected(c))
            continue;
        for (unsigned threads = 1; threads <= MAX_THREADS; threads++)
            if ((!options.threads || options.threads == threads) &&
                (c->activity != REMOTE || threads == 2))
                run_case(c, threads, alone);
    }
    if (!options.cases || !fnmatch(options.cases, "metadata", 0))
        print_metadata();
}
