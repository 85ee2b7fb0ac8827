/* tests/preload/conformance/limits.c: when the system has no more: NULL and ENOMEM, then on it goes
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"

#define MIB ((size_t)1 << 20)
#define ENOUGH (400 * MIB)

static char *block[ENOUGH / 500 + 1];

static void limit(__rlimit_resource_t which, size_t bytes)
{
    struct rlimit limits = {bytes, RLIM_INFINITY};
    REQUIRE(!getrlimit(which, &limits));
    limits.rlim_cur = bytes;
    REQUIRE(!setrlimit(which, &limits));
}

/* Blocks of that size until there are no more, or more than any limit here; how many. */
static unsigned exhaust(size_t size)
{
    unsigned count = 0;
    errno = 0;
    while (count * size < ENOUGH && (block[count] = malloc(size))) {
        memset(block[count], (int)count, size);
        count++;
    }
    if (count * size < ENOUGH)
        CHECK_EQ(errno, ENOMEM);
    return count;
}

static void free_first(unsigned count)
{
    while (count)
        free(block[--count]);
}

/* Takes all, frees half, takes it again; frees all, and has as much as before. */
static void exhaust_and_recover(size_t size, size_t room)
{
    unsigned count = exhaust(size);
    note("blocks of %zu bytes in %zu MiB: %u", size, room / MIB, count);
    /* More than the room where address space had been reserved before; but it ends. */
    CHECK(count * size > room / 2 && count * size < ENOUGH);
    for (unsigned i = 0; i < count; i++) {
        CHECK(block[i][0] == (char)i && block[i][size - 1] == (char)i);
        if (i % 2) {
            free(block[i]);
            block[i] = NULL;
        }
    }
    for (unsigned i = 1; i < count * 9 / 10; i += 2) {
        block[i] = malloc(size);
        REQUIRE(block[i]);
    }
    free_first(count);
    unsigned again = exhaust(size);
    CHECK(again >= count * 9 / 10);
    free_first(again);
}

static void small_blocks_end_in_ENOMEM_and_come_back(void)
{
    limit(RLIMIT_AS, virtual_bytes() + 64 * MIB);
    exhaust_and_recover(1000, 64 * MIB);
}

static void middle_blocks_end_in_ENOMEM_and_come_back(void)
{
    limit(RLIMIT_AS, virtual_bytes() + 64 * MIB);
    exhaust_and_recover(50000, 64 * MIB);
}

static void large_blocks_end_in_ENOMEM_and_come_back(void)
{
    limit(RLIMIT_AS, virtual_bytes() + 64 * MIB);
    exhaust_and_recover(MIB, 64 * MIB);
}

static void sizes_may_change_at_the_limit(void)
{
    limit(RLIMIT_AS, virtual_bytes() + 64 * MIB);
    for (size_t size = 500; size < 2 * MIB; size *= 10) {
        unsigned count = exhaust(size);
        CHECK(count * size > 24 * MIB);
        free_first(count);
        malloc_trim(0);
    }
}

/* There is no memory when none is left of any size: glibc's tst-dynarray-fail counts on it. */
static void small_blocks_take_what_is_free_of_larger_ones(void)
{
    void **first = NULL, **next;
    for (unsigned i = 0; i < 2000; i++) {
        block[0] = opaque(malloc(2000 + i * 11 % 6001));
        if (i % 3)
            free(block[0]);
    }
    limit(RLIMIT_AS, virtual_bytes() + 64 * MIB);
    while ((next = malloc(8))) {
        *next = first;
        first = next;
    }
    CHECK(!opaque(malloc(8000)));
    CHECK(!opaque(malloc(2000)));
    for (; first; first = next) {
        next = *first;
        free(first);
    }
    CHECK(opaque(malloc(8000)));
}

static void RLIMIT_DATA_ends_in_ENOMEM_too(void)
{
    limit(RLIMIT_DATA, 96 * MIB);
    unsigned count = exhaust(MIB);
    CHECK(count > 40 && count < 100);
    free_first(count);
    CHECK(exhaust(MIB) >= count * 9 / 10);
}

