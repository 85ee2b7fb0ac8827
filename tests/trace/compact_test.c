/* tests/trace/compact_test.c: the compact form: what is written is read, and nothing else is */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "tests/harness/harness.h"
#include "tests/trace/traces.h"
#include "tools/trace_compact.h"
#include "tools/trace_input.h"

static struct trace_error error;

static bool parse(struct trace *trace, const uint8_t *data, size_t size, size_t most)
{
    struct memory_source from = {data, size, 0, most};
    error.text[0] = '\0';
    return trace_parse(trace, &from, 0, &error);
}

/* Refused, with a reason that contains `why`. */
static void check_refused(const uint8_t *data, size_t size, const char *why)
{
    struct trace trace = {0};
    bool read = parse(&trace, data, size, 0);
    if (read || !strstr(error.text, why))
        test_note("%zu bytes: %s", size, error.text);
    CHECK(!read && strstr(error.text, why));
    trace_free(&trace);
}

static void round_trip(size_t count, unsigned page_bits, unsigned shift, int zstd_level)
{
    struct trace trace = {0}, got = {0};
    size_t size;
    trace_random(&trace, count, page_bits);
    uint8_t *data = trace_compact(&trace, shift, zstd_level, &size);
    REQUIRE(data);
    trace_merge(&trace);
    bool read = parse(&got, data, size, 1 + test_random_below(10000));
    if (!read)
        test_note("%s", error.text);
    CHECK(read);
    trace_merge(&got);
    CHECK(trace_equal(&got, &trace));
    free(data);
    trace_free(&got);
    trace_free(&trace);
}

static void what_is_written_is_read(void)
{
    for (unsigned round = 0; round < 60; round++)
        round_trip(test_random_below(round < 40 ? 3000 : 100000), 1 + test_random_below(52), 12, 0);
    round_trip(50000, 55, 9, 0);
    round_trip(50000, 34, 30, 0);
}

static void an_empty_trace_is_a_trace(void)
{
    round_trip(0, 20, 12, 0);
}

/* A trace of a few hundred bytes. */
static uint8_t *small(size_t *size, int zstd_level)
{
    struct trace trace = {0};
    trace_random(&trace, 300, 40);
    uint8_t *data = trace_compact(&trace, 12, zstd_level, size);
    trace_free(&trace);
    return data;
}

static void what_is_cut_off_at_any_byte_is_refused(void)
{
    size_t size;
    uint8_t *data = small(&size, 0);
    REQUIRE(data);
    check_refused(data, 0, "has no references"); /* an empty file has no form */
    for (size_t length = 1; length < size; length++)
        check_refused(data, length, "ends before its end mark");
    free(data);
}

static void any_flipped_bit_is_noticed(void)
{
    size_t size;
    uint8_t *data = small(&size, 0);
    REQUIRE(data);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_refused(data, size, "test");
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    free(data);
}

static void nothing_may_follow_the_end(void)
{
    size_t size;
    uint8_t *data = small(&size, 0);
    REQUIRE(data);
    uint8_t *twice = malloc(2 * size);
    REQUIRE(twice);
    memcpy(twice, data, size);
    memcpy(twice + size, data, size);
    check_refused(twice, size + 1, "goes on after its end mark");
    check_refused(twice, 2 * size, "goes on after its end mark");
    free(twice);
    free(data);
}

/* ---- bytes by hand --------------------------------------------------------------------------- */

struct bytes {
    uint8_t data[70000];
    size_t size;
};

