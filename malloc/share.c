/* malloc/share.c: QUIRE_MALLOC=share: counts in a file that other processes may read
 *
 * See quire/heap_page.h. The page is written by whoever comes by a slow path, when it is older than
 * the period; so it stays as it is while the program doesn't use the heap. Its descriptor is a high
 * one, out of the way of programs that expect the first free numbers.
 *
 *   invariant   a process writes only into the file that it made: a child makes its own
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <quire/heap_page.h>

#include "malloc/calls.h"
#include "malloc/options.h"

#define FIRST_PERIOD_NS 1000000u /* doubled each time: of short programs most is seen */
#define MOST_PERIOD_NS 250000000u
#define HIGH_DESCRIPTOR 500

static struct quire_heap_page *page;
static quire_port_spinlock_t lock;
static uint64_t written_ns, period_ns = FIRST_PERIOD_NS;
static int page_file;
static ino_t page_inode; /* the program may have closed its descriptors, and use the number */

static int high_file(void)
{
    int file = memfd_create(QUIRE_HEAP_PAGE_NAME, MFD_CLOEXEC);
    int high = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
    if (high < 0)
        return file;
    (void)close(file);
    return high;
}

/* NULL: there is no file to be had, and none is tried again. */
static struct quire_heap_page *make_page(uint32_t pid)
{
    int file = high_file();
    if (file < 0)
        return NULL;
    (void)fchmod(file, 0600);
    void *made = ftruncate(file, sizeof *page)
                     ? MAP_FAILED
                     : mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (made == MAP_FAILED) {
        (void)close(file);
        return NULL;
    }
    struct stat status;
    page_file = file;
    page_inode = fstat(file, &status) ? 0 : status.st_ino;
    struct quire_heap_page *is = made;
    is->version = QUIRE_HEAP_PAGE_VERSION;
    is->bytes = sizeof *page;
    is->pid = pid;
    is->nr_classes = NR_CLASSES;
    return is;
}

static void leave_page(void)
{
    struct stat status;
    (void)munmap(page, sizeof *page);
    if (page_inode && !fstat(page_file, &status) && status.st_ino == page_inode)
        (void)close(page_file);
    page = NULL;
}

void share_restart(void)
{
    lock.word = 0;
    written_ns = 0;
    period_ns = FIRST_PERIOD_NS;
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
        .allocations = call_counts(CALL_ALLOCATE, number),
        .frees = call_counts(CALL_FREE, number),
        .resizes = call_counts(CALL_RESIZE, number),
    };
}

static void write_page(uint64_t now)
{
    struct quire_heap_info info;
    quire_heap_info(heap, &info);
    quire_store_relaxed(&page->sequence, page->sequence + 1);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    page->written_ns = now;
    page->used = info.used;
    page->cached = info.cached;
    page->slots = info.slots;
    page->dirty = info.dirty;
    page->metadata = info.metadata;
    page->committed = info.committed;
    page->large = info.large;
    page->kept = info.kept;
    page->largest_free = info.largest_free;
    page->free = info.free;
    page->free_resident = info.free_resident;
    page->nr_blocks = info.nr_blocks;
    page->nr_large = info.nr_large;
    page->nr_caches = info.nr_caches;
    page->nr_grown = info.nr_grown;
    page->nr_given_back = info.nr_given_back;
    page->nr_maps = info.nr_maps;
    page->nr_unmaps = info.nr_unmaps;
    page->nr_reused = info.nr_reused;
    page->counts_calls = (options.mode & MODE_CALLS) != 0;
    for (unsigned class = 0; class < NR_CLASSES; class ++)
        write_class(&page->class_of[class], class);
    page->class_of[0].used = info.nr_large;
    page->class_of[0].slots = info.nr_large;
    page->class_of[0].pages = info.large >> QUIRE_PAGE_SHIFT;
    page->magic = QUIRE_HEAP_PAGE_MAGIC;
    quire_store_release(&page->sequence, page->sequence + 1);
}

void share_if_due(void)
{
    uint64_t now = quire_port_clock_ns();
    int saved = errno;
    if (now - quire_load_relaxed(&written_ns) < quire_load_relaxed(&period_ns) ||
        !quire_port_spin_trylock(&lock))
        return;
    quire_store_relaxed(&written_ns, now);
    quire_store_relaxed(&period_ns,
                        2 * period_ns < MOST_PERIOD_NS ? 2 * period_ns : MOST_PERIOD_NS);
    uint32_t pid = (uint32_t)getpid();
    if (page && page->pid != pid) /* the parent's */
        leave_page();
    if (!page)
        page = make_page(pid);
    if (page)
        write_page(now);
    else
        options.shares = false;
    quire_port_spin_unlock(&lock);
    errno = saved;
}
