/* kernel/sys/file_io.c: read(2), write(2) and their relatives
 *
 * Bytes of a file in memory go straight between its pages and the program's; all others through a
 * buffer of a page. A read of a file goes on until all is there or the file ends; one of a stream
 * ends with what there is.
 */
#include "fs/pipe.h"
#include "string.h"
#include "sys/file_user.h"
#include "sys/file_vector.h"
#include "sys/socket_user.h"

#define BUFFER_BYTES 4096u
#define DIRECT_BYTES (16 * QUIRE_PAGE_SIZE)

/* One call: of which file, where, and its buffer. */
struct transfer {
    struct file *file;
    bool has_place; /* at `at`; otherwise at the file's position */
    uint64_t at;
    uint64_t read_to; /* where a read without a place left the position */
    char *buffer;
};

static uint64_t *place_of(struct transfer *transfer)
{
    return transfer->has_place ? &transfer->at : &transfer->file->position;
}

/* Up to the end of a page of the file, so that whole pages are written whole. */
static size_t next_piece(struct transfer *transfer, size_t left)
{
    size_t piece = BUFFER_BYTES;
    if (!transfer->file->ops->stream && !transfer->file->ops->by_parts)
        piece -= (size_t)(*place_of(transfer) & (BUFFER_BYTES - 1));
    return left < piece ? left : piece;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int64_t read_piece(struct transfer *transfer, size_t size)
{
    if (!transfer->has_place) {
        int64_t read = file_read(transfer->file, transfer->buffer, size);
        transfer->read_to = transfer->file->position;
        return read;
    }
    int64_t got = file_pread(transfer->file, transfer->at, transfer->buffer, size);
    if (got > 0)
        transfer->at += (uint64_t)got;
    return got;
}

/* Is there more without waiting? */
static bool goes_on(struct file *file)
{
    if (file->ops->by_parts)
        return false;
    return !file->ops->stream || (file_is_pipe(file) && file_poll(file) & POLLIN);
}

/* What couldn't be handed over wasn't read, unless somebody else has moved the position since. */
static void step_back(struct transfer *transfer, int64_t got)
{
    if (!transfer->has_place && !transfer->file->ops->stream &&
        transfer->file->position == transfer->read_to)
        transfer->file->position -= (uint64_t)got;
}

/* A file's reader gets what comes before a bad address; a stream's, as on Linux, nothing of that
 * piece. */
static int64_t hand_over(struct transfer *transfer, struct user_vector *vector, int64_t got)
{
    int64_t copied = (int64_t)vector_to_user(vector, transfer->buffer, (size_t)got);
    if (copied == got)
        return got;
    step_back(transfer, got - copied);
    return copied && !transfer->file->ops->stream ? copied : -EFAULT;
}

static int64_t read_all(struct transfer *transfer, struct user_vector *vector)
{
    int64_t done = 0, got;
    do {
        size_t piece = next_piece(transfer, vector->total);
        got = read_piece(transfer, piece);
        if (got > 0)
            got = hand_over(transfer, vector, got);
        if (got <= 0)
            return done ? done : got;
        done += got;
        if ((size_t)got < piece)
            break;
    } while (vector->total && goes_on(transfer->file));
    return done;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int64_t write_piece(struct transfer *transfer, size_t size)
{
    if (!transfer->has_place)
        return file_write(transfer->file, transfer->buffer, size);
    int64_t done = file_pwrite(transfer->file, transfer->at, transfer->buffer, size);
    if (done > 0)
        transfer->at += (uint64_t)done;
    return done;
}

/* RLIMIT_FSIZE: a write is cut once, before its first byte, and only one of nothing else is an
 * error, and a signal. The inode is locked, so the end stays where it is. */
static int cut_to_limit(struct transfer *transfer, struct user_vector *vector)
{
    if (!vector->total)
        return 0;
    int64_t allowed = user_within_limit(transfer->file, *place_of(transfer), vector->total);
    if (allowed < 0)
        return (int)allowed;
    vector->total = (size_t)allowed;
    return 0;
}

/* Of what has no content that could be written in part, all or nothing. */
static int64_t fetch(struct transfer *transfer, struct user_vector *vector, int64_t size)
{
    int64_t copied = (int64_t)vector_from_user(vector, transfer->buffer, (size_t)size);
    if (copied == size || (copied && transfer->file->ops->size))
        return copied;
    return -EFAULT;
}

static int64_t write_all(struct transfer *transfer, struct user_vector *vector)
{
    int64_t done = 0, put;
    do {
        size_t wanted = next_piece(transfer, vector->total);
        put = wanted ? fetch(transfer, vector, (int64_t)wanted) : 0;
        if (put >= 0)
            put = write_piece(transfer, (size_t)put);
        if (put < 0)
            break;
        done += put;
        if (put < (int64_t)wanted)
            break;
    } while (vector->total);
    return done ? done : put;
}

/* ---- from page to page ----------------------------------------------------------------------- */

/* Up to the end of a page of the file. */
static size_t next_direct(uint64_t at, size_t left)
{
    size_t piece = DIRECT_BYTES - (size_t)(at & (QUIRE_PAGE_SIZE - 1));
    return left < piece ? left : piece;
}

static int64_t read_direct(struct transfer *transfer, struct user_vector *vector)
{
    struct file *file = transfer->file;
    struct quire_mm *mm = current_process()->mm;
    uint64_t *at = place_of(transfer);
    int64_t done = 0, got = 0;
    while (vector->total && *at < file->ops->size(file)) {
        size_t piece = next_direct(*at, vector->total);
        uintptr_t to;
        got = vector_take(vector, &piece, &to);
        if (!got)
            got = file->ops->read_user(file, *at, mm, to, piece);
        if (got <= 0)
            break;
        *at += (uint64_t)got;
        done += got;
        if ((size_t)got < piece)
            break;
    }
    return done ? done : got;
}

static int64_t write_direct(struct transfer *transfer, struct user_vector *vector)
{
    struct file *file = transfer->file;
    struct quire_mm *mm = current_process()->mm;
    uint64_t *at = place_of(transfer);
    int64_t done = 0, put = 0;
    while (vector->total) {
        if (file->flags & O_APPEND)
            *at = file->ops->size(file);
        size_t piece = next_direct(*at, vector->total);
        uintptr_t from;
        put = vector_take(vector, &piece, &from);
        if (!put)
            put = file->ops->write_user(file, *at, mm, from, piece);
        if (put < 0)
            break;
        *at += (uint64_t)put;
        done += put;
        if ((size_t)put < piece)
            break;
    }
    return done ? done : put;
}

/* Is there something to be had so? */
static bool is_direct(struct transfer *transfer, const struct user_vector *vector, bool writes)
{
    struct file *file = transfer->file;
    if (!file->ops->read_user || !vector->total || *place_of(transfer) > INT64_MAX)
        return false;
    return writes || *place_of(transfer) < file->ops->size(file);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static int64_t transfer_all(struct transfer *transfer, struct user_vector *vector, bool writes)
{
    struct file *file = transfer->file;
    if (!(writes ? file_may_write(file) : file_may_read(file)))
        return -EBADF;
    if (transfer->has_place && file->ops->stream)
        return -ESPIPE;
    if (transfer->has_place && (int64_t)transfer->at < 0)
        return -EINVAL;
    if (file_is_socket(file))
        return socket_transfer(file, vector, writes);
    int64_t done;
    bool direct = is_direct(transfer, vector, writes);
    if (direct && !writes)
        return read_direct(transfer, vector);
    transfer->buffer = direct ? NULL : quire_kmalloc(machine_slab, BUFFER_BYTES, QUIRE_GFP_KERNEL);
    if (!direct && !transfer->buffer)
        return -ENOMEM;
    if (writes) {
        file_write_begin(file);
        done = cut_to_limit(transfer, vector);
        if (!done)
            done = direct ? write_direct(transfer, vector) : write_all(transfer, vector);
        file_write_end(file);
    } else {
        done = read_all(transfer, vector);
    }
    quire_kfree(machine_slab, transfer->buffer);
    return done;
}

/* `at`: NULL is the file's position. */
static long transfer(unsigned long fd, struct user_vector *vector, const uint64_t *at, bool writes)
{
    struct transfer t = {.file = user_file(fd), .has_place = at, .at = at ? *at : 0};
    if (!t.file)
        return -EBADF;
    int64_t done = transfer_all(&t, vector, writes);
    bool told = file_is_socket(t.file);
    file_put(t.file);
    if (done == -EPIPE && writes && !told)
        signal_self(SIGPIPE);
    return user_restart(done);
}

static long transfer_piece(const unsigned long *arg, const uint64_t *at, bool writes)
{
    struct user_vector vector;
    vector_of_piece(&vector, arg[1], arg[2]);
    if ((long)arg[2] < 0)
        return -EINVAL;
    return transfer(arg[0], &vector, at, writes);
}

static long transfer_array(const unsigned long *arg, const uint64_t *at, bool writes)
{
    struct user_vector vector;
    int error = vector_of_array(&vector, arg[1], arg[2]);
    return error ? error : transfer(arg[0], &vector, at, writes);
}

long sys_read(const unsigned long *arg)
{
    return transfer_piece(arg, NULL, false);
}

long sys_write(const unsigned long *arg)
{
    return transfer_piece(arg, NULL, true);
}

long sys_pread64(const unsigned long *arg)
{
    uint64_t at = user_64(arg + 3);
    return transfer_piece(arg, &at, false);
}

long sys_pwrite64(const unsigned long *arg)
{
    uint64_t at = user_64(arg + 3);
    return transfer_piece(arg, &at, true);
}

long sys_readv(const unsigned long *arg)
{
    return transfer_array(arg, NULL, false);
}

long sys_writev(const unsigned long *arg)
{
    return transfer_array(arg, NULL, true);
}

/* The place comes in two registers in both classes; on x86-64 the second says nothing. */
long sys_preadv(const unsigned long *arg)
{
    uint64_t at = user_64(arg + 3);
    return transfer_array(arg, &at, false);
}

long sys_pwritev(const unsigned long *arg)
{
    uint64_t at = user_64(arg + 3);
    return transfer_array(arg, &at, true);
}

#define RWF_KNOWN 0x0fu /* HIPRI, DSYNC, SYNC, NOWAIT: files in memory have it all at once */

/* preadv2(fd, pieces, count, place, upper half, flags): place -1 is the file's position. */
static long transfer_flagged(const unsigned long *arg, bool writes)
{
    uint64_t at = user_64(arg + 3);
    if (arg[5] & ~(unsigned long)RWF_KNOWN)
        return -EOPNOTSUPP;
    return transfer_array(arg, at == UINT64_MAX ? NULL : &at, writes);
}

long sys_preadv2(const unsigned long *arg)
{
    return transfer_flagged(arg, false);
}

long sys_pwritev2(const unsigned long *arg)
{
    return transfer_flagged(arg, true);
}

/* ---- sendfile -------------------------------------------------------------------------------- */

/* Reads at *at, or at the position. What was read and can't be written is read again. */
static int64_t send(struct transfer *in, struct file *out, size_t size)
{
    int64_t done = 0, put = 0;
    while ((size_t)done < size) {
        int64_t got = read_piece(in, next_piece(in, size - (size_t)done));
        if (got <= 0)
            return done ? done : got;
        put = user_within_limit(out, out->position, (size_t)got);
        if (put > 0)
            put = file_write(out, in->buffer, (size_t)put);
        int64_t lost = got - (put > 0 ? put : 0);
        if (in->has_place)
            in->at -= (uint64_t)lost;
        else
            step_back(in, lost);
        if (put <= 0)
            break;
        done += put;
        if (lost)
            break;
    }
    return done ? done : put;
}

static int64_t send_files(struct transfer *in, struct file *out, size_t size)
{
    if (!file_may_read(in->file) || !file_may_write(out))
        return -EBADF;
    if (in->file->ops->stream || inode_is(in->file->inode, S_IFDIR) || out->flags & O_APPEND)
        return -EINVAL;
    in->buffer = quire_kmalloc(machine_slab, BUFFER_BYTES, QUIRE_GFP_KERNEL);
    if (!in->buffer)
        return -ENOMEM;
    file_write_begin(out);
    int64_t done = send(in, out, size);
    file_write_end(out);
    quire_kfree(machine_slab, in->buffer);
    return done;
}

/* `width`: of the place in user memory. */
static long sendfile(const unsigned long *arg, size_t width)
{
    struct transfer in = {.file = user_file(arg[1]), .has_place = arg[2]};
    struct file *out = user_file(arg[0]);
    size_t size = arg[3] < VECTOR_MAX_BYTES ? arg[3] : VECTOR_MAX_BYTES;
    int64_t done = in.file && out ? 0 : -EBADF;
    if (!done && in.has_place && copy_from_user(&in.at, arg[2], width))
        done = -EFAULT;
    if (!done && (int64_t)in.at < 0)
        done = -EINVAL;
    if (!done)
        done = send_files(&in, out, size);
    if (done > 0 && in.has_place && copy_to_user(arg[2], &in.at, width))
        done = -EFAULT;
    file_put(in.file);
    file_put(out);
    if (done == -EPIPE)
        signal_self(SIGPIPE);
    return user_restart(done);
}

long sys_sendfile(const unsigned long *arg)
{
    return sendfile(arg, sizeof(long));
}

#if !defined(__x86_64__)
long sys_sendfile64(const unsigned long *arg)
{
    return sendfile(arg, sizeof(uint64_t));
}
#endif
