/* kernel/sys/userfault.c: userfaultfd(2): faults that a program sees to itself
 *
 * The library watches areas and fills in pages (quire/userfault.h); here is the file by which a
 * program is told of faults, and answers. Who faulted is in a list while he waits, on his stack;
 * a message is told once, and he waits until he is woken. Linux: fs/userfaultfd.c.
 *
 *   invariant   the file and the library's monitor each hold the structure; who waits holds the
 *               monitor
 */
#include <quire/userfault.h>

#include "base/list.h"
#include "errno.h"
#include "fs/anonymous.h"
#include "fs/devices.h"
#include "fs/procfs.h"
#include "memory.h"
#include "sys/abi_memory.h"
#include "sys/calls_memory.h"
#include "sys/file_user.h"
#include "sys/proc.h"
#include "task/capability.h"
#include "task/give_way.h"

#define UFFD_API 0xaa
#define UFFD_USER_MODE_ONLY 1

/* Commands of ioctl(2), by linux/userfaultfd.h. */
#define UFFDIO_API 0xc018aa3fu
#define UFFDIO_REGISTER 0xc020aa00u
#define UFFDIO_UNREGISTER 0x8010aa01u
#define UFFDIO_WAKE 0x8010aa02u
#define UFFDIO_COPY 0xc028aa03u
#define UFFDIO_ZEROPAGE 0xc020aa04u
#define UFFDIO_WRITEPROTECT 0xc018aa06u
#define UFFDIO_POISON 0xc020aa08u
#define USERFAULTFD_IOC_NEW 0xaa00u
#define BIT_OF(command) ((uint64_t)1 << ((command)&0xff))

#define FEATURE_PAGEFAULT_FLAG_WP 0x1u
#define FEATURE_SIGBUS 0x80u
#define FEATURE_THREAD_ID 0x100u
#define FEATURE_EXACT_ADDRESS 0x800u
#define FEATURE_POISON 0x4000u
#define FEATURES                                                                                   \
    (FEATURE_PAGEFAULT_FLAG_WP | FEATURE_SIGBUS | FEATURE_THREAD_ID | FEATURE_EXACT_ADDRESS |      \
     FEATURE_POISON)

#define EVENT_PAGEFAULT 0x12
#define PAGEFAULT_WRITE 1u
#define PAGEFAULT_WP 2u
#define MODE_DONTWAKE 1u /* of COPY, ZEROPAGE, POISON */
#define MODE_COPY_WP 2u
#define MODE_PROTECT 1u /* of WRITEPROTECT */
#define MODE_PROTECT_DONTWAKE 2u

/* Together they may be this part of memory's pages: each may keep the root of an address space's
 * tables when that has ended. */
#define MEMORY_SHARE 256u

struct message {
    uint8_t event, reserved[7];
    uint64_t flags, address;
    uint32_t tid, reserved_too;
};
_Static_assert(sizeof(struct message) == 32, "Linux's struct uffd_msg");

struct range {
    uint64_t start, length;
};

struct userfault {
    unsigned refs;
    bool ready; /* UFFDIO_API was called */
    bool user_only;
    uint64_t features;
    struct list waiting; /* of struct waiter */
    struct event told, woken;
    struct quire_userfault *monitor;
};

struct waiter {
    struct list link;
    uint64_t address;
    unsigned flags; /* PAGEFAULT_* */
    int tid;
    bool told, woken;
};

static unsigned long nr_userfaults;

/* ---- who waits ------------------------------------------------------------------------------- */

static int sleep_on(struct userfault *userfault, const struct waiter *waiter, bool from_user)
{
    int error = 0;
    while (!error) {
        uint32_t seen = event_read(&userfault->woken);
        if (waiter->woken)
            break;
        error = from_user ? event_wait(&userfault->woken, seen, NO_DEADLINE)
                          : event_wait_killable(&userfault->woken, seen);
    }
    return error;
}

/* A signal ends the waiting of the program itself, which comes back after its handler; within the
 * kernel only what kills does. */
static int wait_for(void *arg, quire_linear_t address, unsigned reason, unsigned flags)
{
    struct userfault *userfault = arg;
    bool from_user = flags & QUIRE_FAULT_FLAG_USER, write = flags & QUIRE_FAULT_FLAG_WRITE;
    if (userfault->features & FEATURE_SIGBUS || (userfault->user_only && !from_user) ||
        current->ending)
        return -EFAULT;
    struct waiter waiter = {.address = address, .tid = current->tid};
    waiter.flags =
        (write ? PAGEFAULT_WRITE : 0) | (reason == QUIRE_USERFAULT_WP ? PAGEFAULT_WP : 0);
    list_add_tail(&userfault->waiting, &waiter.link);
    event_signal(&userfault->told);
    int error = 0;
    if (quire_userfault_waits(userfault->monitor, address, write))
        error = sleep_on(userfault, &waiter, from_user);
    list_del(&waiter.link);
    return from_user ? 0 : error;
}

