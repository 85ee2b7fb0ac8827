/* tests/kernel/fs_file_test.c: open files: content, positions, descriptors, locks, mappings */
#include "base/text.h"
#include "kernel/fs/anonymous.h"
#include "kernel/fs/devices.h"
#include "kernel/fs/files.h"
#include "kernel/fs/lock.h"
#include "kernel/fs/random.h"
#include "tests/kernel/fs_machine.h"
#include "tests/unit/vm_file_machine.h"

static void reading_and_writing_move_the_position(void)
{
    char text[16] = {0};
    if (!fs_boot())
        return;
    struct file *file = open_or_null("/tmp/a", O_RDWR | O_CREAT);
    REQUIRE(file);
    CHECK_EQ(file_write(file, "hello world", 11), 11);
    CHECK_EQ(file_seek(file, -5, SEEK_CUR), 6);
    CHECK_EQ(file_read(file, text, sizeof text), 5);
    CHECK(same_text(text, "world"));
    CHECK_EQ(file_read(file, text, sizeof text), 0);
    CHECK_EQ(file_pread(file, 4, text, 1), 1);
    CHECK_EQ(text[0], 'o');
    CHECK_EQ(file_seek(file, 0, SEEK_CUR), 11);
    CHECK_EQ(file_seek(file, -12, SEEK_END), -EINVAL);
    CHECK_EQ(file_seek(file, INT64_MAX, SEEK_CUR), -EOVERFLOW);
    CHECK_EQ(file_seek(file, 3, SEEK_DATA), 3);
    CHECK_EQ(file_seek(file, 3, SEEK_HOLE), 11);
    CHECK_EQ(file_seek(file, 11, SEEK_DATA), -ENXIO);
    CHECK_EQ(file_seek(file, 0, 9), -EINVAL);
    file_put(file);
    file = open_or_null("/tmp/a", O_RDONLY);
    CHECK_EQ(file_write(file, "x", 1), -EBADF);
    file_put(file);
    file = open_or_null("/tmp/a", O_WRONLY | O_APPEND);
    CHECK_EQ(file_read(file, text, 1), -EBADF);
    CHECK_EQ(file_write(file, "!", 1), 1);
    CHECK_EQ(file->position, 12);
    file_put(file);
    CHECK(has_text("/tmp/a", "hello world!"));
    fs_end();
}

static void data_and_holes_are_found(void)
{
    if (!fs_boot())
        return;
    struct file *file = open_or_null("/tmp/a", O_RDWR | O_CREAT);
    REQUIRE(file);
    CHECK_EQ(file_seek(file, 0, SEEK_HOLE), -ENXIO);
    CHECK_EQ(file_pwrite(file, 0x5010, "x", 1), 1);
    CHECK_EQ(file_seek(file, 0, SEEK_DATA), 0x5000);
    CHECK_EQ(file_seek(file, 0x5008, SEEK_DATA), 0x5008);
    CHECK_EQ(file_seek(file, 8, SEEK_HOLE), 8);
    CHECK_EQ(file_seek(file, 0x5000, SEEK_HOLE), 0x5011);
    CHECK_EQ(file_truncate(file, 0x8000), 0);
    CHECK_EQ(file_seek(file, 0x5000, SEEK_HOLE), 0x6000);
    CHECK_EQ(file_seek(file, 0x6000, SEEK_DATA), -ENXIO);
    CHECK_EQ(ramfile_allocate(file->inode, 0, 0x6000, 0x3000), 0);
    CHECK_EQ(attributes_of("/tmp/a").size, 0x9000);
    CHECK_EQ(attributes_of("/tmp/a").blocks, 4 * 8);
    CHECK_EQ(file_seek(file, 0x5000, SEEK_HOLE), 0x9000);
    CHECK_EQ(ramfile_allocate(file->inode, FALLOC_FL_KEEP_SIZE, 0x4000, 0x10000), 0);
    CHECK_EQ(attributes_of("/tmp/a").size, 0x9000);
    CHECK_EQ(attributes_of("/tmp/a").blocks, 5 * 8);
    CHECK_EQ(ramfile_allocate(file->inode, 0, 0, UINT64_C(1) << 34), -ENOSPC);
    CHECK_EQ(attributes_of("/tmp/a").size, 0x9000);
    file_put(file);
    fs_end();
}

