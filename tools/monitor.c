/* tools/monitor.c: whether QEMU has paused the machine, as its monitor says */
#define _GNU_SOURCE
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int monitor_open(int *ours, int *given)
{
    static const char begin[] = "{\"execute\": \"qmp_capabilities\"}\n";
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return -errno;
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) ||
        write(pair[0], begin, sizeof begin - 1) != (ssize_t)sizeof begin - 1) {
        int error = errno;
        close(pair[0]);
        close(pair[1]);
        return -error;
    }
    *ours = pair[0];
    *given = pair[1];
    return 0;
}

size_t monitor_take(void *of, const char *bytes, size_t size, char *to)
{
    struct monitor *monitor = of;
    (void)to;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != '\n') {
            if (monitor->line_bytes < sizeof monitor->line - 1)
                monitor->line[monitor->line_bytes++] = bytes[i];
            continue;
        }
        monitor->line[monitor->line_bytes] = '\0';
        monitor->paused |= strstr(monitor->line, "\"event\": \"STOP\"") != NULL;
        monitor->line_bytes = 0;
    }
    return 0;
}
