/* kernel/fs/random.c: random bytes (RFC 8439 for ChaCha20)
 *
 * Each request begins with a block of which the first half becomes the next key, so that what was
 * given out can't be computed from what is kept ("fast key erasure"). The other half is what few
 * bytes are, and the key of a stream of its own for many.
 */
#include "fs/random.h"

#include <quire/port.h>

#include "base/compiler.h"

#define BLOCK_WORDS 16u
#define KEY_WORDS 8u

static uint32_t key[KEY_WORDS];
static uint64_t nr_blocks;

static uint32_t rotate(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

/* With constant indices, so that the words stay in registers as far as there are any. */
static QUIRE_ALWAYS_INLINE void quarter_round(uint32_t *s, unsigned a, unsigned b, unsigned c,
                                              unsigned d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

/* The block number `counter` by a key. */
static void chacha_block(const uint32_t by[KEY_WORDS], uint64_t counter, uint32_t out[BLOCK_WORDS])
{
    uint32_t in[BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (unsigned i = 0; i < KEY_WORDS; i++)
        in[4 + i] = by[i];
    in[12] = (uint32_t)counter;
    in[13] = (uint32_t)(counter >> 32);
    for (unsigned i = 0; i < BLOCK_WORDS; i++)
        out[i] = in[i];
    for (unsigned round = 0; round < 20; round += 2) {
        quarter_round(out, 0, 4, 8, 12);
        quarter_round(out, 1, 5, 9, 13);
        quarter_round(out, 2, 6, 10, 14);
        quarter_round(out, 3, 7, 11, 15);
        quarter_round(out, 0, 5, 10, 15);
        quarter_round(out, 1, 6, 11, 12);
        quarter_round(out, 2, 7, 8, 13);
        quarter_round(out, 3, 4, 9, 14);
    }
    for (unsigned i = 0; i < BLOCK_WORDS; i++)
        out[i] += in[i];
}

static void new_key(uint32_t block[BLOCK_WORDS])
{
    for (unsigned i = 0; i < KEY_WORDS; i++)
        key[i] = block[i];
    nr_blocks = 0;
}

void random_seed(const void *seed, size_t size)
{
    const unsigned char *bytes = seed;
    uint32_t block[BLOCK_WORDS];
    for (size_t i = 0; i < size; i++) {
        key[i / 4 % KEY_WORDS] ^= (uint32_t)bytes[i] << (i % 4 * 8);
        if (i % (4 * KEY_WORDS) != 4 * KEY_WORDS - 1 && i + 1 < size)
            continue;
        chacha_block(key, nr_blocks++, block);
        new_key(block);
    }
}

void random_bytes(void *to, size_t size)
{
    uint32_t block[BLOCK_WORDS], mine[KEY_WORDS];
    uint64_t now = quire_port_clock_ns(), counter = 0;
    key[0] ^= (uint32_t)now;
    key[1] ^= (uint32_t)(now >> 32);
    chacha_block(key, nr_blocks++, block);
    for (unsigned i = 0; i < KEY_WORDS; i++)
        mine[i] = block[KEY_WORDS + i];
    new_key(block);
    if (size <= sizeof mine) {
        __builtin_memcpy(to, mine, size);
        return;
    }
    for (size_t done = 0; done < size; done += sizeof block) {
        size_t piece = size - done < sizeof block ? size - done : sizeof block;
        chacha_block(mine, counter++, block);
        __builtin_memcpy((char *)to + done, block, piece);
    }
}
