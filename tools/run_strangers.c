/* tools/run_strangers.c: children that this process had before it started the program
 *
 * As /proc/PID/task/TID/children has them (proc(5)), of the only thread. A kernel without that file
 * (CONFIG_PROC_CHILDREN) tells of none.
 */
#define _GNU_SOURCE
#include "run_strangers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "allocate.h"

static FILE *open_children(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    return fopen(path, "re");
}

void strangers_note(struct strangers *strangers)
{
    uint32_t pid;
    FILE *file = open_children();
    *strangers = (struct strangers){0};
    while (file && fscanf(file, "%" SCNu32, &pid) == 1) {
        strangers->pid =
            must(realloc(strangers->pid, (strangers->count + 1) * sizeof *strangers->pid));
        strangers->pid[strangers->count++] = pid;
    }
    if (file)
        fclose(file);
}

void strangers_free(struct strangers *strangers)
{
    free(strangers->pid);
    *strangers = (struct strangers){0};
}

bool strangers_have(const struct strangers *strangers, uint32_t pid)
{
    for (size_t i = 0; i < strangers->count; i++)
        if (strangers->pid[i] == pid)
            return true;
    return false;
}

void strangers_forget(struct strangers *strangers, uint32_t pid)
{
    for (size_t i = 0; i < strangers->count; i++)
        if (strangers->pid[i] == pid) {
            strangers->pid[i] = strangers->pid[--strangers->count];
            return;
        }
}

bool strangers_are_all(const struct strangers *strangers)
{
    uint32_t pid;
    bool are = strangers->count;
    FILE *file = are ? open_children() : NULL;
    while (file && are && fscanf(file, "%" SCNu32, &pid) == 1)
        are = strangers_have(strangers, pid);
    if (file)
        fclose(file);
    return are;
}
