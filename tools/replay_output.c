/* tools/replay_output.c: what a replay found, as a table, CSV or JSON */
#include <stdio.h>

#include "base/json.h"
#include "quire.h"
#include "replay_command.h"

#define SCHEMA 1

static uint64_t misses(const struct replay_result *result)
{
    return result->counts.minor + result->counts.major;
}

/* Belady's optimum for the size of a result; NULL: it wasn't asked for. */
static const struct replay_result *optimum(const struct replay_run *run, size_t at)
{
    const struct replay_result *row = &run->result[at - at % run->nr_policies];
    for (unsigned p = 0; p < run->nr_policies; p++)
        if (row[p].policy == REPLAY_OPT)
            return &row[p];
    return NULL;
}

static size_t nr_results(const struct replay_run *run)
{
    return (size_t)run->nr_sizes * run->nr_policies;
}

static bool has_policy(const struct replay_run *run, enum replay_policy policy)
{
    for (unsigned p = 0; p < run->nr_policies; p++)
        if (run->policy[p] == policy)
            return true;
    return false;
}

/* ---- table ----------------------------------------------------------------------------------- */

static void print_row(const struct replay_run *run, size_t at)
{
    const struct replay_result *result = &run->result[at], *opt = optimum(run, at);
    char memory[32];
    format_size(memory, sizeof memory, result->frames << trace_reader_page_shift(run->trace));
    printf("%10s %10llu  %-6s %12llu %12llu %12llu %12llu %12llu", memory,
           (unsigned long long)result->frames, replay_policy_names[result->policy],
           (unsigned long long)misses(result), (unsigned long long)result->counts.minor,
           (unsigned long long)result->counts.major, (unsigned long long)result->counts.evictions,
           (unsigned long long)result->counts.write_backs);
    if (opt) {
        printf(" %12llu", (unsigned long long)(misses(result) - misses(opt)));
        if (misses(opt))
            printf("  x%.3f", (double)misses(result) / (double)misses(opt));
    }
    putchar('\n');
}

static void print_table(const struct replay_options *options, const struct replay_run *run)
{
    char page[32], footprint[32];
    unsigned shift = trace_reader_page_shift(run->trace);
    format_size(page, sizeof page, (uint64_t)1 << shift);
    format_size(footprint, sizeof footprint, (uint64_t)run->pages << shift);
    printf("%s: %llu references to %u pages of %s, %s in all; %s\n", options->trace,
           (unsigned long long)run->references, run->pages, page, footprint,
           options->model ? "exact models" : "the machine");
    puts("An access across a page's end is a reference to either page.");
    if (!options->model && has_policy(run, REPLAY_LRU))
        puts("lru is Linux's, with an active and an inactive list; --model has the textbook's.");
    putchar('\n');
    printf("%10s %10s  %-6s %12s %12s %12s %12s %12s", "memory", "frames", "policy", "misses",
           "minor", "major", "evictions", "write-backs");
    if (optimum(run, 0))
        printf(" %12s  %s", "above OPT", "ratio");
    putchar('\n');
    for (size_t i = 0; i < nr_results(run); i++) {
        if (i && run->nr_policies > 1 && i % run->nr_policies == 0)
            putchar('\n');
        print_row(run, i);
    }
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void print_csv(const struct replay_options *options, const struct replay_run *run)
{
    unsigned shift = trace_reader_page_shift(run->trace);
    puts("memory_bytes,page_bytes,frames,engine,policy,references,pages,misses,minor,major,"
         "evictions,"
         "write_backs,above_opt");
    for (size_t i = 0; i < nr_results(run); i++) {
        const struct replay_result *result = &run->result[i], *opt = optimum(run, i);
        printf("%llu,%llu,%llu,%s,%s,%llu,%u,%llu,%llu,%llu,%llu,%llu,",
               (unsigned long long)result->frames << shift, 1ull << shift,
               (unsigned long long)result->frames, options->model ? "model" : "machine",
               replay_policy_names[result->policy], (unsigned long long)run->references, run->pages,
               (unsigned long long)misses(result), (unsigned long long)result->counts.minor,
               (unsigned long long)result->counts.major,
               (unsigned long long)result->counts.evictions,
               (unsigned long long)result->counts.write_backs);
        if (opt)
            printf("%llu", (unsigned long long)(misses(result) - misses(opt)));
        putchar('\n');
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void write_stdout(void *arg, const char *text, size_t length)
{
    (void)arg;
    fwrite(text, 1, length, stdout);
}

/* Schema 1: members are only ever added. */
static void print_json(const struct replay_options *options, const struct replay_run *run)
{
    struct json json;
    unsigned shift = trace_reader_page_shift(run->trace);
    json_init(&json, write_stdout, NULL);
    json_object(&json, NULL);
    json_unsigned(&json, "schema", SCHEMA);
    json_string(&json, "trace", options->trace);
    json_string(&json, "engine", options->model ? "model" : "machine");
    json_unsigned(&json, "page_bytes", (uint64_t)1 << shift);
    json_unsigned(&json, "references", run->references);
    json_unsigned(&json, "visits", run->visits);
    json_unsigned(&json, "pages", run->pages);
    json_array(&json, "results");
    for (size_t i = 0; i < nr_results(run); i++) {
        const struct replay_result *result = &run->result[i], *opt = optimum(run, i);
        json_object(&json, NULL);
        json_unsigned(&json, "memory_bytes", result->frames << shift);
        json_unsigned(&json, "frames", result->frames);
        json_string(&json, "policy", replay_policy_names[result->policy]);
        json_unsigned(&json, "misses", misses(result));
        json_unsigned(&json, "minor", result->counts.minor);
        json_unsigned(&json, "major", result->counts.major);
        json_unsigned(&json, "evictions", result->counts.evictions);
        json_unsigned(&json, "write_backs", result->counts.write_backs);
        if (opt)
            json_unsigned(&json, "above_opt", misses(result) - misses(opt));
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    json_finish(&json);
}

void print_replay(const struct replay_options *options, const struct replay_run *run)
{
    switch (options->output) {
    case REPLAY_CSV:
        print_csv(options, run);
        break;
    case REPLAY_JSON:
        print_json(options, run);
        break;
    default:
        print_table(options, run);
    }
}
