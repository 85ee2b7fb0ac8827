/* tests/fuzz/address_space.h: the machine of address_space_fuzz.c */
#ifndef QUIRE_FUZZ_ADDRESS_SPACE_H
#define QUIRE_FUZZ_ADDRESS_SPACE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/file.h>
#include <quire/swap.h>
#include <quire/vm.h>

#include "ports/sim/sim.h"

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define PAGE ((quire_linear_t)QUIRE_PAGE_SIZE)
#define NR_PROCESSES 3u
#define NR_MAPPINGS 4u
#define NR_AREAS 3u
#define NR_PINS 4u
#define NR_SEEN 8u /* a power of two */

struct input {
    const uint8_t *data;
    size_t left;
};

/* Zeros at the end. */
static inline uint64_t take(struct input *input, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && input->left; i++, input->left--)
        value |= (uint64_t)*input->data++ << (8 * i);
    return value;
}

/* Addresses that operations gave, the latest in turn. */
struct process {
    struct quire_mm *mm;
    quire_linear_t seen[NR_SEEN];
    unsigned next;
};

struct pin {
    struct quire_page *page;
    bool write;
};

extern struct quire_mem *mem;
extern struct quire_vm *vm;
extern unsigned long nr_frames; /* of the machine */
extern const struct quire_mm_layout *layout;
extern struct quire_sim_cpu cpu;
extern struct process processes[NR_PROCESSES];
extern struct quire_mapping *mappings[NR_MAPPINGS]; /* two files, two of shared memory */
extern struct pin pins[NR_PINS];
extern int areas[NR_AREAS]; /* of swap, by store; -1: none */
/* Bits: which transfers of all stores fail. Reads, writes, those of files, only each fourth. */
extern unsigned stores_failing;
extern unsigned fail_at; /* the n-th allocation of an object from now on fails; 0: none */

/* False: there can't be such a machine. */
bool start(unsigned settings);
/* Puts all away, and sees that nothing is left. */
void end(void);

void run_on(const struct process *process);
/* The process has no address space any more. */
void leave(struct process *process);
void see(struct process *process, quire_linear_t at);
/* A file's content is zero there. */
void forget_store(unsigned mapping, uint64_t at, uint64_t size);
/* Swap on store `number`, of at most as many slots as it has. */
void swap_on(unsigned number, unsigned slots, int priority);
/* Takes up to `pages` of the machine's memory, or gives them back. */
void hold(unsigned pages);
void release(unsigned pages);
void hear(void *arg, const char *text, size_t length);

#endif
