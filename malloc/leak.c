/* malloc/leak.c: QUIRE_MALLOC=leak: what wasn't freed, by callers
 *
 * A table of the blocks that there are, by address: open addressing, at most half full, grown by
 * doubling in a mapping of its own. At exit its records are sorted by callers, and those that have
 * most are printed.
 *
 *   bound   96 bytes a block
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "malloc/leak.h"
#include "malloc/process.h"
#include "malloc/self.h"
#include "malloc/stack.h"

#define FIRST_RECORDS 4096u
#define MOST_PRINTED 20u

struct record {
    uintptr_t block; /* 0: free */
    size_t size;     /* that was asked for */
    struct stack stack;
};

static struct record *table;
static size_t nr_records, capacity; /* a power of two */
static bool is_over;                /* the report has the table */
static quire_port_spinlock_t lock;

static size_t place_of(uintptr_t block)
{
    return (size_t)((block >> 4) * 0x9e3779b97f4a7c15u >> 20) & (capacity - 1);
}

/* Where a block's record is, or would be. */
static struct record *find(uintptr_t block)
{
    size_t at = place_of(block);
    while (table[at].block && table[at].block != block)
        at = (at + 1) & (capacity - 1);
    return &table[at];
}

static bool grow(void)
{
    struct record *old = table;
    size_t had = capacity, wanted = had ? 2 * had : FIRST_RECORDS;
    void *made = mmap(NULL, wanted * sizeof *old, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED)
        return false;
    table = made;
    capacity = wanted;
    for (size_t i = 0; i < had; i++)
        if (old[i].block)
            *find(old[i].block) = old[i];
    if (old)
        (void)munmap(old, had * sizeof *old);
    return true;
}

void leak_add(const void *block, size_t size)
{
    struct record record = {.block = (uintptr_t)block, .size = size};
    stack_take(&record.stack);
    quire_port_spin_lock(&lock);
    if (!is_over && (2 * nr_records < capacity || grow())) {
        *find(record.block) = record;
        nr_records++;
    }
    quire_port_spin_unlock(&lock);
}

/* Those behind it move up, so that no search ends at the gap (Knuth 6.4, algorithm R). */
static void close_gap(size_t gap)
{
    for (size_t at = (gap + 1) & (capacity - 1); table[at].block; at = (at + 1) & (capacity - 1)) {
        size_t home = place_of(table[at].block);
        if (((at - home) & (capacity - 1)) < ((at - gap) & (capacity - 1)))
            continue;
        table[gap] = table[at];
        table[at].block = 0;
        gap = at;
    }
}

void leak_remove(const void *block)
{
    quire_port_spin_lock(&lock);
    struct record *record = capacity ? find((uintptr_t)block) : NULL;
    if (record && record->block) {
        record->block = 0;
        nr_records--;
        close_gap((size_t)(record - table));
    }
    quire_port_spin_unlock(&lock);
}

/* ---- the report ------------------------------------------------------------------------------ */

/* From now on the table is the report's alone: other threads may go on. */
static struct record *take_table(size_t *slots)
{
    *slots = 0;
    if (!heap_enter())
        return NULL;
    quire_port_spin_lock(&lock);
    struct record *taken = table;
    *slots = capacity;
    is_over = true;
    table = NULL;
    capacity = nr_records = 0;
    quire_port_spin_unlock(&lock);
    heap_leave();
    return taken;
}

static size_t gather(struct record *records, size_t slots)
{
    size_t count = 0;
    for (size_t i = 0; i < slots; i++)
        if (records[i].block)
            records[count++] = records[i];
    return count;
}

static void sift(struct record *records, size_t at, size_t count,
                 int (*compare)(const struct record *, const struct record *))
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare(&records[child], &records[child + 1]) < 0)
            child++;
        if (compare(&records[at], &records[child]) >= 0)
            return;
        struct record swap = records[at];
        records[at] = records[child];
        records[child] = swap;
    }
}

/* Heapsort, since qsort allocates. */
static void sort(struct record *records, size_t count,
                 int (*compare)(const struct record *, const struct record *))
{
    for (size_t i = count / 2; i-- > 0;)
        sift(records, i, count, compare);
    for (size_t left = count; left-- > 1;) {
        struct record swap = records[0];
        records[0] = records[left];
        records[left] = swap;
        sift(records, 0, left, compare);
    }
}

static int by_callers(const struct record *a, const struct record *b)
{
    return memcmp(&a->stack, &b->stack, sizeof a->stack);
}

static int by_size(const struct record *a, const struct record *b)
{
    return a->size > b->size ? -1 : a->size < b->size;
}

/* One record for those of the same callers: `size` is their bytes, `block` their number. */
static size_t add_up(struct record *records, size_t count)
{
    size_t sums = 0;
    for (size_t i = 0; i < count; i++) {
        if (i && !by_callers(&records[i], &records[sums - 1])) {
            records[sums - 1].size += records[i].size;
            records[sums - 1].block++;
            continue;
        }
        records[sums] = records[i];
        records[sums++].block = 1;
    }
    return sums;
}

void leak_report(void)
{
    size_t slots, bytes = 0;
    struct record *records = take_table(&slots);
    size_t count = gather(records, slots);
    for (size_t i = 0; i < count; i++)
        bytes += records[i].size;
    message("quire-malloc: leak: %zu bytes in %zu blocks weren't freed by process %ld (%s)", bytes,
            count, process_number(), process_name());
    sort(records, count, by_callers);
    size_t sums = add_up(records, count);
    sort(records, sums, by_size);
    for (size_t i = 0; i < sums && i < MOST_PRINTED; i++) {
        message("  %zu bytes in %lu blocks by", records[i].size, (unsigned long)records[i].block);
        stack_print(&records[i].stack);
    }
    if (sums > MOST_PRINTED)
        message("  and by %zu more callers", sums - MOST_PRINTED);
    if (records)
        (void)munmap(records, slots * sizeof *records);
}
