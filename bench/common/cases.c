/* bench/common/cases.c: a program of cases: runs those that are asked for, in time or in numbers
 * for instructions.sh
 *
 * Rows of `case threads subject value unit` on stdout. Exit status: 0 done, 1 failed, 2 usage.
 */
#include <argp.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include <quire/port.h>

#include "bench/common/cases.h"

#define MEMORY_BYTES (256ull << 20)
#define SUBJECT "quire"

void bench_flush_nothing(void *arg, const struct quire_tlb_flush *flush)
{
    (void)arg;
    (void)flush;
}

static struct {
    const char *cases;
    unsigned rounds;
    long count; /* runs to count instructions of; -1: measure time */
    bool list;
} options = {.rounds = 15, .count = -1};

static struct quire_port_mem port;

static struct quire_mem *machine_create(void)
{
    static struct quire_memblock memblock;
    struct quire_mem_config config = {.port = &port};
    struct quire_mem *mem;
    if (quire_posix_mem_create(&port, MEMORY_BYTES))
        fail("out of memory");
    quire_memblock_init(&memblock, "benchmark", &port);
    if (quire_memblock_add(&memblock, 0, MEMORY_BYTES, 0, QUIRE_MEMBLOCK_RAM) ||
        quire_mem_init(&mem, &memblock, &config))
        fail("quire_mem_init refused the simulated memory");
    return mem;
}

static void machine_destroy(struct quire_mem *mem)
{
    if (quire_mem_destroy(mem))
        fail("pages are left allocated");
    quire_posix_mem_destroy(&port, MEMORY_BYTES);
}

/* What instructions.sh counts: this function and all that it calls. */
__attribute__((noinline)) void bench_measured(const struct bench_case *c)
{
    c->run();
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

static uint64_t run_once(const struct bench_case *c)
{
    if (c->prepare)
        c->prepare();
    uint64_t start = quire_port_clock_ns();
    bench_measured(c);
    uint64_t time = quire_port_clock_ns() - start;
    if (c->finish)
        c->finish();
    return time;
}

/* The first run warms up and isn't counted. */
static void measure(const struct bench_case *c)
{
    struct samples samples;
    char unit[32];
    if (!samples_init(&samples, options.rounds))
        fail("out of memory");
    progress(c->name);
    for (unsigned round = 0; round <= options.rounds; round++) {
        uint64_t time = run_once(c);
        if (round)
            samples_add(&samples, time, c->units);
    }
    progress(NULL);
    snprintf(unit, sizeof unit, "ns/%s", c->unit);
    print_row(c->name, 1, SUBJECT, samples_median(&samples), 2, unit);
    samples_free(&samples);
}

static void run_case(const struct bench_case *c)
{
    struct quire_mem *mem = machine_create();
    if (c->start)
        c->start(mem);
    if (options.count < 0)
        measure(c);
    for (long i = 0; i < options.count; i++)
        (void)run_once(c);
    if (c->end)
        c->end();
    machine_destroy(mem);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    char *end = "";
    unsigned long value = key == 'C' || key == 'r' ? strtoul(arg, &end, 0) : 0;
    if (*end || value > 1000000)
        argp_error(state, "'%s' is not a number up to 1000000", arg);
    switch (key) {
    case 'c':
        options.cases = arg;
        return 0;
    case 'r':
        options.rounds = value ? (unsigned)value : 1;
        return 0;
    case 'C':
        options.count = (long)value;
        return 0;
    case 'l':
        options.list = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    {"case", 'c', "PATTERN", 0, "Only cases whose name matches, as the shell matches files", 1},
    {"rounds", 'r', "N", 0, "Rounds of each case (15)", 1},
    {"count", 'C', "RUNS", 0, "No times: for instructions.sh", 2},
    {"list", 'l', NULL, 0, "Name, units and unit of each case: for the same", 2},
    {0},
};

int run_bench(int argc, char **argv, const char *doc, const struct bench_case *const *groups)
{
    const struct argp argp = {.options = argp_options, .parser = parse, .doc = doc};
    unsigned selected = 0;
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    if (options.count < 0 && !options.list) {
        printf("# compiler %s; ns: median over %u rounds\n", __VERSION__, options.rounds);
        print_row("# case", 0, NULL, 0, 0, NULL);
    }
    for (unsigned group = 0; groups[group]; group++)
        for (const struct bench_case *c = groups[group]; c->name; c++) {
            if (options.cases && fnmatch(options.cases, c->name, 0))
                continue;
            selected++;
            if (options.list)
                printf("%s %lu %s\n", c->name, c->units, c->unit);
            else
                run_case(c);
        }
    if (!selected)
        fprintf(stderr, "%s: no case has such a name; --list shows them\n",
                program_invocation_short_name);
    return selected ? 0 : 2;
}
