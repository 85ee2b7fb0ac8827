/* kernel/fs/poll.c: waiting for one of several files */
#include "fs/poll.h"

static int look(struct poll_item *items, unsigned count)
{
    int nr_ready = 0;
    for (unsigned i = 0; i < count; i++) {
        struct poll_item *item = &items[i];
        if (item->file)
            item->ready = file_poll(item->file) & (item->wanted | POLLERR | POLLHUP | POLLNVAL);
        nr_ready += item->ready != 0;
    }
    return nr_ready;
}

/* When one of them will be ready without an event. */
static uint64_t first_due(const struct poll_item *items, unsigned count)
{
    uint64_t first = NO_DEADLINE;
    for (unsigned i = 0; i < count; i++) {
        uint64_t due = items[i].file ? file_due(items[i].file) : NO_DEADLINE;
        first = due < first ? due : first;
    }
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
        int error = event_wait(&any_event, seen, due < deadline ? due : deadline);
        if (error == -ETIMEDOUT && deadline <= due)
            return look(items, count);
        if (error && error != -ETIMEDOUT)
            return error;
    }
}
