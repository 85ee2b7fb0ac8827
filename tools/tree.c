/* tools/tree.c: the files of a machine: nodes by path, and what of the host becomes one
 *
 * A path leads through folders and symlinks; the machine gets each of them, so that whatever
 * name a program, its interpreter or a library is opened by leads to it there as it does here.
 */
#define _GNU_SOURCE
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "allocate.h"
#include "quire.h"

#define MOST_MADE_BYTES ((size_t)64 << 20)
#define MOST_LINKS 40u /* on one way, as in Linux */

/* ---- nodes ----------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct node *)a)->path, ((const struct node *)b)->path);
}

static void free_node(void *of)
{
    struct node *node = of;
    free(node->path);
    free(node->host);
    free(node->bytes);
    free(node);
}

static struct node *find(const struct tree *tree, const char *path)
{
    const struct node key = {.path = (char *)(uintptr_t)path};
    void *found = tfind(&key, &tree->root, compare);
    return found ? *(struct node **)found : NULL;
}

static bool failed(const char *host)
{
    complain("%s: %s", host, strerror(errno));
    return false;
}

/* Takes the last name off a path of names. */
static void go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
}

/* `path` without ".", ".." and superfluous slashes; "" for the root. */
static void clean(const char *path, char cleaned[PATH_MAX])
{
    cleaned[0] = '\0';
    for (size_t length; *(path += strspn(path, "/")); path += length) {
        length = strcspn(path, "/");
        if (length == 2 && !strncmp(path, "..", 2))
            go_up(cleaned);
        else if (length != 1 || *path != '.')
            strncat(strcat(cleaned, "/"), path, length);
    }
}

/* Follows the first symlink that the tree has on the way to `path`; false: there is none. */
static bool follow_first(const struct tree *tree, char path[PATH_MAX])
{
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        const struct node *node = find(tree, path);
        *slash = '/';
        if (!node || !S_ISLNK(node->mode))
            continue;
        int folder = (int)(strrchr(node->path, '/') - node->path);
        char *way = node->bytes[0] == '/' ? text("%s%s", node->bytes, slash)
                                          : text("%.*s/%s%s", folder, path, node->bytes, slash);
        bool fits = strlen(way) < PATH_MAX;
        if (fits)
            clean(way, path);
        free(way);
        return fits;
    }
    return false;
}

/* Where a path of the machine leads in the end but for its last name, as far as the tree knows;
 * false: it is too long. */
static bool settle(const struct tree *tree, const char *path, char settled[PATH_MAX])
{
    if (strlen(path) >= PATH_MAX - 1) { /* one may be added in front */
        errno = ENAMETOOLONG;
        return failed(path);
    }
    clean(path, settled);
    for (unsigned links = 0; links < MOST_LINKS && follow_first(tree, settled); links++)
        ;
    return true;
}

struct node *tree_find(const struct tree *tree, const char *path)
{
    char settled[PATH_MAX];
    return settle(tree, path, settled) ? find(tree, settled) : NULL;
}

/* The node at this path, empty. */
static struct node *put(struct tree *tree, const char *path)
{
    struct node *node = find(tree, path);
    if (node) {
        free(node->host);
        free(node->bytes);
        *node = (struct node){.path = node->path};
        return node;
    }
    node = must(calloc(1, sizeof *node));
    node->path = text("%s", path);
    must(tsearch(node, &tree->root, compare));
    return node;
}

/* With the folders that lead to it. */
static struct node *put_own(struct tree *tree, const char *path, mode_t mode)
{
    char *folder = text("%s", path);
    go_up(folder);
    if (*folder && !find(tree, folder))
        put_own(tree, folder, S_IFDIR | 0755);
    free(folder);
    struct node *node = put(tree, path);
    node->mode = mode;
    return node;
}

/* The same for a path as others write it; NULL: the root, or too long. */
static struct node *put_settled(struct tree *tree, const char *path, mode_t mode)
{
    char settled[PATH_MAX];
    return settle(tree, path, settled) && *settled ? put_own(tree, settled, mode) : NULL;
}

void tree_add_folder(struct tree *tree, const char *path, mode_t mode)
{
    put_settled(tree, path, S_IFDIR | mode);
}

void tree_add_bytes(struct tree *tree, const char *path, mode_t mode, const void *bytes,
                    size_t size)
{
    struct node *node = put_settled(tree, path, S_IFREG | mode);
    if (!node)
        return;
    node->size = size;
    node->bytes = must(malloc(size + 1));
    memcpy(node->bytes, bytes, size);
}

static void put_target_text(struct node *node, const char *target)
{
    node->size = strlen(target);
    node->bytes = text("%s", target);
}

void tree_add_symlink(struct tree *tree, const char *path, const char *target)
{
    struct node *node = put_settled(tree, path, S_IFLNK | 0777);
    if (node)
        put_target_text(node, target);
}

