/* tests/stress/vm_stress.c: one address space on several processors, and memory far too small
 *
 * Each thread plays a simulated CPU and has a word of its own in every page of a few areas: private
 * memory, a file, shared memory. What it wrote it must find, whatever the others do meanwhile: they
 * fault on the same pages, fork, unmap and map other areas, change rights, reclaim, and move pages
 * in memory. ThreadSanitizer sees every page that is copied, written to a store or given away while
 * somebody can still write to it.
 */
#include "tests/stress/vm_processors.h"

#define MEMORY (8u << 20)
#define WORKERS 3u
#define AREA_PAGES 480u
#define NR_AREAS 3u
#define SWAP_PAGES 2048u

static struct quire_mm *mm;
static struct quire_mapping *mappings[2];
static quire_linear_t areas[NR_AREAS];
static uint64_t words[MAX_THREADS + 1][NR_AREAS][AREA_PAGES];
static char file_bytes[AREA_PAGES * QUIRE_PAGE_SIZE], swap_bytes[SWAP_PAGES * QUIRE_PAGE_SIZE];

/* ---- what threads do ------------------------------------------------------------------------- */

static quire_linear_t word_at(unsigned n, unsigned area, unsigned page)
{
    return areas[area] + page * PAGE + n * sizeof(uint64_t);
}

static void touch(struct worker *worker)
{
    unsigned n = worker->number, area = below(worker, NR_AREAS), page = below(worker, AREA_PAGES);
    uint64_t value = worker->random, *word = &words[n][area][page];
    if (below(worker, 2)) {
        if (access_word(n, word_at(n, area, page), &value, true))
            *word = value;
    } else if (access_word(n, word_at(n, area, page), &value, false)) {
        CHECK_EQ(value, *word);
    }
}

/* An area of the thread's own comes, is used, and goes. */
static void map_and_unmap(struct worker *worker)
{
    unsigned n = worker->number, pages = 1 + below(worker, 40);
    int64_t at = quire_mmap(mm, 0, pages * PAGE, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
                            QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS, NULL, 0);
    if (at < 0)
        return;
    quire_linear_t start = (quire_linear_t)at;
    for (unsigned page = 0; page < pages; page += 1 + below(worker, 3)) {
        uint64_t value = 0;
        if (!access_word(n, start + page * PAGE, &value, false))
            continue;
        CHECK_EQ(value, 0);
        value = worker->random;
        (void)access_word(n, start + page * PAGE, &value, true);
    }
    if (below(worker, 2))
        CHECK_EQ(quire_madvise(mm, start, pages * PAGE, QUIRE_MADV_DONTNEED), 0);
    else if (below(worker, 2))
        CHECK_EQ(quire_mprotect(mm, start, (pages + 1) / 2 * PAGE, QUIRE_PROT_NONE), 0);
    CHECK_EQ(quire_munmap(mm, start, pages * PAGE), 0);
}

/* The child has what the parent had, as far as this thread knows what that was. */
static void fork_and_look(struct worker *worker)
{
    unsigned n = worker->number;
    struct quire_mm *child;
    if (quire_mm_fork(&child, mm))
        return;
    load(n, child);
    unsigned first = below(worker, AREA_PAGES);
    for (unsigned i = 0; i < 24; i++) {
        unsigned page = (first + i * 7) % AREA_PAGES;
        uint64_t value;
        if (!access_word(n, word_at(n, 0, page), &value, false))
            continue;
        CHECK_EQ(value, words[n][0][page]);
        value = 1;
        (void)access_word(n, word_at(n, 0, page), &value, true);
    }
    load(n, mm);
    quire_mm_put(child);
}

static void press(struct worker *worker)
{
    switch (below(worker, 4)) {
    case 0:
        (void)quire_compact(stress.mem, -1, -1);
        break;
    case 1:
        (void)!quire_mapping_sync(mappings[0], 0, 0);
        break;
    default:
        (void)quire_vm_reclaim(stress_vm, 0, 1 + below(worker, 64));
    }
}

static void use_memory(struct worker *worker)
{
    quire_posix_set_cpu(worker->number);
    load(worker->number, mm);
    while (go_on(worker)) {
        unsigned what = below(worker, 400);
        if (what < 385)
            touch(worker);
        else if (what < 394)
            map_and_unmap(worker);
        else if (what < 396)
            fork_and_look(worker);
        else
            press(worker);
    }
    load(worker->number, NULL);
}

/* ---- begin and end --------------------------------------------------------------------------- */

static bool start(void)
{
    if (!processors_start(MEMORY, WORKERS, swap_bytes, sizeof swap_bytes))
        return false;
    mappings[0] = mapping_of_bytes(file_bytes, sizeof file_bytes);
    mappings[1] = mapping_of_bytes(NULL, sizeof file_bytes);
    return !quire_mm_create(&mm, stress_vm, &quire_mm_layout_x86_64);
}

static bool map_areas(void)
{
    for (unsigned i = 0; i < NR_AREAS; i++)
        areas[i] = map_area(mm, i ? mappings[i - 1] : NULL, AREA_PAGES * PAGE);
    return areas[0] && areas[1] && areas[2];
}

static void look_at_all(void)
{
    quire_posix_set_cpu(1);
    load(1, mm);
    for (unsigned n = 1; n <= WORKERS; n++)
        for (unsigned area = 0; area < NR_AREAS; area++)
            for (unsigned page = 0; page < AREA_PAGES; page++) {
                uint64_t value = 0;
                if (access_word(1, word_at(n, area, page), &value, false))
                    CHECK_EQ(value, words[n][area][page]);
            }
    load(1, NULL);
    quire_vm_check(stress_vm);
}

static void end(void)
{
    quire_mm_put(mm);
    for (unsigned i = 0; i < 2; i++)
        quire_mapping_put(mappings[i]);
    processors_end();
    CHECK_EQ(refusals, 0);
}

static void threads_find_what_they_wrote(void)
{
    __builtin_memset(words, 0, sizeof words);
    __builtin_memset(file_bytes, 0, sizeof file_bytes);
    REQUIRE(start());
    REQUIRE(map_areas());
    run_threads(WORKERS, use_memory, stress_effort() / 20);
    look_at_all();
    end();
}

static const struct test_case cases[] = {
    TEST_CASE(threads_find_what_they_wrote),
    {0},
};
const struct test_suite suite_vm_stress = {"vm_stress", cases};
