/* kernel/cmdline.h: words of the command line: "word" or "name=value", separated by spaces */
#ifndef KERNEL_CMDLINE_H
#define KERNEL_CMDLINE_H

#include <quire/types.h>

/* The value of `name`: NULL when the word isn't there, "" when it has no value. Not terminated but
 * by a space or the end; `length` is its length. */
const char *cmdline_find(const char *command_line, const char *name, size_t *length);

static inline bool cmdline_has(const char *command_line, const char *name)
{
    size_t length;
    return cmdline_find(command_line, name, &length) != NULL;
}

/* The first word from `line` on whose name isn't one of `known` (NULL-terminated): where it begins,
 * its length with its value; NULL: all are known. */
const char *cmdline_find_unknown(const char *line, const char *const *known, size_t *length);

/* The value as a number, decimal or with 0x; `otherwise` when there is none. */
uint64_t cmdline_number(const char *command_line, const char *name, uint64_t otherwise);

/* Copies the value with its NUL, cut to `size`. False when the word isn't there or has no value. */
bool cmdline_string(const char *command_line, const char *name, char *to, size_t size);

#endif
