/* tests/unit/map_format_test.c: the formats against the processor manual's tables
 *
 * The bits are spelled out here once more, from the tables of SDM 3A chapter 4, as ranges.
 */
#include <quire/map.h>

#include "tests/harness/harness.h"

/* Bits high:low, the long way. */
static uint64_t bits(unsigned high, unsigned low)
{
    uint64_t result = 0;
    for (unsigned bit = low; bit <= high; bit++)
        result |= (uint64_t)1 << bit;
    return result;
}

static const struct quire_pt_features can_do_all;

static uint64_t reserved(enum quire_pt_format_id id, struct quire_pt_features features,
                         enum quire_pt_level level, bool leaf)
{
    return quire_pt_reserved(&quire_pt_formats[id], &features, level, leaf);
}

static void levels_and_their_indexes_add_up_to_the_address(void)
{
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++) {
        const struct quire_pt_format *format = &quire_pt_formats[id];
        unsigned shift = 12;
        for (unsigned level = 0; level < QUIRE_NR_PT_LEVELS; level++) {
            const struct quire_pt_level_format *at = &format->level[level];
            if (!at->index_bits && level < QUIRE_PGD) /* it looks at the level above's again */
                CHECK_EQ(at->shift, format->level[level + 1].shift);
            else
                CHECK_EQ(at->shift, shift);
            shift += at->index_bits;
            CHECK((size_t)format->entry_bytes << at->index_bits <= 4096);
        }
        CHECK_EQ(shift, format->virt_bits);
        CHECK(format->level[QUIRE_PT].index_bits && format->level[QUIRE_PGD].index_bits);
    }
}

static void folded_levels_are_found(void)
{
    static const unsigned char lowest[QUIRE_NR_PT_FORMATS][QUIRE_NR_PT_LEVELS] = {
        {QUIRE_PT, QUIRE_PMD, QUIRE_PMD, QUIRE_PMD, QUIRE_PMD},
        {QUIRE_PT, QUIRE_PMD, QUIRE_PMD, QUIRE_PMD, QUIRE_PMD},
        {QUIRE_PT, QUIRE_PMD, QUIRE_PUD, QUIRE_PUD, QUIRE_PUD},
        {QUIRE_PT, QUIRE_PMD, QUIRE_PUD, QUIRE_P4D, QUIRE_P4D},
        {QUIRE_PT, QUIRE_PMD, QUIRE_PUD, QUIRE_P4D, QUIRE_PGD},
    };
    for (unsigned id = 0; id < QUIRE_NR_PT_FORMATS; id++)
        for (unsigned level = 0; level < QUIRE_NR_PT_LEVELS; level++)
            CHECK_EQ(quire_pt_lowest_shared(&quire_pt_formats[id], (enum quire_pt_level)level),
                     lowest[id][level]);
}

/* Tables 4-4 to 4-6. */
static void entries_of_32_bit_paging_reserve_what_the_manual_says(void)
{
    struct quire_pt_features features = can_do_all;
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_I386, features, QUIRE_PT, true), 0);
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_I386, features, QUIRE_PMD, false), 0);
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_I386, features, QUIRE_PMD, true), bits(21, 21));
    features.phys_bits = 40;
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_I386, features, QUIRE_PMD, true), bits(21, 21));
    features.phys_bits = 36;
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_I386, features, QUIRE_PMD, true), bits(21, 17));
    features.phys_bits = 32;
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_I386, features, QUIRE_PMD, true), bits(21, 13));
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_I386, features, QUIRE_PMD, false), 0);
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_I386, features, QUIRE_PT, true), 0);
    /* Without PSE the PS bit means nothing, and nothing is reserved. */
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_I386_4K, features, QUIRE_PMD, false), 0);
    CHECK(!quire_pt_may_be_leaf(&quire_pt_formats[QUIRE_PT_FORMAT_I386_4K], &features, QUIRE_PMD));
    CHECK(quire_pt_may_be_leaf(&quire_pt_formats[QUIRE_PT_FORMAT_I386], &features, QUIRE_PMD));
}

