/* tools/channel.c: the log of a machine, and its last words
 *
 * A machine can say as much as it likes: of the log the newest megabyte is kept, of a line for us
 * what a sensible one has, and of unknown system calls as many as there can be.
 */
#define _GNU_SOURCE
#include "channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quire.h"

#define LOG_BYTES ((size_t)1 << 20)
#define MOST_UNKNOWN 1024u
#define MOST_KILLED 1024u

void channel_init(struct channel *channel, bool echo)
{
    *channel = (struct channel){.echo = echo, .log = must(malloc(LOG_BYTES))};
}

void channel_free(struct channel *channel)
{
    texts_free(&channel->unknown);
    texts_free(&channel->killed);
    free(channel->why);
    free(channel->log);
}

/* ---- lines for us ---------------------------------------------------------------------------- */

/* The number after `word` and a space. */
static bool says(const char *line, const char *word, unsigned *number)
{
    size_t length = strlen(word);
    uint64_t value;
    if (strncmp(line, word, length) || line[length] != ' ' ||
        !parse_number(line + length + 1, 0, 255, &value))
        return false;
    *number = (unsigned)value;
    return true;
}

/* "failed ERRNO WHAT" */
static void fail(struct channel *channel, const char *line)
{
    char *what;
    channel->number = (unsigned)strtoul(line, &what, 10);
    free(channel->why);
    channel->why = text("%s", what + (*what == ' '));
    channel->end = CHANNEL_FAILED;
}

/* "no-swap NUMBER WHY" */
static void note_no_swap(struct channel *channel, const char *line)
{
    unsigned number;
    int begin = 0;
    if (sscanf(line, "no-swap %u %n", &number, &begin) != 1 || !begin || channel->why)
        return;
    channel->end = CHANNEL_NO_SWAP;
    channel->number = number;
    channel->why = text("%s", line + begin);
}

/* "stopped NUMBER". At a terminal we stop, too, and a shell says it; else it is said once, since a
 * program may be stopped as often as it likes. */
static void note_stopped(struct channel *channel, unsigned number)
{
    bool told = channel->told_of_stop;
    channel->stopped = channel->raw;
    channel->told_of_stop = true;
    if (!channel->raw && !told)
        complain("signal %u has stopped the program; kill -CONT %d lets it go on", number,
                 (int)getpid());
}

static void obey(struct channel *channel, const char *line)
{
    unsigned number;
    if (!strcmp(line, "ready"))
        channel->ready = true;
    else if (says(line, "stopped", &number))
        note_stopped(channel, number);
    else if (says(line, "exit", &channel->number))
        channel->end = CHANNEL_EXITED;
    else if (says(line, "killed", &channel->number))
        channel->end = CHANNEL_KILLED;
    else if (!strncmp(line, "failed ", 7))
        fail(channel, line + 7);
    else if (!strncmp(line, "no-swap ", 8))
        note_no_swap(channel, line);
    else if (!strncmp(line, "unknown ", 8) && channel->unknown.count < MOST_UNKNOWN)
        texts_add(&channel->unknown, text("%s", line + 8));
    else if (!strncmp(line, "oom ", 4) && channel->killed.count < MOST_KILLED)
        texts_add(&channel->killed, text("%s", line + 4));
}

static void take_byte(struct channel *channel, char byte)
{
    if (byte != '\n') {
        channel->cut |= channel->line_bytes == sizeof channel->line - 1;
        if (!channel->cut)
            channel->line[channel->line_bytes++] = byte;
        return;
    }
    channel->line[channel->line_bytes] = '\0';
    if (!channel->cut)
        obey(channel, channel->line);
    channel->line_bytes = 0;
    channel->cut = false;
}

size_t channel_take_lines(void *of, const char *bytes, size_t size, char *to)
{
    (void)to;
    for (size_t i = 0; i < size; i++)
        take_byte(of, bytes[i]);
    return 0;
}

/* ---- the log --------------------------------------------------------------------------------- */

static void log_byte(struct channel *channel, char byte)
{
    if (!channel->echo) {
        channel->log[channel->log_bytes++ % LOG_BYTES] = byte;
        return;
    }
    if (byte == '\n' && channel->raw)
        fputc('\r', stderr);
    fputc(byte, stderr);
}

size_t channel_take_log(void *of, const char *bytes, size_t size, char *to)
{
    (void)to;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != '\r')
            log_byte(of, bytes[i]);
    return 0;
}

void channel_print_log(const struct channel *channel)
{
    size_t at = (size_t)(channel->log_bytes % LOG_BYTES);
    if (channel->log_bytes > LOG_BYTES) {
        fprintf(stderr, "(the first %llu bytes are left out)\n",
                (unsigned long long)(channel->log_bytes - LOG_BYTES));
        fwrite(channel->log + at, 1, LOG_BYTES - at, stderr);
    }
    fwrite(channel->log, 1, at, stderr);
    if (channel->log_bytes && channel->log[(at + LOG_BYTES - 1) % LOG_BYTES] != '\n')
        fputc('\n', stderr);
}
