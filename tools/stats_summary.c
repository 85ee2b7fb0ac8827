/* tools/stats_summary.c: what a person wants to know after a run
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <string.h>

#include "figures.h"
#include "stats.h"

#define PAGE_SHIFT 12 /* of x86 */

static uint64_t number_of(const struct stats *stats, const char *part, const char *member)
{
    const char *line = stats_part(stats, part);
    uint64_t number = 0;
    if (line)
        (void)stats_number(line, member, &number);
    return number;
}

static void print_title(const char *title)
{
    fprintf(stderr, "  %-10s", title);
}

static void print_end(const struct stats *stats, const struct stats_end *end)
{
    print_title("end");
    if (!strcmp(end->how, "exited"))
        fprintf(stderr, "exit status %u\n", end->number);
    else if (!strcmp(end->how, "killed"))
        fprintf(stderr, "killed by signal %u (%s)%s\n", end->number, strsignal((int)end->number),
                stats_for_memory(stats, end) ? ", for want of memory" : "");
    else
        fprintf(stderr, "%s; exit status of this command %d\n", end->how, end->status);
}

static void print_time(const struct stats *stats)
{
    print_title("time");
    fprintf(stderr, "%.3f s on this host", seconds_of(stats_elapsed_ns(stats)));
    if (stats_part(stats, "machine"))
        fprintf(stderr, "; in the machine %.3f s: programs %.3f s, the kernel %.3f s, idle %.3f s",
                seconds_of(number_of(stats, "machine", "elapsed_ns")),
                seconds_of(number_of(stats, "machine", "user_ns")),
                seconds_of(number_of(stats, "machine", "system_ns")),
                seconds_of(number_of(stats, "machine", "idle_ns")));
    fputc('\n', stderr);
}

static void print_faults(const struct stats *stats)
{
    char minor[32], major[32], none[32];
    uint64_t all = number_of(stats, "vmstat", "pgfault");
    uint64_t majors = number_of(stats, "vmstat", "pgmajfault");
    uint64_t failed = number_of(stats, "vmstat", "pgfault_failed");
    uint64_t others = majors + failed;
    print_title("faults");
    fprintf(stderr, "minor %s, major %s", count_text(minor, all - (others < all ? others : all)),
            count_text(major, majors));
    if (failed)
        fprintf(stderr, ", failed %s", count_text(none, failed));
    if (stats->program.pid)
        fprintf(stderr, "; of the program's own process minor %s, major %s",
                count_text(minor, stats->program.minor), count_text(major, stats->program.major));
    fputc('\n', stderr);
}

static void print_memory(const struct stats *stats)
{
    char a[32], b[32], c[32];
    uint64_t managed = number_of(stats, "machine", "managed_pages");
    uint64_t peak = number_of(stats, "machine", "peak_used_pages");
    print_title("memory");
    if (stats->program.pid)
        fprintf(stderr, "program at most %s resident; ",
                size_text(a, stats->program.peak << PAGE_SHIFT));
    fprintf(stderr, "machine at most %s of %s in use, caches included\n",
            size_text(b, peak << PAGE_SHIFT), size_text(c, managed << PAGE_SHIFT));
}

/* A line for each node that has memory, where there are several. */
static void print_nodes(const struct stats *stats)
{
    char size[32], most[32], end[32], misses[32];
    const char *at = stats_part(stats, "machine");
    uint64_t node, pages, peak, used, missed;
    while (at && (at = strstr(at, "{\"node\":"))) {
        if (!stats_number(at, "node", &node) || !stats_number(at, "node_pages", &pages) ||
            !stats_number(at, "peak_used", &peak) || !stats_number(at, "used_at_end", &used) ||
            !stats_number(at, "misses", &missed))
            return;
        fprintf(stderr, "  node %-5" PRIu64 "at most %s of %s in use, %s at the end", node,
                size_text(most, peak << PAGE_SHIFT), size_text(size, pages << PAGE_SHIFT),
                size_text(end, used << PAGE_SHIFT));
        if (missed)
            fprintf(stderr, "; %s block%s that %s for another node", count_text(misses, missed),
                    missed == 1 ? "" : "s", missed == 1 ? "was" : "were");
        fputc('\n', stderr);
        at++;
    }
}

