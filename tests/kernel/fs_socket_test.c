/* tests/kernel/fs_socket_test.c: what waits in queues of sockets, and who watches it; bounds of
 * what programs can make the kernel keep
 */
#include "kernel/fs/epoll.h"
#include "kernel/fs/files.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/socket.h"
#include "kernel/fs/xattr.h"
#include "kernel/memory.h"
#include "tests/kernel/fs_machine.h"

static struct socket_caller caller;
static struct file *ends[2]; /* of a pipe */

static bool sockets_boot(void)
{
    if (!fs_boot())
        return false;
    caller = (struct socket_caller){.at = at_root, .user = {1, 0, 0}};
    CHECK_EQ(pipe_create(ends, &root_user, O_NONBLOCK), 0);
    return ends[1];
}

static void sockets_end(void)
{
    file_put(ends[0]);
    file_put(ends[1]);
    fs_end();
}

static void pair_of(struct file *pair[2])
{
    CHECK_EQ(socket_pair(pair, &caller, SOCK_STREAM, O_NONBLOCK), 0);
}

static int send_files(struct file *by, struct file *const *files, unsigned count, size_t size)
{
    struct packet *packet = packet_new(size);
    if (!packet)
        return -ENOMEM;
    packet->files = quire_kmalloc(machine_slab, count * sizeof *files, QUIRE_GFP_KERNEL);
    for (; packet->files && packet->nr_files < count; packet->nr_files++)
        packet->files[packet->nr_files] = file_get(files[packet->nr_files]);
    int error = socket_send(by, &caller, packet, NULL, false);
    if (error)
        packet_free(packet);
    return error;
}

/* Is the pipe's other end still there? */
static bool is_open(void)
{
    char byte;
    return file_read(ends[0], &byte, 1) == -EAGAIN;
}

static void close_both(struct file *pair[2])
{
    file_put(pair[0]);
    file_put(pair[1]);
}

static void collect(void)
{
    struct file *pair[2];
    pair_of(pair);
    close_both(pair);
}

/* ---- circles --------------------------------------------------------------------------------- */

static void sockets_in_each_others_queues_are_closed(void)
{
    if (!sockets_boot())
        return;
    struct file *a[2], *b[2], *inner;
    pair_of(a);
    pair_of(b);
    CHECK_EQ(send_files(a[0], (struct file *[]){b[0], b[1], ends[1]}, 3, 1), 0); /* in a[1] */
    CHECK_EQ(send_files(b[0], (struct file *[]){a[0], a[1]}, 2, 1), 0);          /* in b[1] */
    file_put(ends[1]);
    ends[1] = NULL;
    inner = a[1];
    file_put(a[0]);
    close_both(b);
    collect();
    CHECK(is_open());
    file_put(inner);
    collect();
    CHECK(!is_open());
    CHECK(!socket_files_wait(0));
    sockets_end();
}

static void what_waits_behind_a_listener_is_in_the_circle(void)
{
    if (!sockets_boot())
        return;
    const struct socket_address name = {.length = 5, .path = "\0name"};
    struct file *listener, *client;
    CHECK_EQ(socket_create(&listener, &caller, SOCK_STREAM, O_NONBLOCK), 0);
    CHECK_EQ(socket_create(&client, &caller, SOCK_STREAM, O_NONBLOCK), 0);
    CHECK_EQ(socket_bind(listener, &caller, &name), 0);
    CHECK_EQ(socket_listen(listener, &caller, 2), 0);
    CHECK_EQ(socket_connect(client, &caller, &name), 0);
    CHECK_EQ(send_files(client, (struct file *[]){listener, client, ends[1]}, 3, 1), 0);
    file_put(ends[1]);
    ends[1] = NULL;
    file_put(client);
    collect();
    CHECK(is_open());
    file_put(listener);
    collect();
    CHECK(!is_open());
    sockets_end();
}

