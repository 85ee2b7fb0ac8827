/* tools/program.h: a program of the host, with all that it takes to run it elsewhere */
#ifndef TOOLS_PROGRAM_H
#define TOOLS_PROGRAM_H

#include "boot.h"
#include "tree.h"

struct program {
    struct tree tree;
    char *path;    /* in the machine, and here */
    unsigned bits; /* 32 or 64 */
};

/* Finds the program that was asked for and packs it, with its interpreter and libraries, what
 * --add names, and what the kernel is told (/.quire). `terminal`: its output is one. 0, or an exit
 * status after a complaint. */
int program_pack(struct program *program, const struct boot *boot, bool terminal);
/* Says on stderr what --add may help with, once a program has exited with this status, if anything.
 */
void program_advise(const struct program *program, unsigned status);
void program_free(struct program *program);

#endif
