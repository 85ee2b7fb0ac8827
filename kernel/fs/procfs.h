/* kernel/fs/procfs.h: /proc, of tables
 *
 * A directory is a table of nodes, and perhaps functions that find and list more (processes, open
 * files). What a node is about is its subject, a number that is inherited from the directory: a
 * process's, of a file in fd/ the descriptor, too. Numbers rather than pointers, for what they mean
 * may be gone when a file is read: that is -ESRCH.
 */
#ifndef KERNEL_FS_PROCFS_H
#define KERNEL_FS_PROCFS_H

#include "base/text.h"
#include "fs/file.h"

/* Whose files these are; the mode's permissions may be restricted as well. */
struct proc_owner {
    uint32_t uid, gid;
};

struct proc_node {
    const char *name; /* NULL ends a table */
    uint32_t mode;    /* with the type */
    /* Of a directory. */
    const struct proc_node *children;
    int (*lookup)(struct inode *directory, struct name name, struct entry **entry);
    int (*list)(struct inode *directory, uint64_t *position, list_fn *tell, void *arg);
    /* Of a file: its text, made when it is read from its beginning. */
    int (*show)(struct text *text, uint64_t subject);
    /* Or a part of it at a time, as it is read: from *place on (0: the beginning), which becomes
     * where the next one begins. -ENOENT: that was all. */
    int (*show_part)(struct text *text, uint64_t subject, uint64_t *place);
    /* What one write(2) brings, with a NUL behind. NULL: -EIO. */
    int (*store)(uint64_t subject, const char *bytes, size_t size);
    /* Instead of both: bytes at a place. */
    int64_t (*read)(uint64_t subject, uint64_t at, void *to, size_t size);
    /* Of a symbolic link; `jump` may be NULL. */
    int64_t (*read_link)(uint64_t subject, char *to, size_t size);
    int (*jump)(uint64_t subject, struct inode **inode, struct entry **entry);
    int (*owner)(uint64_t subject, struct proc_owner *owner);
};

/* Makes "proc" in `root`. */
int procfs_mount(struct inode *root);
/* For /sys as well: makes a directory in `root` called as its node, of this volume. */
int generated_mount(struct inode *root, const struct proc_node *node, struct volume *volume);

/* Of all processes since the machine started. */
struct proc_statistics {
    uint64_t user_ns, system_ns, idle_ns, nr_switches, nr_forks;
    unsigned nr_tasks, nr_running, nr_blocked;
    int last_pid;
};

/* The processes: what finds and lists directories of numbers in /proc, and the number that
 * /proc/self leads to. Without, there are none. */
struct proc_processes {
    int (*lookup)(struct inode *directory, struct name name, struct entry **entry);
    int (*list)(struct inode *directory, uint64_t *position, list_fn *tell, void *arg);
    int (*current)(void);
    int (*current_thread)(void);
    void (*statistics)(struct proc_statistics *statistics);
    int (*show_shm)(struct text *text); /* /proc/sysvipc/shm; may be NULL */
};
void procfs_set_processes(const struct proc_processes *processes);
int procfs_show_shm(struct text *text, uint64_t subject);
/* All 0 without processes. */
void procfs_statistics(struct proc_statistics *statistics);

/* For lookups: an entry of `node` called `name`, about `subject`. -ENOMEM. */
int proc_entry(struct inode *directory, struct name name, const struct proc_node *node,
               uint64_t subject, struct entry **entry);
/* For lists: as it will be numbered. */
uint64_t proc_number(const struct proc_node *node, uint64_t subject);
uint64_t proc_subject(const struct inode *inode);
/* What follows a directory's own nodes in a listing is at positions from here on. */
#define PROC_DYNAMIC 256u
#define PROC_FIRST_PROCESS 512u /* in /proc itself */

/* vm.unprivileged_userfaultfd: may others than root see to faults of the kernel's accesses? */
bool unprivileged_userfaultfd(void);

/* kernel.pid_max: numbers of processes and threads are below it. */
#define PID_MAX_LEAST 301
#define PID_MAX_MOST 32768
int pid_max(void);

/* The machine's own files: proc_machine.c, proc_sys.c. */
extern const struct proc_node proc_machine_nodes[];
extern const struct proc_node proc_sys_nodes[];

#endif
