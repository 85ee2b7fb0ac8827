/* tools/boot_program.c: runs a program of the host on a machine whose memory Quire manages
 *
 * The machine has a line for the program's output, or, when that is a terminal, for the terminal in
 * both directions; one for its errors, unless they go to the terminal as well; one for its input,
 * unless that is the terminal: a byte DLE is doubled, DLE EOT is the end; one by which the kernel
 * says how the program ended (channel.h), and one for its log. With --stats or --summary there is
 * one by which it tells of its memory (stats.h).
 *
 * The terminal is handed over whole or not at all: when the output isn't one, the input from one
 * comes line by line as from a file, and ^C ends the machine.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"
#include "channel.h"
#include "cpio.h"
#include "flow.h"
#include "image.h"
#include "machine.h"
#include "monitor.h"
#include "program.h"
#include "quire.h"
#include "stats.h"
#include "swap.h"
#include "terminal.h"

#define INITRD_GIVEN (MACHINE_FIRST_GIVEN + NR_LINES - 1) /* the child's descriptor of the disk */
#define INITRD_PATH "/dev/fd/10"
_Static_assert(INITRD_GIVEN == 10, "INITRD_PATH names it");

#define DLE 0x10
#define EOT 0x04

/* What the kernel takes for itself, at least: its image, a descriptor and more for each page. */
#define KERNEL_BYTES ((uint64_t)2 << 20)
#define KERNEL_SHARE 64

#define MOST_UNKNOWN_IN_SHORT 4u

struct standard_streams {
    const char *in, *out, *error; /* as the kernel is told: tty, data, null, folder, closed */
};

/* ---- the RAM disk ---------------------------------------------------------------------------- */

static bool fits(const struct boot *boot, uint64_t image)
{
    uint64_t kernel = KERNEL_BYTES + boot->memory / KERNEL_SHARE;
    if (boot->memory > kernel && image <= boot->memory - kernel)
        return true;
    uint64_t least = (image + KERNEL_BYTES) / (KERNEL_SHARE - 1) * KERNEL_SHARE;
    complain("the program and what it comes with take %llu KiB, and the kernel some %llu KiB: that "
             "doesn't fit into %llu MiB. Try --mem=%lluM or more",
             (unsigned long long)(image + 1023) >> 10, (unsigned long long)(kernel >> 10),
             (unsigned long long)(boot->memory >> 20), (unsigned long long)((least >> 20) + 1));
    return false;
}

/* A descriptor, or -1 after a complaint. */
static int open_initrd(const struct boot *boot, const char *name)
{
    int fd = boot->save_initrd ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
                               : memfd_create("initrd", MFD_CLOEXEC);
    if (fd < 0)
        complain("%s can't be written: %s", name, strerror(errno));
    return fd;
}

/* Writes the archive; its descriptor, or -1 after a complaint. */
static int make_initrd(const struct boot *boot, const struct tree *tree)
{
    uint64_t size;
    const char *name = boot->save_initrd ? boot->save_initrd : "the RAM disk";
    if (!cpio_size(tree, &size) || !fits(boot, size))
        return -1;
    int fd = open_initrd(boot, name);
    if (fd >= 0 && !cpio_write(tree, fd, name)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* ---- streams --------------------------------------------------------------------------------- */

static bool is_null(int fd)
{
    struct stat status;
    return fstat(fd, &status) || (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3));
}

static bool is_folder(int fd)
{
    struct stat status;
    return !fstat(fd, &status) && S_ISDIR(status.st_mode);
}

static struct standard_streams look_at_streams(void)
{
    bool terminal = isatty(STDOUT_FILENO);
    return (struct standard_streams){
        .in = stdin_was_closed                   ? "closed"
              : is_folder(STDIN_FILENO)          ? "folder"
              : is_null(STDIN_FILENO)            ? "null"
              : terminal && isatty(STDIN_FILENO) ? "tty"
                                                 : "data",
        .out = terminal ? "tty" : "data",
        .error = terminal && isatty(STDERR_FILENO) ? "tty" : "data",
    };
}

static size_t quote_input(void *arg, const char *bytes, size_t size, char *to)
{
    size_t made = 0, done = 0;
    (void)arg;
    while (done < size) {
        const char *special = memchr(bytes + done, DLE, size - done);
        size_t piece = special ? (size_t)(special - bytes) + 1 - done : size - done;
        memcpy(to + made, bytes + done, piece);
        made += piece;
        done += piece;
        if (special)
            to[made++] = DLE;
    }
    if (!size) {
        to[made++] = DLE;
        to[made++] = EOT;
    }
    return made;
}

/* 0 or -errno. */
static int open_lines(int ours[NR_LINES], int given[NR_LINES])
{
    for (int i = LINE_INPUT; i < NR_LINES; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
            fcntl(pair[0], F_SETFL, O_NONBLOCK))
            return -errno;
        ours[i] = pair[0];
        given[i - LINE_INPUT] = pair[1];
    }
    return 0;
}

