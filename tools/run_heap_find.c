/* tools/run_heap_find.c: finds the library of a heap
 *
 * Quire's own lies beside this command, installed or as it was built. Others are looked for as the
 * dynamic linker does, in its cache and in the usual folders.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library_cache.h"
#include "run_program.h"

#ifndef QUIRE_LIBRARY_DIR
#define QUIRE_LIBRARY_DIR "/usr/lib"
#endif
#ifndef QUIRE_LIBRARY_DIR_FROM_BIN
#define QUIRE_LIBRARY_DIR_FROM_BIN "../lib"
#endif

#define QUIRE_MALLOC "libquire-malloc.so"

static const char *const usual_folders[] = {"/lib/x86_64-linux-gnu",
                                            "/usr/lib/x86_64-linux-gnu",
                                            "/lib64",
                                            "/usr/lib64",
                                            "/usr/local/lib",
                                            "/lib",
                                            "/usr/lib"};

static const struct known {
    const char *name, *library[4], *package;
} known[] = {
    {"jemalloc", {"libjemalloc.so.2"}, "libjemalloc2"},
    {"mimalloc", {"libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so"}, "libmimalloc2.0"},
    {"tcmalloc",
     {"libtcmalloc_minimal.so.4", "libtcmalloc.so.4", "libtcmalloc.so"},
     "libtcmalloc-minimal4"},
};

static char *if_there(char *path)
{
    if (!access(path, R_OK))
        return path;
    free(path);
    return NULL;
}

static char *find_library(const char *name)
{
    struct library_cache cache;
    uint32_t next = 0;
    library_cache_read(&cache, LIBRARY_CACHE);
    const char *cached = library_cache_find(&cache, name, 8 * sizeof(void *), &next);
    char *path = cached ? if_there(text("%s", cached)) : NULL;
    library_cache_free(&cache);
    for (size_t i = 0; i < sizeof usual_folders / sizeof usual_folders[0] && !path; i++)
        path = if_there(text("%s/%s", usual_folders[i], name));
    return path;
}

static bool find_known(struct run_heap *heap, const struct known *of, char **complaint)
{
    for (size_t i = 0; i < 4 && of->library[i] && !heap->path; i++)
        heap->path = find_library(of->library[i]);
    if (!heap->path)
        *complaint = text("there is no %s here (%s); on Debian: apt install %s", of->name,
                          of->library[0], of->package);
    return heap->path != NULL;
}

static char *find_own(void)
{
    static const char *const places[] = {"../malloc", QUIRE_LIBRARY_DIR_FROM_BIN};
    char here[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", here, sizeof here - 1);
    char *path = NULL, *real = NULL;
    here[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(here, '/');
    if (slash)
        *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0] && slash && !path; i++)
        path = if_there(text("%s/%s/" QUIRE_MALLOC, here, places[i]));
    if (!path)
        path = if_there(text("%s/" QUIRE_MALLOC, QUIRE_LIBRARY_DIR));
    if (path && (real = realpath(path, NULL))) {
        free(path);
        path = real;
    }
    return path ? path : find_library(QUIRE_MALLOC);
}

static bool find_path(struct run_heap *heap, char **complaint)
{
    const char *slash = strrchr(heap->name, '/');
    heap->path = slash ? realpath(heap->name, NULL) : NULL;
    if (!slash)
        *complaint =
            text("there is no heap '%s'; there are quire, none, glibc, jemalloc, mimalloc, "
                 "tcmalloc and paths",
                 heap->name);
    else if (!heap->path)
        *complaint = text("there is no %s", heap->name);
    heap->is_quire = slash && !strncmp(slash + 1, QUIRE_MALLOC, strlen(QUIRE_MALLOC));
    return heap->path != NULL;
}

static bool find(struct run_heap *heap, char **complaint)
{
    if (!strcmp(heap->name, "none") || !strcmp(heap->name, "glibc"))
        return true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(heap->name, known[i].name))
            return find_known(heap, &known[i], complaint);
    if (strcmp(heap->name, "quire") != 0)
        return find_path(heap, complaint);
    heap->is_quire = true;
    heap->path = find_own();
    if (!heap->path)
        *complaint = text("there is no " QUIRE_MALLOC
                          " beside this command; `make` builds it, and `make install` installs it");
    return heap->path != NULL;
}

bool run_heap_find(struct run_heap *heap, const char *name, char **complaint)
{
    *heap = (struct run_heap){.name = name};
    *complaint = NULL;
    if (!find(heap, complaint))
        return false;
    if (heap->path && strpbrk(heap->path, ": ")) {
        *complaint = text("LD_PRELOAD can't have a path with a blank or a colon: %s", heap->path);
        run_heap_free(heap);
        return false;
    }
    return true;
}

void run_heap_free(struct run_heap *heap)
{
    free(heap->path);
    heap->path = NULL;
}
