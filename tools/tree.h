/* tools/tree.h: the files of a machine, before they are written into its RAM disk */
#ifndef TOOLS_TREE_H
#define TOOLS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct node {
    char *path; /* in the machine: absolute, with no "." or "..", no slash at its end */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    int64_t modified; /* seconds since 1970 */
    uint64_t size;    /* bytes */
    char *host;       /* the file that holds them; NULL: `bytes` does */
    char *bytes;      /* of a symlink: where it leads */
};

struct tree {
    void *root;           /* of tsearch(3), by path */
    unsigned nr_left_out; /* of the host's, being no file, folder or symlink */
    char *left_out;       /* the first of them; NULL: none */
};

/* The node at a path of the machine, to which symlinks of the tree may lead; NULL: there is none.
 */
struct node *tree_find(const struct tree *tree, const char *path);

/* A folder, file or symlink of our own, in folders that come with it; what was there is replaced.
 * Symlinks that the tree has on the way there are followed. */
void tree_add_folder(struct tree *tree, const char *path, mode_t mode);
void tree_add_bytes(struct tree *tree, const char *path, mode_t mode, const void *bytes,
                    size_t size);
void tree_add_symlink(struct tree *tree, const char *path, const char *target);

/* The functions below complain and return false when something isn't there or can't be read. */

/* Called with each file that a function below added. */
struct tree_visitor {
    bool (*visit)(void *arg, const char *host, const char *path);
    void *arg;
};

/* The file or folder (without what is in it) at a path of the host, at the same path of the
 * machine, with all folders and symlinks that lead to it. */
bool tree_add_way(struct tree *tree, const char *host, const struct tree_visitor *visitor);

/* The same, with all that is in a folder, and the files that symlinks in it lead to. */
bool tree_add_host(struct tree *tree, const char *host, const struct tree_visitor *visitor);

/* What is at `host`, with all that is in it, at `path` of the machine, an absolute one. Symlinks
 * that the tree has on the way there are followed. */
bool tree_add_as(struct tree *tree, const char *host, const char *path,
                 const struct tree_visitor *visitor);

/* Calls `each` by order of paths, so that a folder comes before what is in it, until it returns
 * false, which is then returned. */
bool tree_walk(const struct tree *tree, bool (*each)(void *arg, const struct node *node),
               void *arg);

void tree_free(struct tree *tree);

#endif
