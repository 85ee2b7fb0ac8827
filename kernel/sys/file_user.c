/* kernel/sys/file_user.c: descriptors and paths of the running program */
#include "sys/file_user.h"

#include "string.h"
#include "task/limits.h"

struct file *user_file_any(unsigned long fd)
{
    return files_get(current->files, (int)fd);
}

struct file *user_file(unsigned long fd)
{
    struct file *file = user_file_any(fd);
    if (file && file->flags & O_PATH) {
        file_put(file);
        return NULL;
    }
    return file;
}

long user_add_file(struct file *file, bool close_on_exec)
{
    int fd = files_add(current->files, file, 0, close_on_exec);
    if (fd < 0)
        file_put(file);
    return fd == -EINVAL ? -EMFILE : fd; /* the limit is 0 */
}

/* While memory is written the numbers are nobody's, so that no other thread closes what isn't told
 * yet. */
int user_add_pair(struct file *files[2], bool close_on_exec, uintptr_t to)
{
    struct files *table = current->files;
    int fds[2] = {-1, -1}, error = 0;
    files_hold(table);
    for (unsigned i = 0; i < 2 && !error; i++) {
        fds[i] = files_promise(table, close_on_exec);
        error = fds[i] < 0 ? fds[i] : 0;
    }
    if (!error)
        error = copy_to_user(to, fds, sizeof fds);
    for (unsigned i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            files_keep(table, fds[i], error ? NULL : files[i]);
        if (error)
            file_put(files[i]);
    }
    files_release(table);
    return error;
}

int64_t user_within_limit(struct file *file, uint64_t at, size_t size)
{
    uint64_t limit = current_process()->limit[RLIMIT_FSIZE].current;
    if (size && file_may_write(file))
        inode_written_by(file->inode, user_credentials());
    if (!inode_is(file->inode, S_IFREG) || limit > INT64_MAX)
        return (int64_t)size;
    if (file->flags & O_APPEND && file->ops->size)
        at = file->ops->size(file);
    if (at >= limit) {
        signal_self(SIGXFSZ);
        return -EFBIG;
    }
    return size < limit - at ? (int64_t)size : (int64_t)(limit - at);
}

static int find_start(struct user_path *path, unsigned long directory, unsigned flags)
{
    bool is_empty = !*path->text && flags & AT_EMPTY_PATH;
    if (!*path->text && !is_empty)
        return -ENOENT;
    if (*path->text == '/' || (int)directory == AT_FDCWD)
        return 0;
    path->held = user_file_any(directory);
    if (!path->held)
        return -EBADF;
    path->at.start = path->held->inode;
    return is_empty || inode_is(path->at.start, S_IFDIR) ? 0 : -ENOTDIR;
}

int user_path_begin_at(struct user_path *path, unsigned long directory, uintptr_t text,
                       unsigned flags)
{
    *path = (struct user_path){.at = {current->fs, user_credentials(), NULL}};
    path->text = quire_kmalloc(machine_slab, FS_PATH_MAX, QUIRE_GFP_KERNEL);
    if (!path->text)
        return -ENOMEM;
    int error = string_from_user(path->text, text, FS_PATH_MAX);
    if (error >= 0)
        error = find_start(path, directory, flags);
    if (error < 0)
        user_path_end(path);
    return error < 0 ? error : 0;
}

int user_path_begin(struct user_path *path, unsigned long directory, uintptr_t text)
{
    return user_path_begin_at(path, directory, text, 0);
}

void user_path_end(struct user_path *path)
{
    file_put(path->held);
    quire_kfree(machine_slab, path->text);
}

int user_walk(struct walk *walk, unsigned long directory, uintptr_t text, unsigned at_flags,
              unsigned walk_flags)
{
    struct user_path path;
    int error = user_path_begin_at(&path, directory, text, at_flags);
    if (error)
        return error;
    if (at_flags & AT_EMPTY_PATH)
        walk_flags |= WALK_EMPTY;
    error = path_walk(walk, path.at.fs, path.at.who, path.at.start, path.text, walk_flags);
    user_path_end(&path);
    return error;
}
