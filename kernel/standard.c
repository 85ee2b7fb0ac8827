/* kernel/standard.c: a program's standard input, output and error, over the serial ports */
#include "standard.h"

#include "cmdline.h"
#include "fs/devices.h"
#include "fs/stream.h"
#include "fs/tty.h"
#include "serial.h"
#include "string.h"
#include "task/signal.h"

static struct tty terminal;
static struct stream_input input;
static bool has_terminal;

/* ---- the terminal on COM1 -------------------------------------------------------------------- */

static void write_to_port(void *arg, const char *bytes, size_t size)
{
    serial_write(*(const enum serial_port *)arg, bytes, size);
}

static void resume_port(void *arg)
{
    serial_resume(*(const enum serial_port *)arg);
}

static void signal_foreground(int pgid, int number)
{
    (void)signal_group(pgid, number, NULL);
}

static unsigned terminal_room(void *arg)
{
    return tty_room(arg);
}

static void terminal_receive(void *arg, unsigned char byte)
{
    tty_receive(arg, byte);
}

static int open_terminal(struct inode *inode, struct file *file)
{
    (void)inode;
    if (!has_terminal)
        return -ENXIO;
    tty_open(&terminal, file);
    return 0;
}

static enum serial_port com1 = COM1, com2 = COM2, com3 = COM3;

static void start_terminal(void)
{
    static const struct serial_listener listener = {terminal_room, terminal_receive, &terminal};
    const struct tty_driver driver = {write_to_port, resume_port, signal_foreground, &com1};
    if (has_terminal)
        return;
    has_terminal = true;
    tty_init(&terminal, &driver);
    serial_listen(COM1, &listener);
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

static unsigned input_room(void *arg)
{
    return stream_room(arg);
}

static void input_receive(void *arg, unsigned char byte)
{
    stream_receive(arg, byte);
}

static struct file *open_data(unsigned fd, const struct credentials *who)
{
    static const struct serial_listener listener = {input_room, input_receive, &input};
    static struct stream_output outputs[3] = {
        [1] = {write_to_port, &com1}, [2] = {write_to_port, &com2}};
    if (fd)
        return stream_open_output(&outputs[fd], who);
    input.resume = resume_port;
    input.arg = &com3;
    struct file *file = stream_open_input(&input, who);
    if (file)
        serial_listen(COM3, &listener);
    return file;
}

/* ---- the three ------------------------------------------------------------------------------- */

static int open_one(struct file **file, unsigned fd, const char *word, const struct fs_context *fs,
                    const struct credentials *who)
{
    if (string_equal(word, "data")) {
        *file = open_data(fd, who);
        return *file ? 0 : -ENOMEM;
    }
    if (string_equal(word, "null"))
        return file_open(file, fs, who, NULL, "/dev/null", O_RDWR, 0);
    if (!string_equal(word, "tty"))
        return -EINVAL;
    start_terminal();
    return file_open(file, fs, who, NULL, "/dev/ttyS0", O_RDWR, 0);
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
    for (unsigned port = COM1; port < NR_SERIAL_PORTS; port++)
        if (port != COM4) /* the kernel's own channel, in use already */
            serial_init((enum serial_port)port);
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
    return error;
}