struct walk {
    bool (*each)(void *arg, const struct node *node);
    void *arg;
    bool goes_on;
};

static void step(const void *at, VISIT visit, void *of)
{
    struct walk *walk = of;
    if (walk->goes_on && (visit == postorder || visit == leaf))
        walk->goes_on = walk->each(walk->arg, *(struct node *const *)at);
}

bool tree_walk(const struct tree *tree, bool (*each)(void *arg, const struct node *node), void *arg)
{
    struct walk walk = {each, arg, true};
    twalk_r(tree->root, step, &walk);
    return walk.goes_on;
}

void tree_free(struct tree *tree)
{
    tdestroy(tree->root, free_node);
    free(tree->left_out);
    *tree = (struct tree){0};
}

/* ---- one thing of the host ------------------------------------------------------------------- */

static bool put_link(struct tree *tree, const char *host, const char *path)
{
    char target[PATH_MAX];
    ssize_t length = readlink(host, target, sizeof target - 1);
    if (length < 0)
        return failed(host);
    target[length] = '\0';
    put_target_text(put_own(tree, path, S_IFLNK | 0777), target);
    return true;
}

/* Files that their kernel makes as they are read have no size, or another one, until then. */
static bool is_made_when_read(const char *host, const struct stat *status)
{
    struct statfs where;
    return !status->st_size || (!statfs(host, &where) &&
                                (where.f_type == SYSFS_MAGIC || where.f_type == PROC_SUPER_MAGIC));
}

