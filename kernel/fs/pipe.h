/* kernel/fs/pipe.h: pipes and FIFOs (man 7 pipe) */
#ifndef KERNEL_FS_PIPE_H
#define KERNEL_FS_PIPE_H

#include "fs/file.h"

#define PIPE_BYTES 65536u
#define PIPE_ATOMIC 4096u /* PIPE_BUF: so much is written in one piece or not at all */

/* Two open files on a new pipe: [0] reads, [1] writes. `flags`: O_NONBLOCK, O_DIRECT is ignored.
 * -ENFILE: there are too many; -ENOMEM. */
int pipe_create(struct file *files[2], const struct credentials *who, int flags);
/* The first that opens waits for one of the other side: -EINTR; -ENXIO: nobody reads; and as
 * above. */
int pipe_open_fifo(struct inode *inode, struct file *file);
void pipe_free(struct pipe *pipe);

/* For splice and tee, which sleep between looking at a pipe and changing it. What is held is nobody
 * else's: readers or writers wait, as if nothing were there. Of an end for reading: how many bytes
 * are there, of which those from `from` on can be copied; then they are given back but for those
 * taken. 0: the end; -EAGAIN: it would have to wait; -EINTR. */
int64_t pipe_hold_start(struct file *file, bool wait);
size_t pipe_copy(const struct file *file, char *to, size_t from, size_t size);
void pipe_give_start(struct file *file, size_t taken);
/* Of an end for writing: room for how many bytes, at most `most`; then as many or fewer are put
 * there. -EPIPE, -EAGAIN, -EINTR, -ENOMEM. */
int64_t pipe_hold_end(struct file *file, size_t most, bool wait);
int64_t pipe_give_end(struct file *file, const char *from, size_t size);
int pipe_wait_for_room(struct file *file); /* for somebody, by now */

/* Of PIPE_ATOMIC bytes, begun or full: what F_SETPIPE_SZ can't go below. */
unsigned pipe_nr_pages(const struct file *file);
bool file_is_pipe(const struct file *file);

#endif
