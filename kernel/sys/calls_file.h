/* kernel/sys/calls_file.h: system calls of files: file_*.c */
#ifndef KERNEL_SYS_CALLS_FILE_H
#define KERNEL_SYS_CALLS_FILE_H

#include "syscall.h"

/* file_io.c, file_sendfile.c */
syscall_fn sys_read, sys_write, sys_pread64, sys_pwrite64, sys_readv, sys_writev, sys_preadv,
    sys_pwritev, sys_preadv2, sys_pwritev2, sys_sendfile;
/* file_splice.c */
syscall_fn sys_splice, sys_tee, sys_vmsplice, sys_copy_file_range;
/* file_open.c */
syscall_fn sys_open, sys_openat, sys_openat2, sys_creat, sys_close, sys_close_range, sys_dup,
    sys_dup2, sys_dup3, sys_pipe, sys_pipe2, sys_memfd_create, sys_eventfd, sys_eventfd2,
    sys_getrandom;
/* file_seek.c */
syscall_fn sys_lseek, sys_truncate, sys_ftruncate, sys_fallocate, sys_fadvise64, sys_readahead,
    sys_sync_file_range, sys_fsync, sys_fdatasync, sys_sync, sys_syncfs;
/* mount.c */
syscall_fn sys_mount, sys_umount2;
#if !defined(__x86_64__)
syscall_fn sys_umount;
#endif
/* file_stat.c */
syscall_fn sys_statx, sys_statfs, sys_fstatfs;
/* file_directory.c */
syscall_fn sys_getdents, sys_getdents64, sys_chdir, sys_fchdir, sys_getcwd, sys_readlink,
    sys_readlinkat, sys_chroot;
/* file_names.c */
syscall_fn sys_link, sys_linkat, sys_unlink, sys_unlinkat, sys_symlink, sys_symlinkat, sys_rename,
    sys_renameat, sys_renameat2, sys_mkdir, sys_mkdirat, sys_rmdir, sys_mknod, sys_mknodat;
/* file_attributes.c, file_times.c */
syscall_fn sys_access, sys_faccessat, sys_faccessat2, sys_chmod, sys_fchmod, sys_fchmodat,
    sys_fchmodat2, sys_chown, sys_lchown, sys_fchown, sys_fchownat, sys_umask, sys_utime,
    sys_utimes, sys_futimesat, sys_utimensat;
/* file_control.c */
syscall_fn sys_fcntl, sys_flock, sys_ioctl;
/* file_xattr.c */
syscall_fn sys_setxattr, sys_lsetxattr, sys_fsetxattr, sys_getxattr, sys_lgetxattr, sys_fgetxattr,
    sys_listxattr, sys_llistxattr, sys_flistxattr, sys_removexattr, sys_lremovexattr,
    sys_fremovexattr;
/* file_poll.c, epoll.c */
syscall_fn sys_poll, sys_ppoll, sys_select, sys_pselect6;
syscall_fn sys_epoll_create, sys_epoll_create1, sys_epoll_ctl, sys_epoll_wait, sys_epoll_pwait,
    sys_epoll_pwait2;
/* timerfd.c, signalfd.c */
syscall_fn sys_timerfd_create, sys_timerfd_settime, sys_timerfd_gettime, sys_signalfd,
    sys_signalfd4;
syscall_fn sys_timerfd_settime64, sys_timerfd_gettime64;

#if defined(__x86_64__)
syscall_fn sys_stat, sys_lstat, sys_fstat, sys_newfstatat;
#else
syscall_fn sys_stat64, sys_lstat64, sys_fstat64, sys_fstatat64, sys_statfs64, sys_fstatfs64;
syscall_fn sys__llseek, sys_truncate64, sys_ftruncate64, sys_fadvise64_64, sys_sendfile64,
    sys_fcntl64;
/* With users and groups of 32 bits; those above have 16. */
syscall_fn sys_chown32, sys_lchown32, sys_fchown32;
syscall_fn sys_ppoll_time64, sys_pselect6_time64, sys_utimensat_time64;
#endif

#endif
