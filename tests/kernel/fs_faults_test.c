/* tests/kernel/fs_faults_test.c: each allocation fails once: nothing leaks, nothing breaks */
#include "kernel/fs/anonymous.h"
#include "kernel/fs/epoll.h"
#include "kernel/fs/files.h"
#include "kernel/fs/lock.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/socket.h"
#include "kernel/fs/timerfd.h"
#include "kernel/fs/xattr.h"
#include "kernel/memory.h"
#include "tests/kernel/fs_machine.h"

static const struct quire_slab_config failing = {
    .debug = "F", .fail = fail_once, .fail_objects = true};

/* An error is what one gets without memory, or what follows from a step before that failed. */
static bool is_expected(int error)
{
    return !error || error == -ENOMEM || error == -ENOENT || error == -ENOTDIR || error == -ENOLCK;
}

static void use_names(void)
{
    CHECK(is_expected(names_make(&at_root, "/tmp/d", S_IFDIR | 0755, 0)));
    CHECK(is_expected(names_make(&at_root, "/tmp/d/e", S_IFDIR | 0755, 0)));
    CHECK(is_expected(names_symlink(&at_root, "/tmp/l", "d/e")));
    for (char path[] = "/tmp/l/a"; path[7] <= 'k'; path[7]++)
        CHECK(is_expected(names_make(&at_root, path, S_IFREG | 0644, 0)));
    CHECK(is_expected(names_rename(&at_root, "/tmp/d/e/a", &at_root, "/tmp/d/other name", 0)));
    CHECK(
        is_expected(names_rename(&at_root, "/tmp/d/e/b", &at_root, "/tmp/d/e/c", RENAME_EXCHANGE)));
    (void)names_in("/tmp/l/");
    CHECK(is_expected(names_unlink(&at_root, "/tmp/d/e/b")));
}

static void use_files(void)
{
    char text[64];
    struct file *file = open_or_null("/tmp/file", O_RDWR | O_CREAT);
    struct file *nameless = open_or_null("/tmp", O_RDWR | O_TMPFILE), *memfd = NULL;
    if (file) {
        struct lock lock = {.owner = file, .type = LOCK_WRITE, .first = 0, .last = 99};
        CHECK(file_write(file, "some text", 9) != 0);
        struct quire_mapping *mapping;
        CHECK(is_expected(file_mapping(file, &mapping)));
        CHECK(is_expected(lock_set(file->inode, &lock, false)));
        lock.type = LOCK_NONE;
        lock.first = lock.last = 50;
        CHECK(is_expected(lock_set(file->inode, &lock, false)));
        CHECK(is_expected(names_unlink(&at_root, "/tmp/file")));
    }
    CHECK(is_expected(memfd_create(&memfd, fs_root, &root_user, "memfd", 0)));
    file_put(file);
    file_put(nameless);
    file_put(memfd);
    file = open_or_null("/proc/meminfo", O_RDONLY);
    if (file)
        (void)!file_read(file, text, sizeof text);
    file_put(file);
}

static void use_descriptors(void)
{
    struct file *ends[2];
    struct files *files = files_create();
    if (!files)
        return;
    int error = pipe_create(ends, &root_user, O_NONBLOCK);
    CHECK(is_expected(error));
    if (!error) {
        CHECK(file_write(ends[1], "through", 7) != 0);
        if (files_add(files, file_get(ends[0]), 100, false) < 0)
            file_put(ends[0]);
        struct files *copy = files_copy(files);
        if (copy)
            files_put(copy);
        file_put(ends[0]);
        file_put(ends[1]);
    }
    files_put(files);
}

/* Sockets that send each other sockets, and all that watch them. */
static void use_sockets(void)
{
    const struct socket_caller caller = {.at = at_root, .user = {1, 0, 0}};
    const struct socket_address name = {.length = 10, .path = "/tmp/name"};
    struct epoll_event event = {POLLIN, 1}, told[2];
    struct file *pair[2] = {NULL, NULL}, *listener = NULL, *client = NULL, *server = NULL;
    struct file *epoll = NULL, *timer = NULL;
    if (socket_pair(pair, &caller, SOCK_STREAM, O_NONBLOCK))
        pair[0] = pair[1] = NULL;
    CHECK(is_expected(epoll_create(&epoll, &root_user)));
    CHECK(is_expected(timerfd_create(&timer, &root_user, 1, O_NONBLOCK)));
    CHECK(is_expected(socket_create(&listener, &caller, SOCK_SEQPACKET, O_NONBLOCK)));
    CHECK(is_expected(socket_create(&client, &caller, SOCK_SEQPACKET, O_NONBLOCK)));
    if (listener && client && !socket_bind(listener, &caller, &name) &&
        !socket_listen(listener, &caller, 1) && !socket_connect(client, &caller, &name))
        CHECK(is_expected(socket_accept(listener, &server, O_NONBLOCK)));
    if (epoll && timer && pair[1]) {
        timerfd_set(timer, 1, 0);
        CHECK(is_expected(epoll_change(epoll, EPOLL_CTL_ADD, timer, 3, &event)));
        CHECK(is_expected(epoll_change(epoll, EPOLL_CTL_ADD, pair[1], 4, &event)));
        CHECK(epoll_wait(epoll, told, 2, 0) >= 0);
    }
    struct packet *packet = pair[0] ? packet_new(10) : NULL;
    if (packet) {
        packet->files = quire_kzalloc(machine_slab, 2 * sizeof *packet->files, QUIRE_GFP_KERNEL);
        for (; packet->files && packet->nr_files < 2 && client && server; packet->nr_files++)
            packet->files[packet->nr_files] = file_get(packet->nr_files ? server : client);
        CHECK_EQ(socket_send(pair[0], &caller, packet, NULL, false), 0);
    }
    file_put(server);
    file_put(client); /* both may be in the packet, which goes with its receiver */
    file_put(listener);
    file_put(pair[0]);
    file_put(pair[1]);
    file_put(timer);
    file_put(epoll);
    CHECK(is_expected(names_unlink(&at_root, "/tmp/name")));
}

static void use_attributes(void)
{
    struct file *file = open_or_null("/tmp/attributes", O_RDWR | O_CREAT);
    char value[8];
    if (!file)
        return;
    int error = xattr_set(file->inode, &root_user, "user.a", "value", 5, 0);
    CHECK(error == 0 || error == -ENOMEM);
    int64_t size = xattr_get(file->inode, &root_user, "user.a", value, sizeof value);
    CHECK_EQ(size, error ? -ENODATA : 5);
    file_put(file);
}

static void whatever_fails_for_want_of_memory_leaves_nothing_behind(void)
{
    unsigned nr_failed = 0;
    bool failed = true;
    vm_slab_config = &failing;
    for (unsigned long n = 1; failed && n < 1000; n++) {
        if (!fs_boot())
            break;
        fail_at = n;
        use_names();
        use_files();
        use_descriptors();
        use_sockets();
        use_attributes();
        failed = fail_at == 0; /* it was reached */
        nr_failed += failed;
        fail_at = 0;
        fs_end();
    }
    CHECK(!failed);
    CHECK(nr_failed);
    CHECK(!failed); /* the last round went to its end */
    vm_slab_config = NULL;
    test_note("%u allocations failed", nr_failed);
}

static const struct test_case cases[] = {
    TEST_CASE(whatever_fails_for_want_of_memory_leaves_nothing_behind),
    {0},
};
const struct test_suite suite_fs_faults = {"fs_faults", cases};
