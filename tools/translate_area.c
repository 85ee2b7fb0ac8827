/* tools/translate_area.c: what Linux tells of the areas of a process's address space
 *
 * /proc/PID/smaps has the lines of maps, and what else decides about faults: whether an area grows,
 * and its protection key (man 5 proc_pid_smaps). How long a file is the file itself has to tell: by
 * map_files, which leads to deleted ones too, or by its path.
 */
#define _GNU_SOURCE
#include "translate_area.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STACK_GAP_PAGES 256u /* Linux's, unless it was started with another stack_guard_gap */

/* False: it isn't the first line of an area. */
static bool parse_first_line(struct process_area *area, const char *line)
{
    struct process_area parsed = {.path = 0};
    int path = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64 " %n",
               &parsed.start, &parsed.end, parsed.rights, &parsed.offset, &parsed.inode, &path) < 5)
        return false;
    snprintf(parsed.line, sizeof parsed.line, "%.*s", (int)strcspn(line, "\n"), line);
    parsed.path = (unsigned)strnlen(parsed.line, (size_t)path);
    *area = parsed;
    return true;
}

static void parse_detail(struct process_area *area, const char *line)
{
    if (!strncmp(line, "VmFlags:", 8))
        area->grows = strstr(line, " gd");
    else
        sscanf(line, "ProtectionKey: %u", &area->key);
}

/* A stack keeps its distance from what it could run into unnoticed. */
static uint64_t lowest_above(const struct process_area *below)
{
    bool gap = !below->grows && strncmp(below->rights, "---", 3);
    return below->end + (gap ? STACK_GAP_PAGES * (uint64_t)sysconf(_SC_PAGESIZE) : 0);
}

static void read_areas(struct process_area *area, FILE *smaps, uint64_t address)
{
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, smaps) > 0) {
        struct process_area next;
        if (!parse_first_line(&next, line)) {
            parse_detail(area, line);
            continue;
        }
        if (address < area->end)
            break;
        if (*area->line)
            next.lowest = lowest_above(area);
        *area = next;
    }
    if (address >= area->end)
        *area->line = '\0';
    free(line);
}

bool find_process_area(struct process_area *area, uint64_t pid, uint64_t address)
{
    char name[64];
    *area = (struct process_area){.path = 0};
    snprintf(name, sizeof name, "/proc/%" PRIu64 "/smaps", pid);
    FILE *smaps = fopen(name, "r");
    if (!smaps)
        return false;
    errno = 0;
    read_areas(area, smaps, address);
    int error = errno;
    fclose(smaps);
    errno = error;
    return !error;
}

/* The soft limit; UINT64_MAX: there is none, or it can't be read. */
static uint64_t stack_limit(uint64_t pid)
{
    char name[64], line[256];
    uint64_t limit = UINT64_MAX;
    snprintf(name, sizeof name, "/proc/%" PRIu64 "/limits", pid);
    FILE *limits = fopen(name, "r");
    while (limits && fgets(line, sizeof line, limits))
        sscanf(line, "Max stack size %" SCNu64, &limit);
    if (limits)
        fclose(limits);
    return limit;
}

bool process_area_grows_to(const struct process_area *area, uint64_t pid, uint64_t address)
{
    uint64_t page = address - address % (uint64_t)sysconf(_SC_PAGESIZE);
    return *area->line && area->grows && page >= area->lowest &&
           area->end - page <= stack_limit(pid);
}

enum area_file process_area_file(const struct process_area *area, uint64_t pid, uint64_t *bytes)
{
    char name[sizeof area->line + 64];
    struct stat status;
    if (!area->inode)
        return AREA_NO_FILE;
    snprintf(name, sizeof name, "/proc/%" PRIu64 "/map_files/%" PRIx64 "-%" PRIx64, pid,
             area->start, area->end);
    if (stat(name, &status)) {
        snprintf(name, sizeof name, "/proc/%" PRIu64 "/root%s", pid, process_area_path(area));
        if (stat(name, &status) || status.st_ino != area->inode)
            return AREA_HIDDEN_FILE;
    }
    *bytes = (uint64_t)status.st_size;
    return S_ISREG(status.st_mode) ? AREA_FILE : AREA_NO_FILE;
}
