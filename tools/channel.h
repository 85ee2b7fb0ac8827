/* tools/channel.h: what a machine tells the tool, beside what its program says
 *
 * Lines of text are the kernel's log. Those that begin with a byte 1 are for us (docs/machine.md):
 * how the program ended, what was killed for want of memory, and which system calls it wanted that
 * don't exist.
 */
#ifndef TOOLS_CHANNEL_H
#define TOOLS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocate.h"

enum channel_end { CHANNEL_NOTHING, CHANNEL_EXITED, CHANNEL_KILLED, CHANNEL_FAILED };

struct channel {
    enum channel_end end;
    unsigned number;      /* its exit status, or the signal's number, or errno */
    char *failed;         /* what could not be done, so that it wasn't started */
    struct texts unknown; /* "NAME COUNT" */
    struct texts killed;  /* for want of memory: "PID KIB NAME" */
    bool ready;           /* it takes input; what comes earlier is lost */
    bool echo;            /* the log goes to stderr as it comes; nothing is kept */
    bool raw;             /* stderr is a terminal that doesn't return its carriage itself */
    char *log;            /* the newest LOG_BYTES of it, as a ring */
    uint64_t log_bytes;   /* all that there were */
    size_t line_bytes;    /* of the line that is coming in */
    char line[256];
    bool ours, cut; /* it begins with a 1; it is longer than `line` */
};

void channel_init(struct channel *channel, bool echo);
void channel_free(struct channel *channel);

/* A flow's filter: takes everything and passes nothing on. */
size_t channel_take(void *channel, const char *bytes, size_t size, char *to);

/* Writes what is kept of the log to stderr. */
void channel_print_log(const struct channel *channel);

#endif
