/* tools/run_proc.c: reads /proc/PID (proc(5)) */
#define _GNU_SOURCE
#include "run_proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocate.h"
#include "utf8.h"

/* ---- stat ------------------------------------------------------------------------------------ */

static uint64_t ns_of_ticks(uint64_t ticks)
{
    static uint64_t per_second;
    if (!per_second)
        per_second = (uint64_t)sysconf(_SC_CLK_TCK);
    return ticks * (1000000000u / per_second);
}

/* The length of what was read; the text ends with a NUL. */
static size_t read_text(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, size - 1);
    if (file >= 0)
        close(file);
    text[length > 0 ? length : 0] = '\0';
    return length > 0 ? (size_t)length : 0;
}

void proc_clean_name(char *name)
{
    utf8_print(name);
}

/* The first thread has ended, the others go on: only they have the memory. */
static void read_without_first(uint32_t pid, struct proc_stat *stat)
{
    char path[64], text[256];
    uint64_t pages;
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        uint32_t thread = (uint32_t)strtoul(entry->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/%u/task/%u/statm", pid, thread);
        if (!thread || thread == pid || !read_text(path, text, sizeof text) ||
            sscanf(text, "%*u %" SCNu64, &pages) != 1)
            continue;
        stat->rss = pages * (uint64_t)sysconf(_SC_PAGESIZE);
        stat->state = 'S';
        break;
    }
    if (folder)
        closedir(folder);
}

/* The name may have brackets and blanks in it. */
bool proc_stat_read(uint32_t pid, struct proc_stat *stat)
{
    char path[64], text[1024];
    uint64_t user, kernel, start, pages;
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    if (!read_text(path, text, sizeof text))
        return false;
    const char *name = strchr(text, '('), *behind = strrchr(text, ')');
    if (!name || !behind || behind < name)
        return false;
    *stat = (struct proc_stat){.pid = pid};
    snprintf(stat->name, sizeof stat->name, "%.*s", (int)(behind - name - 1), name + 1);
    proc_clean_name(stat->name);
    int got = sscanf(behind + 1,
                     " %c %" SCNu32 " %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64 " %*u %" SCNu64
                     " %" SCNu64 " %*d %*d %*d %*d %u %*d %" SCNu64 " %*u %" SCNu64,
                     &stat->state, &stat->parent, &stat->minor, &stat->major, &user, &kernel,
                     &stat->nr_threads, &start, &pages);
    if (got != 9)
        return false;
    stat->user_ns = ns_of_ticks(user);
    stat->kernel_ns = ns_of_ticks(kernel);
    stat->start_ns = ns_of_ticks(start);
    stat->rss = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    if (stat->state == 'Z' && stat->nr_threads > 1)
        read_without_first(pid, stat);
    return true;
}

/* ---- swap ------------------------------------------------------------------------------------ */

/* Bytes behind a name in a file of "Name:   123 kB"; 0: it isn't there. */
static uint64_t kilobytes(const char *path, const char *name)
{
    char line[256];
    uint64_t found = 0;
    FILE *file = fopen(path, "re");
    size_t length = strlen(name);
    while (file && !found && fgets(line, sizeof line, file))
        if (!strncmp(line, name, length))
            found = strtoull(line + length, NULL, 10) << 10;
    if (file)
        fclose(file);
    return found;
}

uint64_t proc_swap(uint32_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/status", pid);
    return kilobytes(path, "VmSwap:");
}

bool proc_has_swap(void)
{
    return kilobytes("/proc/meminfo", "SwapTotal:") != 0;
}

/* ---- want of memory -------------------------------------------------------------------------- */

static bool has_line(const char *path, const char *name, uint64_t *number)
{
    char line[256];
    bool found = false;
    FILE *file = fopen(path, "re");
    size_t length = strlen(name);
    while (file && !found && fgets(line, sizeof line, file)) {
        found = !strncmp(line, name, length) && line[length] == ' ';
        *number = found ? strtoull(line + length, NULL, 10) : 0;
    }
    if (file)
        fclose(file);
    return found;
}

/* Where the group lies below the usual place; NULL: it isn't told. */
static char *file_of_group(void)
{
    char line[PATH_MAX];
    char *path = NULL;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !path && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strncmp(line, "0::/", 4))
            path = text("/sys/fs/cgroup%s/memory.events", line + 3);
    }
    if (file)
        fclose(file);
    return path;
}

char *proc_oom_file(void)
{
    uint64_t kills;
    char *path = file_of_group();
    if (path && has_line(path, "oom_kill", &kills))
        return path;
    free(path);
    return text("/proc/vmstat");
}

uint64_t proc_oom_kills(const char *file)
{
    uint64_t kills = 0;
    (void)has_line(file, "oom_kill", &kills);
    return kills;
}

/* ---- smaps ----------------------------------------------------------------------------------- */

static bool is_area(const char *line, struct proc_area *area)
{
    int behind = 0;
    *area = (struct proc_area){0};
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*s %*s %*s %n", &area->start, &area->end,
               area->perms, &behind) != 3 ||
        !behind)
        return false;
    area->name = text("%.*s", (int)strcspn(line + behind, "\n"), line + behind);
    return true;
}

static void add_area(struct proc_areas *areas, const struct proc_area *added)
{
    if (areas->count < PROC_MOST_AREAS) {
        areas->area = must(realloc(areas->area, (areas->count + 1) * sizeof *areas->area));
        areas->area[areas->count++] = *added;
        return;
    }
    struct proc_area *last = &areas->area[PROC_MOST_AREAS - 1];
    free(added->name);
    free(last->name);
    last->name = text("(others)");
    last->end = added->end;
}

bool proc_areas_read(uint32_t pid, struct proc_areas *areas)
{
    char path[64];
    struct proc_areas read = {0};
    struct proc_area area;
    char *line = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/%u/smaps", pid);
    FILE *file = fopen(path, "re");
    while (file && getline(&line, &size, file) > 0) {
        uint64_t kib;
        if (is_area(line, &area))
            add_area(&read, &area);
        else if (read.count && sscanf(line, "Rss: %" SCNu64, &kib) == 1)
            read.area[read.count - 1].resident += kib << 10;
        else if (read.count && sscanf(line, "Swap: %" SCNu64, &kib) == 1)
            read.area[read.count - 1].swap += kib << 10;
    }
    free(line);
    if (file)
        fclose(file);
    if (!read.count)
        return false;
    proc_areas_free(areas);
    *areas = read;
    return true;
}

void proc_areas_free(struct proc_areas *areas)
{
    for (size_t i = 0; i < areas->count; i++)
        free(areas->area[i].name);
    free(areas->area);
    *areas = (struct proc_areas){0};
}
