/* malloc/share.c: QUIRE_MALLOC=share: counts in a file that other processes may read
 *
 * See quire/heap_page.h. The page is written by whoever comes by a slow path, when it is older than
 * the period, and at exit; so it stays as it is while the program doesn't use the heap. Its
 * descriptor is a high one, out of the way of programs that expect the first free numbers.
 *
 *   invariant   a process writes only into the page that it made: a child makes its own
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <quire/heap_page.h>

#include "malloc/calls.h"
#include "malloc/options.h"

#define FIRST_PERIOD_NS 1000000u /* doubled each time: of short programs most is seen */
#define MOST_PERIOD_NS 250000000u
#define HIGH_DESCRIPTOR 500
#define MOST_PATH 256

_Static_assert(sizeof(struct quire_heap_page) <= QUIRE_HEAP_PLACE_BYTES, "a place has room");
_Static_assert(sizeof(struct quire_heap_places) <= QUIRE_HEAP_FIRST_PLACE, "and so has what is "
                                                                           "before them");
_Static_assert(sizeof(struct quire_heap_live) ==
                       2 * sizeof(((struct quire_heap_page *)0)->taken_now) &&
                   offsetof(struct quire_heap_page, pages_now) -
                           offsetof(struct quire_heap_page, taken_now) ==
                       offsetof(struct quire_heap_live, pages),
               "the page has a struct quire_heap_live");
_Static_assert(QUIRE_HEAP_PAGE_LARGE == QUIRE_HEAP_LARGE_SIZES, "the page has all sizes");

static struct quire_heap_page *page;
static quire_port_spinlock_t lock;
static uint64_t written_ns, period_ns = FIRST_PERIOD_NS;
static int page_file;
static ino_t page_inode; /* the program may have closed its descriptors, and use the number */
static bool in_places;   /* the file has other processes' pages, too */
static char places_path[MOST_PATH];

/* What a child's heap had seen before the fork isn't the child's. */
static struct {
    struct quire_heap_info info; /* its events */
    struct quire_heap_large_info large[QUIRE_HEAP_LARGE_SIZES];
    unsigned long calls[NR_CALL_KINDS][NR_CLASSES];
} inherited;

bool share_into(const char *file)
{
    size_t length = strlen(file);
    if (!length || length >= sizeof places_path)
        return false;
    memcpy(places_path, file, length + 1);
    return true;
}

bool share_has_reader(void)
{
    return in_places;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* By bare system calls: open and close are points of cancellation, which malloc isn't. */
static int open_file(const char *path)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static void close_file(int file)
{
    (void)syscall(SYS_close, file);
}

/* Moves a file out of the program's way. */
static int put_high(int file)
{
    struct rlimit limit;
    int high = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
    if (file >= 0 && high < 0 && !getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur > 1)
        high = fcntl(file, F_DUPFD_CLOEXEC, (int)(limit.rlim_cur - 1));
    if (high < 0)
        return file;
    close_file(file);
    return high;
}

static void *map_part(int file, off_t at, size_t size)
{
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, at);
    return made == MAP_FAILED ? NULL : made;
}

static void remember_file(int file, bool has_places)
{
    struct stat status;
    page_file = file;
    page_inode = fstat(file, &status) ? 0 : status.st_ino;
    in_places = has_places;
}

static bool has_file(void)
{
    struct stat status;
    return page_inode && !fstat(page_file, &status) && status.st_ino == page_inode;
}

static struct quire_heap_page *page_of_own(void)
{
    int file = put_high(memfd_create(QUIRE_HEAP_PAGE_NAME, MFD_CLOEXEC));
    if (file < 0)
        return NULL;
    (void)fchmod(file, 0600);
    struct quire_heap_page *made =
        ftruncate(file, sizeof *made) ? NULL : map_part(file, 0, sizeof *made);
    if (made)
        remember_file(file, false);
    else
        close_file(file);
    return made;
}

/* ---- a place of a file ----------------------------------------------------------------------- */

static bool is_as_expected(int file)
{
    struct stat status;
    const off_t end = QUIRE_HEAP_FIRST_PLACE + (off_t)QUIRE_HEAP_PLACES * QUIRE_HEAP_PLACE_BYTES;
    return !fstat(file, &status) && S_ISREG(status.st_mode) && status.st_size >= end;
}

/* The number of a free place, which it takes; QUIRE_HEAP_PLACES: there is none. */
static uint32_t take_place(struct quire_heap_places *places, uint32_t pid)
{
    uint32_t n = 0;
    if (places->magic != QUIRE_HEAP_PLACES_MAGIC || places->version != QUIRE_HEAP_PAGE_VERSION)
        return QUIRE_HEAP_PLACES;
    for (; n < QUIRE_HEAP_PLACES; n++) {
        uint32_t nobody = 0;
        if (!quire_load_relaxed(&places->owner[n]) &&
            quire_compare_exchange(&places->owner[n], &nobody, pid))
            break;
    }
    return n;
}

