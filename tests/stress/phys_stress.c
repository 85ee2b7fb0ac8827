/* tests/stress/phys_stress.c: threads at one machine's pages
 *
 * Each frame has a byte that says who has it: taking a block finds zeros and leaves the thread's
 * number, giving it up the reverse, so that a frame handed out twice is seen at once. Pages carry a
 * pattern, which another thread checks before it frees them; ThreadSanitizer sees to it that every
 * such hand-over is one. At the end everything is free, and nothing is lost.
 */
#include <pthread.h>

#include <quire/phys.h>
#include <quire/port.h>

#include "base/atomic.h"
#include "tests/harness/harness.h"

#define FRAMES 12288ul
#define MEMORY_BYTES (FRAMES << QUIRE_PAGE_SHIFT)
#define MAX_THREADS 8u
#define SLOTS 512u
#define NR_NODES 2u

static struct quire_port_mem port;
static struct quire_memblock memblock;
static struct quire_mem *mem;
static unsigned reports; /* calls of bad_page */
static unsigned char owner[FRAMES];
static struct quire_page *slot[SLOTS]; /* blocks that are nobody's: whoever takes one frees it */

/* ---- the machine ----------------------------------------------------------------------------- */

static void report(void *arg, quire_pfn_t pfn, const char *text)
{
    (void)arg;
    quire_fetch_add(&reports, 1);
    test_note("frame %lu: %s", pfn.value, text);
}

static void hear_nothing(int level, const char *text)
{
    (void)level;
    (void)text;
}

/* Threads beyond the CPUs that there can be have no number. */
static bool machine_start(unsigned nr_cpus, unsigned debug)
{
    static const uint8_t cpu_node[MAX_THREADS + 1] = {0, 1, 0, 1, 1, 0, 0, 1, 0};
    static const struct quire_mem_ops ops = {.bad_page = report};
    struct quire_mem_config config = {
        .port = &port,
        .nr_cpus = nr_cpus < QUIRE_MAX_CPUS ? nr_cpus : QUIRE_MAX_CPUS,
        .cpu_node = cpu_node,
        .zone_end = {[QUIRE_ZONE_DMA] = MEMORY_BYTES / 6, [QUIRE_ZONE_NORMAL] = UINT64_MAX},
        .debug = debug,
        .ops = &ops,
    };
    quire_posix_set_log(hear_nothing);
    reports = 0;
    for (unsigned i = 0; i < SLOTS; i++)
        slot[i] = NULL;
    if (!test_environment.memory(MEMORY_BYTES, &port))
        return false;
    quire_memblock_init(&memblock, "stress", &port);
    return !quire_memblock_add(&memblock, 0, MEMORY_BYTES / 2, 0, QUIRE_MEMBLOCK_RAM) &&
           !quire_memblock_add(&memblock, MEMORY_BYTES / 2, MEMORY_BYTES / 2, 1,
                               QUIRE_MEMBLOCK_RAM) &&
           !quire_mem_init(&mem, &memblock, &config);
}

/* ---- blocks that change hands ---------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    uint64_t random;
    unsigned char number; /* from 1 */
    unsigned long operations;
    void (*work)(struct worker *worker);
};

static uint32_t below(struct worker *worker, uint32_t bound)
{
    uint64_t z = worker->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(((z >> 32) * bound) >> 32);
}

static uint64_t *content(unsigned long pfn)
{
    return quire_port_phys_to_virt(&port, quire_pfn_to_phys(quire_pfn(pfn)));
}

static void take_block(struct worker *worker, struct quire_page *page, unsigned order)
{
    unsigned long pfn = quire_page_to_pfn(page).value, last = pfn + (1ul << order) - 1;
    for (unsigned long at = pfn; at <= last; at++)
        CHECK_EQ(__atomic_exchange_n(&owner[at], worker->number, __ATOMIC_RELAXED), 0);
    content(pfn)[0] = pfn * 3;
    content(last)[QUIRE_PAGE_SIZE / 8 - 1] = pfn * 5;
}

static void check_block(struct quire_page *page, unsigned order)
{
    unsigned long pfn = quire_page_to_pfn(page).value, last = pfn + (1ul << order) - 1;
    CHECK_EQ(content(pfn)[0], pfn * 3);
    CHECK_EQ(content(last)[QUIRE_PAGE_SIZE / 8 - 1], pfn * 5);
}

static unsigned give_up_block(struct quire_page *page)
{
    unsigned order = quire_page_order(page);
    unsigned long pfn = quire_page_to_pfn(page).value;
    check_block(page, order);
    for (unsigned long at = pfn; at < pfn + (1ul << order); at++)
        CHECK(__atomic_exchange_n(&owner[at], 0, __ATOMIC_RELAXED) != 0);
    return order;
}

