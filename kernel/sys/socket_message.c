/* kernel/sys/socket_message.c: what is sent and received, with the files that come along
 *
 * Bytes go through memory of the kernel's: a packet on the way in, a buffer on the way out. Of a
 * stream a call moves at most PIECE_BYTES at a time, and goes on when more is to be had.
 */
#include <quire/vmalloc.h>

#include "memory.h"
#include "string.h"
#include "sys/abi_socket.h"
#include "sys/calls_socket.h"
#include "sys/socket_user.h"
#include "task/capability.h"
#include "task/lifecycle.h"
#include "task/limits.h"

#define PIECE_BYTES 32768u
#define MOST_CONTROL_BYTES 4096u

struct sending {
    struct file *file;
    struct user_vector *vector;
    const struct socket_address *address; /* NULL: to the peer */
    struct file **files;                  /* until a packet takes them */
    unsigned nr_files;
    unsigned flags; /* MSG_* */
};

static bool waits(const struct file *file, unsigned flags)
{
    return !(file->flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT);
}

static size_t aligned(size_t size)
{
    return (size + sizeof(long) - 1) & ~(sizeof(long) - 1);
}

/* ---- files that come along ------------------------------------------------------------------- */

static void drop_files(struct file **files, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        file_put(files[i]);
    quire_kfree(machine_slab, files);
}

/* Linux counts them for each user, and lets root send any number. */
static bool may_send_files(void)
{
    const struct rlimit64 *limit = &current_process()->limit[RLIMIT_NOFILE];
    uint64_t most = caller_can(CAP_SYS_RESOURCE) ? limit->max : limit->current;
    return !socket_files_wait(most < FILES_MAX_LIMIT ? (unsigned)most : FILES_MAX_LIMIT);
}

static int add_files(struct sending *sending, const int *fds, unsigned count)
{
    if (sending->files || count > SOCKET_MOST_FILES)
        return -EINVAL;
    if (count && !may_send_files())
        return -ETOOMANYREFS;
    sending->files = quire_kmalloc_array(machine_slab, count ? count : 1, sizeof(struct file *),
                                         QUIRE_GFP_KERNEL);
    if (!sending->files)
        return -ENOMEM;
    for (; sending->nr_files < count; sending->nr_files++) {
        struct file *file = user_file_any((unsigned long)fds[sending->nr_files]);
        if (!file)
            return -EBADF;
        sending->files[sending->nr_files] = file;
    }
    return 0;
}

/* Who may become somebody else may say that he is; and it is told what is true all the same. */
static int check_user(const void *data, size_t size)
{
    struct socket_user user;
    const struct socket_user own = socket_caller().user;
    if (size != sizeof user)
        return -EINVAL;
    __builtin_memcpy(&user, data, sizeof user);
    bool may = (user.pid == own.pid || caller_can(CAP_SYS_ADMIN)) &&
               (user.uid == own.uid || caller_can(CAP_SETUID)) &&
               (user.gid == own.gid || caller_can(CAP_SETGID));
    return may ? 0 : -EPERM;
}

static int read_control(struct sending *sending, const char *bytes, size_t size)
{
    int error = 0;
    for (size_t at = 0; !error && at + sizeof(struct abi_cmsghdr) <= size;) {
        struct abi_cmsghdr header;
        __builtin_memcpy(&header, bytes + at, sizeof header);
        if (header.length < sizeof header || header.length > size - at)
            return -EINVAL;
        size_t length = header.length - sizeof header;
        const char *data = bytes + at + sizeof header;
        if (header.level != SOL_SOCKET)
            ;
        else if (header.type == SCM_RIGHTS)
            error = add_files(sending, (const int *)(const void *)data,
                              (unsigned)(length / sizeof(int)));
        else
            error = header.type == SCM_CREDENTIALS ? check_user(data, length) : -EINVAL;
        at += aligned(header.length);
    }
    return error;
}

