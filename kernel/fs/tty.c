/* kernel/fs/tty.c: what comes from the line: editing, echo, signals (Linux: drivers/tty/n_tty.c) */
#include "fs/tty.h"

#include "fs/tty_queue.h"
#include "task/signal.h"

void tty_init(struct tty *tty, const struct tty_driver *driver)
{
    __builtin_memset(tty, 0, sizeof *tty);
    tty->driver = *driver;
    tty->termios = (struct termios){
        .iflag = ICRNL | IXON,
        .oflag = OPOST | ONLCR,
        .cflag = CFLAG_38400_CS8_CREAD_HUPCL,
        .lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        .cc = {[VINTR] = 3,
               [VQUIT] = 28,
               [VERASE] = 127,
               [VKILL] = 21,
               [VEOF] = 4,
               [VMIN] = 1,
               [VSTART] = 17,
               [VSTOP] = 19,
               [VSUSP] = 26,
               [VREPRINT] = 18,
               [VDISCARD] = 15,
               [VWERASE] = 23,
               [VLNEXT] = 22},
    };
    tty->size = (struct window_size){24, 80, 0, 0};
}

static bool has(const struct tty *tty, uint32_t local)
{
    return tty->termios.lflag & local;
}

/* A character that is 0 is no control character. */
static bool is(const struct tty *tty, enum control_character which, unsigned char byte)
{
    return byte && tty->termios.cc[which] == byte;
}

/* ---- echo ------------------------------------------------------------------------------------ */

static void echo_bytes(struct tty *tty, const char *bytes, size_t size)
{
    tty->driver.echo(tty->driver.arg, bytes, size);
}

/* As ^X where it can't be seen. */
static bool is_hidden(unsigned char byte)
{
    return (byte < ' ' && byte != '\t' && byte != '\n') || byte == 127;
}

static void echo(struct tty *tty, unsigned char byte)
{
    if (byte == '\n') {
        if (has(tty, ECHO | ECHONL))
            echo_bytes(tty, "\r\n", 2);
        return;
    }
    if (!has(tty, ECHO))
        return;
    char text[2] = {'^', (char)(byte ^ 0x40)};
    if (has(tty, ECHOCTL) && is_hidden(byte))
        echo_bytes(tty, text, 2);
    else
        echo_bytes(tty, (const char *)&byte, 1);
}

/* A UTF-8 character's bytes but the first take no place. */
static bool is_continuation(const struct tty *tty, unsigned char byte)
{
    return tty->termios.iflag & IUTF8 && (byte & 0xc0) == 0x80;
}

static void echo_erased(struct tty *tty, unsigned char byte)
{
    unsigned columns = has(tty, ECHOCTL) && is_hidden(byte) ? 2 : 1;
    if (!has(tty, ECHO) || !has(tty, ECHOE) || is_continuation(tty, byte))
        return;
    for (; columns; columns--)
        echo_bytes(tty, "\b \b", 3);
}

/* ---- editing --------------------------------------------------------------------------------- */

static bool erase_one(struct tty *tty)
{
    if (tty->end == tty->ready)
        return false;
    unsigned char byte;
    do {
        byte = (unsigned char)tty->queue[--tty->end % TTY_QUEUE];
        echo_erased(tty, byte);
    } while (is_continuation(tty, byte) && tty->end != tty->ready);
    return true;
}

static unsigned char last_byte(const struct tty *tty)
{
    return (unsigned char)tty->queue[(tty->end - 1) % TTY_QUEUE];
}

static void erase_word(struct tty *tty)
{
    while (tty->end != tty->ready && last_byte(tty) == ' ')
        (void)erase_one(tty);
    while (tty->end != tty->ready && last_byte(tty) != ' ')
        (void)erase_one(tty);
}

/* What has been typed is complete. */
static void make_ready(struct tty *tty)
{
    tty->ready = tty->end;
    event_signal(&tty->changed);
}

static void put(struct tty *tty, uint16_t item)
{
    if (tty->end - tty->read < TTY_QUEUE)
        tty->queue[tty->end++ % TTY_QUEUE] = item;
}

/* The last place is kept for what ends a line. */
static void put_in_line(struct tty *tty, unsigned char byte)
{
    if (tty->end - tty->read < TTY_QUEUE - 1)
        put(tty, byte);
}

static bool edit(struct tty *tty, unsigned char byte)
{
    if (is(tty, VERASE, byte)) {
        (void)erase_one(tty);
    } else if (is(tty, VWERASE, byte) && has(tty, IEXTEN)) {
        erase_word(tty);
    } else if (is(tty, VKILL, byte)) {
        while (erase_one(tty))
            ;
    } else {
        return false;
    }
    return true;
}

static void receive_canonical(struct tty *tty, unsigned char byte)
{
    if (edit(tty, byte))
        return;
    if (is(tty, VEOF, byte)) {
        put(tty, TTY_END_OF_FILE | TTY_END_OF_LINE);
        make_ready(tty);
        return;
    }
    echo(tty, byte);
    if (byte == '\n' || is(tty, VEOL, byte) || is(tty, VEOL2, byte)) {
        put(tty, byte | TTY_END_OF_LINE);
        make_ready(tty);
    } else {
        put_in_line(tty, byte);
    }
}

/* ---- signals --------------------------------------------------------------------------------- */

static int signal_of(const struct tty *tty, unsigned char byte)
{
    if (!has(tty, ISIG))
        return 0;
    if (is(tty, VINTR, byte))
        return SIGINT;
    if (is(tty, VQUIT, byte))
        return SIGQUIT;
    return is(tty, VSUSP, byte) ? SIGTSTP : 0;
}

static void send_signal(struct tty *tty, unsigned char byte, int number)
{
    if (!has(tty, NOFLSH))
        tty->read = tty->ready = tty->end;
    echo(tty, byte);
    if (tty->pgid)
        tty->driver.signal(tty->pgid, number);
    event_signal(&tty->changed);
}

/* ---- from the line --------------------------------------------------------------------------- */

void tty_receive(struct tty *tty, unsigned char byte)
{
    uint32_t iflag = tty->termios.iflag;
    if (iflag & ISTRIP)
        byte &= 0x7f;
    if (byte == '\r' && iflag & IGNCR)
        return;
    if (byte == '\r' && iflag & ICRNL)
        byte = '\n';
    else if (byte == '\n' && iflag & INLCR)
        byte = '\r';
    int number = signal_of(tty, byte);
    if (number) {
        send_signal(tty, byte, number);
    } else if (has(tty, ICANON)) {
        receive_canonical(tty, byte);
    } else {
        echo(tty, byte);
        put(tty, byte);
        make_ready(tty);
    }
}

/* A line that is too long is cut, as nobody could read it otherwise; else the line's other end
 * waits. */
unsigned tty_room(const struct tty *tty)
{
    if (has(tty, ICANON) && tty->read == tty->ready)
        return 1;
    return TTY_QUEUE - (tty->end - tty->read);
}

void tty_hang_up(struct tty *tty)
{
    tty->gone = true;
    make_ready(tty);
}