static void print_pages(const char *what, uint64_t pages, const char *behind)
{
    char size[32], count[32];
    fprintf(stderr, "%s %s (%s page%s)%s", what, size_text(size, pages << PAGE_SHIFT),
            count_text(count, pages), pages == 1 ? "" : "s", behind);
}

/* Of all areas: what they can hold, and do at the end. A machine without any has no such line. */
static void print_swap(const struct stats *stats)
{
    char size[32], held[32];
    uint64_t number, kib = 0, used = 0;
    const char *at = stats_part(stats, "swaps");
    if (!stats->boot->swaps.count)
        return;
    print_title("swap");
    print_pages("out", number_of(stats, "vmstat", "pswpout"), ", ");
    print_pages("in", number_of(stats, "vmstat", "pswpin"), "");
    for (; at && (at = strstr(at, "\"size_kib\":")); at++) {
        if (stats_number(at, "size_kib", &number))
            kib += number;
        if (stats_number(at, "used_kib", &number))
            used += number;
    }
    if (kib)
        fprintf(stderr, "; %s of %s used at the end", size_text(held, used << 10),
                size_text(size, kib << 10));
    fputc('\n', stderr);
}

/* Of processes that share memory each is told of; vmstat counts them as one. */
static void print_reclaim(const struct stats *stats, const struct stats_end *end)
{
    char a[32], b[32], share[32];
    uint64_t scanned =
        number_of(stats, "vmstat", "pgscan_kswapd") + number_of(stats, "vmstat", "pgscan_direct");
    uint64_t taken =
        number_of(stats, "vmstat", "pgsteal_kswapd") + number_of(stats, "vmstat", "pgsteal_direct");
    size_t killed = end->oom_kills->count;
    print_title("reclaim");
    if (scanned)
        fprintf(stderr, "%s page%s reclaimed of %s scanned: %s", count_text(a, taken),
                taken == 1 ? "" : "s", count_text(b, scanned), share_text(share, taken, scanned));
    else
        fputs(killed ? "nothing was there that could go" : "none was needed", stderr);
    if (killed)
        fprintf(stderr, "; killed for want of memory: %s", count_text(a, killed));
    fputc('\n', stderr);
}

static void print_largest(const struct stats *stats)
{
    char peak[32], minor[32], major[32], count[32];
    if (!stats->nr_largest)
        return;
    print_title("processes");
    fprintf(stderr, "%s; the largest:\n", count_text(count, stats->nr_processes));
    fprintf(stderr, "  %-10s%7s  %-16s%12s%14s%12s\n", "", "process", "name", "at most", "minor",
            "major");
    for (unsigned i = 0; i < stats->nr_largest; i++) {
        const struct stats_process *process = &stats->largest[i];
        fprintf(stderr, "  %-10s%7" PRIu64 "  %-16s%12s%14s%12s%s\n", "", process->pid,
                process->name, size_text(peak, process->peak << PAGE_SHIFT),
                count_text(minor, process->minor), count_text(major, process->major),
                process->ended ? "" : "  (still ran)");
    }
}

void stats_print_summary(const struct stats *stats, const struct stats_end *end,
                         const char *program)
{
    fprintf(stderr, "quire: %s on a machine of %llu MiB\n", program,
            (unsigned long long)(stats->boot->memory >> 20));
    print_end(stats, end);
    print_time(stats);
    if (stats_part(stats, "vmstat"))
        print_faults(stats);
    if (stats_part(stats, "machine"))
        print_memory(stats);
    print_nodes(stats);
    if (stats_part(stats, "vmstat")) {
        print_swap(stats);
        print_reclaim(stats, end);
    } else {
        print_title("missing");
        fputs("the machine was stopped before it told of its memory\n", stderr);
    }
    print_largest(stats);
    if (stats->boot->events) {
        print_title("next");
        fprintf(stderr, "quire report %s\n", stats->boot->events);
    }
}
