/* kernel/fs/options.c: /boot/config-RELEASE, where programs look for what a kernel is built of
 *
 * By Linux's names, those whose interfaces programs can ask for are there. Not /proc/config.gz,
 * which takes another program to be read.
 */
#include "fs/options.h"

#include "fs/ramfs.h"
#include "string.h"
#include "task/system_name.h"

static const char options[] = "# " SYSTEM_NAME " " SYSTEM_RELEASE "\n"
                              "CONFIG_X86=y\n"
#if defined(__x86_64__)
                              "CONFIG_64BIT=y\n"
                              "CONFIG_X86_64=y\n"
#else
                              "CONFIG_X86_32=y\n"
                              "CONFIG_X86_PAE=y\n"
                              "CONFIG_HIGHMEM=y\n"
#endif
                              "CONFIG_MMU=y\n"
                              "CONFIG_MULTIUSER=y\n"
                              "CONFIG_SWAP=y\n"
                              "CONFIG_NUMA=y\n"
                              "CONFIG_COMPACTION=y\n"
                              "CONFIG_MIGRATION=y\n"
                              "CONFIG_SHMEM=y\n"
                              "CONFIG_TMPFS=y\n"
                              "CONFIG_TMPFS_XATTR=y\n"
                              "CONFIG_DEVTMPFS=y\n"
                              "CONFIG_PROC_FS=y\n"
                              "CONFIG_PROC_SYSCTL=y\n"
                              "CONFIG_PROC_PAGE_MONITOR=y\n"
                              "CONFIG_SYSFS=y\n"
                              "CONFIG_ADVISE_SYSCALLS=y\n"
                              "CONFIG_CROSS_MEMORY_ATTACH=y\n"
                              "CONFIG_MEMBARRIER=y\n"
                              "CONFIG_CHECKPOINT_RESTORE=y\n"
                              "CONFIG_USERFAULTFD=y\n"
                              "CONFIG_KSM=y\n"
                              "CONFIG_HAVE_ARCH_USERFAULTFD_WP=y\n"
                              "CONFIG_BINFMT_ELF=y\n"
                              "CONFIG_BINFMT_SCRIPT=y\n"
                              "CONFIG_FUTEX=y\n"
                              "CONFIG_EPOLL=y\n"
                              "CONFIG_EVENTFD=y\n"
                              "CONFIG_SIGNALFD=y\n"
                              "CONFIG_TIMERFD=y\n"
                              "CONFIG_POSIX_TIMERS=y\n"
                              "CONFIG_HIGH_RES_TIMERS=y\n"
                              "CONFIG_FILE_LOCKING=y\n"
                              "CONFIG_NET=y\n"
                              "CONFIG_UNIX=y\n"
                              "CONFIG_VIRTIO_BLK=y\n"
                              "CONFIG_VIRTIO_CONSOLE=y\n"
                              "# CONFIG_SMP is not set\n"
                              "# CONFIG_PREEMPT is not set\n"
                              "# CONFIG_MODULES is not set\n"
                              "# CONFIG_CGROUPS is not set\n"
                              "# CONFIG_NAMESPACES is not set\n"
                              "# CONFIG_HUGETLBFS is not set\n"
                              "# CONFIG_KASAN is not set\n"
                              "# CONFIG_FAULT_INJECTION is not set\n";

int options_populate(struct inode *boot)
{
    static const char title[] = "config-" SYSTEM_RELEASE;
    static const struct credentials root;
    struct entry *entry = NULL;
    struct ramfs_make make = {.mode = S_IFREG | 0644};
    int error = ramfs_make(boot, (struct name){title, sizeof title - 1}, &root, &make, &entry);
    if (error)
        return error;
    int64_t written = ramfile_fill(entry->inode, 0, options, sizeof options - 1);
    entry_put(entry);
    return written == (int64_t)sizeof options - 1 ? 0 : -ENOMEM;
}
