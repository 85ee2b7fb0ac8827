/* tools/program.c: packs a program: itself, its interpreter and libraries, what it is told
 *
 * Nothing is run to find out: the ELF files are read. A script's interpreter is packed like a
 * program, and so is what env(1) is asked to start by a script's first line.
 */
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libraries.h"
#include "quire.h"

#define SHELL "/bin/busybox"
#define GUEST_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* Root, and who programs become that want to be nobody in particular. */
#define USERS                                                                                      \
    "root:x:0:0:root:/root:/bin/sh\n"                                                              \
    "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"                                                   \
    "bin:x:2:2:bin:/bin:/bin/false\n"                                                              \
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
#define GROUPS "root:x:0:\ndaemon:x:1:\nbin:x:2:\nusers:x:100:\nnogroup:x:65534:\n"
#define MOST_SCRIPTS 5u      /* a script's interpreter may be a script, as often as in Linux */
#define FIRST_LINE_BYTES 256 /* as much of it as Linux looks at */

struct packer {
    struct program *program;
    const struct boot *boot;
    struct library_places places;
    const char *path;  /* the machine's PATH */
    char *interpreter; /* of the first dynamic program; NULL: none yet */
    int status;        /* what goes wrong ends with it */
    char *warning;     /* the first of what added files need and isn't there; NULL: none */
    unsigned nr_warnings;
};

static bool fail(struct packer *packer, int status)
{
    packer->status = status;
    return false;
}

/* The machine's variable as --env gives it, or NULL. */
static const char *variable(const struct boot *boot, const char *name)
{
    size_t length = strlen(name);
    const char *value = NULL;
    for (size_t i = 0; i < boot->environment.count; i++)
        if (!strncmp(boot->environment.text[i], name, length) &&
            boot->environment.text[i][length] == '=')
            value = boot->environment.text[i] + length + 1;
    return value;
}

/* ---- finding --------------------------------------------------------------------------------- */

/* 0: it can be executed; or why not, as errno says it. */
static int look_at(const char *path)
{
    struct stat status;
    if (stat(path, &status))
        return errno;
    if (S_ISDIR(status.st_mode))
        return EISDIR;
    return !S_ISREG(status.st_mode) || access(path, X_OK) ? EACCES : 0;
}

static char *absolute(const char *path)
{
    char folder[PATH_MAX];
    if (path[0] == '/' || !getcwd(folder, sizeof folder))
        return text("%s", path);
    return text("%s/%s", strcmp(folder, "/") ? folder : "", path);
}

/* As a shell finds it: by its path when that has a slash, else in the folders of `folders`. NULL
 * after a complaint. */
static char *find_program(struct packer *packer, const char *name, const char *folders)
{
    int error = ENOENT, wrong = 0;
    char *path = NULL;
    if (strchr(name, '/')) {
        path = absolute(name);
        error = look_at(path);
    }
    for (size_t length; !path && *name && *folders; folders += length + (folders[length] == ':')) {
        length = strcspn(folders, ":");
        char *here = text("%.*s/%s", (int)length, length ? folders : ".", name);
        error = look_at(here);
        wrong = error && error != ENOENT && error != ENOTDIR && !wrong ? error : wrong;
        path = error ? NULL : absolute(here);
        free(here);
    }
    if (path && !error)
        return path;
    error = error == ENOENT && wrong ? wrong : error;
    if (strchr(name, '/'))
        complain("%s can't be run: %s", name, strerror(error));
    else
        complain(error == ENOENT || error == ENOTDIR ? "there is no program '%s' in PATH"
                                                     : "'%s', found in PATH, can't be run",
                 name);
    free(path);
    fail(packer, error == ENOENT || error == ENOTDIR ? PROGRAM_NOT_FOUND : PROGRAM_NOT_EXECUTABLE);
    return NULL;
}

/* ---- ELF files ------------------------------------------------------------------------------- */

static const char *usual_interpreter(unsigned bits)
{
    return bits == 64 ? "/lib64/ld-linux-x86-64.so.2" : "/lib/ld-linux.so.2";
}

