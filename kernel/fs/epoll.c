/* kernel/fs/epoll.c: waiting for many files, told once
 *
 * A watch belongs to an epoll and to a file; it holds a reference to neither, and goes with the
 * first of them. Whoever waits looks at all watches whenever any event was signalled, as poll does:
 * O(watches). What Linux tells by wake-ups is told here by counts: an edge (EPOLLET) is a state
 * that wasn't there, or a count of what happened to the file (file_ops.happened) that went on since
 * the last time it was told.
 *
 * Epolls watch epolls, and one may be reached from another in any number of ways. Nothing changes
 * while nobody sleeps, so within one look at files each epoll is walked once, and what came of it
 * is known to all ways that lead there.
 *
 *   order       a watch that was told goes to the end of the list, so that with room for few all
 *               have their turn
 *   invariant   epolls that watch epolls make no circle, and no chain of more than MAX_DEPTH
 *   bound       a look, whatever it begins at, visits each watch there is once for each question
 *   bound       all watches together take at most one in MEMORY_SHARE of memory
 */
#include "fs/epoll.h"

#include <quire/port.h>

#include "fs/anonymous.h"
#include "memory.h"

#define MAX_DEPTH 5u
#define MEMORY_SHARE 25u /* Linux: fs.epoll.max_user_watches */
#define ALWAYS (POLLERR | POLLHUP)

/* What is asked of an epoll that others watch. */
enum question { IS_READY, DUE, HAPPENED, DEPTH, HEIGHT, NR_QUESTIONS };

struct epoll {
    struct file *file; /* whose data it is */
    struct list watches;
    struct event changed;
    uint32_t past; /* what happened to watches that are gone, or changed */
    struct {
        uint64_t look; /* whose answer it is */
        uint64_t answer;
    } known[NR_QUESTIONS];
};

struct watch {
    struct list link;             /* of the epoll's */
    struct watch *next, **before; /* of the file's, and what leads here */
    struct epoll *epoll;
    struct file *file;
    int fd;
    bool off; /* EPOLLONESHOT: until it is changed */
    struct epoll_event event;
    unsigned told; /* the state that was last seen, of an edge */
    uint32_t happened;
};

static unsigned long nr_watches;
static unsigned looks_begun;
static uint64_t this_look;

void epoll_looks_begin(void)
{
    if (!looks_begun++)
        this_look++;
}

void epoll_looks_end(void)
{
    looks_begun--;
}

/* Walks it at most once a look. */
static uint64_t ask(struct epoll *epoll, enum question question,
                    uint64_t (*walk)(const struct epoll *epoll))
{
    epoll_looks_begin();
    if (epoll->known[question].look != this_look) {
        epoll->known[question].answer = walk(epoll);
        epoll->known[question].look = this_look;
    }
    epoll_looks_end();
    return epoll->known[question].answer;
}

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

static uint32_t happened_to(const struct watch *watch)
{
    return happened(watch->file, wanted(watch));
}

static void end_watch(struct watch *watch)
{
    *watch->before = watch->next;
    if (watch->next)
        watch->next->before = watch->before;
    list_del(&watch->link);
    quire_kfree(machine_slab, watch);
    nr_watches--;
}

/* What epolls count goes on from where it was. */
void epoll_forget(struct file *file)
{
    if (!file->watches)
        return;
    epoll_looks_begin();
    for (struct watch *watch = file->watches; watch; watch = watch->next)
        watch->epoll->past += happened_to(watch);
    epoll_looks_end();
    while (file->watches)
        end_watch(file->watches);
}

static uint64_t is_ready(const struct epoll *epoll)
{
    list_for_each (at, &epoll->watches)
        if (look(quire_container_of(at, struct watch, link), false))
            return true;
    return false;
}

static unsigned epoll_poll(struct file *file)
{
    return ask(file->data, IS_READY, is_ready) ? POLLIN | POLLRDNORM : 0;
}

static uint64_t first_due(const struct epoll *epoll)
{
    uint64_t first = NO_DEADLINE;
    list_for_each (at, &epoll->watches) {
        uint64_t due = file_due(quire_container_of(at, struct watch, link)->file);
        first = due < first ? due : first;
    }
    return first;
}

