/* tests/unit/memblock_test.c: ranges of memory and reservations */
#include "tests/unit/memblock_map.h"

/* ---- adding ---------------------------------------------------------------------------------- */

static void an_empty_map_has_nothing(void)
{
    REQUIRE(map_start());
    CHECK(map_memory_is(""));
    CHECK(map_reserved_is(""));
    CHECK_EQ(quire_memblock_memory_size(&map), 0);
    CHECK_EQ(quire_memblock_reserved_size(&map), 0);
    CHECK_EQ(quire_memblock_end(&map), 0);
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, ANYWHERE), 0);
    CHECK_EQ(quire_memblock_remove(&map, 0, 0x1000), 0);
    CHECK_EQ(quire_memblock_free(&map, 0, 0x1000), 0);
    CHECK(map_memory_is(""));
}

static void ranges_are_sorted_whatever_their_order(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x5000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x9000, 0x1000, 1, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x3000, 0x1000, 0, HOTPLUG), 0);
    CHECK(map_memory_is("1000-2000:0r 3000-4000:0h 5000-6000:0r 9000-a000:1r"));
    CHECK_EQ(quire_memblock_memory_size(&map), 0x4000);
    CHECK_EQ(quire_memblock_end(&map), 0xa000);
}

static void adjacent_ranges_of_one_kind_merge(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x3000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x2000, 0x1000, 0, RAM), 0);
    CHECK(map_memory_is("2000-4000:0r"));
    CHECK_EQ(quire_memblock_add(&map, 0x5000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x6000, 0x1000, 0, RAM), 0);
    CHECK(map_memory_is("2000-4000:0r 5000-7000:0r"));
    CHECK_EQ(quire_memblock_add(&map, 0x4000, 0x1000, 0, RAM), 0);
    CHECK(map_memory_is("2000-7000:0r"));
}

static void adjacent_ranges_of_another_node_or_kind_stay_apart(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x2000, 0x1000, 1, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x3000, 0x1000, 1, NOMAP), 0);
    CHECK(map_memory_is("1000-2000:0r 2000-3000:1r 3000-4000:1n"));
}

static void an_overlap_of_the_same_kind_adds_what_is_new(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x2000, 0x2000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x2000, 0x2000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x2800, 0x800, 0, RAM), 0);
    CHECK(map_memory_is("2000-4000:0r"));
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1800, 0, RAM), 0);
    CHECK(map_memory_is("1000-4000:0r"));
    CHECK_EQ(quire_memblock_add(&map, 0x3fff, 0x1001, 0, RAM), 0);
    CHECK(map_memory_is("1000-5000:0r"));
}

static void a_range_over_several_of_its_kind_joins_them(void)
{
    REQUIRE(map_start());
    for (unsigned i = 1; i <= 5; i++)
        CHECK_EQ(quire_memblock_add(&map, i * 0x2000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x4800, 0x3900, 0, RAM), 0);
    CHECK(map_memory_is("2000-3000:0r 4000-9000:0r a000-b000:0r"));
    CHECK_EQ(quire_memblock_add(&map, 0x100, 0xf000, 0, RAM), 0);
    CHECK(map_memory_is("100-f100:0r"));
}

static void an_overlap_with_another_node_or_kind_is_refused(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x2000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x4000, 0x1000, 1, RAM), 0);
    struct map_snapshot before = map_snapshot();
    CHECK_EQ(quire_memblock_add(&map, 0x2000, 0x1000, 0, HOTPLUG), -QUIRE_EEXIST);
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1001, 1, RAM), -QUIRE_EEXIST);
    CHECK_EQ(quire_memblock_add(&map, 0x2fff, 1, 0, NOMAP), -QUIRE_EEXIST);
    CHECK_EQ(quire_memblock_add(&map, 0x2800, 0x2000, 0, RAM), -QUIRE_EEXIST);
    CHECK_EQ(quire_memblock_add(&map, 0, 0x10000, 1, RAM), -QUIRE_EEXIST);
    CHECK(map_is_as(&before));
}

static void unaligned_ranges_are_kept_to_the_byte(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x1001, 0x9fbff, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x7ffe, 3), 0);
    CHECK(map_memory_is("1001-a0c00:0r"));
    CHECK(map_reserved_is("7ffe-8001"));
    CHECK_EQ(quire_memblock_memory_size(&map), 0x9fbff);
    CHECK_EQ(quire_memblock_reserved_size(&map), 3);
}

