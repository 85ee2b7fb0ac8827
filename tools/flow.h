/* tools/flow.h: bytes on their way from one descriptor to another
 *
 * What was read is written before more is read, so that a slow reader slows who writes, nothing is
 * lost, and memory doesn't grow.
 */
#ifndef TOOLS_FLOW_H
#define TOOLS_FLOW_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define FLOW_BYTES PIPE_BUF /* as much as a pipe that can be written to takes at once */

struct flow {
    int from;          /* -1: it has ended */
    int to;            /* -1: nowhere; `filter` keeps what it wants */
    bool to_world;     /* to somebody who expects all of it: a failure to write ends the machine.
                          Otherwise     to the machine, which needn't read it */
    bool lost;         /* a write failed: what comes from now on is read, and goes nowhere */
    bool to_file;      /* the world is a file, not who reads what the program says */
    bool from_machine; /* its end is waited for */
    const bool *may_begin; /* nothing is read before this is true; NULL: at once */
    /* Makes of `size` bytes that were read (0: the end) what is written, at most twice as much and
     * 2 bytes more, and returns how much that is; NULL: they stay as they are. */
    size_t (*filter)(void *arg, const char *bytes, size_t size, char *to);
    void *arg;
    size_t begin, end; /* of `bytes`, what is still to be written */
    char bytes[FLOW_BYTES];
};

struct pollfd;

/* What to wait for before flow_move can do something; a descriptor of -1: for nothing, ever. */
void flow_wants(const struct flow *flow, struct pollfd *wanted);

/* After poll has found what was wanted: reads or writes once. 0, or the errno of a write that
 * failed for good. */
int flow_move(struct flow *flow);

static inline bool flow_has_text(const struct flow *flow)
{
    return flow->begin < flow->end;
}

static inline bool flow_is_done(const struct flow *flow)
{
    return flow->from < 0 && !flow_has_text(flow);
}

#endif
