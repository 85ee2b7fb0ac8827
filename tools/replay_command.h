/* tools/replay_command.h: what quire replay was asked for, and how it answers */
#ifndef TOOLS_REPLAY_COMMAND_H
#define TOOLS_REPLAY_COMMAND_H

#include "replay.h"

#define MAX_SIZES 4096u
#define MAX_THREADS 64u

enum replay_output { REPLAY_TABLE, REPLAY_CSV, REPLAY_JSON };

struct replay_options {
    const char *trace;
    uint64_t size[MAX_SIZES]; /* bytes, ascending and different */
    unsigned nr_sizes;
    enum replay_policy policy[REPLAY_NR_POLICIES];
    unsigned nr_policies;
    bool model;
    enum replay_output output;
    unsigned page_shift; /* 0: not given */
    uint64_t threads;
};

/* Ends the process on a mistake. */
void parse_replay_options(struct replay_options *options, int argc, char **argv);

void print_replay(const struct replay_options *options, const struct replay_run *run);

#endif
