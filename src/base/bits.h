/* base/bits.h: bit tricks that need no helper function of the compiler's library
 *
 * gcc calls __ctzdi2 and its like on machines without the instruction (riscv64 without Zbb, 64-bit
 * words on i386); a freestanding user doesn't have them. Those machines get sequences of our own.
 */
#ifndef QUIRE_BASE_BITS_H
#define QUIRE_BASE_BITS_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__) || defined(__aarch64__) || defined(__i386__) || defined(__riscv_zbb)
#define QUIRE_HAVE_CTZ 1
#else
#define QUIRE_HAVE_CTZ 0
#endif

/* Index of the lowest set bit; `x` is not 0. */
static inline unsigned quire_ctz32(uint32_t x)
{
#if QUIRE_HAVE_CTZ
    return (unsigned)__builtin_ctz(x);
#else
    unsigned n = 0;
    for (unsigned half = 16; half; half >>= 1)
        if (!(x & ((1u << half) - 1))) {
            n += half;
            x >>= half;
        }
    return n;
#endif
}

/* Index of the highest set bit; `x` is not 0. */
static inline unsigned quire_fls32(uint32_t x)
{
#if QUIRE_HAVE_CTZ
    return 31u - (unsigned)__builtin_clz(x);
#else
    unsigned n = 0;
    for (unsigned half = 16; half; half >>= 1)
        if (x >> half) {
            n += half;
            x >>= half;
        }
    return n;
#endif
}

static inline unsigned quire_ctz64(uint64_t x)
{
#if QUIRE_HAVE_CTZ && !defined(__i386__)
    return (unsigned)__builtin_ctzll(x);
#else
    uint32_t low = (uint32_t)x;
    return low ? quire_ctz32(low) : 32 + quire_ctz32((uint32_t)(x >> 32));
#endif
}

static inline unsigned quire_fls64(uint64_t x)
{
#if QUIRE_HAVE_CTZ && !defined(__i386__)
    return 63u - (unsigned)__builtin_clzll(x);
#else
    uint32_t high = (uint32_t)(x >> 32);
    return high ? 32 + quire_fls32(high) : quire_fls32((uint32_t)x);
#endif
}

/* How many bits are set. For sets of a few: O(bits set), and no __popcountdi2. */
static inline unsigned quire_popcount64(uint64_t x)
{
    unsigned count = 0;
    for (; x; x &= x - 1)
        count++;
    return count;
}

/* The `count` lowest bits set; `count` is 0 to 64. */
static inline uint64_t quire_mask64(unsigned count)
{
    return count >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << count) - 1;
}

static inline bool quire_is_power_of_2(uint64_t x)
{
    return x && !(x & (x - 1));
}

/* `align` is a power of two. */
static inline uint64_t quire_align_down(uint64_t x, uint64_t align)
{
    return x & ~(align - 1);
}

/* Wraps to 0 when the result doesn't fit. */
static inline uint64_t quire_align_up(uint64_t x, uint64_t align)
{
    return (x + align - 1) & ~(align - 1);
}

/* The smallest order whose block holds `pages` pages; `pages` is not 0. */
static inline unsigned quire_order_of_pages(unsigned long pages)
{
    return pages == 1 ? 0 : quire_fls64((uint64_t)pages - 1) + 1;
}

/* Quotient of a 64-bit number by a 32-bit one without __udivdi3: long division, by words on i386,
 * by bits on other 32-bit machines. For views and set-up, never for a hot path. */
static inline uint64_t quire_div64(uint64_t n, uint32_t d)
{
#if defined(__i386__)
    uint32_t high = (uint32_t)(n >> 32), low = (uint32_t)n;
    uint32_t high_quotient = high / d, remainder = high % d;
    uint32_t low_quotient;
    __asm__("divl %4" : "=a"(low_quotient), "=d"(remainder) : "0"(low), "1"(remainder), "rm"(d));
    return (uint64_t)high_quotient << 32 | low_quotient;
#elif UINTPTR_MAX == UINT32_MAX
    uint64_t remainder = 0, quotient = 0;
    for (int bit = 63; bit >= 0; bit--) {
        remainder = remainder << 1 | (n >> bit & 1);
        quotient <<= 1;
        if (remainder >= d) {
            remainder -= d;
            quotient |= 1;
        }
    }
    return quotient;
#else
    return n / d;
#endif
}

#endif