/* Adds what `path`, which is in the tree already, is loaded with; takes over `binary`. NULL, or a
 * complaint that the caller frees. */
static char *add_libraries(struct packer *packer, const char *path, struct binary *binary,
                           const char *interpreter)
{
    struct libraries libraries;
    struct tree *tree = &packer->program->tree;
    bool cached = false, added = true;
    char *complaint;
    libraries_find(&libraries, &packer->places, path, binary, interpreter, &complaint);
    for (size_t i = 1; i < libraries.count && added; i++) {
        added = tree_add_way(tree, libraries.library[i]->path, NULL);
        cached |= libraries.library[i]->cached;
    }
    if (added && cached)
        added = tree_add_way(tree, LIBRARY_CACHE, NULL);
    libraries_free(&libraries);
    if (!added && !complaint)
        complaint = text("%s can't be packed", path);
    return complaint;
}

/* What is run first decides which machine it is. */
static bool choose_bits(struct packer *packer, const char *path, unsigned bits)
{
    static const char *const names[] = {"auto", "i386", "x86-64"};
    enum boot_arch arch = packer->boot->arch;
    if (!packer->program->bits)
        packer->program->bits = bits;
    bool wanted = arch == BOOT_AUTO || bits == (arch == BOOT_I386 ? 32 : 64);
    if (wanted && bits == packer->program->bits)
        return true;
    complain("%s is a program of %u bits, and can't run on %s", path, bits,
             wanted ? "the same machine as what runs it" : names[arch]);
    return fail(packer, PROGRAM_NOT_EXECUTABLE);
}

/* `where`: what `path` leads to in the end. */
static bool add_binary(struct packer *packer, const char *path, const char *where, int fd)
{
    struct binary binary;
    char why[BINARY_WHY_BYTES];
    enum binary_result result = binary_read(&binary, fd, why);
    if (result != BINARY_READ || !binary.runs) {
        complain("%s %s", path,
                 result == BINARY_READ ? "is an object file, and no program"
                 : result == BINARY_NOT_ELF
                     ? "is no program: neither an ELF file nor a script that "
                       "begins with #!"
                     : why);
        if (result == BINARY_READ)
            binary_free(&binary);
        return fail(packer, result == BINARY_UNREAD ? PROGRAM_NOT_RUN : PROGRAM_NOT_EXECUTABLE);
    }
    if (!choose_bits(packer, path, binary.bits)) {
        binary_free(&binary);
        return false;
    }
    if (binary.interpreter && !packer->interpreter)
        packer->interpreter = text("%s", binary.interpreter);
    char *complaint = add_libraries(packer, where, &binary, NULL);
    if (complaint)
        complain("%s", complaint);
    bool done = !complaint;
    free(complaint);
    return done || fail(packer, PROGRAM_NOT_FOUND);
}

/* ---- scripts --------------------------------------------------------------------------------- */

static bool add_program(struct packer *packer, const char *path, unsigned depth);

/* What env(1) starts is found in the machine's PATH, which has the folders of the host's. */
static bool add_of_env(struct packer *packer, char *words, unsigned depth)
{
    char *word, *state;
    for (word = strtok_r(words, " \t", &state); word; word = strtok_r(NULL, " \t", &state))
        if (word[0] != '-' && !strchr(word, '='))
            break;
    if (!word)
        return true;
    char *path = find_program(packer, word, packer->path);
    bool done = path && add_program(packer, path, depth);
    free(path);
    return done;
}

