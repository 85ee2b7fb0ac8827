/* tests/trace/traces.h: traces in memory, for the tests of readers, writers and models */
#ifndef QUIRE_TESTS_TRACES_H
#define QUIRE_TESTS_TRACES_H

#include "tools/trace.h"

/* Bytes as a source. Each read gives a random number of them, at most `most`; 0: all at once. */
struct memory_source {
    const uint8_t *data;
    size_t size, at, most;
};
struct trace_source memory_source(struct memory_source *from);

/* A trace that grows. */
struct trace {
    struct trace_run *run;
    size_t count, capacity;
};
void trace_add(struct trace *trace, uint64_t page, uint32_t count, uint32_t kind);
void trace_free(struct trace *trace);
/* Runs that could be one are, as a writer makes them. */
void trace_merge(struct trace *trace);
bool trace_equal(const struct trace *a, const struct trace *b);

/* Reads all of it into *trace. False: see *error; what came before is in *trace. */
bool trace_parse(struct trace *trace, struct memory_source *from, unsigned page_shift,
                 struct trace_error *error);

/* The compact form, to be freed; its size in *size. NULL: it failed the case. */
uint8_t *trace_compact(const struct trace *trace, unsigned page_shift, int zstd_level,
                       size_t *size);

/* `count` runs as programs make them: kinds that differ, few pages for a while, now and then
 * another one anywhere. Page numbers have at most `page_bits` bits. */
void trace_random(struct trace *trace, size_t count, unsigned page_bits);

#endif
