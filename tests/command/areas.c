/* tests/command/areas.c: a process with areas of many kinds, for quire translate --pid
 *
 * Prints a line for each access to try: a name, the address, the access, the signal that a child
 * gets of it (`none`: it is done), its code, and what quire translate has to say of the page: a
 * pattern for JSON's `state`. Then the process stays until its standard input ends. A file with a
 * name is made in the folder that is the argument.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define MINE (MAP_PRIVATE | MAP_ANONYMOUS)
#define RETURN "\xc3" /* x86's RET */

static size_t page;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static char *map(size_t pages, int rights, int flags, int file)
{
    char *at = mmap(NULL, pages * page, rights, flags, file, 0);
    if (at == MAP_FAILED)
        die("mmap");
    return at;
}

static int make_file(const char *folder, const char *name, off_t bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (file < 0 || ftruncate(file, bytes))
        die(path);
    return file;
}

/* ---- what an access comes to ----------------------------------------------------------------- */

static const char *name_of(int number, int code)
{
    if (number == SIGBUS)
        return code == BUS_ADRERR ? "SIGBUS BUS_ADRERR" : "SIGBUS other";
    return code == SEGV_MAPERR   ? "SIGSEGV SEGV_MAPERR"
           : code == SEGV_ACCERR ? "SIGSEGV SEGV_ACCERR"
           : code == SEGV_PKUERR ? "SIGSEGV SEGV_PKUERR"
                                 : "SIGSEGV other";
}

static int out; /* of a child, to say what it got */

static void caught(int number, siginfo_t *info, void *context)
{
    const char *name = name_of(number, info->si_code);
    size_t length = strlen(name);
    (void)context;
    _exit(write(out, name, length) == (ssize_t)length ? 1 : 2);
}

static _Noreturn void access_as_child(volatile char *at, const char *access)
{
    static char stack[1 << 16]; /* the handler's: the stack is one of the things to try */
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    const struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&other, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    if (*access == 'r')
        (void)*at;
    else if (*access == 'w')
        *at = *at;
    else
        ((void (*)(void))(uintptr_t)at)();
    _exit(0);
}

static void try(const char *name, char *at, const char *access, const char *state)
{
    int pipes[2], status;
    char got[64] = "none none";
    if (pipe(pipes))
        die("pipe");
    pid_t child = fork();
    if (!child) {
        out = pipes[1];
        access_as_child(at, access);
    }
    close(pipes[1]);
    ssize_t length = read(pipes[0], got, sizeof got - 1);
    if (length > 0)
        got[length] = '\0';
    close(pipes[0]);
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) > 1)
        die(name);
    printf("%s 0x%" PRIxPTR " %s %s %s\n", name, (uintptr_t)at, access, got, state);
}

/* ---- areas ----------------------------------------------------------------------------------- */

static void anonymous(void)
{
    char *none = map(3, PROT_NONE, MINE, -1), *touched = map(3, RW, MINE, -1),
         *still = map(3, RW, MINE, -1), *fresh = map(3, RW, MINE, -1), *zero = map(3, RW, MINE, -1),
         *write_only = map(3, PROT_WRITE, MINE, -1);
    *touched = *still = 1;
    (void)*(volatile char *)zero;
    if (mprotect(touched, page, PROT_NONE) || mprotect(still, page, PROT_READ))
        die("mprotect");
    try("no_rights", none, "read", "no.access");
    try("no_rights_but_a_page", touched, "read", "no.access");
    try("no_rights_but_a_page", touched, "write", "no.access");
    try("read_only", still, "read", "present");
    try("read_only", still, "write", "no.access");
    try("read_only", still, "exec", "no.access");
    try("untouched", fresh, "read", "not.present");
    try("untouched", fresh, "write", "not.present");
    try("the_zero_page", zero, "read", "present");
    try("the_zero_page", zero, "write", "copy.on.write");
    try("write_only", write_only, "read", "not.present");
}

static void executable(void)
{
    char *code = map(1, RW, MINE, -1), *only = map(1, RW, MINE, -1);
    *code = *only = *RETURN;
    if (mprotect(code, page, PROT_READ | PROT_EXEC) || mprotect(only, page, PROT_EXEC))
        die("mprotect");
    try("code", code, "exec", "present");
    try("code", code, "write", "no.access");
    try("execute_only", only, "exec", "present");
    try("execute_only", only, "read", "(present|no.access)"); /* by the processor */
}

static void files(const char *folder)
{
    int file = make_file(folder, "area", 1);
    char *mine = map(2, RW, MAP_PRIVATE, file), *shared = map(2, RW, MAP_SHARED, file),
         *still = map(2, RW, MAP_PRIVATE, file);
    (void)*(volatile char *)still;
    *mine = *shared = 1;
    try("a_file_written_privately", mine, "write", "present");
    try("a_file_read_privately", still, "read", "present");
    try("a_file_read_privately", still, "write", "copy.on.write");
    try("a_shared_file", shared, "write", "present");
    try("beyond_a_private_file", mine + page, "read", "beyond");
    try("beyond_a_shared_file", shared + page + 5, "write", "beyond");
}

static void files_without_names(const char *folder)
{
    int file = make_file(folder, "deleted", (off_t)page), memory = memfd_create("areas", 0);
    char path[4096];
    snprintf(path, sizeof path, "%s/deleted", folder);
    if (unlink(path) || memory < 0 || ftruncate(memory, (off_t)page))
        die("memfd");
    char *at = map(2, RW, MAP_PRIVATE, file), *in_memory = map(2, RW, MAP_SHARED, memory);
    *at = 1;
    if (ftruncate(file, 0))
        die("ftruncate");
    try("a_deleted_file_that_was_truncated", at, "read", "beyond");
    try("memfd", in_memory, "read", "not.present");
    try("beyond_memfd", in_memory + page, "read", "beyond");
}

static void shared_memory(void)
{
    char *at = map(1, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
    at = mremap(at, page, 2 * page, MREMAP_MAYMOVE);
    if (at == MAP_FAILED)
        die("mremap");
    *at = 1;
    try("shared_memory", at, "write", "present");
    try("beyond_shared_memory", at + page, "read", "beyond");
}

/* It grows down to what is accessed below it, as far as its limit goes. */
static void stack(void)
{
    const struct rlimit limit = {4 << 20, 4 << 20};
    if (setrlimit(RLIMIT_STACK, &limit))
        die("setrlimit");
    try("low_addresses", (char *)page, "read", "no.mapping");
    char *here = (char *)((uintptr_t)__builtin_frame_address(0) & ~(page - 1));
    try("the_stack", here, "read", "present");
    try("below_the_stack", here - (800 << 10), "write", "below.the.stack");
    try("below_the_stack", here - (800 << 10), "exec", "no.access");
    try("far_below_the_stack", here - (6 << 20), "read", "no.mapping");
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    page = (size_t)sysconf(_SC_PAGESIZE);
    setvbuf(stdout, NULL, _IONBF, 0); /* nothing for a child to print again */
    anonymous();
    executable();
    files(argv[1]);
    files_without_names(argv[1]);
    shared_memory();
    stack();
    puts("end");
    return getchar() != EOF;
}
