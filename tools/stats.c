/* tools/stats.c: the document of quire boot --stats
 */
#define _GNU_SOURCE
#include "stats.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "quire.h"
#include "utf8.h"

#define FIRST_ROOM 4096u
#define MOST_LINE ((size_t)64 << 20) /* no view of a machine that fits into QEMU is as long */

static const char *const part_names[NR_STATS_PARTS] = {"machine",      "vmstat",    "meminfo",
                                                       "swaps",        "buddyinfo", "zoneinfo",
                                                       "pagetypeinfo", "slabinfo",  "vmallocinfo"};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t stats_elapsed_ns(const struct stats *stats)
{
    return now_ns() - stats->begin_ns;
}

/* ---- what the user said ---------------------------------------------------------------------- */

/* An argument may hold any byte; JSON may not. */
static void put_text(struct json *json, const char *key, const char *given)
{
    char *clean = text("%s", given);
    utf8_clean(clean);
    json_string(json, key, clean);
    free(clean);
}

static void put_boot(struct json *json, const struct boot *boot)
{
    json_array(json, "arguments");
    for (char **argument = boot->program; argument && *argument; argument++)
        put_text(json, NULL, *argument);
    json_end(json);
    json_unsigned(json, "memory_bytes", boot->memory);
    json_unsigned(json, "nodes", boot->nodes ? boot->nodes : 1);
    json_string(json, "policy", boot->policy ? boot->policy : "lru");
    json_array(json, "swap");
    for (size_t i = 0; i < boot->swaps.count; i++)
        put_text(json, NULL, boot->swaps.text[i]);
    json_end(json);
}

static void write_piece(void *arg, const char *piece, size_t size)
{
    fwrite(piece, 1, size, arg); /* stats_finish asks whether it went */
}

bool stats_begin(struct stats *stats, const struct boot *boot)
{
    *stats = (struct stats){.boot = boot, .name = boot->stats, .begin_ns = now_ns()};
    if (!stats->name)
        return true;
    stats->file = fopen(stats->name, "we");
    if (!stats->file) {
        complain("--stats=%s: %s", stats->name, strerror(errno));
        return false;
    }
    json_init(&stats->json, write_piece, stats->file);
    json_object(&stats->json, NULL);
    json_string(&stats->json, "schema", "quire.boot.stats/1");
    json_string(&stats->json, "quire", QUIRE_VERSION);
    put_boot(&stats->json, boot);
    json_array(&stats->json, "processes");
    return true;
}

/* ---- what the machine says ------------------------------------------------------------------- */

/* Members' names aren't within strings: their quotes would have a backslash before. */
static const char *member_value(const char *line, const char *member)
{
    char *key = text("\"%s\":", member);
    const char *at = strstr(line, key);
    at = at ? at + strlen(key) : NULL;
    free(key);
    return at;
}

bool stats_number(const char *line, const char *member, uint64_t *number)
{
    const char *at = member_value(line, member);
    if (!at || *at < '0' || *at > '9')
        return false;
    *number = strtoull(at, NULL, 10);
    return true;
}

static void read_process(struct stats_process *process, const char *line)
{
    const char *name = member_value(line, "name"), *ended = member_value(line, "ended");
    *process = (struct stats_process){.ended = ended && *ended == 't'};
    (void)stats_number(line, "pid", &process->pid);
    (void)stats_number(line, "minor_faults", &process->minor);
    (void)stats_number(line, "major_faults", &process->major);
    (void)stats_number(line, "peak_resident_pages", &process->peak);
    for (size_t i = 0; name && *++name && *name != '"' && i < sizeof process->name - 1; i++) {
        name += *name == '\\' && name[1];
        process->name[i] = *name;
    }
}

/* The list stays ordered, the largest first. */
static void note_largest(struct stats *stats, const struct stats_process *process)
{
    unsigned at = stats->nr_largest;
    while (at && stats->largest[at - 1].peak < process->peak)
        at--;
    if (at == STATS_MOST_LARGEST)
        return;
    if (stats->nr_largest < STATS_MOST_LARGEST)
        stats->nr_largest++;
    memmove(stats->largest + at + 1, stats->largest + at,
            (stats->nr_largest - 1 - at) * sizeof *process);
    stats->largest[at] = *process;
}

static void take_process(struct stats *stats, const char *line)
{
    struct stats_process process;
    const char *is_program = member_value(line, "is_program");
    read_process(&process, line);
    stats->nr_processes++;
    note_largest(stats, &process);
    if (is_program && *is_program == 't')
        stats->program = process;
    if (stats->file)
        json_made(&stats->json, NULL, line);
}

