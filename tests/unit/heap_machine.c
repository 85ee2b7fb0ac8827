/* tests/unit/heap_machine.c: a heap for a test case */
#include "tests/unit/heap_machine.h"

#define SECTION_BYTES (1ul << QUIRE_SECTION_SHIFT)
#define NR_SECTIONS 4u
#define LARGE_PAGES 16384u

struct heap_machine heap_machine;
bool heap_fences;
struct quire_heap_cache heap_cache;
static quire_port_spinlock_t lock;
static size_t range_bytes;
static uint8_t taken[LARGE_PAGES]; /* pages behind the range */

static bool is_to_fail(void)
{
    unsigned long call = __atomic_add_fetch(&heap_machine.nr_calls, 1, __ATOMIC_RELAXED);
    if (heap_machine.on_call)
        heap_machine.on_call();
    if (!heap_machine.fail_at)
        return false;
    return call == heap_machine.fail_at || (heap_machine.fail_all && call > heap_machine.fail_at);
}

static int commit(void *arg, void *at, size_t size)
{
    CHECK_EQ((uintptr_t)arg, 7);
    CHECK(!(((uintptr_t)at | size) & (QUIRE_PAGE_SIZE - 1)));
    return is_to_fail() ? -QUIRE_ENOMEM : 0;
}

static char *area(void)
{
    return heap_machine.port.base + range_bytes;
}

static bool is_free(size_t first, size_t pages)
{
    for (size_t i = first; i < first + pages; i++)
        if (i >= LARGE_PAGES || taken[i])
            return false;
    return true;
}

static void take(size_t first, size_t pages, uint8_t value)
{
    for (size_t i = first; i < first + pages; i++) {
        CHECK(i < LARGE_PAGES && taken[i] != value);
        taken[i] = value;
    }
}

static void *map(void *arg, size_t size, size_t align)
{
    void *at = NULL;
    size_t pages = size >> QUIRE_PAGE_SHIFT;
    CHECK_EQ((uintptr_t)arg, 7);
    if (is_to_fail() || pages > LARGE_PAGES)
        return NULL;
    quire_port_spin_lock(&lock);
    for (size_t first = 0; first < LARGE_PAGES && !at; first++)
        if (!((uintptr_t)(area() + (first << QUIRE_PAGE_SHIFT)) & (align - 1)) &&
            is_free(first, pages)) {
            take(first, pages, 1);
            at = area() + (first << QUIRE_PAGE_SHIFT);
            heap_machine.maps++;
        }
    quire_port_spin_unlock(&lock);
    return at ? __builtin_memset(at, 0, size) : NULL;
}

static size_t page_of(const void *at)
{
    return (size_t)((const char *)at - area()) >> QUIRE_PAGE_SHIFT;
}

/* Half of everything, so that who asks is known. */
static size_t resident(void *arg, void *at, size_t size)
{
    CHECK_EQ((uintptr_t)arg, 7);
    CHECK(at);
    if (heap_machine.on_question)
        heap_machine.on_question();
    return size / 2;
}

static void unmap(void *arg, void *at, size_t size)
{
    CHECK_EQ((uintptr_t)arg, 7);
    quire_port_spin_lock(&lock);
    take(page_of(at), size >> QUIRE_PAGE_SHIFT, 0);
    heap_machine.unmaps++;
    quire_port_spin_unlock(&lock);
}

/* In place, or not at all. */
static void *remap(void *arg, void *at, size_t old_size, size_t new_size, bool may_move)
{
    size_t first = page_of(at), had = old_size >> QUIRE_PAGE_SHIFT;
    size_t wants = new_size >> QUIRE_PAGE_SHIFT;
    bool done = true;
    CHECK_EQ((uintptr_t)arg, 7);
    (void)may_move;
    if (is_to_fail())
        return NULL;
    quire_port_spin_lock(&lock);
    if (wants < had)
        take(first + wants, had - wants, 0);
    else if ((done = is_free(first + had, wants - had)))
        take(first + had, wants - had, 1);
    heap_machine.remaps += done;
    quire_port_spin_unlock(&lock);
    if (done && wants > had)
        __builtin_memset((char *)at + old_size, 0, new_size - old_size);
    return done ? at : NULL;
}

static void mistake(void *arg, const void *ptr, const char *text)
{
    size_t i = 0;
    CHECK_EQ((uintptr_t)arg, 7);
    (void)ptr;
    for (; i + 1 < sizeof heap_machine.text && text[i]; i++)
        heap_machine.text[i] = text[i];
    heap_machine.text[i] = '\0';
    heap_machine.mistakes++;
}

static int fence(void *arg)
{
    CHECK_EQ((uintptr_t)arg, 7);
    CHECK(__atomic_load_n(&heap_machine.held, __ATOMIC_RELAXED) > 0);
    heap_machine.fences++; /* with the lock of who reaps */
    if (heap_machine.on_fence)
        heap_machine.on_fence();
    if (is_to_fail())
        return -QUIRE_ENOMEM;
    quire_port_fence_heavy();
    return 0;
}

