/* kernel/standard.h: a program's standard input, output and error, over the machine's lines
 *
 * What the command line's words stdin=, stdout= and stderr= say: tty is the terminal on the
 * output's line; data is bytes, each of its own line; null is /dev/null, folder is the root, closed
 * is nothing.
 */
#ifndef KERNEL_STANDARD_H
#define KERNEL_STANDARD_H

#include "fs/file.h"

/* The three files, each with one reference; NULL: closed. Also registers /dev/console, /dev/ttyS0
 * and /dev/tty, which are there if any of the three is tty. -EINVAL: another word; -ENOMEM. */
int console_open(struct file *files[3], const char *command_line, const struct fs_context *fs,
                 const struct credentials *who);
/* The terminal belongs to a session, whose group in the foreground its signals go to. `signal` as
 * signal_group. */
void console_set_session(int sid, int pgid);
/* The terminal has so many characters; 0: nobody knows. Also from handlers. */
void console_set_size(unsigned rows, unsigned columns);

/* The number of the terminal that is this session's, with its group in the foreground; 0: it has
 * none, and *pgid is -1. */
uint64_t console_of_session(int sid, int *pgid);

#endif
