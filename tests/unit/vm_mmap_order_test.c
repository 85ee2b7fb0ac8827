/* tests/unit/vm_mmap_order_test.c: which error mmap gives when several would do
 *
 * What 64-bit machines answer was recorded on Linux 6.18 (x86-64) by a program that makes these
 * calls, with a file of memfd_create and the least offset that it can't have. 32-bit machines look
 * at the sum of offset and length sooner: Linux, mm/mmap.c, do_mmap, where it is an unsigned long.
 */
#include "tests/unit/vm_file_machine.h"
#include "vm/area.h"

enum what { A_FILE, A_READ_ONLY_FILE, NO_FILE };

/* The offset is the least that is too much with one page, unless it is odd or less. */
#define END UINT64_MAX    /* as many bytes as the address space has, or its last page */
#define OFFSET_IS_ODD 1u  /* by a byte */
#define OFFSET_IS_LESS 2u /* by a page: what a page more is too much for */

struct call {
    enum what what;
    quire_linear_t address;
    uint64_t length;
    unsigned prot, flags, offset;
    int wide, full, narrow; /* on 64-bit machines; with too many areas there; on 32-bit machines */
};

#define TAKEN ((quire_linear_t)0x20000000)
#define FREE ((quire_linear_t)0x10000000)
#define R QUIRE_PROT_READ
#define PRIVATE QUIRE_MAP_PRIVATE
#define SHARED QUIRE_MAP_SHARED
#define ANON QUIRE_MAP_ANONYMOUS
#define VALIDATE QUIRE_MAP_SHARED_VALIDATE
#define FIXED QUIRE_MAP_FIXED
#define NOREPLACE QUIRE_MAP_FIXED_NOREPLACE
#define LOCKED QUIRE_MAP_LOCKED

#define INVAL (-QUIRE_EINVAL)
#define NOMEM (-QUIRE_ENOMEM)
#define EXIST (-QUIRE_EEXIST)
#define AGAIN (-QUIRE_EAGAIN)
#define TOO_FAR (-QUIRE_EOVERFLOW)

static const struct call calls[] = {
    {A_FILE, 0, PAGE, R, PRIVATE, 0, TOO_FAR, NOMEM, TOO_FAR},
    {A_FILE, 0, PAGE, R, SHARED, 0, TOO_FAR, NOMEM, TOO_FAR},
    {A_FILE, 0, PAGE, R, PRIVATE, OFFSET_IS_LESS, 0, NOMEM, 0},
    {A_FILE, 0, 2 * PAGE, R, PRIVATE, OFFSET_IS_LESS, TOO_FAR, NOMEM, TOO_FAR},
    /* Before it on all machines. */
    {A_FILE, 0, 0, R, PRIVATE, 0, INVAL, INVAL, INVAL},
    {A_FILE, 0, PAGE, R, PRIVATE, OFFSET_IS_ODD, INVAL, INVAL, INVAL},
    {A_FILE, 0, UINT64_MAX - 1, R, PRIVATE, 0, NOMEM, NOMEM, NOMEM},
    /* Where it may be, and whether it may be locked: before it on 64-bit machines. */
    {A_FILE, 0, END, R, PRIVATE, 0, NOMEM, NOMEM, TOO_FAR},
    {A_FILE, FREE + 1, PAGE, R, PRIVATE | FIXED, 0, INVAL, NOMEM, TOO_FAR},
    {A_FILE, END, 2 * PAGE, R, PRIVATE | FIXED, 0, NOMEM, NOMEM, TOO_FAR},
    {A_FILE, TAKEN, PAGE, R, PRIVATE | NOREPLACE, 0, EXIST, NOMEM, TOO_FAR},
    {A_FILE, 0, 3 * PAGE, R, PRIVATE | LOCKED, 0, AGAIN, NOMEM, TOO_FAR},
    /* What it is: after it. */
    {A_FILE, 0, PAGE, R, 0, 0, TOO_FAR, NOMEM, TOO_FAR},
    {A_FILE, 0, PAGE, R, VALIDATE | QUIRE_MAP_SYNC, 0, TOO_FAR, NOMEM, TOO_FAR},
    {A_FILE, 0, PAGE, R, PRIVATE | QUIRE_MAP_GROWSDOWN, 0, TOO_FAR, NOMEM, TOO_FAR},
    {A_READ_ONLY_FILE, 0, PAGE, RW, SHARED, 0, TOO_FAR, NOMEM, TOO_FAR},
    /* Anonymous memory has no offset, and on 32-bit machines is asked for it all the same. */
    {NO_FILE, 0, PAGE, R, PRIVATE | ANON, 0, 0, NOMEM, TOO_FAR},
    {NO_FILE, 0, PAGE, R, SHARED | ANON, 0, 0, NOMEM, TOO_FAR},
};
#define NR_CALLS (sizeof calls / sizeof calls[0])

