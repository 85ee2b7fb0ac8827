/* tests/unit/view_test.c: the views, compared with what Linux's formats make of known numbers
 *
 * The formats are those of Linux 6.1: checked against /proc of a running Linux 6.18, less what
 * later versions added (promo, nr_free_pages_blocks, high_min, high_max).
 */
#include "tests/unit/json_check.h"
#include "tests/unit/machine.h"

/* ---- catching and comparing ------------------------------------------------------------------ */

static char shown[16384];
static size_t shown_length;

static void catch_text(void *arg, const char *text, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && shown_length + 1 < sizeof shown; i++)
        shown[shown_length++] = text[i];
    shown[shown_length] = '\0';
}

static const char *show(enum quire_view view, enum quire_format format)
{
    shown_length = 0;
    CHECK_EQ(quire_view(machine.mem, view, format, catch_text, NULL), 0);
    return shown;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A '#' in `expected` is any number: what tuning may change. */
static bool same_but_numbers(const char *text, const char *expected)
{
    for (; *expected; expected++) {
        if (*expected != '#') {
            if (*text++ != *expected)
                return false;
            continue;
        }
        if (!is_digit(*text))
            return false;
        while (is_digit(*text))
            text++;
    }
    return !*text;
}

static void note_lines(const char *text)
{
    char line[200];
    while (*text) {
        size_t length = 0;
        while (*text && *text != '\n' && length + 1 < sizeof line)
            line[length++] = *text++;
        line[length] = '\0';
        test_note("%s", line);
        text += *text == '\n';
    }
}

static void check_shown(enum quire_view view, enum quire_format format, const char *expected)
{
    bool same = same_but_numbers(show(view, format), expected);
    CHECK(same);
    if (!same)
        note_lines(shown);
}

/* ---- a machine whose every number is known --------------------------------------------------- */

#define NODE_RESERVED MIB /* metadata, and what fills it up to this */

/* DMA to 8 MiB, Normal above, with a hole; a second node. */
static const struct quire_memblock_region map[] = {
    {.base = 0, .size = 8 * MIB},
    {.base = 8 * MIB, .size = 8 * MIB},
    {.base = 20 * MIB, .size = 12 * MIB},
    {.base = 32 * MIB, .size = 16 * MIB, .node = 1},
    {0},
};

static const struct quire_mem_config config = {
    .nr_cpus = 2,
    .min_free_kbytes = KBYTES(256),
    .zone_end = {[QUIRE_ZONE_DMA] = 8 * MIB,
                 [QUIRE_ZONE_NORMAL] = 64 * MIB,
                 [QUIRE_ZONE_HIGHMEM] = 128 * MIB},
};

static quire_phys_t lowest_reserved(quire_phys_t start, quire_phys_t end)
{
    quire_phys_t lowest = end;
    for (unsigned long i = 0; i < machine.memblock.reserved.count; i++) {
        quire_phys_t base = machine.memblock.reserved.region[i].base;
        if (base >= start && base < lowest)
            lowest = base;
    }
    return lowest & ~(quire_phys_t)(QUIRE_PAGE_SIZE - 1);
}

static bool fill_up(quire_phys_t end, quire_phys_t lowest)
{
    CHECK(lowest > end - NODE_RESERVED);
    return !quire_memblock_reserve(&machine.memblock, end - NODE_RESERVED,
                                   lowest - (end - NODE_RESERVED));
}

/* What metadata takes depends on the target. So the machine starts twice, the second time with the
 * rest of each node's last MiB reserved: then the last MiB is what is taken, everywhere. */
static bool start_known(void)
{
    if (QUIRE_PAGE_SHIFT != 12 || QUIRE_PAGEBLOCK_ORDER != 9 || QUIRE_MAX_ORDER != 10) {
        test_skip("the expected text is for 4 KiB pages, pageblocks of order 9, orders to 10");
        return false;
    }
    if (!machine_boot(map, config))
        return false;
    quire_phys_t lowest[2] = {lowest_reserved(0, 32 * MIB), lowest_reserved(32 * MIB, 48 * MIB)};
    if (!machine_map(map))
        return false;
    bool filled = fill_up(32 * MIB, lowest[0]) && fill_up(48 * MIB, lowest[1]);
    CHECK(filled);
    int error = machine_start(config);
    CHECK_EQ(error, 0);
    return filled && !error;
}

/* Some blocks of each kind, past the per-CPU lists; and one page that went through them. */
static void use_some(void)
{
    struct quire_mem *mem = machine.mem;
    CHECK(quire_alloc_pages_node(mem, 0, QUIRE_GFP_KERNEL, 4));
    CHECK(quire_alloc_pages_node(mem, 0, QUIRE_GFP_KERNEL | QUIRE_GFP_RECLAIMABLE, 5));
    CHECK(quire_alloc_pages_node(mem, 0, QUIRE_GFP_KERNEL | QUIRE_GFP_MOVABLE, 8));
    CHECK(quire_alloc_pages_node(mem, 0, QUIRE_GFP_KERNEL | QUIRE_GFP_DMA, 6));
    CHECK(quire_alloc_pages_node(mem, 1, QUIRE_GFP_KERNEL | QUIRE_GFP_MOVABLE, 10));
    struct quire_page *block = quire_alloc_pages_node(mem, 1, QUIRE_GFP_KERNEL, 7);
    struct quire_page *page = quire_alloc_page(mem, QUIRE_GFP_KERNEL);
    CHECK(block && page);
    quire_free_pages(mem, block, 7);
    quire_free_page(mem, page);
    quire_drain_all_pages(mem);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void buddyinfo_has_the_format_of_linux(void)
{
    if (!start_known())
        return;
    use_some();
    check_shown(QUIRE_VIEW_BUDDYINFO, QUIRE_FORMAT_TEXT,
                "Node 0, zone      DMA      1      1      1      1      1      1      2      2     "
                " 2      2      0 \n"
                "Node 0, zone   Normal      0      0      0      0      1      2      2      2     "
                " 2      3      2 \n"
                "Node 1, zone   Normal      0      0      0      0      0      0      0      0     "
                " 1      1      2 \n");
}

static void pagetypeinfo_has_the_format_of_linux(void)
{
    if (!start_known())
        return;
    use_some();
    check_shown(QUIRE_VIEW_PAGETYPEINFO, QUIRE_FORMAT_TEXT,
                "Page block order: 9\n"
                "Pages per block:  512\n"
                "\n"
                "Free pages count per migrate type at order       0      1      2      3      4    "
                "  5      6      7      8      9     10 \n"
                "Node    0, zone      DMA, type    Unmovable      0      0      0      0      0    "
                "  0      1      1      1      1      0 \n"
                "Node    0, zone      DMA, type      Movable      1      1      1      1      1    "
                "  1      1      1      1      1      0 \n"
                "Node    0, zone      DMA, type  Reclaimable      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "Node    0, zone      DMA, type   HighAtomic      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "Node    0, zone      DMA, type          CMA      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "Node    0, zone      DMA, type      Isolate      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "Node    0, zone   Normal, type    Unmovable      0      0      0      0      1    "
                "  1      1      1      1      1      0 \n"
                "Node    0, zone   Normal, type      Movable      0      0      0      0      0    "
                "  0      0      0      0      1      2 \n"
                "Node    0, zone   Normal, type  Reclaimable      0      0      0      0      0    "
                "  1      1      1      1      1      0 \n"
                "Node    0, zone   Normal, type   HighAtomic      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "Node    0, zone   Normal, type          CMA      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "Node    0, zone   Normal, type      Isolate      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "\n"
                "Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic        "
                "  CMA      Isolate \n"
                "Node 0, zone      DMA            2            2            0            0         "
                "   0            0 \n"
                "Node 0, zone   Normal            2            6            2            0         "
                "   0            0 \n"
                "Page block order: 9\n"
                "Pages per block:  512\n"
                "\n"
                "Free pages count per migrate type at order       0      1      2      3      4    "
                "  5      6      7      8      9     10 \n"
                "Node    1, zone   Normal, type    Unmovable      0      0      0      0      0    "
                "  0      0      0      0      0      1 \n"
                "Node    1, zone   Normal, type      Movable      0      0      0      0      0    "
                "  0      0      0      1      1      1 \n"
                "Node    1, zone   Normal, type  Reclaimable      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "Node    1, zone   Normal, type   HighAtomic      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "Node    1, zone   Normal, type          CMA      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "Node    1, zone   Normal, type      Isolate      0      0      0      0      0    "
                "  0      0      0      0      0      0 \n"
                "\n"
                "Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic        "
                "  CMA      Isolate \n"
                "Node 1, zone   Normal            2            6            0            0         "
                "   0            0 \n");
}

static void zoneinfo_has_the_format_of_linux(void)
{
    if (!start_known())
        return;
    use_some();
    check_shown(QUIRE_VIEW_ZONEINFO, QUIRE_FORMAT_TEXT,
                "Node 0, zone      DMA\n"
                "  pages free     1983\n"
                "        boost    0\n"
                "        min      48\n"
                "        low      60\n"
                "        high     72\n"
                "        spanned  2048\n"
                "        present  2048\n"
                "        managed  2047\n"
                "        cma      0\n"
                "        protection: (0, 19, 19)\n"
                "      nr_free_pages 1983\n"
                "      nr_free_cma  0\n"
                "      numa_hit     1\n"
                "      numa_miss    0\n"
                "      numa_foreign 0\n"
                "      numa_local   1\n"
                "      numa_other   0\n"
                "  pagesets\n"
                "    cpu: 0\n"
                "              count: 0\n"
                "              high:  #\n"
                "              batch: #\n"
                "    cpu: 1\n"
                "              count: 0\n"
                "              high:  #\n"
                "              batch: #\n"
                "  start_pfn:           0\n"
                "Node 0, zone   Normal\n"
                "  pages free     4560\n"
                "        boost    0\n"
                "        min      115\n"
                "        low      143\n"
                "        high     171\n"
                "        spanned  6144\n"
                "        present  5120\n"
                "        managed  4864\n"
                "        cma      0\n"
                "        protection: (0, 0, 0)\n"
                "      nr_free_pages 4560\n"
                "      nr_free_cma  0\n"
                "      numa_hit     4\n"
                "      numa_miss    0\n"
                "      numa_foreign 0\n"
                "      numa_local   4\n"
                "      numa_other   0\n"
                "  pagesets\n"
                "    cpu: 0\n"
                "              count: 0\n"
                "              high:  #\n"
                "              batch: #\n"
                "    cpu: 1\n"
                "              count: 0\n"
                "              high:  #\n"
                "              batch: #\n"
                "  start_pfn:           2048\n"
                "Node 0, zone  HighMem\n"
                "  pages free     0\n"
                "        boost    0\n"
                "        min      32\n"
                "        low      32\n"
                "        high     32\n"
                "        spanned  0\n"
                "        present  0\n"
                "        managed  0\n"
                "        cma      0\n"
                "        protection: (0, 0, 0)\n"
                "Node 1, zone      DMA\n"
                "  pages free     0\n"
                "        boost    0\n"
                "        min      0\n"
                "        low      0\n"
                "        high     0\n"
                "        spanned  0\n"
                "        present  0\n"
                "        managed  0\n"
                "        cma      0\n"
                "        protection: (0, 0, 0)\n"
                "Node 1, zone   Normal\n"
                "  pages free     2816\n"
                "        boost    0\n"
                "        min      91\n"
                "        low      113\n"
                "        high     135\n"
                "        spanned  4096\n"
                "        present  4096\n"
                "        managed  3840\n"
                "        cma      0\n"
                "        protection: (0, 0, 0)\n"
                "      nr_free_pages 2816\n"
                "      nr_free_cma  0\n"
                "      numa_hit     2\n"
                "      numa_miss    0\n"
                "      numa_foreign 0\n"
                "      numa_local   0\n"
                "      numa_other   2\n"
                "  pagesets\n"
                "    cpu: 0\n"
                "              count: 0\n"
                "              high:  #\n"
                "              batch: #\n"
                "    cpu: 1\n"
                "              count: 0\n"
                "              high:  #\n"
                "              batch: #\n"
                "  start_pfn:           8192\n"
                "Node 1, zone  HighMem\n"
                "  pages free     0\n"
                "        boost    0\n"
                "        min      32\n"
                "        low      32\n"
                "        high     32\n"
                "        spanned  0\n"
                "        present  0\n"
                "        managed  0\n"
                "        cma      0\n"
                "        protection: (0, 0, 0)\n");
}

static void vmstat_has_the_format_of_linux(void)
{
    if (!start_known())
        return;
    use_some();
    check_shown(QUIRE_VIEW_VMSTAT, QUIRE_FORMAT_TEXT,
                "nr_free_pages 9359\n"
                "nr_free_cma 0\n"
                "numa_hit 7\n"
                "numa_miss 0\n"
                "numa_foreign 0\n"
                "numa_local 5\n"
                "numa_other 2\n"
                "pgalloc_dma 64\n"
                "pgalloc_normal 1457\n"
                "pgalloc_high 0\n"
                "allocstall_dma 0\n"
                "allocstall_normal 0\n"
                "allocstall_high 0\n"
                "pgfree 129\n"
                "oom_kill 0\n"
                "pgmigrate_success 0\n"
                "pgmigrate_fail 0\n"
                "compact_migrate_scanned 0\n"
                "compact_free_scanned 0\n"
                "compact_isolated 0\n"
                "compact_stall 0\n"
                "compact_fail 0\n"
                "compact_success 0\n"
                "cma_alloc_success 0\n"
                "cma_alloc_fail 0\n");
}

/* What follows `what` at the beginning of `text`, or NULL. */
static const char *after(const char *text, const char *what)
{
    while (*what)
        if (*text++ != *what++)
            return NULL;
    return text;
}

/* One event of the machine's vmstat; `line` is its name between a newline and a space. */
static unsigned long vmstat(const char *line)
{
    unsigned long value = 0;
    const char *at = show(QUIRE_VIEW_VMSTAT, QUIRE_FORMAT_TEXT), *number = NULL;
    while (*at && !(number = after(at, line)))
        at++;
    CHECK(number);
    for (; number && is_digit(*number); number++)
        value = value * 10 + (unsigned long)(*number - '0');
    return value;
}

static void what_another_node_serves_is_a_miss_there_and_foreign_here(void)
{
    if (!start_known())
        return;
    struct quire_page *chain;
    unsigned long taken = take_pages(QUIRE_GFP_KERNEL, ~0ul, &chain);
    unsigned long node0 = 0, node1 = 0;
    for (struct quire_page *page = chain; page; page = page->owner.pointer[0])
        *(quire_page_node(machine.mem, page) ? &node1 : &node0) += 1;
    CHECK(node0 && node1);
    CHECK_EQ(vmstat("\nnuma_hit "), node0);
    CHECK_EQ(vmstat("\nnuma_miss "), node1);
    CHECK_EQ(vmstat("\nnuma_foreign "), node1);
    CHECK_EQ(vmstat("\nnuma_local "), node0);
    CHECK_EQ(vmstat("\nnuma_other "), node1);
    CHECK_EQ(node0 + node1, taken);
    free_chain(chain);
    struct quire_page *large = quire_alloc_pages_node(machine.mem, 1, QUIRE_GFP_KERNEL, 5);
    CHECK_EQ(vmstat("\nnuma_other "), node1 + 1);
    CHECK_EQ(vmstat("\nnuma_hit "), node0 + 1);
    if (large)
        quire_free_pages(machine.mem, large, 5);
}

static void extfrag_index_has_the_format_of_linux(void)
{
    if (!start_known())
        return;
    use_some();
    check_shown(QUIRE_VIEW_EXTFRAG, QUIRE_FORMAT_TEXT,
                "Node 0, zone      DMA -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 "
                "-1.000 -1.000  0.791 \n"
                "Node 0, zone   Normal -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 "
                "-1.000 -1.000 -1.000 \n"
                "Node 1, zone   Normal -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 "
                "-1.000 -1.000 -1.000 \n");
}

static void unusable_index_has_the_format_of_linux(void)
{
    if (!start_known())
        return;
    use_some();
    check_shown(
        QUIRE_VIEW_UNUSABLE, QUIRE_FORMAT_TEXT,
        "Node 0, zone      DMA 0.000 0.000 0.001 0.003 0.007 0.015 0.031 0.096 0.225 0.483 1.000 \n"
        "Node 0, zone   Normal 0.000 0.000 0.000 0.000 0.000 0.003 0.017 0.045 0.101 0.214 0.550 \n"
        "Node 1, zone   Normal 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.000 0.090 0.272 "
        "\n");
}

static void a_zone_without_free_memory_has_indexes(void)
{
    struct quire_page *chain;
    if (QUIRE_MAX_ORDER != 10) {
        test_skip("the expected text is for orders to 10");
        return;
    }
    if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){.nr_cpus = 1, .no_pcp = true}))
        return;
    take_pages(QUIRE_GFP_KERNEL | QUIRE_GFP_MEMALLOC, ~0ul, &chain);
    check_shown(QUIRE_VIEW_EXTFRAG, QUIRE_FORMAT_TEXT,
                "Node 0, zone   Normal  0.000  0.000  0.000  0.000  0.000  0.000  0.000  0.000 "
                " 0.000  0.000  0.000 \n");
    check_shown(QUIRE_VIEW_UNUSABLE, QUIRE_FORMAT_TEXT,
                "Node 0, zone   Normal 1.000 1.000 1.000 1.000 1.000 1.000 1.000 1.000 1.000 "
                "1.000 1.000 \n");
    /* One free frame: too few for any larger block, which isn't fragmentation. */
    struct quire_page *rest = chain->owner.pointer[0];
    quire_free_page(machine.mem, chain);
    check_shown(QUIRE_VIEW_EXTFRAG, QUIRE_FORMAT_TEXT,
                "Node 0, zone   Normal -1.000  0.000  0.000  0.000  0.000  0.000  0.000  0.000 "
                " 0.000  0.000  0.000 \n");
    free_chain(rest);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void every_view_is_valid_json_with_a_schema_and_units(void)
{
    static const char *const begins[QUIRE_NR_VIEWS] = {
        "{\"schema\":\"quire.buddyinfo/1\",\"page_bytes\":4096,\"zones\":[{\"node\":0,",
        "{\"schema\":\"quire.pagetypeinfo/1\",\"page_bytes\":4096,\"pageblock_order\":9,",
        "{\"schema\":\"quire.zoneinfo/1\",\"page_bytes\":4096,\"zones\":[{\"node\":0,",
        "{\"schema\":\"quire.vmstat/1\",\"page_bytes\":4096,\"linux\":{\"nr_free_pages\":9359,",
        "{\"schema\":\"quire.extfrag_index/1\",\"page_bytes\":4096,\"zones\":[{\"node\":0,",
        "{\"schema\":\"quire.unusable_index/1\",\"page_bytes\":4096,\"zones\":[{\"node\":0,",
    };
    if (!start_known())
        return;
    use_some();
    for (unsigned view = 0; view < QUIRE_NR_VIEWS; view++) {
        const char *text = show((enum quire_view)view, QUIRE_FORMAT_JSON);
        bool good = is_json(text) && contains(text, begins[view]);
        CHECK(good);
        if (!good)
            note_lines(text);
    }
}

