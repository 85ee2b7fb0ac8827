/* tools/libraries.h: the libraries that a program is loaded with */
#ifndef TOOLS_LIBRARIES_H
#define TOOLS_LIBRARIES_H

#include <stdbool.h>
#include <stddef.h>

#include "binary.h"
#include "library_cache.h"

/* Where libraries are looked for, the same for all programs of a machine. */
struct library_places {
    struct library_cache cache;
    const char *library_path; /* the machine's LD_LIBRARY_PATH; NULL: none */
    const char *preload;      /* its LD_PRELOAD; NULL: none */
};

struct library {
    char *path;                   /* absolute, as the dynamic linker would open it */
    char *name;                   /* what it was asked for by */
    const struct library *needer; /* who asked first; NULL: the program */
    struct binary binary;
    bool cached; /* the cache named it */
};

/* The program first, then its interpreter, then libraries in the order in which the dynamic linker
 * loads them. */
struct libraries {
    struct library **library;
    size_t count;
};

/* Finds everything that the program at `path`, which takes over `binary`, is loaded with. False:
 * some library isn't there; `complaint` has the reason, which the caller frees. Either way the list
 * has what was found. `interpreter` NULL: what the program names. */
bool libraries_find(struct libraries *libraries, const struct library_places *places,
                    const char *path, struct binary *binary, const char *interpreter,
                    char **complaint);
void libraries_free(struct libraries *libraries);

#endif
