/* tools/trace_command.h: quire trace: converting traces and looking at them */
#ifndef TOOLS_TRACE_COMMAND_H
#define TOOLS_TRACE_COMMAND_H

#include "trace.h"

struct trace_options {
    bool convert; /* or info */
    const char *in, *out;
    unsigned page_shift; /* 0: not given */
    int zstd_level;      /* 0: not compressed */
    bool has_zstd, has_output, json;
    uint64_t top; /* regions */
};

/* Ends the process on a mistake. */
void parse_trace_options(struct trace_options *options, int argc, char **argv);

/* Their exit status. */
int trace_convert(const struct trace_options *options);
int trace_info(const struct trace_options *options);

#endif
