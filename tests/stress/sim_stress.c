/* tests/stress/sim_stress.c: flushes of a simulated CPU's TLB by another thread
 *
 * One thread reads a page all the time. The other gives the page another frame, flushes, and then
 * writes into the frame that was taken away what nobody may read. A reader that still had the old
 * translation after the flush, in its TLB or in an access under way, would see it.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sched.h>

#include <quire/map.h>
#include <quire/port.h>

#include "ports/sim/sim.h"
#include "tests/harness/harness.h"

#define ROOT 0x1000u
#define TABLE 0x2000u
#define FRAME(n) (0x4000u + (n)*0x1000u)
#define PAGE 0x08147000u
#define GOOD 0x600du
#define FORBIDDEN 0xdeadu

static struct quire_sim_cpu cpus[2];
static struct quire_sim sim;
static struct quire_port_mem port;
static bool over;

static uint32_t *word(uint32_t at)
{
    return (uint32_t *)(void *)(port.base + at);
}

static void *read_all_the_time(void *arg)
{
    uint64_t *reads = arg;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        uint32_t value = 0;
        CHECK(quire_sim_read(&cpus[0], PAGE + 0x258, &value, sizeof value));
        CHECK_EQ(value, GOOD);
        __atomic_store_n(reads, *reads + 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static bool setup(void)
{
    static const struct quire_mmu_registers registers = {QUIRE_CR0_PG | QUIRE_CR0_PE, ROOT, 0, 0};
    struct quire_fault fault;
    if (!test_environment.memory(0x10000, &port)) {
        test_skip("there is no memory for the simulated machine");
        return false;
    }
    sim = (struct quire_sim){
        .memory = {.base = port.base, .size = 0x10000}, .cpu = cpus, .nr_cpus = 2};
    quire_sim_init(&sim);
    *word(ROOT + 32 * 4) = TABLE | 7;
    *word(TABLE + 327 * 4) = FRAME(0) | 7;
    *word(FRAME(0) + 0x258) = *word(FRAME(1) + 0x258) = GOOD;
    over = false;
    return quire_sim_set_registers(&cpus[0], &registers, &fault);
}

/* Some rounds wait, so that the reader has the translation that the next one takes away; others
 * follow at once, while it may be anywhere. */
static void wait_for_a_read(const uint64_t *reads)
{
    uint64_t before = __atomic_load_n(reads, __ATOMIC_RELAXED);
    if (test_random_below(4))
        while (__atomic_load_n(reads, __ATOMIC_RELAXED) == before)
            sched_yield();
}

static void no_access_uses_a_translation_after_its_flush(void)
{
    static const struct quire_sim_flush page = {PAGE, PAGE, QUIRE_SIM_ALL_PCIDS, false};
    pthread_t reader;
    uint64_t reads = 0;
    unsigned long rounds = (unsigned long)test_environment.effort / 500;
    if (!setup())
        return;
    REQUIRE(!pthread_create(&reader, NULL, read_all_the_time, &reads));
    for (unsigned long n = 0; n < rounds; n++) {
        unsigned old = n & 1, new = !old;
        *word(FRAME(new) + 0x258) = GOOD;
        __atomic_store_n(word(TABLE + 327 * 4), FRAME(new) | 7, __ATOMIC_RELEASE);
        quire_sim_flush(&sim, NULL, &page);
        *word(FRAME(old) + 0x258) = FORBIDDEN;
        wait_for_a_read(&reads);
    }
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    pthread_join(reader, NULL);
    test_note("%llu reads, %llu walks, %llu flushes", (unsigned long long)reads,
              (unsigned long long)cpus[0].counts.walks, (unsigned long long)cpus[0].counts.flushes);
}

/* ---- CPUs that come and go ------------------------------------------------------------------- */

static struct quire_pgtable pt; /* its set of CPUs alone */

static void *come_and_go(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        quire_pgtable_cpu_enter(&pt, 1);
        quire_pgtable_cpu_leave(&pt, 1);
    }
    return NULL;
}

/* For ThreadSanitizer, which sees a set that isn't read as it is changed. */
static void the_set_of_cpus_may_change_while_they_are_flushed(void)
{
    const struct quire_tlb_flush flush = {.cpus = &pt.cpus, .virt = PAGE, .size = 0x1000};
    unsigned long rounds = (unsigned long)test_environment.effort / 500;
    pthread_t other;
    if (!setup())
        return;
    quire_pgtable_cpu_enter(&pt, 0);
    REQUIRE(!pthread_create(&other, NULL, come_and_go, NULL));
    while (rounds--)
        quire_sim_tlb_flush(&sim, &flush);
    __atomic_store_n(&over, true, __ATOMIC_RELEASE);
    pthread_join(other, NULL);
    CHECK(cpus[0].nr_posted > 0);
}

static const struct test_case cases[] = {
    TEST_CASE(the_set_of_cpus_may_change_while_they_are_flushed),
    TEST_CASE(no_access_uses_a_translation_after_its_flush),
    {0},
};
const struct test_suite suite_sim_stress = {"sim_stress", cases};
