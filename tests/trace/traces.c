/* tests/trace/traces.c: traces in memory */
#define _GNU_SOURCE
#include "tests/trace/traces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/harness.h"

static ssize_t read_memory(void *arg, void *buffer, size_t size)
{
    struct memory_source *from = arg;
    size_t left = from->size - from->at;
    if (from->most && size > from->most)
        size = 1 + test_random_below((uint32_t)from->most);
    if (size > left)
        size = left;
    if (size)
        memcpy(buffer, from->data + from->at, size);
    from->at += size;
    return (ssize_t)size;
}

struct trace_source memory_source(struct memory_source *from)
{
    return (struct trace_source){.name = "test", .read = read_memory, .arg = from};
}

void trace_add(struct trace *trace, uint64_t page, uint32_t count, uint32_t kind)
{
    if (trace->count == trace->capacity) {
        trace->capacity = trace->capacity ? 2 * trace->capacity : 1024;
        trace->run = realloc(trace->run, trace->capacity * sizeof *trace->run);
        if (!trace->run)
            abort();
    }
    trace->run[trace->count++] = (struct trace_run){page, count, kind};
}

void trace_free(struct trace *trace)
{
    free(trace->run);
    *trace = (struct trace){0};
}

void trace_merge(struct trace *trace)
{
    size_t kept = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct trace_run *run = &trace->run[i];
        struct trace_run *last = kept ? &trace->run[kept - 1] : NULL;
        if (last && last->page == run->page && last->kind == run->kind &&
            run->count <= UINT32_MAX - last->count)
            last->count += run->count;
        else
            trace->run[kept++] = *run;
    }
    trace->count = kept;
}

bool trace_equal(const struct trace *a, const struct trace *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (a->run[i].page != b->run[i].page || a->run[i].count != b->run[i].count ||
            a->run[i].kind != b->run[i].kind)
            return false;
    return true;
}

bool trace_parse(struct trace *trace, struct memory_source *from, unsigned page_shift,
                 struct trace_error *error)
{
    static struct trace_run runs[TRACE_BATCH];
    struct trace_source source = memory_source(from);
    struct trace_reader *reader = trace_open_source(&source, page_shift, error);
    ssize_t count = -1;
    while (reader && (count = trace_read(reader, runs, error)) > 0)
        for (ssize_t i = 0; i < count; i++)
            trace_add(trace, runs[i].page, runs[i].count, runs[i].kind);
    trace_close(reader);
    return !count;
}

uint8_t *trace_compact(const struct trace *trace, unsigned page_shift, int zstd_level, size_t *size)
{
    struct trace_error error = {""};
    FILE *file = tmpfile();
    struct trace_writer *writer =
        file ? trace_writer_new(fileno(file), "test", page_shift, zstd_level, &error) : NULL;
    bool ok = writer && trace_write(writer, trace->run, trace->count, &error) &&
              trace_writer_finish(writer, &error);
    *size = ok ? (size_t)trace_writer_bytes(writer) : 0;
    uint8_t *data = malloc(*size + 1);
    ok = ok && data && pread(fileno(file), data, *size + 1, 0) == (ssize_t)*size;
    if (!ok) {
        test_note("%s", error.text);
        test_fail(__FILE__, __LINE__, "the trace was written");
        free(data);
        data = NULL;
    }
    trace_writer_free(writer);
    if (file)
        fclose(file);
    return data;
}

void trace_random(struct trace *trace, size_t count, unsigned page_bits)
{
    uint64_t mask = UINT64_MAX >> (64 - page_bits), near[16];
    for (unsigned i = 0; i < 16; i++)
        near[i] = test_random() & mask;
    for (size_t i = 0; i < count; i++) {
        unsigned which = test_random_below(16);
        if (!test_random_below(16))
            near[which] = (near[which] + test_random_below(9) - 4) & mask;
        if (!test_random_below(128))
            near[which] = test_random() & mask;
        uint32_t length = test_random_below(4) ? 1 : 1 + test_random_below(20);
        if (!test_random_below(1024))
            length = (uint32_t)test_random() | 1;
        trace_add(trace, near[which], length, test_random_below(TRACE_NR_KINDS));
    }
}