static uint64_t epoll_due(struct file *file)
{
    return ask(file->data, DUE, first_due);
}

static uint64_t count_happened(const struct epoll *epoll)
{
    uint32_t count = epoll->past;
    list_for_each (at, &epoll->watches)
        count += happened_to(quire_container_of(at, struct watch, link));
    return count;
}

static uint32_t epoll_happened(struct file *file, unsigned events)
{
    return events & POLLIN ? (uint32_t)ask(file->data, HAPPENED, count_happened) : 0;
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
    .happened = epoll_happened,
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

static const struct epoll *above; /* that no way below may lead to */

static unsigned depth_below(const struct file *file);
static unsigned depth_above(struct epoll *epoll);

static uint64_t deepest_below(const struct epoll *epoll)
{
    unsigned deepest = 0;
    if (epoll == above)
        return MAX_DEPTH;
    list_for_each (at, &epoll->watches) {
        unsigned depth = depth_below(quire_container_of(at, struct watch, link)->file);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* How many epolls one watches the other from `file` on; MAX_DEPTH or more if `above` is one. */
static unsigned depth_below(const struct file *file)
{
    return file_is_epoll(file) ? (unsigned)ask(file->data, DEPTH, deepest_below) : 0;
}

static uint64_t highest_above(const struct epoll *epoll)
{
    unsigned highest = 0;
    for (const struct watch *watch = epoll->file->watches; watch; watch = watch->next) {
        unsigned height = depth_above(watch->epoll) + 1;
        highest = height > highest ? height : highest;
    }
    return highest;
}

static unsigned depth_above(struct epoll *epoll)
{
    return (unsigned)ask(epoll, HEIGHT, highest_above);
}

static bool is_too_deep(struct epoll *epoll, const struct file *file)
{
    above = epoll;
    epoll_looks_begin();
    unsigned depth = depth_below(file) + depth_above(epoll);
    epoll_looks_end();
    return depth >= MAX_DEPTH;
}

static unsigned long most_watches(void)
{
    return quire_nr_managed_pages(machine_mem) / MEMORY_SHARE *
           (QUIRE_PAGE_SIZE / sizeof(struct watch));
}

static int check_new(const struct file *epoll, const struct file *file, int fd)
{
    if (nr_watches >= most_watches())
        return -ENOSPC;
    if (find(epoll->data, file, fd))
        return -EEXIST;
    return file_is_epoll(file) && is_too_deep(epoll->data, file) ? -ELOOP : 0;
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
    *watch = (struct watch){.next = file->watches,
                            .before = &file->watches,
                            .epoll = of,
                            .file = file,
                            .fd = fd,
                            .event = *event};
    watch->happened = happened_to(watch);
    if (watch->next)
        watch->next->before = &watch->next;
    file->watches = watch;
    list_add_tail(&of->watches, &watch->link);
    of->past -= watch->happened; /* what happened before isn't news */
    nr_watches++;
    return 0;
}

/* Whatever there is is news then, as if it had been told of nothing. */
static void change(struct watch *watch, const struct epoll_event *event)
{
    watch->epoll->past += happened_to(watch);
    watch->event = *event;
    watch->off = false;
    watch->told = 0;
    watch->happened = happened_to(watch);
    watch->epoll->past -= watch->happened;
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
        of->past += happened_to(watch);
        end_watch(watch);
        break;
    case EPOLL_CTL_MOD:
        if (!watch)
            return -ENOENT;
        if ((watch->event.events | event->events) & EPOLLEXCLUSIVE)
            return -EINVAL;
        change(watch, event);
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
    epoll_looks_begin();
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
    epoll_looks_end();
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
        count = collect(epoll->data, events, most); /* what is due by now isn't told by `due` */
        if (count)
            return (int)count;
        int error = event_wait(&any_event, seen, due < deadline ? due : deadline);
        if (error && error != -ETIMEDOUT)
            return error;
        if (error && quire_port_clock_ns() >= deadline)
            return (int)collect(epoll->data, events, most);
    }
}
