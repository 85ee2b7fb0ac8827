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

int main(void)
{
    memset(word, 'w', WORD);
    printf("131071: %d, 131072: %d\n", is_too_large(0, 131071), is_too_large(0, 131072));
    printf("8 MiB: %d, one more: %d\n", is_too_large(2078, 395), is_too_large(2078, 396));
    search("1 MiB", 1u << 20, 300);
    search("little", 256u << 10, 150);
    IN_CHILD(many_of_none);
    return 0;
}
