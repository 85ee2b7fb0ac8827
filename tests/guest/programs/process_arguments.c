/* How much a new program may be given */
#include "say.h"

#include <sys/resource.h>

#define WORD 1000

static char *words[8000], *none[] = {NULL};
static char word[WORD + 1], large[140000];

/* Of `count` words, and one of `more` bytes; what exec says, or what it exited with. */
static int begin(unsigned count, size_t more)
{
    int status;
    unsigned nr = 0;
    words[nr++] = "session";
    words[nr++] = "--list";
    memset(large, 'x', sizeof large);
    large[more] = '\0';
    for (unsigned i = 0; i < count; i++)
        words[nr++] = word;
    words[nr++] = large;
    words[nr] = NULL;
    pid_t pid = fork();
    if (!pid) {
        int fd = open("/dev/null", O_WRONLY);
        dup2(fd, 1);
        dup2(fd, 2);
        execve("/proc/self/exe", words, none);
        _exit(errno == E2BIG ? 77 : errno);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_too_large(unsigned count, size_t more)
{
    return begin(count, more) == 77;
}

/* Strings of no bytes cost their pointers. */
static void many_of_none(void)
{
    enum { MANY = 100000 };
    char **many = calloc(MANY + 1, sizeof *many);
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = 1 << 20;
    TELL(setrlimit(RLIMIT_STACK, &limit));
    for (unsigned i = 0; many && i < MANY; i++)
        many[i] = "";
    TELL(execve("/proc/self/exe", many, none));
}

/* The most words, and then the most bytes, that are taken. */
static void search(const char *what, rlim_t stack, unsigned high)
{
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    struct rlimit now = {stack, limit.rlim_max};
    if (setrlimit(RLIMIT_STACK, &now))
        printf("%s: %s\n", what, error_name(errno));
    unsigned low = 0;
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        *(is_too_large(middle, 1) ? &high : &low) = middle;
    }
    size_t least = 1, most = 2 * WORD;
    while (most - least > 1) {
        size_t middle = (least + most) / 2;
        *(is_too_large(low, middle) ? &most : &least) = middle;
    }
    printf("%s: %u words, and %zu bytes\n", what, low, least);
    setrlimit(RLIMIT_STACK, &limit);
}

/* ---- /proc/PID/cmdline ----------------------------------------------------------------------- */

static void say_cmdline(const char *what, const char *path)
{
    char text[8192];
    int fd = open(path, O_RDONLY);
    ssize_t size = read(fd, text, sizeof text);
    printf("%s: %d bytes:", what, (int)size);
    for (ssize_t i = 0; i < size && i < 60; i++)
        putchar(text[i] ? text[i] : '|');
    putchar('\n');
    if (size > 1) {
        ssize_t rest = pread(fd, text, sizeof text, size - 2);
        printf("the last of it: %d, nothing behind: %d\n", (int)rest,
               (int)pread(fd, text, sizeof text, size));
    }
    close(fd);
}

#define OWN "/proc/self/cmdline"
static char *first_argument;
static size_t arguments_size;

/* What a program writes over its arguments is told; over the last byte, also what comes behind. */
static void titles(void)
{
    say_cmdline("short", OWN);
    first_argument[0] = 'X';
    say_cmdline("another", OWN);
    memset(first_argument, 'y', arguments_size);
    strcpy(first_argument + arguments_size, "zz");
    say_cmdline("into the environment", OWN);
    first_argument[5] = '\0';
    say_cmdline("a NUL in it", OWN);
    memset(first_argument, 'q', 6000);
    say_cmdline("a page", OWN);
    _exit(0);
}

static void of_a_zombie(void)
{
    char path[32];
    pid_t pid = fork();
    if (!pid)
        _exit(0);
    waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    say_cmdline("a zombie", path);
    waitpid(pid, NULL, 0);
}

static void names(void)
{
    static char long_one[7000], *environment[] = {long_one, NULL};
    memset(long_one, 'E', sizeof long_one - 1);
    execve("/proc/self/exe",
           (char *[]){"session", "--only", "process_arguments", "title", "one two", NULL},
           environment);
}

int main(int argc, char **argv)
{
    /* In a session two words less are passed on. */
    char **title = argc > 3 ? argv + 3 : argc > 2 ? argv + 2 : NULL;
    if (argc > 3 && !strcmp(argv[2], "title"))
        title = argv + 2;
    if (title && !strcmp(*title, "title")) {
        first_argument = title[-3];
        arguments_size = (size_t)(title[1] + strlen(title[1]) + 1 - first_argument);
        titles();
    }
    IN_CHILD(names);
    of_a_zombie();
    memset(word, 'w', WORD);
    printf("131071: %d, 131072: %d\n", is_too_large(0, 131071), is_too_large(0, 131072));
    printf("8 MiB: %d, one more: %d\n", is_too_large(2078, 395), is_too_large(2078, 396));
    search("1 MiB", 1u << 20, 300);
    search("little", 256u << 10, 150);
    IN_CHILD(many_of_none);
    return 0;
}
