/* tests/kernel/fs_tty_test.c: a terminal's line discipline, and streams with an end in them */
#include "kernel/fs/devices.h"
#include "kernel/fs/epoll.h"
#include "kernel/fs/ioctl.h"
#include "kernel/fs/poll.h"
#include "kernel/fs/stream.h"
#include "kernel/fs/tty.h"
#include "kernel/task/signal.h"
#include "tests/kernel/fs_machine.h"

static struct tty tty;
static struct file *file;
static char shown[16384];
static size_t nr_shown;
static int last_pgid, last_signal;
static const struct fs_caller leader = {.pid = 5, .pgid = 5, .sid = 5};
static const struct fs_caller stranger = {.pid = 9, .pgid = 9, .sid = 9};

static void echo(void *arg, const char *bytes, size_t size)
{
    (void)arg;
    for (size_t i = 0; i < size && nr_shown < sizeof shown - 1; i++)
        shown[nr_shown++] = bytes[i];
    shown[nr_shown] = '\0';
}

/* How much the line takes; what is left of it. */
static size_t line_room;

static int64_t show(void *arg, const char *bytes, size_t size, bool wait)
{
    if (size > line_room && size <= 2)
        size = 0;
    size_t sent = size < line_room ? size : line_room;
    echo(arg, bytes, sent);
    line_room -= sent;
    return sent ? (int64_t)sent : wait ? -EINTR : -EAGAIN;
}

static bool has_room(void *arg)
{
    (void)arg;
    return line_room;
}

static void note_signal(int pgid, int number)
{
    last_pgid = pgid;
    last_signal = number;
}

static int open_tty(struct inode *inode, struct file *opened)
{
    (void)inode;
    tty_open(&tty, opened);
    return 0;
}

static bool tty_boot(void)
{
    static const struct tty_driver driver = {
        .write = show, .has_room = has_room, .echo = echo, .signal = note_signal};
    if (!fs_boot())
        return false;
    tty_init(&tty, &driver);
    nr_shown = 0;
    line_room = SIZE_MAX;
    last_signal = last_pgid = 0;
    device_register(device_number(TTY_MAJOR, TTY_SERIAL_MINOR), open_tty);
    file = open_or_null("/dev/ttyS0", O_RDWR);
    CHECK(file);
    return file;
}

static void tty_end(void)
{
    file_put(file);
    fs_end();
}

static void type(const char *text)
{
    while (*text)
        tty_receive(&tty, (unsigned char)*text++);
}

/* Whether a read gives exactly this. */
static bool gives(const char *text)
{
    char found[512];
    int64_t size = file_read(file, found, sizeof found - 1);
    found[size > 0 ? size : 0] = '\0';
    return size >= 0 && same_text(found, text);
}

static bool was_shown(const char *text)
{
    bool same = same_text(shown, text);
    nr_shown = 0;
    shown[0] = '\0';
    return same;
}

static void lines_are_read_when_they_are_complete(void)
{
    if (!tty_boot())
        return;
    type("he");
    CHECK_EQ(file_read(file, shown, 1), -EINTR);
    CHECK_EQ(file_poll(file) & POLLIN, 0);
    type("llo\rnext\n");
    CHECK_EQ(file_poll(file) & POLLIN, POLLIN);
    CHECK(was_shown("hello\r\nnext\r\n"));
    CHECK(gives("hello\n"));
    CHECK(gives("next\n"));
    type("long line\n");
    char part[4];
    CHECK_EQ(file_read(file, part, 4), 4);
    CHECK(gives(" line\n"));
    tty_end();
}

/* However much of the one before is left. */
static void each_line_is_news_to_who_watches_for_edges(void)
{
    struct file *epoll;
    struct epoll_event event = {POLLIN | EPOLLET, 1};
    if (!tty_boot())
        return;
    CHECK_EQ(epoll_create(&epoll, &root_user), 0);
    CHECK_EQ(epoll_change(epoll, EPOLL_CTL_ADD, file, 1, &event), 0);
    type("one\n");
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    CHECK(gives("one\n"));
    type("two\n");
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
    type("three\n");
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    file_put(epoll);
    tty_end();
}

static void lines_are_edited(void)
{
    if (!tty_boot())
        return;
    type("ab\177c\n");
    CHECK(was_shown("ab\b \bc\r\n"));
    CHECK(gives("ac\n"));
    type("wrong\025right\n");
    CHECK(gives("right\n"));
    type("one two  \027three\n");
    CHECK(gives("one three\n"));
    type("\177\177x\n");
    CHECK(gives("x\n"));
    nr_shown = 0;
    type("\001\177\n");
    CHECK(was_shown("^A\b \b\b \b\r\n"));
    CHECK(gives("\n"));
    tty_end();
}

