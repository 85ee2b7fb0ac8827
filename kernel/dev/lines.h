/* kernel/dev/lines.h: the machine's lines to the outside: ports of a virtio serial device
 *
 * A line is a stream of bytes in each direction. Neither drops any, but for echoes and what is
 * written to a broken device: whoever writes faster than the other end reads waits, and what has no
 * reader here stays with the device, whose other end waits.
 */
#ifndef KERNEL_DEV_LINES_H
#define KERNEL_DEV_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The device's ports, but for number 0, which is for other things (docs/machine.md). */
enum line {
    LINE_INPUT = 1,
    LINE_OUTPUT,
    LINE_ERRORS,
    LINE_CONTROL,
    LINE_STATS,
    LINE_EVENTS,
    NR_LINES
};

struct line_listener {
    /* Some bytes came; interrupts are off. How many it takes; if not all, line_resume says when it
     * can take more. */
    size_t (*receive)(void *arg, const char *bytes, size_t size);
    /* No more will come: the device broke. Perhaps in the midst of `receive`. */
    void (*gone)(void *arg);
    void *arg;
};

/* Those up to LINE_CONTROL are always there, others if their bit is set in `more`. -ENXIO: there is
 * no such device, or not all of its ports; -ENOMEM. May sleep. */
int lines_init(unsigned more);
bool line_is_there(enum line line);
/* All of it; sleeps while the other end is slow. Not from interrupt handlers. */
void line_write(enum line line, const char *bytes, size_t size);
/* The same, unless a signal comes: how much went, or -EINTR if nothing. */
int64_t line_write_interruptible(enum line line, const char *bytes, size_t size);
/* As much as goes at once, and how much that is; from handlers, too. If it isn't all, the line has
 * no room, as line_has_room tells it. */
size_t line_try_write(enum line line, const char *bytes, size_t size);
/* Something can go at once. False: there will be an interrupt when it can, which counts up what
 * line_changes returns, and any_event. */
bool line_has_room(enum line line);
uint32_t line_changes(enum line line);
/* Once for each line; `listener` has to stay. */
int line_listen(enum line line, const struct line_listener *listener);
void line_resume(enum line line);
/* Before the machine ends: until the other ends have everything, or NO_DEADLINE or so many ns are
 * over. Nothing before lines_init. */
void lines_wait_until_sent(uint64_t patience_ns);
/* Memory that the device reads as it is, and that stays until it has come back by its token, which
 * is below 64: for LINE_EVENTS, on which nothing is written. Neither sleeps; also from handlers.
 * False: the device is broken, or has too many. */
bool line_lend(enum line line, uint64_t phys, size_t size, unsigned token);
/* A token that has come back; -1: none. */
int line_returned(enum line line);
bool lines_are_broken(void);
/* In a panic: who finds all buffers with the device looks at it until it has given one back; when
 * that took longer than so many ns, what is written is lost. */
void lines_write_without_sleep(uint64_t patience_ns);

/* Words for who started the machine, a line at a time (docs/machine.md); nothing before
 * lines_init. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);

#endif
