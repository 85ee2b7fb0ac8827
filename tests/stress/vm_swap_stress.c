/* tests/stress/vm_swap_stress.c: swap under those who use it
 *
 * Two threads write and read words of their own in private memory, in shared memory and in children
 * that they fork, all of it more than there is. A third one changes everything that can be changed
 * meanwhile: the policy, read-ahead, swappiness; it reclaims, in the background and by hand, moves
 * pages, and turns a second swap area on and off, which is used first and whose writes fail now and
 * then.
 *
 * Whatever it does, a word is what its thread wrote last.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/stress/vm_processors.h"
#include "vm/internal.h"
#include "vm/oom.h"

#define MEMORY (4u << 20)
#define USERS 2u
#define PAGES 400u
#define SWAP_PAGES 2048u
#define FAST_PAGES 300u
#define CHILD_PAGES 40u

static struct quire_mm *mm;
static struct quire_mapping *shared;
static quire_linear_t areas[2];
static uint64_t words[MAX_THREADS + 1][2][PAGES];
static char swap_bytes[SWAP_PAGES * QUIRE_PAGE_SIZE], fast_bytes[FAST_PAGES * QUIRE_PAGE_SIZE];
static unsigned long nr_writes, nr_failed, nr_offs, nr_refused_offs;

/* ---- the area that comes and goes ------------------------------------------------------------ */

static int fast_read(void *store, uint64_t first, struct quire_page *const *pages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        __builtin_memcpy(quire_page_address(stress.mem, pages[i]),
                         (char *)store + (first + i) * QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE);
    return 0;
}

static int fast_write(void *store, uint64_t first, struct quire_page *const *pages, unsigned count)
{
    if (quire_fetch_add(&nr_writes, 1) % 8 == 3) {
        quire_fetch_add(&nr_failed, 1);
        return -QUIRE_EIO;
    }
    for (unsigned i = 0; i < count; i++)
        __builtin_memcpy((char *)store + (first + i) * QUIRE_PAGE_SIZE,
                         quire_page_address(stress.mem, pages[i]), QUIRE_PAGE_SIZE);
    return 0;
}

static void fast_discard(void *store, uint64_t first, uint64_t count)
{
    __builtin_memset((char *)store + first * QUIRE_PAGE_SIZE, 0xdd,
                     (size_t)count * QUIRE_PAGE_SIZE);
}

static int fast_on(void)
{
    static const struct quire_swap_ops ops = {fast_read, fast_write, fast_discard};
    struct quire_swap_config config = {
        .ops = &ops,
        .store = fast_bytes,
        .nr_slots = FAST_PAGES,
        .priority = 10,
        .name = "/fast",
    };
    return quire_swapon(stress_vm, &config);
}

/* ---- users ----------------------------------------------------------------------------------- */

static quire_linear_t word_at(unsigned n, unsigned area, unsigned page)
{
    return areas[area] + page * PAGE + n * sizeof(uint64_t);
}

static void touch(struct worker *worker)
{
    unsigned n = worker->number, area = below(worker, 4) == 0, page = below(worker, PAGES);
    uint64_t value = worker->random, *word = &words[n][area][page];
    if (below(worker, 2)) {
        if (access_word(n, word_at(n, area, page), &value, true))
            *word = value;
    } else if (access_word(n, word_at(n, area, page), &value, false)) {
        CHECK_EQ(value, *word);
    }
}

/* A row of pages: read-ahead, and slots that were taken in order. */
static void walk(struct worker *worker)
{
    unsigned n = worker->number, first = below(worker, PAGES - 32);
    for (unsigned page = first; page < first + 32; page++) {
        uint64_t value;
        if (access_word(n, word_at(n, 0, page), &value, false))
            CHECK_EQ(value, words[n][0][page]);
    }
}

/* A child finds what was there, and what it writes is its own. */
static void fork_and_write(struct worker *worker)
{
    unsigned n = worker->number, step = PAGES / CHILD_PAGES, first = below(worker, step);
    struct quire_mm *child;
    if (quire_mm_fork(&child, mm))
        return;
    load(n, child);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned page = first; page < PAGES; page += step) {
            uint64_t value, mine = ~words[n][0][page];
            if (access_word(n, word_at(n, 0, page), &value, false))
                CHECK(value == (round ? mine : words[n][0][page]) ||
                      (round && value == words[n][0][page])); /* the write found no memory */
            if (!round)
                (void)access_word(n, word_at(n, 0, page), &mine, true);
        }
    load(n, mm);
    quire_mm_put(child);
}

static void use_memory(struct worker *worker)
{
    quire_posix_set_cpu(worker->number);
    load(worker->number, mm);
    while (go_on(worker)) {
        unsigned what = below(worker, 200);
        if (what < 196)
            touch(worker);
        else if (what < 199)
            walk(worker);
        else
            fork_and_write(worker);
    }
    load(worker->number, NULL);
}

