/* tests/guest/programs/say.h: how the small programs tell what a system call answered
 *
 * A program prints lines that are the same on every Linux: no addresses, process numbers, times.
 * Each compiles alone (cc -pthread FILE), and all together into one binary, in which `main` of
 * FILE.c is called program_FILE (session.c).
 */
#ifndef QUIRE_TESTS_GUEST_SAY_H
#define QUIRE_TESTS_GUEST_SAY_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define NOT_COMPARABLE 77 /* what a program ends with where Linux is too old for it */
#define UNUSED __attribute__((unused))
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Lines leave whole, so that a fork finds no half one to say again. */
__attribute__((constructor)) static void say_whole_lines(void)
{
    static char buffer[1024]; /* not malloc's: programs look at the break */
    setvbuf(stdout, buffer, _IOLBF, sizeof buffer);
}

UNUSED static const char *error_name(int error)
{
    static char text[32];
    const char *name = strerrorname_np(error);
    if (name)
        return name;
    snprintf(text, sizeof text, "errno %d", error);
    return text;
}

UNUSED static long tell(const char *what, long result)
{
    int error = errno;
    if (result == -1)
        printf("%s: %s\n", what, error_name(error));
    else
        printf("%s: %ld\n", what, result);
    errno = error;
    return result;
}

/* What a call answers: a number, or its error's name. */
#define TELL(call) tell(#call, (long)(call))
/* The same where a success has a value that isn't the same everywhere. */
#define TELL_DONE(call) tell_done(#call, (long)(call))

UNUSED static long tell_done(const char *what, long result)
{
    int error = errno;
    printf("%s: %s\n", what, result == -1 ? error_name(error) : "done");
    errno = error;
    return result;
}

UNUSED static void say_status(const char *what, int status)
{
    if (WIFEXITED(status))
        printf("%s: exited with %d\n", what, WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        printf("%s: killed by SIG%s%s\n", what, sigabbrev_np(WTERMSIG(status)),
               WCOREDUMP(status) ? ", core dumped" : "");
    else if (WIFSTOPPED(status))
        printf("%s: stopped by SIG%s\n", what, sigabbrev_np(WSTOPSIG(status)));
    else
        printf("%s: %s\n", what, WIFCONTINUED(status) ? "continued" : "nobody knows");
}

/* Runs it in a child, and says how that ended. */
UNUSED static void in_child(const char *what, void (*run)(void))
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        run();
        fflush(stdout);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        printf("%s: no child: %s\n", what, error_name(errno));
    else
        say_status(what, status);
}
#define IN_CHILD(function) in_child(#function, function)

/* ---- faults ---------------------------------------------------------------------------------- */

UNUSED static sigjmp_buf fault_return;
UNUSED static volatile int fault_signal, fault_code;
UNUSED static void *volatile fault_address;

UNUSED static void fault_handler(int signal, siginfo_t *info, void *context)
{
    (void)context;
    fault_signal = signal;
    fault_code = info->si_code;
    fault_address = info->si_addr;
    siglongjmp(fault_return, 1);
}

UNUSED static const char *fault_code_name(int signal, int code)
{
    if (signal == SIGSEGV)
        return code == SEGV_MAPERR   ? "MAPERR"
               : code == SEGV_ACCERR ? "ACCERR"
               : code == SI_KERNEL   ? "SI_KERNEL"
                                     : "?";
    return signal == SIGBUS && code == BUS_ADRERR ? "ADRERR" : "?";
}

enum fault_access { READ, WRITE, EXECUTE };

UNUSED static bool faults(void *address, enum fault_access access)
{
    struct sigaction action = {.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO}, segv, bus;
    sigaction(SIGSEGV, &action, &segv);
    sigaction(SIGBUS, &action, &bus);
    fault_signal = 0;
    if (!sigsetjmp(fault_return, 1)) {
        if (access == READ)
            (void)*(volatile char *)address;
        else if (access == WRITE)
            *(volatile char *)address = 1;
        else
            ((void (*)(void))address)();
    }
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    return fault_signal;
}

/* Tries an access, and says what came of it; the fault's address relative to the one tried. */
UNUSED static void say_access(const char *what, void *address, enum fault_access access)
{
    static const char *const names[] = {"read", "write", "execute"};
    if (faults(address, access))
        printf("%s of %s: SIG%s, %s, at %+ld\n", names[access], what, sigabbrev_np(fault_signal),
               fault_code_name(fault_signal, fault_code),
               (long)((uintptr_t)fault_address - (uintptr_t)address));
    else
        printf("%s of %s: allowed\n", names[access], what);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Anonymous private memory of so many pages, with nothing of ours before and behind it. */
UNUSED static char *pages(unsigned long count)
{
    char *at =
        mmap(NULL, (count + 2) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        printf("no memory: %s\n", error_name(errno));
        exit(1);
    }
    munmap(at, PAGE);
    munmap(at + (count + 1) * PAGE, PAGE);
    return at + PAGE;
}

/* A file in the current directory with this many bytes: each page full of its own letter. */
UNUSED static int letters(const char *name, size_t size)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    for (size_t at = 0; fd >= 0 && at < size; at += PAGE) {
        char page[PAGE];
        size_t part = size - at < PAGE ? size - at : PAGE;
        memset(page, 'a' + (int)(at / PAGE % 26), sizeof page);
        if (write(fd, page, part) != (ssize_t)part)
            printf("write of %s: %s\n", name, error_name(errno));
    }
    if (fd < 0)
        printf("%s: %s\n", name, error_name(errno));
    return fd;
}

#endif