static void wake(struct userfault *userfault, uint64_t start, uint64_t length)
{
    list_for_each (at, &userfault->waiting) {
        struct waiter *waiter = quire_container_of(at, struct waiter, link);
        if (waiter->address - start < length)
            waiter->woken = true;
    }
    event_signal(&userfault->woken);
}

static void put(void *arg)
{
    struct userfault *userfault = arg;
    if (--userfault->refs)
        return;
    nr_userfaults--;
    quire_kfree(machine_slab, userfault);
}

/* ---- being told ------------------------------------------------------------------------------ */

static struct waiter *first_untold(const struct userfault *userfault)
{
    list_for_each (at, &userfault->waiting) {
        struct waiter *waiter = quire_container_of(at, struct waiter, link);
        if (!waiter->told)
            return waiter;
    }
    return NULL;
}

static void fill_message(const struct userfault *userfault, const struct waiter *waiter,
                         struct message *message)
{
    bool exact = userfault->features & FEATURE_EXACT_ADDRESS;
    *message = (struct message){
        .event = EVENT_PAGEFAULT,
        .flags = waiter->flags,
        .address = exact ? waiter->address : waiter->address & ~(uint64_t)(QUIRE_PAGE_SIZE - 1),
        .tid = userfault->features & FEATURE_THREAD_ID ? (uint32_t)waiter->tid : 0};
}

static int64_t userfault_read(struct file *file, uint64_t at, void *to, size_t size)
{
    struct userfault *userfault = file->data;
    struct message *message = to;
    size_t count = 0, most = size / sizeof *message;
    (void)at;
    if (!userfault->ready || !most)
        return -EINVAL;
    for (;;) {
        uint32_t seen = event_read(&userfault->told);
        for (struct waiter *waiter; count < most && (waiter = first_untold(userfault)); count++) {
            fill_message(userfault, waiter, &message[count]);
            waiter->told = true;
        }
        if (count)
            return (int64_t)(count * sizeof *message);
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int error = event_wait(&userfault->told, seen, NO_DEADLINE);
        if (error)
            return error;
    }
}

/* Who would wait in read(2) can't be told by poll(2) that he needn't. */
static unsigned userfault_poll(struct file *file)
{
    const struct userfault *userfault = file->data;
    if (!userfault->ready || !(file->flags & O_NONBLOCK))
        return POLLERR;
    return first_untold(userfault) ? POLLIN : 0;
}

static uint32_t userfault_happened(struct file *file, unsigned events)
{
    const struct userfault *userfault = file->data;
    return events & POLLIN ? event_read(&userfault->told) : 0;
}

static void userfault_release(struct file *file)
{
    struct userfault *userfault = file->data;
    quire_userfault_destroy(userfault->monitor);
    wake(userfault, 0, UINT64_MAX);
    put(userfault);
}

/* ---- commands -------------------------------------------------------------------------------- */

static long shake_hands(struct userfault *userfault, uintptr_t at)
{
    struct {
        uint64_t api, features, commands;
    } hand;
    if (copy_from_user(&hand, at, sizeof hand))
        return -EFAULT;
    uint64_t wanted = hand.features;
    bool known = hand.api == UFFD_API && !(wanted & ~(uint64_t)FEATURES);
    memset(&hand, 0, sizeof hand);
    if (known) {
        hand.api = UFFD_API;
        hand.features = FEATURES;
        hand.commands = BIT_OF(UFFDIO_API) | BIT_OF(UFFDIO_REGISTER) | BIT_OF(UFFDIO_UNREGISTER);
    }
    if (copy_to_user(at, &hand, sizeof hand))
        return -EFAULT;
    if (!known || userfault->ready)
        return -EINVAL;
    userfault->ready = true;
    userfault->features = wanted;
    return 0;
}

/* Before a number becomes an address: those of i386 have fewer bits. */
static bool is_range(const struct range *range)
{
    const uint64_t low_bits = QUIRE_PAGE_SIZE - 1;
    return !((range->start | range->length) & low_bits) && range->length &&
           range->start < USER_END && range->length <= USER_END - range->start;
}