static void the_end_of_the_input_is_read_once(void)
{
    if (!tty_boot())
        return;
    type("part\004");
    CHECK(gives("part"));
    type("\004");
    CHECK(gives(""));
    CHECK_EQ(file_read(file, shown, 1), -EINTR);
    tty_end();
}

static void keys_send_signals_to_the_foreground(void)
{
    if (!tty_boot())
        return;
    int pgid = 0;
    type("\003");
    CHECK_EQ(last_signal, 0);
    CHECK_EQ(file_ioctl(file, TIOCGPGRP, &pgid, &leader), -ENOTTY);
    CHECK_EQ(file_ioctl(file, TIOCSCTTY, NULL, &leader), 0);
    CHECK_EQ(file_ioctl(file, TIOCSCTTY, NULL, &stranger), -EPERM);
    CHECK_EQ(file_ioctl(file, TIOCGPGRP, &pgid, &leader), 0);
    CHECK_EQ(pgid, 5);
    nr_shown = 0;
    type("lost\003");
    CHECK(was_shown("lost^C"));
    CHECK_EQ(last_signal, SIGINT);
    CHECK_EQ(last_pgid, 5);
    pgid = 7;
    CHECK_EQ(file_ioctl(file, TIOCSPGRP, &pgid, &stranger), -ENOTTY);
    CHECK_EQ(file_ioctl(file, TIOCSPGRP, &pgid, &leader), 0);
    type("\034");
    CHECK_EQ(last_signal, SIGQUIT);
    CHECK_EQ(last_pgid, 7);
    type("kept\n");
    CHECK(gives("kept\n"));
    tty_end();
}

static void raw_terminals_give_what_comes(void)
{
    struct termios termios;
    int ready = 0;
    if (!tty_boot())
        return;
    CHECK_EQ(file_ioctl(file, TCGETS, &termios, &leader), 0);
    CHECK_EQ(termios.cc[VMIN], 1);
    termios.lflag &= ~(ICANON | ECHO | ISIG);
    termios.iflag &= ~ICRNL;
    type("typed ahead");
    CHECK_EQ(file_ioctl(file, TCSETS, &termios, &leader), 0);
    CHECK(gives("typed ahead"));
    nr_shown = 0;
    type("\003\177\r");
    CHECK_EQ(file_ioctl(file, FIONREAD, &ready, &leader), 0);
    CHECK_EQ(ready, 3);
    CHECK(gives("\003\177\r"));
    CHECK_EQ(nr_shown, 0);
    CHECK_EQ(file_read(file, shown, 1), -EINTR);
    termios.cc[VMIN] = 0;
    CHECK_EQ(file_ioctl(file, TCSETS, &termios, &leader), 0);
    CHECK_EQ(file_read(file, shown, 1), 0); /* its time is over */
    termios.cc[VMIN] = 5;
    CHECK_EQ(file_ioctl(file, TCSETS, &termios, &leader), 0);
    type("123");
    file->flags |= O_NONBLOCK;
    CHECK_EQ(file_read(file, shown, 10), 3);
    CHECK_EQ(file_read(file, shown, 10), -EAGAIN);
    type("x");
    CHECK_EQ(file_ioctl(file, TCSETSF, &termios, &leader), 0);
    CHECK_EQ(file_read(file, shown, 10), -EAGAIN);
    tty_end();
}

static void newlines_that_are_written_return_the_carriage(void)
{
    struct termios termios;
    if (!tty_boot())
        return;
    CHECK_EQ(file_write(file, "a\n\nb", 4), 4);
    CHECK(was_shown("a\r\n\r\nb"));
    CHECK_EQ(file_ioctl(file, TCGETS, &termios, &leader), 0);
    termios.oflag &= ~OPOST;
    CHECK_EQ(file_ioctl(file, TCSETSW, &termios, &leader), 0);
    CHECK_EQ(file_write(file, "a\n", 2), 2);
    CHECK(was_shown("a\n"));
    tty_end();
}

