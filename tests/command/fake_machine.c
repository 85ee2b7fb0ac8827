/* tests/command/fake_machine.c: answers where a machine would, for tests of what carries its bytes
 *
 * Started in QEMU's place, with the four ports as descriptors 3 to 6 and the RAM disk as 7. FAKE in
 * the environment says what it does; then it ends as a machine does whose program has exited
 * with 7.
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

enum { COM1 = 3, COM2, COM3, COM4, INITRD };
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
    if (read(COM3, byte, 1) != 1)
        exit(1);
    if (*byte != 0x10)
        return true;
    return read(COM3, byte, 1) == 1 && *byte == 0x10;
}

static void cat(void)
{
    char bytes[4096];
    size_t size = 0;
    while (get(&bytes[size]))
        if (++size == sizeof bytes) {
            put(COM1, bytes, size);
            size = 0;
        }
    put(COM1, bytes, size);
}

/* Keys come back one by one in brackets, until q. */
static void echo_keys(void)
{
    char key = 0, shown[16];
    say(COM1, "ready\r\n");
    while (key != 'q' && read(COM1, &key, 1) == 1) {
        snprintf(shown, sizeof shown, "[%02x]", (unsigned char)key);
        say(COM1, shown);
    }
}

/* On all ports at once, 4 MB each of output. */
static void flood(void)
{
    char line[64];
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(line, sizeof line, "%039u\n", i);
        say(COM1, line);
        say(COM2, line);
        say(COM4, line);
    }
}

static void copy_initrd(void)
{
    char bytes[65536];
    ssize_t got;
    int fd = open("/dev/fd/7", O_RDONLY);
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        put(COM1, bytes, (size_t)got);
}

/* Input that comes before it is asked for would be lost. */
static int only_what_comes_when_ready(void)
{
    struct pollfd input = {.fd = COM3, .events = POLLIN};
    say(COM4, poll(&input, 1, 300) ? "\001exit 1\n" : "\001exit 7\n");
    return DONE;
}

int main(int argc, char **argv)
{
    const char *what = getenv("FAKE");
    if (!what)
        return 2;
    say(COM4, "the kernel's log\n");
    if (strcmp(what, "deaf"))
        say(COM4, "\001ready\n");
    if (!strcmp(what, "arguments"))
        for (int i = 1; i < argc; i++) {
            say(COM1, argv[i]);
            say(COM1, "\n");
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
        return say(COM4, "\001failed 17 unpack /a/b\n"), DONE;
    else if (!strcmp(what, "oom"))
        return say(COM4, "\001oom 17 4711 hog of mine\n\001oom 18 1 b\n\001killed 9\n"), DONE;
    else if (!strcmp(what, "errors"))
        say(COM2, "an error\n");
    else if (!strcmp(what, "unknown"))
        say(COM4, "\001unknown frobnicate 3\n\001unknown 999 1\n");
    else if (!strcmp(what, "hang"))
        pause();
    else if (!strcmp(what, "deaf"))
        return only_what_comes_when_ready();
    else if (!strcmp(what, "silent"))
        return DONE;
    else if (!strcmp(what, "crash"))
        return 0;
    if (!strcmp(what, "panic")) {
        say(COM1, "before");
        say(COM4, "panic: no reason\n");
        return PANIC;
    }
    say(COM4, strcmp(what, "killed") ? "\001exit 7\n" : "\001killed 11\n");
    return DONE;
}
