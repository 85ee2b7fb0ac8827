/* bench/replay/main.c: replay-bench, references per second by form and by policy
 *
 *     replay-bench [FILE]
 *
 * On a trace in memory: FILE's, in any form, or one of 8 million references that is made up as a
 * program would have it: loops over a few pages of code, each instruction with a reference to the
 * stack or to a heap of 4096 pages, of which some are used much more than others. Rows of `case
 * threads subject value unit`, the median of rounds. Exit status: 0 done, 1 failed, 2 usage.
 *
 *     read-FORM          bytes to runs, nothing else
 *     replay-POLICY      the compact form through one model, a quarter of the footprint as memory
 *     replay-sweep       LRU, CLOCK, FIFO and OPT at once, for eight sizes from 1/64 of the
 *                        footprint to twice as much
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <quire/port.h>

#include "bench/common/common.h"
#include "replay.h"

#define REFERENCES 8000000u
#define ROUNDS 5
#define CODE_PAGES 96u
#define HEAP_PAGES 4096u
#define SWEEP_SIZES 8u

/* A trace in one form, all in memory. */
struct image {
    const char *name;
    char *data;
    size_t size;
};

struct memory_source {
    const struct image *image;
    size_t at;
};

static uint64_t references; /* of the trace */
static unsigned page_shift;

static ssize_t read_image(void *arg, void *buffer, size_t size)
{
    struct memory_source *from = arg;
    size_t left = from->image->size - from->at;
    if (size > left)
        size = left;
    memcpy(buffer, from->image->data + from->at, size);
    from->at += size;
    return (ssize_t)size;
}

static struct trace_reader *open_image(struct memory_source *from, const struct image *image)
{
    struct trace_error error;
    *from = (struct memory_source){.image = image};
    const struct trace_source source = {image->name, read_image, from};
    struct trace_reader *reader = trace_open_source(&source, 0, &error);
    if (!reader)
        fail(error.text);
    return reader;
}

/* ---- traces ---------------------------------------------------------------------------------- */

/* As lackey would print it. */
static void make_up(struct image *image)
{
    uint64_t random = 1, code = 0;
    char *at = image->data = malloc((size_t)REFERENCES * 18);
    if (!at)
        fail("there is no memory for a trace");
    for (unsigned n = 0; n < REFERENCES; n++) {
        if (!random_below(&random, 6)) /* a branch, mostly close by */
            code = random_below(&random, 20) ? code ^ (random_below(&random, 4) << 12)
                                             : random_below(&random, CODE_PAGES) << 12;
        at += sprintf(at, "I  %08llx,4\n", (unsigned long long)(0x400000 + code));
        uint64_t heap = random_below(&random, HEAP_PAGES);
        for (uint64_t more = random_below(&random, 5); more; more--)
            heap = random_below(&random, heap + 1);
        uint64_t kind = random_below(&random, 8);
        if (kind < 4 && ++n < REFERENCES)
            at += kind < 2 ? sprintf(at, " %c 1ffeffe7e8,8\n", "LS"[kind])
                           : sprintf(at, " %c %08llx,8\n", "LS"[kind - 2],
                                     (unsigned long long)(0x4a00000 + (heap << 12)));
    }
    image->name = "lackey";
    image->size = (size_t)(at - image->data);
}

static void load(struct image *image, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) || ftell(file) < 0)
        fail("the trace can't be read");
    image->name = "file";
    image->size = (size_t)ftell(file);
    image->data = malloc(image->size + 1);
    rewind(file);
    if (!image->data || fread(image->data, 1, image->size, file) != image->size)
        fail("the trace can't be read");
    fclose(file);
}

