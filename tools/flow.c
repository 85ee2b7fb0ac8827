/* tools/flow.c: bytes on their way from one descriptor to another */
#define _GNU_SOURCE
#include "flow.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void flow_wants(const struct flow *flow, struct pollfd *wanted)
{
    if (flow_has_text(flow))
        *wanted = (struct pollfd){.fd = flow->to, .events = POLLOUT};
    else
        *wanted = (struct pollfd){.fd = !flow->may_begin || *flow->may_begin ? flow->from : -1,
                                  .events = POLLIN};
}

static void stop_reading(struct flow *flow)
{
    flow->from = -1;
}

/* A machine that ends before it has read everything is no reason for SIGPIPE. */
static ssize_t write_or_send(const struct flow *flow)
{
    const char *bytes = flow->bytes + flow->begin;
    size_t size = flow->end - flow->begin;
    return flow->to_world ? write(flow->to, bytes, size)
                          : send(flow->to, bytes, size, MSG_NOSIGNAL);
}

static int write_some(struct flow *flow)
{
    ssize_t done = write_or_send(flow);
    if (done >= 0) {
        flow->begin += (size_t)done;
        return 0;
    }
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    int error = errno;
    flow->begin = flow->end = 0;
    if (flow->to_world)
        flow->lost = true; /* who says it may have to say all before he ends */
    else
        stop_reading(flow);
    return flow->to_world ? error : 0;
}

static void read_some(struct flow *flow)
{
    char read_here[(FLOW_BYTES - 2) / 2];
    char *to = flow->filter ? read_here : flow->bytes;
    ssize_t got = read(flow->from, to, flow->filter ? sizeof read_here : sizeof flow->bytes);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    size_t size = got > 0 ? (size_t)got : 0; /* an error is an end: a machine's ports can reset */
    if (!size)
        stop_reading(flow);
    flow->begin = 0;
    flow->end = flow->filter ? flow->filter(flow->arg, read_here, size, flow->bytes) : size;
    if (flow->lost)
        flow->end = 0;
}

int flow_move(struct flow *flow)
{
    if (flow_has_text(flow))
        return write_some(flow);
    if (flow->from >= 0)
        read_some(flow);
    return 0;
}