static void a_line_without_an_end_is_cut_and_full_queues_wait(void)
{
    if (!tty_boot())
        return;
    for (unsigned i = 0; i < 2 * TTY_QUEUE; i++) {
        CHECK(tty_room(&tty));
        tty_receive(&tty, 'x');
    }
    type("\n");
    CHECK_EQ(tty_room(&tty), 0);
    int64_t total = 0, got;
    char part[1000];
    while ((got = file_read(file, part, sizeof part)) > 0)
        total += got;
    CHECK_EQ(total, TTY_QUEUE);
    CHECK_EQ(part[total % (int64_t)sizeof part - 1], '\n');
    CHECK(tty_room(&tty));
    tty_end();
}

static void the_window_has_a_size(void)
{
    struct window_size size = {50, 132, 0, 0}, found;
    if (!tty_boot())
        return;
    CHECK_EQ(file_ioctl(file, TIOCSCTTY, NULL, &leader), 0);
    CHECK_EQ(file_ioctl(file, TIOCSWINSZ, &size, &leader), 0);
    CHECK_EQ(last_signal, SIGWINCH);
    CHECK_EQ(file_ioctl(file, TIOCGWINSZ, &found, &leader), 0);
    CHECK_EQ(found.columns, 132);
    CHECK_EQ(file_ioctl(file, 0x1234, NULL, &leader), -ENOTTY);
    tty_end();
}

/* ---- streams --------------------------------------------------------------------------------- */

static struct stream_input input;

static void send(const char *bytes, size_t size)
{
    for (size_t done = 0; done < size; done++)
        CHECK_EQ(stream_receive(&input, bytes + done, 1), 1);
}

static void a_stream_has_all_bytes_and_an_end(void)
{
    char found[64];
    if (!fs_boot())
        return;
    input = (struct stream_input){0};
    file = stream_open_input(&input, &root_user);
    REQUIRE(file);
    CHECK_EQ(file_read(file, found, sizeof found), -EINTR);
    send("a\x10\x10\x04\0b", 6);
    CHECK_EQ(file_read(file, found, sizeof found), 5);
    CHECK_EQ(found[1], 0x10);
    CHECK_EQ(found[2], 0x04);
    CHECK_EQ(found[3], 0);
    CHECK_EQ(file_poll(file), 0);
    send("last\x10\x04ignored", 13);
    CHECK_EQ(file_read(file, found, 2), 2);
    CHECK_EQ(file_read(file, found, sizeof found), 2);
    CHECK_EQ(file_read(file, found, sizeof found), 0);
    CHECK_EQ(file_read(file, found, sizeof found), 0);
    CHECK_EQ(file_poll(file), POLLHUP);
    file_put(file);
    fs_end();
}

static unsigned nr_resumed;

static void count_resume(void *arg)
{
    (void)arg;
    nr_resumed++;
}

/* A doubled byte that finds room for its first half only, or for none. */
static void a_full_stream_keeps_what_an_escape_meant(void)
{
    static char many[STREAM_BYTES];
    if (!fs_boot())
        return;
    input = (struct stream_input){0};
    file = stream_open_input(&input, &root_user);
    REQUIRE(file);
    __builtin_memset(many, 'x', sizeof many);
    CHECK_EQ(stream_receive(&input, many, sizeof many), STREAM_BYTES);
    CHECK_EQ(stream_receive(&input, "\x10\x10y\x10\x04", 5), 1);
    CHECK_EQ(file_read(file, many, 1), 1);
    CHECK_EQ(stream_receive(&input, "\x10y\x10\x04", 4), 1);
    CHECK_EQ(stream_receive(&input, "y\x10\x04", 3), 0);
    CHECK_EQ(file_read(file, many, sizeof many), STREAM_BYTES);
    CHECK_EQ(many[STREAM_BYTES - 1], 0x10);
    CHECK_EQ(stream_receive(&input, "y\x10\x04", 3), 3);
    CHECK_EQ(file_read(file, many, sizeof many), 1);
    CHECK_EQ(many[0], 'y');
    CHECK_EQ(file_read(file, many, sizeof many), 0);
    file_put(file);
    fs_end();
}

static int64_t show_some(void *arg, const char *bytes, size_t size, bool wait)
{
    return show(arg, bytes, size < 3 ? size : 3, wait);
}

