/* bench/heap/driver.c: turns of all allocators, medians, ratios to glibc and their geometric means
 */
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define EXIT_ABSENT 3 /* a child whose library wasn't there */

/* glibc first: what the others are compared with. */
static struct allocator allocators[] = {
    {.name = "glibc"},
    {.name = "quire", .library = ""}, /* an option says where */
    {.name = "jemalloc", .library = "libjemalloc.so.2", .package = "libjemalloc2"},
    {.name = "mimalloc", .library = "libmimalloc.so.2", .package = "libmimalloc2.0"},
    {.name = "tcmalloc", .library = "libtcmalloc_minimal.so.4", .package = "libtcmalloc-minimal4"},
    {.name = "quire-pool", .library = "", .pool = QUIRE_POOL},
    {.name = "apr", .pool = "libapr-1.so.0", .package = "libapr1"},
    {.name = "talloc", .pool = "libtalloc.so.2", .package = "libtalloc2"},
};
#define NR_ALLOCATORS (sizeof allocators / sizeof allocators[0])

static bool absent[NR_ALLOCATORS];
static const char *program;

/* What one allocator had for one unit, a value a round. */
struct series {
    char unit[24];
    double value[MAX_ROUNDS];
    unsigned count;
};
static struct series series[NR_ALLOCATORS][MAX_UNITS];

static void add(unsigned allocator, const char *unit, double value)
{
    for (unsigned i = 0; i < MAX_UNITS; i++) {
        struct series *one = &series[allocator][i];
        if (one->unit[0] && strcmp(one->unit, unit))
            continue;
        snprintf(one->unit, sizeof one->unit, "%s", unit);
        if (one->count < MAX_ROUNDS)
            one->value[one->count++] = value;
        return;
    }
}

static double median(struct series *one)
{
    struct samples samples = {.value = one->value, .count = one->count, .capacity = one->count};
    return samples_median(&samples);
}

/* ---- geometric means ------------------------------------------------------------------------- */

enum { MICRO_TIME, REAL_TIME, REAL_PEAK, REAL_FAULTS, NR_MEANS };
static const char *const mean_name[] = {"geomean-micro-time", "geomean-real-time",
                                        "geomean-real-peak", "geomean-real-faults"};
static struct {
    double logarithms;
    unsigned count;
} mean[NR_MEANS][NR_ALLOCATORS];

static int mean_of(const struct heap_case *c, const char *unit)
{
    if (!c->command)
        return strncmp(unit, "ns/", 3) ? -1 : MICRO_TIME;
    return !strcmp(unit, "s")        ? REAL_TIME
           : !strcmp(unit, "MiB")    ? REAL_PEAK
           : !strcmp(unit, "faults") ? REAL_FAULTS
                                     : -1;
}

static void print_means(void)
{
    for (unsigned kind = 0; kind < NR_MEANS; kind++)
        for (unsigned i = 0; i < NR_ALLOCATORS; i++)
            if (mean[kind][i].count)
                print_row(mean_name[kind], mean[kind][i].count, allocators[i].name,
                          exp(mean[kind][i].logarithms / mean[kind][i].count), 3, "x-glibc");
}

/* ---- one case -------------------------------------------------------------------------------- */

static _Noreturn void become_child(const struct heap_case *c, const struct allocator *allocator,
                                   int out)
{
    char child[64], only[64], scale[32];
    snprintf(child, sizeof child, "--child=%s", allocator->name);
    snprintf(only, sizeof only, "--case=%s", c->name);
    snprintf(scale, sizeof scale, "--scale=%lu", options.scale);
    dup2(out, STDOUT_FILENO);
    unsetenv("LD_PRELOAD");
    if (allocator->library)
        setenv("LD_PRELOAD", allocator->library, 1);
    if (allocator->pool)
        setenv("HEAP_BENCH_POOL", allocator->pool, 1);
    execl(program, program, child, only, scale, (char *)NULL);
    _exit(127);
}

static void run_child(const struct heap_case *c, unsigned allocator)
{
    int ends[2], status;
    char unit[24];
    double value;
    if (pipe(ends))
        fail("no pipe");
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        fail("no process could be made");
    if (!pid) {
        close(ends[0]);
        become_child(c, &allocators[allocator], ends[1]);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    if (!from)
        fail("out of memory");
    while (fscanf(from, "%23s %lf", unit, &value) == 2)
        add(allocator, unit, value);
    fclose(from);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            fail("a process was lost");
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_ABSENT)
        absent[allocator] = true;
    else if (!WIFEXITED(status) || WEXITSTATUS(status))
        fprintf(stderr, "heap-bench: %s with %s ended with wait status %#x\n", c->name,
                allocators[allocator].name, (unsigned)status);
}