static int control_from_user(struct sending *sending, const struct abi_msghdr *message)
{
    size_t size = message->control_length;
    if (!size)
        return 0;
    if (size > MOST_CONTROL_BYTES)
        return -ENOMEM; /* as Linux has it: more than its sockets' memory for options */
    char *bytes = quire_kmalloc(machine_slab, size, QUIRE_GFP_KERNEL);
    int error = bytes ? copy_from_user(bytes, message->control, size) : -ENOMEM;
    if (!error)
        error = read_control(sending, bytes, size);
    quire_kfree(machine_slab, bytes);
    return error;
}

/* ---- sending --------------------------------------------------------------------------------- */

static int send_packet(struct sending *sending, const struct socket_caller *caller, size_t size)
{
    struct packet *packet = packet_new(size);
    if (!packet)
        return -ENOMEM;
    int error = vector_from_user(sending->vector, packet->bytes, size) == size ? 0 : -EFAULT;
    packet->files = sending->files;
    packet->nr_files = sending->nr_files;
    if (!error)
        error = socket_send(sending->file, caller, packet, sending->address,
                            waits(sending->file, sending->flags));
    if (error) {
        packet->files = NULL;
        packet->nr_files = 0;
        packet_free(packet);
    } else {
        sending->files = NULL;
        sending->nr_files = 0;
    }
    return error;
}

