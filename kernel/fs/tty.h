/* kernel/fs/tty.h: a terminal's line discipline (man 3 termios)
 *
 * What comes from the line is edited (canonical mode) and echoed when it comes, in an interrupt
 * handler; programs read what is complete. What programs write goes to the line at once.
 *
 *   invariant   queue[read .. ready) can be read, queue[ready .. end) is being edited; both are
 *               indices that only grow, modulo TTY_QUEUE
 */
#ifndef KERNEL_FS_TTY_H
#define KERNEL_FS_TTY_H

#include "fs/file.h"

#define TTY_QUEUE 4096u
#define NR_CONTROL_CHARACTERS 19u

/* As TCGETS gives it. */
struct termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line, cc[NR_CONTROL_CHARACTERS];
};

#define IGNCR 0000200u
#define ICRNL 0000400u
#define INLCR 0000100u
#define ISTRIP 0000040u
#define IXON 0002000u
#define IUTF8 0040000u
#define OPOST 0000001u
#define ONLCR 0000004u
#define ISIG 0000001u
#define ICANON 0000002u
#define ECHO 0000010u
#define ECHOE 0000020u
#define ECHOK 0000040u
#define ECHONL 0000100u
#define NOFLSH 0000200u
#define TOSTOP 0000400u
#define ECHOCTL 0001000u
#define ECHOKE 0004000u
#define IEXTEN 0100000u
#define CFLAG_38400_CS8_CREAD_HUPCL 0002277u

enum control_character {
    VINTR,
    VQUIT,
    VERASE,
    VKILL,
    VEOF,
    VTIME,
    VMIN,
    VSWTC,
    VSTART,
    VSTOP,
    VSUSP,
    VEOL,
    VREPRINT,
    VDISCARD,
    VWERASE,
    VLNEXT,
    VEOL2
};

struct window_size {
    uint16_t rows, columns, width, height;
};

struct tty_driver {
    /* What programs write: how much went. If it may wait: all of it, unless a signal comes; -EINTR
     * if nothing went, or -EAGAIN. Two bytes go together or not at all. */
    int64_t (*write)(void *arg, const char *bytes, size_t size, bool wait);
    /* Something can be written at once, and counts what happened to that. NULL: always. */
    bool (*has_room)(void *arg);
    uint32_t (*happened)(void *arg);
    /* What is typed, from an interrupt handler: as much as goes at once. */
    void (*echo)(void *arg, const char *bytes, size_t size);
    /* There is room again after tty_room was 0. */
    void (*resume)(void *arg);
    /* To a process group. */
    void (*signal)(int pgid, int number);
    void *arg;
};

struct tty {
    struct tty_driver driver;
    struct termios termios;
    struct window_size size;
    int sid, pgid; /* 0: nobody's */
    uint16_t queue[TTY_QUEUE];
    unsigned read, ready, end;
    bool gone; /* the line is: who reads is at the end */
    struct event changed;
};

void tty_init(struct tty *tty, const struct tty_driver *driver);
/* A byte came. Interrupts are off. */
void tty_receive(struct tty *tty, unsigned char byte);
/* How many bytes may come now. */
unsigned tty_room(const struct tty *tty);
/* The line is gone: who reads is at the end, now and ever after. Also from handlers. */
void tty_hang_up(struct tty *tty);

/* The foreground hears of a change. Also from handlers. */
void tty_set_size(struct tty *tty, const struct window_size *size);

/* Makes `file` one of the terminal. */
void tty_open(struct tty *tty, struct file *file);
bool file_is_tty(const struct file *file);

#endif
