/* tools/trace_crc.c: CRC-32, eight bytes a step
 *
 * The reflected polynomial 0xedb88320 of ISO 3309. Table t holds the CRC of a byte that t zero
 * bytes follow, so that the eight bytes of a step are looked up independently of each other
 * (Kounavis and Berry, 2005: "slicing by eight").
 */
#include <pthread.h>
#include <stdint.h>

#include "trace_compact.h"
#include "trace_input.h"

static uint32_t table[8][256];

static void make_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        table[0][byte] = crc;
    }
    for (unsigned t = 1; t < 8; t++)
        for (unsigned byte = 0; byte < 256; byte++)
            table[t][byte] = table[t - 1][byte] >> 8 ^ table[0][table[t - 1][byte] & 0xff];
}

uint32_t trace_crc32(uint32_t crc, const void *data, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const uint8_t *p = data;
    pthread_once(&once, make_tables);
    crc = ~crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint32_t low = load32(p) ^ crc, high = load32(p + 4);
        crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^ table[5][low >> 16 & 0xff] ^
              table[4][low >> 24] ^ table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^
              table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
    }
    for (; size; size--)
        crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
    return ~crc;
}
