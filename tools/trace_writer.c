/* tools/trace_writer.c: writing the compact form (docs/trace-format.md)
 *
 * Runs that continue the one before are merged with it, so the last one waits in `open` until
 * another begins. A block is written when the next record might not fit.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef QUIRE_HAVE_ZSTD
#include <zstd.h>
#endif

#include "trace_compact.h"
#include "trace_input.h"

#ifndef QUIRE_HAVE_ZSTD
typedef struct ZSTD_CCtx_s ZSTD_CCtx;
#endif

#define OUT_BYTES 131072u

struct trace_writer {
    int fd;
    const char *name;
    uint64_t bytes; /* written */
    struct trace_run open;
    uint64_t references, records;
    struct recent recent;
    uint64_t page; /* of the last record of this block */
    size_t used;   /* of the block, its header included */
    ZSTD_CCtx *zstd;
    uint8_t block[COMPACT_BLOCK_HEADER_BYTES + COMPACT_BLOCK_BYTES];
    uint8_t out[OUT_BYTES]; /* compressed */
};

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool put(struct trace_writer *writer, const uint8_t *data, size_t size,
                struct trace_error *error)
{
    while (size) {
        ssize_t wrote = write(writer->fd, data, size);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            trace_fail(error, "%s can't be written: %s", writer->name, strerror(errno));
            return false;
        }
        data += wrote;
        size -= (size_t)wrote;
        writer->bytes += (uint64_t)wrote;
    }
    return true;
}

#ifdef QUIRE_HAVE_ZSTD

static bool start_zstd(struct trace_writer *writer, int level)
{
    writer->zstd = ZSTD_createCCtx();
    return writer->zstd &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, level));
}

static void end_zstd(struct trace_writer *writer)
{
    ZSTD_freeCCtx(writer->zstd);
}

static bool compress(struct trace_writer *writer, const uint8_t *data, size_t size, bool last,
                     struct trace_error *error)
{
    ZSTD_inBuffer in = {data, size, 0};
    size_t left;
    do {
        ZSTD_outBuffer out = {writer->out, OUT_BYTES, 0};
        left = ZSTD_compressStream2(writer->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left)) {
            trace_fail(error, "%s can't be compressed: %s", writer->name, ZSTD_getErrorName(left));
            return false;
        }
        if (!put(writer, writer->out, out.pos, error))
            return false;
    } while (last ? left : in.pos < in.size);
    return true;
}

#else

static bool start_zstd(struct trace_writer *writer, int level)
{
    (void)writer, (void)level;
    return false;
}

static void end_zstd(struct trace_writer *writer)
{
    (void)writer;
}

static bool compress(struct trace_writer *writer, const uint8_t *data, size_t size, bool last,
                     struct trace_error *error)
{
    (void)last;
    return put(writer, data, size, error);
}

#endif

static bool emit(struct trace_writer *writer, const uint8_t *data, size_t size, bool last,
                 struct trace_error *error)
{
    return writer->zstd ? compress(writer, data, size, last, error)
                        : put(writer, data, size, error);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void begin_block(struct trace_writer *writer)
{
    writer->used = COMPACT_BLOCK_HEADER_BYTES;
    writer->recent = (struct recent){0};
    writer->page = 0;
}

static bool end_block(struct trace_writer *writer, struct trace_error *error)
{
    size_t bytes = writer->used - COMPACT_BLOCK_HEADER_BYTES;
    if (!bytes)
        return true;
    store32(writer->block, (uint32_t)bytes);
    store32(writer->block + 4, trace_crc32(trace_crc32(0, writer->block, 4),
                                           writer->block + COMPACT_BLOCK_HEADER_BYTES, bytes));
    if (!emit(writer, writer->block, writer->used, false, error))
        return false;
    begin_block(writer);
    return true;
}

static void put_byte(struct trace_writer *writer, uint64_t byte)
{
    writer->block[writer->used++] = (uint8_t)byte;
}

static void put_varint(struct trace_writer *writer, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(writer, value | 0x80);
    put_byte(writer, value);
}

/* The slot that holds the page, or RECORD_NEW_PAGE. */
static unsigned find_slot(const struct recent *recent, uint64_t page)
{
    unsigned slot = 0;
    while (slot < RECENT_SLOTS && recent->page[slot] != page)
        slot++;
    return slot;
}

static void put_record(struct trace_writer *writer, const struct trace_run *run)
{
    unsigned slot = find_slot(&writer->recent, run->page);
    uint32_t count = run->count < RECORD_LONG ? run->count : 0;
    put_byte(writer, count << RECORD_COUNT_SHIFT | slot << RECORD_SLOT_SHIFT | run->kind);
    if (slot == RECORD_NEW_PAGE) {
        uint64_t difference = run->page - writer->page;
        put_varint(writer, difference << 1 ^ (0 - (difference >> 63)));
        recent_replace(&writer->recent, run->page);
    } else {
        recent_use(&writer->recent, slot);
    }
    if (!count)
        put_varint(writer, run->count - RECORD_LONG);
    writer->page = run->page;
    writer->references += run->count;
    writer->records++;
}

static bool put_open(struct trace_writer *writer, struct trace_error *error)
{
    if (!writer->open.count)
        return true;
    if (sizeof writer->block - writer->used < RECORD_MAX_BYTES && !end_block(writer, error))
        return false;
    put_record(writer, &writer->open);
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool put_header(struct trace_writer *writer, unsigned page_shift, struct trace_error *error)
{
    uint8_t header[COMPACT_HEADER_BYTES] = COMPACT_MAGIC;
    header[8] = COMPACT_VERSION;
    header[9] = (uint8_t)page_shift;
    store32(header + 12, trace_crc32(0, header, 12));
    return emit(writer, header, sizeof header, false, error);
}

struct trace_writer *trace_writer_new(int fd, const char *name, unsigned page_shift, int zstd_level,
                                      struct trace_error *error)
{
    struct trace_writer *writer = calloc(1, sizeof *writer);
    if (!writer || (zstd_level && !start_zstd(writer, zstd_level))) {
        trace_fail(error, "%s can't be compressed: there is no memory, or no zstd in this quire",
                   name);
        trace_writer_free(writer);
        return NULL;
    }
    writer->fd = fd;
    writer->name = name;
    begin_block(writer);
    if (put_header(writer, page_shift, error))
        return writer;
    trace_writer_free(writer);
    return NULL;
}

bool trace_write(struct trace_writer *writer, const struct trace_run *runs, size_t count,
                 struct trace_error *error)
{
    for (const struct trace_run *run = runs; run < runs + count; run++) {
        struct trace_run *open = &writer->open;
        if (open->page == run->page && open->kind == run->kind &&
            run->count <= UINT32_MAX - open->count) {
            open->count += run->count;
            continue;
        }
        if (!put_open(writer, error))
            return false;
        *open = *run;
    }
    return true;
}

bool trace_writer_finish(struct trace_writer *writer, struct trace_error *error)
{
    uint8_t end[COMPACT_END_BYTES] = {0};
    if (!put_open(writer, error) || !end_block(writer, error))
        return false;
    store64(end + 8, writer->references);
    store64(end + 16, writer->records);
    store32(end + 4, trace_crc32(trace_crc32(0, end, 4), end + 8, 16));
    return emit(writer, end, sizeof end, true, error);
}

uint64_t trace_writer_bytes(const struct trace_writer *writer)
{
    return writer->bytes;
}

void trace_writer_free(struct trace_writer *writer)
{
    if (!writer)
        return;
    end_zstd(writer);
    free(writer);
}
