/* malloc/guard.c: QUIRE_MALLOC=guard: sampled blocks on pages of their own
 *
 *     ┌───────┬──────────────┬───────┬──────────────┬───────┐
 *     │ guard │ slot 0       │ guard │ slot 1       │ guard │ ...
 *     │       │        block │       │              │       │
 *     └───────┴──────────────┴───────┴──────────────┴───────┘
 *
 * A block ends where its page does, but for the bytes that its alignment needs, which are known and
 * looked at when it is freed. Guard pages, and slots of freed blocks, can't be touched: who does is
 * told by the signal's handler who allocated the block, and who freed it. The slot that was freed
 * first is used again first.
 *
 *   bound   SLOTS blocks at a time, of a page at most
 *   source  GWP-ASan (LLVM), Electric Fence
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "malloc/guard.h"
#include "malloc/self.h"
#include "malloc/stack.h"

#define SLOTS 512u
#define SLACK_BYTE 0xa5
#define DEFAULT_EVERY 1000u
#define REGION_BYTES ((2 * SLOTS + 1) * QUIRE_PAGE_SIZE)

struct slot {
    char *block; /* NULL: never used */
    size_t size;
    bool is_used;
    struct stack allocated, freed;
};

static char *region;
static struct slot *slots;
static uint16_t
    queue[SLOTS]; /* of slots that may be used, the one that was freed first at `head` */
static unsigned head, nr_queued;
static quire_port_spinlock_t lock; /* the queue */
static unsigned long every, calls;
static struct sigaction previous[2]; /* of SIGSEGV and SIGBUS */

static char *slot_page(unsigned number)
{
    return region + (2 * number + 1) * QUIRE_PAGE_SIZE;
}

bool guard_owns(const void *ptr)
{
    return region && (uintptr_t)ptr - (uintptr_t)region < REGION_BYTES;
}

/* The slot whose page an address is in, or beside. */
static struct slot *slot_of(const void *ptr)
{
    size_t page = (size_t)((const char *)ptr - region) >> QUIRE_PAGE_SHIFT;
    bool is_slot = page & 1;
    size_t number = page / 2;
    if (!is_slot && number && slots[number - 1].is_used)
        number--; /* behind a block is likelier than before one */
    return &slots[number < SLOTS ? number : SLOTS - 1];
}

/* ---- what went wrong ------------------------------------------------------------------------- */

static void report(const struct slot *slot, const void *at, const char *what)
{
    if (!slot->block) { /* and has no callers */
        message("quire-malloc: guard: %p: %s", at, what);
        return;
    }
    message("quire-malloc: guard: %p: %s: block %p of %zu bytes", at, what, (void *)slot->block,
            slot->size);
    message("  allocated by");
    stack_print(&slot->allocated);
    if (slot->is_used)
        return;
    message("  freed by");
    stack_print(&slot->freed);
}

static void report_touch(const void *at)
{
    struct stack now;
    const struct slot *slot = slot_of(at);
    const char *block = slot->block;
    const char *what = !block           ? "touched beside all guarded blocks"
                       : !slot->is_used ? "use after free"
                       : (const char *)at >= block + slot->size ? "overflow"
                                                                : "underflow";
    report(slot, at, what);
    message("  touched by");
    stack_take(&now);
    stack_print(&now);
}

/* What was there before gets the signal afterwards, when the instruction runs again. */
static void touched(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (guard_owns(info->si_addr))
        report_touch(info->si_addr);
    (void)sigaction(number, &previous[number == SIGBUS], NULL);
}

/* ---- allocating and freeing ------------------------------------------------------------------ */

static bool is_sampled(size_t size, size_t align)
{
    return region && size <= QUIRE_PAGE_SIZE && align <= QUIRE_PAGE_SIZE &&
           quire_fetch_add(&calls, 1) % every == every - 1;
}

static int take_slot(void)
{
    int number = -1;
    quire_port_spin_lock(&lock);
    if (nr_queued) {
        number = queue[head];
        head = (head + 1) % SLOTS;
        nr_queued--;
    }
    quire_port_spin_unlock(&lock);
    return number;
}

static void put_slot(unsigned number)
{
    quire_port_spin_lock(&lock);
    queue[(head + nr_queued++) % SLOTS] = (uint16_t)number;
    quire_port_spin_unlock(&lock);
}

void *guard_allocate(size_t size, size_t align)
{
    if (!is_sampled(size, align))
        return NULL;
    int number = take_slot();
    if (number < 0)
        return NULL;
    char *page = slot_page((unsigned)number);
    struct slot *slot = &slots[number];
    align = align < MIN_ALIGN ? MIN_ALIGN : align;
    size = size ? size : 1; /* 0 is that of what is no block */
    if (mprotect(page, QUIRE_PAGE_SIZE, PROT_READ | PROT_WRITE)) {
        put_slot((unsigned)number);
        return NULL;
    }
    slot->size = size;
    slot->block = page + quire_align_down(QUIRE_PAGE_SIZE - size, align);
    stack_take(&slot->allocated);
    slot->is_used = true;
    memset(slot->block + size, SLACK_BYTE, (size_t)(page + QUIRE_PAGE_SIZE - slot->block) - size);
    return slot->block;
}

static bool slack_is_whole(const struct slot *slot)
{
    const char *end = (const char *)quire_align_up((uintptr_t)slot->block + 1, QUIRE_PAGE_SIZE);
    for (const char *at = slot->block + slot->size; at < end; at++)
        if ((unsigned char)*at != SLACK_BYTE)
            return false;
    return true;
}

void guard_check_free(void *ptr)
{
    const struct slot *slot = slot_of(ptr);
    const char *wrong = !slot->block                 ? "free of what is no block"
                        : !slot->is_used             ? "double free"
                        : slot->block != (char *)ptr ? "free of a pointer into a block"
                        : !slack_is_whole(slot)      ? "overflow, found when it was freed"
                                                     : NULL;
    if (wrong) {
        report(slot, ptr, wrong);
        abort();
    }
}

void guard_mend(void *ptr, size_t bytes)
{
    const struct slot *slot = slot_of(ptr);
    if (slot->size < bytes)
        memset(slot->block + slot->size, SLACK_BYTE, bytes - slot->size);
}

void guard_release(void *ptr)
{
    struct slot *slot = slot_of(ptr);
    unsigned number = (unsigned)(slot - slots);
    guard_check_free(ptr);
    stack_take(&slot->freed);
    slot->is_used = false;
    (void)madvise(slot_page(number), QUIRE_PAGE_SIZE, MADV_DONTNEED);
    (void)mprotect(slot_page(number), QUIRE_PAGE_SIZE, PROT_NONE);
    put_slot(number);
}

size_t guard_size(const void *ptr)
{
    const struct slot *slot = slot_of(ptr);
    return slot->is_used && slot->block == ptr ? slot->size : 0;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static void *map(size_t size, int protection)
{
    void *at = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

bool guard_start(unsigned long one_of)
{
    struct sigaction action = {.sa_sigaction = touched, .sa_flags = SA_SIGINFO};
    slots = map(SLOTS * sizeof *slots, PROT_READ | PROT_WRITE);
    char *made = slots ? map(REGION_BYTES, PROT_NONE) : NULL;
    if (!made)
        return false;
    for (unsigned i = 0; i < SLOTS; i++)
        queue[i] = (uint16_t)i;
    nr_queued = SLOTS;
    every = one_of ? one_of : DEFAULT_EVERY;
    (void)sigaction(SIGSEGV, &action, &previous[0]);
    (void)sigaction(SIGBUS, &action, &previous[1]);
    region = made;
    return true;
}