static void calloc_realloc_and_memalign_end_in_ENOMEM(void)
{
    limit(RLIMIT_AS, virtual_bytes() + 64 * MIB);
    char *kept = malloc(1000);
    REQUIRE(kept);
    fill(kept, 1000, 8);
    unsigned count = exhaust(MIB);
    void *out = &out;
    errno = 0;
    CHECK(!opaque(calloc(8, MIB)));
    CHECK_EQ(errno, ENOMEM);
    errno = 0;
    CHECK(!opaque(realloc(opaque(kept), 8 * MIB)));
    CHECK_EQ(errno, ENOMEM);
    CHECK(holds(kept, 1000, 8));
    errno = 0;
    CHECK(!opaque(memalign(4096, 8 * MIB)));
    CHECK_EQ(errno, ENOMEM);
    errno = 0;
    CHECK(!opaque(pvalloc(8 * MIB)));
    CHECK_EQ(errno, ENOMEM);
    CHECK_EQ(posix_memalign(&out, 4096, 8 * MIB), ENOMEM);
    CHECK(out == &out);
    errno = 0;
    CHECK(!opaque(realloc(opaque(block[0]), 30 * MIB)));
    CHECK_EQ(errno, ENOMEM);
    CHECK(!block[0][MIB - 1]);
    free_first(count);
    kept = opaque(realloc(kept, 8 * MIB));
    CHECK(kept && holds(kept, 1000, 8));
}

/* glibc reserves 64 MiB for each of its arenas, and has as many as threads allocate at the same
 * time: how many stacks find room beside them would be a matter of time. */
static void reserve_little(void)
{
    REQUIRE(mallopt(M_ARENA_MAX, 2));
}

static void *exhaust_here(void *arg)
{
    (void)arg;
    unsigned had = 0;
    for (unsigned round = 0; round < 20 || !had; round++) { /* others may have all until they end */
        char *own[2000];
        unsigned count = 0;
        while (count < 2000 && (own[count] = malloc(40000))) {
            own[count][0] = 1;
            count++;
        }
        had += count;
        while (count)
            free(own[--count]);
    }
    return had ? arg : (void *)1;
}

static void threads_end_in_ENOMEM_and_come_back(void)
{
    pthread_t thread[6];
    void *result;
    unsigned made = 0;
    reserve_little();
    limit(RLIMIT_AS, virtual_bytes() + 200 * MIB);
    while (made < 6 && !pthread_create(&thread[made], NULL, exhaust_here, NULL))
        made++;
    CHECK(made > 1);
    while (made) {
        pthread_join(thread[--made], &result);
        CHECK(!result);
    }
    char *after = malloc(20 * MIB);
    CHECK(after);
}

/* ---- limits from before the program began ---------------------------------------------------- */

static void of_a_small_address_space(void)
{
    struct rlimit limits;
    REQUIRE(!getrlimit(RLIMIT_AS, &limits));
    unsigned count = exhaust(10000);
    note("%zu MiB of address space: %zu MiB had", (size_t)limits.rlim_cur / MIB,
         count * (size_t)10000 / MIB);
    CHECK(count * (size_t)10000 > limits.rlim_cur / 3);
    free_first(count);
    CHECK(exhaust(10000) > count * 9 / 10);
}

static void limit_to_40_MiB(void)
{
    limit(RLIMIT_AS, 40 * MIB);
}

static void limit_to_256_MiB(void)
{
    limit(RLIMIT_AS, 256 * MIB);
}

static void limit_to_2_GiB(void)
{
    limit(RLIMIT_AS, 2048 * MIB);
}

static void a_program_starts_in_a_small_address_space(void)
{
    CHECK_EQ(run_self("limits.of_a_small_address_space", NULL, limit_to_40_MiB), 0);
    CHECK_EQ(run_self("limits.of_a_small_address_space", NULL, limit_to_256_MiB), 0);
}