static struct quire_page *allocate(struct worker *worker)
{
    static const quire_gfp_t gfps[] = {
        QUIRE_GFP_KERNEL,
        QUIRE_GFP_KERNEL | QUIRE_GFP_ZERO,
        QUIRE_GFP_KERNEL | QUIRE_GFP_RECLAIMABLE,
        QUIRE_GFP_KERNEL | QUIRE_GFP_DMA,
        QUIRE_GFP_HIGHUSER_MOVABLE,
        QUIRE_GFP_ATOMIC | QUIRE_GFP_COMP,
        QUIRE_GFP_NOWAIT | QUIRE_GFP_THISNODE,
    };
    static const unsigned char orders[] = {0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 6, 9};
    quire_gfp_t gfp = gfps[below(worker, sizeof gfps / sizeof gfps[0])] | QUIRE_GFP_NOWARN;
    unsigned order = orders[below(worker, sizeof orders)];
    struct quire_page *page =
        below(worker, 4) ? quire_alloc_pages(mem, gfp, order)
                         : quire_alloc_pages_node(mem, (int)below(worker, NR_NODES), gfp, order);
    if (page)
        take_block(worker, page, order);
    return page;
}

static void free_block(struct worker *worker, struct quire_page *page)
{
    if (!page)
        return;
    unsigned order = give_up_block(page);
    if (below(worker, 2))
        quire_free_pages(mem, page, order);
    else
        quire_put_page(mem, page);
}

/* What the slot held is the caller's. */
static struct quire_page *exchange(unsigned index, struct quire_page *page)
{
    return __atomic_exchange_n(&slot[index], page, __ATOMIC_ACQ_REL);
}

/* ---- what threads do ------------------------------------------------------------------------- */

static void trade_many(struct worker *worker)
{
    struct quire_page *pages[64] = {0};
    unsigned long count = 1 + below(worker, 64);
    unsigned long done = quire_alloc_pages_bulk(mem, (int)below(worker, NR_NODES + 1) - 1,
                                                QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, count, pages);
    for (unsigned long i = 0; i < done; i++)
        take_block(worker, pages[i], 0);
    for (unsigned long i = 0; i < done; i += 2)
        free_block(worker, exchange(below(worker, SLOTS), pages[i]));
    for (unsigned long i = 0; i < done; i++)
        if (i % 2)
            give_up_block(pages[i]);
        else
            pages[i] = NULL;
    quire_free_pages_bulk(mem, done, pages);
}

static void split(struct worker *worker)
{
    struct quire_page *page = quire_alloc_pages(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN, 3);
    if (!page)
        return;
    quire_split_page(mem, page, 3);
    for (unsigned i = 0; i < 8; i++) {
        take_block(worker, &page[i], 0);
        free_block(worker, exchange(below(worker, SLOTS), &page[i]));
    }
}

/* What others may look at or change while pages come and go. */
static void look_around(struct worker *worker)
{
    struct quire_zone_info info;
    switch (below(worker, 6)) {
    case 0:
        quire_drain_all_pages(mem);
        break;
    case 1:
        CHECK(!quire_set_min_free_kbytes(mem, 128 + below(worker, 1024)));
        break;
    case 2:
        for (unsigned i = 0; !quire_zone_info(mem, i, &info); i++)
            CHECK(info.nr_free <= info.managed);
        break;
    case 3:
        CHECK(quire_nr_managed_pages(mem) <= FRAMES);
        (void)quire_nr_free_pages(mem);
        break;
    default:
        quire_drain_pages(mem, below(worker, MAX_THREADS + 1));
    }
}

static void trade(struct worker *worker)
{
    for (unsigned long i = 0; i < worker->operations; i++) {
        unsigned what = below(worker, 512);
        if (what == 0)
            look_around(worker);
        else if (what < 8)
            trade_many(worker);
        else if (what < 16)
            split(worker);
        else if (what < 200)
            free_block(worker, exchange(below(worker, SLOTS), NULL));
        else if (what < 300)
            free_block(worker, allocate(worker));
        else
            free_block(worker, exchange(below(worker, SLOTS), allocate(worker)));
    }
}

static bool go; /* all threads are there: so that they don't run one after the other */

static void *start(void *arg)
{
    struct worker *worker = arg;
    while (!quire_load_acquire(&go))
        quire_port_relax();
    worker->work(worker);
    return NULL;
}

static void run_threads(unsigned count, void (*work)(struct worker *), unsigned long operations)
{
    struct worker workers[MAX_THREADS];
    unsigned started = 0;
    quire_store_relaxed(&go, false);
    for (; started < count; started++) {
        workers[started] = (struct worker){.random = test_random(),
                                           .number = (unsigned char)(started + 1),
                                           .work = work,
                                           .operations = operations / count};
        if (pthread_create(&workers[started].thread, NULL, start, &workers[started]))
            break;
    }
    quire_store_release(&go, true);
    CHECK_EQ(started, count);
    for (unsigned i = 0; i < started; i++)
        CHECK(!pthread_join(workers[i].thread, NULL));
}

