/* tools/channel.h: what a machine tells the tool, beside what its program says
 *
 * The kernel's log, and lines for us (docs/machine.md): how the program ended, what was killed for
 * want of memory, and which system calls it wanted that don't exist.
 */
#ifndef TOOLS_CHANNEL_H
#define TOOLS_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocate.h"

enum channel_end {
    CHANNEL_NOTHING,
    CHANNEL_EXITED,
    CHANNEL_KILLED,
    CHANNEL_FAILED,
    CHANNEL_NO_SWAP
};

struct channel {
    enum channel_end end;
    unsigned number;      /* its exit status, the signal's number, errno, or of the swap area */
    char *why;            /* of CHANNEL_FAILED, what can't be done; of CHANNEL_NO_SWAP; else NULL */
    struct texts unknown; /* "NAME COUNT" */
    struct texts killed;  /* for want of memory: "PID KIB NAME" */
    bool stopped;         /* a signal stopped the program, at a terminal: the reader sets it back */
    bool told_of_stop;    /* to the user */
    bool ready;           /* it takes input; what comes earlier is lost */
    bool echo;            /* the log goes to stderr as it comes; nothing is kept */
    bool raw;             /* stderr is a terminal that doesn't return its carriage itself */
    char *log;            /* the newest LOG_BYTES of it, as a ring */
    uint64_t log_bytes;   /* all that there were */
    size_t line_bytes;    /* of the line for us that is coming in */
    char line[256];
    bool cut; /* it is longer than `line` */
};

void channel_init(struct channel *channel, bool echo);
void channel_free(struct channel *channel);

/* Flows' filters, of the lines and of the log: they take everything and pass nothing on. */
size_t channel_take_lines(void *channel, const char *bytes, size_t size, char *to);
size_t channel_take_log(void *channel, const char *bytes, size_t size, char *to);

/* Writes what is kept of the log to stderr. */
void channel_print_log(const struct channel *channel);

#endif