static void run_real(const struct heap_case *c, unsigned allocator)
{
    struct usage usage;
    if (!run_command(c->command, allocators[allocator].library, &usage)) {
        fprintf(stderr, "heap-bench: %s with %s failed\n", c->name, allocators[allocator].name);
        return;
    }
    add(allocator, "s", usage.seconds);
    add(allocator, "s-elapsed", usage.elapsed_seconds);
    add(allocator, "MiB", usage.peak_mib);
    add(allocator, "faults", usage.faults);
}

static bool takes_part(const struct heap_case *c, unsigned allocator)
{
    const struct allocator *a = &allocators[allocator];
    return !absent[allocator] && (!a->pool || c->pools) &&
           (!options.allocators || !fnmatch(options.allocators, a->name, 0));
}

static void tell_absent(unsigned allocator)
{
    static bool told[NR_ALLOCATORS];
    if (!absent[allocator] || told[allocator])
        return;
    told[allocator] = true;
    progress(NULL);
    if (allocators[allocator].package)
        fprintf(stderr, "heap-bench: no %s: apt-get install %s\n", allocators[allocator].name,
                allocators[allocator].package);
    else
        fprintf(stderr, "heap-bench: no %s: %s isn't there\n", allocators[allocator].name,
                options.quire);
}

/* Values of all, then ratios, unit by unit. */
static void print_results(const struct heap_case *c)
{
    for (unsigned u = 0; u < MAX_UNITS; u++) {
        double glibc = series[0][u].count ? median(&series[0][u]) : 0;
        for (unsigned i = 0; i < NR_ALLOCATORS; i++) {
            struct series *one = &series[i][u];
            if (one->count)
                print_row(c->name, c->threads, allocators[i].name, median(one), 3, one->unit);
        }
        for (unsigned i = 1; i < NR_ALLOCATORS; i++) {
            struct series *one = &series[i][u];
            char unit[48];
            if (!one->count || glibc <= 0 || median(one) <= 0)
                continue;
            double ratio = median(one) / glibc;
            snprintf(unit, sizeof unit, "x-glibc:%s", one->unit);
            print_row(c->name, c->threads, allocators[i].name, ratio, 3, unit);
            int kind = allocators[i].pool ? -1 : mean_of(c, one->unit);
            if (kind >= 0) {
                mean[kind][i].logarithms += log(ratio);
                mean[kind][i].count++;
            }
        }
    }
}

static void run_case(const struct heap_case *c)
{
    char text[128];
    memset(series, 0, sizeof series);
    for (unsigned round = 0; round < options.rounds; round++)
        for (unsigned i = 0; i < NR_ALLOCATORS; i++) {
            if (!takes_part(c, i))
                continue;
            snprintf(text, sizeof text, "%s, %s, round %u of %u", c->name, allocators[i].name,
                     round + 1, options.rounds);
            progress(text);
            if (c->command)
                run_real(c, i);
            else
                run_child(c, i);
            tell_absent(i);
        }
    progress(NULL);
    print_results(c);
}

/* Real programs go on without a library that isn't there: so it is looked for first. */
static void look_for_libraries(void)
{
    static const struct heap_case any = {.name = "hot-16"};
    unsigned long scale = options.scale;
    options.scale = 1;
    for (unsigned i = 0; i < NR_ALLOCATORS; i++)
        if (!allocators[i].pool && takes_part(&any, i)) {
            run_child(&any, i);
            tell_absent(i);
        }
    options.scale = scale;
}

int run_driver(const char *path)
{
    program = path;
    static char quire[4096];
    if (realpath(options.quire, quire)) {
        for (unsigned i = 0; i < NR_ALLOCATORS; i++)
            if (allocators[i].library && !*allocators[i].library)
                allocators[i].library = quire;
    } else if (takes_part(&(struct heap_case){0}, 1)) {
        for (unsigned i = 0; i < NR_ALLOCATORS; i++)
            absent[i] = allocators[i].library && !*allocators[i].library;
        tell_absent(1);
    }
    printf("# medians over %u rounds of all allocators in turns, a process each; compiler %s\n",
           options.rounds, __VERSION__);
    printf("# times of micro cases: medians within a process; real: s of processors, peak of the "
           "largest process\n");
    print_row("# case", 0, NULL, 0, 0, NULL);
    look_for_libraries();
    for_each_selected(run_case);
    print_means();
    return 0;
}