static void hold_signals(void *arg, bool hold)
{
    CHECK_EQ((uintptr_t)arg, 7);
    (void)__atomic_fetch_add(&heap_machine.held, hold ? 1u : ~0u, __ATOMIC_RELAXED);
}

static void no_log(int level, const char *text)
{
    (void)level;
    (void)text;
}

bool heap_prepare(void)
{
    return heap_prepare_sections(NR_SECTIONS);
}

bool heap_prepare_sections(unsigned count)
{
    range_bytes = count * SECTION_BYTES;
    heap_machine = (struct heap_machine){0};
    for (size_t i = 0; i < LARGE_PAGES; i++)
        taken[i] = 0;
    if (!test_environment.memory(range_bytes + (LARGE_PAGES << QUIRE_PAGE_SHIFT),
                                 &heap_machine.port)) {
        test_skip("no range for a heap");
        return false;
    }
    if (test_environment.set_log)
        test_environment.set_log(no_log);
    return true;
}

int heap_start(const struct quire_heap_config *config)
{
    struct quire_heap_ops ops = {commit, map, unmap, remap, mistake, resident, NULL, hold_signals};
    if (heap_fences)
        ops.fence = fence;
    struct quire_heap_config complete = config ? *config : (struct quire_heap_config){0};
    complete.port = &heap_machine.port;
    complete.size = range_bytes;
    complete.ops = &ops;
    complete.ops_arg = (void *)7;
    quire_heap_cache_init(&heap_cache);
    int error = quire_heap_create(&heap_machine.heap, &complete);
    return error ? error : quire_heap_cache_attach(heap_machine.heap, &heap_cache);
}

bool heap_boot_with(const struct quire_heap_config *config)
{
    if (!heap_prepare())
        return false;
    int error = heap_start(config);
    CHECK_EQ(error, 0);
    return !error;
}

bool heap_boot(void)
{
    return heap_boot_with(NULL);
}

struct quire_heap_info heap_info(void)
{
    struct quire_heap_info info;
    quire_heap_info(heap_machine.heap, &info);
    return info;
}

static bool contains(const char *text, const char *what)
{
    for (; *text; text++) {
        size_t i = 0;
        while (what[i] && text[i] == what[i])
            i++;
        if (!what[i])
            return true;
    }
    return false;
}

bool heap_caught(const char *what)
{
    bool caught = heap_machine.mistakes == 1 && contains(heap_machine.text, what);
    if (!caught)
        test_note("%u mistakes, the last: %s", heap_machine.mistakes, heap_machine.text);
    heap_machine.mistakes = 0;
    return caught;
}

void heap_end(void)
{
    heap_machine.fail_at = 0;
    CHECK_EQ(heap_machine.mistakes, 0);
    CHECK_EQ(heap_machine.held, 0);
    quire_heap_check(heap_machine.heap);
    quire_heap_cache_detach(&heap_cache);
    struct quire_heap_info info = heap_info();
    CHECK_EQ(info.used, 0);
    CHECK_EQ(info.nr_blocks, 0);
    CHECK_EQ(info.large, 0);
    (void)quire_heap_trim(heap_machine.heap, NULL);
    quire_heap_check(heap_machine.heap);
    CHECK_EQ(heap_info().kept, 0);
    CHECK_EQ(heap_info().dirty, 0);
    quire_heap_destroy(heap_machine.heap);
    CHECK(is_free(0, LARGE_PAGES));
    CHECK_EQ(heap_machine.mistakes, 0);
    if (test_environment.set_log)
        test_environment.set_log(NULL);
}

void heap_warm_up(size_t size)
{
    enum { COUNT = 200 };
    static void *block[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        CHECK((block[i] = quire_heap_alloc(&heap_cache, size)));
    for (unsigned i = 0; i < COUNT; i++)
        quire_heap_free(&heap_cache, block[i]);
}

/* ---- content --------------------------------------------------------------------------------- */

#define LOOK_BYTES 256u /* at the beginning and the end of a block, and a byte in each so many */

static unsigned char pattern_at(size_t i, unsigned seed)
{
    return (unsigned char)(seed * 37 + i * 11 + (i >> 8));
}

static size_t next_look(size_t i, size_t size)
{
    return i + 1 < LOOK_BYTES || i + LOOK_BYTES >= size ? i + 1 : i + LOOK_BYTES - 1;
}

void pattern_write(void *block, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i = next_look(i, size))
        ((unsigned char *)block)[i] = pattern_at(i, seed);
}

bool pattern_is(const void *block, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i = next_look(i, size))
        if (((const unsigned char *)block)[i] != pattern_at(i, seed))
            return false;
    return true;
}
