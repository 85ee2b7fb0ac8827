/* tools/trace_convert.c: quire trace convert: a trace in the compact form
 *
 * A file appears under its name when it is whole: until then it has another name beside it, which
 * goes away when something fails. So what was there before is lost only to a good trace, and may be
 * the one that is read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quire.h"
#include "trace_command.h"

struct output {
    const char *name;
    int fd;
};

static char temporary[PATH_MAX]; /* empty: the output is written in place */

static void remove_temporary(int number)
{
    unlink(temporary);
    signal(number, SIG_DFL);
    raise(number);
}

/* As open would have created it. */
static void set_mode(int fd)
{
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(fd, 0666 & ~mask))
        complain("%s: its mode can't be set: %s", temporary, strerror(errno));
}

static bool open_output(struct output *output, const char *path)
{
    struct stat status;
    *output = (struct output){path, STDOUT_FILENO};
    if (!strcmp(path, "-")) {
        output->name = "standard output";
        if (isatty(STDOUT_FILENO))
            complain("the compact form isn't for a terminal: name a file");
        return !isatty(STDOUT_FILENO);
    }
    if (!stat(path, &status) && !S_ISREG(status.st_mode)) {
        output->fd = open(path, O_WRONLY | O_CLOEXEC);
    } else if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) <
               sizeof temporary) {
        output->fd = mkostemp(temporary, O_CLOEXEC);
    } else {
        errno = ENAMETOOLONG;
        output->fd = -1;
    }
    if (output->fd < 0) {
        complain("%s: %s", path, strerror(errno));
        *temporary = '\0';
        return false;
    }
    if (*temporary) {
        signal(SIGINT, remove_temporary);
        signal(SIGTERM, remove_temporary);
        signal(SIGHUP, remove_temporary);
        set_mode(output->fd);
    }
    return true;
}

/* Gives the output its name, or takes it away. */
static int close_output(struct output *output, bool ok)
{
    if (output->fd >= 0 && close(output->fd) && ok) {
        complain("%s can't be written: %s", output->name, strerror(errno));
        ok = false;
    }
    if (*temporary && ok && rename(temporary, output->name)) {
        complain("%s: %s", output->name, strerror(errno));
        ok = false;
    }
    if (*temporary && !ok)
        unlink(temporary);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

static bool copy(struct trace_reader *reader, struct trace_writer *writer,
                 struct trace_error *error)
{
    static struct trace_run runs[TRACE_BATCH];
    ssize_t count;
    while ((count = trace_read(reader, runs, error)) > 0)
        if (!trace_write(writer, runs, (size_t)count, error))
            return false;
    return !count && trace_writer_finish(writer, error);
}

int trace_convert(const struct trace_options *options)
{
    struct trace_error error;
    struct output output;
    struct trace_reader *reader = trace_open(options->in, options->page_shift, &error);
    if (!reader) {
        complain("%s", error.text);
        return EXIT_FAILED;
    }
    if (!open_output(&output, options->out)) {
        trace_close(reader);
        return EXIT_FAILED;
    }
    struct trace_writer *writer = trace_writer_new(
        output.fd, output.name, trace_reader_page_shift(reader), options->zstd_level, &error);
    bool ok = writer && copy(reader, writer, &error);
    if (!ok)
        complain("%s", error.text);
    else if (isatty(STDERR_FILENO) && output.fd != STDOUT_FILENO)
        complain("%llu bytes became %llu; next: quire replay --model --mem 1M..64M %s",
                 (unsigned long long)trace_reader_bytes(reader),
                 (unsigned long long)trace_writer_bytes(writer), options->out);
    trace_writer_free(writer);
    trace_close(reader);
    return close_output(&output, ok);
}