static void a_range_of_zero_length_changes_nothing(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1000, 0, RAM), 0);
    struct map_snapshot before = map_snapshot();
    const quire_phys_t bases[] = {0, 0x1000, 0x1800, 0x2000, MEMBLOCK_LIMIT, UINT64_MAX};
    for (unsigned i = 0; i < sizeof bases / sizeof *bases; i++) {
        CHECK_EQ(quire_memblock_add(&map, bases[i], 0, 1, NOMAP), 0);
        CHECK_EQ(quire_memblock_remove(&map, bases[i], 0), 0);
        CHECK_EQ(quire_memblock_reserve(&map, bases[i], 0), 0);
        CHECK_EQ(quire_memblock_free(&map, bases[i], 0), 0);
    }
    CHECK(map_is_as(&before));
}

/* ---- ranges that can't be -------------------------------------------------------------------- */

static void a_range_that_wraps_around_is_refused(void)
{
    REQUIRE(map_start());
    struct map_snapshot before = map_snapshot();
    CHECK_EQ(quire_memblock_add(&map, UINT64_MAX, 2, 0, RAM), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_add(&map, 1, UINT64_MAX, 0, RAM), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_reserve(&map, UINT64_MAX - 0xfff, 0x1000), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_remove(&map, 0x1000, UINT64_MAX - 0xfff), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_free(&map, UINT64_MAX, UINT64_MAX), -QUIRE_EINVAL);
    CHECK(map_is_as(&before));
}

static void a_range_beyond_the_highest_frame_is_refused(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, MEMBLOCK_LIMIT, 1, 0, RAM), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_add(&map, MEMBLOCK_LIMIT - 1, 2, 0, RAM), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_add(&map, 0, UINT64_MAX, 0, RAM), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_reserve(&map, 0, MEMBLOCK_LIMIT + 1), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_remove(&map, MEMBLOCK_LIMIT, 1), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_free(&map, UINT64_MAX, 1), -QUIRE_EINVAL);
    CHECK(map_memory_is(""));
    CHECK(map_reserved_is(""));
    CHECK_EQ(quire_memblock_add(&map, MEMBLOCK_LIMIT - 1, 1, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0, MEMBLOCK_LIMIT - 1, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0, MEMBLOCK_LIMIT), 0);
    CHECK_EQ(quire_memblock_end(&map), MEMBLOCK_LIMIT);
}

static void a_node_or_kind_that_is_not_there_is_refused(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1000, -1, RAM), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1000, QUIRE_MAX_NODES, RAM), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1000, 0, (enum quire_memblock_kind)3),
             -QUIRE_EINVAL);
    CHECK(map_memory_is(""));
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1000, QUIRE_MAX_NODES - 1, RAM), 0);
}

static void an_error_names_the_map_and_the_range(void)
{
    REQUIRE(map_start());
    if (!map_log_is_heard() || QUIRE_PAGE_SHIFT != 12) {
        test_skip("the log can't be caught here, or the limit is another");
        return;
    }
    CHECK_EQ(quire_memblock_add(&map, 0xfffffffffffff000, 0x2000, 0, RAM), -QUIRE_EINVAL);
    CHECK(text_is(map_log, "quire: memblock test: can't add [0xfffffffffffff000, 0x1000), 0x2000 "
                           "bytes: it wraps around"));
    CHECK_EQ(quire_memblock_reserve(&map, 0xffffffff000, 1), -QUIRE_EINVAL);
    CHECK(text_is(map_log, "quire: memblock test: can't reserve [0xffffffff000, 0xffffffff001), "
                           "0x1 bytes: it ends beyond the highest frame number"));
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x2000, 16, RAM), -QUIRE_EINVAL);
    CHECK(text_has(map_log, "[0x1000, 0x3000), 0x2000 bytes: there is no such node"));

    CHECK_EQ(quire_memblock_add(&map, 0x100000, 0x40000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x120000, 0x1000, 1, RAM), -QUIRE_EEXIST);
    CHECK(text_is(map_log, "quire: memblock test: can't add [0x120000, 0x121000), 0x1000 bytes: it "
                           "overlaps memory of another node or kind, [0x100000, 0x140000), 0x40000 "
                           "bytes"));
    CHECK_EQ(quire_memblock_reserve(&map, 0x118000, 0x10000), 0);
    CHECK_EQ(quire_memblock_remove(&map, 0x110000, 0x10000), -QUIRE_EBUSY);
    CHECK(text_is(map_log, "quire: memblock test: can't remove [0x110000, 0x120000), 0x10000 "
                           "bytes: reserved is [0x118000, 0x120000), 0x8000 bytes"));
}

