/* kernel/sys/socket.c: socket(2), connections and names (man 7 unix). There is no network. */
#include "sys/calls_socket.h"

#include "string.h"
#include "sys/abi_socket.h"
#include "sys/socket_user.h"
#include "sys/user_time.h"

#define US_PER_SECOND 1000000u

/* ---- in common ------------------------------------------------------------------------------- */

struct socket_caller socket_caller(void)
{
    const struct process *process = current_process();
    return (struct socket_caller){
        .at = {current->fs, user_credentials(), NULL},
        .user = {process->pid, process->credentials.euid, process->credentials.egid},
    };
}

struct file *socket_file(unsigned long fd, int *error)
{
    struct file *file = user_file(fd);
    *error = !file ? -EBADF : file_is_socket(file) ? 0 : -ENOTSOCK;
    if (!*error)
        return file;
    file_put(file);
    return NULL;
}

int socket_address_from_user(struct socket_address *address, uintptr_t at, unsigned long length)
{
    struct abi_sockaddr_un un = {0};
    *address = (struct socket_address){0};
    if ((long)length < (long)sizeof un.family || length > sizeof un)
        return -EINVAL;
    if (copy_from_user(&un, at, length))
        return -EFAULT;
    if (un.family != AF_UNIX)
        return un.family ? -EAFNOSUPPORT : -EINVAL;
    address->length = (unsigned)(length - sizeof un.family);
    __builtin_memcpy(address->path, un.path, address->length);
    if (address->length && un.path[0])
        address->length = (unsigned)string_length_within(un.path, address->length) + 1;
    return 0;
}

int socket_address_copy(const struct socket_address *address, uintptr_t at, uint32_t *length)
{
    struct {
        uint16_t family;
        char path[SOCKET_PATH_BYTES];
    } un = {.family = AF_UNIX};
    uint32_t all = (uint32_t)sizeof un.family + address->length;
    __builtin_memcpy(un.path, address->path, address->length);
    if ((int32_t)*length < 0)
        return -EINVAL;
    if (copy_to_user(at, &un, *length < all ? *length : all))
        return -EFAULT;
    *length = all;
    return 0;
}

int socket_address_to_user(const struct socket_address *address, uintptr_t at, uintptr_t length_at)
{
    uint32_t length;
    if (copy_from_user(&length, length_at, sizeof length))
        return -EFAULT;
    int error = socket_address_copy(address, at, &length);
    return error ? error : copy_to_user(length_at, &length, sizeof length);
}

/* ---- making ---------------------------------------------------------------------------------- */

/* socket(family, type, protocol): the type without flags, or an error. */
static int check_kind(const unsigned long *arg)
{
    int type = (int)arg[1] & SOCK_TYPE_MASK;
    if ((int)arg[1] & ~(SOCK_TYPE_MASK | O_NONBLOCK | O_CLOEXEC))
        return -EINVAL;
    if ((int)arg[0] != AF_UNIX)
        return -EAFNOSUPPORT;
    if ((int)arg[2] && (int)arg[2] != AF_UNIX)
        return -EPROTONOSUPPORT;
    if (type == SOCK_RAW)
        return SOCK_DGRAM;
    return type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET ? type
                                                                               : -ESOCKTNOSUPPORT;
}

long sys_socket(const unsigned long *arg)
{
    struct file *file;
    const struct socket_caller caller = socket_caller();
    int type = check_kind(arg);
    if (type < 0)
        return type;
    int error = socket_create(&file, &caller, type, (int)arg[1]);
    return error ? error : user_add_file(file, arg[1] & O_CLOEXEC);
}

long sys_socketpair(const unsigned long *arg)
{
    struct file *files[2];
    const struct socket_caller caller = socket_caller();
    int type = check_kind(arg);
    int error = type < 0 ? type : socket_pair(files, &caller, type, (int)arg[1]);
    return error ? error : user_add_pair(files, arg[1] & O_CLOEXEC, arg[3]);
}

/* ---- names and connections ------------------------------------------------------------------- */

typedef int address_fn(struct file *file, const struct socket_caller *caller,
                       const struct socket_address *address);

