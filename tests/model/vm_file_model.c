/* tests/model/vm_file_model.c: random operations on a file and on shared memory against arrays of
 * bytes
 *
 * Both are read and written by calls and through areas, cut off, grown, punched, written to the
 * store, dropped and reclaimed, while a private area keeps copies of some of the file's pages. All
 * that is read is compared, and after each whole sync what the store holds. Stores fail now and
 * then; what couldn't be done then is done again.
 *
 * Bytes of the last page behind the end are nobody's: they are written to, never looked at, and
 * have to be zero when the file has grown.
 */
#include "tests/unit/vm_machine.h"

#define MOST_PAGES 24u
#define MOST (MOST_PAGES * QUIRE_PAGE_SIZE)
#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

static struct object {
    struct quire_mapping *mapping;
    uint64_t size;
    quire_linear_t shared; /* where it is mapped */
    char bytes[MOST];
} objects[2]; /* a file, shared memory */

/* The file's private area. */
static struct {
    quire_linear_t at;
    bool own[MOST_PAGES];
    size_t valid[MOST_PAGES]; /* of a page of its own: bytes that are known */
    char bytes[MOST];
} copies;

static struct quire_mm *mm;
static char buffer[MOST];

static uint64_t random_at(const struct object *o)
{
    return o->size ? test_random_below((uint32_t)o->size) : 0;
}

static struct object *random_object(void)
{
    return &objects[test_random_below(2)];
}

