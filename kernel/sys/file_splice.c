/* kernel/sys/file_splice.c: splice(2), tee(2), vmsplice(2), copy_file_range(2)
 *
 * Bytes go through a buffer; what they came from gives them up when they have arrived. Only what a
 * socket or terminal gave, and has no place left to go, is lost.
 */
#include "fs/pipe.h"
#include "memory.h"
#include "sys/file_user.h"
#include "sys/file_vector.h"
#include "task/give_way.h"
#include "task/lifecycle.h"

#define BUFFER_BYTES PIPE_ATOMIC
#define SPLICE_NONBLOCK 2u
#define SPLICE_FLAGS 15u

/* One end: an open file, and a place of its own or the file's. */
struct end {
    struct file *file;
    uintptr_t place; /* of the number in user memory; 0: none */
    uint64_t at;
    uint64_t read_to; /* where a read without a place left the position */
};

struct copy {
    struct end in, out;
    size_t size;
    bool waits, ends; /* `ends`: nothing more goes now */
    char *buffer;
};

static int end_begin(struct end *end, unsigned long fd, uintptr_t place)
{
    *end = (struct end){.file = user_file(fd), .place = place};
    if (!end->file)
        return -EBADF;
    if (place && file_is_pipe(end->file))
        return -ESPIPE;
    if (place && copy_from_user(&end->at, place, sizeof end->at))
        return -EFAULT;
    return place && end->file->ops->stream ? -ESPIPE : (int64_t)end->at < 0 ? -EINVAL : 0;
}

static int end_end(struct end *end, bool done)
{
    int error =
        done && end->place && copy_to_user(end->place, &end->at, sizeof end->at) ? -EFAULT : 0;
    file_put(end->file);
    return error;
}

static int64_t read_end(struct end *end, char *to, size_t size)
{
    int64_t got =
        end->place ? file_pread(end->file, end->at, to, size) : file_read(end->file, to, size);
    end->at += end->place && got > 0 ? (uint64_t)got : 0;
    end->read_to = end->file->position;
    return got;
}

/* As much as RLIMIT_FSIZE allows. */
static int64_t write_end(struct end *end, const char *from, size_t size)
{
    file_write_begin(end->file);
    int64_t put = user_within_limit(end->file, end->place ? end->at : end->file->position, size);
    if (put > 0)
        put = end->place ? file_pwrite(end->file, end->at, from, (size_t)put)
                         : file_write(end->file, from, (size_t)put);
    file_write_end(end->file);
    end->at += end->place && put > 0 ? (uint64_t)put : 0;
    return put;
}

/* What was read and isn't wanted is read again, unless somebody else has moved the position since.
 */
static void step_back(struct end *end, int64_t lost)
{
    if (end->place)
        end->at -= (uint64_t)lost;
    else if (!end->file->ops->stream && end->file->position == end->read_to)
        end->file->position -= (uint64_t)lost;
}

/* ---- moving ---------------------------------------------------------------------------------- */

static size_t next_piece(size_t left, int64_t most)
{
    size_t piece = left < BUFFER_BYTES ? left : BUFFER_BYTES;
    return piece < (size_t)most ? piece : (size_t)most;
}

/* What is there, once there is something. */
static int64_t from_pipe(struct copy *copy, size_t left, bool wait)
{
    int64_t there = pipe_hold_start(copy->in.file, wait);
    if (there <= 0)
        return there;
    size_t got = pipe_copy(copy->in.file, copy->buffer, 0, next_piece(left, there));
    int64_t put = write_end(&copy->out, copy->buffer, got);
    pipe_give_start(copy->in.file, put > 0 ? (size_t)put : 0);
    copy->ends = put < (int64_t)got;
    return put;
}

static bool has_to_wait(struct file *file)
{
    return file->ops->stream && !(file_poll(file) & (POLLIN | POLLHUP | POLLERR));
}