static int64_t send_all(struct sending *sending)
{
    const struct socket_caller caller = socket_caller();
    bool stream = socket_type(sending->file) == SOCK_STREAM;
    size_t total = sending->vector->total, done = 0;
    int error = 0;
    if (sending->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (!stream && total > SOCKET_BUFFER_BYTES - 32)
        return -EMSGSIZE;
    /* Of a stream no bytes are no packet, but to be told that it can't be written is due. */
    while (!error && (done < total || (!stream && !done))) {
        size_t piece = stream && total - done > PIECE_BYTES ? PIECE_BYTES : total - done;
        error = send_packet(sending, &caller, piece);
        done += error ? 0 : piece;
        if (!stream)
            break;
    }
    drop_files(sending->files, sending->nr_files);
    if (error == -EPIPE && stream && !done && !(sending->flags & MSG_NOSIGNAL))
        signal_self(SIGPIPE);
    return done ? (int64_t)done : error;
}

/* sendto(socket, bytes, size, flags, address, length). */
long sys_sendto(const unsigned long *arg)
{
    struct socket_address address;
    struct user_vector vector;
    int error;
    struct file *file = socket_file(arg[0], &error);
    if (!file)
        return error;
    vector_of_piece(&vector, arg[1], arg[2]);
    struct sending sending = {.file = file, .vector = &vector, .flags = (unsigned)arg[3]};
    if (arg[4] && (int)arg[5]) {
        error = socket_address_from_user(&address, arg[4], (unsigned)arg[5]);
        sending.address = &address;
    }
    int64_t result = error ? error : send_all(&sending);
    file_put(file);
    return user_restart(result);
}

static int64_t send_message(struct file *file, const struct abi_msghdr *message, unsigned flags)
{
    struct socket_address address;
    struct user_vector vector;
    struct sending sending = {.file = file, .vector = &vector, .flags = flags};
    int error = vector_of_array(&vector, message->pieces, message->nr_pieces);
    if (error == -EINVAL && message->nr_pieces > 1024)
        error = -EMSGSIZE;
    if (!error && message->name && message->name_length) {
        error = socket_address_from_user(&address, message->name, message->name_length);
        sending.address = &address;
    }
    if (!error)
        error = control_from_user(&sending, message);
    if (!error)
        return send_all(&sending);
    drop_files(sending.files, sending.nr_files);
    return error;
}

/* sendmsg(socket, message, flags). */
long sys_sendmsg(const unsigned long *arg)
{
    struct abi_msghdr message;
    int error;
    struct file *file = socket_file(arg[0], &error);
    if (!file)
        return error;
    int64_t result = copy_from_user(&message, arg[1], sizeof message)
                         ? -EFAULT
                         : send_message(file, &message, (unsigned)arg[2]);
    file_put(file);
    return user_restart(result);
}

/* ---- receiving ------------------------------------------------------------------------------- */

struct receiving {
    struct file *file;
    struct user_vector *vector;
    unsigned flags; /* MSG_* as they were asked for */
    unsigned told;  /* MSG_* to be told */
    struct socket_message message;
};

/* One packet, or of a stream what there is up to the buffer's size. */
static int64_t receive_piece(struct receiving *receiving, char *buffer, size_t size, bool first)
{
    struct socket_message *message = &receiving->message;
    bool peek = receiving->flags & MSG_PEEK;
    bool wait =
        waits(receiving->file, receiving->flags) && (first || receiving->flags & MSG_WAITALL);
    int64_t got = socket_receive(receiving->file, buffer, size, peek, wait, message);
    if (first && (size_t)(got > 0 ? got : 0) < message->whole)
        receiving->told |= MSG_TRUNC;
    if (got > 0 && vector_to_user(receiving->vector, buffer, (size_t)got) != (size_t)got)
        got = -EFAULT;
    return got;
}

static int64_t receive_all(struct receiving *receiving)
{
    bool stream = socket_type(receiving->file) == SOCK_STREAM;
    size_t total = receiving->vector->total, done = 0;
    size_t most = stream ? PIECE_BYTES : SOCKET_BUFFER_BYTES;
    size_t room = total < most ? total : most;
    int64_t got;
    if (receiving->flags & MSG_OOB)
        return -EOPNOTSUPP;
    char *buffer = quire_kvmalloc(machine_vmalloc, room ? room : 1, QUIRE_GFP_KERNEL);
    if (!buffer)
        return -ENOMEM;
    do {
        size_t piece = total - done < room ? total - done : room;
        got = receive_piece(receiving, buffer, piece, !done);
        done += got > 0 ? (size_t)got : 0;
    } while (stream && got > 0 && done < total && !(receiving->flags & MSG_PEEK) &&
             !receiving->message.nr_files);
    quire_kvfree(machine_vmalloc, buffer);
    if (stream)
        receiving->told &= ~MSG_TRUNC;
    else if (got >= 0 && receiving->flags & MSG_TRUNC)
        return (int64_t)receiving->message.whole;
    return done ? (int64_t)done : got;
}

static void drop_message(struct receiving *receiving)
{
    drop_files(receiving->message.files, receiving->message.nr_files);
    receiving->message.files = NULL;
    receiving->message.nr_files = 0;
}

/* recvfrom(socket, bytes, size, flags, address, length). */
long sys_recvfrom(const unsigned long *arg)
{
    struct user_vector vector;
    int error;
    struct receiving receiving = {
        .file = socket_file(arg[0], &error), .vector = &vector, .flags = (unsigned)arg[3]};
    if (!receiving.file)
        return error;
    vector_of_piece(&vector, arg[1], arg[2]);
    int64_t result = receive_all(&receiving);
    drop_message(&receiving);
    if (result >= 0 && arg[4]) {
        uint32_t none = 0;
        error = receiving.message.from.length
                    ? socket_address_to_user(&receiving.message.from, arg[4], arg[5])
                    : copy_to_user(arg[5], &none, sizeof none);
        result = error ? error : result;
    }
    file_put(receiving.file);
    return user_restart(result);
}

/* Where control messages go, and what is left of it. */
struct control {
    uintptr_t at;
    size_t left;
};

/* Its header, and as much of `data` as there is room for. */
static int put_control(struct control *control, int type, const void *data, size_t size,
                       unsigned *told)
{
    struct abi_cmsghdr header = {sizeof header + size, SOL_SOCKET, type};
    if (control->left < sizeof header) {
        *told |= MSG_CTRUNC;
        return 0;
    }
    if (header.length > control->left) {
        *told |= MSG_CTRUNC;
        header.length = control->left;
    }
    if (copy_to_user(control->at, &header, sizeof header) ||
        copy_to_user(control->at + sizeof header, data, header.length - sizeof header))
        return -EFAULT;
    size_t space = aligned(header.length);
    space = space < control->left ? space : control->left;
    control->at += space;
    control->left -= space;
    return 0;
}

/* Descriptors for as many files as the control message has room for. Their numbers are nobody's
 * until they are told: what can't be told isn't open. */
static void put_rights(struct control *control, struct receiving *receiving)
{
    struct files *table = current->files;
    struct socket_message *message = &receiving->message;
    size_t room = control->left > sizeof(struct abi_cmsghdr)
                      ? (control->left - sizeof(struct abi_cmsghdr)) / sizeof(int)
                      : 0;
    unsigned count = message->nr_files < room ? message->nr_files : (unsigned)room, made = 0;
    int fds[SOCKET_MOST_FILES];
    files_hold(table);
    while (made < count) {
        int fd = files_promise(table, receiving->flags & MSG_CMSG_CLOEXEC);
        if (fd < 0)
            break;
        fds[made++] = fd;
    }
    bool told =
        made && !put_control(control, SCM_RIGHTS, fds, made * sizeof(int), &receiving->told);
    for (unsigned i = 0; i < made; i++)
        files_keep(table, fds[i], told ? file_get(message->files[i]) : NULL);
    files_release(table);
    if (!told || made < message->nr_files)
        receiving->told |= MSG_CTRUNC;
}

/* What can't be written is left out, as on Linux. */
static void put_controls(struct abi_msghdr *header, struct receiving *receiving)
{
    struct control control = {header->control, header->control ? header->control_length : 0};
    size_t before = control.left;
    if (*socket_passes_credentials(receiving->file))
        (void)put_control(&control, SCM_CREDENTIALS, &receiving->message.user,
                          sizeof receiving->message.user, &receiving->told);
    if (receiving->message.nr_files)
        put_rights(&control, receiving);
    header->control_length = before - control.left;
}

static int64_t receive_message(struct receiving *receiving, struct abi_msghdr *header)
{
    int error = vector_of_array(receiving->vector, header->pieces, header->nr_pieces);
    if (error)
        return error == -EINVAL && header->nr_pieces > 1024 ? -EMSGSIZE : error;
    int64_t result = receive_all(receiving);
    if (result < 0)
        return result;
    put_controls(header, receiving);
    if (header->name && receiving->message.from.length)
        error = socket_address_copy(&receiving->message.from, header->name, &header->name_length);
    else
        header->name_length = 0;
    if (receiving->flags & MSG_CMSG_CLOEXEC)
        receiving->told |= MSG_CMSG_CLOEXEC;
    header->flags = receiving->told;
    return error ? error : result;
}

/* recvmsg(socket, message, flags). */
long sys_recvmsg(const unsigned long *arg)
{
    struct abi_msghdr header;
    struct user_vector vector;
    int error;
    struct receiving receiving = {
        .file = socket_file(arg[0], &error), .vector = &vector, .flags = (unsigned)arg[2]};
    if (!receiving.file)
        return error;
    int64_t result = copy_from_user(&header, arg[1], sizeof header)
                         ? -EFAULT
                         : receive_message(&receiving, &header);
    drop_message(&receiving);
    if (result >= 0 && copy_to_user(arg[1], &header, sizeof header))
        result = -EFAULT;
    file_put(receiving.file);
    return user_restart(result);
}

/* ---- read and write -------------------------------------------------------------------------- */

int64_t socket_transfer(struct file *file, struct user_vector *vector, bool writes)
{
    struct sending sending = {.file = file, .vector = vector};
    struct receiving receiving = {.file = file, .vector = vector};
    if (writes)
        return send_all(&sending);
    if (!vector->total)
        return 0;
    int64_t result = receive_all(&receiving);
    drop_message(&receiving);
    return result;
}
