/* tests/kernel/fs_proc_test.c: generated files and directories */
#include "base/text.h"
#include "kernel/fs/procfs.h"
#include "kernel/fs/text_file.h"
#include "tests/kernel/fs_machine.h"

/* The first bytes of a file, or "". */
static const char *start_of(const char *path)
{
    static char text[4096];
    struct file *file = open_or_null(path, O_RDONLY);
    int64_t size = file ? file_read(file, text, sizeof text - 1) : 0;
    file_put(file);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static int store(const char *path, const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    struct file *file = open_or_null(path, O_WRONLY | O_TRUNC);
    if (!file)
        return fs_error;
    int64_t done = file_write(file, text, length);
    file_put(file);
    return done < 0 ? (int)done : 0;
}

static void the_machine_tells_of_its_memory(void)
{
    static const char *const names[] = {
        "meminfo",     "buddyinfo", "pagetypeinfo", "zoneinfo", "slabinfo", "vmstat",  "swaps",
        "filesystems", "version",   "uptime",       "stat",     "cpuinfo",  "loadavg", "devices"};
    char path[32];
    if (!fs_boot())
        return;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        quire_snprintf(path, sizeof path, "/proc/%s", names[i]);
        CHECK(start_of(path)[0]);
        CHECK_EQ(attributes_of(path).size, 0);
    }
    CHECK(contains(start_of("/proc/meminfo"), "MemTotal:"));
    CHECK(contains(start_of("/proc/cpuinfo"), "processor\t: 0\n"));
    CHECK(contains(start_of("/proc/version"), "Linux version "));
    CHECK(contains(names_in("/proc"), " meminfo "));
    CHECK(contains(names_in("/proc"), " sys "));
    CHECK(same_text(start_of("/proc/vmallocinfo"), ""));
    fs_end();
}

static void a_file_is_made_anew_when_it_is_read_from_its_beginning(void)
{
    char first[64] = "", second[64] = "";
    if (!fs_boot())
        return;
    struct file *file = open_or_null("/proc/sys/vm/swappiness", O_RDWR);
    REQUIRE(file);
    CHECK_EQ(file_read(file, first, 1), 1);
    CHECK_EQ(file_write(file, "100\n", 4), 4);
    CHECK_EQ(file_seek(file, 1, SEEK_SET), 1);
    CHECK_EQ(file_read(file, second, 60), 2); /* of the old text */
    CHECK_EQ(file_seek(file, 0, SEEK_SET), 0);
    CHECK_EQ(file_read(file, second, 60), 4);
    CHECK(same_text(second, "100\n"));
    CHECK_EQ(file_write(file, "60", 2), 2);
    file_put(file);
    fs_end();
}

static void knobs_take_what_makes_sense(void)
{
    if (!fs_boot())
        return;
    CHECK_EQ(store("/proc/sys/vm/overcommit_memory", "2\n"), 0);
    CHECK(same_text(start_of("/proc/sys/vm/overcommit_memory"), "2\n"));
    CHECK_EQ(store("/proc/sys/vm/overcommit_memory", "3"), -EINVAL);
    CHECK_EQ(store("/proc/sys/vm/overcommit_memory", "0"), 0);
    CHECK_EQ(store("/proc/sys/vm/overcommit_ratio", " 80 "), 0);
    CHECK_EQ(store("/proc/sys/vm/overcommit_ratio", "50"), 0);
    CHECK_EQ(store("/proc/sys/vm/min_free_kbytes", "512"), 0);
    CHECK(same_text(start_of("/proc/sys/vm/min_free_kbytes"), "512\n"));
    CHECK_EQ(store("/proc/sys/vm/drop_caches", "3"), 0);
    CHECK_EQ(store("/proc/sys/vm/drop_caches", "0"), -EINVAL);
    CHECK_EQ(store("/proc/sys/vm/compact_memory", "1"), 0);
    CHECK_EQ(store("/proc/sys/vm/page-cluster", "3"), 0);
    CHECK_EQ(store("/proc/sys/vm/swappiness", "x"), -EINVAL);
    CHECK_EQ(store("/proc/sys/vm/swappiness", ""), 0); /* nothing was written */
    CHECK_EQ(store("/proc/sys/vm/swappiness", "99999999999999999999"), -EINVAL);
    CHECK_EQ(store("/proc/version", "x"), -EIO);
    CHECK(same_text(start_of("/proc/sys/kernel/ostype"), "Linux\n"));
    fs_end();
}

static void nothing_is_made_or_removed_in_proc(void)
{
    if (!fs_boot())
        return;
    CHECK_EQ(put_file("/proc/new", ""), -ENOENT);
    CHECK_EQ(names_make(&at_root, "/proc/new", S_IFDIR | 0755, 0), -ENOENT);
    CHECK_EQ(names_unlink(&at_root, "/proc/version"), -EPERM);
    CHECK_EQ(names_rmdir(&at_root, "/proc/sys"), -EPERM);
    CHECK_EQ(names_rename(&at_root, "/proc/version", &at_root, "/proc/v", 0), -EPERM);
    CHECK_EQ(names_rename(&at_root, "/proc/version", &at_root, "/tmp/v", 0), -EXDEV);
    CHECK(!exists("/proc/none"));
    CHECK(!exists("/proc/self/")); /* as long as there are no processes */
    CHECK_EQ(attributes_of("/proc/stat").number, attributes_of("/proc/stat").number);
    CHECK(attributes_of("/proc/stat").number != attributes_of("/proc/swaps").number);
    fs_end();
}

/* ---- processes that a case makes up ---------------------------------------------------------- */

static int show_subject(struct text *text, uint64_t subject)
{
    if (subject == 66)
        return -ESRCH;
    text_printf(text, "%llu\n", (unsigned long long)subject);
    return 0;
}

