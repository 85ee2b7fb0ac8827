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
#define MAX_FRAMES 163840ul /* 640 MiB of 4 KiB each */
#define SLOTS 512u

struct stress {
    struct quire_port_mem port;
    struct quire_memblock memblock;
    struct quire_mem *mem;
    unsigned nr_nodes;
    unsigned long frames;  /* that there can be */
    quire_gfp_t gfp_avoid; /* what `allocate` doesn't ask for */
    unsigned reports;      /* calls of bad_page */
    struct {
        unsigned long start, end; /* frames */
    } lent[2];                    /* CMA areas: only for what can be moved */
};
extern struct stress stress;

/* ---- the machine: stress.c ------------------------------------------------------------------- */

/* Memory up to `end`, and the map of some of it, which ends with an empty range; nothing is
 * anybody's. */
bool stress_map(const struct quire_memblock_region *map, quire_phys_t end);
/* quire_mem_init on it, with CPUs on both of two nodes. */
bool stress_start(struct quire_mem_config config);
/* Everything is given back by this thread, from wherever it came; then nothing is lost. */
void stress_end(void);
/* The harness's. */
unsigned long stress_effort(void);

/* ---- threads: stress.c ----------------------------------------------------------------------- */

struct worker;
typedef void work_fn(struct worker *worker);

struct worker {
    pthread_t thread;
    uint64_t random;
    unsigned char number;     /* from 1 */
    unsigned long operations; /* that it is to do; 0: until those who were told are through */
    unsigned long done;
    unsigned long turn; /* see off_limits */
    work_fn *work;
};

uint32_t below(struct worker *worker, uint32_t bound);
/* Asked before each operation: false when the worker is through. */
bool go_on(struct worker *worker);
/* Shares the operations out among `count` threads that do the same. */
void run_threads(unsigned count, work_fn *work, unsigned long operations);
/* Threads that do different things at a time. Ends with an empty one. */
struct crew {
    work_fn *work;
    unsigned count;
    unsigned long operations; /* of all together */
};
void run_crews(const struct crew *crews);
/* Does it while all other workers stand between two operations. For one worker at a time. */
void while_others_rest(struct worker *worker, work_fn *work);

/* ---- blocks: blocks.c ------------------------------------------------------------------------ */

extern unsigned char owner[MAX_FRAMES];
extern struct quire_page *slot[SLOTS]; /* blocks that are nobody's: whoever takes one frees it */

uint64_t *content(unsigned long pfn);
void take_block(struct worker *worker, struct quire_page *page, unsigned order);
/* Checks its pattern. */
void check_block(struct quire_page *page, unsigned order);
/* The same, and says its order. */
unsigned give_up_block(struct quire_page *page);
struct quire_page *allocate(struct worker *worker);
void drop_block(struct worker *worker, struct quire_page *page);
/* What the slot held is the caller's. */
struct quire_page *exchange(unsigned index, struct quire_page *page);

/* Whole pageblocks that nobody may be allocating from, until the opposite is said: who takes a
 * block there in an operation that began later is at fault. */
void off_limits(unsigned long start, unsigned long end);
void on_limits(unsigned long start, unsigned long end);
unsigned long this_turn(void);

/* One operation out of a mixture: blocks are allocated, split, freed, put into slots, taken out of
 * them; rarely somebody looks around. */
void trade_once(struct worker *worker);

#endif
