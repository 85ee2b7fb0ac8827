/* tools/libraries.c: finds libraries as the dynamic linkers of glibc and musl do, without running
 * them
 *
 * Breadth first over what each file needs, as they load. A name that something loaded already has,
 * as its SONAME or because it was asked for by it, isn't looked for again. Otherwise, ld.so(8):
 *
 *   glibc   the RPATHs of who needs it, of who needs that, ... and of the program, if who needs it
 * has no RUNPATH; LD_LIBRARY_PATH; its RUNPATH; the cache; the usual folders musl LD_LIBRARY_PATH;
 * RPATH or RUNPATH of who needs it, of who needs that, ...; the folders of /etc/ld-musl-ARCH.path
 *
 * Files of another machine on the way are passed over. Which of the folders glibc's linker has
 * built in depends on who built it, so the usual ones of both classes are all tried; the cache,
 * which goes into the machine as well, leads it to any of them. Subfolders for newer processors
 * (glibc-hwcaps) aren't used: what lies in the folder itself runs on all.
 */
#define _GNU_SOURCE
#include "libraries.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_LIBRARIES 4096u

struct search {
    const struct library_places *places;
    struct libraries *libraries;
    const struct library *needer;
    const char *name;
    unsigned bits;
    bool cached;
    char *found; /* its path */
    struct binary binary;
    FILE *tried; /* a line for each place, for the complaint */
};

static bool is_musl(const char *interpreter)
{
    const char *slash = interpreter ? strrchr(interpreter, '/') : NULL;
    return slash && !strncmp(slash, "/ld-musl-", 9);
}

/* ---- one place ------------------------------------------------------------------------------- */

/* Takes the file if it is a library of this class. */
static bool try_file(struct search *search, const char *path)
{
    char why[BINARY_WHY_BYTES];
    struct binary binary;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    enum binary_result result = binary_read(&binary, fd, why);
    close(fd);
    if (result == BINARY_READ && binary.bits == search->bits) {
        search->binary = binary;
        search->found = text("%s", path);
        return true;
    }
    if (result == BINARY_READ) {
        fprintf(search->tried, "\n  %s, which is of %u bits", path, binary.bits);
        binary_free(&binary);
    } else {
        fprintf(search->tried, "\n  %s, which %s", path, why);
    }
    return false;
}

static bool try_folder(struct search *search, const char *folder, const char *whose)
{
    fprintf(search->tried, "\n  %s%s%s", folder, *whose ? " of " : "", whose);
    char *path = text("%s/%s", folder, search->name);
    bool found = try_file(search, path);
    free(path);
    return found;
}

/* What $LIB may stand for: it is built into the dynamic linker. NULL-terminated. */
static const char *const *lib_folders(unsigned bits)
{
    static const char *const of_64[] = {"lib/x86_64-linux-gnu", "lib64", "lib", NULL};
    static const char *const of_32[] = {"lib/i386-linux-gnu", "lib32", "lib", NULL};
    return bits == 64 ? of_64 : of_32;
}

/* How long the variable is that begins at `at`, written as $NAME or as ${NAME}; 0: it isn't that
 * one. */
static size_t variable(const char *at, size_t left, const char *name)
{
    size_t length = strlen(name);
    if (left > length && !strncmp(at + 1, name, length))
        return length + 1;
    if (left > length + 2 && at[1] == '{' && !strncmp(at + 2, name, length) &&
        at[length + 2] == '}')
        return length + 3;
    return 0;
}

/* Writes `path` with $ORIGIN, $LIB and $PLATFORM replaced; true: $LIB was among them. */
static bool expand(FILE *to, const char *path, size_t length, const struct library *of,
                   const char *lib)
{
    bool has_lib = false;
    const char *slash = strrchr(of->path, '/');
    for (size_t i = 0, taken; i < length; i += taken) {
        const char *at = path + i;
        size_t left = *at == '$' ? length - i : 0;
        if ((taken = variable(at, left, "ORIGIN")))
            fprintf(to, "%.*s", slash > of->path ? (int)(slash - of->path) : 1, of->path);
        else if ((taken = variable(at, left, "LIB")))
            has_lib = fputs(lib, to) >= 0;
        else if ((taken = variable(at, left, "PLATFORM")))
            fputs(of->binary.bits == 64 ? "x86_64" : "i686", to);
        else if ((taken = 1))
            fputc(*at, to);
    }
    return has_lib;
}

