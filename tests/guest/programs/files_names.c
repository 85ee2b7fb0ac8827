/* Names: creating, renaming, linking, removing; loops; rights */
#include "say.h"

#include <dirent.h>
#include <sys/stat.h>

static void make(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, name, strlen(name)) < 0)
        printf("%s: %s\n", name, error_name(errno));
    close(fd);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *folder)
{
    char *names[64];
    unsigned count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && count < 64 && (entry = readdir(dir));) {
        char text[300];
        snprintf(text, sizeof text, "%s(%d)", entry->d_name, entry->d_type);
        names[count++] = strdup(text);
    }
    qsort(names, count, sizeof *names, compare);
    printf("%s:", folder);
    for (unsigned i = 0; i < count; i++)
        printf(" %s", names[i]);
    printf("\n");
    if (dir)
        closedir(dir);
}

static void opening(void)
{
    make("a");
    TELL(open("a", O_WRONLY | O_CREAT | O_EXCL, 0644));
    TELL(open("a/b", O_RDONLY));
    TELL(open("none/b", O_WRONLY | O_CREAT, 0644));
    TELL(open("a", O_RDONLY | O_DIRECTORY));
    TELL(open(".", O_WRONLY));
    TELL(open(".", O_RDONLY | O_CREAT, 0644));
    TELL(open("", O_RDONLY));
    TELL(open("new/", O_WRONLY | O_CREAT, 0644));
    TELL(symlink("a", "link"));
    TELL(open("link", O_RDONLY | O_NOFOLLOW));
    TELL(symlink("dangling-target", "dangling"));
    TELL(open("dangling", O_RDONLY));
    TELL(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644));
    TELL_DONE(open("dangling", O_WRONLY | O_CREAT, 0644));
    TELL(access("dangling-target", F_OK));
    TELL(symlink("loop2", "loop1"));
    TELL(symlink("loop1", "loop2"));
    TELL(open("loop1", O_RDONLY));
    TELL(symlink("", "empty"));
    TELL(symlink("x", "a"));
    TELL(readlink("a", (char[10]){0}, 10));
    TELL(readlink("dangling", (char[4]){0}, 4));
    TELL(readlink("dangling", (char[4]){0}, 0));
    char name[300];
    memset(name, 'n', 299);
    name[299] = 0;
    TELL(open(name, O_WRONLY | O_CREAT, 0644));
    name[255] = 0;
    TELL_DONE(open(name, O_WRONLY | O_CREAT, 0644));
    TELL(unlink(name));
    list(".");
}

static void renaming(void)
{
    make("r1");
    make("r2");
    TELL(mkdir("d1", 0755));
    TELL(mkdir("d1/d2", 0755));
    TELL(mkdir("d3", 0755));
    make("d3/file");
    TELL(rename("r1", "r2"));
    TELL(rename("r1", "r3"));
    TELL(rename("r2", "d1"));
    TELL(rename("d1", "r2"));
    TELL(rename("d1", "d1/d2/inside"));
    TELL(rename("d1", "d3")); /* not empty */
    TELL(rename("d3", "d1/d2"));
    TELL(rename("d1/d2", "d1/d2"));
    TELL(rename("r2", "r2"));
    TELL(link("r2", "r2-too"));
    TELL(rename("r2", "r2-too")); /* the same file: nothing happens */
    TELL(access("r2", F_OK));
    TELL(rename(".", "x"));
    TELL(rename("d1/..", "x"));
    TELL((int)syscall(SYS_renameat2, AT_FDCWD, "r2", AT_FDCWD, "d1", 1)); /* NOREPLACE */
    TELL((int)syscall(SYS_renameat2, AT_FDCWD, "r2", AT_FDCWD, "d1", 2)); /* EXCHANGE */
    TELL((int)syscall(SYS_renameat2, AT_FDCWD, "d1", AT_FDCWD, "r2", 2));
    TELL((int)syscall(SYS_renameat2, AT_FDCWD, "d1", AT_FDCWD, "r2", 3));
    list("d1/d2");
    TELL(rmdir("d1"));
    TELL(rmdir("r2"));
    TELL(rmdir("d1/."));
    TELL(rmdir("d1/d2/.."));
    TELL(unlink("d1"));
    TELL(unlink("d1/d2/file"));
    TELL(rmdir("d1/d2"));
    TELL(rmdir("d1"));
    TELL(rmdir("d1"));
    TELL(mkdir("r2", 0755));
    TELL(mkdir("none/x", 0755));
    TELL(mkdir("/", 0755));
}

