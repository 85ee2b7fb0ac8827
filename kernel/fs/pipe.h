/* kernel/fs/pipe.h: pipes and FIFOs (man 7 pipe) */
#ifndef KERNEL_FS_PIPE_H
#define KERNEL_FS_PIPE_H

#include "fs/file.h"

#define PIPE_BYTES 65536u
#define PIPE_ATOMIC 4096u /* PIPE_BUF: so much is written in one piece or not at all */

/* Two open files on a new pipe: [0] reads, [1] writes. `flags`: O_NONBLOCK, O_DIRECT is ignored. */
int pipe_create(struct file *files[2], const struct credentials *who, int flags);
/* The first that opens waits for one of the other side: -EINTR; -ENXIO: nobody reads. */
int pipe_open_fifo(struct inode *inode, struct file *file);
void pipe_free(struct pipe *pipe);

/* For splice and tee, of an end for reading: bytes from `from` on stay in the pipe. Waits for the
 * first of them if `wait`; 0: the end; -EAGAIN, -EINTR. */
int64_t pipe_peek(struct file *file, char *to, size_t from, size_t size, bool wait);
void pipe_skip(struct file *file, size_t size);
/* Of an end for writing: bytes that a write puts in without waiting; -EAGAIN, -EINTR, -EPIPE. */
int64_t pipe_wait_for_room(struct file *file, bool wait);

/* Of PIPE_ATOMIC bytes, begun or full: what F_SETPIPE_SZ can't go below. */
unsigned pipe_nr_pages(const struct file *file);
bool file_is_pipe(const struct file *file);

#endif