/* An element of a search path, or a needed name with a slash in it. */
static bool try_element(struct search *search, const char *element, size_t length,
                        const struct library *of, const char *whose)
{
    bool found = false, again = true;
    for (const char *const *lib = lib_folders(search->bits); *lib && again && !found; lib++) {
        char *path = NULL;
        size_t size;
        FILE *to = must(open_memstream(&path, &size));
        again = expand(to, element, length, of, *lib);
        fclose(to);
        must(path);
        if (whose) {
            found = *path && try_folder(search, path, whose);
        } else {
            fprintf(search->tried, "\n  %s", path);
            found = try_file(search, path);
        }
        free(path);
    }
    return found;
}

/* `separators`: what stands between the folders of the list. */
static bool try_list(struct search *search, const char *list, const char *separators,
                     const struct library *of, const char *kind)
{
    bool found = false;
    char *whose = text("%s%s%s", kind, of ? " of " : "", of ? of->path : "");
    const struct library *origin = of ? of : search->libraries->library[0];
    while (list && *list && !found) {
        size_t length = strcspn(list, separators);
        found = length && try_element(search, list, length, origin, whose);
        list += length + (list[length] != '\0');
    }
    free(whose);
    return found;
}

/* ---- glibc ----------------------------------------------------------------------------------- */

/* RPATHs up to the program, whose own comes last. */
static bool try_rpaths(struct search *search)
{
    const struct library *program = search->libraries->library[0];
    for (const struct library *of = search->needer; of; of = of->needer)
        if (!of->binary.runpath && try_list(search, of->binary.rpath, ":", of, "RPATH"))
            return true;
    return search->needer != program && !program->binary.runpath &&
           try_list(search, program->binary.rpath, ":", program, "RPATH");
}

static bool try_cache(struct search *search)
{
    const char *path;
    uint32_t next = 0;
    if (!search->places->cache.count)
        return false;
    fprintf(search->tried, "\n  %s", LIBRARY_CACHE);
    while ((path = library_cache_find(&search->places->cache, search->name, search->bits, &next)))
        if (try_file(search, path)) {
            search->cached = true;
            return true;
        }
    return false;
}

static bool try_usual_folders(struct search *search)
{
    static const char *const of_64[] = {"/lib/x86_64-linux-gnu",
                                        "/usr/lib/x86_64-linux-gnu",
                                        "/lib64",
                                        "/usr/lib64",
                                        "/lib",
                                        "/usr/lib"};
    static const char *const of_32[] = {"/lib/i386-linux-gnu",
                                        "/usr/lib/i386-linux-gnu",
                                        "/lib32",
                                        "/usr/lib32",
                                        "/lib",
                                        "/usr/lib"};
    const char *const *folders = search->bits == 64 ? of_64 : of_32;
    for (size_t i = 0; i < sizeof of_64 / sizeof of_64[0]; i++)
        if (try_folder(search, folders[i], ""))
            return true;
    return false;
}

static bool search_as_glibc(struct search *search)
{
    const struct binary *needer = &search->needer->binary;
    if (!needer->runpath && try_rpaths(search))
        return true;
    if (try_list(search, search->places->library_path, ":;", NULL, "LD_LIBRARY_PATH") ||
        try_list(search, needer->runpath, ":", search->needer, "RUNPATH"))
        return true;
    return !needer->no_default && (try_cache(search) || try_usual_folders(search));
}

/* ---- musl ------------------------------------------------------------------------------------ */