/* An object, and nothing behind it. */
static bool is_whole(const char *object)
{
    unsigned depth = 0;
    bool quoted = false;
    do {
        if (quoted && *object == '\\' && object[1])
            object++;
        else if (*object == '"')
            quoted = !quoted;
        else if (!quoted && (*object == '{' || *object == '['))
            depth++;
        else if (!quoted && (*object == '}' || *object == ']'))
            depth--;
    } while (*object++ && depth);
    return !depth && object[-1] == '}' && !*object;
}

/* A line that a panic cut isn't whole, wherever that was; the machine begins the next one anew. */
static void take_line(struct stats *stats)
{
    char *body = strchr(stats->line, ' ');
    if (!body || body[1] != '{' || !is_whole(body + 1))
        return;
    *body++ = '\0';
    if (!strcmp(stats->line, "process"))
        take_process(stats, body);
    for (unsigned i = 0; i < NR_STATS_PARTS; i++)
        if (!strcmp(stats->line, part_names[i])) {
            free(stats->part[i]);
            stats->part[i] = text("%s", body);
        }
}

static void take_byte(struct stats *stats, char byte)
{
    if (stats->line_bytes + 1 >= stats->room && stats->room < MOST_LINE) {
        stats->room = stats->room ? 2 * stats->room : FIRST_ROOM;
        stats->line = must(realloc(stats->line, stats->room));
    }
    if (byte != '\n') {
        stats->cut |= stats->line_bytes + 1 == stats->room || !byte;
        if (!stats->cut)
            stats->line[stats->line_bytes++] = byte;
        return;
    }
    stats->line[stats->line_bytes] = '\0';
    if (!stats->cut && stats->line_bytes)
        take_line(stats);
    stats->line_bytes = 0;
    stats->cut = false;
}

size_t stats_take(void *of, const char *bytes, size_t size, char *to)
{
    (void)to;
    for (size_t i = 0; i < size; i++)
        take_byte(of, bytes[i]);
    return 0;
}

const char *stats_part(const struct stats *stats, const char *name)
{
    for (unsigned i = 0; i < NR_STATS_PARTS; i++)
        if (!strcmp(part_names[i], name))
            return stats->part[i];
    return NULL;
}

/* ---- the end --------------------------------------------------------------------------------- */

bool stats_for_memory(const struct stats *stats, const struct stats_end *end)
{
    if (strcmp(end->how, "killed") || end->number != SIGKILL || !stats->program.pid)
        return false;
    for (size_t i = 0; i < end->oom_kills->count; i++)
        if (strtoull(end->oom_kills->text[i], NULL, 10) == stats->program.pid)
            return true;
    return false;
}

static void put_end(struct json *json, const struct stats *stats, const struct stats_end *end)
{
    json_object(json, "end");
    json_string(json, "how", end->how);
    if (!strcmp(end->how, "exited"))
        json_unsigned(json, "exit_status", end->number);
    else if (!strcmp(end->how, "killed"))
        json_unsigned(json, "signal", end->number);
    json_bool(json, "for_want_of_memory", stats_for_memory(stats, end));
    json_signed(json, "command_status", end->status);
    json_unsigned(json, "elapsed_ns", stats_elapsed_ns(stats));
    json_end(json);
}

static bool write_end(struct stats *stats, const struct stats_end *end)
{
    struct json *json = &stats->json;
    json_end(json);
    put_end(json, stats, end);
    for (unsigned i = 0; i < NR_STATS_PARTS; i++)
        if (stats->part[i])
            json_made(json, part_names[i], stats->part[i]);
    json_array(json, "missing");
    for (unsigned i = 0; i < NR_STATS_PARTS; i++)
        if (!stats->part[i])
            json_string(json, NULL, part_names[i]);
    if (!stats->part[0]) /* it comes behind the processes, or in a panic before them */
        json_string(json, NULL, "processes that ran when it was stopped");
    json_end(json);
    json_end(json);
    json_finish(json);
    bool failed = fflush(stats->file) || ferror(stats->file);
    if (failed)
        complain("--stats=%s can't be written: %s", stats->name, strerror(errno));
    return !failed;
}

bool stats_finish(struct stats *stats, const struct stats_end *end, const char *program)
{
    bool written = !stats->file || write_end(stats, end);
    if (stats->file)
        fclose(stats->file);
    if (stats->boot->summary)
        stats_print_summary(stats, end, program);
    for (unsigned i = 0; i < NR_STATS_PARTS; i++)
        free(stats->part[i]);
    free(stats->line);
    return written;
}