static struct quire_heap_page *page_in(int file, uint32_t pid)
{
    struct quire_heap_places *places =
        is_as_expected(file) ? map_part(file, 0, sizeof *places) : NULL;
    if (!places)
        return NULL;
    uint32_t n = take_place(places, pid);
    (void)munmap(places, sizeof *places);
    if (n == QUIRE_HEAP_PLACES)
        return NULL;
    return map_part(file, QUIRE_HEAP_FIRST_PLACE + (off_t)n * QUIRE_HEAP_PLACE_BYTES, sizeof *page);
}

/* A child may have no right to open what its parent did, whose descriptor it has. */
static struct quire_heap_page *page_in_places(uint32_t pid)
{
    bool has = in_places && has_file();
    int file = has ? page_file : put_high(open_file(places_path));
    struct quire_heap_page *made = file < 0 ? NULL : page_in(file, pid);
    if (made)
        remember_file(file, true);
    else if (file >= 0)
        close_file(file);
    return made;
}

/* NULL: there is none to be had, and none is tried again. */
static struct quire_heap_page *make_page(uint32_t pid, uint64_t now)
{
    struct quire_heap_page *made = *places_path ? page_in_places(pid) : NULL;
    if (!made)
        made = page_of_own();
    if (!made)
        return NULL;
    made->version = QUIRE_HEAP_PAGE_VERSION;
    made->bytes = sizeof *made;
    made->pid = pid;
    made->started_ns = now;
    made->page_size = QUIRE_PAGE_SIZE;
    made->parent = (uint32_t)getppid();
    (void)prctl(PR_GET_NAME, made->name);
    made->nr_classes = NR_CLASSES;
    return made;
}

static struct quire_heap_live *live_of(struct quire_heap_page *of)
{
    return (struct quire_heap_live *)(void *)of->taken_now;
}

static void leave_page(void)
{
    (void)munmap(page, sizeof *page);
    if (!in_places && has_file())
        close_file(page_file);
    page = NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void inherit(void)
{
    inherited.info = (struct quire_heap_info){0};
    heap_events_info(heap, &inherited.info);
    for (unsigned i = 0; i < QUIRE_HEAP_LARGE_SIZES; i++)
        (void)quire_heap_large_info(heap, i, &inherited.large[i]);
    for (unsigned class = 0; class < NR_CLASSES; class ++)
        for (unsigned kind = 0; kind < NR_CALL_KINDS; kind++)
            inherited.calls[kind][class] = call_counts(kind, class);
}

void share_restart(void)
{
    if (heap && options.shares) {
        quire_heap_set_live(heap, NULL); /* the page is the parent's */
        inherit();
    }
    lock.word = 0;
    written_ns = 0;
    period_ns = FIRST_PERIOD_NS;
}

static unsigned long calls_since_fork(enum call_kind kind, unsigned class)
{
    return call_counts(kind, class) - inherited.calls[kind][class];
}

static void write_class(struct quire_heap_page_class *to, unsigned number)
{
    struct quire_heap_class_info info = {0};
    if (number)
        (void)quire_heap_class_info(heap, number, &info);
    *to = (struct quire_heap_page_class){
        .size = info.size,
        .used = info.used,
        .cached = info.cached,
        .slots = info.slots,
        .pages = info.pages,
        .allocations = calls_since_fork(CALL_ALLOCATE, number),
        .frees = calls_since_fork(CALL_FREE, number),
        .resizes = calls_since_fork(CALL_RESIZE, number),
    };
}

static void write_large(struct quire_heap_page_large *to, unsigned number)
{
    struct quire_heap_large_info info = {0}, *before = &inherited.large[number];
    (void)quire_heap_large_info(heap, number, &info);
    *to = (struct quire_heap_page_large){
        .least = info.least,
        .maps = info.nr_maps - before->nr_maps,
        .unmaps = info.nr_unmaps - before->nr_unmaps,
        .reused = info.nr_reused - before->nr_reused,
        .mapped_pages = info.mapped_pages - before->mapped_pages,
        .unmapped_pages = info.unmapped_pages - before->unmapped_pages,
    };
}

/* The threads' stacks are runs, too, but no caller has them. */
static void take_stacks_out(unsigned long nr_caches)
{
    struct quire_heap_page_class *c = &page->class_of[NR_SMALL + pages_for(cache_slot_bytes(heap))];
    c->used -= nr_caches < c->used ? nr_caches : c->used;
    c->slots -= nr_caches < c->slots ? nr_caches : c->slots;
    uint64_t pages = nr_caches * pages_for(cache_slot_bytes(heap));
    c->pages -= pages < c->pages ? pages : c->pages;
}

static void write_classes(const struct quire_heap_info *info)
{
    for (unsigned class = 0; class < NR_CLASSES; class ++)
        write_class(&page->class_of[class], class);
    take_stacks_out(info->nr_caches);
    page->class_of[0].used = info->nr_large;
    page->class_of[0].slots = info->nr_large;
    page->class_of[0].pages = info->large >> QUIRE_PAGE_SHIFT;
    for (unsigned i = 0; i < QUIRE_HEAP_PAGE_LARGE; i++)
        write_large(&page->large_of[i], i);
}

static uint64_t ns_of(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_usec * 1000u;
}

static void write_usage(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage))
        return;
    page->minor_faults = (uint64_t)usage.ru_minflt;
    page->major_faults = (uint64_t)usage.ru_majflt;
    page->user_ns = ns_of(&usage.ru_utime);
    page->kernel_ns = ns_of(&usage.ru_stime);
    page->peak_resident = (uint64_t)usage.ru_maxrss << 10;
}

