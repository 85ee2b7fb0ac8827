/* kernel/i386/arithmetic.c: what the compiler calls for numbers of 64 bits
 *
 * A divisor of 32 bits takes two divisions of the processor's, the second one of what the first
 * one left. A larger one is brought to 32 significant bits, the dividend to 63: that quotient,
 * brought back, is the right one or one too large (Warren, Hacker's Delight, 9-5), so it is lowered
 * by one, and the remainder says what is missing. Divisors aren't 0.
 */
#include "kernel.h"

uint64_t __udivmoddi4(uint64_t dividend, uint64_t divisor, uint64_t *remainder);
uint64_t __udivdi3(uint64_t dividend, uint64_t divisor);
uint64_t __umoddi3(uint64_t dividend, uint64_t divisor);
int64_t __divmoddi4(int64_t dividend, int64_t divisor, int64_t *remainder);
int64_t __divdi3(int64_t dividend, int64_t divisor);
int64_t __moddi3(int64_t dividend, int64_t divisor);
int __popcountsi2(unsigned value);

/* The quotient has to have 32 bits: high < divisor. */
static uint32_t divide_word(uint32_t high, uint32_t low, uint32_t divisor, uint32_t *remainder)
{
    uint32_t quotient;
    __asm__("divl %4"
            : "=a"(quotient), "=d"(*remainder)
            : "0"(low), "1"(high), "rm"(divisor)
            : "cc");
    return quotient;
}

uint64_t __udivmoddi4(uint64_t dividend, uint64_t divisor, uint64_t *remainder)
{
    uint32_t divisor_high = (uint32_t)(divisor >> 32), divisor_low = (uint32_t)divisor, rest;
    if (!divisor_high) {
        uint32_t dividend_high = (uint32_t)(dividend >> 32);
        uint32_t high = dividend_high / divisor_low;
        uint32_t low =
            divide_word(dividend_high % divisor_low, (uint32_t)dividend, divisor_low, &rest);
        *remainder = rest;
        return (uint64_t)high << 32 | low;
    }
    unsigned shift = (unsigned)__builtin_clz(divisor_high);
    uint32_t scaled = (uint32_t)(divisor << shift >> 32);
    uint64_t half = dividend >> 1;
    uint64_t quotient =
        divide_word((uint32_t)(half >> 32), (uint32_t)half, scaled, &rest) >> (31 - shift);
    if (quotient)
        quotient--;
    *remainder = dividend - quotient * divisor;
    if (*remainder >= divisor) {
        *remainder -= divisor;
        quotient++;
    }
    return quotient;
}

uint64_t __udivdi3(uint64_t dividend, uint64_t divisor)
{
    uint64_t remainder;
    return __udivmoddi4(dividend, divisor, &remainder);
}

uint64_t __umoddi3(uint64_t dividend, uint64_t divisor)
{
    uint64_t remainder;
    __udivmoddi4(dividend, divisor, &remainder);
    return remainder;
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

/* The remainder has the dividend's sign. */
int64_t __divmoddi4(int64_t dividend, int64_t divisor, int64_t *remainder)
{
    uint64_t rest, quotient = __udivmoddi4(magnitude(dividend), magnitude(divisor), &rest);
    *remainder = (int64_t)(dividend < 0 ? -rest : rest);
    return (int64_t)((dividend < 0) != (divisor < 0) ? -quotient : quotient);
}

int64_t __divdi3(int64_t dividend, int64_t divisor)
{
    int64_t remainder;
    return __divmoddi4(dividend, divisor, &remainder);
}

int64_t __moddi3(int64_t dividend, int64_t divisor)
{
    int64_t remainder;
    __divmoddi4(dividend, divisor, &remainder);
    return remainder;
}

int __popcountsi2(unsigned value)
{
    value -= value >> 1 & 0x55555555;
    value = (value & 0x33333333) + (value >> 2 & 0x33333333);
    value = (value + (value >> 4)) & 0x0f0f0f0f;
    return (int)(value * 0x01010101 >> 24);
}
