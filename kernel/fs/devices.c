/* kernel/fs/devices.c: null, zero, full, random, kmsg, and which nodes there are */
#include "fs/devices.h"

#include "base/compiler.h"
#include "base/text.h"
#include "fs/block.h"
#include "fs/ramfs.h"
#include "fs/random.h"
#include "string.h"

#define MEM_MAJOR 1u
#define MARK_BYTES 64u

void (*device_mark)(const char *text);

static int64_t null_read(struct file *file, uint64_t at, void *to, size_t size)
{
    (void)file, (void)at, (void)to, (void)size;
    return 0;
}

static int64_t null_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    (void)file, (void)at, (void)from;
    return (int64_t)size;
}

static int64_t zero_read(struct file *file, uint64_t at, void *to, size_t size)
{
    (void)file, (void)at;
    __builtin_memset(to, 0, size);
    return (int64_t)size;
}

static int64_t full_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    (void)file, (void)at, (void)from;
    return size ? -ENOSPC : 0;
}

static int64_t random_read(struct file *file, uint64_t at, void *to, size_t size)
{
    (void)file, (void)at;
    random_bytes(to, size);
    return (int64_t)size;
}

static int64_t random_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    (void)file, (void)at;
    random_seed(from, size);
    return (int64_t)size;
}

/* A line for the kernel's log, as printk(9) has it: a level in <> before it goes. Linux takes more
 * of a line, and lets the log be read. */
static int64_t kmsg_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    const char *text = from;
    char line[MARK_BYTES];
    size_t length = 0, i = 0;
    (void)file, (void)at;
    if (size && text[0] == '<') {
        while (i < size && text[i] != '>')
            i++;
        i = i < size ? i + 1 : 0;
    }
    for (; i < size && length < sizeof line - 1 && text[i] != '\n' && text[i]; i++)
        line[length++] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
    line[length] = '\0';
    quire_log(QUIRE_LOG_INFO, "kmsg: %s", line);
    if (device_mark)
        device_mark(line);
    return (int64_t)size;
}

static const struct file_ops null_ops = {
    .name = "null", .no_position = true, .read = null_read, .write = null_write};
static const struct file_ops zero_ops = {
    .name = "zero", .no_position = true, .read = zero_read, .write = null_write};
static const struct file_ops full_ops = {
    .name = "full", .no_position = true, .read = zero_read, .write = full_write};
static const struct file_ops random_ops = {
    .name = "random", .no_position = true, .read = random_read, .write = random_write};
static const struct file_ops kmsg_ops = {.name = "kmsg", .write = kmsg_write};

static const struct file_ops *const mem_ops[] = {
    [3] = &null_ops,   [5] = &zero_ops,   [7] = &full_ops,
    [8] = &random_ops, [9] = &random_ops, [11] = &kmsg_ops};

bool device_is_zero(const struct file *file)
{
    return file->ops == &zero_ops;
}

/* ---- which there are ------------------------------------------------------------------------- */

#define NR_REGISTERED 8u

static struct {
    uint64_t number;
    int (*open)(struct inode *inode, struct file *file);
} registered[NR_REGISTERED];
static unsigned nr_registered;

void device_register(uint64_t number, int (*open)(struct inode *inode, struct file *file))
{
    unsigned i = 0;
    while (i < nr_registered && registered[i].number != number)
        i++;
    QUIRE_BUG_ON(i == NR_REGISTERED);
    registered[i].number = number;
    registered[i].open = open;
    nr_registered += i == nr_registered;
}

int device_open(struct inode *inode, struct file *file)
{
    if (inode_is(inode, S_IFBLK))
        return block_open(inode, file);
    for (unsigned i = 0; i < sizeof mem_ops / sizeof mem_ops[0]; i++)
        if (mem_ops[i] && inode->device == device_number(MEM_MAJOR, i)) {
            file->ops = mem_ops[i];
            return 0;
        }
    for (unsigned i = 0; i < nr_registered; i++)
        if (inode->device == registered[i].number)
            return registered[i].open(inode, file);
    return -ENXIO;
}

static int make_node(struct inode *dev, const char *text, const struct ramfs_make *make)
{
    static const struct credentials root;
    struct name name = {text, (unsigned)string_length(text)};
    return ramfs_make(dev, name, &root, make, NULL);
}

int devices_populate(struct inode *dev)
{
    static const struct {
        const char *name;
        unsigned mode, major, minor;
    } nodes[] = {
        {"kmsg", 0200, MEM_MAJOR, 11},
        {"null", 0666, MEM_MAJOR, 3},
        {"zero", 0666, MEM_MAJOR, 5},
        {"full", 0666, MEM_MAJOR, 7},
        {"random", 0666, MEM_MAJOR, 8},
        {"urandom", 0666, MEM_MAJOR, 9},
        {"tty", 0666, TTY_OTHER_MAJOR, 0},
        {"console", 0600, TTY_OTHER_MAJOR, 1},
        {"ttyS0", 0660, TTY_MAJOR, TTY_SERIAL_MINOR},
        {"userfaultfd", 0600, MISC_MAJOR, USERFAULTFD_MINOR},
    };
    static const struct {
        const char *name, *target;
    } links[] = {
        {"fd", "/proc/self/fd"},
        {"stdin", "/proc/self/fd/0"},
        {"stdout", "/proc/self/fd/1"},
        {"stderr", "/proc/self/fd/2"},
    };
    const struct block_device *block;
    int error = 0;
    for (size_t i = 0; !error && i < sizeof nodes / sizeof nodes[0]; i++)
        error = make_node(
            dev, nodes[i].name,
            &(struct ramfs_make){.mode = S_IFCHR | nodes[i].mode,
                                 .device = device_number(nodes[i].major, nodes[i].minor)});
    for (unsigned i = 0; !error && (block = block_device(i)); i++)
        error = make_node(dev, block->name,
                          &(struct ramfs_make){.mode = S_IFBLK | 0660,
                                               .device = device_number(BLOCK_MAJOR, block->minor)});
    for (size_t i = 0; !error && i < sizeof links / sizeof links[0]; i++)
        error = make_node(dev, links[i].name,
                          &(struct ramfs_make){.mode = S_IFLNK | 0777, .target = links[i].target});
    return error;
}
