/* tools/program_advice.c: what more a program may have wanted that failed
 *
 * What a program starts, or its language's library, isn't found out beforehand: no file says it. So
 * its end is looked at: 127 and 126 are what shells and env(1) end with when there is no such
 * program, or none that can be executed; and an interpreter without its library ends somehow.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "program.h"
#include "quire.h"

struct search {
    const struct tree *tree;
    char *library; /* of an interpreter that the machine has, and isn't there; NULL: none yet */
};

/* Python's is named for the program, beside its folder: /usr/bin/python3.11, /usr/lib/python3.11.
 */
static bool has_its_library(void *arg, const struct node *node)
{
    struct search *search = arg;
    struct stat status;
    const char *name = strrchr(node->path, '/');
    if (!S_ISREG(node->mode) || strncmp(name, "/python", 7) || !strchr(name, '.'))
        return true;
    const char *folder = memrchr(node->path, '/', (size_t)(name - node->path));
    char *library = text("%.*s/lib%s", folder ? (int)(folder - node->path) : 0, node->path, name);
    if (!stat(library, &status) && S_ISDIR(status.st_mode) && !tree_find(search->tree, library)) {
        search->library = library;
        return false;
    }
    free(library);
    return true;
}

void program_advise(const struct program *program, unsigned status)
{
    struct search search = {.tree = &program->tree};
    if (status && !tree_walk(search.tree, has_its_library, &search))
        complain("%s ended with status %u; the machine hasn't got its language's library: "
                 "--add=%s packs it",
                 program->path, status, search.library);
    else if (status == PROGRAM_NOT_FOUND || status == PROGRAM_NOT_EXECUTABLE)
        complain("%s ended with status %u, as shells do when there is no such program%s: the "
                 "machine has only what was packed. --add=PROGRAM, such as --add=/bin/ls, packs "
                 "one that is started from within",
                 program->path, status, status == PROGRAM_NOT_FOUND ? "" : " that can be executed");
    free(search.library);
}