/* Names that musl's linker answers to itself. */
static bool is_musl_itself(const char *name)
{
    static const char *const parts[] = {"c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!strncmp(name, "lib", 3) && !strncmp(name + 3, parts[i], strlen(parts[i])))
            return true;
    return false;
}

/* The folders of musl's file, or its own; the caller frees them. */
static char *musl_folders(const char *interpreter)
{
    static char content[65536];
    const char *name = strrchr(interpreter, '/') + 1;
    char *path = text("/etc/%.*s.path", (int)strcspn(name, "."), name);
    FILE *file = fopen(path, "re");
    free(path);
    if (!file)
        return text("/lib:/usr/local/lib:/usr/lib");
    content[fread(content, 1, sizeof content - 1, file)] = '\0';
    fclose(file);
    return text("%s", content);
}

static bool search_as_musl(struct search *search, const char *interpreter)
{
    if (try_list(search, search->places->library_path, ":\n", NULL, "LD_LIBRARY_PATH"))
        return true;
    for (const struct library *of = search->needer; of; of = of->needer)
        if (try_list(search, of->binary.runpath ? of->binary.runpath : of->binary.rpath, ":", of,
                     of->binary.runpath ? "RUNPATH" : "RPATH"))
            return true;
    char *folders = musl_folders(interpreter);
    bool found = try_list(search, folders, ":\n", NULL, "musl's path");
    free(folders);
    return found;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static struct library *add(struct libraries *libraries, char *path, const char *name,
                           const struct library *needer, const struct binary *binary)
{
    struct library *library = must(malloc(sizeof *library));
    *library = (struct library){
        .path = path, .name = text("%s", name), .needer = needer, .binary = *binary};
    libraries->library =
        must(realloc(libraries->library, (libraries->count + 1) * sizeof(struct library *)));
    libraries->library[libraries->count++] = library;
    return library;
}

static bool is_loaded(const struct libraries *libraries, const char *name)
{
    for (size_t i = 1; i < libraries->count; i++) {
        const struct library *library = libraries->library[i];
        if (!strcmp(library->name, name) ||
            (library->binary.soname && !strcmp(library->binary.soname, name)))
            return true;
    }
    return false;
}

/* `name` for `needer`, unless it is loaded already. */
static bool find_one(struct libraries *libraries, const struct library_places *places,
                     const struct library *needer, const char *name, const char *interpreter,
                     char **complaint)
{
    if (is_loaded(libraries, name) || (is_musl(interpreter) && is_musl_itself(name)))
        return true;
    char *tried = NULL;
    size_t size;
    struct search search = {.places = places,
                            .libraries = libraries,
                            .needer = needer,
                            .name = name,
                            .bits = needer->binary.bits,
                            .tried = must(open_memstream(&tried, &size))};
    bool found = libraries->count < MOST_LIBRARIES &&
                 (strchr(name, '/')      ? try_element(&search, name, strlen(name), needer, NULL)
                  : is_musl(interpreter) ? search_as_musl(&search, interpreter)
                                         : search_as_glibc(&search));
    fclose(search.tried);
    if (found)
        add(libraries, search.found, name, needer, &search.binary)->cached = search.cached;
    else
        *complaint = text("%s, which %s needs, isn't there; looked for it in%s", name, needer->path,
                          (char *)must(tried));
    free(tried);
    return found;
}

static bool add_interpreter(struct libraries *libraries, const char *path, char **complaint)
{
    const struct library *program = libraries->library[0];
    char *tried = NULL;
    size_t size;
    struct search search = {.bits = program->binary.bits,
                            .tried = must(open_memstream(&tried, &size))};
    bool found = try_file(&search, path);
    fclose(search.tried);
    if (found)
        add(libraries, search.found, path, program, &search.binary);
    else
        *complaint =
            text("%s needs the interpreter %s, which isn't there%s%s", program->path, path,
                 strcmp(path, "/lib/ld-linux.so.2") ? "" : " (on Debian: the package libc6-i386)",
                 (char *)must(tried));
    free(tried);
    return found;
}

static bool preload(struct libraries *libraries, const struct library_places *places,
                    const char *interpreter, char **complaint)
{
    const char *list = places->preload;
    bool found = true;
    while (found && list && *list) {
        size_t length = strcspn(list, ": ");
        char *name = text("%.*s", (int)length, list);
        found = !length ||
                find_one(libraries, places, libraries->library[0], name, interpreter, complaint);
        free(name);
        list += length + (list[length] != '\0');
    }
    return found;
}

/* glibc loads it by itself when a thread is cancelled or its stack is shown. Who never does that
 * needs none, so it may be missing. */
static void add_unwinder(struct libraries *libraries, const struct library_places *places,
                         const char *interpreter)
{
    for (size_t i = 1; i < libraries->count; i++) {
        const struct library *library = libraries->library[i];
        char *complaint = NULL;
        if (strcmp(library->name, "libc.so.6"))
            continue;
        (void)find_one(libraries, places, library, "libgcc_s.so.1", interpreter, &complaint);
        free(complaint);
        return;
    }
}

bool libraries_find(struct libraries *libraries, const struct library_places *places,
                    const char *path, struct binary *binary, const char *interpreter,
                    char **complaint)
{
    *libraries = (struct libraries){0};
    *complaint = NULL;
    const char *linker = interpreter ? interpreter : binary->interpreter;
    add(libraries, text("%s", path), path, NULL, binary);
    if (linker && (!add_interpreter(libraries, linker, complaint) ||
                   !preload(libraries, places, linker, complaint)))
        return false;
    for (size_t i = 0; linker && i < libraries->count; i++) {
        const struct library *needer = libraries->library[i];
        for (size_t n = 0; n < needer->binary.needed.count; n++)
            if (!find_one(libraries, places, needer, needer->binary.needed.text[n], linker,
                          complaint))
                return false;
        if (i + 1 == libraries->count)
            add_unwinder(libraries, places, linker);
    }
    return true;
}

void libraries_free(struct libraries *libraries)
{
    for (size_t i = 0; i < libraries->count; i++) {
        struct library *library = libraries->library[i];
        binary_free(&library->binary);
        free(library->path);
        free(library->name);
        free(library);
    }
    free(libraries->library);
    *libraries = (struct libraries){0};
}