static void a_full_stream_waits_until_it_is_read(void)
{
    static char many[STREAM_BYTES];
    char found[64];
    if (!fs_boot())
        return;
    input = (struct stream_input){.resume = count_resume};
    nr_resumed = 0;
    file = stream_open_input(&input, &root_user);
    REQUIRE(file);
    __builtin_memset(many, 'x', sizeof many);
    CHECK_EQ(stream_receive(&input, many, 100), 100);
    CHECK_EQ(stream_receive(&input, many, sizeof many), STREAM_BYTES - 100);
    CHECK_EQ(stream_receive(&input, many, 1), 0);
    CHECK_EQ(file_read(file, found, 10), 10);
    CHECK_EQ(nr_resumed, 1);
    CHECK_EQ(stream_receive(&input, "0123456789ab", 12), 10);
    CHECK_EQ(file_read(file, many, sizeof many), STREAM_BYTES);
    CHECK(!__builtin_memcmp(many + STREAM_BYTES - 10, "0123456789", 10));
    file_put(file);
    struct stream_output output = {.write = show_some, .has_room = has_room};
    nr_shown = 0;
    line_room = SIZE_MAX;
    file = stream_open_output(&output, &root_user);
    REQUIRE(file);
    CHECK_EQ(file_write(file, "out\n", 4), 3);
    CHECK(was_shown("out"));
    CHECK_EQ(file_read(file, found, 1), -EBADF);
    CHECK_EQ(file_poll(file), POLLOUT | POLLWRNORM);
    line_room = 0;
    CHECK_EQ(file_poll(file), 0);
    CHECK_EQ(file_write(file, "x", 1), -EINTR);
    file->flags |= O_NONBLOCK;
    CHECK_EQ(file_write(file, "x", 1), -EAGAIN);
    file_put(file);
    fs_end();
}

static void a_stream_that_breaks_is_at_its_end(void)
{
    char found[8];
    if (!fs_boot())
        return;
    input = (struct stream_input){0};
    file = stream_open_input(&input, &root_user);
    REQUIRE(file);
    CHECK_EQ(stream_receive(&input, "ab", 2), 2);
    stream_end(&input);
    CHECK_EQ(file_read(file, found, sizeof found), 2);
    CHECK_EQ(file_read(file, found, sizeof found), 0);
    file_put(file);
    fs_end();
}

static void who_writes_to_a_terminal_that_is_stuck_can_be_called_away(void)
{
    if (!tty_boot())
        return;
    CHECK_EQ(file_poll(file), POLLOUT | POLLWRNORM);
    line_room = 9;
    CHECK_EQ(file_write(file, "one\ntwo\nthree\n", 14), 7);
    CHECK(was_shown("one\r\ntwo"));
    CHECK_EQ(file_poll(file), POLLOUT | POLLWRNORM); /* one byte, and that isn't enough */
    line_room = 0;
    CHECK_EQ(file_poll(file), 0);
    CHECK_EQ(file_write(file, "\n", 1), -EINTR);
    CHECK_EQ(file_write(file, "", 0), 0);
    file->flags |= O_NONBLOCK;
    CHECK_EQ(file_write(file, "x", 1), -EAGAIN);
    tty_end();
}

static void a_terminal_that_is_gone_is_at_its_end_ever_after(void)
{
    char found[8];
    if (!tty_boot())
        return;
    type("a\n");
    tty_hang_up(&tty);
    CHECK_EQ(file_read(file, found, sizeof found), 2);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(file_read(file, found, sizeof found), 0);
    CHECK(file_poll(file) & POLLHUP);
    tty_end();
}

static const struct test_case cases[] = {
    TEST_CASE(lines_are_read_when_they_are_complete),
    TEST_CASE(each_line_is_news_to_who_watches_for_edges),
    TEST_CASE(lines_are_edited),
    TEST_CASE(the_end_of_the_input_is_read_once),
    TEST_CASE(keys_send_signals_to_the_foreground),
    TEST_CASE(raw_terminals_give_what_comes),
    TEST_CASE(newlines_that_are_written_return_the_carriage),
    TEST_CASE(a_line_without_an_end_is_cut_and_full_queues_wait),
    TEST_CASE(the_window_has_a_size),
    TEST_CASE(a_stream_has_all_bytes_and_an_end),
    TEST_CASE(a_full_stream_waits_until_it_is_read),
    TEST_CASE(a_stream_that_breaks_is_at_its_end),
    TEST_CASE(who_writes_to_a_terminal_that_is_stuck_can_be_called_away),
    TEST_CASE(a_terminal_that_is_gone_is_at_its_end_ever_after),
    TEST_CASE(a_full_stream_keeps_what_an_escape_meant),
    {0},
};
const struct test_suite suite_fs_tty = {"fs_tty", cases};