/* `line`: what comes after #!. */
static bool add_interpreter(struct packer *packer, const char *path, char *line, unsigned depth)
{
    line[strcspn(line, "\n")] = '\0';
    char *name = line + strspn(line, " \t");
    char *end = name + strcspn(name, " \t");
    char *words = *end ? end + 1 : end;
    *end = '\0';
    if (name[0] != '/' || depth >= MOST_SCRIPTS) {
        complain(name[0] == '/' ? "%s: its interpreter is a script whose interpreter is one, and "
                                  "so on"
                                : "%s is a script whose interpreter isn't named by its path",
                 path);
        return fail(packer, PROGRAM_NOT_EXECUTABLE);
    }
    int error = look_at(name);
    if (error) {
        complain("%s needs the interpreter %s: %s", path, name, strerror(error));
        return fail(packer, error == ENOENT ? PROGRAM_NOT_FOUND : PROGRAM_NOT_EXECUTABLE);
    }
    const char *slash = strrchr(name, '/');
    return add_program(packer, name, depth + 1) &&
           (strcmp(slash, "/env") || add_of_env(packer, words, depth + 1));
}

/* A program at an absolute path, with all that it takes. */
static bool add_program(struct packer *packer, const char *path, unsigned depth)
{
    char line[FIRST_LINE_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        complain("%s: %s", path, strerror(errno));
        return fail(packer, PROGRAM_NOT_EXECUTABLE);
    }
    bool done = false;
    char *where = realpath(path, NULL);
    if (!where || !tree_add_way(&packer->program->tree, path, NULL)) {
        fail(packer, PROGRAM_NOT_RUN);
    } else {
        ssize_t got = pread(fd, line, FIRST_LINE_BYTES, 0);
        line[got > 0 ? got : 0] = '\0';
        done = got > 2 && !strncmp(line, "#!", 2) ? add_interpreter(packer, path, line + 2, depth)
                                                  : add_binary(packer, path, where, fd);
    }
    free(where);
    close(fd);
    return done;
}

/* ---- what --add names ------------------------------------------------------------------------ */

/* A file that was added: its libraries, if it has any. That one of them isn't there needn't matter.
 */
static bool look_at_added(void *arg, const char *host, const char *path)
{
    struct packer *packer = arg;
    struct binary binary;
    char why[BINARY_WHY_BYTES];
    int fd = open(host, O_RDONLY | O_CLOEXEC);
    enum binary_result result = fd < 0 ? BINARY_UNREAD : binary_read(&binary, fd, why);
    if (fd >= 0)
        close(fd);
    if (result != BINARY_READ)
        return true;
    if (binary.bits != packer->program->bits || !binary.runs) {
        binary_free(&binary);
        return true;
    }
    const char *interpreter = binary.interpreter    ? NULL
                              : packer->interpreter ? packer->interpreter
                                                    : usual_interpreter(binary.bits);
    bool needs = binary.interpreter || binary.needed.count;
    char *complaint = NULL;
    if (needs)
        complaint = add_libraries(packer, host, &binary, interpreter);
    else
        binary_free(&binary);
    packer->nr_warnings += complaint != NULL;
    if (!packer->warning)
        packer->warning = complaint;
    else
        free(complaint);
    (void)path;
    return true;
}

/* Where it goes: a file into a folder that is named with a slash at its end, as cp does it. */
static char *place_of(const char *host, const char *named)
{
    struct stat status;
    size_t length = strlen(named);
    const char *slash = strrchr(host, '/');
    bool into = named[length - 1] == '/' && !stat(host, &status) && !S_ISDIR(status.st_mode);
    return into ? text("%s%s", named, slash ? slash + 1 : host) : text("%s", named);
}

static bool add_one(struct packer *packer, const char *host, const char *place)
{
    const struct tree_visitor visitor = {look_at_added, packer};
    struct tree *tree = &packer->program->tree;
    char *path = absolute(host);
    char *there = place ? place_of(path, place) : NULL;
    bool done =
        there ? tree_add_as(tree, path, there, &visitor) : tree_add_host(tree, path, &visitor);
    free(path);
    free(there);
    return done;
}

static bool add_what_was_named(struct packer *packer)
{
    for (size_t i = 0; i < packer->boot->adds.count; i++) {
        const char *place = packer->boot->places.text[i];
        if (!add_one(packer, packer->boot->adds.text[i], *place ? place : NULL))
            return fail(packer, PROGRAM_NOT_RUN);
    }
    return true;
}