/* False: this build has no zstd. */
static bool convert(struct image *to, const char *name, const struct image *from, int zstd_level)
{
    static struct trace_run runs[TRACE_BATCH];
    struct trace_error error;
    struct memory_source source;
    int fd = memfd_create(name, MFD_CLOEXEC);
    struct trace_reader *reader = open_image(&source, from);
    page_shift = trace_reader_page_shift(reader);
    struct trace_writer *writer = trace_writer_new(fd, name, page_shift, zstd_level, &error);
    if (!writer && zstd_level) {
        trace_close(reader);
        return false;
    }
    ssize_t count = -1;
    while (writer && (count = trace_read(reader, runs, &error)) > 0)
        if (!trace_write(writer, runs, (size_t)count, &error))
            break;
    if (count || !trace_writer_finish(writer, &error))
        fail(error.text);
    *to = (struct image){.name = name, .size = (size_t)trace_writer_bytes(writer)};
    to->data = mmap(NULL, to->size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (to->data == MAP_FAILED)
        fail("there is no memory for a trace");
    trace_writer_free(writer);
    trace_close(reader);
    close(fd);
    return true;
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void rate(const char *name, unsigned threads, struct samples *samples)
{
    print_row(name, threads, "quire", 1000 / samples_median(samples), 1, "Mreferences/s");
    samples_free(samples);
}

static struct samples new_samples(void)
{
    struct samples samples;
    if (!samples_init(&samples, ROUNDS))
        fail("there is no memory for samples");
    return samples;
}

static void bench_read(const struct image *image)
{
    static struct trace_run runs[TRACE_BATCH];
    struct samples samples = new_samples();
    char name[64];
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct memory_source source;
        struct trace_error error;
        struct trace_reader *reader = open_image(&source, image);
        uint64_t sum = 0, begin = quire_posix_clock_ns();
        ssize_t count;
        while ((count = trace_read(reader, runs, &error)) > 0)
            for (ssize_t i = 0; i < count; i++)
                sum += runs[i].count;
        samples_add(&samples, quire_posix_clock_ns() - begin, (size_t)sum);
        references = sum;
        trace_close(reader);
        if (count)
            fail(error.text);
    }
    snprintf(name, sizeof name, "read-%s", image->name);
    print_row(name, 1, "quire", (double)image->size / (double)references, 3, "bytes/reference");
    print_row(name, 1, "quire",
              1000 / samples_median(&samples) * (double)image->size / (double)references, 1,
              "MB/s");
    rate(name, 1, &samples);
}

/* Returns the pages of the trace. */
static uint32_t bench_replay(const char *name, const struct image *image,
                             const enum replay_policy *policy, unsigned nr_policies,
                             const uint64_t *frames, unsigned nr_sizes, unsigned threads)
{
    struct samples samples = new_samples();
    struct replay_result result[SWEEP_SIZES * REPLAY_NR_POLICIES];
    uint32_t pages = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct memory_source source;
        struct trace_error error;
        struct replay_run run = {
            .trace = open_image(&source, image),
            .engine = replay_model,
            .policy = policy,
            .nr_policies = nr_policies,
            .frames = frames,
            .nr_sizes = nr_sizes,
            .threads = threads,
            .result = result,
        };
        uint64_t begin = quire_posix_clock_ns();
        if (!replay_run(&run, &error))
            fail(error.text);
        samples_add(&samples, quire_posix_clock_ns() - begin, (size_t)run.references);
        pages = run.pages;
        trace_close(run.trace);
    }
    if (name)
        rate(name, threads, &samples);
    else
        samples_free(&samples);
    return pages;
}

static void bench_policies(const struct image *image)
{
    static const enum replay_policy all[] = {REPLAY_LRU, REPLAY_CLOCK, REPLAY_FIFO, REPLAY_OPT};
    static const char *const names[] = {"replay-lru", "replay-clock", "replay-fifo", "replay-opt"};
    uint64_t frames[SWEEP_SIZES] = {1};
    uint32_t pages = bench_replay(NULL, image, all, 1, frames, 1, 1);
    print_row("footprint", 1, "quire", pages, 0, "pages");
    frames[0] = pages / 4 + 1;
    for (unsigned p = 0; p < 4; p++)
        bench_replay(names[p], image, &all[p], 1, frames, 1, 1);
    for (unsigned s = 0; s < SWEEP_SIZES; s++)
        frames[s] = ((uint64_t)pages << s) / 64 + 1 + s;
    bench_replay("replay-sweep", image, all, 4, frames, SWEEP_SIZES, 1);
    bench_replay("replay-sweep", image, all, 4, frames, SWEEP_SIZES, 2);
}

int main(int argc, char **argv)
{
    struct image original, compact, zstd;
    if (argc > 2 || (argc == 2 && *argv[1] == '-')) {
        fputs("usage: replay-bench [FILE]\n", stderr);
        return 2;
    }
    progress("a trace is being made");
    if (argc == 2)
        load(&original, argv[1]);
    else
        make_up(&original);
    convert(&compact, "compact", &original, 0);
    bool has_zstd = convert(&zstd, "compact-zstd", &original, 3);
    progress(NULL);
    print_row("case", 0, NULL, 0, 0, "unit");
    bench_read(&original);
    bench_read(&compact);
    if (has_zstd)
        bench_read(&zstd);
    bench_policies(&compact);
    return 0;
}
