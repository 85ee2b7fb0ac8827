/* tools/trace_input.h: the bytes of a trace, and what the readers of both forms share */
#ifndef TOOLS_TRACE_INPUT_H
#define TOOLS_TRACE_INPUT_H

#include <string.h>

#include "trace.h"

#define INPUT_BYTES 262144u /* what fits; a line or a block has to */
#define INPUT_SLACK 64u     /* may be read beyond the end, and holds nothing */

/* Bytes from `begin` to `end` are there and not used yet. */
struct trace_input {
    struct trace_source source;
    uint8_t *buffer; /* INPUT_BYTES + INPUT_SLACK */
    size_t begin, end;
    bool ended; /* there is nothing after `end` */
    uint64_t taken;
    struct input_zstd *zstd; /* NULL: the source's bytes are the trace */
};

/* Reads the first bytes and finds out whether they are compressed. False: see *error; call
 * input_close all the same. */
bool input_open(struct trace_input *input, const struct trace_source *source,
                struct trace_error *error);
void input_close(struct trace_input *input);

/* Reads until there are `want` bytes (at most INPUT_BYTES), or all that is left; moves what is
 * there to the front. False: see *error. */
bool input_fill(struct trace_input *input, size_t want, struct trace_error *error);

static inline size_t input_available(const struct trace_input *input)
{
    return input->end - input->begin;
}

/* Little-endian numbers, wherever they lie. */
static inline uint32_t load32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t load64(const uint8_t *at)
{
    return load32(at) | (uint64_t)load32(at + 4) << 32;
}

static inline void store32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static inline void store64(uint8_t *at, uint64_t value)
{
    store32(at, (uint32_t)value);
    store32(at + 4, (uint32_t)(value >> 32));
}

/* ---- the forms ------------------------------------------------------------------------------- */

/* What trace_read does for each form; `runs` has room for TRACE_BATCH. */
struct lackey {
    unsigned page_shift;
    uint64_t line; /* lines that were read */
    bool any;      /* there was a reference */
};
ssize_t lackey_read(struct lackey *lackey, struct trace_input *input, struct trace_run *runs,
                    struct trace_error *error);

struct compact {
    unsigned page_shift;
    bool ended;
    uint64_t references, records;
};
/* Reads the header. False: see *error. */
bool compact_begin(struct compact *compact, struct trace_input *input, struct trace_error *error);
ssize_t compact_read(struct compact *compact, struct trace_input *input, struct trace_run *runs,
                     struct trace_error *error);

#endif