/* Something for the kernel; it is short, so there is room. */
static void tell(int control, const char *format, unsigned first, unsigned second)
{
    char line[64];
    int length = snprintf(line, sizeof line, format, first, second);
    (void)!send(control, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool window_size(struct winsize *size)
{
    return !ioctl(STDOUT_FILENO, TIOCGWINSZ, size) && size->ws_row && size->ws_col;
}

static void pass_on(void *arg, int number)
{
    int control = *(const int *)arg;
    struct winsize size;
    if (window_size(&size))
        tell(control, "size %u %u\n", size.ws_row, size.ws_col);
    if (number == SIGCONT)
        tell(control, "continue\n", 0, 0);
}

static void ask_to_end(void *arg)
{
    tell(*(const int *)arg, "end\n", 0, 0);
}

/* Runs QEMU; as machine_run. */
static int run(char **qemu, const struct boot *boot, int initrd,
               const struct standard_streams *streams, const struct swap_stores *swaps,
               struct channel *channel, struct stats *stats, int events, const sigset_t *mask)
{
    int line[NR_LINES], given[MACHINE_MOST_GIVEN];
    size_t nr_given = NR_LINES;
    struct terminal_keys keys = {0};
    struct monitor monitor = {.paused = false};
    int commands;
    bool terminal = !strcmp(streams->in, "tty");
    int error = open_lines(line, given);
    if (error)
        return error;
    given[NR_LINES - 1] = initrd;
    for (unsigned i = 0; i < swaps->count; i++)
        if (swaps->store[i].fd >= 0)
            given[nr_given++] = fcntl(swaps->store[i].fd, F_DUPFD_CLOEXEC, 0);
    error = monitor_open(&commands, &given[nr_given++]);
    if (error)
        return error;
    struct flow flows[] = {
        {.from = STDIN_FILENO,
         .to = line[LINE_INPUT],
         .may_begin = &channel->ready,
         .filter = quote_input},
        {.from = line[LINE_OUTPUT], .to = STDOUT_FILENO, .to_world = true, .from_machine = true},
        {.from = line[LINE_ERRORS], .to = STDERR_FILENO, .to_world = true, .from_machine = true},
        {.from = line[LINE_CONTROL],
         .to = -1,
         .from_machine = true,
         .filter = channel_take_lines,
         .arg = channel},
        {.from = boot_wants_stats(boot) ? line[LINE_STATS] : -1,
         .to = -1,
         .from_machine = true,
         .filter = stats_take,
         .arg = stats},
        {.from = boot->events ? line[LINE_EVENTS] : -1,
         .to = events,
         .to_world = true,
         .to_file = true,
         .from_machine = true},
        {.from = line[LINE_LOG],
         .to = -1,
         .from_machine = true,
         .filter = channel_take_log,
         .arg = channel},
        {.from = commands, .to = -1, .from_machine = true, .filter = monitor_take, .arg = &monitor},
    };
    if (terminal) {
        flows[0].to = line[LINE_OUTPUT];
        flows[0].filter = terminal_filter_keys;
        flows[0].arg = &keys;
    } else if (strcmp(streams->in, "data")) {
        flows[0].from = -1;
    }
    int result = machine_run(&(struct machine_run){
        .argv = qemu,
        .mask = mask,
        .timeout_ms = boot->timeout_ms,
        .out = -1,
        .given = given,
        .nr_given = nr_given,
        .flows = flows,
        .nr_flows = sizeof flows / sizeof flows[0],
        .stop = &keys.leave,
        .paused = &monitor.paused,
        .suspend = &channel->stopped,
        .signalled = pass_on,
        .farewell = boot_wants_stats(boot) || boot->events ? ask_to_end : NULL,
        .arg = &line[LINE_CONTROL],
        .terminal = terminal ? terminal_hand_over : NULL,
        .ready = &channel->ready,
    });
    for (int i = LINE_INPUT; i < NR_LINES; i++)
        close(line[i]);
    close(commands);
    return result;
}

/* ---- its end --------------------------------------------------------------------------------- */

/* At most `most` of them by name. */
static void print_unknown(const struct channel *channel, const char *program, size_t most)
{
    size_t count = channel->unknown.count;
    if (!count)
        return;
    char *list = NULL;
    size_t size;
    FILE *to = must(open_memstream(&list, &size));
    for (size_t i = 0; i < count && i < most; i++)
        fprintf(to, "%s%s", i ? ", " : "", channel->unknown.text[i]);
    if (count > most)
        fprintf(to, ", and %zu more (-v shows all)", count - most);
    fclose(to);
    complain("%s made system calls that this machine doesn't have (and how often): %s", program,
             (char *)must(list));
    free(list);
}

/* One line, however many there were: the first is most often the one to know of. */
static void print_killed(const struct channel *channel, const struct boot *boot)
{
    size_t count = channel->killed.count;
    if (!count)
        return;
    const char *line = channel->killed.text[0];
    char *rest;
    unsigned long pid = strtoul(line, &rest, 10);
    unsigned long kib = strtoul(rest, &rest, 10);
    char *others = count > 1 ? text(", and %zu more", count - 1) : text("%s", "");
    complain("the machine's memory ran out, so%s (process %lu, which had %lu KiB) was killed%s. "
             "Try --mem with more than %lluM, or %s",
             rest, pid, kib, others, (unsigned long long)(boot->memory >> 20),
             boot->swaps.count ? "more --swap" : "--swap");
    free(others);
}

/* What the machine could not do for it, and what may help. */
static void explain_failure(const struct channel *channel, const struct boot *boot,
                            const char *program)
{
    const char *advice = "-v shows the kernel's log";
    if (!strncmp(channel->why, "unpack", 6))
        advice = "if --add names it, choose another place for it: --add=HOST:GUEST";
    if (!strncmp(channel->why, "start in", 8))
        advice = "--cwd=FOLDER names it";
    if (!strncmp(channel->why, "execute", 7))
        advice = "does --add put something else in its place, or in that of its interpreter?";
    if (channel->number == ENOMEM)
        advice = "try --mem with more";
    complain("the machine of %lluM could not start %s: it can't %s: %s (%s)",
             (unsigned long long)(boot->memory >> 20), program, channel->why,
             strerror((int)channel->number), advice);
}

/* Of a machine that ended by itself the log may say why; of one that we ended it doesn't. */
static bool log_tells_why(int result)
{
    return result >= 0 && result < MACHINE_TIMEOUT;
}

/* System calls that don't exist are nobody's business as long as programs get on without. */
static void tell_of_unknown(const struct channel *channel, const struct boot *boot,
                            const char *program)
{
    bool failed = channel->end == CHANNEL_EXITED && channel->number;
    if (boot->verbose || channel->end == CHANNEL_KILLED)
        print_unknown(channel, program, SIZE_MAX);
    else if (failed)
        print_unknown(channel, program, MOST_UNKNOWN_IN_SHORT);
}

static int end(int result, const struct boot *boot, const struct channel *channel, const char *qemu,
               const struct program *packed)
{
    const char *program = packed->path;
    int how = explain_end(result, boot, qemu);
    int status = PROGRAM_NOT_RUN;
    bool ended = how == EXIT_DONE && channel->end != CHANNEL_NOTHING;
    if (how == EXIT_DONE && channel->end == CHANNEL_NOTHING)
        complain("the machine stopped without saying how %s ended", program);
    else if (how == EXIT_DONE && channel->end == CHANNEL_FAILED)
        explain_failure(channel, boot, program);
    else if (how == EXIT_DONE && channel->end == CHANNEL_NO_SWAP)
        complain("--swap=%s: %s",
                 channel->number < boot->swaps.count ? boot->swaps.text[channel->number] : "?",
                 channel->why);
    else if (how == EXIT_DONE)
        status = channel->end == CHANNEL_EXITED ? (int)channel->number : 128 + (int)channel->number;
    else if (how == EXIT_TIMEOUT)
        status = PROGRAM_TIMEOUT;
    else if (how > 128)
        return how;
    if (!ended && log_tells_why(result))
        channel_print_log(channel);
    print_killed(channel, boot);
    tell_of_unknown(channel, boot, program);
    if (ended && channel->end == CHANNEL_EXITED)
        program_advise(packed, channel->number);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* A bit for each signal that the program is to ignore, as exec would pass it on. */
static uint64_t ignored_signals(void)
{
    uint64_t set = 0;
    for (int number = 1; number <= 64; number++)
        set |= (uint64_t)machine_signal_is_ignored(number) << (number - 1);
    return set;
}

/* The first words of the kernel's command line. */
static char *kernel_words(const struct boot *boot, const struct standard_streams *streams,
                          const struct swap_stores *swaps)
{
    char *words = NULL;
    size_t length;
    struct winsize size;
    uint64_t ignored = ignored_signals();
    FILE *to = must(open_memstream(&words, &length));
    fprintf(to, "run stdin=%s stdout=%s stderr=%s", streams->in, streams->out, streams->error);
    if (!strcmp(streams->out, "tty") && window_size(&size))
        fprintf(to, " rows=%u columns=%u", size.ws_row, size.ws_col);
    if (ignored)
        fprintf(to, " ignore=0x%llx", (unsigned long long)ignored);
    if (swaps->count)
        fprintf(to, " swap=%u", swaps->count);
    if (boot->policy)
        fprintf(to, " policy=%s", boot->policy);
    if (boot_wants_stats(boot))
        fputs(" stats", to);
    if (boot->events)
        fputs(" events", to);
    fclose(to);
    return must(words);
}

/* What QEMU is to open: those that we have opened are its descriptors behind the RAM disk's. The
 * number of the next one. */
static int name_disks(char *disks[MOST_SWAPS], const struct swap_stores *swaps)
{
    int fd = INITRD_GIVEN + 1;
    for (unsigned i = 0; i < swaps->count; i++)
        disks[i] =
            swaps->store[i].fd < 0 ? text("%s", swaps->store[i].url) : text("/dev/fd/%d", fd++);
    return fd;
}

/* How it ended, for the document and the summary. */
static const char *name_end(int result, const struct channel *channel)
{
    if (result == MACHINE_TIMEOUT)
        return "timeout";
    if (result == MACHINE_PAUSED)
        return "paused";
    if (result >= MACHINE_TIMEOUT)
        return "stopped";
    if (is_panic(result))
        return "panic";
    switch (channel->end) {
    case CHANNEL_EXITED:
        return "exited";
    case CHANNEL_KILLED:
        return "killed";
    case CHANNEL_FAILED:
    case CHANNEL_NO_SWAP:
        return "not started";
    default:
        return "unknown";
    }
}

/* A descriptor; -1: none is asked for, or after a complaint. */
static int open_events(const struct boot *boot)
{
    if (!boot->events)
        return -1;
    int fd = open(boot->events, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        complain("--events=%s: %s", boot->events, strerror(errno));
    return fd;
}

/* Each would write over what the other has. False after a complaint. */
static bool are_two_files(const struct boot *boot, int events)
{
    struct stat of_events, of_stats;
    if (!boot->stats || fstat(events, &of_events) || stat(boot->stats, &of_stats) ||
        !S_ISREG(of_events.st_mode) || of_events.st_dev != of_stats.st_dev ||
        of_events.st_ino != of_stats.st_ino)
        return true;
    complain("--stats=%s and --events=%s have to be two files", boot->stats, boot->events);
    return false;
}

/* SIGPIPE, which the caller has blocked, is the end of who has no reader of the program's output;
 * files that aren't read on are complained of. */
static void forget_pipes_of_files(int result)
{
    static const struct timespec at_once;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (result != MACHINE_UNHEARD + EPIPE)
        (void)sigtimedwait(&pipe, NULL, &at_once);
}

/* With SIGPIPE blocked; `mask` is what it was before. */
static int run_blocked_and_tell(const struct boot *boot, const struct program *program,
                                const struct standard_streams *streams,
                                const struct swap_stores *swaps, char **qemu, int initrd,
                                const sigset_t *mask)
{
    struct channel channel;
    struct stats stats;
    int events = open_events(boot);
    if (boot->events && events < 0)
        return PROGRAM_NOT_RUN;
    if ((events >= 0 && !are_two_files(boot, events)) || !stats_begin(&stats, boot)) {
        if (events >= 0)
            close(events);
        return PROGRAM_NOT_RUN;
    }
    channel_init(&channel, boot->verbose);
    channel.raw = !strcmp(streams->in, "tty");
    int result = run(qemu, boot, initrd, streams, swaps, &channel, &stats, events, mask);
    int status = end(result, boot, &channel, qemu[0], program);
    const struct stats_end how = {.how = name_end(result, &channel),
                                  .number = channel.number,
                                  .status = status,
                                  .oom_kills = &channel.killed};
    if (!stats_finish(&stats, &how, program->path))
        status = PROGRAM_NOT_RUN;
    if (events >= 0 && close(events)) {
        complain("--events=%s can't be written: %s", boot->events, strerror(errno));
        status = PROGRAM_NOT_RUN;
    }
    channel_free(&channel);
    forget_pipes_of_files(result);
    return status;
}

/* A reader that goes ends us as it ends a filter, but not before the files are written. */
static int run_and_tell(const struct boot *boot, const struct program *program,
                        const struct standard_streams *streams, const struct swap_stores *swaps,
                        char **qemu, int initrd)
{
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipe, &before);
    int status = run_blocked_and_tell(boot, program, streams, swaps, qemu, initrd, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return status;
}

/* Prints the command or runs it. `initrd`: a descriptor, whose file QEMU finds at INITRD_PATH. */
static int boot_image(const struct boot *boot, const struct program *program,
                      const struct standard_streams *streams, const struct swap_stores *swaps,
                      int initrd)
{
    char *disks[MOST_SWAPS];
    bool i386 = program->bits == 32;
    char *name = text("quire-%s%s.elf", i386 ? "i386" : "x86-64", boot->events ? "-events" : "");
    char *image = find_image(name, boot->images);
    free(name);
    if (!image)
        return PROGRAM_NOT_RUN;
    char *words = kernel_words(boot, streams, swaps);
    int monitor = name_disks(disks, swaps);
    char **qemu = qemu_arguments(
        boot, &(struct qemu_setup){.image = image,
                                   .initrd = boot->save_initrd ? boot->save_initrd : INITRD_PATH,
                                   .i386 = i386,
                                   .words = words,
                                   .first_line = MACHINE_FIRST_GIVEN,
                                   .monitor = monitor,
                                   .disks = disks,
                                   .nr_disks = swaps->count});
    free(words);
    for (unsigned i = 0; i < swaps->count; i++)
        free(disks[i]);
    free(image);
    if (boot->dry_run) {
        print_command(qemu);
        return all_written() ? PROGRAM_NOT_RUN : 0;
    }
    return run_and_tell(boot, program, streams, swaps, qemu, initrd);
}

int boot_program(const struct boot *boot)
{
    struct program program;
    struct standard_streams streams = look_at_streams();
    struct swap_stores swaps = {.count = 0};
    int status = program_pack(&program, boot, !strcmp(streams.out, "tty"));
    int initrd = status ? -1 : make_initrd(boot, &program.tree);
    if (!status && (initrd < 0 || !swap_open(&swaps, &boot->swaps)))
        status = PROGRAM_NOT_RUN;
    if (!status && (!boot->save_initrd || boot->dry_run))
        status = boot_image(boot, &program, &streams, &swaps, initrd);
    else if (initrd >= 0)
        close(initrd);
    swap_close(&swaps);
    program_free(&program);
    return status;
}
