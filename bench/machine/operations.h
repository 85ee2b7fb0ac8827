/* bench/machine/operations.h: what the files of this benchmark share
 *
 * A program for the machine and for Linux: each operation of memory management, in ticks of the
 * time stamp counter. Under QEMU's -icount shift=0 a tick is an instruction of the guest, the
 * kernel's and the program's own together.
 */
#ifndef QUIRE_BENCH_MACHINE_OPERATIONS_H
#define QUIRE_BENCH_MACHINE_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define MIB (1ul << 20)

static inline uint64_t ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

/* Between these two, `repeats` operations ran. */
void begin(void);
void row(const char *name, unsigned long repeats);
/* The same where more went on between: so many ticks were measured. */
void report(const char *name, uint64_t took, unsigned long repeats);

/* Ends the program with a message if the condition doesn't hold: what failed measures nothing. */
void need(bool condition, const char *what);

char *map(size_t size, int more_flags);
void unmap(void *at, size_t size);
void touch(char *at, size_t size);
unsigned char read_pages(const char *at, size_t size);

/* A permutation's next number below `count`, a power of two. */
unsigned long next_random(unsigned long count);

void measure_calibration(void);
void measure_anonymous(void);
void measure_copies(void);
void measure_files(void);
void measure_calls(void);
void measure_forks(const char *self);
void measure_many_areas(void);

#endif
