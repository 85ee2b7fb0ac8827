/* tests/unit/base_test.c: text, bit tricks, lists */
#include "tests/harness/harness.h"

#include "base/bits.h"
#include "base/list.h"
#include "base/text.h"
#include "base/tree.h"

/* ---- text ------------------------------------------------------------------------------------ */

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static char formatted[128];

/* The formatted text and the returned length, which is the text's own when it fits. */
#define CHECK_TEXT(expected, ...)                                                                  \
    do {                                                                                           \
        size_t length_ = quire_snprintf(formatted, sizeof formatted, __VA_ARGS__);                 \
        if (!same(formatted, expected))                                                            \
            test_note("got '%s'", formatted);                                                      \
        CHECK(same(formatted, expected));                                                          \
        CHECK_EQ(length_, sizeof expected - 1);                                                    \
    } while (0)

static void plain_text_stays_as_it_is(void)
{
    CHECK_TEXT("", "%s", "");
    CHECK_TEXT("frames", "frames");
    CHECK_TEXT("100%", "100%%");
    CHECK_TEXT("a b", "%c %c", 'a', 'b');
}

static void integers_of_every_length_are_formatted(void)
{
    CHECK_TEXT("0 -1 2147483647", "%d %i %d", 0, -1, 2147483647);
    CHECK_TEXT("-2147483648", "%d", -2147483647 - 1);
    CHECK_TEXT("4294967295 ffffffff", "%u %x", 0xffffffffu, 0xffffffffu);
    CHECK_TEXT("-5 7 1f", "%ld %lu %lx", -5l, 7ul, 0x1ful);
    CHECK_TEXT("123 7f", "%zu %zx", (size_t)123, (size_t)0x7f);
}

static void numbers_of_64_bits_are_exact(void)
{
    CHECK_TEXT("18446744073709551615", "%llu", 0xffffffffffffffffull);
    CHECK_TEXT("-9223372036854775808", "%lld", -0x7fffffffffffffffll - 1);
    CHECK_TEXT("10000000000000000000", "%llu", 10000000000000000000ull);
    CHECK_TEXT("4294967296", "%llu", 0x100000000ull);
    CHECK_TEXT("123456789abcdef", "%llx", 0x123456789abcdefull);
}

static void widths_pad_on_the_asked_side(void)
{
    CHECK_TEXT("[   42]", "[%5d]", 42);
    CHECK_TEXT("[42   ]", "[%-5d]", 42);
    CHECK_TEXT("[00042]", "[%05d]", 42);
    CHECK_TEXT("[  -42]", "[%5d]", -42);
    CHECK_TEXT("[-0042]", "[%05d]", -42);
    CHECK_TEXT("[-42  ]", "[%-5d]", -42);
    CHECK_TEXT("[123456]", "[%3u]", 123456u);
    CHECK_TEXT("[  ab]", "[%4s]", "ab");
    CHECK_TEXT("[ab  ]", "[%-4s]", "ab");
    CHECK_TEXT("[0000000000100000]", "[%016llx]", 0x100000ull);
    CHECK_TEXT("[   7]", "[%*u]", 4u, 7u);
}

static void precision_cuts_strings(void)
{
    CHECK_TEXT("[abc]", "[%.3s]", "abcdef");
    CHECK_TEXT("[]", "[%.0s]", "abcdef");
    CHECK_TEXT("[ab]", "[%.*s]", 2, "abcdef");
    CHECK_TEXT("[  ab]", "[%4.2s]", "abcdef");
    CHECK_TEXT("[abc]", "[%.9s]", "abc");
    const char unterminated[3] = {'x', 'y', 'z'};
    CHECK_TEXT("[xyz]", "[%.3s]", unterminated);
}

static void pointers_are_hexadecimal(void)
{
    CHECK_TEXT("0x1234", "%p", (void *)(uintptr_t)0x1234);
    CHECK_TEXT("0x0", "%p", (void *)0);
}

