/* kernel/fs/epoll.c: waiting for many files, told once
 *
 * A watch belongs to an epoll and to a file; it holds a reference to neither, and goes with the
 * first of them. Whoever waits looks at all watches whenever any event was signalled, as poll does:
 * O(watches). What Linux tells by wake-ups is told here by counts: an edge (EPOLLET) is a state
 * that wasn't there, or a count of what happened to the file (file_ops.happened) that went on since
 * the last time it was told.
 *
 *   order       a watch that was told goes to the end of the list, so that with room for few all
 *               have their turn
 *   invariant   epolls that watch epolls make no circle, and no chain of more than MAX_DEPTH
 */
#include "fs/epoll.h"

#include "fs/anonymous.h"
#include "memory.h"

#define MAX_DEPTH 5u
#define ALWAYS (POLLERR | POLLHUP)

struct epoll {
    struct file *file; /* whose data it is */
    struct list watches;
    struct event changed;
};

struct watch {
    struct list link;   /* of the epoll's */
    struct watch *next; /* of the file's */
    struct epoll *epoll;
    struct file *file;
    int fd;
    bool off; /* EPOLLONESHOT: until it is changed */
    struct epoll_event event;
    unsigned told; /* the state that was last seen, of an edge */
    uint32_t happened;
};

static unsigned wanted(const struct watch *watch)
{
    return (watch->event.events & 0xffffu) | ALWAYS;
}

static uint32_t happened(struct file *file, unsigned events)
{
    return file->ops->happened ? file->ops->happened(file, events) : 0;
}

/* What there is to tell, and with `tell` takes note that it was told. */
static unsigned look(struct watch *watch, bool tell)
{
    if (watch->off)
        return 0;
    unsigned state = file_poll(watch->file) & wanted(watch), news = state;
    if (watch->event.events & EPOLLET) {
        uint32_t count = happened(watch->file, wanted(watch));
        if (count == watch->happened)
            news = state & ~watch->told ? state : 0;
        watch->told = tell || !news ? state : watch->told;
        watch->happened = tell ? count : watch->happened;
    }
    if (tell && news && watch->event.events & EPOLLONESHOT)
        watch->off = true;
    return news;
}

/* ---- as a file ------------------------------------------------------------------------------- */

static void end_watch(struct watch *watch)
{
    struct watch **at = &watch->file->watches;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    list_del(&watch->link);
    quire_kfree(machine_slab, watch);
}

void epoll_forget(struct file *file)
{
    while (file->watches)
        end_watch(file->watches);
}

static unsigned epoll_poll(struct file *file)
{
    struct epoll *epoll = file->data;
    list_for_each (at, &epoll->watches)
        if (look(quire_container_of(at, struct watch, link), false))
            return POLLIN | POLLRDNORM;
    return 0;
}

static uint64_t epoll_due(struct file *file)
{
    struct epoll *epoll = file->data;
    uint64_t first = NO_DEADLINE;
    list_for_each (at, &epoll->watches) {
        uint64_t due = file_due(quire_container_of(at, struct watch, link)->file);
        first = due < first ? due : first;
    }
    return first;
}

static void epoll_release(struct file *file)
{
    struct epoll *epoll = file->data;
    while (!list_empty(&epoll->watches))
        end_watch(quire_container_of(epoll->watches.next, struct watch, link));
    quire_kfree(machine_slab, epoll);
}

static const struct file_ops epoll_ops = {
    .name = "anon_inode:[eventpoll]",
    .shared_name = true,
    .stream = true,
    .poll = epoll_poll,
    .due = epoll_due,
    .release = epoll_release,
};

bool file_is_epoll(const struct file *file)
{
    return file->ops == &epoll_ops;
}

int epoll_create(struct file **file, const struct credentials *who)
{
    struct epoll *epoll = quire_kzalloc(machine_slab, sizeof *epoll, QUIRE_GFP_KERNEL);
    struct inode *inode = epoll ? anonymous_inode(who, 0600) : NULL;
    *file = inode ? file_new(inode, NULL, &epoll_ops, O_RDWR) : NULL;
    inode_put(inode);
    if (!*file) {
        quire_kfree(machine_slab, epoll);
        return -ENOMEM;
    }
    list_init(&epoll->watches);
    epoll->file = *file;
    (*file)->data = epoll;
    return 0;
}

/* ---- watches --------------------------------------------------------------------------------- */