static void what_runs_is_not_written_and_the_other_way_round(void)
{
    if (!fs_boot())
        return;
    struct file *file = open_or_null("/tmp/a", O_RDWR | O_CREAT);
    REQUIRE(file);
    struct inode *inode = inode_get(file->inode);
    CHECK_EQ(inode_run_begin(inode), -ETXTBSY);
    file_put(file);
    CHECK_EQ(inode_run_begin(inode), 0);
    CHECK_EQ(inode_run_begin(inode), 0);
    inode_run_end(inode);
    CHECK(!open_or_null("/tmp/a", O_WRONLY));
    CHECK_EQ(fs_error, -ETXTBSY);
    CHECK(!open_or_null("/tmp/a", O_TRUNC));
    CHECK_EQ(fs_error, -ETXTBSY);
    file_put(open_or_null("/tmp/a", O_RDONLY));
    inode_run_end(inode);
    file = open_or_null("/tmp/a", O_WRONLY | O_TRUNC);
    CHECK(file);
    file_put(file);
    CHECK_EQ(inode->writers, 0);
    inode_put(inode);
    fs_end();
}

static void files_have_holes_and_are_cut(void)
{
    char text[4] = "zzz";
    if (!fs_boot())
        return;
    struct file *file = open_or_null("/tmp/a", O_RDWR | O_CREAT);
    REQUIRE(file);
    CHECK_EQ(file_pwrite(file, 0x100000000, "end", 3), 3);
    CHECK_EQ(attributes_of("/tmp/a").size, 0x100000003);
    CHECK_EQ(attributes_of("/tmp/a").blocks, 8);
    CHECK_EQ(file_pread(file, 0x1000, text, 3), 3);
    CHECK_EQ(text[0] | text[1] | text[2], 0);
    CHECK_EQ(file_truncate(file, 2), 0);
    CHECK_EQ(attributes_of("/tmp/a").size, 2);
    CHECK_EQ(attributes_of("/tmp/a").blocks, 0);
    CHECK_EQ(file_pwrite(file, INT64_MAX, "x", 1), -EFBIG);
    CHECK_EQ(file_pwrite(file, (uint64_t)INT64_MAX + 1, "x", 1), -EINVAL);
    CHECK_EQ(file_pwrite(file, 0, "abcdefgh", 8), 8);
    CHECK_EQ(ramfile_allocate(file->inode, FALLOC_FL_PUNCH_HOLE, 2, 3), -EOPNOTSUPP);
    CHECK_EQ(ramfile_allocate(file->inode, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3), 0);
    CHECK_EQ(file_pread(file, 1, text, 2), 2);
    CHECK_EQ(text[0], 'b');
    CHECK_EQ(text[1], 0);
    CHECK_EQ(ramfile_allocate(file->inode, 0, 0, 0), -EINVAL);
    CHECK_EQ(ramfile_allocate(file->inode, 0, 0, 100), 0);
    CHECK_EQ(attributes_of("/tmp/a").size, 100);
    file_put(file);
    file_put(open_or_null("/tmp/a", O_WRONLY | O_TRUNC));
    CHECK_EQ(attributes_of("/tmp/a").size, 0);
    fs_end();
}

static void files_do_not_take_all_memory(void)
{
    static char page[4096];
    if (!fs_boot())
        return;
    struct file *file = open_or_null("/tmp/a", O_RDWR | O_CREAT);
    REQUIRE(file);
    int64_t done, total = 0;
    page[0] = 'x';
    while ((done = file_write(file, page, sizeof page)) > 0)
        total += done;
    CHECK_EQ(done, -ENOSPC);
    CHECK((uint64_t)total / QUIRE_PAGE_SIZE > quire_nr_managed_pages(machine.mem) / 2);
    CHECK(quire_nr_free_pages(machine.mem) > quire_nr_managed_pages(machine.mem) / 16);
    CHECK_EQ(file_pwrite(file, 8, "here", 4), 4); /* a page that is there */
    CHECK_EQ(put_file("/tmp/empty", ""), 0);
    CHECK_EQ(file_truncate(file, 0), 0);
    CHECK_EQ(file_pwrite(file, 0, "again", 5), 5);
    file_put(file);
    fs_end();
}

