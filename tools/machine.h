/* tools/machine.h: a child process that is a machine */
#ifndef TOOLS_MACHINE_H
#define TOOLS_MACHINE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

struct flow;

#define MACHINE_FAREWELL_MS 3000

#define MACHINE_MOST_FLOWS 8
#define MACHINE_MOST_GIVEN 16
#define MACHINE_FIRST_GIVEN 3 /* the child's number of the first descriptor that it is given */

struct machine_run {
    char **argv;
    const sigset_t *mask; /* the child's blocked signals; NULL: ours */
    unsigned timeout_ms;  /* 0: no limit */
    int out;              /* the child's stdout, which is closed here; -1: our stderr */
    int *given;           /* descriptors that it gets as 3, 4, ...; they are closed here */
    size_t nr_given;      /* at most MACHINE_MOST_GIVEN */
    struct flow *flows;   /* what goes between it and us */
    size_t nr_flows;      /* at most MACHINE_MOST_FLOWS */
    const bool *stop;     /* when this becomes true, it is ended; NULL: never */
    const bool *paused;   /* the same, since it doesn't go on by itself */
    bool *suspend; /* when this becomes true, we stop as by SIGTSTP, and it with us; NULL: never */
    /* Told of SIGWINCH, and of SIGCONT or what we were suspended for being over; NULL: nobody. */
    void (*signalled)(void *arg, int number);
    /* Asks it to end by itself, once *ready is true, before we end it: it gets MACHINE_FAREWELL_MS
     * for that. NULL: there is nothing that it would still say. */
    void (*farewell)(void *arg);
    void *arg;
    /* Called with true when the machine has the terminal: once *ready is true (NULL: from its start
     * on), and when we go on after we were suspended; with false when not: before that, and at its
     * end. NULL: it has it never. */
    void (*terminal)(bool has);
    const bool *ready;
};

/* Runs a child with our stderr and no stdin, and moves its flows, until it has ended and those from
 * it have, too; or until the timeout passes, *stop or *paused say so, we get SIGINT, SIGTERM,
 * SIGHUP or SIGQUIT, unless we ignore it, or its output can't be written, which end it: after a
 * farewell, unless that is in vain (a pause) or a second signal comes. Its flows are
 * then moved on for as long as somebody takes what comes of them. It has a process group of its
 * own: keys of a terminal are ours. Returns
 *
 *     0..255                    its exit status
 *     MACHINE_KILLED + N        it died of signal N
 *     MACHINE_TIMEOUT
 *     MACHINE_STOPPED           *stop
 *     MACHINE_PAUSED            *paused
 *     MACHINE_INTERRUPTED + N   signal N came to us
 *     MACHINE_UNHEARD + errno   its output can't be written
 *     MACHINE_UNKEPT + errno    what a flow has for a file can't be
 *     -errno                    it could not be started
 */
#define MACHINE_KILLED 256
#define MACHINE_TIMEOUT 512
#define MACHINE_STOPPED 513
#define MACHINE_PAUSED 514
#define MACHINE_INTERRUPTED 1024
#define MACHINE_UNHEARD 2048
#define MACHINE_UNKEPT 4096
int machine_run(const struct machine_run *run);

/* By who started us: it doesn't end a machine, and its program ignores it, too. */
bool machine_signal_is_ignored(int number);

#endif