static void put(struct bytes *to, const void *data, size_t size)
{
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

static void put_header(struct bytes *to, unsigned version, unsigned shift)
{
    uint8_t header[COMPACT_HEADER_BYTES] = COMPACT_MAGIC;
    header[8] = (uint8_t)version;
    header[9] = (uint8_t)shift;
    store32(header + 12, trace_crc32(0, header, 12));
    to->size = 0;
    put(to, header, sizeof header);
}

static void put_block(struct bytes *to, uint32_t bytes, const uint8_t *payload, size_t size)
{
    uint8_t header[8];
    store32(header, bytes);
    store32(header + 4, trace_crc32(trace_crc32(0, header, 4), payload, size));
    put(to, header, sizeof header);
    put(to, payload, size);
}

static void put_end(struct bytes *to, uint64_t references, uint64_t records)
{
    uint8_t sums[16];
    store64(sums, references);
    store64(sums + 8, records);
    put_block(to, 0, sums, sizeof sums);
}

static struct bytes bytes;

/* The bytes of docs/trace-format.md, which were checked by hand and by zlib's CRC. */
static void the_example_of_the_documentation_is_read(void)
{
    static const uint8_t example[] = {
        0x89, 0x51, 0x54, 0x52, 0x0d, 0x0a, 0x1a, 0x0a, 0x01, 0x0c, 0x00, 0x00, 0xfa,
        0x33, 0xfe, 0xb5, 0x0f, 0x00, 0x00, 0x00, 0x25, 0x20, 0xe1, 0xee, 0x5c, 0x80,
        0x80, 0x02, 0x3e, 0xfc, 0xbf, 0xfd, 0x1f, 0x20, 0x3f, 0xb8, 0x08, 0x05, 0x02,
        0x00, 0x00, 0x00, 0x00, 0xd3, 0xf2, 0xdf, 0xc9, 0x0f, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    };
    struct trace trace = {0}, expected = {0};
    size_t size;
    trace_add(&expected, 0x4000, 2, TRACE_FETCH);
    trace_add(&expected, 0x1ffeffe, 1, TRACE_WRITE);
    trace_add(&expected, 0x4000, 1, TRACE_FETCH);
    trace_add(&expected, 0x421c, 1, TRACE_MODIFY);
    trace_add(&expected, 0x1ffeffe, 10, TRACE_READ);
    CHECK(parse(&trace, example, sizeof example, 0));
    CHECK(trace_equal(&trace, &expected));
    uint8_t *data = trace_compact(&expected, 12, 0, &size);
    REQUIRE(data);
    CHECK(size == sizeof example && !memcmp(data, example, size));
    free(data);
    trace_free(&trace);
    trace_free(&expected);
}

static void headers_are_checked(void)
{
    put_header(&bytes, 2, 12);
    put_end(&bytes, 0, 0);
    check_refused(bytes.data, bytes.size, "version 2");
    for (unsigned shift = 0; shift < 256; shift++)
        if (shift < TRACE_MIN_PAGE_SHIFT || shift > TRACE_MAX_PAGE_SHIFT) {
            put_header(&bytes, 1, shift);
            put_end(&bytes, 0, 0);
            check_refused(bytes.data, bytes.size, "no page size");
        }
    put_header(&bytes, 1, 12);
    bytes.data[4] = '\n'; /* as a transfer of text would */
    check_refused(bytes.data, bytes.size, "perhaps as text");
}

static void sums_at_the_end_are_checked(void)
{
    static const uint8_t record = 1u << RECORD_COUNT_SHIFT;
    struct trace trace = {0};
    put_header(&bytes, 1, 12);
    put_block(&bytes, 1, &record, 1);
    size_t block_end = bytes.size;
    put_end(&bytes, 1, 1);
    CHECK(parse(&trace, bytes.data, bytes.size, 0));
    CHECK_EQ(trace.count, 1);
    bytes.size = block_end;
    put_end(&bytes, 2, 1);
    check_refused(bytes.data, bytes.size, "says that it has 2 references, and has 1");
    bytes.size = block_end;
    put_end(&bytes, 1, 2);
    check_refused(bytes.data, bytes.size, "is damaged");
    trace_free(&trace);
}

/* Payloads whose CRC is right. */
static void records_are_checked(void)
{
    static const struct {
        uint8_t byte[16];
        size_t size;
    } wrong[] = {
        {{0x3c}, 1},                                                           /* no page */
        {{0x3c, 0x80}, 2},                                                     /* half a page */
        {{0x00}, 1},                                                           /* no count */
        {{0x00, 0xff}, 2},                                                     /* half a count */
        {{0x3c, 1}, 2},                                                        /* page -1 */
        {{0x3c, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20}, 9},           /* page 2^53 */
        {{0x3c, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}, 11}, /* 65 bits */
        {{0x3c, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0}, 12},
        {{0x00, 0xf8, 0xff, 0xff, 0xff, 0x0f}, 6}, /* count 2^32 */
        {{0x20, 0x20, 0x1c, 0}, 4},                /* a count is missing behind the page */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put_header(&bytes, 1, 12);
        put_block(&bytes, (uint32_t)wrong[i].size, wrong[i].byte, wrong[i].size);
        put_end(&bytes, 1, 1);
        check_refused(bytes.data, bytes.size, "records that aren't valid");
    }
}

static void blocks_have_a_largest_size(void)
{
    static uint8_t payload[COMPACT_BLOCK_BYTES + 1];
    struct trace trace = {0};
    memset(payload, 1u << RECORD_COUNT_SHIFT, sizeof payload);
    put_header(&bytes, 1, 12);
    put_block(&bytes, COMPACT_BLOCK_BYTES, payload, COMPACT_BLOCK_BYTES);
    put_end(&bytes, COMPACT_BLOCK_BYTES, COMPACT_BLOCK_BYTES);
    CHECK(parse(&trace, bytes.data, bytes.size, 0));
    CHECK_EQ(trace.count, COMPACT_BLOCK_BYTES);
    put_header(&bytes, 1, 12);
    put_block(&bytes, COMPACT_BLOCK_BYTES + 1, payload, COMPACT_BLOCK_BYTES + 1);
    check_refused(bytes.data, bytes.size, "a block of 16385 bytes");
    trace_free(&trace);
}

static void another_page_size_is_refused(void)
{
    struct trace trace = {0};
    put_header(&bytes, 1, 12);
    put_end(&bytes, 0, 0);
    struct memory_source from = {bytes.data, bytes.size, 0, 0};
    CHECK(!trace_parse(&trace, &from, 16, &error));
    CHECK(strstr(error.text, "--page-size"));
    from.at = 0;
    CHECK(trace_parse(&trace, &from, 12, &error));
    trace_free(&trace);
}

/* ---- zstd ------------------------------------------------------------------------------------ */

#ifdef QUIRE_HAVE_ZSTD

static void compressed_traces_are_read(void)
{
    for (unsigned round = 0; round < 10; round++)
        round_trip(test_random_below(200000), 40, 12, (int)(1 + test_random_below(9)));
}

static void a_compressed_trace_cut_off_at_any_byte_is_refused(void)
{
    size_t size;
    uint8_t *data = small(&size, 3);
    REQUIRE(data);
    for (size_t length = 1; length < size; length++)
        check_refused(data, length, "test");
    free(data);
}

/* Lines that compress to almost nothing, so that much output follows from little input. */
static void much_comes_out_of_little(void)
{
    struct trace trace = {0}, got = {0};
    size_t size;
    for (uint64_t i = 0; i < 1000000; i++)
        trace_add(&trace, i % 8, 1, TRACE_READ);
    uint8_t *data = trace_compact(&trace, 12, 19, &size);
    REQUIRE(data);
    CHECK(size < 20000);
    CHECK(parse(&got, data, size, 0));
    CHECK(trace_equal(&got, &trace));
    free(data);
    trace_free(&got);
    trace_free(&trace);
}

#else

static void compressed_traces_are_read(void)
{
    test_skip("there was no zstd.h when this was built");
}
#define a_compressed_trace_cut_off_at_any_byte_is_refused compressed_traces_are_read
#define much_comes_out_of_little compressed_traces_are_read

#endif

static const struct test_case cases[] = {
    TEST_CASE(what_is_written_is_read),
    TEST_CASE(an_empty_trace_is_a_trace),
    TEST_CASE(what_is_cut_off_at_any_byte_is_refused),
    TEST_CASE(any_flipped_bit_is_noticed),
    TEST_CASE(nothing_may_follow_the_end),
    TEST_CASE(the_example_of_the_documentation_is_read),
    TEST_CASE(headers_are_checked),
    TEST_CASE(sums_at_the_end_are_checked),
    TEST_CASE(records_are_checked),
    TEST_CASE(blocks_have_a_largest_size),
    TEST_CASE(another_page_size_is_refused),
    TEST_CASE(compressed_traces_are_read),
    TEST_CASE(a_compressed_trace_cut_off_at_any_byte_is_refused),
    TEST_CASE(much_comes_out_of_little),
    {0},
};
const struct test_suite suite_compact = {"compact", cases};