/* call(socket, address, length). */
static long with_address(const unsigned long *arg, address_fn *call)
{
    struct socket_address address;
    const struct socket_caller caller = socket_caller();
    int error;
    struct file *file = socket_file(arg[0], &error);
    if (file)
        error = socket_address_from_user(&address, arg[1], (unsigned)arg[2]);
    if (!error)
        error = call(file, &caller, &address);
    file_put(file);
    return user_restart(error);
}

long sys_bind(const unsigned long *arg)
{
    return with_address(arg, socket_bind);
}

/* AF_UNSPEC takes a datagram's peer away. */
long sys_connect(const unsigned long *arg)
{
    uint16_t family;
    if ((unsigned)arg[2] < sizeof family || copy_from_user(&family, arg[1], sizeof family) ||
        family)
        return with_address(arg, socket_connect);
    int error;
    struct file *file = socket_file(arg[0], &error);
    if (file)
        error = socket_disconnect(file);
    file_put(file);
    return error;
}

long sys_listen(const unsigned long *arg)
{
    int error;
    const struct socket_caller caller = socket_caller();
    struct file *file = socket_file(arg[0], &error);
    if (file)
        error = socket_listen(file, &caller, (unsigned)arg[1]);
    file_put(file);
    return error;
}

static int accept_to(struct file **accepted, struct file *file, const unsigned long *arg,
                     unsigned flags)
{
    struct socket_address address;
    int error = socket_accept(file, accepted, (int)flags);
    if (error)
        return error;
    if (arg[1] && !socket_peer_name(*accepted, &address))
        error = socket_address_to_user(&address, arg[1], arg[2]);
    if (error)
        file_put(*accepted);
    return error;
}

/* Who has no descriptor left finds the connection again when he has one. */
static long accept(const unsigned long *arg, unsigned flags)
{
    struct files *table = current->files;
    struct file *accepted;
    int error;
    if (flags & ~(unsigned)(O_NONBLOCK | O_CLOEXEC))
        return -EINVAL;
    struct file *file = socket_file(arg[0], &error);
    if (!file)
        return error;
    files_hold(table);
    int fd = files_promise(table, flags & O_CLOEXEC);
    error = fd < 0 ? fd : accept_to(&accepted, file, arg, flags);
    if (fd >= 0)
        files_keep(table, fd, error ? NULL : accepted);
    files_release(table);
    file_put(file);
    return error ? user_restart(error) : fd;
}

long sys_accept(const unsigned long *arg)
{
    return accept(arg, 0);
}

long sys_accept4(const unsigned long *arg)
{
    return accept(arg, (unsigned)arg[3]);
}

long sys_shutdown(const unsigned long *arg)
{
    static const unsigned ways[] = {SHUT_RECEIVE, SHUT_SEND, SHUT_RECEIVE | SHUT_SEND};
    const unsigned how = (unsigned)arg[1];
    int error;
    struct file *file = socket_file(arg[0], &error);
    if (file)
        error = how < 3 ? socket_shutdown(file, ways[how]) : -EINVAL;
    file_put(file);
    return error;
}

long sys_getsockname(const unsigned long *arg)
{
    struct socket_address address;
    int error;
    struct file *file = socket_file(arg[0], &error);
    if (file) {
        socket_name(file, &address);
        error = socket_address_to_user(&address, arg[1], arg[2]);
    }
    file_put(file);
    return error;
}

long sys_getpeername(const unsigned long *arg)
{
    struct socket_address address;
    int error;
    struct file *file = socket_file(arg[0], &error);
    if (file)
        error = socket_peer_name(file, &address);
    if (!error)
        error = socket_address_to_user(&address, arg[1], arg[2]);
    file_put(file);
    return error;
}

/* ---- options --------------------------------------------------------------------------------- */

/* What is noted nowhere: it makes no difference within a machine. */
static bool is_without_effect(int option)
{
    return option == SO_REUSEADDR || option == SO_BROADCAST || option == SO_SNDBUF ||
           option == SO_RCVBUF || option == SO_KEEPALIVE || option == SO_PRIORITY ||
           option == SO_LINGER || option == SO_REUSEPORT || option == SO_SNDBUFFORCE ||
           option == SO_RCVBUFFORCE;
}

