/* tests/stress/stress.h: a machine, threads at its pages, and how they see that these are theirs
 *
 * Each frame has a byte that says who has it: taking a block finds zeros and leaves the thread's
 * number, giving it up the reverse, so that a frame handed out twice is seen at once. Pages carry a
 * pattern, which another thread checks before it frees them; ThreadSanitizer sees to it that every
 * such hand-over is one.
 */
#ifndef QUIRE_TESTS_STRESS_H
#define QUIRE_TESTS_STRESS_H

#include <pthread.h>

#include <quire/phys.h>
#include <quire/port.h>

#include "base/atomic.h"
#include "tests/harness/harness.h"

#define MAX_THREADS 8u
#define MAX_FRAMES (640ul << (20 - QUIRE_PAGE_SHIFT))
#define SLOTS 512u

struct stress {
    struct quire_port_mem port;
    struct quire_memblock memblock;
    struct quire_mem *mem;
    unsigned nr_nodes;
    unsigned long frames;  /* that the map spans */
    quire_gfp_t gfp_avoid; /* what `allocate` doesn't ask for */
    unsigned reports;      /* calls of bad_page */
};
extern struct stress stress;

/* ---- the machine: stress.c ------------------------------------------------------------------- */

/* Memory for the map, which ends with an empty range; nothing is anybody's. */
bool stress_map(const struct quire_memblock_region *map);
/* quire_mem_init on it. CPUs take turns at the first two nodes. */
bool stress_start(struct quire_mem_config config);
/* Everything is given back by this thread, from wherever it came; then nothing is lost. */
void stress_end(void);
/* The harness's, and less of it for what is dear. */
unsigned long stress_effort(void);

/* ---- threads: stress.c ----------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    uint64_t random;
    unsigned char number; /* from 1 */
    unsigned long operations, done;
    void (*work)(struct worker *worker);
};

uint32_t below(struct worker *worker, uint32_t bound);
/* Asked before each operation: false when the worker has done as many as it was told. */
bool go_on(struct worker *worker);
/* Shares the operations out among `count` threads that do the same. */
void run_threads(unsigned count, void (*work)(struct worker *), unsigned long operations);

/* ---- blocks: blocks.c ------------------------------------------------------------------------ */

extern unsigned char owner[MAX_FRAMES];
extern struct quire_page *slot[SLOTS]; /* blocks that are nobody's: whoever takes one frees it */

uint64_t *content(unsigned long pfn);
void take_block(struct worker *worker, struct quire_page *page, unsigned order);
/* Checks its pattern; returns its order. */
unsigned give_up_block(struct quire_page *page);
struct quire_page *allocate(struct worker *worker);
void drop_block(struct worker *worker, struct quire_page *page);
/* What the slot held is the caller's. */
struct quire_page *exchange(unsigned index, struct quire_page *page);

/* One operation out of a mixture: blocks are allocated, split, freed, put into slots, taken out of
 * them; rarely somebody looks around. */
void trade_once(struct worker *worker);

#endif
