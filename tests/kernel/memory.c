/* tests/kernel/memory.c: physical memory for what reads firmware tables */
#include "tests/kernel/memory.h"

#include "kernel/window.h"

uint8_t fake_memory[FAKE_BYTES];

bool phys_read(quire_phys_t phys, void *to, size_t size)
{
    uint8_t *out = to;
    if (phys < FAKE_BASE || phys - FAKE_BASE > FAKE_BYTES || FAKE_BASE + FAKE_BYTES - phys < size)
        return false;
    for (size_t i = 0; i < size; i++)
        out[i] = fake_memory[phys - FAKE_BASE + i];
    return true;
}

void fake_reset(void)
{
    for (size_t i = 0; i < FAKE_BYTES; i++)
        fake_memory[i] = 0;
}

void fake_put(size_t at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        fake_memory[at + i] = (uint8_t)(value >> (8 * i));
}

void fake_text(size_t at, const char *text)
{
    while (*text)
        fake_memory[at++] = (uint8_t)*text++;
}

void fake_sum(size_t at, size_t size, size_t checksum)
{
    unsigned sum = 0;
    fake_memory[checksum] = 0;
    for (size_t i = 0; i < size; i++)
        sum += fake_memory[at + i];
    fake_memory[checksum] = (uint8_t)(0 - sum);
}
