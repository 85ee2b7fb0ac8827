/* tools/terminal.h: the terminal while a machine has it */
#ifndef TOOLS_TERMINAL_H
#define TOOLS_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* With true every key goes to the reader of stdin as it is (raw mode), unless we are in the
 * background; with false it is as it was before. */
void terminal_hand_over(bool to_machine);

/* Keys on their way to the machine. ^A x (*leave becomes true) is for us, as it is for QEMU. */
struct terminal_keys {
    bool escaped; /* the last one was ^A */
    bool leave;
};

/* A flow's filter, of a struct terminal_keys. */
size_t terminal_filter_keys(void *keys, const char *bytes, size_t size, char *to);

#endif
