/* heap/margin.c: what lies behind the first blocks of each class
 *
 * A block of a class that is seldom freed yet (cache.c) ends where glibc's would end, and has a
 * pattern from there to the end of its class, which is looked at when the block is freed or resized
 * and at the end: so who writes beyond it is told, at no cost for those who do much with the heap.
 * Where the class leaves no room for that the block is of a larger one, if that is as seldom freed.
 * The pattern of the block before tells of who writes before his own.
 *
 * Blocks end where glibc's do, not where their sizes do, since programs that write a few bytes too
 * many there without any harm are not to be ended here. Who asks for a block's usable size may use
 * all of it from then on, and gets the same answer each time.
 *
 *   slots      by address, MARGIN_WAYS of them for each. Without locks: who has the block is the
 *              only one that looks for it, and the only one that frees its slot, but for forget,
 * for who looks at all of them, and for others that ask for its usable size
 *
 *   invariant  a slot has a block in use of a class that isn't warm, whose margin was written
 *              before; but for those that are about to be freed by whoever made their class warm,
 *              or put a block there just then. Of a slot of a warm class nothing else is true: its
 *              block may have been freed, and be one of another class
 *
 *   mistakes   are only told by who read the margin first, then emptied its slot, and then saw that
 *              the class isn't warm: else the block may have been freed when the margin was read,
 * or another may have asked how much of it may be used, and used it
 *
 *   bound      MOST_OF_CLASS blocks of each class, MARGIN_SETS * MARGIN_WAYS of all; BYTES of each
 *              margin
 */
#include "heap/cache.h"

#define WORD sizeof(size_t)
#define MOST_OF_CLASS 64u
#define MOST_OF_RUNS 8u     /* whose last pages are touched for their margins */
#define LARGEST_MOVED 4096u /* what is larger has a margin if its class leaves one */
#define BYTES 64u
#define PATTERN 0xb7u
#define PATTERNS (SIZE_MAX / UINT8_MAX * PATTERN) /* a word of it */
#define BEYOND_ITS_END "written beyond its end"
#define BUSY ((void *)1)

/* Where the usable bytes of a block end in glibc. */
static size_t end_of(size_t size)
{
    size_t end = ((size + WORD + MIN_ALIGN - 1) & ~(size_t)(MIN_ALIGN - 1)) - WORD;
    return end < 3 * WORD ? 3 * WORD : end;
}

static bool leaves_margin(size_t class, size_t size)
{
    return end_of(size) + WORD <= class_size(class);
}

static size_t margin_bytes(size_t class, size_t end)
{
    size_t bytes = class_size(class) - end;
    return bytes < BYTES ? bytes : BYTES;
}

static size_t size_of(const struct margin *slot)
{
    return quire_load_relaxed(&slot->size_and_class) >> 8;
}

static size_t class_of(const struct margin *slot)
{
    return quire_load_relaxed(&slot->size_and_class) & 0xff;
}

static bool has_place(const struct quire_heap *heap, size_t class)
{
    return !class_is_warm(heap, class) && quire_load_relaxed(&heap->margins.count[class]) <
                                              (class_is_run(class) ? MOST_OF_RUNS : MOST_OF_CLASS);
}

static struct margin *set_of(struct quire_heap *heap, const void *block)
{
    uint32_t hash = (uint32_t)((uintptr_t)block / MIN_ALIGN) * 0x9e3779b1u;
    return heap->margins.slot[(hash >> 16) % MARGIN_SETS];
}

/* NULL: it has no margin, or is no block. */
static struct margin *find(struct quire_heap *heap, size_t class, const void *block)
{
    if (!quire_load_acquire(&heap->margins.count[class]))
        return NULL;
    struct margin *set = set_of(heap, block);
    for (unsigned i = 0; i < MARGIN_WAYS; i++)
        if (quire_load_acquire(&set[i].block) == block && class_of(&set[i]) == class)
            return &set[i];
    return NULL;
}

