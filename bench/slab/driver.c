/* bench/slab/driver.c: turns of processes, and what came of them */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MAX_ROUNDS 101u
#define EXIT_ABSENT 3 /* a child whose library wasn't loaded */

struct peer {
    const char *name, *library, *package;
};

static const struct peer peers[] = {
    {"quire", NULL, NULL},
    {"glibc", NULL, NULL},
    {"jemalloc", "libjemalloc.so.2", "libjemalloc2"},
    {"mimalloc", "libmimalloc.so.2", "libmimalloc2.0"},
    {"tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"},
};
#define NR_PEERS (sizeof peers / sizeof peers[0])

struct result {
    bool absent;
    double value[MAX_ROUNDS];
    unsigned count;
    char unit[16];
};

static void print_row(const char *name, unsigned threads, const char *subject, double value,
                      const char *unit)
{
    printf("%-24s %7u  %-8s %10.3f  %s\n", name, threads, subject, value, unit);
    fflush(stdout);
}

static void progress(const char *name, const char *subject, unsigned round)
{
    if (isatty(STDERR_FILENO) && name)
        fprintf(stderr, "\r\033[K%s, %s, round %u of %u", name, subject, round + 1, options.rounds);
    else if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}

/* ---- children -------------------------------------------------------------------------------- */

static _Noreturn void become_child(const char *program, const struct bench_case *c,
                                   const struct peer *peer, int out)
{
    char child[64], only[64], objects[64];
    snprintf(child, sizeof child, "--child=%s", peer->name);
    snprintf(only, sizeof only, "--case=%s", c->name);
    snprintf(objects, sizeof objects, "--objects=%lu", options.objects);
    dup2(out, STDOUT_FILENO);
    if (peer->library)
        setenv("LD_PRELOAD", peer->library, 1);
    else
        unsetenv("LD_PRELOAD");
    execl(program, program, child, only, objects, (char *)NULL);
    _exit(127);
}

static void read_result(FILE *from, struct result *result)
{
    double value;
    char unit[16];
    while (fscanf(from, "%15s %lf", unit, &value) == 2)
        if (result->count < MAX_ROUNDS) {
            result->value[result->count++] = value;
            memcpy(result->unit, unit, sizeof unit);
        }
}

static void run_one(const char *program, const struct bench_case *c, const struct peer *peer,
                    struct result *result)
{
    int ends[2], status;
    if (pipe(ends))
        fail("no pipe");
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        fail("no process could be made");
    if (!pid) {
        close(ends[0]);
        become_child(program, c, peer, ends[1]);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    if (!from)
        fail("out of memory");
    unsigned before = result->count;
    read_result(from, result);
    fclose(from);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            fail("a process was lost");
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_ABSENT)
        result->absent = true;
    else if (!WIFEXITED(status) || WEXITSTATUS(status) || result->count == before)
        fail("a process failed");
}

/* ---- cases ----------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(struct result *result)
{
    qsort(result->value, result->count, sizeof result->value[0], compare);
    unsigned n = result->count;
    return n % 2 ? result->value[n / 2] : (result->value[n / 2 - 1] + result->value[n / 2]) / 2;
}

static bool peer_selected(const struct peer *peer)
{
    return !options.subjects || !fnmatch(options.subjects, peer->name, 0);
}

static void print_results(const struct bench_case *c, struct result *results)
{
    unsigned threads = c->activity == REMOTE ? 2 : 1;
    const char *unit = c->activity == MEMORY ? "bytes/byte" : "ns/pair";
    double own = 0, best = 0;
    const char *best_name = NULL;
    for (unsigned i = 0; i < NR_PEERS; i++) {
        if (!results[i].count)
            continue;
        double value = median(&results[i]);
        print_row(c->name, threads, peers[i].name, value, unit);
        if (!i) {
            own = value;
        } else if (!best_name || value < best) {
            best = value;
            best_name = peers[i].name;
        }
    }
    if (own > 0 && best_name) {
        char against[32];
        snprintf(against, sizeof against, "x-%s (best)", best_name);
        print_row(c->name, threads, "quire", best / own, against);
    }
}

/* More memory than is there would measure the swap. */
static bool fits(const struct bench_case *c)
{
    uint64_t wanted = (uint64_t)options.objects * c->size * 5 / 4;
    uint64_t there = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (c->activity != MEMORY || wanted < there)
        return true;
    fprintf(stderr, "slab-bench: %s left out: it takes %llu MiB, %llu MiB are free\n", c->name,
            (unsigned long long)wanted >> 20, (unsigned long long)there >> 20);
    return false;
}

static void run_case(const char *program, const struct bench_case *c, bool *told)
{
    static struct result results[NR_PEERS];
    memset(results, 0, sizeof results);
    unsigned rounds = c->activity == MEMORY ? 1 : options.rounds;
    if (!fits(c))
        return;
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < NR_PEERS; i++) {
            if (!peer_selected(&peers[i]) || results[i].absent)
                continue;
            progress(c->name, peers[i].name, round);
            run_one(program, c, &peers[i], &results[i]);
            if (results[i].absent && !told[i]) {
                progress(NULL, NULL, 0);
                fprintf(stderr, "slab-bench: no %s: apt-get install %s\n", peers[i].name,
                        peers[i].package);
                told[i] = true;
            }
        }
    progress(NULL, NULL, 0);
    print_results(c, results);
}

int run_driver(const char *program)
{
    bool told[NR_PEERS] = {false};
    printf("# medians over %u rounds of all subjects in turns, a process each; compiler %s\n",
           options.rounds, __VERSION__);
    printf("# memory: %lu objects alive; quire: frames taken from phys; others: resident memory\n",
           options.objects);
    printf("%-24s %7s  %-8s %10s  %s\n", "# case", "threads", "subject", "value", "unit");
    for (const struct bench_case *c = bench_cases; c->name; c++)
        if (case_selected(c))
            run_case(program, c, told);
    return 0;
}
