/* tools/binary.h: what an ELF file says of itself */
#ifndef TOOLS_BINARY_H
#define TOOLS_BINARY_H

#include <stdbool.h>

#include "allocate.h"

#define BINARY_WHY_BYTES 160

struct binary {
    unsigned bits;     /* 32: i386; 64: x86-64 */
    bool runs;         /* its type is one that can be executed, or loaded: not an object file */
    char *interpreter; /* PT_INTERP; NULL: it starts by itself */
    struct texts needed;
    char *rpath, *runpath, *soname; /* NULL: none */
    bool no_default;                /* DF_1_NODEFLIB: its libraries aren't in the usual folders */
};

enum binary_result {
    BINARY_READ,
    BINARY_NOT_ELF, /* something else */
    BINARY_FOREIGN, /* of a machine that isn't i386 or x86-64 */
    BINARY_BROKEN,  /* cut off, or makes no sense */
    BINARY_UNREAD,  /* can't be read, or this quire was built without libelf */
};

/* Reads what is at `fd`, a file. Whatever it holds, this returns; what isn't BINARY_READ has a
 * reason in `why`, which goes on from the file's name ("is cut off"). */
enum binary_result binary_read(struct binary *binary, int fd, char why[BINARY_WHY_BYTES]);
void binary_free(struct binary *binary);

#endif