/* False: somebody else has. Who finds out by the count may write into the margin, too. */
static bool empty_slot(struct quire_heap *heap, struct margin *slot, void *block, size_t class)
{
    if (!quire_compare_exchange(&slot->block, &block, NULL))
        return false;
    (void)__atomic_fetch_sub(&heap->margins.count[class], 1, __ATOMIC_RELEASE);
    return true;
}

/* It begins at a word, and is whole words. Others may have been told meanwhile that they may write
 * there: then what was read doesn't count, and ThreadSanitizer needn't know of it. */
__attribute__((no_sanitize("thread"))) static bool is_whole(const void *block, size_t class,
                                                            size_t size)
{
    const volatile size_t *margin = (const size_t *)((const char *)block + end_of(size));
    size_t wrong = 0, words = margin_bytes(class, end_of(size)) / WORD;
    for (size_t i = 0; i < words; i++)
        wrong |= margin[i] ^ PATTERNS;
    return !wrong;
}

static void write_margin(void *block, size_t class, size_t size)
{
    __builtin_memset((char *)block + end_of(size), PATTERN, margin_bytes(class, end_of(size)));
}

/* ---- while a block lives --------------------------------------------------------------------- */

size_t margin_class(const struct quire_heap *heap, size_t class, size_t size)
{
    if (class_is_run(class) || size > LARGEST_MOVED || leaves_margin(class, size))
        return class;
    size_t larger = small_class(end_of(size) + WORD);
    return has_place(heap, larger) ? larger : class;
}

bool margin_add(struct quire_heap *heap, size_t class, void *block, size_t size)
{
    if (!leaves_margin(class, size) || !has_place(heap, class))
        return false;
    struct margin *slot = set_of(heap, block), *end = slot + MARGIN_WAYS;
    void *none;
    do {
        none = NULL;
    } while (!quire_compare_exchange(&slot->block, &none, BUSY) && ++slot < end);
    if (slot == end)
        return false;
    (void)quire_fetch_add(&heap->margins.count[class], 1);
    write_margin(block, class, size);
    quire_store_relaxed(&slot->size_and_class, (uint32_t)(size << 8 | class));
    (void)quire_fetch_add(&slot->stamp, 1);
    /* Either this sees that the class is warm, or who made it so sees the slot. */
    __atomic_store_n(&slot->block, block, __ATOMIC_SEQ_CST);
    if (quire_likely(__atomic_load_n(&heap->heat[class], __ATOMIC_SEQ_CST) < WARM))
        return true;
    (void)empty_slot(heap, slot, block, class);
    return false;
}

size_t margin_end(struct quire_heap *heap, size_t class, void *block)
{
    struct margin *slot = find(heap, class, block);
    size_t size = slot ? size_of(slot) : 0;
    bool was_whole = !slot || is_whole(block, class, size);
    if (!slot || !empty_slot(heap, slot, block, class))
        return class;
    if (!was_whole && !class_is_warm(heap, class))
        heap_mistake(heap, block, BEYOND_ITS_END);
    return class_is_run(class) || leaves_margin(small_class(size), size) ? class
                                                                         : small_class(size);
}

/* The block stays, and nothing says any more that its size is of another class. */
static void end_and_keep(struct quire_heap *heap, size_t class, void *block)
{
    if (margin_end(heap, class, block) != class)
        quire_store_relaxed(&heap->margins.is_loose[class], true);
}

void margin_resize(struct quire_heap *heap, size_t class, void *block, size_t size)
{
    if (quire_likely(class_is_warm(heap, class)) || !find(heap, class, block))
        return;
    end_and_keep(heap, class, block);
    (void)margin_add(heap, class, block, size);
}

size_t margin_usable(struct quire_heap *heap, size_t class, const void *block)
{
    if (!class_is_warm(heap, class))
        end_and_keep(heap, class, (void *)(uintptr_t)block);
    return class_size(class);
}