/* ---- removing -------------------------------------------------------------------------------- */

static void memory_is_removed_whole_or_in_part(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x8000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_remove(&map, 0, 0x1800), 0);
    CHECK(map_memory_is("1800-9000:0r"));
    CHECK_EQ(quire_memblock_remove(&map, 0x8ffe, 0x5000), 0);
    CHECK(map_memory_is("1800-8ffe:0r"));
    CHECK_EQ(quire_memblock_remove(&map, 0x3000, 0x1000), 0);
    CHECK(map_memory_is("1800-3000:0r 4000-8ffe:0r"));
    CHECK_EQ(quire_memblock_remove(&map, 0x3000, 0x1000), 0);
    CHECK(map_memory_is("1800-3000:0r 4000-8ffe:0r"));
    CHECK_EQ(quire_memblock_remove(&map, 0, 0x3000), 0);
    CHECK(map_memory_is("4000-8ffe:0r"));
    CHECK_EQ(quire_memblock_remove(&map, 0, 0x10000), 0);
    CHECK(map_memory_is(""));
}

static void a_removal_over_several_ranges_keeps_their_nodes(void)
{
    if (QUIRE_MAX_NODES < 3) {
        test_skip("QUIRE_MAX_NODES is too small");
        return;
    }
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x3000, 0x1000, 1, HOTPLUG), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x5000, 0x1000, 2, NOMAP), 0);
    CHECK_EQ(quire_memblock_remove(&map, 0x1400, 0x4800), 0);
    CHECK(map_memory_is("1000-1400:0r 5c00-6000:2n"));
}

static void reserved_memory_is_not_removed(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x4000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x2000, 0x1000), 0);
    struct map_snapshot before = map_snapshot();
    CHECK_EQ(quire_memblock_remove(&map, 0, 0x2001), -QUIRE_EBUSY);
    CHECK_EQ(quire_memblock_remove(&map, 0x2fff, 1), -QUIRE_EBUSY);
    CHECK_EQ(quire_memblock_remove(&map, 0, 0x10000), -QUIRE_EBUSY);
    CHECK(map_is_as(&before));
    CHECK_EQ(quire_memblock_remove(&map, 0, 0x2000), 0);
    CHECK_EQ(quire_memblock_remove(&map, 0x3000, 0x10000), 0);
    CHECK(map_memory_is("2000-3000:0r"));
}

static void a_reservation_outside_of_memory_does_not_keep_memory_from_being_removed(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x4000, 0x1000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x2000, 0x2000), 0);
    CHECK_EQ(quire_memblock_remove(&map, 0, 0x8000), 0);
    CHECK(map_memory_is(""));
    CHECK(map_reserved_is("2000-4000"));
}

/* ---- reserving ------------------------------------------------------------------------------- */

static void reservations_merge_and_may_overlap(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_reserve(&map, 0x5000, 0x1000), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x1000, 0x1000), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x1800, 0x1000), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x4fff, 1), 0);
    CHECK(map_reserved_is("1000-2800 4fff-6000"));
    CHECK_EQ(quire_memblock_reserve(&map, 0x2800, 0x27ff), 0);
    CHECK(map_reserved_is("1000-6000"));
    CHECK_EQ(quire_memblock_reserved_size(&map), 0x5000);
    CHECK_EQ(quire_memblock_end(&map), 0); /* of memory, which there is none of */
}

static void a_reservation_is_undone_whole_or_in_part(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_reserve(&map, 0x1000, 0x5000), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x8000, 0x1000), 0);
    CHECK_EQ(quire_memblock_free(&map, 0x2000, 0x800), 0);
    CHECK(map_reserved_is("1000-2000 2800-6000 8000-9000"));
    CHECK_EQ(quire_memblock_free(&map, 0x1fff, 0x6002), 0);
    CHECK(map_reserved_is("1000-1fff 8001-9000"));
    CHECK_EQ(quire_memblock_free(&map, 0, 0x10000), 0);
    CHECK(map_reserved_is(""));
    CHECK_EQ(quire_memblock_free(&map, 0x1000, 0x1000), 0);
}

