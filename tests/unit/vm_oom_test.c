/* tests/unit/vm_oom_test.c: who goes when nothing can be reclaimed, and what the log says; views of
 * the machine
 */
#include "tests/unit/json_check.h"
#include "tests/unit/vm_machine.h"
#include "vm/oom.h"
#include "vm/swap.h"

/* ---- rigs ------------------------------------------------------------------------------------ */

#define MAX_PROCESSES 4u

static struct quire_mm *process[MAX_PROCESSES];
static unsigned kills;
static int killed_pid;
static char report[OOM_REPORT_BYTES];
static bool refuses, stays, ends;

static unsigned long kills_counted(void);

static int pid_of(const struct quire_mm *mm)
{
    for (unsigned i = 0; i < MAX_PROCESSES; i++)
        if (process[i] == mm)
            return (int)i + 1;
    return 0;
}

/* Ends the victim at once, as far as it isn't the one that runs. */
static enum quire_oom_result on_oom(void *arg, struct quire_mm *victim, const char *text)
{
    CHECK(arg == &kills);
    kills++;
    killed_pid = pid_of(victim);
    unsigned length = 0;
    for (; text[length] && length < sizeof report - 1; length++)
        report[length] = text[length];
    report[length] = 0;
    if (refuses)
        return QUIRE_OOM_REFUSED;
    if (stays)
        return ends ? QUIRE_OOM_ENDS : QUIRE_OOM_KILLED;
    process[killed_pid - 1] = NULL;
    quire_mm_put(victim);
    return QUIRE_OOM_KILLED;
}

static bool begin(uint64_t size)
{
    if (!vm_boot(size, QUIRE_PT_FORMAT_X86_64))
        return false;
    kills = 0;
    refuses = stays = ends = false;
    for (unsigned i = 0; i < MAX_PROCESSES; i++)
        process[i] = NULL;
    quire_vm_set_oom(test_vm, on_oom, &kills);
    CHECK_EQ(quire_vm_set_overcommit(test_vm, QUIRE_OVERCOMMIT_ALWAYS, 50), 0);
    return true;
}

/* Process number `i` (pid i + 1), which has written to `pages` pages. */
static void start(unsigned i, const char *name, unsigned pages, int adj)
{
    process[i] = mm_new();
    quire_mm_set_name(process[i], (int)i + 1, name);
    CHECK_EQ(quire_mm_set_oom_score_adj(process[i], adj), 0);
    quire_linear_t at = map_anon(process[i], (pages + 1) * PAGE);
    run_on(process[i]);
    for (unsigned page = 0; page < pages; page++)
        CHECK(poke(at + page * PAGE, page));
}

/* The running process writes to pages until it can't, or `enough` says so; how many. */
static unsigned write_until(struct quire_mm *mm, bool (*enough)(void))
{
    const unsigned most = 2048;
    quire_linear_t at = map_anon(mm, most * PAGE);
    unsigned page = 0;
    while (page < most && !enough() && poke(at + page * PAGE, page))
        page++;
    return page;
}

static bool somebody_died(void)
{
    return kills;
}

static bool never(void)
{
    return false;
}

static void end(void)
{
    run_on(NULL);
    for (unsigned i = 0; i < MAX_PROCESSES; i++)
        if (process[i])
            quire_mm_put(process[i]);
    vm_end();
}

/* ---- who goes -------------------------------------------------------------------------------- */