bool margin_explains(struct quire_heap *heap, size_t class, const void *block, size_t size)
{
    if (size > LARGEST_MOVED || small_class(end_of(size) + WORD) != class)
        return false;
    struct margin *slot = find(heap, class, block);
    return slot ? size_of(slot) == size : quire_load_relaxed(&heap->margins.is_loose[class]);
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* The class is warm from now on: its blocks are freed without a look at their slots. */
static void forget(struct quire_heap *heap, size_t class)
{
    struct margin *slot = heap->margins.slot[0], *end = slot + MARGIN_SETS * MARGIN_WAYS;
    for (; slot < end; slot++) {
        void *block = __atomic_load_n(&slot->block, __ATOMIC_SEQ_CST);
        if (!block || block == BUSY || class_of(slot) != class)
            continue;
        if (!class_is_run(class) && !leaves_margin(small_class(size_of(slot)), size_of(slot)))
            quire_store_relaxed(&heap->margins.is_loose[class], true);
        (void)empty_slot(heap, slot, block, class);
    }
}

static void add_heat(struct quire_heap *heap, size_t class, uint32_t heat)
{
    if (class_is_warm(heap, class))
        return;
    uint32_t had = __atomic_fetch_add(&heap->heat[class], heat, __ATOMIC_SEQ_CST);
    if (had < WARM && had + heat >= WARM)
        forget(heap, class);
}

/* Runs are taken one by one also when they are warm. */
void margin_count_take(struct quire_heap *heap, size_t class)
{
    if (!class_is_run(class))
        add_heat(heap, class, HEAT_OF_TAKE);
}

void margin_count_free(struct quire_heap *heap, size_t class, void *block)
{
    size_t asked = margin_end(heap, class, block);
    add_heat(heap, class, HEAT_OF_FREE);
    if (asked != class)
        add_heat(heap, asked, HEAT_OF_FREE);
}

/* Others may free the block meanwhile: then what was read isn't its margin, and its slot is empty,
 * or of another block, or its class is warm. */
static void check(struct quire_heap *heap, struct margin *slot)
{
    void *block = quire_load_acquire(&slot->block);
    uint32_t stamp = quire_load_acquire(&slot->stamp);
    uint32_t size_and_class = quire_load_acquire(&slot->size_and_class);
    size_t class = size_and_class & 0xff;
    /* Of this block: else what is read may lie behind the last one. */
    if (!block || block == BUSY || quire_load_acquire(&slot->block) != block ||
        quire_load_acquire(&slot->stamp) != stamp)
        return;
    if (class_is_warm(heap, class) || is_whole(block, class, size_and_class >> 8))
        return;
    if (__atomic_fetch_add(&slot->stamp, 0, __ATOMIC_ACQ_REL) == stamp &&
        !class_is_warm(heap, class) && empty_slot(heap, slot, block, class))
        heap_mistake(heap, block, BEYOND_ITS_END);
}

void margin_look_at_all(struct quire_heap *heap)
{
    for (size_t i = 0; i < MARGIN_SETS; i++)
        for (size_t way = 0; way < MARGIN_WAYS; way++)
            check(heap, &heap->margins.slot[i][way]);
}

void margin_check(struct quire_heap *heap)
{
    uint32_t count[NR_CLASSES] = {0};
    const struct margin *slot = heap->margins.slot[0];
    for (size_t i = 0; i < (size_t)MARGIN_SETS * MARGIN_WAYS; i++) {
        if (!slot[i].block)
            continue;
        size_t class = class_of(&slot[i]);
        QUIRE_BUG_ON(class_of_address(heap->base, heap->size, slot[i].block) != class);
        QUIRE_BUG_ON(!leaves_margin(class, size_of(&slot[i])) || class_is_warm(heap, class));
        QUIRE_BUG_ON(find(heap, class, slot[i].block) != &slot[i]);
        count[class]++;
    }
    for (size_t class = 0; class < NR_CLASSES; class ++)
        QUIRE_BUG_ON(count[class] != heap->margins.count[class]);
}
