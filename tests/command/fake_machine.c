/* tests/command/fake_machine.c: answers where a machine would, for tests of what carries its bytes
 *
 * Started in QEMU's place, with its lines and the log as descriptors 3 to 9 and the RAM disk
 * as 10, and the monitor as 11 where nothing is swapped to. FAKE in the environment says what it
 * does; then it ends as a machine does whose program has exited with 7.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT = 3, OUTPUT, ERRORS, CONTROL, STATS, EVENTS, LOG, INITRD, MONITOR };
enum { DONE = 33, PANIC = 37 };

static void put(int port, const char *bytes, size_t size)
{
    while (size) {
        ssize_t done = write(port, bytes, size);
        if (done < 0)
            exit(1);
        bytes += done;
        size -= (size_t)done;
    }
}

static void say(int port, const char *text)
{
    put(port, text, strlen(text));
}

/* A byte of input, as the kernel understands it; false: its end. */
static bool get(char *byte)
{
    if (read(INPUT, byte, 1) != 1)
        exit(1);
    if (*byte != 0x10)
        return true;
    return read(INPUT, byte, 1) == 1 && *byte == 0x10;
}

static void cat(void)
{
    char bytes[4096];
    size_t size = 0;
    while (get(&bytes[size]))
        if (++size == sizeof bytes) {
            put(OUTPUT, bytes, size);
            size = 0;
        }
    put(OUTPUT, bytes, size);
}

/* Keys come back one by one in brackets, until q. */
static void echo_keys(void)
{
    char key = 0, shown[16];
    say(OUTPUT, "ready\r\n");
    while (key != 'q' && read(OUTPUT, &key, 1) == 1) {
        snprintf(shown, sizeof shown, "[%02x]", (unsigned char)key);
        say(OUTPUT, shown);
    }
}

/* On all ports at once, 4 MB each of output. */
static void flood(void)
{
    char line[64];
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(line, sizeof line, "%039u\n", i);
        say(OUTPUT, line);
        say(ERRORS, line);
        say(LOG, line);
    }
}

static void copy_initrd(void)
{
    char bytes[65536];
    ssize_t got;
    int fd = open("/dev/fd/10", O_RDONLY);
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        put(OUTPUT, bytes, (size_t)got);
}

/* A line for the kernel, without its end. */
static bool is_told(const char *line)
{
    char found[64];
    size_t size = 0;
    while (size < sizeof found - 1 && read(CONTROL, found + size, 1) == 1 && found[size] != '\n')
        size++;
    found[size] = '\0';
    return !strcmp(found, line);
}

/* QEMU's monitor, asked for events first. */
static void pause_machine(void)
{
    char byte;
    do
        if (read(MONITOR, &byte, 1) != 1)
            exit(1);
    while (byte != '\n');
    say(MONITOR, "{\"QMP\": {}}\r\n{\"timestamp\": {}, \"event\": \"STOP\"}\r\n");
    pause();
}

/* Input that comes before it is asked for would be lost. */
static int only_what_comes_when_ready(void)
{
    struct pollfd input = {.fd = INPUT, .events = POLLIN};
    say(CONTROL, poll(&input, 1, 300) ? "exit 1\n" : "exit 7\n");
    return DONE;
}

/* A line that is cut, a process, one that is cut by a panic, more of them, and a part. */
static void say_stats(void)
{
    say(STATS, "vmstat {\"counters\":{\"pgfault\":30000,\"pgmaj");
    say(STATS, "\nnonsense\n\nprocess {\"pid\":3,\"name\":\"a \\\"b\",\"is_program\":true,"
               "\"minor_faults\":29988,\"major_faults\":12,\"peak_resident_pages\":2560,\"ended\":"
               "true}\n");
    say(STATS, "process {\"pid\":4,\"name\":\"c\",\"peak_resident_pages\":3000,\"ended\":false}\n");
    say(STATS, "machine {\"managed_pages\":8192,\"peak_used_pages\":5000}\n");
    say(STATS,
        "vmstat "
        "{\"counters\":{\"pgfault\":30001,\"pgmajfault\":12,\"pgfault_failed\":1,\"pswpout\":1,"
        "\"pgscan_kswapd\":300,\"pgsteal_kswapd\":100,\"pgscan_direct\":100}}\n");
}