/* ---- who changes things ---------------------------------------------------------------------- */

static void turn_off_or_on(int *fast)
{
    if (*fast < 0) {
        *fast = fast_on();
        return;
    }
    int error = quire_swapoff(stress_vm, *fast);
    CHECK(!error || error == -QUIRE_ENOMEM);
    nr_offs++;
    nr_refused_offs += error != 0;
    if (!error)
        *fast = -1;
}

static void change_things(struct worker *worker)
{
    int fast = -1;
    quire_posix_set_cpu(worker->number);
    while (go_on(worker)) {
        switch (below(worker, 8)) {
        case 0:
            CHECK_EQ(quire_vm_set_policy(stress_vm, below(worker, QUIRE_NR_RECLAIM_POLICIES)), 0);
            break;
        case 1:
            CHECK_EQ(quire_vm_set_page_cluster(stress_vm, below(worker, 4)), 0);
            CHECK_EQ(quire_vm_set_swappiness(stress_vm, below(worker, 201)), 0);
            break;
        case 2:
            turn_off_or_on(&fast);
            break;
        case 3:
            (void)quire_compact(stress.mem, -1, -1);
            break;
        case 4:
            (void)quire_kswapd(stress_vm, 0);
            break;
        default:
            (void)quire_vm_reclaim(stress_vm, 0, 1 + below(worker, 100));
        }
    }
    CHECK_EQ(quire_vm_set_swappiness(stress_vm, 60), 0);
    if (fast >= 0)
        CHECK_EQ(quire_swapoff(stress_vm, fast), 0);
}

/* ---- the case -------------------------------------------------------------------------------- */

static void look_at_all(void)
{
    quire_posix_set_cpu(1);
    load(1, mm);
    for (unsigned n = 1; n <= USERS; n++)
        for (unsigned area = 0; area < 2; area++)
            for (unsigned page = 0; page < PAGES; page++) {
                uint64_t value = 0;
                if (access_word(1, word_at(n, area, page), &value, false))
                    CHECK_EQ(value, words[n][area][page]);
            }
    load(1, NULL);
    quire_vm_check(stress_vm);
}

static void words_survive_whatever_happens_to_swap(void)
{
    const struct crew crews[] = {
        {use_memory, USERS, stress_effort() / 20},
        {change_things, 1, 0},
        {NULL, 0, 0},
    };
    __builtin_memset(words, 0, sizeof words);
    nr_writes = nr_failed = nr_offs = nr_refused_offs = 0;
    REQUIRE(processors_start(MEMORY, USERS + 1, swap_bytes, sizeof swap_bytes));
    REQUIRE(!quire_mm_create(&mm, stress_vm, &quire_mm_layout_x86_64));
    shared = mapping_of_bytes(NULL, PAGES * PAGE);
    areas[0] = map_area(mm, NULL, PAGES * PAGE);
    areas[1] = map_area(mm, shared, PAGES * PAGE);
    REQUIRE(areas[0] && areas[1]);
    run_crews(crews);
    look_at_all();
    quire_mm_put(mm);
    quire_mapping_put(shared);
    test_note("%lu writes of %lu failed, %lu swapoffs of %lu were refused", nr_failed, nr_writes,
              nr_refused_offs, nr_offs);
    processors_end();
    CHECK_EQ(refusals, 0);
}

/* ---- an area that goes while its store is told what it may forget ---------------------------- */

#define DISCARDED_PAGES 512u /* of two clusters of slots */

static struct {
    pthread_t thread;
    int area, error;
    unsigned long others; /* KiB of other areas */
    bool started;
    uint32_t over; /* it went, or was refused */
} going;

static void append(void *arg, const char *text, size_t size)
{
    char *end = (char *)arg + strlen(arg);
    memcpy(end, text, size);
    end[size] = '\0';
}

/* KiB. */
static unsigned long meminfo(const char *name)
{
    char text[4096] = "";
    CHECK_EQ(quire_vm_view(stress_vm, QUIRE_VM_VIEW_MEMINFO, QUIRE_FORMAT_TEXT, append, text), 0);
    const char *line = strstr(text, name);
    return line ? strtoul(line + strlen(name), NULL, 10) : 0;
}

static void *turn_off(void *arg)
{
    (void)arg;
    quire_posix_set_cpu(2);
    going.error = quire_swapoff(stress_vm, going.area);
    quire_store_release(&going.over, 1u);
    return NULL;
}

/* Returns when the area isn't counted any more, or is again: swapoff waits only so long. */
static void discard_while_it_goes(void *store, uint64_t first, uint64_t count)
{
    (void)store;
    (void)first;
    (void)count;
    if (going.started)
        return;
    going.started = true;
    CHECK(!pthread_create(&going.thread, NULL, turn_off, NULL));
    while (meminfo("SwapTotal:") != going.others && !quire_load_acquire(&going.over))
        quire_port_relax();
}

