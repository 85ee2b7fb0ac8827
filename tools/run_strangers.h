/* tools/run_strangers.h: children that this process had before it started the program
 *
 * Who calls exec keeps his children: of `server & exec quire run -- client` the server is one, and
 * what reads our output in `quire run ... > >(cat)` is another, which ends when this process does.
 */
#ifndef TOOLS_RUN_STRANGERS_H
#define TOOLS_RUN_STRANGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strangers {
    uint32_t *pid;
    size_t count;
};

/* Whoever is this process's child now. */
void strangers_note(struct strangers *strangers);
void strangers_free(struct strangers *strangers);
bool strangers_have(const struct strangers *strangers, uint32_t pid);
/* One of them was waited for: its number may be given to another. */
void strangers_forget(struct strangers *strangers, uint32_t pid);
/* This process has no other children. */
bool strangers_are_all(const struct strangers *strangers);

#endif
