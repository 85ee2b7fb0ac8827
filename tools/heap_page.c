/* tools/heap_page.c: the page that a program with libquire-malloc.so shares */
#define _GNU_SOURCE
#include "heap_page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TRIES 1000

static bool is_page_file(int folder, const char *name)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(folder, name, target, sizeof target - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    return !strcmp(target, "/memfd:" QUIRE_HEAP_PAGE_NAME " (deleted)");
}

/* Another user's program may say anything. */
static bool is_known(const struct quire_heap_page *page)
{
    return page->version == QUIRE_HEAP_PAGE_VERSION && page->bytes >= sizeof *page &&
           page->nr_classes == QUIRE_HEAP_PAGE_CLASSES;
}

/* What the process is called where it runs: in a container, by another number. */
static uint32_t innermost_pid(uint32_t pid)
{
    char line[256];
    unsigned inner = pid;
    snprintf(line, sizeof line, "/proc/%u/status", pid);
    FILE *file = fopen(line, "re");
    while (file && fgets(line, sizeof line, file)) {
        const char *last = strrchr(line, '\t');
        if (!strncmp(line, "NSpid:", 6) && last && sscanf(last, "%u", &inner) != 1)
            inner = pid;
    }
    if (file)
        fclose(file);
    return inner;
}

/* A child that hasn't made its own yet still has its parent's: told apart by the page's pid. */
static enum heap_page_result read_file(int folder, const char *name, uint32_t pid,
                                       struct quire_heap_page *page)
{
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return HEAP_PAGE_FORBIDDEN;
    enum heap_page_result result = HEAP_PAGE_NONE;
    for (unsigned i = 0; i < TRIES && result == HEAP_PAGE_NONE; i++) {
        uint32_t after;
        off_t at = offsetof(struct quire_heap_page, sequence);
        if (pread(file, page, sizeof *page, 0) != (ssize_t)sizeof *page ||
            pread(file, &after, sizeof after, at) != (ssize_t)sizeof after)
            break;
        bool whole = page->sequence == after && !(after & 1);
        if (whole && (page->magic != QUIRE_HEAP_PAGE_MAGIC || page->pid != pid))
            break;
        if (whole)
            result = is_known(page) ? HEAP_PAGE_READ : HEAP_PAGE_UNKNOWN;
    }
    close(file);
    return result;
}

enum heap_page_result heap_page_read(uint32_t pid, struct quire_heap_page *page)
{
    char name[64];
    snprintf(name, sizeof name, "/proc/%u/fd", pid);
    DIR *folder = opendir(name);
    if (!folder)
        return errno == ENOENT ? HEAP_PAGE_NO_PROCESS : HEAP_PAGE_FORBIDDEN;
    enum heap_page_result result = HEAP_PAGE_NONE;
    const struct dirent *entry;
    uint32_t inner = innermost_pid(pid);
    while (result == HEAP_PAGE_NONE && (entry = readdir(folder)))
        if (is_page_file(dirfd(folder), entry->d_name))
            result = read_file(dirfd(folder), entry->d_name, inner, page);
    closedir(folder);
    return result;
}