/* One line for all of a kind: a folder can have hundreds. */
static void warn(const struct packer *packer)
{
    const struct tree *tree = &packer->program->tree;
    if (packer->nr_warnings == 1)
        complain("warning: %s", packer->warning);
    else if (packer->nr_warnings)
        complain("warning: %u added files need what isn't there; the first: %s",
                 packer->nr_warnings, packer->warning);
    if (tree->nr_left_out == 1)
        complain("%s is left out: it is no file, folder or symlink", tree->left_out);
    else if (tree->nr_left_out)
        complain("%u are left out, being no file, folder or symlink; the first: %s",
                 tree->nr_left_out, tree->left_out);
}

/* ---- what it is told ------------------------------------------------------------------------- */

/* Texts, each ended by a NUL. */
static void add_texts(struct tree *tree, const char *path, char *const *texts)
{
    char *bytes = NULL;
    size_t size;
    FILE *to = must(open_memstream(&bytes, &size));
    for (; *texts; texts++)
        fwrite(*texts, 1, strlen(*texts) + 1, to);
    fclose(to);
    tree_add_bytes(tree, path, 0600, must(bytes), size);
    free(bytes);
}

/* Adds NAME=VALUE, or puts it in the place of what has the same name. */
static void set_variable(struct texts *environment, char *added)
{
    size_t length = strcspn(added, "=") + 1;
    for (size_t i = 0; i < environment->count; i++)
        if (!strncmp(environment->text[i], added, length)) {
            free(environment->text[i]);
            environment->text[i] = added;
            return;
        }
    texts_add(environment, added);
}

static bool is_no_terminal_library(void *arg, const struct node *node)
{
    const char *name = strrchr(node->path, '/');
    (void)arg;
    return strncmp(name, "/libtinfo", 9) && strncmp(name, "/libncurses", 11);
}

/* Who asks how a terminal is told things ends without a word where nobody knows: terminfo(5). */
static void add_terminal_description(struct packer *packer, const char *term)
{
    static const char *const folders[] = {"/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo"};
    struct tree *tree = &packer->program->tree;
    if (!*term || strchr(term, '/') || tree_walk(tree, is_no_terminal_library, NULL))
        return;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char *path = text("%s/%c/%s", folders[i], term[0], term);
        if (!access(path, R_OK) && !tree_find(tree, path))
            (void)tree_add_way(tree, path, NULL);
        free(path);
    }
}

static void add_environment(struct packer *packer, bool terminal)
{
    const struct boot *boot = packer->boot;
    const char *own = terminal ? getenv("TERM") : NULL, *wanted = variable(boot, "TERM");
    const char *term = wanted ? wanted : own ? own : "dumb";
    struct texts environment = {0};
    texts_add(&environment, text("PATH=" GUEST_PATH));
    texts_add(&environment, text("HOME=/root"));
    texts_add(&environment, text("TERM=%s", term));
    texts_add(&environment, text("LANG=C"));
    for (size_t i = 0; i < boot->environment.count; i++)
        set_variable(&environment, text("%s", boot->environment.text[i]));
    add_texts(&packer->program->tree, "/.quire/env", environment.text);
    texts_free(&environment);
    add_terminal_description(packer, term);
}

static void add_missing_folder(struct tree *tree, const char *path, mode_t mode)
{
    if (!tree_find(tree, path))
        tree_add_folder(tree, path, mode);
}

/* Programs look up who they run as. */
static void add_missing_file(struct tree *tree, const char *path, const char *lines)
{
    if (!tree_find(tree, path))
        tree_add_bytes(tree, path, 0644, lines, strlen(lines));
}

/* Where the host's is a symlink to a folder of /usr, so is the machine's: paths are the same. */
static void add_link_of_host(struct tree *tree, const char *path)
{
    char target[64];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0 || tree_find(tree, path))
        return;
    target[length] = '\0';
    char *folder = target[0] == '/' ? text("%s", target) : text("/%s", target);
    if (!strncmp(folder, "/usr/", 5) && !strchr(folder + 5, '/')) {
        add_missing_folder(tree, folder, 0755);
        tree_add_symlink(tree, path, target);
    }
    free(folder);
}

