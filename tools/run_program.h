/* tools/run_program.h: the program that quire run starts */
#ifndef TOOLS_RUN_PROGRAM_H
#define TOOLS_RUN_PROGRAM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "allocate.h"

enum run_status { RUN_FAILED = 125, RUN_NOT_EXECUTABLE = 126, RUN_NOT_FOUND = 127 };

struct run_program {
    char **argv;
    char *path; /* NULL: there is none of that name */
    int error;  /* of looking for it */
    unsigned bits;
    char *obstacle; /* why no library can be loaded before it, as a sentence goes on; NULL: none */
};

/* Finds it as execvp does, and looks at it. */
void run_program_find(struct run_program *program, char **argv);
void run_program_free(struct run_program *program);

/* A library to be loaded first: LD_PRELOAD with it before what is there. */
char *run_preload(const char *library);

/* What the program gets of them. */
struct run_signals {
    sigset_t mask;
    struct sigaction of_children;
};

struct run_start {
    char **argv;
    const char *preload, *quire_malloc; /* the variables; NULL: as they are */
    int in, out, err;                   /* -1: as ours */
    const struct run_signals *signals;
};
/* Its number, or -errno. `is_own`: the error isn't that it can't be executed, but that this process
 * can't have another one, or a pipe. */
pid_t run_start(const struct run_start *start, bool *is_own);
/* What a shell says of an end: 128 + n for signal n. */
int run_exit_status(int status);
/* What a shell says when it can't be executed. */
int run_error_status(int error);

/* A heap: `name` is quire, none, that of a library that is known or a path. */
struct run_heap {
    const char *name; /* as the user says it */
    char *path;       /* NULL: the program's own */
    bool is_quire;
};
/* False: `complaint` says why not, and what to do. */
bool run_heap_find(struct run_heap *heap, const char *name, char **complaint);
void run_heap_free(struct run_heap *heap);

#endif