static void counts_of_links(void)
{
    struct stat status;
    make("l1");
    TELL(link("l1", "l2"));
    TELL(link("l1", "l2"));
    TELL(link(".", "l3"));
    TELL(link("none", "l3"));
    TELL(stat("l2", &status));
    printf("%d links, mode %o, %d bytes\n", (int)status.st_nlink, status.st_mode,
           (int)status.st_size);
    int fd = open("l1", O_RDWR);
    TELL(unlink("l1"));
    TELL(unlink("l2"));
    TELL(fstat(fd, &status));
    printf("%d links, open still\n", (int)status.st_nlink);
    TELL(write(fd, "xyz", 3));
    TELL(mkdir("folder", 0750));
    TELL(mkdir("folder/a", 0750));
    TELL(stat("folder", &status));
    printf("%d links, mode %o\n", (int)status.st_nlink, status.st_mode);
    TELL(lstat("link", &status));
    printf("mode %o, %d bytes\n", status.st_mode, (int)status.st_size);
    TELL(chdir("folder/a"));
    TELL(rmdir("../../folder/a"));
    char cwd[300];
    TELL(getcwd(cwd, sizeof cwd) ? 0 : -1);
    TELL(open("x", O_WRONLY | O_CREAT, 0644));
    TELL(open(".", O_RDONLY) >= 0);
    TELL(chdir(".."));
}

static void rights(void)
{
    int fd;
    struct stat status;
    umask(0);
    TELL(mkdir("closed", 0700));
    make("closed/file");
    TELL(mkdir("sticky", 01777));
    make("sticky/roots");
    make("secret");
    TELL(chmod("secret", 0600));
    make("open-to-all");
    TELL(chmod("open-to-all", 0666));
    TELL(chmod(".", 0755));
    fd = open("secret", O_RDONLY);
    TELL(chmod("secret", 0));
    TELL(access("secret", R_OK | W_OK)); /* root may */
    TELL(access("secret", X_OK));        /* but for what nobody may execute */
    TELL(chmod("secret", 0600));
    TELL(setresgid(1000, 1000, 1000));
    TELL(setresuid(1000, 1000, 1000));
    TELL(open("secret", O_RDONLY));
    TELL(read(fd, (char[1]){0}, 1)); /* open before */
    TELL(open("closed/file", O_RDONLY));
    TELL(stat("closed/file", &status));
    TELL(open("new", O_WRONLY | O_CREAT, 0644));
    TELL(unlink("open-to-all"));
    TELL(unlink("sticky/roots"));
    TELL(rename("sticky/roots", "sticky/ours"));
    TELL_DONE(open("sticky/ours", O_WRONLY | O_CREAT, 0644));
    TELL(unlink("sticky/ours"));
    TELL(chmod("open-to-all", 0600));
    TELL(chown("open-to-all", 1000, 1000));
    TELL(access("open-to-all", W_OK));
    TELL(access("secret", R_OK));
    TELL(chdir("closed"));
}

int main(void)
{
    opening();
    renaming();
    counts_of_links();
    /* Where others may go; the host records both classes at once. */
    char folder[64];
    snprintf(folder, sizeof folder, "/tmp/quire-rights-%d", getpid());
    TELL(mkdir(folder, 0777));
    TELL(chdir(folder));
    IN_CHILD(rights);
    static const char *const names[] = {"closed/file", "sticky/roots", "secret", "open-to-all"};
    for (unsigned i = 0; i < COUNT(names); i++)
        TELL(unlink(names[i]));
    TELL(rmdir("closed"));
    TELL(rmdir("sticky"));
    TELL(rmdir(folder));
    return 0;
}