static bool is_file(const struct object *o)
{
    return o == &objects[0];
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void op_read(struct object *o)
{
    uint64_t at = test_random_below(MOST);
    size_t size = test_random_below(3 * QUIRE_PAGE_SIZE);
    size_t left = at < o->size ? (size_t)(o->size - at) : 0;
    size_t expected = size < left ? size : left;
    CHECK_EQ(quire_mapping_read(o->mapping, at, buffer, size), expected);
    CHECK(!__builtin_memcmp(buffer, o->bytes + at, expected));
}

static void op_write(struct object *o)
{
    uint64_t at = test_random_below(8) ? random_at(o) : test_random_below(MOST);
    size_t size =
        test_random_below(4) ? test_random_below(100) : test_random_below(3 * QUIRE_PAGE_SIZE);
    if (size > MOST - at)
        size = (size_t)(MOST - at);
    char value = (char)test_random();
    for (size_t i = 0; i < size; i++)
        buffer[i] = (char)(value + (char)i);
    CHECK_EQ(quire_mapping_write(o->mapping, at, buffer, size), size);
    __builtin_memcpy(o->bytes + at, buffer, size);
    if (size && at + size > o->size)
        o->size = at + size;
    CHECK_EQ(quire_mapping_size(o->mapping), o->size);
}

static void op_truncate(struct object *o)
{
    uint64_t size = test_random_below(3) ? MOST - test_random_below(2 * QUIRE_PAGE_SIZE)
                                         : test_random_below(MOST + 1);
    if (test_random_below(4) == 0)
        size &= ~(QUIRE_PAGE_SIZE - 1);
    CHECK_EQ(quire_mapping_truncate(o->mapping, size), 0);
    o->size = size;
    __builtin_memset(o->bytes + size, 0, (size_t)(MOST - size));
    if (!is_file(o))
        return;
    __builtin_memset(file_store.bytes + size, 0, (size_t)(MOST - size));
    for (uint64_t page = 0; page < MOST_PAGES; page++)
        if (page * PAGE >= size)
            copies.own[page] = false;
}

static void op_punch(struct object *o)
{
    uint64_t at = test_random_below(MOST);
    uint64_t size = 1 + test_random_below((uint32_t)(test_random_below(4) ? 3 * PAGE : MOST - at));
    if (size > MOST - at)
        size = MOST - at;
    __builtin_memset(o->bytes + at, 0, (size_t)size);
    if (is_file(o))
        __builtin_memset(file_store.bytes + at, 0, (size_t)size);
    CHECK_EQ(quire_mapping_punch(o->mapping, at, size), 0);
}

/* ---- areas ----------------------------------------------------------------------------------- */

static uint64_t random_word(const struct object *o)
{
    return random_at(o) & ~(uint64_t)7;
}

static void op_poke(struct object *o)
{
    uint64_t at = random_word(o), value = test_random();
    if (at + 8 > o->size)
        return;
    CHECK(poke(o->shared + at, value));
    __builtin_memcpy(o->bytes + at, &value, 8);
}

static void op_peek(struct object *o)
{
    uint64_t at = random_word(o), value, expected;
    if (at + 8 > o->size)
        return;
    CHECK(peek(o->shared + at, &value));
    __builtin_memcpy(&expected, o->bytes + at, 8);
    CHECK_EQ(value, expected);
}

static void op_poke_behind(struct object *o)
{
    uint64_t at = (o->size + 7) & ~(uint64_t)7, value;
    if (!(o->size & (QUIRE_PAGE_SIZE - 1)) || !(at & (QUIRE_PAGE_SIZE - 1)))
        return;
    CHECK(poke(o->shared + at, test_random()));
    at = (o->size + QUIRE_PAGE_SIZE - 1) & ~(QUIRE_PAGE_SIZE - 1);
    last_result = QUIRE_VM_MINOR;
    if (at < MOST)
        CHECK(!peek(o->shared + at, &value) && last_result == QUIRE_VM_BUS_ADRERR);
}

static void op_private(struct object *unused)
{
    const struct object *o = &objects[0];
    uint64_t at = random_word(o), page = at / PAGE, value, expected;
    (void)unused;
    if (at + 8 > o->size)
        return;
    bool own = copies.own[page];
    if (test_random_below(3) == 0) {
        value = test_random();
        CHECK(poke(copies.at + at, value));
        if (!own) {
            uint64_t left = o->size - page * PAGE;
            copies.valid[page] = left < PAGE ? (size_t)left : QUIRE_PAGE_SIZE;
            __builtin_memcpy(copies.bytes + page * PAGE, o->bytes + page * PAGE, PAGE);
        }
        copies.own[page] = true;
        __builtin_memcpy(copies.bytes + at, &value, 8);
    }
    CHECK(peek(copies.at + at, &value));
    __builtin_memcpy(&expected, (copies.own[page] ? copies.bytes : o->bytes) + at, 8);
    if (!copies.own[page] || at + 8 - page * PAGE <= copies.valid[page])
        CHECK_EQ(value, expected);
}

/* Some of the area goes and comes again, with what was dirty there. */
static void op_remap(struct object *o)
{
    uint64_t first = test_random_below(MOST_PAGES), count = 1 + test_random_below(6);
    if (count > MOST_PAGES - first)
        count = MOST_PAGES - first;
    quire_linear_t at = o->shared + first * PAGE;
    CHECK_EQ(quire_munmap(mm, at, count * PAGE), 0);
    CHECK_EQ(quire_mmap(mm, at, count * PAGE, RW, QUIRE_MAP_SHARED | QUIRE_MAP_FIXED, o->mapping,
                        first * PAGE),
             at);
}

/* ---- stores ---------------------------------------------------------------------------------- */

static void op_sync(struct object *o)
{
    if (test_random_below(2))
        CHECK_EQ(quire_msync(mm, objects[0].shared, test_random_below(MOST), QUIRE_MS_SYNC), 0);
    if (is_file(o) && test_random_below(4) == 0) {
        struct quire_mapping_info info;
        quire_mapping_info(o->mapping, &info);
        file_store.fail_write = 1;
        CHECK_EQ(quire_mapping_sync(o->mapping, 0, 0), info.nr_dirty ? -QUIRE_EIO : 0);
        file_store.fail_write = 0;
    }
    CHECK_EQ(quire_mapping_sync(o->mapping, 0, 0), 0);
    if (is_file(o))
        CHECK(!__builtin_memcmp(file_store.bytes, o->bytes, (size_t)o->size));
}

static void op_drop(struct object *o)
{
    if (test_random_below(2))
        quire_mapping_drop(o->mapping);
    else
        quire_drop_caches(test_vm);
}

static void op_reclaim(struct object *o)
{
    (void)o;
    swap_store.fail_write = test_random_below(4) ? 0 : 1 + test_random_below(8);
    (void)quire_vm_reclaim(test_vm, 0, 1 + test_random_below(60));
    swap_store.fail_write = 0;
}

static void op_failing_read(struct object *o)
{
    uint64_t at = random_at(o);
    if (at >= o->size)
        return;
    file_store.broken = swap_store.broken = true;
    int64_t done = quire_mapping_read(o->mapping, at, buffer, 1);
    file_store.broken = swap_store.broken = false;
    CHECK(done == 1 || done == -QUIRE_EIO);
    CHECK_EQ(quire_mapping_read(o->mapping, at, buffer, 1), 1);
    CHECK_EQ(buffer[0], o->bytes[at]);
}

/* ---- running --------------------------------------------------------------------------------- */

static void (*const operations[])(struct object *) = {
    op_read,     op_read,  op_write,   op_write,   op_poke,        op_poke, op_poke,
    op_peek,     op_peek,  op_private, op_private, op_remap,       op_sync, op_poke_behind,
    op_truncate, op_punch, op_drop,    op_reclaim, op_failing_read};
#define NR_OPERATIONS (sizeof operations / sizeof operations[0])

static void compare_all(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct object *o = &objects[i];
        CHECK_EQ(quire_mapping_read(o->mapping, 0, buffer, MOST), o->size);
        CHECK(!__builtin_memcmp(buffer, o->bytes, (size_t)o->size));
    }
    quire_vm_check(test_vm);
}