static void a_small_buffer_is_cut_and_terminated(void)
{
    char small[4] = {'#', '#', '#', '#'};
    CHECK_EQ(quire_snprintf(small, sizeof small, "%s", "abcdef"), 6);
    CHECK(same(small, "abc"));
    CHECK_EQ(quire_snprintf(small, 1, "%d", 12345), 5);
    CHECK(same(small, ""));
    small[0] = '#';
    CHECK_EQ(quire_snprintf(small, 0, "%d", 12345), 5);
    CHECK_EQ(small[0], '#');
    CHECK_EQ(quire_snprintf(small, sizeof small, "%s", "abc"), 3);
    CHECK(same(small, "abc"));
}

struct pieces {
    size_t calls, length;
    uint64_t sum;
};

static void count_pieces(void *arg, const char *string, size_t length)
{
    struct pieces *pieces = arg;
    pieces->calls++;
    pieces->length += length;
    for (size_t i = 0; i < length; i++)
        pieces->sum += (unsigned char)string[i];
}

static void text_is_handed_on_in_few_pieces(void)
{
    struct pieces pieces = {0, 0, 0};
    struct text text;
    text_init(&text, count_pieces, &pieces);
    for (int i = 0; i < 1000; i++)
        text_puts(&text, "a");
    text_flush(&text);
    CHECK_EQ(pieces.length, 1000);
    CHECK_EQ(pieces.sum, 1000 * 'a');
    CHECK_EQ(pieces.calls, (1000 + sizeof text.buffer - 1) / sizeof text.buffer);
    text_flush(&text);
    CHECK_EQ(pieces.length, 1000);
}

static const struct test_case text_cases[] = {
    TEST_CASE(plain_text_stays_as_it_is),
    TEST_CASE(integers_of_every_length_are_formatted),
    TEST_CASE(numbers_of_64_bits_are_exact),
    TEST_CASE(widths_pad_on_the_asked_side),
    TEST_CASE(precision_cuts_strings),
    TEST_CASE(pointers_are_hexadecimal),
    TEST_CASE(a_small_buffer_is_cut_and_terminated),
    TEST_CASE(text_is_handed_on_in_few_pieces),
    {0},
};
const struct test_suite suite_text = {"text", text_cases};

/* ---- bits ------------------------------------------------------------------------------------ */

static void single_bits_are_found(void)
{
    for (unsigned i = 0; i < 32; i++) {
        CHECK_EQ(quire_ctz32(1u << i), i);
        CHECK_EQ(quire_fls32(1u << i), i);
    }
    for (unsigned i = 0; i < 64; i++) {
        CHECK_EQ(quire_ctz64((uint64_t)1 << i), i);
        CHECK_EQ(quire_fls64((uint64_t)1 << i), i);
    }
}

static void bits_of_random_words_agree_with_a_loop(void)
{
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t x = test_random() >> test_random_below(64);
        x &= test_random_below(2) ? test_random() : ~(uint64_t)0;
        if (!x)
            continue;
        unsigned lowest = 64, highest = 0, count = 0;
        for (unsigned i = 0; i < 64; i++)
            if (x >> i & 1) {
                lowest = lowest < 64 ? lowest : i;
                highest = i;
                count++;
            }
        CHECK_EQ(quire_ctz64(x), lowest);
        CHECK_EQ(quire_fls64(x), highest);
        CHECK_EQ(quire_is_power_of_2(x), count == 1);
    }
}

static void population_counts_reach_both_ends(void)
{
    CHECK(!quire_is_power_of_2(0));
}

static void masks_reach_both_ends(void)
{
    CHECK_EQ(quire_mask64(0), 0);
    CHECK_EQ(quire_mask64(1), 1);
    CHECK_EQ(quire_mask64(63), ~(uint64_t)0 >> 1);
    CHECK_EQ(quire_mask64(64), ~(uint64_t)0);
}