static void the_largest_goes(void)
{
    if (!begin(4 * MIB))
        return;
    start(0, "small", 40, 0);
    start(1, "large", 500, 0);
    start(2, "asks", 1, 0);
    unsigned pages = write_until(process[2], somebody_died);
    CHECK(pages < 500);
    CHECK_EQ(kills, 1);
    CHECK_EQ(killed_pid, 2);
    CHECK_EQ(kills_counted(), 1);
    CHECK(contains(report, "invoked oom-killer: gfp_mask=0x"));
    CHECK(contains(report, "\nMem-Info:\nactive_anon:"));
    CHECK(contains(report, "[  pid  ]   uid  tgid total_vm      rss rss_anon"));
    CHECK(contains(report, "[      1]     0     1       41       40       40 "));
    CHECK(contains(report, "[      2]     0     2      501      500      500 "));
    CHECK(contains(report, " 0 small\n"));
    CHECK(contains(report, "Out of memory: Kill process 2 (large) total-vm:2004kB, "
                           "anon-rss:2000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:"));
    CHECK(contains(report, "kB oom_score_adj:0\n"));
    quire_vm_check(test_vm);
    end();
}

static void oom_score_adj_decides_and_minus_1000_is_never_chosen(void)
{
    if (!begin(4 * MIB))
        return;
    start(0, "wanted", 10, 900);
    start(1, "large", 400, -1000);
    start(2, "asks", 1, 0);
    write_until(process[2], somebody_died);
    CHECK_EQ(killed_pid, 1);
    CHECK(process[1]);
    CHECK_EQ(quire_mm_oom_score(process[1]), 0);
    end();
}

static struct quire_mm *who_asks(void *arg)
{
    CHECK(arg == &kills);
    return process[2];
}

static void who_lacks_some_nodes_memory_goes_himself(void)
{
    if (!begin(4 * MIB))
        return;
    start(0, "larger", 100, 0);
    start(1, "large", 50, 0);
    start(2, "asks", 1, 0);
    quire_vm_set_oom_who(test_vm, who_asks);
    CHECK_EQ(quire_mm_set_oom_score_adj(process[2], -1000), 0);
    CHECK(!out_of_memory(test_vm, QUIRE_GFP_HIGHUSER, 0, 2));
    CHECK_EQ(kills, 0);
    CHECK_EQ(quire_mm_set_oom_score_adj(process[2], 0), 0);
    stays = true;
    CHECK(out_of_memory(test_vm, QUIRE_GFP_HIGHUSER, 0, 2));
    CHECK_EQ(kills, 1);
    CHECK_EQ(killed_pid, 3);
    CHECK(contains(report, ", nodes=0x2\n"));
    stays = false;
    quire_mm_put(process[2]);
    process[2] = NULL;
    CHECK(out_of_memory(test_vm, QUIRE_GFP_HIGHUSER, 0, UINT32_MAX));
    CHECK_EQ(killed_pid, 1);
    CHECK(!contains(report, "nodes="));
    end();
}

static void scores_are_linuxs(void)
{
    if (!begin(8 * MIB))
        return;
    start(0, "a", 100, 0);
    start(1, "b", 0, 500);
    start(2, "c", 0, -500);
    unsigned long total = quire_nr_managed_pages(machine.mem);
    unsigned long pages = 100 + quire_pgtable_nr_tables(&process[0]->pt);
    CHECK_EQ(quire_mm_oom_score(process[0]), (1000 + pages * 1000 / total) * 2 / 3);
    CHECK_EQ(oom_pages(process[0]), pages);
    CHECK(quire_mm_oom_score(process[1]) > 990 - 3);
    CHECK(quire_mm_oom_score(process[2]) < 336 + 3);
    end();
}

static void without_a_callback_or_with_a_refusal_the_fault_fails(void)
{
    for (unsigned with = 0; with < 2; with++) {
        if (!begin(2 * MIB))
            return;
        refuses = true;
        if (!with)
            quire_vm_set_oom(test_vm, NULL, NULL);
        start(0, "asks", 1, 0);
        unsigned pages = write_until(process[0], never);
        CHECK(pages < 512);
        CHECK_EQ(last_result, QUIRE_VM_OOM);
        CHECK_EQ(kills > 0, with);
        CHECK_EQ(kills_counted(), 0);
        quire_vm_check(test_vm);
        end();
    }
}