static struct quire_mapping *mapping_of(struct file *file)
{
    struct quire_mapping *mapping;
    return file_mapping(file, &mapping) ? NULL : mapping;
}

static void mapped_files_share_pages_with_what_is_written(void)
{
    uint64_t word = 0;
    if (!fs_boot())
        return;
    struct quire_mm *mm = mm_new();
    run_on(mm);
    struct file *file = open_or_null("/tmp/a", O_RDWR | O_CREAT);
    REQUIRE(file);
    CHECK_EQ(file_truncate(file, 2 * PAGE), 0);
    quire_linear_t at = map_file(mm, mapping_of(file), 0, 2 * PAGE, RW, QUIRE_MAP_SHARED);
    CHECK(poke(at + PAGE, 0x1234567890abcdef));
    CHECK_EQ(file_pread(file, PAGE, &word, sizeof word), sizeof word);
    CHECK_EQ(word, 0x1234567890abcdef);
    word = 7;
    CHECK_EQ(file_pwrite(file, PAGE, &word, sizeof word), sizeof word);
    CHECK(holds(at + PAGE, 7));
    CHECK_EQ(file_truncate(file, PAGE), 0);
    CHECK(!poke(at + PAGE, 1));
    CHECK_EQ(last_result, QUIRE_VM_BUS_ADRERR);
    file_put(file);
    CHECK_EQ(names_unlink(&at_root, "/tmp/a"), 0);
    CHECK(poke(at, 9));
    CHECK(holds(at, 9));
    mm_end(mm);
    fs_end();
}

static char shown[1024];
static size_t shown_bytes;

static void collect(void *arg, const char *text, size_t length)
{
    (void)arg;
    for (size_t i = 0; i < length && shown_bytes < sizeof shown - 1; i++)
        shown[shown_bytes++] = text[i];
    shown[shown_bytes] = '\0';
}

static const char *maps_of(struct quire_mm *mm)
{
    shown_bytes = 0;
    CHECK_EQ(quire_mm_view(mm, QUIRE_MM_VIEW_MAPS, QUIRE_FORMAT_TEXT, collect, NULL), 0);
    return shown;
}

static void maps_name_files_and_say_when_they_are_deleted(void)
{
    if (!fs_boot())
        return;
    struct quire_mm *mm = mm_new();
    struct file *file = open_or_null("/tmp/lib", O_RDWR | O_CREAT), *memfd = NULL;
    REQUIRE(file);
    CHECK_EQ(file_truncate(file, PAGE), 0);
    quire_linear_t at = map_file(mm, mapping_of(file), 0, PAGE, RW, QUIRE_MAP_PRIVATE);
    CHECK(contains(maps_of(mm), " /tmp/lib\n"));
    CHECK(contains(maps_of(mm), " 00:10 "));
    CHECK_EQ(names_unlink(&at_root, "/tmp/lib"), 0);
    file_put(file);
    CHECK(contains(maps_of(mm), " /tmp/lib (deleted)\n"));
    CHECK_EQ(quire_munmap(mm, at, PAGE), 0);
    CHECK_EQ(memfd_create(&memfd, fs_root, &root_user, "shm", 0), 0);
    CHECK_EQ(file_truncate(memfd, PAGE), 0);
    (void)map_file(mm, mapping_of(memfd), 0, PAGE, RW, QUIRE_MAP_SHARED);
    CHECK(contains(maps_of(mm), " /memfd:shm (deleted)\n"));
    file_put(memfd);
    mm_end(mm);
    fs_end();
}

