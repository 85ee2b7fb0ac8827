/* tests/program/streams_test.c: what goes between a machine and us, byte by byte */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "flow.h"
#include "monitor.h"
#include "quire.h"
#include "terminal.h"
#include "tests/harness/harness.h"

static unsigned nr_complaints;

void complain(const char *format, ...)
{
    (void)format;
    nr_complaints++;
}

/* ---- the channel ----------------------------------------------------------------------------- */

static void say_by(struct channel *channel, const char *text, size_t piece)
{
    for (size_t at = 0, left = strlen(text); left; at += piece, left -= piece) {
        piece = piece < left ? piece : left;
        CHECK_EQ(channel_take_lines(channel, text + at, piece, NULL), 0);
    }
}

static void the_end_is_heard_in_pieces_of_any_size(void)
{
    for (size_t piece = 1; piece < 40; piece++) {
        struct channel channel;
        channel_init(&channel, false);
        say_by(&channel, "unknown rseq 3\nmore exit 9\nkilled 11\nodd\n\n", piece);
        CHECK_EQ(channel_take_log(&channel, "log\r\nexit 9\n", 12, NULL), 0);
        CHECK_EQ(channel.end, CHANNEL_KILLED);
        CHECK_EQ(channel.number, 11);
        CHECK_EQ(channel.unknown.count, 1);
        CHECK(channel.unknown.count == 1 && !strcmp(channel.unknown.text[0], "rseq 3"));
        CHECK_EQ(channel.log_bytes, strlen("log\nexit 9\n"));
        CHECK(!memcmp(channel.log, "log\nexit 9\n", (size_t)channel.log_bytes));
        channel_free(&channel);
    }
}

static void words_that_make_no_sense_are_no_end(void)
{
    static const char *const odd[] = {"exit\n",     "exit x\n", "exit 256\n", "exit -1\n",
                                      "exited 3\n", "exit 3",   " exit 3\n"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct channel channel;
        channel_init(&channel, false);
        say_by(&channel, odd[i], 100);
        CHECK_EQ(channel.end, CHANNEL_NOTHING);
        channel_free(&channel);
    }
}

static void who_is_stopped_is_told_of_where_nobody_sees_it(void)
{
    struct channel channel;
    channel_init(&channel, false);
    nr_complaints = 0;
    say_by(&channel, "stopped 19\nstopped x\nstopped\n", 100);
    CHECK_EQ(nr_complaints, 1);
    CHECK(!channel.stopped);
    channel.raw = true;
    say_by(&channel, "stopped 20\n", 100);
    CHECK_EQ(nr_complaints, 1);
    CHECK(channel.stopped);
    CHECK_EQ(channel.end, CHANNEL_NOTHING);
    channel_free(&channel);
}

static void a_paused_machine_is_noticed(void)
{
    struct monitor monitor = {.paused = false};
    char text[] = "{\"QMP\": {}}\r\n{\"return\": {}}\r\n{\"event\": \"RESUME\"}\r\n"
                  "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\r\n";
    for (size_t i = 0; i < sizeof text - 2; i++) {
        CHECK_EQ(monitor_take(&monitor, text + i, 1, NULL), 0);
        CHECK(!monitor.paused);
    }
    CHECK_EQ(monitor_take(&monitor, "\n", 1, NULL), 0);
    CHECK(monitor.paused);
}

