/* kernel/fs/tty_file.c: a terminal as programs see it */
#include <quire/port.h>

#include "fs/ioctl.h"
#include "fs/tty.h"
#include "fs/tty_queue.h"
#include "task/signal.h"

#define TENTH_NS 100000000u

static struct tty *tty_of(const struct file *file)
{
    return file->data;
}

static bool is_canonical(const struct tty *tty)
{
    return tty->termios.lflag & ICANON;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* What can be read at once: a line at most, or what is there. *any: also if that is nothing, at the
 * end of the input. */
static size_t take(struct tty *tty, char *to, size_t size, bool *any)
{
    quire_port_irq_t irq = quire_port_irq_save();
    bool lines = is_canonical(tty);
    size_t done = 0;
    *any = tty->read != tty->ready;
    while (tty->read != tty->ready && done < size) {
        uint16_t item = tty->queue[tty->read++ % TTY_QUEUE];
        if (!(item & TTY_END_OF_FILE))
            to[done++] = (char)item;
        if (item & TTY_END_OF_LINE && lines)
            break;
    }
    quire_port_irq_restore(irq);
    if (*any && tty->driver.resume)
        tty->driver.resume(tty->driver.arg);
    return done;
}

/* Of a read in other than canonical mode: when it ends without enough bytes. */
static uint64_t deadline_of(const struct tty *tty, size_t done)
{
    const uint8_t *cc = tty->termios.cc;
    if (is_canonical(tty) || (cc[VMIN] && (!cc[VTIME] || !done)))
        return NO_DEADLINE;
    return quire_port_clock_ns() + (uint64_t)cc[VTIME] * TENTH_NS;
}

static int64_t tty_read(struct file *file, uint64_t at, void *to, size_t size)
{
    struct tty *tty = tty_of(file);
    size_t done = 0;
    (void)at;
    uint64_t deadline = deadline_of(tty, 0);
    while (done < size) {
        bool any;
        uint32_t seen = event_read(&tty->changed);
        done += take(tty, (char *)to + done, size - done, &any);
        size_t enough = tty->termios.cc[VMIN] ? tty->termios.cc[VMIN] : 1;
        if (any && (is_canonical(tty) || done >= enough || !done))
            break;
        if (tty->gone)
            break;
        if (file->flags & O_NONBLOCK)
            return done ? (int64_t)done : -EAGAIN;
        if (any)
            deadline = deadline_of(tty, done);
        int error = event_wait(&tty->changed, seen, deadline);
        if (error == -ETIMEDOUT)
            break;
        if (error)
            return done ? (int64_t)done : error;
    }
    return (int64_t)done;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Up to the next newline that the carriage returns with. */
static size_t plain_bytes(const struct tty *tty, const char *bytes, size_t size)
{
    uint32_t both = OPOST | ONLCR;
    size_t plain = 0;
    if ((tty->termios.oflag & both) != both)
        return size;
    while (plain < size && bytes[plain] != '\n')
        plain++;
    return plain;
}

static int64_t tty_write(struct file *file, uint64_t at, const void *from, size_t size)
{
    const struct tty *tty = tty_of(file);
    const char *bytes = from;
    size_t done = 0;
    (void)at;
    while (done < size) {
        size_t piece = plain_bytes(tty, bytes + done, size - done);
        const char *what = piece ? bytes + done : "\r\n";
        int64_t sent = tty->driver.write(tty->driver.arg, what, piece ? piece : 2,
                                         !(file->flags & O_NONBLOCK));
        if (sent < 0)
            return done ? (int64_t)done : sent;
        done += piece ? (size_t)sent : 1;
        if ((size_t)sent < piece)
            break;
    }
    return (int64_t)done;
}

static unsigned tty_poll(struct file *file)
{
    const struct tty *tty = tty_of(file);
    bool room = !tty->driver.has_room || tty->driver.has_room(tty->driver.arg);
    bool any = tty->read != tty->ready || tty->gone;
    return (room ? POLLOUT | POLLWRNORM : 0) | (any ? POLLIN | POLLRDNORM : 0) |
           (tty->gone ? POLLHUP : 0);
}

static uint32_t tty_happened(struct file *file, unsigned events)
{
    const struct tty *tty = tty_of(file);
    uint32_t out =
        events & POLLOUT && tty->driver.happened ? tty->driver.happened(tty->driver.arg) : 0;
    return out + (events & POLLIN ? event_read(&tty->changed) : 0);
}

/* ---- settings -------------------------------------------------------------------------------- */

static void flush_input(struct tty *tty)
{
    quire_port_irq_t irq = quire_port_irq_save();
    tty->read = tty->ready = tty->end;
    quire_port_irq_restore(irq);
    if (tty->driver.resume)
        tty->driver.resume(tty->driver.arg);
}

static void set_termios(struct tty *tty, const struct termios *termios, bool flush)
{
    if (flush)
        flush_input(tty);
    quire_port_irq_t irq = quire_port_irq_save();
    tty->termios = *termios;
    if (!is_canonical(tty))
        tty->ready = tty->end; /* what was being edited can be read as it is */
    quire_port_irq_restore(irq);
    event_signal(&tty->changed);
}

static int count_ready(const struct tty *tty)
{
    int count = 0;
    for (unsigned i = tty->read; i != tty->ready; i++)
        count += !(tty->queue[i % TTY_QUEUE] & TTY_END_OF_FILE);
    return count;
}

static long flush_queues(struct tty *tty, uintptr_t which)
{
    if (which > 2)
        return -EINVAL;
    if (which != 1) /* TCOFLUSH: what was written is on the line already */
        flush_input(tty);
    return 0;
}

/* Job control: the terminal's session and its group in the foreground. */
static long control(struct tty *tty, unsigned command, void *argument,
                    const struct fs_caller *caller)
{
    bool ours = caller->sid && caller->sid == tty->sid;
    switch (command) {
    case TIOCSCTTY:
        if (caller->sid != caller->pid || (tty->sid && !ours))
            return -EPERM;
        tty->sid = caller->sid;
        tty->pgid = caller->pgid;
        return 0;
    case TIOCNOTTY:
        if (!ours)
            return -ENOTTY;
        if (caller->sid == caller->pid)
            tty->sid = tty->pgid = 0;
        return 0;
    case TIOCSPGRP:
        if (!ours)
            return -ENOTTY;
        if (*(int *)argument <= 0)
            return -EINVAL;
        tty->pgid = *(int *)argument;
        return 0;
    default: /* TIOCGPGRP, TIOCGSID */
        if (!ours)
            return -ENOTTY;
        *(int *)argument = command == TIOCGSID ? tty->sid : tty->pgid;
        return 0;
    }
}

void tty_set_size(struct tty *tty, const struct window_size *size)
{
    bool changed = __builtin_memcmp(&tty->size, size, sizeof *size);
    tty->size = *size;
    if (changed && tty->pgid)
        tty->driver.signal(tty->pgid, SIGWINCH);
}

static long tty_ioctl(struct file *file, unsigned command, void *argument,
                      const struct fs_caller *caller)
{
    struct tty *tty = tty_of(file);
    switch (command) {
    case TCGETS:
        __builtin_memcpy(argument, &tty->termios, sizeof tty->termios);
        return 0;
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
        set_termios(tty, argument, command == TCSETSF);
        return 0;
    case TIOCGWINSZ:
        __builtin_memcpy(argument, &tty->size, sizeof tty->size);
        return 0;
    case TIOCSWINSZ:
        tty_set_size(tty, argument);
        return 0;
    case FIONREAD:
        *(int *)argument = count_ready(tty);
        return 0;
    case TIOCOUTQ:
    case TIOCGETD:
        *(int *)argument = 0;
        return 0;
    case TCFLSH:
        return flush_queues(tty, (uintptr_t)argument);
    case TCSBRK:
    case TCSBRKP:
    case TCXONC:
    case TIOCEXCL:
    case TIOCNXCL:
        return 0;
    case TIOCSCTTY:
    case TIOCNOTTY:
    case TIOCSPGRP:
    case TIOCGPGRP:
    case TIOCGSID:
        return control(tty, command, argument, caller);
    default:
        return -ENOTTY;
    }
}

static const struct file_ops tty_ops = {
    .name = "tty",
    .stream = true,
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_ioctl,
    .poll = tty_poll,
    .happened = tty_happened,
};

void tty_open(struct tty *tty, struct file *file)
{
    file->ops = &tty_ops;
    file->data = tty;
}

bool file_is_tty(const struct file *file)
{
    return file->ops == &tty_ops;
}
