/* tests/fuzz/trace_fuzz.c: any bytes as a trace, and any records as a compact one
 *
 * The first byte of an input says what the rest is: a file as it is, in either form, or records
 * that are put into blocks with the right checksums, which random bytes would never have. The
 * second one says how many bytes a read gives. Whatever comes, the reader ends, says why if it is
 * with an error, and hands over runs whose pages and counts are in range. Those, written and read
 * again, are the same.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace.h"
#include "trace_compact.h"
#include "trace_input.h"

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define MOST_RUNS 200000u /* of a trace; compression makes much of little */
#define MOST_BYTES 65536u

struct input {
    const uint8_t *data;
    size_t left, most;
};

static struct trace_run got[MOST_RUNS + TRACE_BATCH], again[MOST_RUNS + TRACE_BATCH];

static ssize_t read_input(void *arg, void *buffer, size_t size)
{
    struct input *input = arg;
    if (size > input->most)
        size = input->most;
    if (size > input->left)
        size = input->left;
    if (size)
        memcpy(buffer, input->data, size);
    input->data += size;
    input->left -= size;
    return (ssize_t)size;
}

static ssize_t read_file(void *arg, void *buffer, size_t size)
{
    return read(*(int *)arg, buffer, size);
}

/* Adds a run, to the last one if it goes on there. */
static size_t add(struct trace_run *runs, size_t count, const struct trace_run *run)
{
    struct trace_run *last = count ? &runs[count - 1] : NULL;
    if (last && last->page == run->page && last->kind == run->kind &&
        run->count <= UINT32_MAX - last->count) {
        last->count += run->count;
        return count;
    }
    runs[count] = *run;
    return count + 1;
}

/* Reads at most MOST_RUNS runs. True: to the end. */
static bool read_runs(const struct trace_source *source, struct trace_run *runs, size_t *count,
                      unsigned *page_shift)
{
    static struct trace_run batch[TRACE_BATCH];
    struct trace_error error = {""};
    struct trace_reader *reader = trace_open_source(source, 0, &error);
    ssize_t n = -1;
    *count = 0;
    if (reader) {
        *page_shift = trace_reader_page_shift(reader);
        EXPECT(*page_shift >= TRACE_MIN_PAGE_SHIFT && *page_shift <= TRACE_MAX_PAGE_SHIFT);
        while (*count < MOST_RUNS && (n = trace_read(reader, batch, &error)) > 0) {
            EXPECT((size_t)n <= TRACE_BATCH);
            for (ssize_t i = 0; i < n; i++) {
                EXPECT(batch[i].page <= UINT64_MAX >> *page_shift);
                EXPECT(batch[i].count && batch[i].kind < TRACE_NR_KINDS);
                *count = add(runs, *count, &batch[i]);
            }
        }
        trace_close(reader);
    }
    EXPECT(n >= 0 || *error.text);
    return !n;
}

static void round_trip(size_t count, unsigned page_shift)
{
    static int fd = -1;
    struct trace_error error = {""};
    unsigned shift = 0;
    size_t read_count;
    if (fd < 0)
        fd = memfd_create("trace", MFD_CLOEXEC);
    EXPECT(fd >= 0 && !ftruncate(fd, 0) && !lseek(fd, 0, SEEK_SET));
    struct trace_writer *writer = trace_writer_new(fd, "trace", page_shift, 0, &error);
    EXPECT(writer && trace_write(writer, got, count, &error) &&
           trace_writer_finish(writer, &error));
    trace_writer_free(writer);
    EXPECT(!lseek(fd, 0, SEEK_SET));
    const struct trace_source source = {"trace", read_file, &fd};
    EXPECT(read_runs(&source, again, &read_count, &shift) || count >= MOST_RUNS);
    EXPECT(shift == page_shift);
    EXPECT(read_count == count || count >= MOST_RUNS);
    EXPECT(!memcmp(got, again, (count < MOST_RUNS ? count : MOST_RUNS) * sizeof *got));
}

/* Blocks of these records: each begins with a byte that says how long it is. */
static size_t make_blocks(const uint8_t *data, size_t size, uint8_t *file)
{
    size_t used = COMPACT_HEADER_BYTES;
    memset(file, 0, COMPACT_HEADER_BYTES);
    memcpy(file, COMPACT_MAGIC, COMPACT_MAGIC_BYTES);
    file[8] = COMPACT_VERSION;
    file[9] = (uint8_t)(size ? TRACE_MIN_PAGE_SHIFT + data[0] % 22 : 12);
    store32(file + 12, trace_crc32(0, file, 12));
    for (size_t at = 1; at < size;) {
        size_t length = data[at++];
        if (length > size - at)
            length = size - at;
        uint8_t *block = file + used;
        store32(block, (uint32_t)length);
        memcpy(block + 8, data + at, length);
        store32(block + 4, trace_crc32(trace_crc32(0, block, 4), block + 8, length));
        used += 8 + length;
        at += length;
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[16 * MOST_BYTES];
    size_t count;
    unsigned page_shift = 0;
    if (size < 2 || size > MOST_BYTES)
        return 0;
    struct input input = {data + 2, size - 2, data[1] ? data[1] : SIZE_MAX};
    if (data[0] & 1) {
        input.left = make_blocks(data + 2, size - 2, file);
        input.data = file;
    }
    const struct trace_source source = {"fuzz", read_input, &input};
    read_runs(&source, got, &count, &page_shift);
    if (page_shift)
        round_trip(count, page_shift);
    return 0;
}