static void add_links_of_host(struct tree *tree)
{
    static const char *const links[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        add_link_of_host(tree, links[i]);
}

/* What exec is given, which a script finds in $0: as it was typed, where that leads to it. */
static const char *exec_path(const struct packer *packer, const char *cwd)
{
    char here[PATH_MAX];
    const struct boot *boot = packer->boot;
    bool typed = boot->program && strchr(boot->program[0], '/');
    return typed && getcwd(here, sizeof here) && !strcmp(here, cwd) ? boot->program[0]
                                                                    : packer->program->path;
}

/* It is made if there is none; what it is in /proc the kernel knows. */
static bool add_cwd(struct packer *packer, const char *cwd)
{
    struct tree *tree = &packer->program->tree;
    const struct node *node = tree_find(tree, cwd);
    if (node && !S_ISDIR(node->mode) && !S_ISLNK(node->mode)) {
        complain("--cwd=%s is a file in the machine, and no folder to start in", cwd);
        return fail(packer, PROGRAM_NOT_RUN);
    }
    if (!node && strncmp(cwd, "/proc/", 6))
        tree_add_folder(tree, cwd, 0755);
    return true;
}

static bool add_words(struct packer *packer)
{
    static char shell[] = "sh";
    struct tree *tree = &packer->program->tree;
    const struct boot *boot = packer->boot;
    const char *cwd = boot->cwd ? boot->cwd : "/";
    struct texts argv = {0};
    if (boot->shell)
        texts_add(&argv, text("%s", shell));
    for (char **argument = boot->program; argument && *argument; argument++)
        texts_add(&argv, text("%s", *argument));
    tree_add_folder(tree, "/.quire", 0700);
    add_texts(tree, "/.quire/argv", argv.text);
    add_texts(tree, "/.quire/exe", (char *[]){(char *)(uintptr_t)exec_path(packer, cwd), NULL});
    add_texts(tree, "/.quire/cwd", (char *[]){(char *)(uintptr_t)cwd, NULL});
    texts_free(&argv);
    add_missing_folder(tree, "/tmp", 01777);
    add_missing_folder(tree, "/root", 0700);
    add_missing_folder(tree, "/etc", 0755);
    add_missing_folder(tree, "/dev", 0755);
    add_missing_folder(tree, "/proc", 0555);
    add_links_of_host(tree);
    add_missing_file(tree, "/etc/passwd", USERS);
    add_missing_file(tree, "/etc/group", GROUPS);
    return add_cwd(packer, cwd);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static char *choose_program(struct packer *packer)
{
    const char *folders = getenv("PATH");
    if (!packer->boot->shell)
        return find_program(packer, packer->boot->program[0], folders ? folders : GUEST_PATH);
    if (!look_at(SHELL))
        return text(SHELL);
    complain("--shell needs " SHELL "; install it (on Debian: the package busybox-static)");
    fail(packer, PROGRAM_NOT_FOUND);
    return NULL;
}

int program_pack(struct program *program, const struct boot *boot, bool terminal)
{
    const char *path = variable(boot, "PATH");
    struct packer packer = {.program = program,
                            .boot = boot,
                            .places = {.library_path = variable(boot, "LD_LIBRARY_PATH"),
                                       .preload = variable(boot, "LD_PRELOAD")},
                            .path = path ? path : GUEST_PATH};
    *program = (struct program){0};
    library_cache_read(&packer.places.cache, LIBRARY_CACHE);
    program->path = choose_program(&packer);
    if (program->path && add_program(&packer, program->path, 0) && add_what_was_named(&packer)) {
        if (boot->shell && !tree_find(&program->tree, "/bin/sh"))
            tree_add_symlink(&program->tree, "/bin/sh", SHELL);
        add_environment(&packer, terminal);
        (void)add_words(&packer);
        warn(&packer);
    }
    free(packer.warning);
    library_cache_free(&packer.places.cache);
    free(packer.interpreter);
    return packer.status;
}

void program_free(struct program *program)
{
    tree_free(&program->tree);
    free(program->path);
}
