/* tests/stress/vm_file_stress.c: files that change their size under those who use them
 *
 * Each thread has a word of its own in every page of a file and of shared memory. It writes and
 * reads it by calls and through areas; another thread cuts both off, lets them grow again, and
 * punches holes into shared memory; a third syncs, drops and reclaims, and maps and unmaps. A word
 * is what its thread wrote last, or zero from when it was cut off, but nothing else ever; behind
 * the end there is SIGBUS and no other answer.
 *
 * Sizes are of whole pages: what is zeroed in the last page is somebody's word otherwise.
 */
#include "tests/stress/vm_processors.h"

#define MEMORY (4u << 20)
#define USERS 2u
#define PAGES 160u
#define KEPT 32u /* pages that are never cut off */
#define SWAP_PAGES 1024u
#define SIZE (PAGES * PAGE)

static struct quire_mm *mm;
static struct quire_mapping *mappings[2]; /* a file, shared memory */
static quire_linear_t areas[2];
static uint64_t words[MAX_THREADS + 1][2][PAGES];
static char file_bytes[PAGES * QUIRE_PAGE_SIZE], swap_bytes[SWAP_PAGES * QUIRE_PAGE_SIZE];

/* ---- users ----------------------------------------------------------------------------------- */

static uint64_t offset_of(unsigned n, unsigned page)
{
    return page * PAGE + n * sizeof(uint64_t);
}

/* What was read of a thread's own word. */
static void learn(unsigned n, unsigned which, unsigned page, uint64_t value)
{
    CHECK(value == words[n][which][page] || !value);
    words[n][which][page] = value;
}

static void use_area(struct worker *worker, unsigned which, unsigned page)
{
    unsigned n = worker->number;
    quire_linear_t at = areas[which] + offset_of(n, page);
    enum quire_fault_result result = QUIRE_VM_MINOR;
    uint64_t value = worker->random | 1;
    bool write = below(worker, 2);
    if (try_word(n, at, &value, write, &result)) {
        if (write)
            words[n][which][page] = value;
        else
            learn(n, which, page, value);
        return;
    }
    if (result == QUIRE_VM_OOM)
        quire_fetch_add(&ooms, 1);
    else
        CHECK(result == QUIRE_VM_BUS_ADRERR && page >= KEPT);
}

static void use_call(struct worker *worker, unsigned which, unsigned page)
{
    unsigned n = worker->number;
    uint64_t at = offset_of(n, page), value = worker->random | 1;
    int64_t done;
    if (page < KEPT && below(worker, 2)) { /* others would let the file grow */
        done = quire_mapping_write(mappings[which], at, &value, sizeof value);
        if (done == sizeof value)
            words[n][which][page] = value;
    } else {
        done = quire_mapping_read(mappings[which], at, &value, sizeof value);
        if (done == sizeof value)
            learn(n, which, page, value);
    }
    CHECK(done == sizeof value || done == -QUIRE_ENOMEM || (!done && page >= KEPT));
}

static void use_files(struct worker *worker)
{
    quire_posix_set_cpu(worker->number);
    load(worker->number, mm);
    while (go_on(worker)) {
        unsigned which = below(worker, 2), page = below(worker, PAGES);
        if (below(worker, 4))
            use_area(worker, which, page);
        else
            use_call(worker, which, page);
    }
    load(worker->number, NULL);
}

/* ---- others ---------------------------------------------------------------------------------- */

static void resize(struct worker *worker)
{
    unsigned which = below(worker, 2);
    uint64_t pages = below(worker, 2) ? PAGES : KEPT + below(worker, PAGES - KEPT);
    int error = quire_mapping_truncate(mappings[which], pages * PAGE);
    CHECK(!error || error == -QUIRE_ENOMEM);
    /* Nothing is written there while the file doesn't grow, and only this thread lets it. */
    if (!error && !which)
        __builtin_memset(file_bytes + pages * PAGE, 0, (size_t)(SIZE - pages * PAGE));
}

static void resize_files(struct worker *worker)
{
    quire_posix_set_cpu(worker->number);
    while (go_on(worker)) {
        uint64_t page = below(worker, PAGES);
        if (below(worker, 3))
            resize(worker);
        else
            CHECK_EQ(quire_mapping_punch(mappings[1], page * PAGE, (1 + below(worker, 8)) * PAGE),
                     0);
    }
}

/* Another area of a file: it comes, is read, and goes. */
static void look_elsewhere(struct worker *worker)
{
    unsigned n = worker->number, which = below(worker, 2);
    quire_linear_t at = map_area(mm, mappings[which], SIZE);
    for (unsigned i = 0; i < 20; i++) {
        enum quire_fault_result result;
        uint64_t value;
        if (try_word(n, at + offset_of(n, below(worker, PAGES)), &value, false, &result))
            CHECK_EQ(value, 0); /* its own word, which it never writes */
    }
    CHECK_EQ(quire_munmap(mm, at, SIZE), 0);
}

static void press(struct worker *worker)
{
    switch (below(worker, 6)) {
    case 0:
        CHECK_EQ(quire_mapping_sync(mappings[0], 0, 0), 0);
        break;
    case 1:
        (void)quire_drop_caches(stress_vm);
        break;
    case 2:
        (void)quire_compact(stress.mem, -1, -1);
        break;
    case 3:
        CHECK_EQ(quire_msync(mm, areas[0], SIZE, QUIRE_MS_SYNC), 0);
        break;
    default:
        (void)quire_vm_reclaim(stress_vm, 0, 1 + below(worker, 64));
    }
}

static void press_files(struct worker *worker)
{
    quire_posix_set_cpu(worker->number);
    load(worker->number, mm);
    while (go_on(worker)) {
        if (below(worker, 4))
            press(worker);
        else
            look_elsewhere(worker);
    }
    load(worker->number, NULL);
}

/* ---- running --------------------------------------------------------------------------------- */

static void look_at_all(void)
{
    for (unsigned n = 1; n <= USERS; n++)
        for (unsigned which = 0; which < 2; which++)
            for (unsigned page = 0; page < PAGES; page++) {
                uint64_t value;
                if (quire_mapping_read(mappings[which], offset_of(n, page), &value, sizeof value) >
                    0)
                    learn(n, which, page, value);
            }
    quire_vm_check(stress_vm);
}

static void files_change_their_size_under_their_users(void)
{
    unsigned long operations = stress_effort() / 20;
    __builtin_memset(words, 0, sizeof words);
    __builtin_memset(file_bytes, 0, sizeof file_bytes);
    REQUIRE(processors_start(MEMORY, USERS + 2, swap_bytes, sizeof swap_bytes));
    mappings[0] = mapping_of_bytes(file_bytes, SIZE);
    mappings[1] = mapping_of_bytes(NULL, SIZE);
    REQUIRE(!quire_mm_create(&mm, stress_vm, &quire_mm_layout_x86_64));
    for (unsigned i = 0; i < 2; i++)
        areas[i] = map_area(mm, mappings[i], SIZE);
    run_crews((const struct crew[]){
        {use_files, USERS, operations}, {resize_files, 1, 0}, {press_files, 1, 0}, {NULL, 0, 0}});
    look_at_all();
    quire_mm_put(mm);
    quire_mapping_put(mappings[0]);
    quire_mapping_put(mappings[1]);
    processors_end();
}

static const struct test_case cases[] = {
    TEST_CASE(files_change_their_size_under_their_users),
    {0},
};
const struct test_suite suite_vm_file_stress = {"vm_file_stress", cases};
