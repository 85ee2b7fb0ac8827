/* kernel/dev/lines.c: virtio's console device with several ports (Virtual I/O Device 1.1, 5.3)
 *
 * A port has two queues, and each of those some buffers of a page. What is written is copied into
 * one and handed over at once; only who finds all of them with the device waits for its interrupt.
 * Those to receive are with the device while they are empty, and in `full` in the order in which
 * they came back until the listener has taken all of their bytes.
 *
 * Two more queues carry control messages. The driver says that it is ready, the device which ports
 * it has, and the driver of each that it is open; nothing that comes later matters here.
 */
#include "dev/lines.h"

#include <quire/port.h>

#include "base/text.h"
#include "dev/virtio.h"
#include "errno.h"
#include "event.h"
#include "kernel.h"
#include "memory.h"

#define FEATURE_MULTIPORT 0x2u
#define CONTROL_RECEIVE 2u
#define CONTROL_SEND 3u
#define NR_BUFFERS 4u
#define BUFFER_BYTES QUIRE_PAGE_SIZE
#define MESSAGE_BYTES 64u
#define NR_MESSAGES 32u
#define PATIENCE_NS 5000000000u
#define MAX_LINE_BYTES 256u /* of a line for who started the machine */

enum message_event { DEVICE_READY, PORT_ADD, PORT_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, OPEN };

struct message {
    uint32_t port;
    uint16_t event, value;
};

struct port {
    struct virtio_queue receive, send;
    char *in[NR_BUFFERS], *out[NR_BUFFERS];
    unsigned free; /* of `out`, a bit for each that the device doesn't have */
    struct event sent;
    unsigned nr_waiting; /* for it: as long as there are any, the device interrupts */
    bool polled;         /* somebody saw that there is no room: until the next interrupt the same */
    const struct line_listener *listener;
    struct {
        unsigned buffer;
        size_t begin, end;
    } full[NR_BUFFERS];
    unsigned nr_full;
};

static struct virtio_device device;
static struct port ports[NR_LINES];
static unsigned present; /* a bit for each line */
static bool ready, sleepless;
static uint64_t sleepless_patience_ns;

static bool is_present(enum line line)
{
    return present >> line & 1;
}

bool line_is_there(enum line line)
{
    return ready && is_present(line);
}

static uint64_t phys_of(const void *memory)
{
    return quire_port_virt_to_phys(&machine_port, memory);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void take_back(struct port *port)
{
    uint32_t written;
    for (int token; (token = virtio_queue_take(&port->send, &written)) >= 0;)
        port->free |= 1u << token;
}

/* Bytes that went; 0: the device has all buffers. A handler's echo doesn't come between. */
static size_t send(struct port *port, const char *bytes, size_t size)
{
    quire_port_irq_t irq = quire_port_irq_save();
    take_back(port);
    if (port->free && !device.broken) {
        unsigned buffer = (unsigned)__builtin_ctz(port->free);
        size = size < BUFFER_BYTES ? size : BUFFER_BYTES;
        memcpy(port->out[buffer], bytes, size);
        const struct virtio_buffer piece = {phys_of(port->out[buffer]), (uint32_t)size};
        if (virtio_queue_add(&port->send, &piece, 1, 0, buffer)) {
            port->free &= ~(1u << buffer);
            virtio_queue_kick(&port->send);
        }
    } else if (!device.broken) {
        size = 0;
    } /* a broken device takes everything, to nowhere */
    quire_port_irq_restore(irq);
    return size;
}

static void need_no_interrupt(struct port *port)
{
    if (!port->nr_waiting && !port->polled)
        (void)virtio_queue_interrupts(&port->send, false);
}

bool line_lend(enum line line, uint64_t phys, size_t size, unsigned token)
{
    struct port *port = &ports[line];
    const struct virtio_buffer piece = {phys, (uint32_t)size};
    quire_port_irq_t irq = quire_port_irq_save();
    bool added = !device.broken && virtio_queue_add(&port->send, &piece, 1, 0, token);
    if (added)
        virtio_queue_kick(&port->send);
    quire_port_irq_restore(irq);
    return added;
}

int line_returned(enum line line)
{
    uint32_t written;
    quire_port_irq_t irq = quire_port_irq_save();
    int token = virtio_queue_take(&ports[line].send, &written);
    quire_port_irq_restore(irq);
    return token;
}

bool lines_are_broken(void)
{
    return device.broken;
}

static int look_for_buffer(struct port *port)
{
    static bool is_late; /* then for the rest of what is written, too */
    uint64_t begin = quire_port_clock_ns();
    while (!is_late && !port->free && !device.broken) {
        take_back(port);
        is_late = quire_port_clock_ns() - begin > sleepless_patience_ns;
        quire_port_relax();
    }
    return is_late ? -ETIMEDOUT : 0;
}

static int wait_for_buffer(struct port *port, bool interruptible)
{
    uint32_t seen = event_read(&port->sent);
    int error = 0;
    if (sleepless)
        return look_for_buffer(port);
    port->nr_waiting++;
    if (!virtio_queue_interrupts(&port->send, true)) {
        if (interruptible)
            error = event_wait(&port->sent, seen, NO_DEADLINE);
        else
            event_wait_uninterruptible(&port->sent, seen);
    }
    port->nr_waiting--;
    need_no_interrupt(port);
    return error;
}

static int64_t write_all(struct port *port, const char *bytes, size_t size, bool interruptible)
{
    for (size_t done = 0, sent; done < size; done += sent) {
        sent = send(port, bytes + done, size - done);
        int error = sent ? 0 : wait_for_buffer(port, interruptible);
        if (error)
            return done ? (int64_t)done : error;
    }
    return (int64_t)size;
}

void line_write(enum line line, const char *bytes, size_t size)
{
    (void)write_all(&ports[line], bytes, size, false);
}

int64_t line_write_interruptible(enum line line, const char *bytes, size_t size)
{
    return write_all(&ports[line], bytes, size, true);
}

size_t line_try_write(enum line line, const char *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        size_t sent = send(&ports[line], bytes + done, size - done);
        if (!sent && !line_has_room(line))
            break;
        done += sent;
    }
    return done;
}

