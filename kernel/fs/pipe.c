/* kernel/fs/pipe.c: pipes and FIFOs
 *
 * A ring of bytes in pages that are made when they are first written to. A writer of more than
 * PIPE_ATOMIC bytes puts in what fits, as often as it takes; one of less waits until all fits.
 *
 * Moving bytes between a pipe and another file takes sleeps. Meanwhile the pipe's start is held, so
 * that nobody else reads what is being moved out, or its end, so that what comes has room.
 *
 * Linux lets a user whose pipes have much memory make only small ones. Here each pipe may have one
 * page; those beyond are all pipes' together, and a pipe that gets none takes less at a time.
 *
 *   bound       pipes with their first pages have one in MEMORY_SHARE of memory, their other pages
 *               as much again
 *   invariant   when a pipe is empty and not held, it begins with its first page, which is the
 *               first that it gets: PIPE_ATOMIC bytes always find room in the end
 *   invariant   size <= PIPE_BYTES; bytes start .. start + size of the ring, modulo PIPE_BYTES, are
 *               what has been written and not yet read, and lie in pages that exist
 */
#include "fs/pipe.h"

#include "fs/anonymous.h"
#include "fs/ioctl.h"
#include "memory.h"

#define CHUNK_BYTES 4096u
#define NR_CHUNKS (PIPE_BYTES / CHUNK_BYTES)
#define MEMORY_SHARE 16u

struct pipe {
    char *chunk[NR_CHUNKS];
    unsigned start, size;
    unsigned readers, writers;
    bool start_held, end_held;
    uint32_t written, drained; /* times that there was more to read, or room that a writer missed */
    uint32_t opened[2]; /* for reading and for writing, ever: whoever waits for one sees it */
    struct event changed;
};

static unsigned long nr_pipes, nr_more_chunks; /* beyond each one's first */
static struct event more_room; /* there are no longer too many: how often is an edge of each pipe */

static unsigned long share(void)
{
    return quire_nr_managed_pages(machine_mem) / MEMORY_SHARE;
}

static int pipe_new(struct pipe **pipe)
{
    if (nr_pipes >= share())
        return -ENFILE;
    nr_pipes++;
    *pipe = quire_kzalloc(machine_slab, sizeof **pipe, QUIRE_GFP_KERNEL);
    nr_pipes -= !*pipe;
    return *pipe ? 0 : -ENOMEM;
}

static void free_more_chunks(struct pipe *pipe)
{
    bool were_too_many = nr_more_chunks >= share();
    for (unsigned i = 1; i < NR_CHUNKS; i++) {
        nr_more_chunks -= pipe->chunk[i] != NULL;
        quire_kfree(machine_slab, pipe->chunk[i]);
        pipe->chunk[i] = NULL;
    }
    if (were_too_many && nr_more_chunks < share())
        event_signal(&more_room);
}

void pipe_free(struct pipe *pipe)
{
    free_more_chunks(pipe);
    quire_kfree(machine_slab, pipe->chunk[0]);
    quire_kfree(machine_slab, pipe);
    nr_pipes--;
}

