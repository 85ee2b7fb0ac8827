/* tools/image.c: where the kernel images are
 *
 * Places are taken relative to the executable, so that a build tree and a moved installation both
 * work; the installation's own place, as configured, is the last.
 */
#define _GNU_SOURCE
#include "image.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quire.h"

#ifndef QUIRE_IMAGE_DIR
#define QUIRE_IMAGE_DIR "/usr/lib/quire"
#endif
/* From the directory of the executable to that of the images, when installed. */
#ifndef QUIRE_IMAGE_DIR_FROM_BIN
#define QUIRE_IMAGE_DIR_FROM_BIN "../lib/quire"
#endif

/* The build tree's, the installation's. */
static const char *const from_executable[] = {"../kernel", QUIRE_IMAGE_DIR_FROM_BIN};
#define NR_FROM_EXECUTABLE (sizeof from_executable / sizeof from_executable[0])

static bool executable_directory(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

/* Adds directory/name to the list of places that were tried. The path if it can be read. */
static char *try_place(const char *directory, const char *name, FILE *tried)
{
    char *path, *clean;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return NULL;
    fprintf(tried, "\n  %s", path);
    clean = access(path, R_OK) ? NULL : realpath(path, NULL);
    free(path);
    return clean;
}

static char *search(const char *name, const char *directory, FILE *tried)
{
    char executable[PATH_MAX];
    if (directory)
        return try_place(directory, name, tried);
    char *found = NULL;
    if (executable_directory(executable, sizeof executable))
        for (size_t i = 0; !found && i < NR_FROM_EXECUTABLE; i++) {
            char *place;
            if (asprintf(&place, "%s/%s", executable, from_executable[i]) < 0)
                return NULL;
            found = try_place(place, name, tried);
            free(place);
        }
    return found ? found : try_place(QUIRE_IMAGE_DIR, name, tried);
}

char *find_image(const char *name, const char *directory)
{
    char *places = NULL;
    size_t size;
    FILE *tried = open_memstream(&places, &size);
    if (!tried)
        return NULL;
    char *found = search(name, directory, tried);
    fclose(tried);
    if (!found)
        complain("no kernel image %s; looked for%s\nBuild it (make), or name its directory "
                 "with --images",
                 name, places);
    free(places);
    return found;
}