static void a_volume_counts_the_pages_of_its_files(void)
{
    if (!fs_boot())
        return;
    struct file *file = open_or_null("/dev/shm/a", O_RDWR | O_CREAT);
    REQUIRE(file);
    const struct volume *volume = file->inode->volume;
    CHECK(volume != fs_root->volume);
    unsigned long root = fs_root->volume->nr_pages;
    CHECK_EQ(volume->nr_pages, 0);
    CHECK_EQ(file_pwrite(file, 3 * PAGE, "a", 1), 1);
    CHECK_EQ(volume->nr_pages, 1);
    struct quire_mm *mm = mm_new();
    quire_linear_t at = map_file(mm, mapping_of(file), 0, 3 * PAGE, RW, QUIRE_MAP_SHARED);
    run_on(mm);
    CHECK(poke(at, 1));
    CHECK_EQ(attributes_of("/dev/shm/a").blocks, 2 * PAGE / 512);
    CHECK_EQ(volume->nr_pages, 2);
    mm_end(mm);
    CHECK_EQ(file_truncate(file, PAGE), 0);
    CHECK_EQ(volume->nr_pages, 1);
    CHECK_EQ(names_unlink(&at_root, "/dev/shm/a"), 0);
    CHECK_EQ(volume->nr_pages, 1);
    file_put(file);
    CHECK_EQ(volume->nr_pages, 0);
    CHECK_EQ(fs_root->volume->nr_pages, root);
    fs_end();
}