/* Views that a panic cut behind a bracket or two, and a name that looks like one. */
static void say_cut_stats(void)
{
    say(STATS, "vmstat {\"counters\":{\"pgfault\":1}\n");
    say(STATS, "slabinfo {\"caches\":[{\"name\":\"a\"}\n");
    say(STATS, "swaps {\"areas\":[{\"name\":\"a}]}\n");
    say(STATS, "meminfo {\"a\":1}}\n");
    say(STATS, "buddyinfo {\"name\":\"}\\\"]\\\\\",\"zones\":[{}]}\n");
}

/* What is told is whole when nobody reads the output any more: it comes before that. */
static void say_stats_and_flood(void)
{
    say_stats();
    flood();
}

static void tell_events(void)
{
    static const char events[200000];
    put(EVENTS, events, sizeof events);
}

int main(int argc, char **argv)
{
    const char *what = getenv("FAKE");
    if (!what)
        return 2;
    say(LOG, "the kernel's log\n");
    if (strcmp(what, "deaf"))
        say(CONTROL, "ready\n");
    if (!strcmp(what, "arguments"))
        for (int i = 1; i < argc; i++) {
            say(OUTPUT, argv[i]);
            say(OUTPUT, "\n");
        }
    else if (!strcmp(what, "cat"))
        cat();
    else if (!strcmp(what, "keys"))
        echo_keys();
    else if (!strcmp(what, "flood"))
        flood();
    else if (!strcmp(what, "initrd"))
        copy_initrd();
    else if (!strcmp(what, "failed"))
        return say(CONTROL, "failed 17 unpack /a/b\n"), DONE;
    else if (!strcmp(what, "oom"))
        return say(CONTROL, "oom 17 4711 hog of mine\noom 18 1 b\nkilled 9\n"), DONE;
    else if (!strcmp(what, "errors"))
        say(ERRORS, "an error\n");
    else if (!strcmp(what, "stats"))
        say_stats();
    else if (!strcmp(what, "cut-stats"))
        say_cut_stats();
    else if (!strcmp(what, "stats-and-flood"))
        say_stats_and_flood();
    else if (!strcmp(what, "events"))
        tell_events();
    else if (!strcmp(what, "unknown"))
        say(CONTROL, "unknown frobnicate 3\nunknown 999 1\n");
    else if (!strcmp(what, "many-unknown"))
        say(CONTROL,
            "unknown a 1\nunknown b 1\nunknown c 1\nunknown d 1\nunknown e 1\nunknown f 2\n");
    else if (!strcmp(what, "harmless"))
        return say(CONTROL, "unknown frobnicate 3\nexit 0\n"), DONE;
    else if (!strcmp(what, "exit-126"))
        return say(CONTROL, "exit 126\n"), DONE;
    else if (!strcmp(what, "exit-127"))
        return say(CONTROL, "exit 127\n"), DONE;
    else if (!strcmp(what, "paused"))
        pause_machine();
    else if (!strcmp(what, "stopped"))
        return say(CONTROL, "stopped 19\n"),
               say(CONTROL, is_told("continue") ? "exit 7\n" : "exit 1\n"), DONE;
    else if (!strcmp(what, "no-swap")) {
        say(CONTROL, "no-swap 1 it has no swap signature\n");
        return DONE;
    } else if (!strcmp(what, "hang"))
        pause();
    else if (!strcmp(what, "deaf"))
        return only_what_comes_when_ready();
    else if (!strcmp(what, "silent"))
        return DONE;
    else if (!strcmp(what, "crash"))
        return 0;
    if (!strcmp(what, "panic")) {
        say(OUTPUT, "before");
        say(LOG, "panic: no reason\n");
        return PANIC;
    }
    say(CONTROL, strcmp(what, "killed") ? "exit 7\n" : "killed 11\n");
    return DONE;
}
