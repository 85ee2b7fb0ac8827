/* kernel/sys/proc_files.c: /proc/PID of its files: exe, cwd, root, fd/ */
#include "fs/files.h"
#include "fs/fs.h"
#include "string.h"
#include "sys/other_process.h"
#include "sys/proc.h"

/* ---- what there is to be held ---------------------------------------------------------------- */

enum which { EXE, CWD, ROOT, DESCRIPTOR };

/* Something that a link leads to: a file or a directory, held. */
struct target {
    struct file *file;
    struct inode *directory;
};

/* For whoever may look into the process: it could lead where his own rights don't. */
static int find_target(struct target *target, uint64_t subject, enum which which)
{
    const struct task *task = proc_task(which == DESCRIPTOR ? (uint32_t)subject : subject);
    const struct process *process = task ? task->process : proc_process(subject);
    *target = (struct target){NULL, NULL};
    if (process && !may_access_process(process))
        return -EACCES;
    if (which == EXE && process && process->exe)
        target->file = file_get(process->exe);
    else if (which == DESCRIPTOR && task && task->files)
        target->file = files_get(task->files, (int)(subject >> 32));
    else if ((which == CWD || which == ROOT) && task && task->fs)
        target->directory = inode_get(which == CWD ? task->fs->cwd : task->fs->root);
    else if (!process)
        return -ESRCH;
    return target->file || target->directory ? 0 : -ENOENT;
}

static void end_target(struct target *target)
{
    file_put(target->file);
    inode_put(target->directory);
}

static int64_t path_of(const struct target *target, char *to, size_t size)
{
    if (target->file)
        return file_path(target->file, to, size);
    int length = inode_path(target->directory, fs_root, false, to, size);
    return length < 0 ? -ENAMETOOLONG : length - 1;
}

/* The path is made in a buffer with room for all of it, and cut. */
static int64_t read_target(uint64_t subject, enum which which, char *to, size_t size)
{
    struct target target;
    int error = find_target(&target, subject, which);
    if (error)
        return error;
    char *path = quire_kmalloc(machine_slab, FS_PATH_MAX, QUIRE_GFP_KERNEL);
    int64_t length = path ? path_of(&target, path, FS_PATH_MAX) : -ENOMEM;
    if (length > 0) {
        length = (size_t)length < size ? length : (int64_t)size;
        __builtin_memcpy(to, path, (size_t)length);
    }
    quire_kfree(machine_slab, path);
    end_target(&target);
    return length;
}

static int jump_to(uint64_t subject, enum which which, struct inode **inode, struct entry **entry)
{
    struct target target;
    int error = find_target(&target, subject, which);
    if (error)
        return error;
    struct entry *name = target.file ? target.file->entry : NULL;
    *inode = inode_get(target.file ? target.file->inode : target.directory);
    *entry = name ? entry_get(name) : NULL;
    end_target(&target);
    return 0;
}

/* ---- links ----------------------------------------------------------------------------------- */

int64_t proc_read_exe(uint64_t subject, char *to, size_t size)
{
    return read_target(subject, EXE, to, size);
}

int64_t proc_read_cwd(uint64_t subject, char *to, size_t size)
{
    return read_target(subject, CWD, to, size);
}

int64_t proc_read_root(uint64_t subject, char *to, size_t size)
{
    return read_target(subject, ROOT, to, size);
}

int proc_jump_exe(uint64_t subject, struct inode **inode, struct entry **entry)
{
    return jump_to(subject, EXE, inode, entry);
}

int proc_jump_cwd(uint64_t subject, struct inode **inode, struct entry **entry)
{
    return jump_to(subject, CWD, inode, entry);
}

int proc_jump_root(uint64_t subject, struct inode **inode, struct entry **entry)
{
    return jump_to(subject, ROOT, inode, entry);
}

/* ---- fd/ ------------------------------------------------------------------------------------- */

static int64_t read_descriptor(uint64_t subject, char *to, size_t size)
{
    return read_target(subject, DESCRIPTOR, to, size);
}

static int jump_descriptor(uint64_t subject, struct inode **inode, struct entry **entry)
{
    return jump_to(subject, DESCRIPTOR, inode, entry);
}

static const struct proc_node descriptor_node = {
    .mode = S_IFLNK | 0700, .read_link = read_descriptor, .jump = jump_descriptor};

int proc_find_descriptor(struct inode *directory, struct name name, struct entry **entry)
{
    uint32_t fd;
    int error = proc_parse_number(name, &fd);
    if (error)
        return error;
    const struct task *task = proc_task(proc_subject(directory));
    if (!task || !task->files || files_next(task->files, fd) != (int)fd)
        return -ENOENT;
    return proc_entry(directory, name, &descriptor_node, proc_subject_of(task->tid, fd), entry);
}

int proc_list_descriptors(struct inode *directory, uint64_t *position, list_fn *tell, void *arg)
{
    for (;;) {
        char text[12];
        const struct task *task = proc_task(proc_subject(directory));
        if (!task || !task->files)
            return task || proc_process(proc_subject(directory)) ? 0 : -ENOENT;
        int fd = files_next(task->files, (unsigned)(*position - PROC_DYNAMIC));
        if (fd < 0)
            return 0;
        size_t length = quire_snprintf(text, sizeof text, "%d", fd);
        struct name name = {text, (unsigned)length};
        uint64_t next = PROC_DYNAMIC + (unsigned)fd + 1;
        uint64_t subject = proc_subject_of(task->tid, (uint32_t)fd);
        if (!tell(arg, name, proc_number(&descriptor_node, subject),
                  DT_OF_MODE(descriptor_node.mode), next))
            return 0;
        *position = next;
    }
}
