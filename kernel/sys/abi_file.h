/* kernel/sys/abi_file.h: structures of files, as the running class has them (x86-64, i386) */
#ifndef KERNEL_SYS_ABI_FILE_H
#define KERNEL_SYS_ABI_FILE_H

#include <stdint.h>

struct abi_file_time {
    unsigned long seconds, nanoseconds;
};

#if defined(__x86_64__)
struct abi_stat {
    uint64_t device, number, nlink;
    uint32_t mode, uid, gid, padding;
    uint64_t rdev;
    int64_t size, block_size, blocks;
    struct abi_file_time accessed, modified, changed;
    int64_t unused[3];
};
_Static_assert(sizeof(struct abi_stat) == 144, "Linux's struct stat");
#else
/* Of stat64. */
struct abi_stat {
    uint64_t device;
    uint32_t padding, old_number;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev;
    uint32_t padding2;
    int64_t size;
    uint32_t block_size;
    int64_t blocks;
    struct abi_file_time accessed, modified, changed;
    uint64_t number;
};
_Static_assert(sizeof(struct abi_stat) == 96, "Linux's struct stat64");
#endif

struct abi_statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t reserved;
};

struct abi_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, padding;
    uint64_t number, size, blocks, attributes_mask;
    struct abi_statx_time accessed, born, changed, modified;
    uint32_t rdev_major, rdev_minor, device_major, device_minor;
    uint64_t mount, spare[13];
};
_Static_assert(sizeof(struct abi_statx) == 256, "Linux's struct statx");

struct abi_statfs {
    unsigned long type, block_size, blocks, free, available, files, free_files;
    int32_t id[2];
    unsigned long name_max, fragment_size, flags, spare[4];
};

/* i386's alone; x86-64 has 64 bits anyway. */
struct abi_statfs64 {
    uint32_t type, block_size;
    uint64_t blocks, free, available, files, free_files;
    int32_t id[2];
    uint32_t name_max, fragment_size, flags, spare[4];
};
#if defined(__x86_64__)
_Static_assert(sizeof(struct abi_statfs) == 120, "Linux's struct statfs");
#else
_Static_assert(sizeof(struct abi_statfs) == 64, "Linux's struct statfs");
_Static_assert(sizeof(struct abi_statfs64) == 84, "Linux's struct statfs64");
#endif

/* Before the name and its NUL. */
struct abi_dirent64 {
    uint64_t number;
    int64_t next;
    uint16_t size;
    uint8_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct abi_dirent64) == 19, "Linux's struct linux_dirent64");

/* The type is in the last byte of the whole. */
struct abi_dirent {
    unsigned long number, next;
    uint16_t size;
} __attribute__((packed));

struct abi_flock {
    int16_t type, whence;
    long start, length;
    int32_t pid;
};

struct abi_flock64 {
    int16_t type, whence;
    int64_t start, length;
    int32_t pid;
};
#if defined(__x86_64__)
_Static_assert(sizeof(struct abi_flock64) == 32, "Linux's struct flock");
#else
_Static_assert(sizeof(struct abi_flock) == 16, "Linux's struct flock");
_Static_assert(sizeof(struct abi_flock64) == 24, "Linux's struct flock64");
#endif

struct abi_pollfd {
    int32_t fd;
    int16_t wanted, ready;
};

#endif
