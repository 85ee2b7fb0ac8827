/* malloc/process.c: which process a report is of
 *
 * The name is that of when the program started, as ps has it: read then, since a program may be
 * allowed less at its end, and may have overwritten what its C library knows it by.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "malloc/process.h"
#include "malloc/self.h"

#define COMM_BYTES 16 /* the kernel's, with a NUL or newline at its end */

static char name[COMM_BYTES] = "?";

/* It is cut anywhere, so what isn't ASCII may be no UTF-8. */
static bool is_plain(char c)
{
    return c >= ' ' && c <= '~';
}

void process_learn(void)
{
    char text[COMM_BYTES];
    long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/comm", O_RDONLY | O_CLOEXEC);
    long length = fd < 0 ? 0 : syscall(SYS_read, fd, text, sizeof text);
    if (fd >= 0)
        (void)syscall(SYS_close, fd);
    if (length < 2)
        return;
    for (long i = 0; i < length - 1; i++)
        name[i] = is_plain(text[i]) ? text[i] : '?';
    name[length - 1] = '\0';
}

const char *process_name(void)
{
    return name;
}

long process_number(void)
{
    return (long)getpid();
}
