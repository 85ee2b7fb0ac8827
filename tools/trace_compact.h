/* tools/trace_compact.h: what reader and writer of the compact form share (docs/trace-format.md) */
#ifndef TOOLS_TRACE_COMPACT_H
#define TOOLS_TRACE_COMPACT_H

#include <stddef.h>
#include <stdint.h>

#define COMPACT_MAGIC "\x89QTR\r\n\x1a\n" /* as PNG's: 8 bits wide, line ends untouched */
#define COMPACT_MAGIC_BYTES 8u
#define COMPACT_VERSION 1u
#define COMPACT_HEADER_BYTES 16u      /* magic, version, page shift, two zeros, CRC */
#define COMPACT_BLOCK_HEADER_BYTES 8u /* payload's bytes, CRC */
#define COMPACT_BLOCK_BYTES 16384u    /* of payload, at most: TRACE_BATCH records of a byte */
#define COMPACT_END_BYTES 24u         /* a block header of 0 bytes, references, records */

/* A record begins with a byte: kind in bits 0-1, slot in bits 2-4, count in bits 5-7. */
#define RECORD_SLOT_SHIFT 2
#define RECORD_COUNT_SHIFT 5
#define RECORD_NEW_PAGE 7u /* a slot that isn't one: the page follows */
#define RECORD_LONG 8u     /* counts from here on follow, as the difference to this */
#define RECORD_MAX_BYTES (1u + 10u + 5u)

/* The pages of a block that were used last, as CLOCK sees it. A hit costs one OR: nothing moves. */
#define RECENT_SLOTS 7u
struct recent {
    uint64_t page[RECENT_SLOTS];
    unsigned referenced; /* bit s: slot s was used since the hand passed it */
    unsigned hand;
};

static inline void recent_use(struct recent *recent, unsigned slot)
{
    recent->referenced |= 1u << slot;
}

static inline void recent_replace(struct recent *recent, uint64_t page)
{
    while (recent->referenced >> recent->hand & 1) {
        recent->referenced &= ~(1u << recent->hand);
        recent->hand = recent->hand + 1 == RECENT_SLOTS ? 0 : recent->hand + 1;
    }
    recent->page[recent->hand] = page;
    recent_use(recent, recent->hand);
    recent->hand = recent->hand + 1 == RECENT_SLOTS ? 0 : recent->hand + 1;
}

/* CRC-32 as in zlib, PNG and Ethernet; begin with crc 0. */
uint32_t trace_crc32(uint32_t crc, const void *data, size_t size);

#endif
