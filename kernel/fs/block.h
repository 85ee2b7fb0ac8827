/* kernel/fs/block.h: block devices: /dev/vda and its like
 *
 * A driver makes them known; files and swap areas use them. There is no cache here: what is read
 * comes from the device, and what is written has reached it, but perhaps only the cache that it has
 * itself; `flush` makes that durable.
 */
#ifndef KERNEL_FS_BLOCK_H
#define KERNEL_FS_BLOCK_H

#include "base/text.h"
#include "fs/file.h"

#define SECTOR_BYTES 512u
#define BLOCK_MAJOR 254u /* the first that Linux gives to who asks for any */
#define BLOCK_MINORS 16u /* of a device: with its partitions, of which there are none */
#define BLOCK_MAX_DEVICES 8u

/* A piece of memory, whole sectors of it. */
struct block_piece {
    uint64_t phys;
    uint32_t size;
};

struct block_device {
    const char *name;
    uint64_t nr_sectors;
    bool read_only;
    /* Any number of pieces, from or to sectors that are there, at once; waits until it is done.
     * -EIO, -ENOSPC, -EROFS. */
    int (*transfer)(struct block_device *device, bool write, uint64_t sector,
                    const struct block_piece *pieces, unsigned count);
    /* What was written is on the medium. NULL: it always is. */
    int (*flush)(struct block_device *device);
    /* What these sectors hold isn't needed any more: advice. NULL: it takes none. */
    void (*discard)(struct block_device *device, uint64_t sector, uint64_t count);

    unsigned minor;                           /* from here on the layer's own */
    bool claimed;                             /* somebody has it for himself: swap */
    uint64_t transfers[2], sectors[2], ns[2]; /* read, written; without those that failed */
    unsigned nr_under_way;
    char *page; /* of files: what isn't whole sectors goes through it */
    bool busy;
    struct event free;
};

/* Before fs_init. `device` has to stay; it is zero where it is the layer's. False: too many. */
bool block_register(struct block_device *device);
/* The end, for tests: there are none any more. */
void block_unregister_all(void);
/* The nth; NULL: there is none. */
struct block_device *block_device(unsigned index);
/* The device of a node; NULL: it isn't one, or there is no such. */
struct block_device *block_device_of(const struct inode *inode);

/* Reads or writes. -EINVAL: sectors that aren't there; else what the device says. May sleep, and
 * allocates nothing. */
int block_transfer(struct block_device *device, bool write, uint64_t sector,
                   const struct block_piece *pieces, unsigned count);

/* What was written to any of them so far is on its medium, or lost. */
void block_flush_all(void);

/* Of devices.c: as inode_ops.open. */
int block_open(struct inode *inode, struct file *file);

int block_show_partitions(struct text *text, uint64_t subject);
int block_show_diskstats(struct text *text, uint64_t subject);

#endif
