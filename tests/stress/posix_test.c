/* tests/stress/posix_test.c: the port for a process lets others run while it waits
 *
 * Counted by a sched_yield of our own, which the port calls in place of libc's. So nothing depends
 * on how the system schedules.
 */
#define _GNU_SOURCE
#include <gnu/libc-version.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <quire/map.h>
#include <quire/port.h>

#include "base/atomic.h"
#include "tests/harness/harness.h"

static unsigned yields;
static quire_port_spinlock_t lock;

int sched_yield(void)
{
    quire_fetch_add(&yields, 1);
    return (int)syscall(SYS_sched_yield);
}

static void a_long_wait_lets_others_run_now_and_then(void)
{
    quire_store_relaxed(&yields, 0);
    for (unsigned turn = 0; turn < 100000; turn++)
        quire_port_relax();
    CHECK(yields >= 100 && yields <= 10000);
}

/* Holds the lock until whoever wants it has yielded: for ever, if it never does. */
static void *hold_until_yielded(void *arg)
{
    quire_port_spin_lock(&lock);
    quire_store_release((uint32_t *)arg, 1);
    while (!quire_load_relaxed(&yields))
        ;
    quire_port_spin_unlock(&lock);
    return NULL;
}

static void a_wait_for_a_lock_lets_its_holder_run(void)
{
    pthread_t holder;
    uint32_t held = 0;
    quire_store_relaxed(&yields, 0);
    REQUIRE(!pthread_create(&holder, NULL, hold_until_yielded, &held));
    while (!quire_load_acquire(&held))
        ;
    quire_port_spin_lock(&lock);
    CHECK(quire_load_relaxed(&yields) > 0);
    quire_port_spin_unlock(&lock);
    CHECK(!pthread_join(holder, NULL));
}

extern char __executable_start; /* the linker's */

/* What addr2line wants, with the program's name. */
static void code_is_named_by_program_and_offset(void)
{
    char text[96], expected[96];
    uintptr_t here = (uintptr_t)a_long_wait_lets_others_run_now_and_then;
    uintptr_t base = (uintptr_t)&__executable_start;
    quire_port_code_name(here, text, sizeof text);
    /* At a fixed address, where it isn't relocated, the offset is the address. */
    snprintf(expected, sizeof expected, "quire-tests-stress+0x%lx",
             (unsigned long)(base < (uintptr_t)1 << 30 ? here : here - base));
    CHECK(!strcmp(text, expected));
    quire_port_code_name((uintptr_t)sched_yield, text, 8); /* cut */
    CHECK(!strcmp(text, "quire-t"));
    quire_port_code_name((uintptr_t)text, text, sizeof text);
    CHECK(!strcmp(text, ""));
    /* A function that no sanitizer replaces by one of the program's own. */
    quire_port_code_name((uintptr_t)gnu_get_libc_version, text, sizeof text);
    CHECK(strstr(text, ".so.") && strstr(text, "+0x"));
}

static char logged[256];
static unsigned nr_logged;

static void keep_log(int level, const char *text)
{
    nr_logged += level == QUIRE_LOG_ERROR;
    snprintf(logged, sizeof logged, "%s", text);
}

static void flush(void *arg, const struct quire_tlb_flush *what)
{
    (void)what;
    ++*(unsigned *)arg;
}

/* Maps and unmaps a page of tables that a CPU uses. */
static void change_tables(struct quire_mem *mem, quire_tlb_flush_fn *by, unsigned *flushes)
{
    struct quire_pgtable pt;
    const struct quire_pgtable_config config = {
        .mem = mem, .format = QUIRE_PT_FORMAT_X86_64, .flush = by, .flush_arg = flushes};
    REQUIRE(!quire_pgtable_init(&pt, &config));
    quire_pgtable_cpu_enter(&pt, 0);
    CHECK(!quire_map_range(&pt, 0x1000, 0, QUIRE_PAGE_SIZE, QUIRE_PTE_USER, 0));
    CHECK(!quire_unmap_range(&pt, 0x1000, QUIRE_PAGE_SIZE, 0, NULL));
    quire_pgtable_cpu_leave(&pt, 0);
    quire_pgtable_destroy(&pt);
}

static void a_flush_that_nobody_makes_is_told_once(void)
{
    static struct quire_memblock map;
    struct quire_port_mem port;
    struct quire_mem *mem;
    unsigned flushes = 0;
    const struct quire_mem_config config = {.port = &port, .nr_cpus = 1};
    if (QUIRE_PAGE_SHIFT != 12) {
        test_skip("page tables have pages of 4 KiB");
        return;
    }
    REQUIRE(!quire_posix_mem_create(&port, 16 << 20));
    quire_memblock_init(&map, "posix", &port);
    REQUIRE(!quire_memblock_add(&map, 0, 16 << 20, 0, QUIRE_MEMBLOCK_RAM));
    REQUIRE(!quire_mem_init(&mem, &map, &config));
    quire_posix_set_log(keep_log);
    change_tables(mem, flush, &flushes);
    CHECK(flushes > 0);
    CHECK_EQ(nr_logged, 0);
    change_tables(mem, NULL, NULL);
    CHECK_EQ(nr_logged, 1);
    CHECK(strstr(logged, "`flush`") && strstr(logged, "quire_sim_tlb_flush"));
    change_tables(mem, NULL, NULL);
    CHECK_EQ(nr_logged, 1);
    quire_posix_set_log(NULL);
    CHECK(!quire_mem_destroy(mem));
    quire_posix_mem_destroy(&port, 16 << 20);
}

static const struct test_case cases[] = {
    TEST_CASE(a_long_wait_lets_others_run_now_and_then),
    TEST_CASE(a_wait_for_a_lock_lets_its_holder_run),
    TEST_CASE(code_is_named_by_program_and_offset),
    TEST_CASE(a_flush_that_nobody_makes_is_told_once),
    {0},
};
const struct test_suite suite_posix = {"posix", cases};
