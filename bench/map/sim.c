/* bench/map/sim.c: map-sim-bench, what translation costs in the software MMU
 *
 *     map-sim-bench [CASE [ACCESSES]]
 *     map-sim-bench --list
 *
 * A machine of 1 GiB, mapped by pages of 4 KiB, or of 2 MiB. Rows of `case subject value unit`: the
 * median of nine rounds. With ACCESSES a case runs once and isn't timed: for bench/map/sim.sh,
 * which counts instructions. Exit status: 0 done, 1 failed, 2 usage.
 *
 *     warm-repeat    the same page again and again: the first way of its set
 *     warm-spread    256 pages, one in each set: first ways
 *     warm-ways      1024 pages, all that the TLB holds: any way of a set
 *     cold           pages that it doesn't hold: a walk of four levels each, A set already
 *     cold-2m        the same with pages of 2 MiB
 *     walk           quire_mmu_walk alone
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/map.h>
#include <quire/port.h>

#include "ports/sim/sim.h"

#define GIB ((uint64_t)1 << 30)
#define MEMORY_BYTES (GIB + (GIB >> 4)) /* what is mapped, and its tables from GIB on */
#define BASE 0x7f0000000000ull
#define HUGE_BASE (BASE + GIB)
#define PAGES (GIB >> 12)
#define ROUNDS 9
#define PRESENT_ALL 0x67u /* present, writable, user, accessed, dirty */

static struct quire_sim_cpu cpu;
static struct quire_sim sim;
static struct quire_port_mem port;

static void put(quire_phys_t at, uint64_t entry)
{
    memcpy(port.base + at, &entry, sizeof entry);
}

/* The first GiB by PT entries, the second, which is the same memory, by PMD entries. */
static void build_tables(void)
{
    quire_phys_t pgd = GIB, pud = pgd + 0x1000, pmd = pud + 0x1000, huge = pmd + 0x1000,
                 pt = huge + 0x1000;
    put(pgd + 254 * 8, pud | PRESENT_ALL);
    put(pud, pmd | PRESENT_ALL);
    put(pud + 8, huge | PRESENT_ALL);
    for (uint64_t i = 0; i < 512; i++) {
        put(pmd + i * 8, (pt + i * 0x1000) | PRESENT_ALL);
        put(huge + i * 8, i << 21 | PRESENT_ALL | QUIRE_PTE_HUGE);
        for (uint64_t page = 0; page < 512; page++)
            put(pt + i * 0x1000 + page * 8, i << 21 | page << 12 | PRESENT_ALL);
    }
}

static bool start(void)
{
    static const struct quire_mmu_registers registers = {
        .cr0 = QUIRE_CR0_PG | QUIRE_CR0_PE | QUIRE_CR0_WP,
        .cr3 = GIB,
        .cr4 = QUIRE_CR4_PAE,
        .efer = QUIRE_EFER_LME | QUIRE_EFER_NXE,
    };
    struct quire_fault fault;
    if (quire_posix_mem_create(&port, MEMORY_BYTES))
        return false;
    build_tables();
    sim = (struct quire_sim){
        .memory = {.base = port.base, .size = MEMORY_BYTES}, .cpu = &cpu, .nr_cpus = 1};
    quire_sim_init(&sim);
    if (!quire_sim_set_registers(&cpu, &registers, &fault))
        return false;
    quire_sim_set_cpl(&cpu, 3);
    return true;
}

/* ---- cases: the loops that are counted ------------------------------------------------------- */

/* Reads 8 bytes of `count` pages in turn, `stride` pages apart. */
#define LOOP(function)                                                                             \
    __attribute__((noinline)) static uint64_t function(uint64_t base, uint64_t stride,             \
                                                       uint64_t mask, uint64_t count)

LOOP(read_loop)
{
    uint64_t sum = 0, page = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t value = 0;
        quire_sim_read(&cpu, base + (page << 12), &value, sizeof value);
        sum += value;
        page = (page + stride) & mask;
    }
    return sum;
}

LOOP(write_loop)
{
    uint64_t page = 0;
    for (uint64_t i = 0; i < count; i++) {
        quire_sim_write(&cpu, base + (page << 12), &i, sizeof i);
        page = (page + stride) & mask;
    }
    return page;
}

