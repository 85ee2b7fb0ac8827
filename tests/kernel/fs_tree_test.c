/* tests/kernel/fs_tree_test.c: names, directories, links, permissions, and paths */
#include "base/text.h"
#include "tests/kernel/fs_machine.h"

static int make_directory(const char *path)
{
    return names_make(&at_root, path, S_IFDIR | 0777, 0);
}

static int rename_flags(const char *old, const char *new, unsigned flags)
{
    return names_rename(&at_root, old, &at_root, new, flags);
}

static int rename(const char *old, const char *new)
{
    return rename_flags(old, new, 0);
}

/* What open of a path says, and 0 if it can be opened. */
static int opening(const char *path, int flags)
{
    file_put(open_or_null(path, flags));
    return fs_error;
}

static void the_tree_begins_with_what_programs_expect(void)
{
    if (!fs_boot())
        return;
    CHECK(same_text(names_in("/"), ". .. dev proc sys tmp root etc boot "));
    CHECK_EQ(attributes_of("/tmp").mode, S_IFDIR | 01777);
    CHECK_EQ(attributes_of("/").nlink, 9);
    CHECK_EQ(attributes_of("/dev/null").rdev, 0x103);
    CHECK(attributes_of("/dev").device != attributes_of("/").device);
    CHECK(link_is("/dev/stdin", "/proc/self/fd/0"));
    fs_end();
}

