/* tools/trace_compact.c: reading the compact form (docs/trace-format.md)
 *
 * A block is checked by its CRC before anything of it is used, and stands for itself: the recent
 * pages begin anew with each. What passes the CRC may still be made by someone hostile, so records
 * are checked as they come: they end where the block does, and pages and counts are in range.
 */
#include "trace_compact.h"

#include "base/compiler.h"
#include "trace_input.h"

_Static_assert(COMPACT_BLOCK_BYTES <= TRACE_BATCH, "the records of a block fit into a batch");
_Static_assert(COMPACT_BLOCK_HEADER_BYTES + COMPACT_BLOCK_BYTES <= INPUT_BYTES,
               "a block fits into the buffer");
_Static_assert(RECORD_MAX_BYTES <= INPUT_SLACK, "a record that is cut off ends in the slack");

static bool cut_off(const struct trace_input *input, struct trace_error *error)
{
    trace_fail(error, "%s ends before its end mark: it was cut off, or its writer was interrupted",
               input->source.name);
    return false;
}

/* `size` bytes at the input's front; NULL: there are fewer, or it can't be read: see *error. */
static const uint8_t *get(struct trace_input *input, size_t size, struct trace_error *error)
{
    if (!input_fill(input, size, error))
        return NULL;
    if (input_available(input) < size)
        return cut_off(input, error), NULL;
    return input->buffer + input->begin;
}

bool compact_begin(struct compact *compact, struct trace_input *input, struct trace_error *error)
{
    const uint8_t *at = get(input, COMPACT_HEADER_BYTES, error);
    const char *name = input->source.name;
    if (!at)
        return false;
    if (load32(at + 12) != trace_crc32(0, at, 12)) {
        trace_fail(error, "%s: its header is damaged", name);
        return false;
    }
    if (at[8] != COMPACT_VERSION || at[10] || at[11]) {
        trace_fail(error, "%s is of version %u of the form; this quire reads version %u", name,
                   at[8], COMPACT_VERSION);
        return false;
    }
    compact->page_shift = at[9];
    if (compact->page_shift < TRACE_MIN_PAGE_SHIFT || compact->page_shift > TRACE_MAX_PAGE_SHIFT) {
        trace_fail(error, "%s: its pages have 2^%u bytes, which is no page size", name, at[9]);
        return false;
    }
    input->begin += COMPACT_HEADER_BYTES;
    return true;
}

/* ---- a block --------------------------------------------------------------------------------- */

/* Little-endian base 128. NULL: more than 64 bits. */
static const uint8_t *get_varint(const uint8_t *at, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint64_t bits = *at & 0x7f;
        if (shift == 63 && bits > 1)
            return NULL;
        *value |= bits << shift;
        if (!(*at++ & 0x80))
            return at;
    }
    return NULL;
}

/* Records from `at` to `end`: how many there are, and the sum of their counts; 0: not records.
 * Reads at most a record beyond the end. */
static size_t get_records(const uint8_t *at, const uint8_t *end, uint64_t max_page,
                          struct trace_run *runs, uint64_t *references)
{
    struct recent recent = {0};
    struct trace_run *run = runs;
    uint64_t page = 0, sum = 0;
    while (at < end) {
        unsigned byte = *at++, slot = byte >> RECORD_SLOT_SHIFT & 7;
        uint64_t count = byte >> RECORD_COUNT_SHIFT;
        if (quire_likely(slot != RECORD_NEW_PAGE)) {
            page = recent.page[slot];
            recent_use(&recent, slot);
        } else {
            uint64_t difference;
            at = get_varint(at, &difference);
            if (!at)
                return 0;
            page += difference >> 1 ^ (0 - (difference & 1));
            if (page > max_page)
                return 0;
            recent_replace(&recent, page);
        }
        if (quire_unlikely(!count)) {
            at = get_varint(at, &count);
            if (!at || count > UINT32_MAX - RECORD_LONG)
                return 0;
            count += RECORD_LONG;
        }
        *run++ = (struct trace_run){page, (uint32_t)count, byte & 3};
        sum += count;
    }
    *references += sum;
    return at == end ? (size_t)(run - runs) : 0;
}

/* After the end mark: its sums are those of the records, and nothing follows. */
static ssize_t check_end(struct compact *compact, struct trace_input *input,
                         struct trace_error *error)
{
    const uint8_t *at = input->buffer + input->begin;
    const char *name = input->source.name;
    if (load64(at + 8) != compact->references || load64(at + 16) != compact->records) {
        trace_fail(error, "%s is damaged: it says that it has %llu references, and has %llu", name,
                   (unsigned long long)load64(at + 8), (unsigned long long)compact->references);
        return -1;
    }
    input->begin += COMPACT_END_BYTES;
    if (!input_fill(input, 1, error))
        return -1;
    if (input_available(input)) {
        trace_fail(error, "%s goes on after its end mark: traces can't be put together", name);
        return -1;
    }
    compact->ended = true;
    return 0;
}

ssize_t compact_read(struct compact *compact, struct trace_input *input, struct trace_run *runs,
                     struct trace_error *error)
{
    if (compact->ended)
        return 0;
    const uint8_t *at = get(input, COMPACT_BLOCK_HEADER_BYTES, error);
    if (!at)
        return -1;
    uint32_t bytes = load32(at), crc = load32(at + 4);
    uint32_t follow = bytes ? bytes : COMPACT_END_BYTES - COMPACT_BLOCK_HEADER_BYTES;
    if (bytes > COMPACT_BLOCK_BYTES) {
        trace_fail(error, "%s is damaged: it has a block of %u bytes", input->source.name, bytes);
        return -1;
    }
    at = get(input, COMPACT_BLOCK_HEADER_BYTES + follow, error);
    if (!at)
        return -1;
    if (crc != trace_crc32(trace_crc32(0, at, 4), at + COMPACT_BLOCK_HEADER_BYTES, follow)) {
        trace_fail(error, "%s is damaged after %llu references: a checksum is wrong",
                   input->source.name, (unsigned long long)compact->references);
        return -1;
    }
    if (!bytes)
        return check_end(compact, input, error);
    at += COMPACT_BLOCK_HEADER_BYTES;
    size_t count =
        get_records(at, at + bytes, UINT64_MAX >> compact->page_shift, runs, &compact->references);
    if (!count) {
        trace_fail(error, "%s is damaged after %llu references: it has records that aren't valid",
                   input->source.name, (unsigned long long)compact->references);
        return -1;
    }
    compact->records += count;
    input->begin += COMPACT_BLOCK_HEADER_BYTES + bytes;
    return (ssize_t)count;
}
