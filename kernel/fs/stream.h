/* kernel/fs/stream.h: standard input and output that aren't a terminal
 *
 * Bytes over a line of the machine. A line has no end, so that of the input is told within: 0x10
 * (DLE) is sent twice, and DLE 0x04 is the end.
 */
#ifndef KERNEL_FS_STREAM_H
#define KERNEL_FS_STREAM_H

#include "fs/file.h"

#define STREAM_BYTES 16384u

/* From the line.
 *   invariant   bytes read .. end, modulo STREAM_BYTES, came and weren't read yet */
struct stream_input {
    void (*resume)(void *arg); /* there is room again */
    void *arg;
    char bytes[STREAM_BYTES];
    unsigned read, end;
    bool escaped; /* the last byte was a DLE, of which the meaning is to come */
    bool at_end;
    struct event changed;
};

/* From the line; interrupts are off. How many bytes it took: what it has room for, and behind the
 * end all, to nowhere. What isn't a DLE's second half loses the DLE. */
size_t stream_receive(struct stream_input *input, const char *bytes, size_t size);
/* No more will come. Also from handlers. */
void stream_end(struct stream_input *input);
/* A file to read it by; NULL: no memory. */
struct file *stream_open_input(struct stream_input *input, const struct credentials *who);

/* To the line. */
struct stream_output {
    /* How many bytes went: all if it may wait, unless a signal comes; -EINTR if nothing went, or
     * -EAGAIN. */
    int64_t (*write)(void *arg, const char *bytes, size_t size, bool wait);
    /* Something can be written at once, and counts what happened to that. NULL: always. */
    bool (*has_room)(void *arg);
    uint32_t (*happened)(void *arg);
    void *arg;
};
struct file *stream_open_output(struct stream_output *output, const struct credentials *who);

#endif