static void is_reserved_asks_for_all_of_a_range(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_reserve(&map, 0x1000, 0x1000), 0);
    CHECK(memblock_is_reserved(&map, (struct memblock_range){0x1000, 0x2000}));
    CHECK(memblock_is_reserved(&map, (struct memblock_range){0x1fff, 0x2000}));
    CHECK(!memblock_is_reserved(&map, (struct memblock_range){0xfff, 0x1001}));
    CHECK(!memblock_is_reserved(&map, (struct memblock_range){0x1fff, 0x2001}));
    CHECK(!memblock_is_reserved(&map, (struct memblock_range){0x2000, 0x2001}));
}

/* ---- visits, sums, text ---------------------------------------------------------------------- */

struct visits {
    char text[256];
    size_t length;
    unsigned stop_after;
};

static int note_visit(void *arg, quire_phys_t base, quire_phys_t size, int node,
                      enum quire_memblock_kind kind)
{
    struct visits *visits = arg;
    visits->length +=
        quire_snprintf(visits->text + visits->length, sizeof visits->text - visits->length,
                       "%s%llx-%llx:%d%c", visits->length ? " " : "", (unsigned long long)base,
                       (unsigned long long)(base + size), node, "rhn"[kind]);
    return visits->stop_after && --visits->stop_after == 0 ? 42 : 0;
}

static int note_frames(void *arg, quire_pfn_t start, quire_pfn_t end, int node,
                       enum quire_memblock_kind kind)
{
    return note_visit(arg, start.value, end.value - start.value, node, kind);
}

static bool make_map_with_everything(void)
{
    return map_start() && !quire_memblock_add(&map, 0x400, 0x2c00, 0, RAM) &&
           !quire_memblock_add(&map, 0x3000, 0x2000, 0, NOMAP) &&
           !quire_memblock_add(&map, 0x5000, 0x4000, 1, RAM) &&
           !quire_memblock_add(&map, 0x9000, 0x1000, 1, HOTPLUG) &&
           !quire_memblock_reserve(&map, 0x2000, 0x3800) &&
           !quire_memblock_reserve(&map, 0x6000, 0x1) &&
           !quire_memblock_reserve(&map, 0x8fff, 0x2) && !quire_memblock_reserve(&map, 0xf000, 1);
}

static void what_is_free_is_visited_in_order(void)
{
    struct visits visits = {.length = 0};
    REQUIRE(make_map_with_everything());
    CHECK_EQ(quire_memblock_for_each_free(&map, note_visit, &visits), 0);
    CHECK(text_is(visits.text, "400-2000:0r 5800-6000:1r 6001-8fff:1r 9001-a000:1h"));
}

static void a_visit_ends_when_the_visitor_says_so(void)
{
    struct visits visits = {.stop_after = 2};
    REQUIRE(make_map_with_everything());
    CHECK_EQ(quire_memblock_for_each_free(&map, note_visit, &visits), 42);
    CHECK(text_is(visits.text, "400-2000:0r 5800-6000:1r"));

    CHECK_EQ(quire_memblock_add(&map, 0x100000, 0x100000, 0, RAM), 0);
    visits = (struct visits){.stop_after = 1};
    CHECK_EQ(memblock_for_each_memory_frames(&map, note_frames, &visits), 42);
    visits = (struct visits){.stop_after = 1};
    CHECK_EQ(memblock_for_each_free_frames(&map, note_frames, &visits), 42);
}

static void frames_are_rounded_inwards(void)
{
    struct visits visits = {.length = 0};
    if (QUIRE_PAGE_SHIFT != 12) {
        test_skip("the numbers are for frames of 4 KiB");
        return;
    }
    REQUIRE(make_map_with_everything());
    CHECK_EQ(memblock_for_each_free_frames(&map, note_frames, &visits), 0);
    CHECK(text_is(visits.text, "1-2:0r 7-8:1r"));
    visits = (struct visits){.length = 0};
    CHECK_EQ(memblock_for_each_memory_frames(&map, note_frames, &visits), 0);
    CHECK(text_is(visits.text, "1-3:0r 3-5:0n 5-9:1r 9-a:1h"));
}

