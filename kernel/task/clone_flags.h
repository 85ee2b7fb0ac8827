/* kernel/task/clone_flags.h: Linux's flags of clone(2) */
#ifndef KERNEL_TASK_CLONE_FLAGS_H
#define KERNEL_TASK_CLONE_FLAGS_H

#define CLONE_EXIT_SIGNAL 0xffu /* in the flags of clone, not of clone3 */
#define CLONE_VM 0x00000100u
#define CLONE_FS 0x00000200u
#define CLONE_FILES 0x00000400u
#define CLONE_SIGHAND 0x00000800u
#define CLONE_PIDFD 0x00001000u
#define CLONE_PTRACE 0x00002000u /* nobody traces: it makes no difference */
#define CLONE_VFORK 0x00004000u
#define CLONE_PARENT 0x00008000u
#define CLONE_THREAD 0x00010000u
#define CLONE_SYSVSEM 0x00040000u /* there are no semaphores to undo */
#define CLONE_SETTLS 0x00080000u
#define CLONE_PARENT_SETTID 0x00100000u
#define CLONE_CHILD_CLEARTID 0x00200000u
#define CLONE_DETACHED 0x00400000u /* ignored, as by Linux */
#define CLONE_UNTRACED 0x00800000u /* the same */
#define CLONE_CHILD_SETTID 0x01000000u
#define CLONE_NEWNS 0x00020000u   /* namespaces: there are none */
#define CLONE_NEWTIME 0x00000080u /* of unshare: clone has signals there */
#define CLONE_NEWUSER 0x10000000u
#define CLONE_NAMESPACES 0x7e020000u
#define CLONE_IO 0x80000000u /* there is nothing to be shared */
#define CLONE_CLEAR_SIGHAND 0x100000000ull
#define CLONE_KNOWN                                                                                \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK | CLONE_PARENT |              \
     CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID |    \
     CLONE_PIDFD | CLONE_PTRACE | CLONE_UNTRACED | CLONE_IO | CLONE_DETACHED |                     \
     CLONE_CHILD_SETTID | CLONE_CLEAR_SIGHAND)

#endif