static struct watch *find(const struct epoll *epoll, const struct file *file, int fd)
{
    for (struct watch *watch = file->watches; watch; watch = watch->next)
        if (watch->epoll == epoll && watch->fd == fd)
            return watch;
    return NULL;
}

/* How many epolls one watches the other from `file` on; more than MAX_DEPTH when `end` is among
 * them. */
static unsigned depth_below(const struct file *file, const struct epoll *end)
{
    unsigned deepest = 0;
    const struct epoll *epoll = file->data;
    if (!file_is_epoll(file))
        return 0;
    if (epoll == end)
        return MAX_DEPTH + 1;
    list_for_each (at, &epoll->watches) {
        unsigned depth = depth_below(quire_container_of(at, struct watch, link)->file, end);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static unsigned depth_above(const struct file *file)
{
    unsigned deepest = 0;
    for (const struct watch *watch = file->watches; watch; watch = watch->next) {
        unsigned depth = depth_above(watch->epoll->file) + 1;
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

static int check_new(const struct file *epoll, const struct file *file, int fd)
{
    if (find(epoll->data, file, fd))
        return -EEXIST;
    if (file_is_epoll(file) && depth_below(file, epoll->data) + depth_above(epoll) >= MAX_DEPTH)
        return -ELOOP;
    return 0;
}

/* To have memory may take a sleep, in which others add: what is looked at comes after. */
static int add(struct file *epoll, struct file *file, int fd, const struct epoll_event *event)
{
    struct epoll *of = epoll->data;
    struct watch *watch = quire_kzalloc(machine_slab, sizeof *watch, QUIRE_GFP_KERNEL);
    int error = check_new(epoll, file, fd);
    if (!error && !watch)
        error = -ENOMEM;
    if (error) {
        if (watch)
            quire_kfree(machine_slab, watch);
        return error;
    }
    *watch = (struct watch){.epoll = of, .file = file, .fd = fd, .event = *event};
    watch->happened = happened(file, wanted(watch));
    watch->next = file->watches;
    file->watches = watch;
    list_add_tail(&of->watches, &watch->link);
    return 0;
}

int epoll_change(struct file *epoll, int operation, struct file *file, int fd,
                 const struct epoll_event *event)
{
    if (!file->ops->poll)
        return -EPERM;
    if (!file_is_epoll(epoll) || file == epoll)
        return -EINVAL;
    struct epoll *of = epoll->data;
    struct watch *watch = find(of, file, fd);
    int error = 0;
    switch (operation) {
    case EPOLL_CTL_ADD:
        error = add(epoll, file, fd, event);
        break;
    case EPOLL_CTL_DEL:
        if (!watch)
            return -ENOENT;
        end_watch(watch);
        break;
    case EPOLL_CTL_MOD:
        if (!watch)
            return -ENOENT;
        if ((watch->event.events | event->events) & EPOLLEXCLUSIVE)
            return -EINVAL;
        watch->event = *event;
        watch->off = false;
        watch->told = 0;
        break;
    default:
        return -EINVAL;
    }
    if (!error)
        event_signal(&of->changed);
    return error;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Each watch is looked at once, though those that are told move. */
static unsigned collect(struct epoll *epoll, struct epoll_event *events, unsigned most)
{
    unsigned count = 0;
    struct list told;
    list_init(&told);
    for (struct list *at = epoll->watches.next, *next; at != &epoll->watches && count < most;
         at = next) {
        struct watch *watch = quire_container_of(at, struct watch, link);
        next = at->next;
        unsigned news = look(watch, true);
        if (!news)
            continue;
        events[count++] = (struct epoll_event){news, watch->event.data};
        list_del(&watch->link);
        list_add_tail(&told, &watch->link);
    }
    while (!list_empty(&told)) {
        struct list *first = told.next;
        list_del(first);
        list_add_tail(&epoll->watches, first);
    }
    return count;
}

int epoll_wait(struct file *epoll, struct epoll_event *events, unsigned most, uint64_t deadline)
{
    for (;;) {
        uint32_t seen = event_read(&any_event);
        unsigned count = collect(epoll->data, events, most);
        if (count || !deadline)
            return (int)count;
        uint64_t due = epoll_due(epoll);
        int error = event_wait(&any_event, seen, due < deadline ? due : deadline);
        if (error == -ETIMEDOUT && deadline <= due)
            return (int)collect(epoll->data, events, most);
        if (error && error != -ETIMEDOUT)
            return error;
    }
}
