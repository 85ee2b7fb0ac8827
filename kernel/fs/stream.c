/* kernel/fs/stream.c: standard input and output that aren't a terminal */
#include "fs/stream.h"

#include <quire/port.h>

#include "fs/anonymous.h"
#include "fs/ioctl.h"

#define DLE 0x10
#define END 0x04

void stream_receive(struct stream_input *input, unsigned char byte)
{
    if (input->at_end)
        return;
    if (byte == DLE && !input->escaped) {
        input->escaped = true;
        return;
    }
    if (input->escaped && byte == END)
        input->at_end = true;
    else if (input->end - input->read < STREAM_BYTES)
        input->bytes[input->end++ % STREAM_BYTES] = (char)byte;
    input->escaped = false;
    event_signal(&input->changed);
}

unsigned stream_room(const struct stream_input *input)
{
    return STREAM_BYTES - (input->end - input->read);
}

static size_t take(struct stream_input *input, char *to, size_t size)
{
    size_t done = 0;
    for (; done < size && input->read != input->end; done++)
        to[done] = input->bytes[input->read++ % STREAM_BYTES];
    if (done && input->resume)
        input->resume(input->arg);
    return done;
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
    output->write(output->arg, from, size);
    return (int64_t)size;
}

static unsigned output_poll(struct file *file)
{
    (void)file;
    return POLLOUT | POLLWRNORM;
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
    .name = "pipe", .stream = true, .write = output_write, .poll = output_poll};

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