static void a_frame_whose_halves_came_one_by_one_is_whole(void)
{
    struct visits visits = {.length = 0};
    quire_phys_t page = QUIRE_PAGE_SIZE, half = page / 2;
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 2 * page + half, half, 0, RAM), 0);
    CHECK_EQ(memblock_for_each_memory_frames(&map, note_frames, &visits), 0);
    CHECK(text_is(visits.text, ""));
    CHECK_EQ(quire_memblock_add(&map, 2 * page, half, 0, RAM), 0);
    CHECK_EQ(memblock_for_each_memory_frames(&map, note_frames, &visits), 0);
    CHECK(text_is(visits.text, "2-3:0r"));
}

static void keep_text(void *arg, const char *text, size_t length)
{
    struct visits *visits = arg;
    for (size_t i = 0; i < length && visits->length + 1 < sizeof visits->text; i++)
        visits->text[visits->length++] = text[i];
}

static void a_dump_has_a_line_a_range(void)
{
    struct visits dump = {.length = 0};
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x9ec00, 0, RAM), 0);
    CHECK_EQ(quire_memblock_add(&map, 0x100000000, 0x40000000, 1, HOTPLUG), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x7000, 0x1001), 0);
    quire_memblock_dump(&map, keep_text, &dump);
    CHECK(text_is(dump.text,
                  "memory   [0x000000001000, 0x00000009fc00)         650240 bytes node 0 RAM\n"
                  "memory   [0x000100000000, 0x000140000000)     1073741824 bytes node 1 hotplug\n"
                  "reserved [0x000000007000, 0x000000008001)           4097 bytes\n"));
}

/* ---- after the hand-over --------------------------------------------------------------------- */

static void a_map_that_was_handed_over_does_not_change(void)
{
    REQUIRE(map_start());
    CHECK_EQ(quire_memblock_add(&map, 0x1000, 0x100000, 0, RAM), 0);
    CHECK_EQ(quire_memblock_reserve(&map, 0x1000, 0x1000), 0);
    memblock_hand_over(&map);
    struct map_snapshot before = map_snapshot();
    CHECK_EQ(quire_memblock_add(&map, 0x200000, 0x1000, 0, RAM), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_remove(&map, 0x2000, 0x1000), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_reserve(&map, 0x2000, 0x1000), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_free(&map, 0x1000, 0x1000), -QUIRE_EINVAL);
    CHECK_EQ(quire_memblock_alloc(&map, 1, 1, ANYWHERE), 0);
    CHECK(map_is_as(&before));
    CHECK(!map_log_is_heard() || text_has(map_log, "the map was handed over"));
}

static const struct test_case cases[] = {
    TEST_CASE(an_empty_map_has_nothing),
    TEST_CASE(ranges_are_sorted_whatever_their_order),
    TEST_CASE(adjacent_ranges_of_one_kind_merge),
    TEST_CASE(adjacent_ranges_of_another_node_or_kind_stay_apart),
    TEST_CASE(an_overlap_of_the_same_kind_adds_what_is_new),
    TEST_CASE(a_range_over_several_of_its_kind_joins_them),
    TEST_CASE(an_overlap_with_another_node_or_kind_is_refused),
    TEST_CASE(unaligned_ranges_are_kept_to_the_byte),
    TEST_CASE(a_range_of_zero_length_changes_nothing),
    TEST_CASE(a_range_that_wraps_around_is_refused),
    TEST_CASE(a_range_beyond_the_highest_frame_is_refused),
    TEST_CASE(a_node_or_kind_that_is_not_there_is_refused),
    TEST_CASE(an_error_names_the_map_and_the_range),
    TEST_CASE(memory_is_removed_whole_or_in_part),
    TEST_CASE(a_removal_over_several_ranges_keeps_their_nodes),
    TEST_CASE(reserved_memory_is_not_removed),
    TEST_CASE(a_reservation_outside_of_memory_does_not_keep_memory_from_being_removed),
    TEST_CASE(reservations_merge_and_may_overlap),
    TEST_CASE(a_reservation_is_undone_whole_or_in_part),
    TEST_CASE(is_reserved_asks_for_all_of_a_range),
    TEST_CASE(what_is_free_is_visited_in_order),
    TEST_CASE(a_visit_ends_when_the_visitor_says_so),
    TEST_CASE(frames_are_rounded_inwards),
    TEST_CASE(a_frame_whose_halves_came_one_by_one_is_whole),
    TEST_CASE(a_dump_has_a_line_a_range),
    TEST_CASE(a_map_that_was_handed_over_does_not_change),
    {0},
};
const struct test_suite suite_memblock = {"memblock", cases};