static struct pipe *pipe_of(const struct file *file)
{
    return file->inode->pipe;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Of `size` bytes at `at` those in one chunk. */
static size_t in_chunk(unsigned at, size_t size)
{
    size_t room = CHUNK_BYTES - at % CHUNK_BYTES;
    return size < room ? size : room;
}

/* Of what begins at `from`; it stays. */
static size_t copy_bytes(const struct pipe *pipe, char *to, size_t from, size_t size)
{
    size_t done = 0, there = from < pipe->size ? pipe->size - from : 0;
    if (size > there)
        size = there;
    while (done < size) {
        unsigned at = (unsigned)(pipe->start + from + done) % PIPE_BYTES;
        size_t piece = in_chunk(at, size - done);
        __builtin_memcpy(to + done, pipe->chunk[at / CHUNK_BYTES] + at % CHUNK_BYTES, piece);
        done += piece;
    }
    return done;
}

/* So many fit behind what is there. */
static size_t room_in(const struct pipe *pipe)
{
    size_t end = pipe->start + pipe->size, room = PIPE_BYTES - pipe->size, there = 0;
    if (nr_more_chunks < share())
        return room;
    if (!pipe->chunk[0])
        return CHUNK_BYTES;
    while (there < room && pipe->chunk[(end + there) % PIPE_BYTES / CHUNK_BYTES])
        there += in_chunk((unsigned)(end + there), room - there);
    return there;
}

/* What comes next begins a page. */
static void begin_if_empty(struct pipe *pipe)
{
    if (pipe->size || pipe->end_held)
        return;
    pipe->start = 0;
    if (nr_more_chunks >= share())
        free_more_chunks(pipe);
}

static void skip_bytes(struct pipe *pipe, size_t size)
{
    pipe->drained += room_in(pipe) < PIPE_ATOMIC;
    pipe->start = (unsigned)(pipe->start + size) % PIPE_BYTES;
    pipe->size -= (unsigned)size;
    begin_if_empty(pipe);
    event_signal(&pipe->changed);
}

/* Where the first chunk is missing that the next `size` bytes need; NULL: all are there. */
static char **missing_chunk(struct pipe *pipe, size_t size)
{
    size_t end = pipe->start + pipe->size;
    for (size_t done = 0; done < size; done += in_chunk((unsigned)(end + done), size - done)) {
        char **chunk = &pipe->chunk[(end + done) % PIPE_BYTES / CHUNK_BYTES];
        if (!*chunk)
            return chunk;
    }
    return NULL;
}

/* May sleep. */
static int make_chunk(struct pipe *pipe, char **chunk)
{
    bool is_more = chunk != &pipe->chunk[0];
    nr_more_chunks += is_more;
    char *new = quire_kmalloc(machine_slab, CHUNK_BYTES, QUIRE_GFP_KERNEL);
    if (new && !*chunk) {
        *chunk = new;
        return 0;
    }
    nr_more_chunks -= is_more;
    quire_kfree(machine_slab, new); /* somebody else has made it meanwhile */
    return new ? 0 : -ENOMEM;
}

static void put_bytes(struct pipe *pipe, const char *from, size_t size)
{
    size_t done = 0;
    while (done < size) {
        unsigned end = (pipe->start + pipe->size) % PIPE_BYTES;
        size_t piece = in_chunk(end, size - done);
        __builtin_memcpy(pipe->chunk[end / CHUNK_BYTES] + end % CHUNK_BYTES, from + done, piece);
        pipe->size += (unsigned)piece;
        done += piece;
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

/* How many can be read, waiting for the first if `wait`; 0: the end. */
static int64_t wait_for_bytes(struct file *file, bool wait)
{
    struct pipe *pipe = pipe_of(file);
    for (;;) {
        uint32_t seen = event_read(&pipe->changed);
        if (pipe->size && !pipe->start_held)
            return pipe->size;
        if (!pipe->size && !pipe->writers)
            return 0;
        if (!wait || file->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = event_wait(&pipe->changed, seen, NO_DEADLINE);
        if (error)
            return error;
    }
}

static int64_t pipe_read(struct file *file, uint64_t at, void *to, size_t size)
{
    struct pipe *pipe = pipe_of(file);
    (void)at;
    if (!size)
        return 0;
    int64_t there = wait_for_bytes(file, true);
    if (there <= 0)
        return there;
    size = copy_bytes(pipe, to, 0, size);
    skip_bytes(pipe, size);
    return (int64_t)size;
}

/* Waits until `least` bytes fit: those that do, at most `size`; 0: look again. With success nothing
 * slept since. */
static int64_t wait_for_room(struct file *file, size_t least, size_t size, bool wait)
{
    struct pipe *pipe = pipe_of(file);
    uint32_t seen = event_read(&pipe->changed);
    size_t room = room_in(pipe);
    if (!pipe->readers)
        return -EPIPE;
    if (room >= least && !pipe->end_held) {
        size = size < room ? size : room;
        char **missing = missing_chunk(pipe, size);
        return missing ? make_chunk(pipe, missing) : (int64_t)size;
    }
    if (!wait || file->flags & O_NONBLOCK)
        return -EAGAIN;
    return event_wait(&pipe->changed, seen, NO_DEADLINE);
}

static int64_t pipe_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    struct pipe *pipe = pipe_of(file);
    size_t done = 0;
    (void)at;
    while (done < size) {
        size_t left = size - done;
        int64_t room = wait_for_room(file, size <= PIPE_ATOMIC ? left : 1, left, true);
        if (room < 0)
            return done ? (int64_t)done : room;
        put_bytes(pipe, (const char *)from + done, (size_t)room);
        pipe->written += room > 0;
        done += (size_t)room;
        if (room)
            event_signal(&pipe->changed);
    }
    return (int64_t)done;
}

static unsigned pipe_poll(struct file *file)
{
    const struct pipe *pipe = pipe_of(file);
    unsigned mask = 0;
    if (file_may_read(file)) {
        mask |= pipe->size && !pipe->start_held ? POLLIN | POLLRDNORM : 0;
        mask |= !pipe->writers && pipe->opened[1] ? POLLHUP : 0;
    }
    if (file_may_write(file)) {
        bool room = room_in(pipe) >= PIPE_ATOMIC && !pipe->end_held;
        mask |= room ? POLLOUT | POLLWRNORM : 0;
        mask |= pipe->readers ? 0 : POLLERR;
    }
    return mask;
}

static uint32_t pipe_happened(struct file *file, unsigned events)
{
    const struct pipe *pipe = pipe_of(file);
    return (events & POLLIN ? pipe->written : 0) +
           (events & POLLOUT ? pipe->drained + event_read(&more_room) : 0);
}

static long pipe_ioctl(struct file *file, unsigned command, void *argument,
                       const struct fs_caller *caller)
{
    (void)caller;
    if (command != FIONREAD)
        return -ENOTTY;
    *(int *)argument = (int)pipe_of(file)->size;
    return 0;
}

static void pipe_release(struct file *file)
{
    struct pipe *pipe = pipe_of(file);
    pipe->readers -= file_may_read(file);
    pipe->writers -= file_may_write(file);
    event_signal(&pipe->changed);
    if (!pipe->readers && !pipe->writers) {
        file->inode->pipe = NULL; /* what nobody read is gone: the next is a new pipe */
        pipe_free(pipe);
    }
}

static const struct file_ops pipe_ops = {
    .name = "pipe",
    .stream = true,
    .read = pipe_read,
    .write = pipe_write,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
    .happened = pipe_happened,
    .release = pipe_release,
};

/* ---- moving ---------------------------------------------------------------------------------- */

int64_t pipe_hold_start(struct file *file, bool wait)
{
    int64_t there = wait_for_bytes(file, wait);
    if (there > 0)
        pipe_of(file)->start_held = true;
    return there;
}

size_t pipe_copy(const struct file *file, char *to, size_t from, size_t size)
{
    return copy_bytes(pipe_of(file), to, from, size);
}

/* To those who had to let it be it is as if the bytes came now. */
void pipe_give_start(struct file *file, size_t taken)
{
    struct pipe *pipe = pipe_of(file);
    pipe->start_held = false;
    pipe->written++;
    skip_bytes(pipe, taken);
}

int64_t pipe_hold_end(struct file *file, size_t most, bool wait)
{
    int64_t room;
    do {
        room = wait_for_room(file, 1, most, wait);
    } while (!room);
    if (room > 0)
        pipe_of(file)->end_held = true;
    return room;
}

int64_t pipe_give_end(struct file *file, const char *from, size_t size)
{
    struct pipe *pipe = pipe_of(file);
    pipe->end_held = false;
    pipe->drained++;
    if (pipe->readers) {
        put_bytes(pipe, from, size);
        pipe->written += size > 0;
    }
    begin_if_empty(pipe);
    event_signal(&pipe->changed);
    return pipe->readers ? (int64_t)size : -EPIPE;
}

int pipe_wait_for_room(struct file *file)
{
    int64_t room;
    do {
        room = wait_for_room(file, 1, 1, true);
    } while (!room);
    return room < 0 ? (int)room : 0;
}

/* ---- what it is ------------------------------------------------------------------------------ */

unsigned pipe_nr_pages(const struct file *file)
{
    const struct pipe *pipe = pipe_of(file);
    return pipe->size ? (pipe->start % CHUNK_BYTES + pipe->size - 1) / CHUNK_BYTES + 1 : 0;
}

bool file_is_pipe(const struct file *file)
{
    return file->ops == &pipe_ops;
}

/* ---- opening --------------------------------------------------------------------------------- */

static void attach(struct file *file)
{
    struct pipe *pipe = pipe_of(file);
    file->ops = &pipe_ops;
    pipe->readers += file_may_read(file);
    pipe->writers += file_may_write(file);
    pipe->opened[0] += file_may_read(file);
    pipe->opened[1] += file_may_write(file);
    event_signal(&pipe->changed);
}

int pipe_create(struct file *files[2], const struct credentials *who, int flags)
{
    struct pipe *pipe;
    int error = pipe_new(&pipe);
    if (error)
        return error;
    struct inode *inode = anonymous_inode(who, S_IFIFO | 0600);
    if (!inode) {
        pipe_free(pipe);
        return -ENOMEM;
    }
    inode->pipe = pipe;
    files[0] = file_new(inode, NULL, &pipe_ops, O_RDONLY | (flags & O_NONBLOCK));
    files[1] = file_new(inode, NULL, &pipe_ops, O_WRONLY | (flags & O_NONBLOCK));
    for (unsigned i = 0; i < 2; i++)
        if (files[i])
            attach(files[i]);
    inode_put(inode);
    if (files[0] && files[1])
        return 0;
    file_put(files[0]);
    file_put(files[1]);
    return -ENOMEM;
}

/* Waits until somebody has opened the other side, who may have closed it again. */
static int wait_for_other_side(struct file *file)
{
    struct pipe *pipe = pipe_of(file);
    unsigned other = file_may_read(file) ? 1 : 0;
    uint32_t opened = pipe->opened[other];
    for (;;) {
        uint32_t seen = event_read(&pipe->changed);
        if ((other ? pipe->writers : pipe->readers) || pipe->opened[other] != opened)
            return 0;
        int error = event_wait(&pipe->changed, seen, NO_DEADLINE);
        if (error)
            return error;
    }
}

int pipe_open_fifo(struct inode *inode, struct file *file)
{
    /* One of pipe(2), by /proc/PID/fd: both sides were there from the beginning. */
    bool is_fifo = inode->volume != &anonymous_volume;
    bool both = (file->flags & O_ACCMODE) == O_RDWR;
    bool may_fail = is_fifo && file->flags & O_NONBLOCK && !file_may_read(file);
    if (!inode->pipe && !may_fail) {
        struct pipe *pipe;
        int error = pipe_new(&pipe);
        if (error)
            return error;
        if (inode->pipe)
            pipe_free(pipe); /* somebody else made one meanwhile */
        else
            inode->pipe = pipe;
    }
    if (may_fail && (!inode->pipe || !inode->pipe->readers))
        return -ENXIO;
    attach(file);
    return !is_fifo || both || file->flags & O_NONBLOCK ? 0 : wait_for_other_side(file);
}