/* Tables 4-8 to 4-11. */
static void entries_of_pae_reserve_what_the_manual_says(void)
{
    struct quire_pt_features features = {.phys_bits = 36};
    uint64_t beyond = bits(62, 36);
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_PAE, features, QUIRE_PUD, false),
             beyond | bits(63, 63) | bits(8, 5) | bits(2, 1));
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_PAE, features, QUIRE_PMD, false), beyond);
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_PAE, features, QUIRE_PMD, true), beyond | bits(20, 13));
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_PAE, features, QUIRE_PT, true), beyond);
    features.no_nx = true;
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_PAE, features, QUIRE_PT, true), bits(63, 36));
    CHECK_EQ(reserved(QUIRE_PT_FORMAT_PAE, can_do_all, QUIRE_PT, true), bits(62, 52));
}

/* Tables 4-14 to 4-20: bits 62:52 are ignored. */
static void entries_of_64_bit_paging_reserve_what_the_manual_says(void)
{
    for (unsigned id = QUIRE_PT_FORMAT_X86_64; id <= QUIRE_PT_FORMAT_LA57; id++) {
        struct quire_pt_features features = {.phys_bits = 46};
        uint64_t beyond = bits(51, 46);
        for (unsigned level = QUIRE_P4D; level <= QUIRE_PGD; level++)
            if (quire_pt_lowest_shared(&quire_pt_formats[id], (enum quire_pt_level)level) == level)
                CHECK_EQ(reserved(id, features, (enum quire_pt_level)level, false),
                         beyond | bits(7, 7));
        CHECK_EQ(reserved(id, features, QUIRE_PUD, true), beyond | bits(29, 13));
        CHECK_EQ(reserved(id, features, QUIRE_PUD, false), beyond);
        CHECK_EQ(reserved(id, features, QUIRE_PMD, true), beyond | bits(20, 13));
        CHECK_EQ(reserved(id, features, QUIRE_PMD, false), beyond);
        CHECK_EQ(reserved(id, features, QUIRE_PT, true), beyond);
        CHECK_EQ(reserved(id, can_do_all, QUIRE_PT, true), 0);
        features.no_1gib = features.no_nx = true;
        CHECK_EQ(reserved(id, features, QUIRE_PUD, false), beyond | bits(63, 63) | bits(7, 7));
        CHECK(!quire_pt_may_be_leaf(&quire_pt_formats[id], &features, QUIRE_PUD));
        CHECK(quire_pt_may_be_leaf(&quire_pt_formats[id], &can_do_all, QUIRE_PUD));
    }
}

static void addresses_go_into_entries_and_come_back(void)
{
    const struct quire_pt_format *i386 = &quire_pt_formats[QUIRE_PT_FORMAT_I386];
    const struct quire_pt_format *wide = &quire_pt_formats[QUIRE_PT_FORMAT_X86_64];
    CHECK_EQ(quire_pt_leaf_address(i386, QUIRE_PT, 0x12345000), 0x12345000);
    /* PSE-36: bits 39:32 in bits 20:13. */
    CHECK_EQ(quire_pt_leaf_address(i386, QUIRE_PMD, 0xab12400000), 0x12400000 | 0xab << 13);
    CHECK_EQ(quire_pt_leaf_phys(i386, QUIRE_PMD, 0x12400000 | 0xab << 13 | 0x10e3), 0xab12400000);
    CHECK_EQ(quire_pt_leaf_phys(i386, QUIRE_PT, 0x12345fff), 0x12345000);
    CHECK_EQ(quire_pt_leaf_phys(wide, QUIRE_PT, 0x80000abcdef12067), 0xabcdef12000);
    CHECK_EQ(quire_pt_leaf_phys(wide, QUIRE_PMD, 0x80000abcdee010e7), 0xabcdee00000);
    CHECK_EQ(quire_pt_leaf_phys(wide, QUIRE_PUD, 0x00000abcc00010e7), 0xabcc0000000);
    CHECK_EQ(quire_pt_leaf_address(wide, QUIRE_PUD, 0xabcc0000000), 0xabcc0000000);
}

static const struct test_case cases[] = {
    TEST_CASE(levels_and_their_indexes_add_up_to_the_address),
    TEST_CASE(folded_levels_are_found),
    TEST_CASE(entries_of_32_bit_paging_reserve_what_the_manual_says),
    TEST_CASE(entries_of_pae_reserve_what_the_manual_says),
    TEST_CASE(entries_of_64_bit_paging_reserve_what_the_manual_says),
    TEST_CASE(addresses_go_into_entries_and_come_back),
    {0},
};
const struct test_suite suite_map_format = {"map_format", cases};
