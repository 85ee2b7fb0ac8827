/* kernel/fs/stream.c: standard input and output that aren't a terminal */
#include "fs/stream.h"

#include <quire/port.h>

#include "fs/anonymous.h"
#include "fs/ioctl.h"

#define DLE 0x10
#define END 0x04

/* Bytes before the next DLE; all if there is none. */
static size_t plain_bytes(const char *bytes, size_t size)
{
    size_t plain = 0;
    while (plain < size && bytes[plain] != DLE)
        plain++;
    return plain;
}

/* What there is room for, in two pieces if it goes around the end. */
static size_t put(struct stream_input *input, const char *bytes, size_t size)
{
    size_t room = STREAM_BYTES - (input->end - input->read);
    size = size < room ? size : room;
    size_t at = input->end % STREAM_BYTES;
    size_t first = size < STREAM_BYTES - at ? size : STREAM_BYTES - at;
    __builtin_memcpy(input->bytes + at, bytes, first);
    __builtin_memcpy(input->bytes, bytes + first, size - first);
    input->end += (unsigned)size;
    return size;
}

/* What a byte behind a DLE means; false: there is no room for it. */
static bool put_escaped(struct stream_input *input, const char *byte)
{
    if (*byte == END)
        input->at_end = true;
    else if (!put(input, byte, 1))
        return false;
    input->escaped = false;
    return true;
}

size_t stream_receive(struct stream_input *input, const char *bytes, size_t size)
{
    size_t done = 0;
    while (done < size && !input->at_end) {
        if (input->escaped) {
            if (!put_escaped(input, bytes + done))
                break;
            done++;
            continue;
        }
        size_t plain = plain_bytes(bytes + done, size - done);
        size_t taken = put(input, bytes + done, plain);
        done += taken;
        if (taken < plain)
            break;
        input->escaped = done < size;
        done += input->escaped;
    }
    event_signal(&input->changed);
    return input->at_end ? size : done;
}

void stream_end(struct stream_input *input)
{
    input->at_end = true;
    event_signal(&input->changed);
}

static size_t take(struct stream_input *input, char *to, size_t size)
{
    size_t there = input->end - input->read, at = input->read % STREAM_BYTES;
    size = size < there ? size : there;
    size_t first = size < STREAM_BYTES - at ? size : STREAM_BYTES - at;
    __builtin_memcpy(to, input->bytes + at, first);
    __builtin_memcpy(to + first, input->bytes, size - first);
    input->read += (unsigned)size;
    if (size && input->resume)
        input->resume(input->arg);
    return size;
}

static int64_t input_read(struct file *file, uint64_t at, void *to, size_t size)
{
    struct stream_input *input = file->data;
    (void)at;
    for (;;) {
        uint32_t seen = event_read(&input->changed);
        /* The end is looked at first: it came behind all that is taken next. */
        bool at_end = input->at_end;
        size_t done = take(input, to, size);
        if (done || at_end || !size)
            return (int64_t)done;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = event_wait(&input->changed, seen, NO_DEADLINE);
        if (error)
            return error;
    }
}

static unsigned input_poll(struct file *file)
{
    const struct stream_input *input = file->data;
    return (input->read != input->end ? POLLIN | POLLRDNORM : 0) | (input->at_end ? POLLHUP : 0);
}

static uint32_t input_happened(struct file *file, unsigned events)
{
    const struct stream_input *input = file->data;
    return events & POLLIN ? event_read(&input->changed) : 0;
}

static long input_ioctl(struct file *file, unsigned command, void *argument,
                        const struct fs_caller *caller)
{
    const struct stream_input *input = file->data;
    (void)caller;
    if (command != FIONREAD)
        return -ENOTTY;
    *(int *)argument = (int)(input->end - input->read);
    return 0;
}

static int64_t output_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    struct stream_output *output = file->data;
    (void)at;
    return output->write(output->arg, from, size, !(file->flags & O_NONBLOCK));
}

static unsigned output_poll(struct file *file)
{
    const struct stream_output *output = file->data;
    return !output->has_room || output->has_room(output->arg) ? POLLOUT | POLLWRNORM : 0;
}

static uint32_t output_happened(struct file *file, unsigned events)
{
    const struct stream_output *output = file->data;
    return events & POLLOUT && output->happened ? output->happened(output->arg) : 0;
}

static const struct file_ops input_ops = {
    .name = "pipe",
    .stream = true,
    .read = input_read,
    .poll = input_poll,
    .happened = input_happened,
    .ioctl = input_ioctl,
};
static const struct file_ops output_ops = {
    .name = "pipe",
    .stream = true,
    .write = output_write,
    .poll = output_poll,
    .happened = output_happened,
};

/* Opening it again, by /dev/stdin, is the same stream. */
static int open_again(struct inode *inode, struct file *file)
{
    const struct file_ops *ops = inode->generated.node;
    if (!(ops->read ? file_may_read(file) : file_may_write(file)))
        return -EACCES;
    file->ops = ops;
    file->data = (void *)(uintptr_t)inode->generated.subject;
    return 0;
}

static const struct inode_ops stream_ops = {.open = open_again};

static struct file *open_stream(const struct file_ops *ops, void *data, int flags,
                                const struct credentials *who)
{
    struct inode *inode = inode_new(&anonymous_volume, &stream_ops, S_IFIFO | 0600, who);
    if (!inode)
        return NULL;
    inode->generated.node = ops;
    inode->generated.subject = (uintptr_t)data;
    struct file *file = file_new(inode, NULL, ops, flags);
    inode_put(inode);
    if (file)
        file->data = data;
    return file;
}

struct file *stream_open_input(struct stream_input *input, const struct credentials *who)
{
    return open_stream(&input_ops, input, O_RDONLY, who);
}

struct file *stream_open_output(struct stream_output *output, const struct credentials *who)
{
    return open_stream(&output_ops, output, O_WRONLY, who);
}
