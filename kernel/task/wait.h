/* kernel/task/wait.h: a parent learns what became of its children */
#ifndef KERNEL_TASK_WAIT_H
#define KERNEL_TASK_WAIT_H

#include "task/lifecycle.h"

enum wait_type { WAIT_ALL, WAIT_PID, WAIT_GROUP };
/* Those whose exit signal is SIGCHLD, those with another or none, or both. */
enum wait_kind { WAIT_CHILDREN, WAIT_CLONES, WAIT_ANY_KIND };

struct wait_request {
    enum wait_type type;
    enum wait_kind kind;
    int id;
    bool exited, stopped, continued; /* of what it is to be told */
    bool block, keep;                /* WNOHANG, WNOWAIT */
};

struct wait_result {
    int pid; /* 0: no news, and it doesn't wait */
    uint32_t uid;
    int status; /* as wait4 gives it */
    struct rusage_times times;
};

/* -ECHILD: there is no such child; -ERESTARTSYS. */
QUIRE_MUST_CHECK int wait_for_child(const struct wait_request *request, struct wait_result *result);

#define STATUS_DUMPED 0x80 /* of a status: with a core */

/* A zombie goes, and its parent has what it used. */
void wait_collect(struct process *child);

#endif