bool line_has_room(enum line line)
{
    struct port *port = &ports[line];
    quire_port_irq_t irq = quire_port_irq_save();
    take_back(port);
    if (!port->free && !device.broken) {
        port->polled = true;
        if (virtio_queue_interrupts(&port->send, true))
            take_back(port);
    }
    bool room = port->free || device.broken;
    quire_port_irq_restore(irq);
    return room;
}

uint32_t line_changes(enum line line)
{
    return event_read(&ports[line].sent);
}

void lines_wait_until_sent(uint64_t patience_ns)
{
    uint64_t begin = quire_port_clock_ns();
    for (enum line line = LINE_INPUT; ready && line < NR_LINES; line++)
        while (is_present(line) && ports[line].free != (1u << NR_BUFFERS) - 1 && !device.broken) {
            take_back(&ports[line]);
            if (quire_port_clock_ns() - begin > patience_ns)
                return;
            quire_port_relax();
        }
}

void lines_write_without_sleep(uint64_t patience_ns)
{
    sleepless = true;
    sleepless_patience_ns = patience_ns;
}

/* A line goes at once, so that two tasks' lines don't mix. */
void tell(const char *format, ...)
{
    char line[MAX_LINE_BYTES];
    va_list list;
    if (!ready)
        return;
    va_start(list, format);
    size_t length = quire_vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (length >= sizeof line) {
        length = sizeof line - 1;
        line[length - 1] = '\n';
    }
    line_write(LINE_CONTROL, line, length);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void give_to_device(struct port *port, unsigned buffer)
{
    const struct virtio_buffer piece = {phys_of(port->in[buffer]), BUFFER_BYTES};
    if (!virtio_queue_add(&port->receive, &piece, 0, 1, buffer))
        virtio_break(&device, "it has no room for a buffer to receive");
    virtio_queue_kick(&port->receive);
}

/* What came, as far as the listener takes it. */
static void hand_over(struct port *port)
{
    while (port->nr_full) {
        unsigned buffer = port->full[0].buffer;
        size_t begin = port->full[0].begin, size = port->full[0].end - begin;
        size_t taken = port->listener->receive(port->listener->arg, port->in[buffer] + begin, size);
        port->full[0].begin += taken;
        if (taken < size)
            return;
        for (unsigned i = 1; i < port->nr_full; i++)
            port->full[i - 1] = port->full[i];
        port->nr_full--;
        give_to_device(port, buffer);
    }
}

static void receive(struct port *port)
{
    uint32_t written;
    for (int token; (token = virtio_queue_take(&port->receive, &written)) >= 0;) {
        port->full[port->nr_full].buffer = (unsigned)token;
        port->full[port->nr_full].begin = 0;
        port->full[port->nr_full++].end = written;
    }
    hand_over(port);
}

void line_resume(enum line line)
{
    quire_port_irq_t irq = quire_port_irq_save();
    receive(&ports[line]);
    quire_port_irq_restore(irq);
}

int line_listen(enum line line, const struct line_listener *listener)
{
    struct port *port = &ports[line];
    if (port->listener)
        return -EBUSY;
    for (unsigned i = 0; i < NR_BUFFERS; i++) {
        port->in[i] = quire_get_free_pages(machine_mem, QUIRE_GFP_KERNEL, 0);
        if (!port->in[i])
            return -ENOMEM;
    }
    port->listener = listener;
    for (unsigned i = 0; i < NR_BUFFERS; i++)
        give_to_device(port, i);
    if (virtio_queue_interrupts(&port->receive, true))
        line_resume(line);
    return 0;
}

static void interrupt(struct virtio_device *which)
{
    (void)which;
    for (enum line line = LINE_INPUT; line < NR_LINES; line++) {
        struct port *port = &ports[line];
        if (!is_present(line))
            continue;
        if (port->listener)
            receive(port);
        port->polled = false;
        need_no_interrupt(port);
        event_signal(&port->sent);
    }
}

static void broke(struct virtio_device *which)
{
    (void)which;
    for (enum line line = LINE_INPUT; line < NR_LINES; line++) {
        const struct line_listener *listener = ports[line].listener;
        if (listener)
            listener->gone(listener->arg);
        event_signal(&ports[line].sent);
    }
}

/* ---- the beginning --------------------------------------------------------------------------- */

/* A page of messages; the first is the driver's. */
struct control {
    struct virtio_queue receive, send;
    char *page;
};

/* Until the device has it. */
static bool say(struct control *control, uint32_t port, enum message_event event)
{
    uint64_t deadline = quire_port_clock_ns() + PATIENCE_NS;
    uint32_t written;
    *(struct message *)(void *)control->page = (struct message){port, (uint16_t)event, 1};
    const struct virtio_buffer piece = {phys_of(control->page), sizeof(struct message)};
    if (!virtio_queue_add(&control->send, &piece, 1, 0, 0))
        return false;
    virtio_queue_kick(&control->send);
    while (virtio_queue_take(&control->send, &written) < 0)
        if (device.broken || quire_port_clock_ns() > deadline)
            return false;
    return true;
}

/* The next message; false: none came for some time. */
static bool hear(struct control *control, struct message *message)
{
    uint64_t deadline = quire_port_clock_ns() + PATIENCE_NS;
    uint32_t written;
    int token;
    while ((token = virtio_queue_take(&control->receive, &written)) < 0)
        if (device.broken || quire_port_clock_ns() > deadline)
            return false;
    memcpy(message, control->page + (size_t)token * MESSAGE_BYTES, sizeof *message);
    return written >= sizeof *message;
}

static int init_control(struct control *control)
{
    int error = virtio_queue_init(&control->receive, &device, CONTROL_RECEIVE);
    if (!error)
        error = virtio_queue_init(&control->send, &device, CONTROL_SEND);
    control->page = quire_get_free_pages(machine_mem, QUIRE_GFP_KERNEL, 0);
    return error ? error : control->page ? 0 : -ENOMEM;
}

/* All ports are there, and open. */
static int open_ports(struct control *control)
{
    unsigned missing = present;
    struct message message;
    for (unsigned i = 1; i <= NR_MESSAGES; i++) {
        const struct virtio_buffer piece = {phys_of(control->page + i * MESSAGE_BYTES),
                                            MESSAGE_BYTES};
        if (!virtio_queue_add(&control->receive, &piece, 0, 1, i))
            return -ENXIO;
    }
    virtio_queue_kick(&control->receive);
    if (!say(control, 0, DEVICE_READY))
        return -ENXIO;
    while (missing) {
        if (!hear(control, &message))
            return -ENXIO;
        if (message.event != PORT_ADD || message.port >= NR_LINES ||
            !(missing & 1u << message.port))
            continue;
        missing &= ~(1u << message.port);
        if (!say(control, message.port, PORT_READY) || !say(control, message.port, OPEN))
            return -ENXIO;
    }
    return 0;
}

static int init_port(enum line line)
{
    struct port *port = &ports[line];
    *port = (struct port){.free = (1u << NR_BUFFERS) - 1};
    int error = virtio_queue_init(&port->receive, &device, 2 * line + 2);
    if (!error)
        error = virtio_queue_init(&port->send, &device, 2 * line + 3);
    if (!error && (port->receive.size < NR_BUFFERS || port->send.size < NR_BUFFERS))
        error = -ENXIO;
    for (unsigned i = 0; !error && line != LINE_EVENTS && i < NR_BUFFERS; i++) {
        port->out[i] = quire_get_free_pages(machine_mem, QUIRE_GFP_KERNEL, 0);
        error = port->out[i] ? 0 : -ENOMEM;
    }
    return error;
}

/* The machine can't do without, so what was made stays when something is missing. */
int lines_init(unsigned more)
{
    struct pci_device pci = {0};
    struct control control;
    device =
        (struct virtio_device){.name = "the serial lines", .interrupt = interrupt, .broke = broke};
    present = ((1u << (LINE_CONTROL + 1)) - 2) | more;
    if (!virtio_find(&device, &pci, VIRTIO_CONSOLE))
        return -ENXIO;
    virtio_accept(&device, FEATURE_MULTIPORT);
    if (!(device.features & FEATURE_MULTIPORT))
        return -ENXIO;
    int error = init_control(&control);
    for (enum line line = LINE_INPUT; !error && line < NR_LINES; line++)
        if (is_present(line))
            error = init_port(line);
    if (!error)
        error = virtio_start(&device);
    if (error)
        return error;
    error = open_ports(&control);
    ready = !error;
    return error;
}