/* All that can be read of it, up to MOST_MADE_BYTES. */
static bool read_bytes(struct node *node, const char *host)
{
    int fd = open(host, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return failed(host);
    size_t size = 0, room = 0;
    ssize_t got = 1;
    while (got > 0 && size < MOST_MADE_BYTES) {
        if (size == room)
            node->bytes = must(realloc(node->bytes, room = 2 * room + 4096));
        got = read(fd, node->bytes + size, room - size);
        size += got > 0 ? (size_t)got : 0;
    }
    int error = got > 0 ? EFBIG : errno;
    close(fd);
    node->size = size;
    errno = error;
    return !got || failed(host);
}

static bool put_file(struct tree *tree, const char *host, const char *path,
                     const struct stat *status, const struct tree_visitor *visitor)
{
    if (access(host, R_OK))
        return failed(host);
    struct node *node = put_own(tree, path, status->st_mode);
    if (is_made_when_read(host, status)) {
        if (!read_bytes(node, host))
            return false;
    } else {
        node->host = text("%s", host);
        node->size = (uint64_t)status->st_size;
    }
    return !visitor || visitor->visit(visitor->arg, host, path);
}

/* Complains of a place that the machine has its own use for. */
static bool is_kept(const char *path, const char *host, bool folder)
{
    static const char *const kept[] = {"/proc", "/.quire"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        size_t length = strlen(kept[i]);
        if (strncmp(path, kept[i], length) || (path[length] ? path[length] != '/' : folder))
            continue;
        complain("%s can't be at %s in the machine, which has its own %s; choose another place: "
                 "--add=%s:/ANOTHER",
                 host, path, kept[i], host);
        return true;
    }
    return false;
}

/* The file, folder or symlink `host`, alone, as `path`. Others are passed over, and counted. */
static bool put_host(struct tree *tree, const char *host, const char *path,
                     const struct stat *status, const struct tree_visitor *visitor)
{
    const struct node *there = find(tree, path);
    if (is_kept(path, host, S_ISDIR(status->st_mode)))
        return false;
    if (there && S_ISDIR(there->mode) != S_ISDIR(status->st_mode)) {
        complain("%s is %s in the machine already, and can't be what %s is here", path,
                 S_ISDIR(there->mode) ? "a folder" : "no folder", host);
        return false;
    }
    bool done = true;
    if (S_ISDIR(status->st_mode))
        put_own(tree, path, status->st_mode);
    else if (S_ISLNK(status->st_mode))
        done = put_link(tree, host, path);
    else if (S_ISREG(status->st_mode))
        done = put_file(tree, host, path, status, visitor);
    else if (!tree->nr_left_out++)
        tree->left_out = text("%s", host);
    struct node *node = find(tree, path);
    if (!done || !node)
        return done;
    node->uid = status->st_uid;
    node->gid = status->st_gid;
    node->modified = status->st_mtime;
    return true;
}

/* ---- ways ------------------------------------------------------------------------------------ */

/* Appends a name; false: it gets too long. */
static bool go_down(char path[PATH_MAX], const char *name, size_t length)
{
    size_t have = strlen(path);
    if (have + 1 + length >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return failed(name);
    }
    path[have] = '/';
    memcpy(path + have + 1, name, length);
    path[have + 1 + length] = '\0';
    return true;
}

struct way {
    char at[PATH_MAX]; /* where it has led to: no symlinks, "" for the root */
    char *rest;        /* still to go */
    unsigned links;
};

/* `at` is a symlink: its target, from its folder or from the root on, comes before the rest. */
static bool follow(struct way *way)
{
    char target[PATH_MAX];
    ssize_t length = readlink(way->at, target, sizeof target - 1);
    if (length < 0)
        return failed(way->at);
    if (++way->links > MOST_LINKS) {
        errno = ELOOP;
        return failed(way->at);
    }
    target[length] = '\0';
    char *rest = text("%s/%s", target, way->rest);
    free(way->rest);
    way->rest = rest;
    if (target[0] == '/')
        way->at[0] = '\0';
    else
        go_up(way->at);
    return true;
}

/* Goes one name on. */
static bool go_on(struct way *way, struct tree *tree, const struct tree_visitor *visitor)
{
    struct stat status;
    char *name = way->rest + strspn(way->rest, "/");
    size_t length = strcspn(name, "/");
    char *rest = text("%s", name + length);
    bool done = true;
    if (length == 2 && !strncmp(name, "..", 2)) {
        go_up(way->at);
    } else if (length && !(length == 1 && *name == '.')) {
        done = go_down(way->at, name, length);
        if (done && lstat(way->at, &status))
            done = failed(way->at);
        done = done && put_host(tree, way->at, way->at, &status, visitor);
        free(way->rest);
        way->rest = rest;
        return done && (!S_ISLNK(status.st_mode) || follow(way));
    }
    free(way->rest);
    way->rest = rest;
    return done;
}

/* To the end; way->at is then where the path leads, "" for the root. */
static bool go(struct way *way, struct tree *tree, const char *host,
               const struct tree_visitor *visitor)
{
    way->at[0] = '\0';
    way->links = 0;
    way->rest = text("%s", host);
    bool done = true;
    while (done && way->rest[strspn(way->rest, "/")])
        done = go_on(way, tree, visitor);
    free(way->rest);
    return done;
}

bool tree_add_way(struct tree *tree, const char *host, const struct tree_visitor *visitor)
{
    struct way way;
    return go(&way, tree, host, visitor);
}

/* ---- folders --------------------------------------------------------------------------------- */

static bool put_entries(struct tree *tree, const char *host, const char *path, bool same,
                        const struct tree_visitor *visitor);

/* The file that a symlink leads to, unless that is a folder, or nothing. */
static bool put_target(struct tree *tree, const char *host, const struct tree_visitor *visitor)
{
    struct stat status;
    return stat(host, &status) || !S_ISREG(status.st_mode) || tree_add_way(tree, host, visitor);
}

static bool put_entry(struct tree *tree, const char *host, const char *path, bool same,
                      const struct tree_visitor *visitor)
{
    struct stat status;
    if (lstat(host, &status))
        return failed(host);
    if (!put_host(tree, host, path, &status, visitor))
        return false;
    if (S_ISDIR(status.st_mode))
        return put_entries(tree, host, path, same, visitor);
    return !same || !S_ISLNK(status.st_mode) || put_target(tree, host, visitor);
}

/* `same`: the machine's path is the host's. */
static bool put_entries(struct tree *tree, const char *host, const char *path, bool same,
                        const struct tree_visitor *visitor)
{
    DIR *folder = opendir(host);
    const struct dirent *entry;
    bool done = true;
    if (!folder)
        return failed(host);
    while (done && (entry = readdir(folder))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        char *from = text("%s/%s", host, entry->d_name);
        char *to = text("%s/%s", path, entry->d_name);
        done = put_entry(tree, from, to, same, visitor);
        free(from);
        free(to);
    }
    closedir(folder);
    return done;
}

bool tree_add_host(struct tree *tree, const char *host, const struct tree_visitor *visitor)
{
    struct way way;
    struct stat status;
    if (!go(&way, tree, host, visitor))
        return false;
    if (!*way.at) {
        complain("%s would be all of this host, with its /proc and /dev: name those folders in it "
                 "that are needed",
                 host);
        return false;
    }
    if (lstat(way.at, &status))
        return failed(host);
    return !S_ISDIR(status.st_mode) || put_entries(tree, way.at, way.at, true, visitor);
}

bool tree_add_as(struct tree *tree, const char *host, const char *path,
                 const struct tree_visitor *visitor)
{
    struct stat status;
    char to[PATH_MAX];
    if (stat(host, &status))
        return failed(host);
    if (!settle(tree, path, to))
        return false;
    if (*to && !put_host(tree, host, to, &status, visitor))
        return false;
    return !S_ISDIR(status.st_mode) || put_entries(tree, host, to, false, visitor);
}