static void alignment_rounds_to_multiples(void)
{
    CHECK_EQ(quire_align_down(0x1fff, 0x1000), 0x1000);
    CHECK_EQ(quire_align_down(0x1000, 0x1000), 0x1000);
    CHECK_EQ(quire_align_up(0x1001, 0x1000), 0x2000);
    CHECK_EQ(quire_align_up(0x1000, 0x1000), 0x1000);
    CHECK_EQ(quire_align_up(0, 0x1000), 0);
    CHECK_EQ(quire_align_up(~(uint64_t)0, 0x1000), 0);
    CHECK_EQ(quire_align_up(0x123456789abull, 0x40000000), 0x12380000000ull);
}

static void the_order_of_a_number_of_pages_is_the_smallest(void)
{
    for (unsigned long pages = 1; pages < 5000; pages++) {
        unsigned order = 0;
        while (1ul << order < pages)
            order++;
        CHECK_EQ(quire_order_of_pages(pages), order);
    }
}

/* Division as taught at school, in base 2. */
static uint64_t divide_bit_by_bit(uint64_t n, uint64_t d)
{
    uint64_t quotient = 0, remainder = 0;
    for (int i = 63; i >= 0; i--) {
        bool carry = remainder >> 63;
        remainder = remainder << 1 | (n >> i & 1);
        if (carry || remainder >= d) {
            remainder -= d;
            quotient |= (uint64_t)1 << i;
        }
    }
    return quotient;
}

static const uint64_t edges[] = {0,
                                 1,
                                 9,
                                 10,
                                 0x7fffffff,
                                 0x80000000,
                                 0xffffffff,
                                 0x100000000,
                                 0x100000001,
                                 0x7fffffffffffffff,
                                 0x8000000000000000,
                                 0xffffffffffffffff};

static void division_agrees_with_the_reference(void)
{
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (size_t j = 1; j < 7; j++)
            CHECK_EQ(quire_div64(edges[i], (uint32_t)edges[j]),
                     divide_bit_by_bit(edges[i], (uint32_t)edges[j]));
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t n = test_random() >> test_random_below(64);
        uint32_t d = (uint32_t)(test_random() >> 32) >> test_random_below(32);
        if (d)
            CHECK_EQ(quire_div64(n, d), divide_bit_by_bit(n, d));
    }
}

/* By the compiler's functions, which the machine of 32 bits has its own of. */
static void check_operators(uint64_t n, uint64_t d)
{
    uint64_t quotient = divide_bit_by_bit(n, d), remainder = n - quotient * d;
    CHECK_EQ(n / d, quotient);
    CHECK_EQ(n % d, remainder);
    CHECK(remainder < d);
    if (n >> 63 || d >> 63)
        return;
    int64_t signed_n = (int64_t)n, signed_d = (int64_t)d;
    CHECK_EQ((uint64_t)(signed_n / -signed_d), -quotient);
    CHECK_EQ((uint64_t)(-signed_n / signed_d), -quotient);
    CHECK_EQ((uint64_t)(-signed_n % signed_d), -remainder);
    CHECK_EQ((uint64_t)(signed_n % -signed_d), remainder);
}

static void the_operators_divide_numbers_of_64_bits(void)
{
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (size_t j = 1; j < sizeof edges / sizeof *edges; j++)
            check_operators(edges[i], edges[j]);
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t n = test_random() >> test_random_below(64);
        uint64_t d = test_random() >> test_random_below(64);
        if (d)
            check_operators(n, d);
    }
}

static const struct test_case bits_cases[] = {
    TEST_CASE(single_bits_are_found),
    TEST_CASE(bits_of_random_words_agree_with_a_loop),
    TEST_CASE(population_counts_reach_both_ends),
    TEST_CASE(masks_reach_both_ends),
    TEST_CASE(alignment_rounds_to_multiples),
    TEST_CASE(the_order_of_a_number_of_pages_is_the_smallest),
    TEST_CASE(division_agrees_with_the_reference),
    TEST_CASE(the_operators_divide_numbers_of_64_bits),
    {0},
};
const struct test_suite suite_bits = {"bits", bits_cases};

