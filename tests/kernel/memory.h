/* tests/kernel/memory.h: physical memory for what reads firmware tables */
#ifndef TESTS_KERNEL_MEMORY_H
#define TESTS_KERNEL_MEMORY_H

#include <quire/types.h>

/* The bytes at FAKE_BASE, which phys_read reads; it fails for all other addresses. */
#define FAKE_BASE 0xbffe0000ull
#define FAKE_BYTES 8192
extern uint8_t fake_memory[FAKE_BYTES];

/* Zeroes the memory. */
void fake_reset(void);
/* Writes `size` bytes of `value`, little-endian, at an offset. */
void fake_put(size_t at, uint64_t value, unsigned size);
void fake_text(size_t at, const char *text);
/* Sets the byte `checksum` so that `size` bytes from `at` on sum to 0. */
void fake_sum(size_t at, size_t size, size_t checksum);

#endif