/* A long chain: nothing recurses, and what can be received stays. */
static void what_can_be_received_stays(void)
{
    if (!sockets_boot())
        return;
    struct file *pair[2], *next[2], *first = NULL;
    pair_of(pair);
    first = file_get(pair[1]);
    for (unsigned i = 0; i < 500; i++) {
        pair_of(next);
        CHECK_EQ(send_files(pair[0], (struct file *[]){next[0], next[1]}, 2, 1), 0);
        close_both(pair);
        pair[0] = next[0];
        pair[1] = next[1];
    }
    CHECK_EQ(send_files(pair[0], &ends[1], 1, 1), 0);
    close_both(pair);
    file_put(ends[1]);
    ends[1] = NULL;
    CHECK(socket_files_wait(1000));
    CHECK(is_open());
    file_put(first);
    CHECK(!is_open());
    CHECK(!socket_files_wait(0));
    sockets_end();
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static struct file *pairs[200][2];

static int send_bytes(struct file *by, size_t size, bool wait)
{
    struct packet *packet = packet_new(size);
    if (!packet)
        return -ENOMEM;
    int error = socket_send(by, &caller, packet, NULL, wait);
    if (error)
        packet_free(packet);
    return error;
}

static int close_first(void)
{
    close_both(pairs[0]);
    return 0;
}

/* Who may wait does, and who polls is told when there is room for all again. */
static void queues_end_where_memory_would(void)
{
    unsigned count = 0, all = 0, sent = 1;
    if (!sockets_boot())
        return;
    for (; count < 200 && sent; count++, all += sent) {
        int error;
        CHECK_EQ(socket_pair(pairs[count], &caller, SOCK_SEQPACKET, O_NONBLOCK), 0);
        for (sent = 0; !(error = send_bytes(pairs[count][0], count % 2 ? 0 : 1000, false)); sent++)
            ;
        CHECK_EQ(error, -EAGAIN);
    }
    REQUIRE(!sent && count > 10 && all > 1000);
    struct file *last = pairs[count - 1][0];
    uint32_t before = last->ops->happened(last, POLLOUT);
    CHECK(!(file_poll(last) & POLLOUT));
    fs_while_asleep = close_first;
    CHECK_EQ(send_bytes(last, 1, true), 0);
    CHECK(file_poll(last) & POLLOUT);
    CHECK(last->ops->happened(last, POLLOUT) != before);
    while (--count)
        close_both(pairs[count]);
    sockets_end();
}

/* Each that nobody accepts is two sockets that no descriptor counts. */
static void connections_end_where_memory_would(void)
{
    const struct socket_address nameless = {0};
    struct file *listener, *client;
    struct socket_address name;
    unsigned count = 0;
    int error = 0;
    if (!sockets_boot())
        return;
    CHECK_EQ(socket_create(&listener, &caller, SOCK_STREAM, O_NONBLOCK), 0);
    CHECK_EQ(socket_bind(listener, &caller, &nameless), 0);
    socket_name(listener, &name);
    CHECK_EQ(socket_listen(listener, &caller, UINT32_MAX), 0);
    for (; !error && count < 4096; count += !error) {
        error = socket_create(&client, &caller, SOCK_STREAM, O_NONBLOCK);
        if (error)
            break;
        error = socket_connect(client, &caller, &name);
        file_put(client);
    }
    CHECK_EQ(error, -ENFILE);
    CHECK(count > 100);
    file_put(listener);
    struct file *pair[2];
    pair_of(pair);
    close_both(pair);
    sockets_end();
}

/* However many are open, each has room for PIPE_ATOMIC bytes, and poll agrees. */
static void pipes_end_where_memory_would(void)
{
    static struct file *pipes[1000][2];
    static char bytes[PIPE_BYTES];
    unsigned count = 0, small = 0;
    int error;
    if (!sockets_boot())
        return;
    for (; !(error = pipe_create(pipes[count], &root_user, O_NONBLOCK)); count++) {
        REQUIRE(count < 999);
        int64_t put = file_write(pipes[count][1], bytes, sizeof bytes);
        CHECK(put >= PIPE_ATOMIC);
        small += put == PIPE_ATOMIC;
        CHECK(!(file_poll(pipes[count][1]) & POLLOUT));
    }
    CHECK_EQ(error, -ENFILE);
    CHECK(small > count / 2 && small < count);
    struct file **last = pipes[count - 1];
    CHECK_EQ(file_read(last[0], bytes, 100), 100);
    CHECK_EQ(file_write(last[1], bytes, 100), -EAGAIN);
    uint32_t before = last[1]->ops->happened(last[1], POLLOUT);
    CHECK_EQ(file_read(last[0], bytes, sizeof bytes), PIPE_ATOMIC - 100);
    CHECK(file_poll(last[1]) & POLLOUT);
    CHECK(last[1]->ops->happened(last[1], POLLOUT) != before);
    CHECK_EQ(file_write(last[1], bytes, PIPE_ATOMIC), PIPE_ATOMIC);
    close_both(pipes[0]); /* which had its whole 64 KiB */
    CHECK(file_poll(last[1]) & POLLOUT);
    while (--count)
        close_both(pipes[count]);
    CHECK_EQ(pipe_create(pipes[0], &root_user, O_NONBLOCK), 0);
    CHECK_EQ(file_write(pipes[0][1], bytes, sizeof bytes), PIPE_BYTES);
    close_both(pipes[0]);
    sockets_end();
}

static void attributes_end_where_memory_would(void)
{
    static char value[XATTR_SIZE_MAX];
    char name[] = "user.aaaa";
    if (!sockets_boot())
        return;
    struct file *file = open_or_null("/tmp/attributes", O_RDWR | O_CREAT);
    REQUIRE(file);
    int error = 0;
    for (unsigned i = 0; i < 10000 && !error; i++) {
        for (unsigned at = 0, left = i; at < 4; at++, left /= 26)
            name[5 + at] = (char)('a' + left % 26);
        error = xattr_set(file->inode, &root_user, name, value, sizeof value, 0);
    }
    CHECK_EQ(error, -ENOSPC);
    CHECK_EQ(xattr_remove(file->inode, &root_user, "user.aaaa"), 0);
    CHECK_EQ(xattr_set(file->inode, &root_user, name, value, sizeof value, 0), 0);
    file_put(file);
    sockets_end();
}

/* ---- who watches ----------------------------------------------------------------------------- */

#define LAYERS 5u
#define WIDTH 30u

/* Each of a layer watches all of the next: 810,000 ways from the first to the last. */
static void many_ways_through_epolls_are_walked_once(void)
{
    static struct file *epoll[LAYERS][WIDTH];
    struct epoll_event event = {POLLIN, 1}, told[WIDTH];
    if (!sockets_boot())
        return;
    for (unsigned i = 0; i < LAYERS * WIDTH; i++)
        CHECK_EQ(epoll_create(&epoll[i / WIDTH][i % WIDTH], &root_user), 0);
    for (unsigned layer = LAYERS - 1; layer--;)
        for (unsigned i = 0; i < WIDTH * WIDTH; i++)
            CHECK_EQ(epoll_change(epoll[layer][i / WIDTH], EPOLL_CTL_ADD,
                                  epoll[layer + 1][i % WIDTH], (int)i, &event),
                     0);
    CHECK_EQ(epoll_wait(epoll[0][0], told, WIDTH, 0), 0);
    CHECK_EQ(epoll_change(epoll[LAYERS - 1][0], EPOLL_CTL_ADD, ends[0], 1, &event), 0);
    CHECK_EQ(file_write(ends[1], "a", 1), 1);
    CHECK_EQ(epoll_wait(epoll[0][0], told, WIDTH, 0), WIDTH);
    CHECK_EQ(epoll_change(epoll[LAYERS - 1][0], EPOLL_CTL_ADD, epoll[0][0], 1, &event), -ELOOP);
    for (unsigned i = 0; i < LAYERS * WIDTH; i++)
        file_put(epoll[i / WIDTH][i % WIDTH]);
    sockets_end();
}

static void watches_end_where_memory_would(void)
{
    static struct file *epoll[200];
    struct epoll_event event = {POLLIN, 1};
    unsigned count = 0;
    int error = 0;
    if (!sockets_boot())
        return;
    for (; count < 200 && !error; count++) {
        CHECK_EQ(epoll_create(&epoll[count], &root_user), 0);
        for (int fd = 0; fd < 1000 && !error; fd++)
            error = epoll_change(epoll[count], EPOLL_CTL_ADD, ends[0], fd, &event);
    }
    CHECK_EQ(error, -ENOSPC);
    while (count)
        file_put(epoll[--count]);
    CHECK_EQ(epoll_create(&epoll[0], &root_user), 0);
    CHECK_EQ(epoll_change(epoll[0], EPOLL_CTL_ADD, ends[0], 1, &event), 0);
    file_put(epoll[0]);
    sockets_end();
}

/* ---- what is held ---------------------------------------------------------------------------- */

static void a_held_pipe_is_as_if_nothing_were_there(void)
{
    char bytes[8] = {0};
    if (!sockets_boot())
        return;
    CHECK_EQ(file_write(ends[1], "abcd", 4), 4);
    CHECK_EQ(pipe_hold_start(ends[0], false), 4);
    CHECK_EQ(file_poll(ends[0]), 0);
    CHECK_EQ(file_read(ends[0], bytes, 8), -EAGAIN);
    CHECK_EQ(pipe_hold_start(ends[0], false), -EAGAIN);
    CHECK_EQ(pipe_copy(ends[0], bytes, 1, 2), 2);
    CHECK(same_text(bytes, "bc"));
    CHECK_EQ(file_write(ends[1], "e", 1), 1);
    pipe_give_start(ends[0], 3);
    CHECK_EQ(file_read(ends[0], bytes, 8), 2);
    CHECK_EQ(pipe_hold_end(ends[1], 100, false), 100);
    CHECK_EQ(file_poll(ends[1]), 0);
    CHECK_EQ(file_write(ends[1], "f", 1), -EAGAIN);
    CHECK_EQ(pipe_give_end(ends[1], "gh", 2), 2);
    CHECK_EQ(file_write(ends[1], "i", 1), 1);
    CHECK_EQ(file_read(ends[0], bytes, 8), 3);
    CHECK(bytes[0] == 'g' && bytes[2] == 'i');
    sockets_end();
}

static void a_promised_descriptor_is_nobodys_yet(void)
{
    if (!sockets_boot())
        return;
    struct files *files = files_create();
    REQUIRE(files);
    int fd = files_promise(files, true);
    CHECK_EQ(fd, 0);
    CHECK(!files_get(files, fd));
    CHECK_EQ(files_close(files, fd), -EBADF);
    CHECK_EQ(files_set(files, fd, ends[0], false), -EBUSY);
    CHECK_EQ(files_add(files, file_get(ends[0]), 0, false), 1);
    files_close_range(files, 0, UINT32_MAX, false);
    CHECK_EQ(files_add(files, file_get(ends[0]), 0, false), 1);
    struct files *copy = files_copy(files);
    REQUIRE(copy);
    CHECK_EQ(files_promise(copy, false), 0);
    files_keep(copy, 0, NULL);
    files_put(copy);
    files_keep(files, fd, file_get(ends[1]));
    CHECK_EQ(files_close_on_exec_of(files, fd), 1);
    files_put(files);
    sockets_end();
}

/* Whoever works with it finds it, and what he keeps there is closed. */
static void a_table_that_is_held_outlives_its_processes(void)
{
    if (!sockets_boot())
        return;
    struct files *files = files_create();
    REQUIRE(files);
    files_hold(files);
    int fd = files_promise(files, false);
    CHECK_EQ(files_add(files, file_get(ends[0]), 0, false), 1);
    files_put(files);
    files_keep(files, fd, ends[1]);
    CHECK(is_open());
    files_release(files);
    CHECK(!is_open());
    ends[1] = NULL;
    sockets_end();
}

static const struct test_case cases[] = {
    TEST_CASE(sockets_in_each_others_queues_are_closed),
    TEST_CASE(what_waits_behind_a_listener_is_in_the_circle),
    TEST_CASE(what_can_be_received_stays),
    TEST_CASE(queues_end_where_memory_would),
    TEST_CASE(connections_end_where_memory_would),
    TEST_CASE(pipes_end_where_memory_would),
    TEST_CASE(attributes_end_where_memory_would),
    TEST_CASE(many_ways_through_epolls_are_walked_once),
    TEST_CASE(watches_end_where_memory_would),
    TEST_CASE(a_held_pipe_is_as_if_nothing_were_there),
    TEST_CASE(a_promised_descriptor_is_nobodys_yet),
    TEST_CASE(a_table_that_is_held_outlives_its_processes),
    {0},
};
const struct test_suite suite_fs_socket = {"fs_socket", cases};