static long watch(struct userfault *userfault, uintptr_t at)
{
    struct {
        struct range range;
        uint64_t modes, commands;
    } request;
    if (copy_from_user(&request, at, sizeof request))
        return -EFAULT;
    if (request.modes > UINT32_MAX || !is_range(&request.range))
        return -EINVAL;
    int error = quire_userfault_register(userfault->monitor, (quire_linear_t)request.range.start,
                                         request.range.length, (unsigned)request.modes);
    if (error)
        return error;
    request.commands =
        BIT_OF(UFFDIO_WAKE) | BIT_OF(UFFDIO_COPY) | BIT_OF(UFFDIO_ZEROPAGE) | BIT_OF(UFFDIO_POISON);
    if (request.modes & QUIRE_USERFAULT_WP)
        request.commands |= BIT_OF(UFFDIO_WRITEPROTECT);
    return copy_to_user(at, &request, sizeof request) ? -EFAULT : 0;
}

/* Who still waits where -ENOMEM stopped it comes back. */
static int unwatch(struct userfault *userfault, const struct range *range)
{
    int error =
        quire_userfault_unregister(userfault->monitor, (quire_linear_t)range->start, range->length);
    if (!error || error == -ENOMEM)
        wake(userfault, range->start, range->length);
    return error;
}

static long on_range(struct userfault *userfault, uintptr_t at, bool unwatches)
{
    struct range range;
    if (copy_from_user(&range, at, sizeof range))
        return -EFAULT;
    if (!is_range(&range))
        return -EINVAL;
    if (unwatches)
        return unwatch(userfault, &range);
    wake(userfault, range.start, range.length);
    return 0;
}

/* What is to become of a range's missing pages. */
struct filling {
    struct range to;
    uint64_t from; /* of BYTES */
    enum quire_userfault_fill how;
    bool protect, wakes;
};

/* Bytes done, or what is wrong with the first page. */
static int64_t fill_pages(struct userfault *userfault, const struct filling *filling, void *page)
{
    uint64_t done = 0;
    int error = 0;
    for (; done < filling->to.length; done += QUIRE_PAGE_SIZE) {
        if (!give_way())
            error = -EINTR;
        if (!error && page &&
            copy_from_user(page, (uintptr_t)(filling->from + done), QUIRE_PAGE_SIZE))
            error = -EFAULT;
        if (!error)
            error = quire_userfault_fill(
                userfault->monitor, (quire_linear_t)(filling->to.start + done),
                filling->to.length - done, filling->how, page, filling->protect);
        if (error)
            break;
    }
    return done ? (int64_t)done : error;
}

/* The answer is written to `answer` whatever it is, but that the process has ended. */
static long fill_range(struct userfault *userfault, const struct filling *filling, uintptr_t answer)
{
    bool has_bytes = filling->how == QUIRE_USERFAULT_BYTES;
    void *page = has_bytes ? quire_kmalloc(machine_slab, QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL) : NULL;
    int64_t done = has_bytes && !page ? -ENOMEM : fill_pages(userfault, filling, page);
    if (page)
        quire_kfree(machine_slab, page);
    if (done != -ESRCH && copy_to_user(answer, &done, sizeof done))
        return -EFAULT;
    if (done < 0)
        return (long)done;
    if (filling->wakes)
        wake(userfault, filling->to.start, (uint64_t)done);
    return (uint64_t)done == filling->to.length ? 0 : -EAGAIN;
}

static long copy_range(struct userfault *userfault, uintptr_t at)
{
    struct {
        uint64_t to, from, length, mode;
    } request;
    if (copy_from_user(&request, at, sizeof request))
        return -EFAULT;
    struct filling filling = {.to = {request.to, request.length},
                              .from = request.from,
                              .how = QUIRE_USERFAULT_BYTES,
                              .protect = request.mode & MODE_COPY_WP,
                              .wakes = !(request.mode & MODE_DONTWAKE)};
    if (!is_range(&filling.to) || request.from > USER_END ||
        request.length > USER_END - request.from ||
        request.mode & ~(uint64_t)(MODE_DONTWAKE | MODE_COPY_WP))
        return -EINVAL;
    return fill_range(userfault, &filling, at + sizeof request);
}

static long fill_without_bytes(struct userfault *userfault, uintptr_t at,
                               enum quire_userfault_fill how)
{
    struct {
        struct range range;
        uint64_t mode;
    } request;
    if (copy_from_user(&request, at, sizeof request))
        return -EFAULT;
    struct filling filling = {
        .to = request.range, .how = how, .wakes = !(request.mode & MODE_DONTWAKE)};
    if (!is_range(&filling.to) || request.mode & ~(uint64_t)MODE_DONTWAKE)
        return -EINVAL;
    return fill_range(userfault, &filling, at + sizeof request);
}