/* Cancelled as soon as it gets to where that may happen: only when it is told to. */
static void *allocate_while_cancelled(void *arg)
{
    static const size_t sizes[] = {20, 3000, 100000, 5 * MIB};
    char *got[200];
    pthread_cancel(pthread_self());
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < 200; i++)
            got[i] = malloc(round < 3 || i < 4 ? sizes[round] : 1);
        for (unsigned i = 0; i < 200; i++)
            got[i] = opaque(realloc(got[i], sizes[round] / 2));
        for (unsigned i = 0; i < 200; i++)
            free(got[i]);
    }
    *(bool *)arg = true;
    pthread_testcancel();
    return arg;
}

static void allocating_is_no_point_of_cancellation(void)
{
    pthread_t thread;
    void *result;
    bool is_done = false;
    limit(RLIMIT_AS, virtual_bytes() + 512 * MIB);
    REQUIRE(!pthread_create(&thread, NULL, allocate_while_cancelled, &is_done));
    REQUIRE(!pthread_join(thread, &result));
    CHECK(is_done);
    CHECK(result == PTHREAD_CANCELED);
    free(opaque(malloc(10 * MIB)));
}

static void *take_some(void *arg)
{
    char *got[50];
    for (unsigned i = 0; i < 50; i++)
        if (!(got[i] = calloc(1, i * 1000 + 1)))
            return arg;
    for (unsigned i = 0; i < 50; i++)
        free(got[i]);
    return NULL;
}

static void ten_threads_take_some(void)
{
    pthread_t thread[10];
    unsigned made = 0;
    void *result;
    reserve_little();
    while (made < 10 && !pthread_create(&thread[made], NULL, take_some, (void *)1))
        made++;
    CHECK_EQ(made, 10);
    while (made) {
        pthread_join(thread[--made], &result);
        CHECK(!result);
    }
}

static void threads_find_room_when_a_limit_is_set_below_what_is_mapped(void)
{
    char *kept = malloc(100000);
    REQUIRE(kept);
    fill(kept, 100000, 1);
    limit(RLIMIT_AS, 300 * MIB);
    ten_threads_take_some();
    CHECK(holds(kept, 100000, 1));
    unsigned count = exhaust(10000);
    CHECK(count * (size_t)10000 > 50 * MIB && count * (size_t)10000 < 300 * MIB);
    free_first(count);
}

static void limit_to_500_MiB(void)
{
    limit(RLIMIT_AS, 500 * MIB);
}

static void threads_find_room_in_a_small_address_space(void)
{
    CHECK_EQ(run_self("limits.ten_threads_take_some", NULL, limit_to_500_MiB), 0);
}

static void of_a_larger_address_space(void)
{
    char *at = malloc(1000 * MIB);
    CHECK(at);
}

static void a_block_of_1000_MiB_fits_in_2_GiB_of_address_space(void)
{
    CHECK_EQ(run_self("limits.of_a_larger_address_space", NULL, limit_to_2_GiB), 0);
}

/* ---- limits that are lifted ------------------------------------------------------------------ */

#define PLENTY (600 * MIB)

/* Of blocks that are small: what a heap has in mappings of their own doesn't help. */
static bool has_plenty(void)
{
    for (size_t bytes = 0; bytes < PLENTY; bytes += 4000)
        if (!malloc(4000))
            return false;
    return true;
}

static void small_blocks_find_room_when_a_limit_is_lifted(void)
{
    free(opaque(malloc(100)));
    limit(RLIMIT_AS, 256 * MIB);
    limit(RLIMIT_AS, RLIM_INFINITY);
    CHECK(has_plenty());
}

/* Whose threads and large blocks took addresses meanwhile. */
static void small_blocks_find_room_when_a_used_limit_is_lifted(void)
{
    free(opaque(malloc(100)));
    limit(RLIMIT_AS, 300 * MIB);
    ten_threads_take_some();
    char *kept = malloc(60 * MIB);
    CHECK(kept);
    unsigned count = exhaust(10000);
    free_first(count);
    limit(RLIMIT_AS, RLIM_INFINITY);
    CHECK(has_plenty());
    free(kept);
}