static int plain_write(void *store, uint64_t first, struct quire_page *const *pages, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        __builtin_memcpy((char *)store + (first + i) * QUIRE_PAGE_SIZE,
                         quire_page_address(stress.mem, pages[i]), QUIRE_PAGE_SIZE);
    return 0;
}

/* A process whose pages go to swap, and which goes itself. */
static void fill_slots(void)
{
    REQUIRE(!quire_mm_create(&mm, stress_vm, &quire_mm_layout_x86_64));
    quire_linear_t at = map_area(mm, NULL, PAGES * PAGE);
    load(1, mm);
    for (uint64_t page = 0; page < PAGES; page++)
        CHECK(access_word(1, at + page * PAGE, &page, true));
    load(1, NULL);
    for (unsigned node = 0; node < 2; node++)
        while (quire_vm_reclaim(stress_vm, (int)node, PAGES))
            ;
    quire_mm_put(mm);
}

static void slots_are_counted_right_when_an_area_goes_during_a_discard(void)
{
    static char bytes[DISCARDED_PAGES * QUIRE_PAGE_SIZE];
    static const struct quire_swap_ops ops = {fast_read, plain_write, discard_while_it_goes};
    struct quire_swap_config config = {
        .ops = &ops, .store = bytes, .nr_slots = DISCARDED_PAGES, .priority = 10};
    REQUIRE(processors_start(MEMORY, 2, swap_bytes, sizeof swap_bytes));
    quire_posix_set_cpu(1);
    going.others = meminfo("SwapTotal:");
    going.started = false;
    going.over = 0;
    going.area = quire_swapon(stress_vm, &config);
    fill_slots();
    fill_slots(); /* the first slots are free, but the store has to be told first */
    REQUIRE(going.started);
    CHECK(!pthread_join(going.thread, NULL));
    if (going.error)
        CHECK_EQ(quire_swapoff(stress_vm, going.area), 0);
    CHECK_EQ(meminfo("SwapTotal:"), going.others);
    CHECK_EQ(meminfo("SwapFree:"), going.others);
    processors_end();
}

/* ---- pages that are being written ------------------------------------------------------------ */

static struct {
    pthread_t thread;
    unsigned kills;
    bool started, again;
    uint32_t over;
} lacking;

static enum quire_oom_result on_oom(void *arg, struct quire_mm *victim, const char *report)
{
    (void)arg;
    (void)victim;
    (void)report;
    lacking.kills++;
    return QUIRE_OOM_KILLED;
}

static void *lack_memory(void *arg)
{
    (void)arg;
    quire_posix_set_cpu(2);
    lacking.again = out_of_memory(stress_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX);
    quire_store_release(&lacking.over, 1u);
    return NULL;
}

/* The first transfer ends when somebody waits for it, or didn't. */
static int write_while_memory_lacks(void *store, uint64_t first, struct quire_page *const *pages,
                                    unsigned count)
{
    if (!lacking.started) {
        lacking.started = true;
        CHECK(!pthread_create(&lacking.thread, NULL, lack_memory, NULL));
        while (!quire_load_acquire(&stress_vm->batch_waiters) && !quire_load_acquire(&lacking.over))
            quire_port_relax();
    }
    return plain_write(store, first, pages, count);
}

static void nobody_is_killed_while_pages_are_being_written(void)
{
    static const struct quire_swap_ops ops = {fast_read, write_while_memory_lacks, NULL};
    struct quire_swap_config config = {
        .ops = &ops, .store = fast_bytes, .nr_slots = FAST_PAGES, .priority = 10, .name = "/slow"};
    lacking.started = lacking.again = false;
    lacking.kills = lacking.over = 0;
    REQUIRE(processors_start(MEMORY, 2, swap_bytes, sizeof swap_bytes));
    quire_vm_set_oom(stress_vm, on_oom, NULL);
    quire_posix_set_cpu(1);
    int area = quire_swapon(stress_vm, &config);
    fill_slots();
    CHECK(lacking.started);
    CHECK(!pthread_join(lacking.thread, NULL));
    CHECK(lacking.again);
    CHECK_EQ(lacking.kills, 0);
    CHECK_EQ(quire_swapoff(stress_vm, area), 0);
    processors_end();
}

static const struct test_case cases[] = {
    TEST_CASE(words_survive_whatever_happens_to_swap),
    TEST_CASE(slots_are_counted_right_when_an_area_goes_during_a_discard),
    TEST_CASE(nobody_is_killed_while_pages_are_being_written),
    {0},
};
const struct test_suite suite_vm_swap_stress = {"vm_swap_stress", cases};