static long protect_range(struct userfault *userfault, uintptr_t at)
{
    struct {
        struct range range;
        uint64_t mode;
    } request;
    if (copy_from_user(&request, at, sizeof request))
        return -EFAULT;
    const uint64_t known = MODE_PROTECT | MODE_PROTECT_DONTWAKE;
    if (!is_range(&request.range) || request.mode & ~known || request.mode == known)
        return -EINVAL;
    int error = quire_userfault_protect(userfault->monitor, (quire_linear_t)request.range.start,
                                        request.range.length, request.mode & MODE_PROTECT);
    if (!error && !request.mode)
        wake(userfault, request.range.start, request.range.length);
    return error;
}

static long userfault_ioctl(struct file *file, unsigned command, void *argument,
                            const struct fs_caller *caller)
{
    struct userfault *userfault = file->data;
    uintptr_t at = (uintptr_t)argument;
    (void)caller;
    if (command == UFFDIO_API)
        return shake_hands(userfault, at);
    if (!userfault->ready)
        return -EINVAL;
    switch (command) {
    case UFFDIO_REGISTER:
        return watch(userfault, at);
    case UFFDIO_UNREGISTER:
    case UFFDIO_WAKE:
        return on_range(userfault, at, command == UFFDIO_UNREGISTER);
    case UFFDIO_COPY:
        return copy_range(userfault, at);
    case UFFDIO_ZEROPAGE:
        return fill_without_bytes(userfault, at, QUIRE_USERFAULT_ZERO);
    case UFFDIO_POISON:
        return fill_without_bytes(userfault, at, QUIRE_USERFAULT_POISON);
    case UFFDIO_WRITEPROTECT:
        return protect_range(userfault, at);
    default:
        return -EINVAL;
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static const struct file_ops userfault_ops = {
    .name = "anon_inode:[userfaultfd]",
    .shared_name = true,
    .stream = true,
    .read = userfault_read,
    .poll = userfault_poll,
    .happened = userfault_happened,
    .ioctl = userfault_ioctl,
    .release = userfault_release,
};

static int make_monitor(struct userfault **made, bool user_only)
{
    if (nr_userfaults >= quire_nr_managed_pages(machine_mem) / MEMORY_SHARE)
        return -ENFILE;
    struct userfault *userfault = quire_kzalloc(machine_slab, sizeof *userfault, QUIRE_GFP_KERNEL);
    if (!userfault)
        return -ENOMEM;
    struct quire_userfault_config config = {.wait = wait_for, .release = put, .arg = userfault};
    userfault->refs = 2;
    userfault->user_only = user_only;
    list_init(&userfault->waiting);
    int error = quire_userfault_create(&userfault->monitor, current_process()->mm, &config);
    if (error) {
        quire_kfree(machine_slab, userfault);
        return error;
    }
    nr_userfaults++;
    *made = userfault;
    return 0;
}

/* A descriptor, or what is wrong. */
static long make(unsigned flags)
{
    struct userfault *userfault;
    if (flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY))
        return -EINVAL;
    int error = make_monitor(&userfault, flags & UFFD_USER_MODE_ONLY);
    if (error)
        return error;
    struct inode *inode = anonymous_inode(user_credentials(), 0600);
    struct file *file =
        inode ? file_new(inode, NULL, &userfault_ops, O_RDONLY | (int)(flags & O_NONBLOCK)) : NULL;
    inode_put(inode);
    if (!file) {
        quire_userfault_destroy(userfault->monitor);
        put(userfault);
        return -ENOMEM;
    }
    file->data = userfault;
    return user_add_file(file, flags & O_CLOEXEC);
}

long sys_userfaultfd(const unsigned long *arg)
{
    unsigned flags = (unsigned)arg[0];
    if (!caller_can(CAP_SYS_PTRACE) && !(flags & UFFD_USER_MODE_ONLY) &&
        !unprivileged_userfaultfd())
        return -EPERM;
    return make(flags);
}

static long device_ioctl(struct file *file, unsigned command, void *argument,
                         const struct fs_caller *caller)
{
    (void)file;
    (void)caller;
    return command == USERFAULTFD_IOC_NEW ? make((unsigned)(uintptr_t)argument) : -EINVAL;
}

static const struct file_ops device_ops = {.name = "userfaultfd", .ioctl = device_ioctl};

/* Who may open it may see to all faults. */
static int open_device(struct inode *inode, struct file *file)
{
    (void)inode;
    file->ops = &device_ops;
    return 0;
}

void userfault_init(void)
{
    device_register(device_number(MISC_MAJOR, USERFAULTFD_MINOR), open_device);
}