static void a_victim_on_its_way_out_is_waited_for_and_then_passed_over(void)
{
    if (!begin(4 * MIB))
        return;
    start(0, "first", 300, 0);
    start(1, "second", 200, 0);
    stays = true;
    CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(killed_pid, 1);
    for (unsigned i = 0; i < 16; i++)
        CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(kills, 1);
    CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(kills, 2);
    CHECK_EQ(killed_pid, 2);
    for (unsigned i = 0; i < 16; i++)
        CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK(!out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0,
                         UINT32_MAX)); /* there is nobody left to choose */
    CHECK_EQ(kills, 2);
    end();
}

static unsigned asked_without, asked_with;
static int waited_pid;
static bool gives_up;

static bool on_wait(void *arg, struct quire_mm *victim)
{
    CHECK(arg == &kills);
    if (!victim)
        asked_without++;
    else
        asked_with++;
    if (victim)
        waited_pid = pid_of(victim);
    return !gives_up;
}

static void who_waits_for_a_victim_is_asked_each_time(void)
{
    if (!begin(4 * MIB))
        return;
    asked_without = asked_with = 0;
    gives_up = false;
    quire_vm_set_oom_wait(test_vm, on_wait);
    start(0, "first", 300, 0);
    start(1, "second", 200, 0);
    stays = true;
    CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(asked_without, 1);
    CHECK_EQ(asked_with, 0);
    for (unsigned i = 0; i < 16; i++)
        CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(asked_with, 16);
    CHECK_EQ(waited_pid, 1);
    CHECK_EQ(kills, 1);
    CHECK_EQ(quire_mm_nr_resident(process[0]), 300);
    end();
}

