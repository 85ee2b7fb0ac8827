/* kernel/fs/poll.c: waiting for one of several files */
#include "fs/poll.h"

#include <quire/port.h>

#include "fs/epoll.h"

static int look(struct poll_item *items, unsigned count)
{
    int nr_ready = 0;
    epoll_looks_begin();
    for (unsigned i = 0; i < count; i++) {
        struct poll_item *item = &items[i];
        if (item->file)
            item->ready = file_poll(item->file) & (item->wanted | POLLERR | POLLHUP | POLLNVAL);
        nr_ready += item->ready != 0;
    }
    epoll_looks_end();
    return nr_ready;
}

/* When one of them will be ready without an event. */
static uint64_t first_due(const struct poll_item *items, unsigned count)
{
    uint64_t first = NO_DEADLINE;
    epoll_looks_begin();
    for (unsigned i = 0; i < count; i++) {
        uint64_t due = items[i].file ? file_due(items[i].file) : NO_DEADLINE;
        first = due < first ? due : first;
    }
    epoll_looks_end();
    return first;
}

int poll_wait(struct poll_item *items, unsigned count, uint64_t deadline)
{
    for (;;) {
        uint32_t seen = event_read(&any_event);
        int nr_ready = look(items, count);
        if (nr_ready || !deadline)
            return nr_ready;
        uint64_t due = first_due(items, count);
        nr_ready = look(items, count); /* what is due by now isn't told by `due` */
        if (nr_ready)
            return nr_ready;
        int error = event_wait(&any_event, seen, due < deadline ? due : deadline);
        if (error && error != -ETIMEDOUT)
            return error;
        if (error && quire_port_clock_ns() >= deadline)
            return look(items, count);
    }
}