static int jump_to_root(uint64_t subject, struct inode **inode, struct entry **entry)
{
    (void)subject;
    *inode = inode_get(fs_root);
    *entry = NULL;
    return 0;
}

static int64_t say_somewhere(uint64_t subject, char *to, size_t size)
{
    (void)subject, (void)size;
    to[0] = '?';
    return 1;
}

static int owner_of(uint64_t subject, struct proc_owner *owner)
{
    *owner = (struct proc_owner){(uint32_t)subject, 7};
    return 0;
}

static const struct proc_node nodes[] = {
    {.name = "number", .mode = S_IFREG | 0400, .show = show_subject, .owner = owner_of},
    {.name = "root", .mode = S_IFLNK | 0777, .read_link = say_somewhere, .jump = jump_to_root},
    {0},
};
static const struct proc_node process_node = {.mode = S_IFDIR | 0555, .children = nodes};

static int lookup(struct inode *directory, struct name name, struct entry **entry)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < name.length; i++)
        number = number * 10 + (uint64_t)(name.text[i] - '0');
    return number < 40 || number > 70 ? -ENOENT
                                      : proc_entry(directory, name, &process_node, number, entry);
}

static int list(struct inode *directory, uint64_t *position, list_fn *tell, void *arg)
{
    (void)directory;
    if (*position <= PROC_FIRST_PROCESS + 42 &&
        tell(arg, (struct name){"42", 2}, proc_number(&process_node, 42), DT_OF_MODE(S_IFDIR),
             PROC_FIRST_PROCESS + 43))
        *position = PROC_FIRST_PROCESS + 43;
    return 0;
}

static int current_number(void)
{
    return 42;
}

static void statistics(struct proc_statistics *s)
{
    s->idle_ns = 1230000000;
}

static void processes_are_found_by_their_numbers(void)
{
    static const struct proc_processes processes = {lookup,         list,       current_number,
                                                    current_number, statistics, NULL};
    char path[64];
    struct walk walk;
    if (!fs_boot())
        return;
    procfs_set_processes(&processes);
    CHECK(same_text(start_of("/proc/42/number"), "42\n"));
    CHECK(same_text(start_of("/proc/self/number"), "42\n"));
    CHECK(same_text(start_of("/proc/50/../self/number"), "42\n"));
    CHECK(contains(names_in("/proc"), " 42 "));
    CHECK(same_text(names_in("/proc/self/"), ". .. number root "));
    CHECK_EQ(attributes_of("/proc/50/number").uid, 50);
    CHECK(link_is("/proc/self", "42"));
    CHECK(link_is("/proc/self/root", "?"));
    CHECK(contains(names_in("/proc/self/root"), " tmp "));
    CHECK(!exists("/proc/71/number"));
    CHECK(contains(start_of("/proc/uptime"), " 1.23\n"));
    /* A directory that is held stays what it is. */
    REQUIRE(path_walk(&walk, fs_test, &root_user, NULL, "/proc/self/", WALK_DIRECTORY) == 0);
    fs_context_set_cwd(fs_test, walk.inode);
    walk_end(&walk);
    CHECK_EQ(inode_path(fs_test->cwd, fs_root, true, path, sizeof path), 9);
    CHECK(same_text(path, "/proc/42"));
    CHECK(same_text(start_of("number"), "42\n"));
    CHECK(same_text(start_of("../50/number"), "50\n"));
    fs_context_set_cwd(fs_test, fs_root);
    procfs_set_processes(NULL);
    fs_end();
}

static void a_process_that_is_gone_is_no_longer_told_of(void)
{
    static const struct proc_processes processes = {lookup,         list,       current_number,
                                                    current_number, statistics, NULL};
    char text[8];
    if (!fs_boot())
        return;
    procfs_set_processes(&processes);
    struct file *file = open_or_null("/proc/66/number", O_RDONLY);
    REQUIRE(file);
    CHECK_EQ(file_read(file, text, sizeof text), -ESRCH);
    file_put(file);
    procfs_set_processes(NULL);
    fs_end();
}

static void long_texts_are_kept_in_pieces(void)
{
    struct text_file text = {0};
    char piece[100], found[300];
    if (!fs_boot())
        return;
    for (unsigned i = 0; i < 1000; i++) {
        size_t length = quire_snprintf(piece, sizeof piece, "%08u%040u\n", i, i);
        text_file_write(&text, piece, length);
    }
    CHECK_EQ(text.size, 49000);
    for (unsigned i = 0; i < 990; i += 7) {
        CHECK_EQ(text_file_read(&text, i * 49ul, found, sizeof found), sizeof found);
        quire_snprintf(piece, sizeof piece, "%08u", i + 5);
        found[5 * 49 + 8] = '\0';
        CHECK(same_text(found + 5 * 49, piece));
    }
    CHECK_EQ(text_file_read(&text, 48999, found, sizeof found), 1);
    CHECK_EQ(text_file_read(&text, 49000, found, sizeof found), 0);
    text_file_clear(&text);
    fs_end();
}

static const struct test_case cases[] = {
    TEST_CASE(the_machine_tells_of_its_memory),
    TEST_CASE(a_file_is_made_anew_when_it_is_read_from_its_beginning),
    TEST_CASE(knobs_take_what_makes_sense),
    TEST_CASE(nothing_is_made_or_removed_in_proc),
    TEST_CASE(processes_are_found_by_their_numbers),
    TEST_CASE(a_process_that_is_gone_is_no_longer_told_of),
    TEST_CASE(long_texts_are_kept_in_pieces),
    {0},
};
const struct test_suite suite_fs_proc = {"fs_proc", cases};