static struct quire_mapping *file, *read_only;

static int64_t make(struct quire_mm *mm, const struct call *call, bool narrow)
{
    uint64_t offset = (uint64_t)1 << (narrow ? 44 : 52);
    if (narrow)
        offset -= PAGE; /* the sum has to fit into 32 bits */
    offset += call->offset == OFFSET_IS_ODD;
    offset -= call->offset == OFFSET_IS_LESS ? PAGE : 0;
    quire_linear_t address = call->address == END ? mm->layout.end - PAGE : call->address;
    uint64_t length = call->length == END ? mm->layout.end : call->length;
    struct quire_mapping *mapping = call->what == A_FILE    ? file
                                    : call->what == NO_FILE ? NULL
                                                            : read_only;
    int64_t at = quire_mmap(mm, address, length, call->prot, call->flags, mapping, offset);
    if (at < 0)
        return at;
    CHECK_EQ(quire_munmap(mm, (quire_linear_t)at, length), 0);
    return 0;
}

/* An address space with an area at TAKEN, that may lock two pages. */
static struct quire_mm *begin(enum quire_pt_format_id format)
{
    if (!vm_boot(16 * MIB, format))
        return NULL;
    struct quire_mm *mm = mm_new();
    file = file_of(PAGE);
    read_only = file_of(PAGE);
    quire_mapping_set_writable(read_only, false);
    CHECK_EQ(quire_mmap(mm, TAKEN, PAGE, R, PRIVATE | ANON | FIXED, NULL, 0), TAKEN);
    quire_mm_set_limit(mm, QUIRE_LIMIT_MEMLOCK, 2 * PAGE);
    return mm;
}

static void end(struct quire_mm *mm)
{
    CHECK_EQ(mm->nr_areas, 1);
    quire_mapping_put(file);
    quire_mapping_put(read_only);
    mm_end(mm);
    vm_end();
}

static void an_offset_that_is_too_large_is_found_when_linux_finds_it(void)
{
    struct quire_mm *mm = begin(QUIRE_PT_FORMAT_X86_64);
    if (!mm)
        return;
    for (unsigned i = 0; i < NR_CALLS; i++)
        CHECK_EQ(make(mm, &calls[i], false), calls[i].wide);
    mm->nr_areas += MAX_AREAS; /* there are more than may be */
    for (unsigned i = 0; i < NR_CALLS; i++)
        CHECK_EQ(make(mm, &calls[i], false), calls[i].full);
    mm->nr_areas -= MAX_AREAS;
    end(mm);
}

static void on_a_32_bit_machine_it_is_found_first(void)
{
    static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_I386_4K, QUIRE_PT_FORMAT_I386,
                                                      QUIRE_PT_FORMAT_PAE};
    for (unsigned f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        struct quire_mm *mm = begin(formats[f]);
        if (!mm)
            return;
        for (unsigned full = 0; full < 2; full++) {
            mm->nr_areas += full * MAX_AREAS;
            for (unsigned i = 0; i < NR_CALLS; i++)
                CHECK_EQ(make(mm, &calls[i], true),
                         full && !calls[i].narrow ? NOMEM : calls[i].narrow);
            mm->nr_areas -= full * MAX_AREAS;
        }
        end(mm);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(an_offset_that_is_too_large_is_found_when_linux_finds_it),
    TEST_CASE(on_a_32_bit_machine_it_is_found_first),
    {0},
};
const struct test_suite suite_vm_mmap_order = {"vm_mmap_order", cases};
