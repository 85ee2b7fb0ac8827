/* tests/stress/stress.c: the machine and the threads: see stress.h */
#include <sched.h>

#include "tests/stress/stress.h"

struct stress stress;

/* ---- the machine ----------------------------------------------------------------------------- */

static void report(void *arg, quire_pfn_t pfn, const char *text)
{
    (void)arg;
    quire_fetch_add(&stress.reports, 1);
    test_note("frame %lu: %s", pfn.value, text);
}

static void wait_for_others(void *arg)
{
    (void)arg;
    sched_yield();
}

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

bool stress_map(const struct quire_memblock_region *map, quire_phys_t end)
{
    stress = (struct stress){.frames = (unsigned long)(end >> QUIRE_PAGE_SHIFT)};
    __builtin_memset(owner, 0, sizeof owner);
    __builtin_memset(slot, 0, sizeof slot);
    quire_posix_set_log(hear_nothing);
    if (stress.frames > MAX_FRAMES || !test_environment.memory(end, &stress.port))
        return false;
    quire_memblock_init(&stress.memblock, "stress", &stress.port);
    for (; map->size; map++) {
        if (quire_memblock_add(&stress.memblock, map->base, map->size, map->node, map->kind))
            return false;
        if (stress.nr_nodes <= (unsigned)map->node)
            stress.nr_nodes = (unsigned)map->node + 1;
    }
    return true;
}

bool stress_start(struct quire_mem_config config)
{
    static const uint8_t cpu_node[MAX_THREADS + 1] = {0, 1, 0, 1, 1, 0, 0, 1, 0};
    static const struct quire_mem_ops ops = {.wait = wait_for_others, .bad_page = report};
    config.port = &stress.port;
    config.cpu_node = cpu_node;
    config.ops = &ops;
    return !quire_mem_init(&stress.mem, &stress.memblock, &config);
}

void stress_end(void)
{
    struct worker here = {.random = 1, .number = 1};
    for (unsigned i = 0; i < SLOTS; i++)
        drop_block(&here, exchange(i, NULL));
    for (unsigned long pfn = 0; pfn < stress.frames; pfn++)
        CHECK_EQ(owner[pfn], 0);
    CHECK_EQ(quire_nr_free_pages(stress.mem), quire_nr_managed_pages(stress.mem));
    quire_drain_all_pages(stress.mem);
    quire_mem_check(stress.mem);
    CHECK_EQ(quire_nr_free_pages(stress.mem), quire_nr_managed_pages(stress.mem));
    CHECK_EQ(stress.reports, 0);
    CHECK_EQ(quire_mem_destroy(stress.mem), 0);
    quire_posix_set_log(NULL);
}

unsigned long stress_effort(void)
{
    return (unsigned long)test_environment.effort;
}

/* ---- threads --------------------------------------------------------------------------------- */

static bool go;          /* all threads are there: so that they don't run one after the other */
static unsigned told;    /* workers under way that were told how much to do */
static unsigned running; /* all workers under way */
static bool stopped;     /* workers rest before their next operation */
static unsigned resting;

uint32_t below(struct worker *worker, uint32_t bound)
{
    uint64_t z = worker->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(((z >> 32) * bound) >> 32);
}

static void rest(void)
{
    __atomic_add_fetch(&resting, 1, __ATOMIC_ACQ_REL);
    while (quire_load_acquire(&stopped))
        sched_yield();
    quire_sub_fetch(&resting, 1);
}

void while_others_rest(struct worker *worker, work_fn *work)
{
    quire_store_release(&stopped, true);
    while (quire_load_acquire(&resting) + 1 < quire_load_acquire(&running))
        sched_yield();
    work(worker);
    quire_store_release(&stopped, false);
    while (quire_load_acquire(&resting))
        sched_yield();
}

bool go_on(struct worker *worker)
{
    if (quire_load_acquire(&stopped))
        rest();
    worker->turn = this_turn();
    unsigned long done = worker->done++;
    return worker->operations ? done < worker->operations : !done || quire_load_relaxed(&told);
}

static void *start(void *arg)
{
    struct worker *worker = arg;
    while (!quire_load_acquire(&go))
        quire_port_relax();
    worker->work(worker);
    if (worker->operations)
        quire_sub_fetch(&told, 1);
    quire_sub_fetch(&running, 1);
    return NULL;
}

void run_crews(const struct crew *crews)
{
    struct worker workers[MAX_THREADS];
    unsigned started = 0;
    quire_store_relaxed(&go, false);
    told = running = 0;
    for (; crews->count; crews++)
        for (unsigned i = 0; i < crews->count && started < MAX_THREADS; i++) {
            struct worker *worker = &workers[started];
            *worker = (struct worker){.random = test_random(),
                                      .number = (unsigned char)(started + 1),
                                      .work = crews->work,
                                      .operations = crews->operations / crews->count};
            bool failed = pthread_create(&worker->thread, NULL, start, worker);
            CHECK(!failed);
            if (failed)
                continue;
            started++;
            told += worker->operations != 0;
        }
    running = started;
    quire_store_release(&go, true);
    for (unsigned i = 0; i < started; i++)
        CHECK(!pthread_join(workers[i].thread, NULL));
}

void run_threads(unsigned count, work_fn *work, unsigned long operations)
{
    run_crews((struct crew[]){{work, count, operations}, {0}});
}
