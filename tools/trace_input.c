/* tools/trace_input.c: the bytes of a trace, decompressed if they are zstd's
 *
 * One buffer, refilled when less is left than the reader needs; what is left moves to its front.
 */
#include "trace_input.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef QUIRE_HAVE_ZSTD
#include <zstd.h>
#endif

void trace_fail(struct trace_error *error, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(error->text, sizeof error->text, format, list);
    va_end(list);
}

/* Up to `size` bytes of the source; 0: its end; -1: see *error. */
static ssize_t take(struct trace_input *input, void *buffer, size_t size, struct trace_error *error)
{
    ssize_t got;
    do
        got = input->source.read(input->source.arg, buffer, size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        trace_fail(error, "%s: %s", input->source.name, strerror(errno));
    else
        input->taken += (uint64_t)got;
    return got;
}

/* ---- zstd ------------------------------------------------------------------------------------ */

#define ZSTD_MAGIC_BYTES 4u

static bool is_zstd(const uint8_t *at)
{
    return load32(at) == 0xfd2fb528u || (load32(at) & 0xfffffff0u) == 0x184d2a50u;
}

#ifdef QUIRE_HAVE_ZSTD

struct input_zstd {
    ZSTD_DStream *stream;
    bool within; /* a frame has begun and not ended */
    size_t begin, end;
    uint8_t buffer[INPUT_BYTES]; /* compressed; at first what input_open read */
};

/* Hands over to zstd what input_open read to see what it is. */
static bool zstd_begin(struct trace_input *input, struct trace_error *error)
{
    input->zstd = malloc(sizeof *input->zstd);
    if (input->zstd)
        *input->zstd = (struct input_zstd){.stream = ZSTD_createDStream()};
    if (!input->zstd || !input->zstd->stream) {
        trace_fail(error, "%s: there is no memory to decompress it", input->source.name);
        return false;
    }
    input->zstd->end = input_available(input);
    memcpy(input->zstd->buffer, input->buffer + input->begin, input->zstd->end);
    input->begin = input->end = 0;
    return true;
}

static void zstd_end(struct trace_input *input)
{
    if (input->zstd)
        ZSTD_freeDStream(input->zstd->stream);
    free(input->zstd);
}

/* Decompresses what is there. False: see *error. */
static bool step(struct trace_input *input, ZSTD_outBuffer *out, struct trace_error *error)
{
    struct input_zstd *zstd = input->zstd;
    ZSTD_inBuffer in = {zstd->buffer, zstd->end, zstd->begin};
    size_t left = ZSTD_decompressStream(zstd->stream, out, &in);
    if (ZSTD_isError(left)) {
        trace_fail(error, "%s can't be decompressed: %s", input->source.name,
                   ZSTD_getErrorName(left));
        return false;
    }
    zstd->begin = in.pos;
    zstd->within = left;
    return true;
}

/* As take(), of what comes out. Frames may follow each other, as in files that were put together.
 */
static ssize_t decompress(struct trace_input *input, void *buffer, size_t size,
                          struct trace_error *error)
{
    struct input_zstd *zstd = input->zstd;
    ZSTD_outBuffer out = {buffer, size, 0};
    for (;;) {
        /* Within a frame there may be output left even if there is no input. */
        if ((zstd->begin < zstd->end || zstd->within) && !step(input, &out, error))
            return -1;
        if (out.pos)
            return (ssize_t)out.pos;
        if (zstd->begin < zstd->end)
            continue;
        ssize_t got = take(input, zstd->buffer, sizeof zstd->buffer, error);
        if (!got && zstd->within) {
            trace_fail(error, "%s ends within its compressed data: it was cut off",
                       input->source.name);
            return -1;
        }
        if (got <= 0)
            return got;
        zstd->begin = 0;
        zstd->end = (size_t)got;
    }
}

#else

static bool zstd_begin(struct trace_input *input, struct trace_error *error)
{
    trace_fail(error,
               "%s is compressed by zstd, and this quire was built without it: try "
               "`zstd -dc FILE | quire ... -`",
               input->source.name);
    return false;
}

static void zstd_end(struct trace_input *input)
{
    (void)input;
}

static ssize_t decompress(struct trace_input *input, void *buffer, size_t size,
                          struct trace_error *error)
{
    return take(input, buffer, size, error);
}

#endif

/* ---- the buffer ------------------------------------------------------------------------------ */

bool input_fill(struct trace_input *input, size_t want, struct trace_error *error)
{
    if (input_available(input) >= want || input->ended)
        return true;
    memmove(input->buffer, input->buffer + input->begin, input_available(input));
    input->end -= input->begin;
    input->begin = 0;
    while (input->end < want) {
        uint8_t *to = input->buffer + input->end;
        size_t room = INPUT_BYTES - input->end;
        ssize_t got =
            input->zstd ? decompress(input, to, room, error) : take(input, to, room, error);
        if (got < 0)
            return false;
        if (!got) {
            input->ended = true;
            break;
        }
        input->end += (size_t)got;
    }
    return true;
}

/* The names of compressors whose files are recognised, to say what to do. */
static const char *other_compressor(const uint8_t *at, size_t size)
{
    if (size >= 2 && at[0] == 0x1f && at[1] == 0x8b)
        return "gzip";
    if (size >= 6 && !memcmp(at,
                             "\xfd"
                             "7zXZ",
                             6))
        return "xz";
    if (size >= 3 && !memcmp(at, "BZh", 3))
        return "bzip2";
    return NULL;
}

bool input_open(struct trace_input *input, const struct trace_source *source,
                struct trace_error *error)
{
    *input =
        (struct trace_input){.source = *source, .buffer = calloc(1, INPUT_BYTES + INPUT_SLACK)};
    if (!input->buffer) {
        trace_fail(error, "%s: there is no memory to read it", source->name);
        return false;
    }
    if (!input_fill(input, ZSTD_MAGIC_BYTES, error))
        return false;
    if (input->end >= ZSTD_MAGIC_BYTES && is_zstd(input->buffer) && !zstd_begin(input, error))
        return false;
    const char *other = other_compressor(input->buffer, input->end);
    if (other)
        trace_fail(error, "%s is compressed by %s: try `%s -dc FILE | quire ... -`", source->name,
                   other, other);
    return !other;
}

void input_close(struct trace_input *input)
{
    zstd_end(input);
    free(input->buffer);
}