static void start(void)
{
    static const struct quire_mapping_config shm = {.size = MOST, .may_write = true};
    file_store.reads = file_store.writes = 0;
    objects[0] = (struct object){.size = MOST, .mapping = file_of(MOST)};
    objects[1] = (struct object){.size = MOST};
    CHECK_EQ(quire_mapping_create(&objects[1].mapping, test_vm, &shm), 0);
    __builtin_memcpy(objects[0].bytes, file_store.bytes, MOST);
    __builtin_memset(copies.own, 0, sizeof copies.own);
    mm = mm_new();
    run_on(mm);
    for (unsigned i = 0; i < 2; i++)
        objects[i].shared = map_file(mm, objects[i].mapping, 0, MOST, RW, QUIRE_MAP_SHARED);
    copies.at = map_file(mm, objects[0].mapping, 0, MOST, RW, QUIRE_MAP_PRIVATE);
}

static void model_run(enum quire_pt_format_id format)
{
    if (!vm_boot(16 * MIB, format))
        return;
    int area = swap_of(STORE_PAGES);
    start();
    unsigned long rounds = (unsigned long)test_environment.effort / 40;
    for (unsigned long round = 0; round < rounds; round++) {
        operations[test_random_below(NR_OPERATIONS)](random_object());
        if (round % 1000 == 999)
            compare_all();
    }
    compare_all();
    quire_mapping_put(objects[0].mapping);
    quire_mapping_put(objects[1].mapping);
    mm_end(mm);
    CHECK(!__builtin_memcmp(file_store.bytes, objects[0].bytes, (size_t)objects[0].size));
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    vm_end();
}

static void files_hold_what_arrays_hold(void)
{
    model_run(QUIRE_PT_FORMAT_X86_64);
}

static void files_hold_what_arrays_hold_with_32_bit_entries(void)
{
    model_run(QUIRE_PT_FORMAT_I386);
}

static const struct test_case cases[] = {
    TEST_CASE(files_hold_what_arrays_hold),
    TEST_CASE(files_hold_what_arrays_hold_with_32_bit_entries),
    {0},
};
const struct test_suite suite_vm_file_model = {"vm_file_model", cases};