static int64_t into_pipe(struct copy *copy, size_t left, bool wait)
{
    int64_t room = pipe_hold_end(copy->out.file, left < BUFFER_BYTES ? left : BUFFER_BYTES, wait);
    if (room <= 0)
        return room;
    int64_t got = !copy->waits && has_to_wait(copy->in.file)
                      ? -EAGAIN
                      : read_end(&copy->in, copy->buffer, (size_t)room);
    int64_t put = pipe_give_end(copy->out.file, copy->buffer, got > 0 ? (size_t)got : 0);
    if (got <= 0)
        return got;
    if (put < 0)
        step_back(&copy->in, got);
    copy->ends = copy->in.file->ops->stream; /* more might have to be waited for */
    return put;
}

static int64_t move(struct copy *copy)
{
    size_t done = 0;
    int64_t moved = 0;
    bool is_pipe = file_is_pipe(copy->in.file);
    while (done < copy->size && !copy->ends) {
        size_t left = copy->size - done;
        bool wait = !done && copy->waits;
        moved = is_pipe ? from_pipe(copy, left, wait) : into_pipe(copy, left, wait);
        if (moved <= 0)
            break;
        done += (size_t)moved;
        if (!give_way())
            break;
    }
    return done ? (int64_t)done : moved;
}

/* From pipe to pipe while the first one's start is held: what is there and has room. -EAGAIN: there
 * is none. */
static int64_t fill_pipe(struct copy *copy, size_t there)
{
    size_t done = 0, all = copy->size < there ? copy->size : there;
    int64_t put = 0;
    while (done < all) {
        put = pipe_hold_end(copy->out.file, next_piece(all - done, BUFFER_BYTES), false);
        if (put <= 0)
            break;
        (void)pipe_copy(copy->in.file, copy->buffer, done, (size_t)put);
        put = pipe_give_end(copy->out.file, copy->buffer, (size_t)put);
        if (put < 0)
            break;
        done += (size_t)put;
    }
    return done ? (int64_t)done : put;
}

/* Nothing is held while it waits, so that pipes may be moved in circles. */
static int64_t between_pipes(struct copy *copy, bool keep)
{
    for (;;) {
        int64_t there = pipe_hold_start(copy->in.file, copy->waits);
        if (there <= 0)
            return there;
        int64_t put = fill_pipe(copy, (size_t)there);
        pipe_give_start(copy->in.file, put > 0 && !keep ? (size_t)put : 0);
        if (put != -EAGAIN || !copy->waits)
            return put;
        put = pipe_wait_for_room(copy->out.file);
        if (put)
            return put;
    }
}

static int64_t move_by_buffer(struct copy *copy, bool keep)
{
    copy->size = copy->size < VECTOR_MAX_BYTES ? copy->size : VECTOR_MAX_BYTES;
    if (!file_may_read(copy->in.file) || !file_may_write(copy->out.file))
        return -EBADF;
    bool pipes[2] = {file_is_pipe(copy->in.file), file_is_pipe(copy->out.file)};
    if (keep ? !pipes[0] || !pipes[1] : !pipes[0] && !pipes[1])
        return -EINVAL;
    if (copy->in.file->inode == copy->out.file->inode || copy->out.file->flags & O_APPEND)
        return -EINVAL;
    if (inode_is(copy->in.file->inode, S_IFDIR))
        return -EINVAL;
    copy->buffer = quire_kmalloc(machine_slab, BUFFER_BYTES, QUIRE_GFP_KERNEL);
    if (!copy->buffer)
        return -ENOMEM;
    int64_t done = pipes[0] && pipes[1] ? between_pipes(copy, keep) : move(copy);
    quire_kfree(machine_slab, copy->buffer);
    return done;
}

static long splice(const unsigned long *in, const unsigned long *out, size_t size, unsigned flags,
                   bool keep)
{
    struct copy copy = {.size = size};
    if (flags & ~SPLICE_FLAGS)
        return -EINVAL;
    if (!size)
        return 0;
    int64_t done = end_begin(&copy.in, in[0], keep ? 0 : in[1]);
    int error = end_begin(&copy.out, out[0], keep ? 0 : out[1]);
    done = done ? done : error;
    copy.waits = !(flags & SPLICE_NONBLOCK);
    if (!done)
        done = move_by_buffer(&copy, keep);
    error = end_end(&copy.in, done > 0);
    int other = end_end(&copy.out, done > 0);
    if (done == -EPIPE)
        signal_self(SIGPIPE);
    return error ? error : other ? other : user_restart(done);
}

