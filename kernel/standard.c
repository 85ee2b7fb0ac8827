/* kernel/standard.c: a program's standard input, output and error, over the machine's lines */
#include "standard.h"

#include "cmdline.h"
#include "dev/lines.h"
#include "errno.h"
#include "fs/devices.h"
#include "fs/stream.h"
#include "fs/tty.h"
#include "string.h"
#include "task/signal.h"

static struct tty terminal;
static struct stream_input input;
static bool has_terminal;

/* ---- the terminal ---------------------------------------------------------------------------- */

static int64_t write_to(enum line line, const char *bytes, size_t size, bool wait)
{
    if (wait)
        return line_write_interruptible(line, bytes, size);
    size_t sent = line_try_write(line, bytes, size);
    return sent || !size ? (int64_t)sent : -EAGAIN;
}

static int64_t write_terminal(void *arg, const char *bytes, size_t size, bool wait)
{
    (void)arg;
    return write_to(LINE_OUTPUT, bytes, size, wait);
}

static bool terminal_has_room(void *arg)
{
    (void)arg;
    return line_has_room(LINE_OUTPUT);
}

static uint32_t happened_to_terminal(void *arg)
{
    (void)arg;
    return line_changes(LINE_OUTPUT);
}

static void echo_to_terminal(void *arg, const char *bytes, size_t size)
{
    (void)arg;
    (void)line_try_write(LINE_OUTPUT, bytes, size);
}

static void resume_terminal(void *arg)
{
    (void)arg;
    line_resume(LINE_OUTPUT);
}

static void signal_foreground(int pgid, int number)
{
    (void)signal_group(pgid, number, NULL);
}

static size_t terminal_receive(void *arg, const char *bytes, size_t size)
{
    size_t done = 0;
    for (; done < size && tty_room(arg); done++)
        tty_receive(arg, (unsigned char)bytes[done]);
    return done;
}

static void terminal_gone(void *arg)
{
    tty_hang_up(arg);
}

static int open_terminal(struct inode *inode, struct file *file)
{
    (void)inode;
    if (!has_terminal)
        return -ENXIO;
    tty_open(&terminal, file);
    return 0;
}

static int start_terminal(void)
{
    static const struct line_listener listener = {terminal_receive, terminal_gone, &terminal};
    const struct tty_driver driver = {.write = write_terminal,
                                      .has_room = terminal_has_room,
                                      .happened = happened_to_terminal,
                                      .echo = echo_to_terminal,
                                      .resume = resume_terminal,
                                      .signal = signal_foreground};
    if (has_terminal)
        return 0;
    has_terminal = true;
    tty_init(&terminal, &driver);
    return line_listen(LINE_OUTPUT, &listener);
}

void console_set_size(unsigned rows, unsigned columns)
{
    const struct window_size size = {.rows = (uint16_t)rows, .columns = (uint16_t)columns};
    if (has_terminal && rows && columns)
        tty_set_size(&terminal, &size);
}

void console_set_session(int sid, int pgid)
{
    terminal.sid = sid;
    terminal.pgid = pgid;
}

uint64_t console_of_session(int sid, int *pgid)
{
    bool has_one = has_terminal && sid && sid == terminal.sid;
    *pgid = has_one ? terminal.pgid : -1;
    return has_one ? device_number(TTY_MAJOR, TTY_SERIAL_MINOR) : 0;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static size_t input_receive(void *arg, const char *bytes, size_t size)
{
    return stream_receive(arg, bytes, size);
}

static void resume_input(void *arg)
{
    (void)arg;
    line_resume(LINE_INPUT);
}

static void input_gone(void *arg)
{
    stream_end(arg);
}

static int64_t write_to_line(void *arg, const char *bytes, size_t size, bool wait)
{
    return write_to(*(const enum line *)arg, bytes, size, wait);
}

static bool has_room(void *arg)
{
    return line_has_room(*(const enum line *)arg);
}

static uint32_t happened_to_line(void *arg)
{
    return line_changes(*(const enum line *)arg);
}

static int open_data(struct file **file, unsigned fd, const struct credentials *who)
{
    static const struct line_listener listener = {input_receive, input_gone, &input};
    static enum line line[3] = {LINE_INPUT, LINE_OUTPUT, LINE_ERRORS};
    static struct stream_output outputs[3] = {
        [1] = {write_to_line, has_room, happened_to_line, &line[1]},
        [2] = {write_to_line, has_room, happened_to_line, &line[2]}};
    *file = fd ? stream_open_output(&outputs[fd], who) : stream_open_input(&input, who);
    if (!*file)
        return -ENOMEM;
    if (fd)
        return 0;
    input.resume = resume_input;
    return line_listen(LINE_INPUT, &listener);
}

/* ---- the three ------------------------------------------------------------------------------- */

static int open_one(struct file **file, unsigned fd, const char *word, const struct fs_context *fs,
                    const struct credentials *who)
{
    if (string_equal(word, "data"))
        return open_data(file, fd, who);
    if (string_equal(word, "null"))
        return file_open(file, fs, who, NULL, "/dev/null", O_RDWR, 0);
    if (string_equal(word, "folder"))
        return file_open(file, fs, who, NULL, "/", O_RDONLY, 0);
    if (string_equal(word, "closed"))
        return 0;
    if (!string_equal(word, "tty"))
        return -EINVAL;
    int error = start_terminal();
    return error ? error : file_open(file, fs, who, NULL, "/dev/ttyS0", O_RDWR, 0);
}

int console_open(struct file *files[3], const char *command_line, const struct fs_context *fs,
                 const struct credentials *who)
{
    static const char *const key[3] = {"stdin", "stdout", "stderr"};
    static const char *const usual[3] = {"null", "data", "data"};
    int error = 0;
    device_register(device_number(TTY_MAJOR, TTY_SERIAL_MINOR), open_terminal);
    device_register(device_number(TTY_OTHER_MAJOR, 0), open_terminal);
    device_register(device_number(TTY_OTHER_MAJOR, 1), open_terminal);
    for (unsigned fd = 0; fd < 3; fd++)
        files[fd] = NULL;
    for (unsigned fd = 0; !error && fd < 3; fd++) {
        char word[8];
        if (!cmdline_string(command_line, key[fd], word, sizeof word))
            __builtin_memcpy(word, usual[fd], 5);
        error = open_one(&files[fd], fd, word, fs, who);
    }
    for (unsigned fd = 0; error && fd < 3; fd++) {
        file_put(files[fd]);
        files[fd] = NULL;
    }
    console_set_size((unsigned)cmdline_number(command_line, "rows", 0),
                     (unsigned)cmdline_number(command_line, "columns", 0));
    return error;
}