static void buddyinfo_as_json_is_exact(void)
{
    if (!start_known())
        return;
    use_some();
    check_shown(QUIRE_VIEW_BUDDYINFO, QUIRE_FORMAT_JSON,
                "{\"schema\":\"quire.buddyinfo/1\",\"page_bytes\":4096,\"zones\":["
                "{\"node\":0,\"zone\":\"DMA\",\"free_blocks_by_order\":[1,1,1,1,1,1,2,2,2,2,0]},"
                "{\"node\":0,\"zone\":\"Normal\",\"free_blocks_by_order\":[0,0,0,0,1,2,2,2,2,3,2]},"
                "{\"node\":1,\"zone\":\"Normal\",\"free_blocks_by_order\":[0,0,0,0,0,0,0,0,1,1,2]}"
                "]}\n");
}

static void zoneinfo_as_json_has_what_the_text_has(void)
{
    if (!start_known())
        return;
    use_some();
    const char *text = show(QUIRE_VIEW_ZONEINFO, QUIRE_FORMAT_JSON);
    CHECK(contains(text, "{\"node\":0,\"zone\":\"DMA\",\"free_pages\":1983,\"boost_pages\":0,"
                         "\"min_pages\":48,\"low_pages\":60,\"high_pages\":72,"
                         "\"spanned_pages\":2048,\"present_pages\":2048,\"managed_pages\":2047,"
                         "\"cma_pages\":0,"));
    CHECK(contains(text, "\"protection_pages\":{\"DMA\":0,\"Normal\":19,\"HighMem\":19}"));
    CHECK(contains(text, "\"pagesets\":[{\"cpu\":0,\"count_pages\":0,"));
}