static void a_memfd_is_sealed_for_good(void)
{
    struct file *file = NULL;
    if (!fs_boot())
        return;
    CHECK_EQ(memfd_create(&file, fs_root, &root_user, "a", 0x80), -EINVAL);
    REQUIRE(memfd_create(&file, fs_root, &root_user, "a", MFD_ALLOW_SEALING) == 0);
    CHECK_EQ(file_pwrite(file, 0, "0123456789", 10), 10);
    CHECK_EQ(ramfile_add_seals(file->inode, F_SEAL_SHRINK), 0);
    CHECK_EQ(file_truncate(file, 5), -EPERM);
    CHECK_EQ(file_truncate(file, 20), 0);
    CHECK_EQ(ramfile_add_seals(file->inode, F_SEAL_GROW), 0);
    CHECK_EQ(file_truncate(file, 21), -EPERM);
    CHECK_EQ(file_pwrite(file, 15, "0123456789", 10), -EPERM);
    CHECK_EQ(file_pwrite(file, 10, "0123456789", 10), 10);
    CHECK_EQ(ramfile_add_seals(file->inode, F_SEAL_WRITE | F_SEAL_SEAL), 0);
    CHECK_EQ(file_pwrite(file, 0, "x", 1), -EPERM);
    CHECK_EQ(ramfile_add_seals(file->inode, F_SEAL_SHRINK), -EPERM);
    CHECK_EQ(file->inode->regular.seals, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    file_put(file);
    fs_end();
}

static void nameless_files_are_gone_when_closed(void)
{
    char text[64];
    if (!fs_boot())
        return;
    CHECK(!open_or_null("/tmp", O_TMPFILE | O_RDONLY));
    CHECK_EQ(fs_error, -EINVAL);
    struct file *file = open_or_null("/tmp", O_TMPFILE | O_RDWR);
    REQUIRE(file);
    CHECK_EQ(file->inode->nlink, 0);
    CHECK(same_text(names_in("/tmp"), ". .. "));
    CHECK(file_path(file, text, sizeof text) > 0);
    CHECK(contains(text, "/tmp/#"));
    CHECK(contains(text, " (deleted)"));
    CHECK_EQ(names_link(&at_root, "/tmp/now", file->inode), 0);
    CHECK_EQ(file->inode->nlink, 1);
    file_put(file);
    CHECK(exists("/tmp/now"));
    fs_end();
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void descriptors_are_the_lowest_that_are_free(void)
{
    if (!fs_boot())
        return;
    struct files *files = files_create();
    REQUIRE(files);
    struct file *file = open_or_null("/dev/null", O_RDWR);
    REQUIRE(file);
    for (int fd = 0; fd < 20; fd++)
        CHECK_EQ(files_add(files, file_get(file), 0, fd == 4), fd);
    CHECK_EQ(files_close(files, 3), 0);
    CHECK_EQ(files_close(files, 3), -EBADF);
    CHECK_EQ(files_close(files, -1), -EBADF);
    CHECK_EQ(files_close(files, 1000000), -EBADF);
    CHECK_EQ(files_add(files, file_get(file), 0, false), 3);
    CHECK_EQ(files_add(files, file_get(file), 100, false), 100);
    CHECK_EQ(files_add(files, file, 1024, false), -EINVAL);
    CHECK_EQ(files_set(files, 50, file_get(file), true), 50);
    CHECK_EQ(files_set(files, 1024, file, true), -EBADF);
    CHECK_EQ(file->refs, 23);
    struct files *copy = files_copy(files);
    REQUIRE(copy);
    CHECK_EQ(file->refs, 45);
    files_close_on_exec(copy);
    CHECK_EQ(files_next(copy, 4), 5);
    CHECK_EQ(files_next(copy, 20), 100);
    CHECK_EQ(files_next(copy, 101), -ENOENT);
    files_close_range(copy, 10, UINT32_MAX, false);
    CHECK_EQ(files_next(copy, 10), -ENOENT);
    CHECK(!files_is_shared(copy));
    CHECK(files_share(copy) == copy);
    CHECK(files_is_shared(copy));
    files_put(copy);
    CHECK_EQ(files_next(copy, 5), 5);
    files_put(copy);
    files_set_limit(files, 20);
    CHECK_EQ(files_add(files, file, 0, false), -EMFILE);
    files_put(files);
    CHECK_EQ(file->refs, 1);
    file_put(file);
    fs_end();
}

/* ---- locks ----------------------------------------------------------------------------------- */

static struct lock range(enum lock_type type, const void *owner, uint64_t first, uint64_t last)
{
    return (struct lock){
        .kind = LOCK_RANGE, .type = type, .owner = owner, .first = first, .last = last};
}

static int lock_range(struct file *file, enum lock_type type, const void *owner, uint64_t first,
                      uint64_t last)
{
    struct lock lock = range(type, owner, first, last);
    return lock_set(file->inode, &lock, false);
}

static void ranges_are_locked_between_owners_and_cut_by_their_own(void)
{
    static const char a, b;
    if (!fs_boot())
        return;
    struct file *file = open_or_null("/tmp/a", O_RDWR | O_CREAT);
    REQUIRE(file);
    CHECK_EQ(lock_range(file, LOCK_WRITE, &a, 0, UINT64_MAX), 0);
    CHECK_EQ(lock_range(file, LOCK_READ, &b, 5, 5), -EAGAIN);
    CHECK_EQ(lock_range(file, LOCK_NONE, &a, 10, 19), 0);
    CHECK_EQ(lock_range(file, LOCK_WRITE, &b, 10, 19), 0);
    CHECK_EQ(lock_range(file, LOCK_READ, &b, 9, 9), -EAGAIN);
    CHECK_EQ(lock_range(file, LOCK_READ, &b, 20, 20), -EAGAIN);
    CHECK_EQ(lock_range(file, LOCK_READ, &a, 0, 9), 0);
    CHECK_EQ(lock_range(file, LOCK_READ, &b, 9, 9), 0);
    CHECK_EQ(lock_range(file, LOCK_WRITE, &b, 9, 9), -EAGAIN);
    struct lock wanted = range(LOCK_WRITE, &b, 30, 30);
    const struct lock *other = lock_conflict(file->inode, &wanted);
    REQUIRE(other);
    CHECK_EQ(other->first, 20);
    CHECK_EQ(other->last, UINT64_MAX);
    lock_release_owner(file->inode, &a);
    CHECK_EQ(lock_range(file, LOCK_WRITE, &b, 0, UINT64_MAX), 0);
    lock_release_owner(file->inode, &b);
    CHECK(file->inode->locks.next == &file->inode->locks);
    file_put(file);
    fs_end();
}

static struct file *locked;
static const char waiting_for;

static int unlock_meanwhile(void)
{
    lock_release_owner(locked->inode, &waiting_for);
    return 0;
}

static void who_waits_for_a_lock_gets_it_when_it_is_free(void)
{
    static const char me;
    if (!fs_boot())
        return;
    locked = open_or_null("/tmp/a", O_RDWR | O_CREAT);
    REQUIRE(locked);
    CHECK_EQ(lock_range(locked, LOCK_WRITE, &waiting_for, 0, 9), 0);
    struct lock lock = range(LOCK_WRITE, &me, 5, 15);
    CHECK_EQ(lock_set(locked->inode, &lock, true), -EINTR);
    fs_while_asleep = unlock_meanwhile;
    CHECK_EQ(lock_set(locked->inode, &lock, true), 0);
    lock_release_owner(locked->inode, &me);
    file_put(locked);
    fs_end();
}

static void descriptors_give_up_locks_when_closed(void)
{
    static const char other;
    if (!fs_boot())
        return;
    struct files *files = files_create();
    struct file *file = open_or_null("/tmp/a", O_RDWR | O_CREAT);
    struct file *second = open_or_null("/tmp/a", O_RDWR);
    REQUIRE(files && file && second);
    CHECK_EQ(files_add(files, file_get(file), 0, false), 0);
    CHECK_EQ(files_add(files, second, 0, false), 1);
    struct lock lock = range(LOCK_WRITE, files, 0, 9);
    struct lock whole = {
        .kind = LOCK_WHOLE, .type = LOCK_WRITE, .owner = second, .last = UINT64_MAX};
    CHECK_EQ(lock_set(file->inode, &lock, false), 0);
    CHECK_EQ(lock_set(file->inode, &whole, false), 0);
    CHECK_EQ(lock_range(file, LOCK_READ, &other, 0, 0), -EAGAIN);
    CHECK_EQ(files_close(files, 1), 0); /* any descriptor of the file, as POSIX has it */
    CHECK_EQ(lock_range(file, LOCK_READ, &other, 0, 0), 0);
    lock_release_owner(file->inode, &other);
    CHECK(file->inode->locks.next == &file->inode->locks);
    files_put(files);
    file_put(file);
    fs_end();
}

/* ---- devices --------------------------------------------------------------------------------- */

static void devices_do_what_their_names_say(void)
{
    char bytes[64];
    struct quire_mapping *mapping;
    if (!fs_boot())
        return;
    struct file *null = open_or_null("/dev/null", O_RDWR);
    struct file *zero = open_or_null("/dev/zero", O_RDWR);
    struct file *full = open_or_null("/dev/full", O_RDWR);
    REQUIRE(null && zero && full);
    CHECK_EQ(file_read(null, bytes, sizeof bytes), 0);
    CHECK_EQ(file_write(null, bytes, sizeof bytes), sizeof bytes);
    bytes[63] = 1;
    CHECK_EQ(file_read(zero, bytes, sizeof bytes), sizeof bytes);
    CHECK_EQ(bytes[63], 0);
    CHECK_EQ(file_write(full, bytes, 1), -ENOSPC);
    CHECK(file_is_zero(zero));
    CHECK(!file_is_zero(null));
    CHECK_EQ(file_mapping(null, &mapping), -ENODEV);
    file_put(null);
    file_put(zero);
    file_put(full);
    CHECK(!open_or_null("/dev/ttyS0", O_RDWR));
    CHECK_EQ(fs_error, -ENXIO);
    fs_end();
}

static void random_bytes_differ_and_depend_on_the_seed(void)
{
    unsigned char a[100], b[100];
    unsigned same = 0;
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    for (unsigned i = 0; i < sizeof a; i++)
        same += a[i] == b[i];
    CHECK(same < 10);
    random_seed("seed", 4);
    random_bytes(a, sizeof a);
    for (unsigned i = same = 0; i < sizeof a; i++)
        same += a[i] == b[i];
    CHECK(same < 10);
}

static const struct test_case cases[] = {
    TEST_CASE(reading_and_writing_move_the_position),
    TEST_CASE(files_have_holes_and_are_cut),
    TEST_CASE(data_and_holes_are_found),
    TEST_CASE(what_runs_is_not_written_and_the_other_way_round),
    TEST_CASE(files_do_not_take_all_memory),
    TEST_CASE(mapped_files_share_pages_with_what_is_written),
    TEST_CASE(maps_name_files_and_say_when_they_are_deleted),
    TEST_CASE(a_volume_counts_the_pages_of_its_files),
    TEST_CASE(a_memfd_is_sealed_for_good),
    TEST_CASE(nameless_files_are_gone_when_closed),
    TEST_CASE(descriptors_are_the_lowest_that_are_free),
    TEST_CASE(ranges_are_locked_between_owners_and_cut_by_their_own),
    TEST_CASE(who_waits_for_a_lock_gets_it_when_it_is_free),
    TEST_CASE(descriptors_give_up_locks_when_closed),
    TEST_CASE(devices_do_what_their_names_say),
    TEST_CASE(random_bytes_differ_and_depend_on_the_seed),
    {0},
};
const struct test_suite suite_fs_file = {"fs_file", cases};
