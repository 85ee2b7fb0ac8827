/* tools/quire.h: what the subcommands share */
#ifndef TOOLS_QUIRE_H
#define TOOLS_QUIRE_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef QUIRE_VERSION
#define QUIRE_VERSION "0.1.0"
#endif

enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_PANIC = 3,     /* boot: the machine panicked */
    EXIT_TIMEOUT = 4,   /* boot: it took longer than --timeout */
    EXIT_NO_STATUS = 5, /* boot: it ended without saying how */
};

/* We were started without one; it is /dev/null now. */
extern bool stdin_was_closed;

/* One line on stderr, begun by the command's name. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* Where a command that has printed ends: EXIT_DONE, or EXIT_FAILED after a complaint when stdout
 * didn't take all of it. */
int all_written(void);

/* The options that every command has; put them last in its list. */
#define OPTION_USAGE 0x1000
#define COMMON_OPTIONS                                                                             \
    {"help", 'h', NULL, 0, "Show this and end", -1},                                               \
        {"usage", OPTION_USAGE, NULL, 0, "Show the options in short and end", -1},                 \
    {                                                                                              \
        "version", 'V', NULL, 0, "Show the version and end", -1                                    \
    }
/* Does what they say, which ends the process, when `key` is one of them; --help begins with the
 * examples. ARGP_ERR_UNKNOWN otherwise. */
error_t parse_common(int key, const struct argp *argp, const char *name, const char *examples);

/* A number of bytes: digits and an optional unit, K, M, G or T (powers of 1024), maybe with "iB"
 * or "B" behind. False: not that, or too large. */
bool parse_size(const char *text, uint64_t *size);
/* A number of bytes in the largest unit that shows it exactly: "3600 KiB". */
void format_size(char *text, size_t size, uint64_t bytes);
/* A page size that a trace may have, as its exponent. False: not that. */
bool parse_page_size(const char *text, unsigned *shift);
/* A whole number within bounds, decimal or, with 0x, hexadecimal; false: not that. Decimal ones
 * don't begin with 0: some would read them as octal, and most of those that do are hexadecimal. */
bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *number);
/* No decimal number, but what a hexadecimal one is without its 0x. */
bool looks_hexadecimal(const char *text);

/* Subcommands: their exit status. */
int command_boot(int argc, char **argv);
int command_events(int argc, char **argv);
int command_heap(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_run(int argc, char **argv);
int command_report(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_translate(int argc, char **argv);

#endif