static void a_talkative_machine_costs_no_memory(void)
{
    struct channel channel;
    char line[3000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\0';
    channel_init(&channel, false);
    say_by(&channel, "unknown ", 100);
    say_by(&channel, line, 1000); /* too long for us: as if it weren't there */
    say_by(&channel, "\n", 1);
    CHECK_EQ(channel.unknown.count, 0);
    line[sizeof line - 1] = '\n';
    for (unsigned i = 0; i < 1000; i++)
        (void)channel_take_log(&channel, line, sizeof line, NULL);
    (void)channel_take_log(&channel, "newest\n", 7, NULL);
    CHECK_EQ(channel.log_bytes, 1000 * sizeof line + 7);
    for (unsigned i = 0; i < 5000; i++)
        say_by(&channel, "unknown a 1\n", 100);
    CHECK_EQ(channel.unknown.count, 1024);
    say_by(&channel, "exit 0\n", 100);
    CHECK_EQ(channel.end, CHANNEL_EXITED);
    channel_free(&channel);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static bool keys_become(const char *typed, const char *wanted, bool leaves)
{
    struct terminal_keys keys = {0};
    char made[64];
    size_t length = 0;
    for (; *typed && !keys.leave; typed++)
        length += terminal_filter_keys(&keys, typed, 1, made + length);
    made[length] = '\0';
    return !strcmp(made, wanted) && keys.leave == leaves;
}

static void the_escape_is_ours_and_others_pass(void)
{
    CHECK(keys_become("abc\003\004", "abc\003\004", false));
    CHECK(keys_become("a\001\001b\001ac", "a\001b\001c", false));
    CHECK(keys_become("\001z", "\001z", false));
    CHECK(keys_become("ab\001xc", "ab", true));
    CHECK(keys_become("\001\001xc", "\001xc", false));
}

/* ---- flows ----------------------------------------------------------------------------------- */

static size_t doubled(void *arg, const char *got, size_t size, char *to)
{
    (void)arg;
    for (size_t i = 0; i < size; i++)
        to[2 * i] = to[2 * i + 1] = got[i];
    if (!size)
        to[0] = to[1] = '.';
    return size ? 2 * size : 2;
}

/* Reads all that a pipe has; the number of bytes. */
static size_t drain(int fd, char *to, size_t room)
{
    size_t length = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (length < room && poll(&ready, 1, 0) > 0) {
        ssize_t got = read(fd, to + length, room - length);
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    return length;
}

/* A reader that takes little at a time gets everything, in order, and the buffer never grows. */
static void a_slow_reader_loses_nothing(void)
{
    enum { BYTES = 300000 };
    int in[2], out[2];
    static char sent[BYTES], got[2 * BYTES + 100];
    size_t put = 0, taken = 0;
    REQUIRE(!pipe2(in, O_NONBLOCK) && !pipe2(out, O_NONBLOCK));
    for (size_t i = 0; i < BYTES; i++)
        sent[i] = (char)test_random();
    struct flow flow = {.from = in[0], .to = out[1], .to_world = true, .filter = doubled};
    for (unsigned turn = 0; !flow_is_done(&flow) && turn < 1000000; turn++) {
        struct pollfd wanted;
        if (put < BYTES) {
            ssize_t done = write(in[1], sent + put, BYTES - put < 5000 ? BYTES - put : 5000);
            put += done > 0 ? (size_t)done : 0;
            if (put == BYTES)
                close(in[1]);
        }
        flow_wants(&flow, &wanted);
        if (poll(&wanted, 1, 0) > 0)
            CHECK_EQ(flow_move(&flow), 0);
        taken += drain(out[0], got + taken, test_random_below(3000));
    }
    taken += drain(out[0], got + taken, sizeof got - taken);
    REQUIRE(taken == 2 * BYTES + 2);
    for (size_t i = 0; i < BYTES; i++)
        if (got[2 * i] != sent[i] || got[2 * i + 1] != sent[i]) {
            CHECK_EQ(i, BYTES);
            break;
        }
    CHECK(got[taken - 1] == '.');
    close(in[0]);
    close(out[0]);
    close(out[1]);
}

static const struct test_case cases[] = {
    TEST_CASE(the_end_is_heard_in_pieces_of_any_size),
    TEST_CASE(words_that_make_no_sense_are_no_end),
    TEST_CASE(who_is_stopped_is_told_of_where_nobody_sees_it),
    TEST_CASE(a_paused_machine_is_noticed),
    TEST_CASE(a_talkative_machine_costs_no_memory),
    TEST_CASE(the_escape_is_ours_and_others_pass),
    TEST_CASE(a_slow_reader_loses_nothing),
    {0},
};
const struct test_suite suite_streams = {"streams", cases};