/* Everything is given back by this thread, from wherever it came. */
static void machine_end(void)
{
    struct worker here = {.random = 1, .number = 1};
    for (unsigned i = 0; i < SLOTS; i++)
        free_block(&here, exchange(i, NULL));
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
    quire_drain_all_pages(mem);
    quire_mem_check(mem);
    CHECK_EQ(quire_nr_free_pages(mem), quire_nr_managed_pages(mem));
    CHECK_EQ(reports, 0);
    CHECK_EQ(quire_mem_destroy(mem), 0);
    quire_posix_set_log(NULL);
}

static unsigned long effort(void)
{
    return (unsigned long)test_environment.effort;
}

static void two_to_eight_threads_free_what_others_allocated(void)
{
    for (unsigned threads = 2; threads <= MAX_THREADS; threads += 2) {
        REQUIRE(machine_start(MAX_THREADS + 1, 0));
        run_threads(threads, trade, effort() / 4);
        machine_end();
    }
}

static void threads_without_a_cpu_number_share_with_those_that_have_one(void)
{
    REQUIRE(machine_start(3, 0));
    run_threads(MAX_THREADS, trade, effort() / 4);
    machine_end();
}

static void threads_agree_with_poison_and_owners(void)
{
    REQUIRE(machine_start(MAX_THREADS + 1, QUIRE_DEBUG_POISON | QUIRE_DEBUG_OWNER));
    run_threads(4, trade, effort() / 20);
    machine_end();
}

/* A thread that ends leaves its lists behind; who gets its CPU number goes on with them. */
static void threads_that_come_and_go_lose_nothing(void)
{
    REQUIRE(machine_start(4, 0));
    for (unsigned round = 0; round < 40; round++)
        run_threads(2 + test_random_below(MAX_THREADS - 1), trade, effort() / 200);
    machine_end();
}

/* ---- references that are raised without holding one ------------------------------------------ */

/* A page is looked up in a slot, and may be gone before its reference is raised. If the slot still
 * has it then, it is the page that was meant. Who may be looked up so is given up by put_page.
 * Here the bytes of frames count readers: a page that is allocated again has none. */
static void look_up(struct worker *worker)
{
    struct quire_page **from = &slot[below(worker, 32)];
    struct quire_page *page = quire_load_acquire(from);
    if (!page || !quire_get_page_unless_zero(page))
        return;
    if (quire_load_acquire(from) == page) {
        unsigned long pfn = quire_page_to_pfn(page).value;
        __atomic_add_fetch(&owner[pfn], 1, __ATOMIC_RELAXED);
        CHECK(quire_page_count(page) >= 1);
        CHECK_EQ(quire_page_order(page), 0);
        CHECK_EQ(__atomic_load_n(content(pfn), __ATOMIC_RELAXED), pfn * 3);
        __atomic_sub_fetch(&owner[pfn], 1, __ATOMIC_RELAXED);
    }
    quire_put_page(mem, page);
}

static struct quire_page *page_to_publish(void)
{
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL | QUIRE_GFP_NOWARN);
    if (!page)
        return NULL;
    unsigned long pfn = quire_page_to_pfn(page).value;
    CHECK_EQ(quire_load_relaxed(&owner[pfn]), 0);
    __atomic_store_n(content(pfn), pfn * 3, __ATOMIC_RELAXED);
    return page;
}

static void publish_and_look_up(struct worker *worker)
{
    for (unsigned long i = 0; i < worker->operations; i++) {
        if (below(worker, 3)) {
            look_up(worker);
            continue;
        }
        struct quire_page *old = exchange(below(worker, 32), page_to_publish());
        if (old)
            quire_put_page(mem, old);
    }
}

static void a_reference_is_raised_or_refused_but_never_lost(void)
{
    REQUIRE(machine_start(MAX_THREADS + 1, 0));
    run_threads(4, publish_and_look_up, 2 * effort());
    for (unsigned i = 0; i < SLOTS; i++) {
        struct quire_page *page = exchange(i, NULL);
        if (page) {
            CHECK_EQ(quire_page_count(page), 1);
            quire_put_page(mem, page);
        }
    }
    machine_end();
}

static const struct test_case cases[] = {
    TEST_CASE(two_to_eight_threads_free_what_others_allocated),
    TEST_CASE(threads_without_a_cpu_number_share_with_those_that_have_one),
    TEST_CASE(threads_agree_with_poison_and_owners),
    TEST_CASE(threads_that_come_and_go_lose_nothing),
    TEST_CASE(a_reference_is_raised_or_refused_but_never_lost),
    {0},
};
const struct test_suite suite_phys_stress = {"phys_stress", cases};
