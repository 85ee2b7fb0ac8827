/* tests/kernel/fs_pipe_test.c: pipes, FIFOs, eventfd, and waiting for several files */
#include "kernel/fs/anonymous.h"
#include "kernel/fs/pipe.h"
#include "kernel/fs/poll.h"
#include "tests/kernel/fs_machine.h"

static struct file *ends[2];
static char large[PIPE_BYTES + 1000], other[PIPE_BYTES + 1000];

static bool pipe_boot(int flags)
{
    if (!fs_boot())
        return false;
    CHECK_EQ(pipe_create(ends, &root_user, flags), 0);
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 31 + i / 4096);
    return true;
}

static void pipe_end(void)
{
    file_put(ends[0]);
    file_put(ends[1]);
    fs_end();
}

static bool same(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

static void what_is_written_comes_out_in_order(void)
{
    if (!pipe_boot(0))
        return;
    size_t in = 0, out = 0;
    while (out < sizeof large) {
        size_t piece = 1 + test_random_below(9000);
        if (piece > sizeof large - in)
            piece = sizeof large - in;
        if (in - out + piece <= PIPE_BYTES)
            in += (size_t)file_write(ends[1], large + in, piece);
        piece = 1 + test_random_below(9000);
        if (in > out)
            out += (size_t)file_read(ends[0], other + out, piece);
    }
    CHECK(same(large, other, sizeof large));
    CHECK_EQ(file_read(ends[1], other, 1), -EBADF);
    CHECK_EQ(file_write(ends[0], other, 1), -EBADF);
    CHECK_EQ(file_pread(ends[0], 0, other, 1), -ESPIPE);
    CHECK_EQ(file_seek(ends[0], 0, SEEK_CUR), -ESPIPE);
    pipe_end();
}

static void without_writers_a_pipe_is_at_its_end(void)
{
    if (!pipe_boot(0))
        return;
    CHECK_EQ(file_read(ends[0], other, 10), -EINTR);
    CHECK_EQ(file_write(ends[1], "last", 4), 4);
    CHECK_EQ(file_poll(ends[0]) & (POLLIN | POLLHUP), POLLIN);
    file_put(ends[1]);
    ends[1] = NULL;
    CHECK_EQ(file_poll(ends[0]) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
    CHECK_EQ(file_read(ends[0], other, 10), 4);
    CHECK_EQ(file_read(ends[0], other, 10), 0);
    pipe_end();
}

static void without_readers_a_pipe_is_broken(void)
{
    if (!pipe_boot(0))
        return;
    file_put(ends[0]);
    ends[0] = NULL;
    CHECK_EQ(file_write(ends[1], "x", 1), -EPIPE);
    CHECK_EQ(file_poll(ends[1]) & POLLERR, POLLERR);
    pipe_end();
}

static void a_full_pipe_takes_small_writes_whole_or_not_at_all(void)
{
    if (!pipe_boot(O_NONBLOCK))
        return;
    CHECK_EQ(file_read(ends[0], other, 1), -EAGAIN);
    CHECK_EQ(pipe_nr_pages(ends[0]), 0);
    CHECK_EQ(file_write(ends[1], large, 10), 10);
    CHECK_EQ(pipe_nr_pages(ends[0]), 1);
    CHECK_EQ(file_read(ends[0], other, 10), 10);
    CHECK_EQ(file_write(ends[1], large, sizeof large), PIPE_BYTES);
    CHECK_EQ(pipe_nr_pages(ends[0]), PIPE_BYTES / PIPE_ATOMIC);
    CHECK_EQ(file_write(ends[1], large, 1), -EAGAIN);
    CHECK_EQ(file_poll(ends[1]) & POLLOUT, 0);
    CHECK_EQ(file_read(ends[0], other, PIPE_ATOMIC - 1), PIPE_ATOMIC - 1);
    CHECK_EQ(file_write(ends[1], large, PIPE_ATOMIC), -EAGAIN);
    CHECK_EQ(file_write(ends[1], large, PIPE_ATOMIC + 1), PIPE_ATOMIC - 1);
    CHECK_EQ(file_read(ends[0], other, PIPE_ATOMIC), PIPE_ATOMIC);
    CHECK_EQ(file_poll(ends[1]) & POLLOUT, POLLOUT);
    CHECK_EQ(file_write(ends[1], large, PIPE_ATOMIC), PIPE_ATOMIC);
    pipe_end();
}

static size_t drained;

static int drain(void)
{
    int64_t got = file_read(ends[0], other + drained, 5000);
    CHECK(got > 0);
    drained += (size_t)got;
    return 0;
}

static void a_large_write_waits_for_its_reader(void)
{
    if (!pipe_boot(0))
        return;
    drained = 0;
    fs_while_asleep = drain;
    CHECK_EQ(file_write(ends[1], large, sizeof large), sizeof large);
    CHECK(drained >= sizeof large - PIPE_BYTES);
    while (drained < sizeof large)
        (void)drain();
    CHECK(same(large, other, sizeof large));
    pipe_end();
}

static struct file *second;

static int open_other_side(void)
{
    fs_while_asleep = NULL;
    second = open_or_null("/tmp/fifo", O_WRONLY);
    return 0;
}

static int open_and_close_other_side(void)
{
    (void)open_other_side();
    file_put(second);
    second = NULL;
    return 0;
}

static void who_opens_a_fifo_waits_for_the_other_side(void)
{
    if (!fs_boot())
        return;
    CHECK_EQ(names_make(&at_root, "/tmp/fifo", S_IFIFO | 0666, 0), 0);
    CHECK(!open_or_null("/tmp/fifo", O_RDONLY));
    CHECK_EQ(fs_error, -EINTR);
    CHECK(!open_or_null("/tmp/fifo", O_WRONLY | O_NONBLOCK));
    CHECK_EQ(fs_error, -ENXIO);
    fs_while_asleep = open_other_side;
    struct file *reader = open_or_null("/tmp/fifo", O_RDONLY);
    REQUIRE(reader && second);
    CHECK_EQ(file_write(second, "through", 7), 7);
    CHECK_EQ(file_read(reader, other, 100), 7);
    file_put(second);
    CHECK_EQ(file_read(reader, other, 100), 0);
    file_put(reader);
    fs_while_asleep = open_and_close_other_side;
    reader = open_or_null("/tmp/fifo", O_RDONLY);
    CHECK(reader);
    file_put(reader);
    fs_end();
}

static int write_to_pipe(void)
{
    CHECK_EQ(file_write(ends[1], "x", 1), 1);
    return 0;
}

static void whoever_polls_is_told_what_is_ready(void)
{
    if (!pipe_boot(0))
        return;
    struct poll_item items[] = {{.file = ends[0], .wanted = POLLIN},
                                {.file = ends[1], .wanted = POLLIN}};
    CHECK_EQ(poll_wait(items, 2, 0), 0);
    CHECK_EQ(poll_wait(items, 2, 1000), 0);
    CHECK_EQ(poll_wait(items, 2, NO_DEADLINE), -EINTR);
    fs_while_asleep = write_to_pipe;
    CHECK_EQ(poll_wait(items, 2, NO_DEADLINE), 1);
    CHECK_EQ(items[0].ready, POLLIN);
    CHECK_EQ(items[1].ready, 0);
    items[1].wanted = POLLOUT;
    CHECK_EQ(poll_wait(items, 2, 0), 2);
    pipe_end();
}

static void an_eventfd_counts(void)
{
    struct file *file = NULL;
    uint64_t value = 5;
    if (!fs_boot())
        return;
    CHECK_EQ(eventfd_create(&file, &root_user, 3, 0x10000000), -EINVAL);
    REQUIRE(eventfd_create(&file, &root_user, 3, O_NONBLOCK) == 0);
    CHECK_EQ(file_write(file, &value, 8), 8);
    CHECK_EQ(file_read(file, &value, 7), -EINVAL);
    CHECK_EQ(file_read(file, &value, 8), 8);
    CHECK_EQ(value, 8);
    CHECK_EQ(file_read(file, &value, 8), -EAGAIN);
    value = UINT64_MAX - 1;
    CHECK_EQ(file_write(file, &value, 8), 8);
    value = 1;
    CHECK_EQ(file_write(file, &value, 8), -EAGAIN);
    CHECK_EQ(file_poll(file), POLLIN | POLLRDNORM);
    file_put(file);
    REQUIRE(eventfd_create(&file, &root_user, 2, EFD_SEMAPHORE | O_NONBLOCK) == 0);
    CHECK_EQ(file_read(file, &value, 8), 8);
    CHECK_EQ(value, 1);
    CHECK_EQ(file_read(file, &value, 8), 8);
    CHECK_EQ(file_read(file, &value, 8), -EAGAIN);
    file_put(file);
    fs_end();
}

static const struct test_case cases[] = {
    TEST_CASE(what_is_written_comes_out_in_order),
    TEST_CASE(without_writers_a_pipe_is_at_its_end),
    TEST_CASE(without_readers_a_pipe_is_broken),
    TEST_CASE(a_full_pipe_takes_small_writes_whole_or_not_at_all),
    TEST_CASE(a_large_write_waits_for_its_reader),
    TEST_CASE(who_opens_a_fifo_waits_for_the_other_side),
    TEST_CASE(whoever_polls_is_told_what_is_ready),
    TEST_CASE(an_eventfd_counts),
    {0},
};
const struct test_suite suite_fs_pipe = {"fs_pipe", cases};