static void vmstat_as_json_has_our_own_counters_apart(void)
{
    if (!start_known())
        return;
    use_some();
    CHECK(!quire_alloc_pages(machine.mem, QUIRE_GFP_DMA | QUIRE_GFP_NOWARN, 10));
    const char *text = show(QUIRE_VIEW_VMSTAT, QUIRE_FORMAT_JSON);
    CHECK(contains(text, "\"pgalloc_dma\":64,\"pgalloc_normal\":1457,\"pgalloc_high\":0,"));
    CHECK(contains(text, "\"quire\":{\"alloc_failures\":1,"));
}

/* ---- errors, and a machine at work ----------------------------------------------------------- */

static void views_and_formats_that_dont_exist_are_refused(void)
{
    if (!machine_boot_plain(4 * MIB, (struct quire_mem_config){.nr_cpus = 1}))
        return;
    shown_length = 0;
    CHECK_EQ(quire_view(machine.mem, QUIRE_NR_VIEWS, QUIRE_FORMAT_TEXT, catch_text, NULL),
             -QUIRE_EINVAL);
    CHECK_EQ(quire_view(machine.mem, QUIRE_VIEW_VMSTAT, (enum quire_format)2, catch_text, NULL),
             -QUIRE_EINVAL);
    CHECK_EQ(shown_length, 0);
}

static const struct test_case cases[] = {
    TEST_CASE(buddyinfo_has_the_format_of_linux),
    TEST_CASE(pagetypeinfo_has_the_format_of_linux),
    TEST_CASE(zoneinfo_has_the_format_of_linux),
    TEST_CASE(vmstat_has_the_format_of_linux),
    TEST_CASE(what_another_node_serves_is_a_miss_there_and_foreign_here),
    TEST_CASE(extfrag_index_has_the_format_of_linux),
    TEST_CASE(unusable_index_has_the_format_of_linux),
    TEST_CASE(a_zone_without_free_memory_has_indexes),
    TEST_CASE(every_view_is_valid_json_with_a_schema_and_units),
    TEST_CASE(buddyinfo_as_json_is_exact),
    TEST_CASE(zoneinfo_as_json_has_what_the_text_has),
    TEST_CASE(vmstat_as_json_has_our_own_counters_apart),
    TEST_CASE(views_and_formats_that_dont_exist_are_refused),
    {0},
};
const struct test_suite suite_view = {"view", cases};