/* ---- lists ----------------------------------------------------------------------------------- */

struct item {
    int number;
    struct list link;
};

/* The numbers of a list as decimal digits, first to last. Walks it backwards too. */
static unsigned digits(const struct list *head)
{
    unsigned value = 0, backwards = 0, scale = 1;
    list_for_each (at, head)
        value = value * 10 + (unsigned)quire_container_of(at, struct item, link)->number;
    for (const struct list *at = head->prev; at != head; at = at->prev, scale *= 10)
        backwards += scale * (unsigned)quire_container_of(at, struct item, link)->number;
    CHECK_EQ(backwards, value);
    return value;
}

static void a_new_list_is_empty(void)
{
    struct list head;
    list_init(&head);
    CHECK(list_empty(&head));
    CHECK_EQ(digits(&head), 0);
}

static void elements_are_added_at_either_end(void)
{
    struct list head;
    struct item item[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    list_add(&head, &item[0].link);
    list_add(&head, &item[1].link);
    list_add_tail(&head, &item[2].link);
    CHECK(!list_empty(&head));
    CHECK_EQ(digits(&head), 213);
}

static void elements_are_taken_out_anywhere(void)
{
    struct list head;
    struct item item[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    list_init(&head);
    for (size_t i = 0; i < 4; i++)
        list_add_tail(&head, &item[i].link);
    list_del(&item[1].link);
    CHECK_EQ(digits(&head), 134);
    list_del(&item[0].link);
    CHECK_EQ(digits(&head), 34);
    list_del(&item[3].link);
    CHECK_EQ(digits(&head), 3);
    list_add_tail(&head, &item[0].link);
    CHECK_EQ(digits(&head), 31);
    list_del(&item[2].link);
    list_del(&item[0].link);
    CHECK(list_empty(&head));
}

/* ---- trees ----------------------------------------------------------------------------------- */

struct leaf {
    struct tree_node node;
    unsigned below; /* nodes of its subtree */
};

static bool count_below(struct tree_node *node)
{
    struct leaf *leaf = quire_container_of(node, struct leaf, node);
    unsigned below = 1;
    for (unsigned side = 0; side < 2; side++)
        if (node->child[side])
            below += quire_container_of(node->child[side], struct leaf, node)->below;
    bool changed = below != leaf->below;
    leaf->below = below;
    return changed;
}

static struct tree_node *next_leaf(void *arg)
{
    struct leaf **next = arg;
    return &(*next)++->node;
}

static void a_tree_is_built_of_any_number_of_nodes_in_order(void)
{
    static struct leaf leaves[100];
    for (unsigned count = 0; count <= 100; count++) {
        struct tree tree = {.update = count_below};
        struct leaf *next = leaves;
        unsigned i = 0;
        tree_build(&tree, count, next_leaf, &next);
        tree_check(&tree);
        for (struct tree_node *node = tree_first(&tree); node; node = tree_next(node))
            CHECK(node == &leaves[i++].node);
        CHECK_EQ(i, count);
        if (count)
            CHECK_EQ(quire_container_of(tree.root, struct leaf, node)->below, count);
    }
}

static const struct test_case tree_cases[] = {
    TEST_CASE(a_tree_is_built_of_any_number_of_nodes_in_order),
    {0},
};
const struct test_suite suite_tree = {"tree", tree_cases};

static const struct test_case list_cases[] = {
    TEST_CASE(a_new_list_is_empty),
    TEST_CASE(elements_are_added_at_either_end),
    TEST_CASE(elements_are_taken_out_anywhere),
    {0},
};
const struct test_suite suite_list = {"list", list_cases};