/* splice(in, place, out, place, size, flags). */
long sys_splice(const unsigned long *arg)
{
    return splice(&arg[0], &arg[2], arg[4], (unsigned)arg[5], false);
}

/* tee(in, out, size, flags): what is in one pipe comes into the other, too. */
long sys_tee(const unsigned long *arg)
{
    return splice(&arg[0], &arg[1], arg[2], (unsigned)arg[3], true);
}

/* vmsplice(pipe, pieces, count, flags): pages aren't lent, so it is writev or readv. */
long sys_vmsplice(const unsigned long *arg)
{
    struct file *file = user_file(arg[0]);
    if (!file)
        return -EBADF;
    bool is_pipe = file_is_pipe(file), writes = file_may_write(file);
    file_put(file);
    if (!is_pipe)
        return -EBADF;
    if ((unsigned)arg[3] & ~SPLICE_FLAGS)
        return -EINVAL;
    return writes ? sys_writev(arg) : sys_readv(arg);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* What lies beyond the end isn't copied, so it overlaps with nothing. */
static int check_files(const struct end *in, const struct end *out, size_t size)
{
    const struct inode *from = in->file->inode, *to = out->file->inode;
    if (inode_is(from, S_IFDIR) || inode_is(to, S_IFDIR))
        return -EISDIR;
    if (!inode_is(from, S_IFREG) || !inode_is(to, S_IFREG))
        return -EINVAL;
    if (!file_may_read(in->file) || !file_may_write(out->file) || out->file->flags & O_APPEND)
        return -EBADF;
    if (from != to)
        return 0;
    uint64_t a = in->place ? in->at : in->file->position;
    uint64_t b = out->place ? out->at : out->file->position;
    uint64_t end = in->file->ops->size ? in->file->ops->size(in->file) : 0;
    size = end <= a ? 0 : size < end - a ? size : (size_t)(end - a);
    return a < b + size && b < a + size ? -EINVAL : 0;
}

static int64_t copy_files(struct copy *copy)
{
    size_t done = 0;
    int64_t put = check_files(&copy->in, &copy->out, copy->size);
    if (put)
        return put;
    copy->buffer = quire_kmalloc(machine_slab, BUFFER_BYTES, QUIRE_GFP_KERNEL);
    if (!copy->buffer)
        return -ENOMEM;
    while (done < copy->size) {
        int64_t got =
            read_end(&copy->in, copy->buffer, next_piece(copy->size - done, BUFFER_BYTES));
        put = got > 0 ? write_end(&copy->out, copy->buffer, (size_t)got) : got;
        if (put < got)
            step_back(&copy->in, got - (put > 0 ? put : 0));
        if (put <= 0)
            break;
        done += (size_t)put;
        if (put < got || !give_way())
            break;
    }
    quire_kfree(machine_slab, copy->buffer);
    return done ? (int64_t)done : put;
}

/* copy_file_range(in, place, out, place, size, flags). */
long sys_copy_file_range(const unsigned long *arg)
{
    struct copy copy = {.size = arg[4] < VECTOR_MAX_BYTES ? arg[4] : VECTOR_MAX_BYTES};
    if (arg[5])
        return -EINVAL;
    int64_t done = end_begin(&copy.in, arg[0], arg[1]);
    int error = end_begin(&copy.out, arg[2], arg[3]);
    done = done ? done : error;
    if (done == -ESPIPE)
        done = -EINVAL; /* no regular file */
    if (!done)
        done = copy_files(&copy);
    error = end_end(&copy.in, done > 0);
    int other = end_end(&copy.out, done > 0);
    return error ? error : other ? other : (long)done;
}
