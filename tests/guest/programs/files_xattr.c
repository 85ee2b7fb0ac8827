/* Extended attributes, as a file system in memory has them since Linux 6.6 */
#include "say.h"

#include <sys/stat.h>
#include <sys/xattr.h>

static char large[70000];

static void say_list(const char *path)
{
    char names[200];
    long size = listxattr(path, names, sizeof names);
    printf("%s:", path);
    if (size < 0)
        printf(" %s", error_name(errno));
    for (long at = 0; at < size; at += (long)strlen(names + at) + 1)
        printf(" %s", names + at);
    puts("");
}

static void kinds(void)
{
    static const char *const names[] = {"user.a", "nonsense.a", "user", "user.", ""};
    char value[8];
    for (unsigned i = 0; i < COUNT(names); i++) {
        printf("%s:\n", names[i]);
        TELL(getxattr("file", names[i], value, sizeof value));
        TELL(setxattr("file", names[i], "abc", 3, 0));
        TELL(getxattr("file", names[i], value, sizeof value));
        TELL(getxattr("file", names[i], value, 0));
        TELL(getxattr("file", names[i], value, 2));
        say_list("file");
        TELL(removexattr("file", names[i]));
        TELL(removexattr("file", names[i]));
    }
    memset(large, 'n', 300);
    memcpy(large, "user.", 5);
    TELL(setxattr("file", large, "", 0, 0));
    large[255] = '\0';
    TELL(setxattr("file", large, "", 0, 0));
    TELL(getxattr("file", large, value, sizeof value));
    TELL(removexattr("file", large));
}

static void values(void)
{
    char value[8] = {0};
    const char *volatile nowhere = (const char *)8;
    TELL(setxattr("file", "user.c", "3", 1, XATTR_CREATE));
    TELL(setxattr("file", "user.c", "3", 1, XATTR_CREATE));
    TELL(setxattr("file", "user.a", "1", 1, XATTR_REPLACE));
    TELL(setxattr("file", "user.a", "1", 1, 7));
    TELL(setxattr("file", "user.a", "1", 1, 0));
    TELL(setxattr("file", "user.b", "", 0, 0));
    TELL(setxattr("file", "user.c", "three", 5, XATTR_REPLACE));
    say_list("file");
    TELL(listxattr("file", value, 0));
    TELL(listxattr("file", value, 8));
    TELL(getxattr("file", "user.c", value, 8));
    printf("%s\n", value);
    TELL(setxattr("file", "user.d", large, 65537, 0));
    TELL(setxattr("file", "user.d", nowhere, 5, 0));
    TELL(setxattr("file", nowhere, "a", 1, 0));
    TELL(setxattr("nothing", "user.a", "a", 1, 0));
    TELL(getxattr("nothing", "user.a", value, 8));
    TELL(rename("file", "renamed"));
    say_list("renamed");
    TELL(rename("renamed", "file"));
}

static void files(void)
{
    char value[8];
    int fd = open("file", O_RDONLY), path = open("file", O_PATH);
    TELL(fsetxattr(fd, "user.f", "f", 1, 0));
    TELL(fgetxattr(fd, "user.f", value, 8));
    TELL(fgetxattr(path, "user.f", value, 8));
    TELL(fremovexattr(fd, "user.f"));
    TELL(flistxattr(99, value, 0));
    TELL(symlink("file", "link"));
    TELL(getxattr("link", "user.a", value, 8));
    TELL(lgetxattr("link", "user.a", value, 8));
    TELL(lsetxattr("link", "user.a", "a", 1, 0));
    TELL(llistxattr("link", value, 0));
    TELL(mkdir("folder", 0755));
    TELL(setxattr("folder", "user.a", "a", 1, 0));
    say_list("folder");
    TELL(mkfifo("fifo", 0600));
    TELL(setxattr("fifo", "user.a", "a", 1, 0));
    TELL(getxattr("fifo", "user.a", value, 8));
    TELL(chmod("file", 0));
    TELL(setxattr("/proc/self/status", "user.a", "a", 1, 0) < 0);
}

int main(void)
{
    close(open("file", O_RDWR | O_CREAT, 0600));
    if (getxattr("file", "user.a", large, 1) < 0 && errno == EOPNOTSUPP)
        return NOT_COMPARABLE;
    kinds();
    values();
    files();
    return 0;
}