static void files_are_made_found_and_removed(void)
{
    if (!fs_boot())
        return;
    CHECK(!exists("/tmp/a"));
    CHECK_EQ(put_file("/tmp/a", "text"), 0);
    CHECK(has_text("/tmp/a", "text"));
    CHECK_EQ(attributes_of("/tmp/a").mode, S_IFREG | 0644);
    CHECK_EQ(attributes_of("/tmp/a").size, 4);
    CHECK_EQ(attributes_of("/tmp/a").blocks, 8);
    CHECK_EQ(opening("/tmp/a", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
    CHECK_EQ(names_rmdir(&at_root, "/tmp/a"), -ENOTDIR);
    CHECK_EQ(names_unlink(&at_root, "/tmp/a"), 0);
    CHECK_EQ(names_unlink(&at_root, "/tmp/a"), -ENOENT);
    CHECK(!exists("/tmp/a"));
    fs_end();
}

static void directories_count_their_links_and_have_to_be_empty_to_go(void)
{
    if (!fs_boot())
        return;
    CHECK_EQ(make_directory("/tmp/d"), 0);
    CHECK_EQ(make_directory("/tmp/d"), -EEXIST);
    CHECK_EQ(make_directory("/tmp/d/e/"), 0);
    CHECK_EQ(make_directory("/tmp/x/y"), -ENOENT);
    CHECK_EQ(attributes_of("/tmp/d").nlink, 3);
    CHECK_EQ(attributes_of("/tmp/d").mode, S_IFDIR | 0755);
    CHECK(same_text(names_in("/tmp/d"), ". .. e "));
    CHECK_EQ(names_rmdir(&at_root, "/tmp/d"), -ENOTEMPTY);
    CHECK_EQ(names_unlink(&at_root, "/tmp/d/e"), -EISDIR);
    CHECK_EQ(names_rmdir(&at_root, "/tmp/d/e/."), -EINVAL);
    CHECK_EQ(names_rmdir(&at_root, "/tmp/d/e/.."), -ENOTEMPTY);
    CHECK_EQ(names_rmdir(&at_root, "/"), -EBUSY);
    CHECK_EQ(names_rmdir(&at_root, "/proc"), -EBUSY);
    CHECK_EQ(names_rmdir(&at_root, "/tmp/d/e"), 0);
    CHECK_EQ(attributes_of("/tmp/d").nlink, 2);
    CHECK_EQ(names_rmdir(&at_root, "/tmp/d"), 0);
    fs_end();
}

static void a_large_directory_is_listed_whole(void)
{
    enum { MANY = 2000 };
    char path[32];
    if (!fs_boot())
        return;
    for (unsigned i = 0; i < MANY; i++) {
        quire_snprintf(path, sizeof path, "/tmp/file%u", i);
        REQUIRE(names_make(&at_root, path, S_IFDIR | 0755, 0) == 0);
    }
    CHECK_EQ(attributes_of("/tmp").nlink, MANY + 2);
    for (unsigned i = 0; i < MANY; i++) {
        quire_snprintf(path, sizeof path, "/tmp/file%u", i);
        CHECK(exists(path));
        CHECK_EQ(names_rmdir(&at_root, path), 0);
    }
    CHECK(same_text(names_in("/tmp"), ". .. "));
    fs_end();
}

/* Takes three names, and stops. */
static bool three(void *arg, struct name name, uint64_t number, unsigned type, uint64_t next)
{
    unsigned *count = arg;
    (void)name, (void)number, (void)type, (void)next;
    return (*count)++ < 3;
}

static void a_listing_goes_on_where_it_stopped_whatever_went_meanwhile(void)
{
    unsigned count = 0;
    if (!fs_boot())
        return;
    CHECK_EQ(put_file("/tmp/a", ""), 0);
    CHECK_EQ(put_file("/tmp/b", ""), 0);
    CHECK_EQ(put_file("/tmp/c", ""), 0);
    struct file *file = open_or_null("/tmp", O_RDONLY);
    REQUIRE(file);
    CHECK_EQ(file_list(file, fs_root, three, &count), 0); /* . .. a */
    CHECK_EQ(names_unlink(&at_root, "/tmp/a"), 0);
    CHECK_EQ(names_unlink(&at_root, "/tmp/b"), 0);
    count = 2;
    CHECK_EQ(file_list(file, fs_root, three, &count), 0); /* c */
    CHECK_EQ(count, 3);
    CHECK_EQ(file_list(file, fs_root, three, &count), 0);
    CHECK_EQ(count, 3);
    CHECK_EQ(names_unlink(&at_root, "/tmp/c"), 0);
    file_put(file);
    fs_end();
}

static void hard_links_are_one_file(void)
{
    struct walk walk;
    if (!fs_boot())
        return;
    CHECK_EQ(put_file("/tmp/a", "one"), 0);
    REQUIRE(path_walk(&walk, fs_test, &root_user, NULL, "/tmp/a", 0) == 0);
    CHECK_EQ(names_link(&at_root, "/tmp/b", walk.inode), 0);
    CHECK_EQ(names_link(&at_root, "/tmp/b", walk.inode), -EEXIST);
    CHECK_EQ(names_link(&at_root, "/dev/b", walk.inode), -EXDEV);
    walk_end(&walk);
    CHECK_EQ(attributes_of("/tmp/b").nlink, 2);
    CHECK_EQ(attributes_of("/tmp/b").number, attributes_of("/tmp/a").number);
    CHECK_EQ(put_file("/tmp/b", "two"), 0);
    CHECK(has_text("/tmp/a", "two"));
    CHECK_EQ(rename("/tmp/a", "/tmp/b"), 0); /* the same file: nothing happens */
    CHECK(exists("/tmp/a"));
    CHECK_EQ(names_unlink(&at_root, "/tmp/a"), 0);
    CHECK(has_text("/tmp/b", "two"));
    REQUIRE(path_walk(&walk, fs_test, &root_user, NULL, "/tmp", 0) == 0);
    CHECK_EQ(names_link(&at_root, "/tmp/d", walk.inode), -EPERM);
    walk_end(&walk);
    fs_end();
}

static void symbolic_links_are_followed_as_long_as_there_are_not_too_many(void)
{
    if (!fs_boot())
        return;
    CHECK_EQ(make_directory("/tmp/d"), 0);
    CHECK_EQ(put_file("/tmp/d/f", "found"), 0);
    CHECK_EQ(names_symlink(&at_root, "/tmp/l", "d"), 0);
    CHECK_EQ(names_symlink(&at_root, "/tmp/m", "/tmp//l/./f"), 0);
    CHECK_EQ(names_symlink(&at_root, "/tmp/up", "../tmp/d/../m"), 0);
    CHECK_EQ(names_symlink(&at_root, "/tmp/loop", "loop"), 0);
    CHECK_EQ(names_symlink(&at_root, "/tmp/new", "d/made"), 0);
    CHECK_EQ(names_symlink(&at_root, "/tmp/new", "d"), -EEXIST);
    CHECK_EQ(names_symlink(&at_root, "/tmp/none", ""), -ENOENT);
    CHECK(has_text("/tmp/l/f", "found"));
    CHECK(has_text("/tmp/m", "found"));
    CHECK(has_text("/tmp/up", "found"));
    CHECK_EQ(opening("/tmp/loop", O_RDONLY), -ELOOP);
    CHECK_EQ(opening("/tmp/m", O_RDONLY | O_NOFOLLOW), -ELOOP);
    CHECK_EQ(opening("/tmp/m/", O_RDONLY), -ENOTDIR);
    CHECK_EQ(opening("/tmp/l/", O_RDONLY | O_DIRECTORY), 0);
    CHECK_EQ(opening("/tmp/new", O_RDONLY), -ENOENT);
    CHECK_EQ(opening("/tmp/new", O_WRONLY | O_CREAT | O_EXCL), -EEXIST);
    CHECK_EQ(put_file("/tmp/new", "through"), 0);
    CHECK(has_text("/tmp/d/made", "through"));
    CHECK_EQ(attributes_of("/tmp/l").mode, S_IFLNK | 0777);
    CHECK_EQ(attributes_of("/tmp/l").size, 1);
    CHECK_EQ(names_unlink(&at_root, "/tmp/l"), 0);
    CHECK(exists("/tmp/d/f"));
    fs_end();
}

static void links_through_links_are_counted(void)
{
    char name[32], target[32];
    if (!fs_boot())
        return;
    CHECK_EQ(put_file("/tmp/l0", "end"), 0);
    for (unsigned i = 1; i <= WALK_MAX_LINKS + 1; i++) {
        quire_snprintf(name, sizeof name, "/tmp/l%u", i);
        quire_snprintf(target, sizeof target, "l%u", i - 1);
        CHECK_EQ(names_symlink(&at_root, name, target), 0);
    }
    CHECK(has_text("/tmp/l40", "end"));
    CHECK_EQ(opening("/tmp/l41", O_RDONLY), -ELOOP);
    fs_end();
}

static void paths_are_taken_apart_as_posix_says(void)
{
    static char text[FS_PATH_MAX];
    if (!fs_boot())
        return;
    CHECK_EQ(put_file("/tmp/f", "f"), 0);
    CHECK_EQ(opening("", O_RDONLY), -ENOENT);
    CHECK_EQ(opening("/", O_RDONLY), 0);
    CHECK_EQ(opening("//tmp///", O_RDONLY), 0);
    CHECK_EQ(opening("/../../tmp/../tmp/f", O_RDONLY), 0);
    CHECK_EQ(opening("/tmp/f/", O_RDONLY), -ENOTDIR);
    CHECK_EQ(opening("/tmp/f/.", O_RDONLY), -ENOTDIR);
    CHECK_EQ(opening("/tmp/f/x", O_RDONLY), -ENOTDIR);
    CHECK_EQ(opening("/tmp/new/", O_WRONLY | O_CREAT), -EISDIR);
    CHECK_EQ(opening("/tmp", O_WRONLY), -EISDIR);
    CHECK_EQ(opening("/tmp", O_RDONLY | O_CREAT), -EISDIR);
    CHECK_EQ(opening("/tmp/f", O_RDONLY | O_DIRECTORY), -ENOTDIR);
    CHECK_EQ(opening("/nowhere/f", O_WRONLY | O_CREAT), -ENOENT);
    __builtin_memset(text, 'x', sizeof text);
    text[0] = '/';
    text[1 + FS_NAME_MAX] = '\0';
    CHECK_EQ(put_file(text, "long"), 0);
    text[1 + FS_NAME_MAX] = 'x';
    text[2 + FS_NAME_MAX] = '\0';
    CHECK_EQ(opening(text, O_RDONLY), -ENAMETOOLONG);
    fs_end();
}

static void the_working_directory_may_be_removed(void)
{
    char path[64];
    struct walk walk;
    if (!fs_boot())
        return;
    CHECK_EQ(make_directory("/tmp/d"), 0);
    CHECK_EQ(make_directory("/tmp/d/e"), 0);
    REQUIRE(path_walk(&walk, fs_test, &root_user, NULL, "/tmp/d/e", WALK_DIRECTORY) == 0);
    fs_context_set_cwd(fs_test, walk.inode);
    walk_end(&walk);
    CHECK_EQ(inode_path(fs_test->cwd, fs_root, true, path, sizeof path), 9);
    CHECK(same_text(path, "/tmp/d/e"));
    CHECK_EQ(inode_path(fs_test->cwd, fs_root, true, path, 8), -ERANGE);
    CHECK_EQ(rename("/tmp/d", "/tmp/longer"), 0);
    CHECK_EQ(inode_path(fs_test->cwd, fs_root, true, path, sizeof path), 14);
    CHECK(same_text(path, "/tmp/longer/e"));
    CHECK_EQ(put_file("f", "relative"), 0);
    CHECK(has_text("/tmp/longer/e/f", "relative"));
    CHECK_EQ(names_unlink(&at_root, "./f"), 0);
    CHECK_EQ(names_rmdir(&at_root, "../e"), 0);
    CHECK_EQ(inode_path(fs_test->cwd, fs_root, true, path, sizeof path), -ENOENT);
    CHECK_EQ(put_file("g", ""), -ENOENT);
    CHECK_EQ(opening("..", O_RDONLY), 0);
    CHECK_EQ(opening(".", O_RDONLY), 0);
    CHECK_EQ(inode_path(fs_test->cwd, fs_root, false, path, sizeof path), 24);
    CHECK(same_text(path, "/tmp/longer/e (deleted)"));
    CHECK_EQ(names_rmdir(&at_root, "/tmp/longer"), 0);
    fs_end();
}

static void renaming_replaces_what_it_may(void)
{
    if (!fs_boot())
        return;
    CHECK_EQ(put_file("/tmp/a", "a"), 0);
    CHECK_EQ(put_file("/tmp/b", "b"), 0);
    CHECK_EQ(make_directory("/tmp/d"), 0);
    CHECK_EQ(make_directory("/tmp/d/e"), 0);
    CHECK_EQ(make_directory("/tmp/x"), 0);
    CHECK_EQ(rename("/tmp/a", "/tmp/b"), 0);
    CHECK(!exists("/tmp/a"));
    CHECK(has_text("/tmp/b", "a"));
    CHECK_EQ(rename("/tmp/b", "/tmp/d/e/b"), 0);
    CHECK_EQ(rename("/tmp/d/e/b", "/tmp/x"), -EISDIR);
    CHECK_EQ(rename("/tmp/x", "/tmp/d/e/b"), -ENOTDIR);
    CHECK_EQ(rename("/tmp/x", "/tmp/d"), -ENOTEMPTY);
    CHECK_EQ(rename("/tmp/d", "/tmp/d"), 0); /* itself, though it isn't empty */
    CHECK_EQ(rename("/tmp/d", "/tmp/d/e/f"), -EINVAL);
    CHECK_EQ(rename("/tmp/d/e", "/tmp/d"), -ENOTEMPTY);
    CHECK_EQ(rename("/tmp/d/e/b", "/tmp/c/"), -ENOTDIR);
    CHECK_EQ(rename("/tmp/d", "/dev/d"), -EXDEV);
    CHECK_EQ(rename("/proc", "/proc2"), -EBUSY);
    CHECK_EQ(rename("/tmp/d/.", "/tmp/y"), -EBUSY);
    CHECK_EQ(rename("/tmp/none", "/tmp/y"), -ENOENT);
    CHECK_EQ(rename("/tmp/d/e", "/tmp/x"), 0);
    CHECK_EQ(attributes_of("/tmp/d").nlink, 2);
    CHECK_EQ(attributes_of("/tmp").nlink, 4);
    CHECK(has_text("/tmp/x/b", "a"));
    CHECK(has_text("/tmp/x/../x/b", "a"));
    fs_end();
}

static void names_are_exchanged_or_kept_from_being_replaced(void)
{
    if (!fs_boot())
        return;
    CHECK_EQ(put_file("/tmp/a", "a"), 0);
    CHECK_EQ(make_directory("/tmp/d"), 0);
    CHECK_EQ(make_directory("/tmp/d/sub"), 0);
    CHECK_EQ(put_file("/tmp/d/sub/b", "b"), 0);
    CHECK_EQ(rename_flags("/tmp/a", "/tmp/d", RENAME_NOREPLACE), -EEXIST);
    CHECK_EQ(rename_flags("/tmp/a", "/tmp/n", RENAME_EXCHANGE), -ENOENT);
    CHECK_EQ(rename_flags("/tmp/a", "/tmp/n", RENAME_NOREPLACE | RENAME_EXCHANGE), -EINVAL);
    CHECK_EQ(rename_flags("/tmp/a", "/tmp/n", RENAME_NOREPLACE), 0);
    CHECK_EQ(rename_flags("/tmp/n", "/tmp/d/sub", RENAME_EXCHANGE), 0);
    CHECK(has_text("/tmp/d/sub", "a"));
    CHECK(has_text("/tmp/n/b", "b"));
    CHECK(has_text("/tmp/n/../n/b", "b"));
    CHECK_EQ(attributes_of("/tmp/d").nlink, 2);
    CHECK_EQ(attributes_of("/tmp").nlink, 4);
    CHECK_EQ(rename_flags("/tmp/d", "/tmp/d/sub", RENAME_EXCHANGE), -EINVAL);
    fs_end();
}

static void supplementary_groups_are_looked_for(void)
{
    struct walk walk;
    if (!fs_boot())
        return;
    struct group_list *groups = groups_create(5);
    REQUIRE(groups);
    const uint32_t given[5] = {4000000000, 7, 1000, 7, 20},
                   sorted[5] = {7, 7, 20, 1000, 4000000000};
    __builtin_memcpy(groups->gid, given, sizeof given);
    groups_sort(groups);
    for (unsigned i = 0; i < 5; i++)
        CHECK_EQ(groups->gid[i], sorted[i]);
    struct credentials who = other_user;
    who.groups = groups_get(groups);
    for (unsigned i = 0; i < 5; i++)
        CHECK(credentials_in_group(&who, given[i]));
    CHECK(credentials_in_group(&who, 1001));
    CHECK(!credentials_in_group(&who, 0));
    CHECK(!credentials_in_group(&who, 21));
    CHECK(!credentials_in_group(&who, UINT32_MAX));
    CHECK_EQ(put_file("/tmp/f", "f"), 0);
    REQUIRE(path_walk(&walk, fs_test, &root_user, NULL, "/tmp/f", 0) == 0);
    CHECK_EQ(inode_chown(walk.inode, &root_user, 1000, 20), 0);
    CHECK_EQ(inode_chmod(walk.inode, &root_user, 0640), 0);
    CHECK_EQ(inode_permission(walk.inode, &who, MAY_READ), 0);
    CHECK_EQ(inode_permission(walk.inode, &who, MAY_WRITE), -EACCES);
    CHECK_EQ(inode_permission(walk.inode, &other_user, MAY_READ), -EACCES);
    CHECK_EQ(inode_chown(walk.inode, &root_user, 1001, UINT32_MAX), 0);
    CHECK_EQ(inode_chown(walk.inode, &who, UINT32_MAX, 7), 0);
    CHECK_EQ(inode_chown(walk.inode, &who, UINT32_MAX, 8), -EPERM);
    walk_end(&walk);
    groups_put(who.groups);
    groups_put(groups);
    fs_end();
}

static int try_open(const struct credentials *who, const char *path, int flags)
{
    struct file *file = NULL;
    int error = file_open(&file, fs_test, who, NULL, path, flags, 0666);
    if (!error)
        file_put(file);
    return error;
}

static void permissions_are_looked_at_but_not_for_root(void)
{
    struct walk walk;
    if (!fs_boot())
        return;
    struct fs_at plain = {.fs = fs_test, .who = &plain_user}, other = plain;
    other.who = &other_user;
    CHECK_EQ(try_open(&plain_user, "/f", O_WRONLY | O_CREAT), -EACCES);
    CHECK_EQ(try_open(&plain_user, "/tmp/f", O_RDWR | O_CREAT), 0);
    REQUIRE(path_walk(&walk, fs_test, &root_user, NULL, "/tmp/f", 0) == 0);
    CHECK_EQ(walk.inode->uid, 1000);
    CHECK_EQ(inode_chmod(walk.inode, &other_user, 0777), -EPERM);
    CHECK_EQ(inode_chmod(walk.inode, &plain_user, 0600), 0);
    CHECK_EQ(inode_chown(walk.inode, &plain_user, 0, UINT32_MAX), -EPERM);
    CHECK_EQ(try_open(&other_user, "/tmp/f", O_RDONLY), -EACCES);
    CHECK_EQ(try_open(&root_user, "/tmp/f", O_RDWR), 0);
    CHECK_EQ(inode_permission(walk.inode, &root_user, MAY_EXEC), -EACCES);
    /* /tmp is sticky. */
    CHECK_EQ(names_unlink(&other, "/tmp/f"), -EPERM);
    CHECK_EQ(names_rename(&other, "/tmp/f", &other, "/tmp/g", 0), -EPERM);
    CHECK_EQ(names_rename(&plain, "/tmp/f", &plain, "/tmp/g", 0), 0);
    CHECK_EQ(inode_chown(walk.inode, &root_user, 1001, 1001), 0);
    CHECK_EQ(names_unlink(&plain, "/tmp/g"), -EPERM);
    walk_end(&walk);
    CHECK_EQ(names_unlink(&other, "/tmp/g"), 0);
    CHECK_EQ(try_open(&root_user, "/tmp/rooted", O_RDWR | O_CREAT), 0);
    REQUIRE(path_walk(&walk, fs_test, &root_user, NULL, "/tmp/rooted", 0) == 0);
    CHECK_EQ(names_link(&plain, "/tmp/mine", walk.inode), -EPERM);
    CHECK_EQ(names_link(&at_root, "/tmp/mine", walk.inode), 0);
    walk_end(&walk);
    CHECK_EQ(names_make(&plain, "/tmp/dev", S_IFCHR | 0666, 0x103), -EPERM);
    CHECK_EQ(names_make(&at_root, "/closed", S_IFDIR | 0700, 0), 0);
    CHECK_EQ(names_make(&at_root, "/closed/d", S_IFDIR | 0777, 0), 0);
    CHECK_EQ(try_open(&plain_user, "/closed/d", O_RDONLY), -EACCES);
    CHECK_EQ(try_open(&root_user, "/closed/d", O_RDONLY), 0);
    fs_end();
}

static void unlinked_files_live_as_long_as_they_are_open(void)
{
    char text[64];
    if (!fs_boot())
        return;
    CHECK_EQ(put_file("/tmp/a", "still there"), 0);
    struct file *file = open_or_null("/tmp/a", O_RDONLY);
    REQUIRE(file);
    CHECK_EQ(names_unlink(&at_root, "/tmp/a"), 0);
    CHECK_EQ(put_file("/tmp/a", "another"), 0);
    CHECK_EQ(file_read(file, text, sizeof text), 11);
    CHECK_EQ(file->inode->nlink, 0);
    CHECK_EQ(file_path(file, text, sizeof text), 16);
    CHECK(same_text(text, "/tmp/a (deleted)"));
    file_put(file);
    CHECK(has_text("/tmp/a", "another"));
    fs_end();
}

static const struct test_case cases[] = {
    TEST_CASE(the_tree_begins_with_what_programs_expect),
    TEST_CASE(files_are_made_found_and_removed),
    TEST_CASE(directories_count_their_links_and_have_to_be_empty_to_go),
    TEST_CASE(a_large_directory_is_listed_whole),
    TEST_CASE(a_listing_goes_on_where_it_stopped_whatever_went_meanwhile),
    TEST_CASE(hard_links_are_one_file),
    TEST_CASE(symbolic_links_are_followed_as_long_as_there_are_not_too_many),
    TEST_CASE(links_through_links_are_counted),
    TEST_CASE(paths_are_taken_apart_as_posix_says),
    TEST_CASE(the_working_directory_may_be_removed),
    TEST_CASE(renaming_replaces_what_it_may),
    TEST_CASE(names_are_exchanged_or_kept_from_being_replaced),
    TEST_CASE(supplementary_groups_are_looked_for),
    TEST_CASE(permissions_are_looked_at_but_not_for_root),
    TEST_CASE(unlinked_files_live_as_long_as_they_are_open),
    {0},
};
const struct test_suite suite_fs_tree = {"fs_tree", cases};
