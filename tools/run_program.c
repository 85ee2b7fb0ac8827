/* tools/run_program.c: finds a program, looks whether a library can be loaded before it, starts it
 *
 * A dynamic linker that can't load a library of LD_PRELOAD says so on the program's stderr and goes
 * on (glibc's) or ends (musl's); and a program with more rights than its caller isn't let have one.
 * So it is looked at first, through up to MOST_SCRIPTS interpreters of scripts.
 */
#define _GNU_SOURCE
#include "run_program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "binary.h"

#define MOST_SCRIPTS 4

/* ---- finding it ------------------------------------------------------------------------------ */

static bool is_executable(const char *path, int *error)
{
    struct stat status;
    if (stat(path, &status)) {
        *error = *error == EACCES ? EACCES : errno;
        return false;
    }
    if (S_ISREG(status.st_mode) && !access(path, X_OK))
        return true;
    *error = EACCES;
    return false;
}

static char *find_path(const char *name, int *error)
{
    const char *folders = getenv("PATH");
    *error = ENOENT;
    if (strchr(name, '/'))
        return is_executable(name, error) ? text("%s", name) : NULL;
    folders = folders ? folders : "/bin:/usr/bin";
    while (*name) {
        size_t length = strcspn(folders, ":");
        char *path = text("%.*s%s%s", (int)length, folders, length ? "/" : "./", name);
        if (is_executable(path, error))
            return path;
        free(path);
        folders += length;
        if (!*folders++)
            break;
    }
    return NULL;
}

/* ---- what it is ------------------------------------------------------------------------------ */

/* The path of a script's interpreter; NULL: it is no script. */
static char *interpreter_of(int file)
{
    char line[PATH_MAX];
    ssize_t length = pread(file, line, sizeof line - 1, 0);
    if (length < 3 || line[0] != '#' || line[1] != '!')
        return NULL;
    line[length] = '\0';
    line[strcspn(line, "\n")] = '\0';
    const char *path = line + 2 + strspn(line + 2, " \t");
    return text("%.*s", (int)strcspn(path, " \t"), path);
}

static bool has_more_rights(int file)
{
    struct stat status;
    if (fstat(file, &status))
        return false;
    return ((status.st_mode & S_ISUID) && status.st_uid != getuid()) ||
           ((status.st_mode & S_ISGID) && (status.st_mode & S_IXGRP) &&
            status.st_gid != getgid()) ||
           (getuid() && fgetxattr(file, "security.capability", NULL, 0) > 0);
}

/* Sanitizers have a malloc of their own, and want to be loaded first. */
static const char *sanitizer_of(const struct binary *binary)
{
    static const char *const names[] = {"libasan.so", "libtsan.so", "liblsan.so", "libmsan.so"};
    for (size_t i = 0; i < binary->needed.count; i++)
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
            if (!strncmp(binary->needed.text[i], names[n], strlen(names[n])))
                return binary->needed.text[i];
    return NULL;
}

static char *obstacle_of(const struct binary *binary, const char *path)
{
    const char *slash = binary->interpreter ? strrchr(binary->interpreter, '/') : NULL;
    const char *sanitizer = sanitizer_of(binary);
    if (!binary->interpreter && binary->soname) /* the dynamic linker, which obeys LD_PRELOAD */
        return NULL;
    if (!binary->interpreter)
        return text("%s is linked statically: its malloc is its own", path);
    if (binary->bits != 8 * sizeof(void *))
        return text("%s is a program of %u bits, which loads no library of %u", path, binary->bits,
                    (unsigned)(8 * sizeof(void *)));
    if (slash && !strncmp(slash, "/ld-musl-", 9))
        return text("%s is linked with musl, which can't load a library that needs glibc", path);
    if (sanitizer)
        return text("%s has %s, whose malloc has to come first", path, sanitizer);
    return NULL;
}

static void look_at(struct run_program *program, const char *path, unsigned depth)
{
    char why[BINARY_WHY_BYTES];
    struct binary binary;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    char *interpreter = interpreter_of(file);
    bool has_rights = !interpreter && has_more_rights(file);
    if (interpreter && depth < MOST_SCRIPTS) {
        look_at(program, interpreter, depth + 1);
    } else if (has_rights) {
        program->obstacle =
            text("%s runs with more rights than its caller, who may load nothing into it", path);
    } else if (binary_read(&binary, file, why) == BINARY_READ) {
        program->bits = binary.bits;
        program->obstacle = obstacle_of(&binary, path);
        binary_free(&binary);
    }
    free(interpreter);
    close(file);
}

void run_program_find(struct run_program *program, char **argv)
{
    *program = (struct run_program){.argv = argv};
    program->path = find_path(argv[0], &program->error);
    if (program->path)
        look_at(program, program->path, 0);
}

void run_program_free(struct run_program *program)
{
    free(program->path);
    free(program->obstacle);
}

/* ---- starting it ----------------------------------------------------------------------------- */

char *run_preload(const char *library)
{
    const char *others = getenv("LD_PRELOAD");
    return text("%s%s%s", library, others && *others ? ":" : "", others ? others : "");
}

static bool set_stream(int file, int number)
{
    return file < 0 || dup2(file, number) >= 0;
}

/* Never returns; an error is written to `report`, which a successful exec closes. */
_Noreturn static void become(const struct run_start *start, int report)
{
    if ((!start->preload || !setenv("LD_PRELOAD", start->preload, 1)) &&
        (!start->quire_malloc || !setenv("QUIRE_MALLOC", start->quire_malloc, 1)) &&
        set_stream(start->in, STDIN_FILENO) && set_stream(start->out, STDOUT_FILENO) &&
        set_stream(start->err, STDERR_FILENO) &&
        !sigaction(SIGCHLD, &start->signals->of_children, NULL) &&
        !sigprocmask(SIG_SETMASK, &start->signals->mask, NULL))
        execvp(start->argv[0], start->argv);
    int error = errno;
    _exit(write(report, &error, sizeof error) < 0 ? RUN_FAILED : RUN_NOT_FOUND);
}

pid_t run_start(const struct run_start *start, bool *is_own)
{
    int report[2], error = 0;
    *is_own = true;
    if (pipe2(report, O_CLOEXEC))
        return -errno;
    pid_t child = fork();
    if (!child)
        become(start, report[1]);
    *is_own = child < 0;
    if (child < 0)
        error = errno;
    close(report[1]);
    bool failed = child > 0 && read(report[0], &error, sizeof error) == (ssize_t)sizeof error;
    close(report[0]);
    if (failed)
        waitpid(child, NULL, 0);
    return error ? -error : child;
}

int run_exit_status(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int run_error_status(int error)
{
    return error == ENOENT || error == ENOTDIR ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE;
}