/* The same without the access: what the loop itself costs. */
LOOP(empty_loop)
{
    uint64_t sum = 0, page = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = base + (page << 12);
        __asm__ volatile("" : "+r"(at));
        sum += at;
        page = (page + stride) & mask;
    }
    return sum;
}

LOOP(walk_loop)
{
    uint64_t sum = 0, page = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct quire_walk walk;
        if (quire_mmu_walk(&cpu.mmu, &sim.memory, base + (page << 12), QUIRE_READ, &walk, NULL))
            sum += walk.phys;
        page = (page + stride) & mask;
    }
    return sum;
}

/* A stride that is odd, so that it comes by all pages, and large, so that no two follow each other.
 */
#define FAR_STRIDE 40503u

static const struct sim_case {
    const char *name;
    uint64_t (*loop)(uint64_t base, uint64_t stride, uint64_t mask, uint64_t count);
    uint64_t base, stride, mask;
    uint64_t accesses;  /* of a round */
    uint64_t warm_mask; /* of the pages that warm it up; 0: the same */
} cases[] = {
    {"loop-alone", empty_loop, BASE, 1, 255, 4000000, 0},
    {"warm-repeat-read", read_loop, BASE, 0, 0, 4000000, 0},
    {"warm-repeat-write", write_loop, BASE, 0, 0, 4000000, 0},
    {"warm-spread-read", read_loop, BASE, 1, 255, 4000000, 0},
    {"warm-spread-write", write_loop, BASE, 1, 255, 4000000, 0},
    {"warm-ways-read", read_loop, BASE, 1, 1023, 4000000, 0},
    /* What came first is in the last way. */
    {"warm-last-way-read", read_loop, BASE, 1, 255, 4000000, 1023},
    {"cold-read", read_loop, BASE, FAR_STRIDE, PAGES - 1, 500000, 0},
    {"cold-2m-read", read_loop, HUGE_BASE, FAR_STRIDE, PAGES - 1, 500000, 0},
    {"walk-4k", walk_loop, BASE, FAR_STRIDE, PAGES - 1, 500000, 0},
    {"walk-2m", walk_loop, HUGE_BASE, FAR_STRIDE, PAGES - 1, 500000, 0},
};
#define NR_CASES (sizeof cases / sizeof *cases)

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static uint64_t sink;

static void warm_up(const struct sim_case *c)
{
    uint64_t mask = c->warm_mask ? c->warm_mask : c->mask;
    sink += c->loop(c->base, c->stride, mask, 4 * QUIRE_SIM_TLB_SETS * QUIRE_SIM_TLB_WAYS);
}

static void measure(const struct sim_case *c)
{
    double ns[ROUNDS];
    warm_up(c);
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t begin = quire_posix_clock_ns();
        sink += c->loop(c->base, c->stride, c->mask, c->accesses);
        ns[round] = (double)(quire_posix_clock_ns() - begin) / (double)c->accesses;
    }
    qsort(ns, ROUNDS, sizeof *ns, compare);
    printf("%-20s %-8s %10.2f  ns/access  %8.1f million/s\n", c->name, "quire", ns[ROUNDS / 2],
           1000 / ns[ROUNDS / 2]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
    bool any = false;
    if (argc == 2 && !strcmp(argv[1], "--list")) {
        for (size_t i = 0; i < NR_CASES; i++)
            puts(cases[i].name);
        return 0;
    }
    if (!start()) {
        fputs("map-sim-bench: there is no memory for the machine\n", stderr);
        return 1;
    }
    for (size_t i = 0; i < NR_CASES; i++) {
        if (argc > 1 && strcmp(argv[1], cases[i].name))
            continue;
        any = true;
        if (argc > 2) {
            warm_up(&cases[i]);
            sink += cases[i].loop(cases[i].base, cases[i].stride, cases[i].mask, count);
        } else {
            measure(&cases[i]);
        }
    }
    if (!any)
        fputs("map-sim-bench: there is no such case; --list shows them\n", stderr);
    return any ? sink == 1 : 2;
}