static void write_events(const struct quire_heap_info *info)
{
    const struct quire_heap_info *before = &inherited.info;
    page->nr_grown = info->nr_grown - before->nr_grown;
    page->nr_given_back = info->nr_given_back - before->nr_given_back;
    page->nr_maps = info->nr_maps - before->nr_maps;
    page->nr_unmaps = info->nr_unmaps - before->nr_unmaps;
    page->nr_reused = info->nr_reused - before->nr_reused;
    page->nr_fresh = info->nr_fresh - before->nr_fresh;
    page->nr_again = info->nr_again - before->nr_again;
    page->mapped_pages = info->mapped_pages - before->mapped_pages;
    page->unmapped_pages = info->unmapped_pages - before->unmapped_pages;
}

static void write_page(uint64_t now)
{
    struct quire_heap_info info;
    struct quire_heap_live *live = live_of(page);
    quire_store_relaxed(&page->sequence, page->sequence + 1);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (unsigned class = 0; class < NR_CLASSES; class ++) {
        page->taken_then[class] = quire_load_relaxed(&live->taken[class]);
        page->pages_then[class] = quire_load_relaxed(&live->pages[class]);
    }
    quire_heap_info(heap, &info);
    page->written_ns = now;
    page->used = info.used;
    page->cached = info.cached;
    page->slots = info.slots;
    page->dirty = info.dirty;
    page->metadata = info.metadata;
    page->committed = info.committed;
    page->large = info.large;
    page->kept = info.kept;
    page->peak_large = info.peak_large;
    page->mapped_ns = info.mapped_ns;
    page->largest_free = info.largest_free;
    page->free = info.free;
    page->free_resident = info.free_resident;
    page->nr_blocks = info.nr_blocks;
    page->nr_large = info.nr_large;
    page->nr_caches = info.nr_caches;
    page->counts_calls = (options.mode & MODE_CALLS) != 0;
    write_events(&info);
    write_usage();
    write_classes(&info);
    page->magic = QUIRE_HEAP_PAGE_MAGIC;
    quire_store_release(&page->sequence, page->sequence + 1);
}

/* Under the lock. */
static void write_own_page(uint64_t now)
{
    uint32_t pid = (uint32_t)getpid();
    if (!heap_is_own())
        return;
    quire_store_relaxed(&written_ns, now);
    if (page && page->pid != pid) /* the parent's */
        leave_page();
    if (!page && (page = make_page(pid, now)))
        quire_heap_set_live(heap, live_of(page));
    if (page)
        write_page(now);
    else
        options.shares = false;
}

void share_if_due(void)
{
    uint64_t now = quire_port_clock_ns();
    int saved = errno;
    if (now - quire_load_relaxed(&written_ns) < quire_load_relaxed(&period_ns) ||
        !quire_port_spin_trylock(&lock))
        return;
    quire_store_relaxed(&period_ns,
                        2 * period_ns < MOST_PERIOD_NS ? 2 * period_ns : MOST_PERIOD_NS);
    write_own_page(now);
    quire_port_spin_unlock(&lock);
    errno = saved;
}

void share_last(void)
{
    int saved = errno;
    if (!quire_port_spin_trylock(&lock))
        return;
    write_own_page(quire_port_clock_ns());
    quire_port_spin_unlock(&lock);
    errno = saved;
}