static void of_a_limit_that_is_lifted(void)
{
    unsigned count = exhaust(10000);
    free_first(count);
    limit(RLIMIT_AS, RLIM_INFINITY);
    CHECK(has_plenty());
}

static void small_blocks_find_room_when_a_limit_from_before_is_lifted(void)
{
    CHECK_EQ(run_self("limits.of_a_limit_that_is_lifted", NULL, limit_to_256_MiB), 0);
}

static void a_child_lifts_its_parents_limit(void)
{
    limit(RLIMIT_AS, 256 * MIB);
    pid_t pid = fork();
    if (!pid) {
        limit(RLIMIT_AS, RLIM_INFINITY);
        _exit(!has_plenty());
    }
    int status = -1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
}

static void a_limit_lifted_behind_malloc_is_noticed(void)
{
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    limit(RLIMIT_AS, 256 * MIB);
    free_first(exhaust(10000));
    REQUIRE(!syscall(SYS_prlimit64, 0, RLIMIT_AS, &none, NULL));
    CHECK(has_plenty());
}

static void limits_that_are_refused_change_nothing(void)
{
    struct rlimit wrong = {256 * MIB, 128 * MIB};
    free(opaque(malloc(100)));
    size_t before = virtual_bytes();
    errno = 0;
    CHECK_EQ(setrlimit(RLIMIT_AS, &wrong), -1);
    CHECK_EQ(errno, EINVAL);
    errno = 0;
    CHECK_EQ(setrlimit(RLIMIT_AS, opaque((void *)(uintptr_t)16)), -1);
    CHECK_EQ(errno, EFAULT);
    CHECK(virtual_bytes() + MIB > before);
}

/* What it shares is its parent's. */
static void a_child_of_vfork_limits_itself_alone(void)
{
    struct rlimit limits = {256 * MIB, RLIM_INFINITY};
    free(opaque(malloc(100)));
    size_t before = virtual_bytes();
    pid_t pid = vfork();
    if (!pid)
        _exit(setrlimit(RLIMIT_AS, &limits) != 0);
    int status = -1;
    waitpid(pid, &status, 0);
    CHECK_EQ(status, 0);
    CHECK(virtual_bytes() + MIB > before);
    CHECK(has_plenty());
}

static const struct conformance_case cases[] = {
    CASE(small_blocks_end_in_ENOMEM_and_come_back),
    CASE(middle_blocks_end_in_ENOMEM_and_come_back),
    CASE(large_blocks_end_in_ENOMEM_and_come_back),
    CASE(sizes_may_change_at_the_limit),
    CASE(small_blocks_take_what_is_free_of_larger_ones),
    CASE(RLIMIT_DATA_ends_in_ENOMEM_too),
    CASE(calloc_realloc_and_memalign_end_in_ENOMEM),
    CASE(threads_end_in_ENOMEM_and_come_back),
    CASE(allocating_is_no_point_of_cancellation),
    CASE_INNER(ten_threads_take_some),
    CASE(threads_find_room_when_a_limit_is_set_below_what_is_mapped),
    CASE(threads_find_room_in_a_small_address_space),
    CASE_INNER(of_a_small_address_space),
    CASE(a_program_starts_in_a_small_address_space),
    CASE_INNER(of_a_larger_address_space),
    CASE(a_block_of_1000_MiB_fits_in_2_GiB_of_address_space),
    CASE(small_blocks_find_room_when_a_limit_is_lifted),
    CASE(small_blocks_find_room_when_a_used_limit_is_lifted),
    CASE_INNER(of_a_limit_that_is_lifted),
    CASE(small_blocks_find_room_when_a_limit_from_before_is_lifted),
    CASE(a_child_lifts_its_parents_limit),
    CASE(a_limit_lifted_behind_malloc_is_noticed),
    CASE(limits_that_are_refused_change_nothing),
    CASE(a_child_of_vfork_limits_itself_alone),
    END_OF_CASES,
};
const struct conformance_group conformance_limits = {"limits", cases};
