/* tests/guest/programs/session.c: runs many small programs in turn, in one boot or on the host
 *
 *     session [--folder=FOLDER] NAME...     each in a process and a folder of its own; none: all
 *     session --list
 *     session --only NAME WORD...           that one as it is, with these arguments
 *
 * All programs are in this binary. Each one's output stands between "##### NAME" and
 * "##### NAME: how it ended", on standard output, and what it wrote to standard error with it. A
 * program that doesn't end in time is killed, with all that it has begun.
 */
#include "say.h"

#include <sys/resource.h>
#include <sys/stat.h>

#define SECONDS 300

#define PROGRAM(name) int program_##name();
#include "list.def"
#undef PROGRAM

typedef int program_main(int argc, char **argv);

static const struct program {
    const char *name;
    program_main *run;
} programs[] = {
#define PROGRAM(name) {#name, program_##name},
#include "list.def"
#undef PROGRAM
};

static const char *self; /* begins with a slash */
static volatile pid_t running;
static volatile bool late;

static const struct program *find(const char *name)
{
    for (unsigned i = 0; i < COUNT(programs); i++)
        if (!strcmp(programs[i].name, name))
            return &programs[i];
    return NULL;
}

static void too_late(int signal)
{
    (void)signal;
    late = true;
    kill(-running, SIGKILL);
}

/* The same on every machine, whatever this shell's are. */
static void set_surroundings(void)
{
    static const struct {
        int resource;
        rlim_t value;
    } limits[] = {{RLIMIT_CORE, 0},
                  {RLIMIT_STACK, 8ul << 20},
                  {RLIMIT_NOFILE, 1024},
                  {RLIMIT_MEMLOCK, 8ul << 20}};
    for (unsigned i = 0; i < COUNT(limits); i++) {
        struct rlimit limit = {limits[i].value, limits[i].value};
        if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit))
            printf("limit %d: %s\n", limits[i].resource, error_name(errno));
    }
    sigset_t none;
    umask(022);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP)
            signal(number, SIG_DFL);
}

_Noreturn static void begin(const struct program *program, const char *folder)
{
    char *const arguments[] = {(char *)(uintptr_t)self, "--only", (char *)(uintptr_t)program->name,
                               NULL};
    setpgid(0, 0);
    dup2(1, 2);
    if (mkdir(program->name, 0755) || chdir(program->name)) {
        printf("%s/%s: %s\n", folder, program->name, error_name(errno));
        _exit(1);
    }
    execv(self, arguments);
    printf("%s: %s\n", self, error_name(errno));
    _exit(1);
}

static void run(const struct program *program, const char *folder)
{
    int status = 0;
    char how[64];
    printf("##### %s\n", program->name);
    late = false;
    running = fork();
    if (!running)
        begin(program, folder);
    setpgid(running, running);
    alarm(SECONDS);
    while (waitpid(running, &status, 0) < 0 && errno == EINTR)
        ;
    alarm(0);
    kill(-running, SIGKILL); /* what it left behind */
    snprintf(how, sizeof how, "##### %s", program->name);
    if (late)
        printf("%s: killed after %d s\n", how, SECONDS);
    else
        say_status(how, status);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *folder = "/tmp";
    int first = 1;
    const struct program *program;
    if (argc > 2 && !strcmp(argv[1], "--only") && (program = find(argv[2])))
        return program->run(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "--script")) /* process_exec.c's interpreter is this binary */
        return program_process_exec(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "--list")) {
        for (unsigned i = 0; i < COUNT(programs); i++)
            puts(programs[i].name);
        return 0;
    }
    if (argc > 1 && !strncmp(argv[1], "--folder=", 9)) {
        folder = argv[1] + 9;
        first++;
    }
    self = argv[0];
    if (chdir(folder)) {
        printf("%s: %s\n", folder, error_name(errno));
        return 1;
    }
    set_surroundings();
    signal(SIGALRM, too_late);
    for (int i = first; i < argc; i++)
        if (!find(argv[i])) {
            printf("there is no %s\n", argv[i]);
            return 2;
        }
    for (unsigned i = 0; i < COUNT(programs); i++) {
        bool wanted = first == argc;
        for (int k = first; k < argc; k++)
            wanted = wanted || !strcmp(argv[k], programs[i].name);
        if (wanted)
            run(&programs[i], folder);
    }
    return 0;
}