static bool is_timeout(int option)
{
    return option == SO_RCVTIMEO || option == SO_SNDTIMEO;
}

static uint64_t *timeout_of(struct file *file, int option)
{
    return socket_timeout_ns(file, option == SO_RCVTIMEO ? SOCKET_RECEIVES : SOCKET_SENDS);
}

/* struct timeval. */
static int set_timeout(struct file *file, int option, uintptr_t value, unsigned length)
{
    uint64_t ns;
    int error = length < 2 * sizeof(long) ? -EINVAL : timeval_from_user(&ns, value);
    if (!error)
        *timeout_of(file, option) = ns;
    return error == -EINVAL && length >= 2 * sizeof(long) ? -EDOM : error;
}

/* setsockopt(socket, level, option, value, length). */
long sys_setsockopt(const unsigned long *arg)
{
    int value, error;
    struct file *file = socket_file(arg[0], &error);
    if (!file)
        return error;
    if ((int)arg[1] != SOL_SOCKET)
        error = -EOPNOTSUPP;
    else if ((unsigned)arg[4] < sizeof value)
        error = -EINVAL;
    else if (is_timeout((int)arg[2]))
        error = set_timeout(file, (int)arg[2], arg[3], (unsigned)arg[4]);
    else if (copy_from_user(&value, arg[3], sizeof value))
        error = -EFAULT;
    else if ((int)arg[2] == SO_PASSCRED)
        *socket_passes_credentials(file) = value;
    else
        error = is_without_effect((int)arg[2]) ? 0 : -ENOPROTOOPT;
    file_put(file);
    return error;
}

static int read_option(struct file *file, int option, int *value)
{
    switch (option) {
    case SO_TYPE:
        *value = socket_type(file);
        return 0;
    case SO_DOMAIN:
        *value = AF_UNIX;
        return 0;
    case SO_ERROR:
        *value = socket_take_error(file);
        return 0;
    case SO_SNDBUF:
    case SO_RCVBUF:
        *value = (int)SOCKET_BUFFER_BYTES;
        return 0;
    case SO_RCVLOWAT:
        *value = 1;
        return 0;
    case SO_PASSCRED:
        *value = *socket_passes_credentials(file);
        return 0;
    case SO_ACCEPTCONN:
        *value = socket_is_listening(file);
        return 0;
    case SO_PROTOCOL:
    case SO_REUSEADDR:
    case SO_BROADCAST:
    case SO_KEEPALIVE:
    case SO_PRIORITY:
    case SO_REUSEPORT:
        *value = 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

/* getsockopt(socket, level, option, value, length). */
static int get_option(struct file *file, const unsigned long *arg)
{
    int value = 0, length;
    if ((int)arg[1] != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (copy_from_user(&length, arg[4], sizeof length))
        return -EFAULT;
    if (length < 0)
        return -EINVAL;
    const struct socket_user user = socket_peer_user(file);
    unsigned long time[2];
    const void *from = &value;
    unsigned size = sizeof value;
    int error = 0;
    if ((int)arg[2] == SO_PEERCRED) {
        from = &user;
        size = sizeof user;
    } else if (is_timeout((int)arg[2])) {
        uint64_t us = quire_div64(*timeout_of(file, (int)arg[2]), NS_PER_US);
        time[0] = (unsigned long)quire_div64(us, US_PER_SECOND);
        time[1] = (unsigned long)(us - time[0] * (uint64_t)US_PER_SECOND);
        from = time;
        size = sizeof time;
    } else {
        error = read_option(file, (int)arg[2], &value);
    }
    size = (unsigned)length < size ? (unsigned)length : size;
    if (!error && copy_to_user(arg[3], from, size))
        error = -EFAULT;
    return error ? error : copy_to_user(arg[4], &size, sizeof size);
}

long sys_getsockopt(const unsigned long *arg)
{
    int error;
    struct file *file = socket_file(arg[0], &error);
    if (file)
        error = get_option(file, arg);
    file_put(file);
    return error;
}