static void nobody_is_killed_for_who_is_on_his_way_out(void)
{
    if (!begin(4 * MIB))
        return;
    gives_up = true;
    quire_vm_set_oom_wait(test_vm, on_wait);
    start(0, "first", 300, 0);
    CHECK(!out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(kills, 0);
    gives_up = false;
    CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(kills, 1);
    end();
}

static void swap_counts_too(void)
{
    if (!begin(4 * MIB))
        return;
    int area = swap_of(STORE_PAGES);
    start(0, "swapped", 150, 0);
    for (unsigned i = 0; i < 3; i++)
        (void)quire_vm_reclaim(test_vm, 0, 1000);
    CHECK_EQ(mm_info(process[0]).swap, 150);
    start(1, "resident", 100, 0);
    CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(killed_pid, 1);
    CHECK(contains(report, "Total swap = 1020kB\n"));
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    end();
}

static void many_tasks_are_cut_not_lost(void)
{
    static struct quire_mm *many[120];
    if (!begin(8 * MIB))
        return;
    start(0, "victim", 50, 0);
    for (unsigned i = 0; i < 120; i++) {
        many[i] = mm_new();
        quire_mm_set_name(many[i], 1000 + (int)i, "one of many");
    }
    refuses = true;
    CHECK(!out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK(contains(report, " more\nOut of memory: Kill process 1 (victim) "));
    CHECK(!contains(report, "Killed")); /* nobody is */
    CHECK(contains(report, "oom_score_adj:0\n"));
    for (unsigned i = 0; i < 120; i++)
        quire_mm_put(many[i]);
    end();
}

/* ---- views ----------------------------------------------------------------------------------- */

static char view_text[16384];
static size_t view_length;

static void collect(void *arg, const char *piece, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && view_length < sizeof view_text - 1; i++)
        view_text[view_length++] = piece[i];
    view_text[view_length] = 0;
}

static const char *view(enum quire_vm_view which, enum quire_format format)
{
    view_length = 0;
    view_text[0] = 0;
    CHECK_EQ(quire_vm_view(test_vm, which, format, collect, NULL), 0);
    return view_text;
}

/* The number after a line's name; ~0: there is no such line. */
static unsigned long number_after(const char *text, const char *name)
{
    for (const char *line = text; *line; line++) {
        unsigned i = 0;
        while (name[i] && line[i] == name[i])
            i++;
        if (name[i] || (line != text && line[-1] != '\n'))
            continue;
        unsigned long value = 0;
        for (line += i; *line == ' '; line++)
            ;
        for (; *line >= '0' && *line <= '9'; line++)
            value = value * 10 + (unsigned long)(*line - '0');
        return value;
    }
    return ~0ul;
}

static unsigned long kills_counted(void)
{
    return number_after(view(QUIRE_VM_VIEW_VMSTAT, QUIRE_FORMAT_TEXT), "oom_kill ");
}

/* The names of Linux 6.1's lines, in order; here some are missing. */
static const char *const linux_lines[] = {
    "MemTotal",      "MemFree",        "MemAvailable",   "Buffers",
    "Cached",        "SwapCached",     "Active",         "Inactive",
    "Active(anon)",  "Inactive(anon)", "Active(file)",   "Inactive(file)",
    "Unevictable",   "Mlocked",        "HighTotal",      "HighFree",
    "LowTotal",      "LowFree",        "SwapTotal",      "SwapFree",
    "Zswap",         "Zswapped",       "Dirty",          "Writeback",
    "AnonPages",     "Mapped",         "Shmem",          "KReclaimable",
    "Slab",          "SReclaimable",   "SUnreclaim",     "KernelStack",
    "PageTables",    "SecPageTables",  "NFS_Unstable",   "Bounce",
    "WritebackTmp",  "CommitLimit",    "Committed_AS",   "VmallocTotal",
    "VmallocUsed",   "VmallocChunk",   "Percpu",         "HardwareCorrupted",
    "AnonHugePages", "ShmemHugePages", "ShmemPmdMapped", "FileHugePages",
    "FilePmdMapped", "CmaTotal",       "CmaFree",
};

static bool begins_with(const char *line, const char *name)
{
    while (*name && *line == *name)
        line++, name++;
    return !*name && *line == ':';
}

static void meminfo_has_linux_order(void)
{
    const unsigned nr_names = sizeof linux_lines / sizeof linux_lines[0];
    if (!begin(8 * MIB))
        return;
    unsigned next = 0, lines = 0;
    const char *text = view(QUIRE_VM_VIEW_MEMINFO, QUIRE_FORMAT_TEXT);
    for (const char *line = text; *line; lines++) {
        while (next < nr_names && !begins_with(line, linux_lines[next]))
            next++;
        CHECK(next++ < nr_names);
        while (*line && *line++ != '\n')
            ;
    }
    CHECK(lines >= 39);
    /* free(1) takes them all for granted. */
    static const char *const needed[] = {
        "MemTotal:", "MemFree:",      "MemAvailable:", "Buffers:", "Cached:",
        "Shmem:",    "SReclaimable:", "SwapTotal:",    "SwapFree:"};
    for (unsigned i = 0; i < sizeof needed / sizeof needed[0]; i++)
        CHECK(number_after(text, needed[i]) != ~0ul);
    CHECK_EQ(number_after(text, "Buffers:"), 0);
    CHECK_EQ(number_after(text, "CmaTotal:"), 0);
    end();
}

/* Memory that is lent to programs until its owner wants it. */
static void meminfo_tells_contiguous_areas(void)
{
    static struct quire_cma area;
    static const struct quire_memblock_region map[] = {{.size = 16 * MIB}, {0}};
    const struct quire_mem_config mem_config = {.zone_end = {[QUIRE_ZONE_NORMAL] = UINT64_MAX}};
    if (QUIRE_PAGE_SHIFT != 12) {
        test_skip("address spaces are made of pages of 4 KiB");
        return;
    }
    if (!machine_map(map))
        return;
    CHECK_EQ(quire_memblock_reserve(&machine.memblock, 4 * MIB, 4 * MIB), 0);
    REQUIRE(!machine_start(mem_config));
    REQUIRE(!quire_cma_init(machine.mem, &area, "camera", 4 * MIB, 4 * MIB, 0));
    if (!slab_start(NULL))
        return;
    const struct quire_vm_config config = {
        .mem = machine.mem, .slab = slab, .format = QUIRE_PT_FORMAT_X86_64};
    REQUIRE(!quire_vm_init(&test_vm, &config));
    struct quire_page *pages = quire_cma_alloc(&area, 100, 0);
    CHECK(pages);
    const char *text = view(QUIRE_VM_VIEW_MEMINFO, QUIRE_FORMAT_TEXT);
    CHECK_EQ(number_after(text, "CmaTotal:"), 4096);
    CHECK_EQ(number_after(text, "CmaFree:"), 4096 - 400);
    CHECK(quire_cma_release(&area, pages, 100));
    CHECK_EQ(quire_vm_destroy(test_vm), 0);
    slab_end();
}

static void meminfo_adds_up(void)
{
    if (!begin(8 * MIB))
        return;
    struct quire_mapping *file = file_of(20 * PAGE);
    int area = swap_of(64);
    start(0, "a", 30, 0);
    quire_linear_t at =
        map_file(process[0], file, 0, 20 * PAGE, QUIRE_PROT_READ, QUIRE_MAP_PRIVATE);
    uint64_t value;
    for (unsigned i = 0; i < 20; i++)
        CHECK(peek(at + i * PAGE, &value));
    const char *text = view(QUIRE_VM_VIEW_MEMINFO, QUIRE_FORMAT_TEXT);
    CHECK(contains(text, "MemTotal:        "));
    CHECK_EQ(number_after(text, "MemTotal:"), quire_nr_managed_pages(machine.mem) * 4);
    CHECK_EQ(number_after(text, "MemFree:"), quire_nr_free_pages(machine.mem) * 4);
    CHECK_EQ(number_after(text, "Cached:"), 80);
    CHECK_EQ(number_after(text, "AnonPages:"), 120);
    CHECK_EQ(number_after(text, "Mapped:"), 80);
    CHECK_EQ(number_after(text, "SwapTotal:"), 63 * 4);
    CHECK_EQ(number_after(text, "SwapFree:"), 63 * 4);
    CHECK_EQ(number_after(text, "Inactive(anon):"), 120);
    CHECK_EQ(number_after(text, "Inactive(file):"), 80);
    CHECK_EQ(number_after(text, "PageTables:"), 4 * quire_pgtable_nr_tables(&process[0]->pt));
    CHECK(number_after(text, "MemAvailable:") <= number_after(text, "MemTotal:"));
    struct quire_slab_pages pages;
    quire_slab_pages(slab, &pages);
    CHECK(pages.reclaimable); /* the file's array */
    CHECK_EQ(number_after(text, "KReclaimable:"), 4 * pages.reclaimable);
    CHECK_EQ(number_after(text, "SReclaimable:"), 4 * pages.reclaimable);
    CHECK_EQ(number_after(text, "SUnreclaim:"), 4 * pages.unreclaimable);
    CHECK_EQ(number_after(text, "Slab:"), 4 * (pages.reclaimable + pages.unreclaimable));
    CHECK(is_json(view(QUIRE_VM_VIEW_MEMINFO, QUIRE_FORMAT_JSON)));
    CHECK(contains(view_text, "\"quire.meminfo/1\""));
    CHECK(contains(view_text, "\"AnonPages\":120"));
    run_on(NULL);
    quire_mm_put(process[0]);
    process[0] = NULL;
    quire_mapping_put(file);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    end();
}

static void vmstat_has_physs_counters_and_these(void)
{
    if (!begin(8 * MIB))
        return;
    start(0, "a", 30, 0);
    const char *text = view(QUIRE_VM_VIEW_VMSTAT, QUIRE_FORMAT_TEXT);
    CHECK_EQ(number_after(text, "pgfault "), 30);
    CHECK_EQ(number_after(text, "pgmajfault "), 0);
    CHECK_EQ(number_after(text, "nr_anon_pages "), 30);
    CHECK_EQ(number_after(text, "nr_inactive_anon "), 30);
    CHECK(number_after(text, "nr_free_pages ") > 0);
    CHECK(number_after(text, "nr_free_pages ") != ~0ul);
    CHECK(number_after(text, "pgfree ") != ~0ul);
    CHECK_EQ(number_after(text, "oom_kill "), 0);
    CHECK(is_json(view(QUIRE_VM_VIEW_VMSTAT, QUIRE_FORMAT_JSON)));
    CHECK(contains(view_text, "\"nr_anon_pages\""));
    CHECK(contains(view_text, "\"nr_free_pages\""));
    end();
}

static void swaps_is_linuxs_to_the_column(void)
{
    if (!begin(8 * MIB))
        return;
    int area = swap_of(64);
    start(0, "a", 5, 0);
    for (unsigned i = 0; i < 3; i++)
        (void)quire_vm_reclaim(test_vm, 0, 100);
    const char *text = view(QUIRE_VM_VIEW_SWAPS, QUIRE_FORMAT_TEXT);
    CHECK(contains(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"));
    CHECK(contains(text, "\n/swap                                   partition\t252\t\t20\t\t-2\n"));
    CHECK(is_json(view(QUIRE_VM_VIEW_SWAPS, QUIRE_FORMAT_JSON)));
    CHECK(contains(view_text, "\"/swap\""));
    CHECK_EQ(quire_vm_view(test_vm, QUIRE_NR_VM_VIEWS, QUIRE_FORMAT_TEXT, collect, NULL),
             (uint64_t)-QUIRE_EINVAL);
    CHECK_EQ(quire_vm_view(test_vm, QUIRE_VM_VIEW_SWAPS, (enum quire_format)7, collect, NULL),
             (uint64_t)-QUIRE_EINVAL);
    CHECK_EQ(quire_swapoff(test_vm, area), 0);
    end();
}

static void who_ends_already_is_waited_for_and_no_kill(void)
{
    if (!begin(4 * MIB))
        return;
    start(0, "first", 300, 0);
    start(1, "second", 200, 0);
    stays = ends = true;
    for (unsigned i = 0; i < 17; i++)
        CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(kills, 1);
    CHECK_EQ(kills_counted(), 0);
    ends = false;
    CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(killed_pid, 2);
    CHECK(out_of_memory(test_vm, QUIRE_GFP_KERNEL, 0, UINT32_MAX));
    CHECK_EQ(kills_counted(), 1);
    end();
}

static const struct test_case cases[] = {
    TEST_CASE(the_largest_goes),
    TEST_CASE(oom_score_adj_decides_and_minus_1000_is_never_chosen),
    TEST_CASE(who_lacks_some_nodes_memory_goes_himself),
    TEST_CASE(scores_are_linuxs),
    TEST_CASE(without_a_callback_or_with_a_refusal_the_fault_fails),
    TEST_CASE(a_victim_on_its_way_out_is_waited_for_and_then_passed_over),
    TEST_CASE(who_ends_already_is_waited_for_and_no_kill),
    TEST_CASE(who_waits_for_a_victim_is_asked_each_time),
    TEST_CASE(nobody_is_killed_for_who_is_on_his_way_out),
    TEST_CASE(swap_counts_too),
    TEST_CASE(many_tasks_are_cut_not_lost),
    TEST_CASE(meminfo_adds_up),
    TEST_CASE(meminfo_has_linux_order),
    TEST_CASE(meminfo_tells_contiguous_areas),
    TEST_CASE(vmstat_has_physs_counters_and_these),
    TEST_CASE(swaps_is_linuxs_to_the_column),
    {0},
};

const struct test_suite suite_vm_oom = {"vm_oom", cases};
