/* tests/kernel/lines_test.c: the machine's lines, with a device that is slow, or breaks rules
 *
 * A case doesn't end its machine: what drivers take they keep.
 */
#include "kernel/dev/lines.h"

#include "tests/kernel/virtio_machine.h"

#define MULTIPORT 2u
#define NR_BUFFERS 4u

static struct fake_device serial;
static char heard[8192];
static size_t nr_heard;
static bool is_slow; /* what is written stays with the device */

static unsigned sending(enum line line)
{
    return 2 * (unsigned)line + 3;
}

struct message {
    uint32_t port;
    uint16_t event, value;
};

/* "The device is ready" is answered by which ports there are. */
static void control(struct fake_device *device)
{
    struct fake_chain chain, answer;
    while (fake_take(device, 3, &chain)) {
        const struct message *message = (void *)chain.piece[0].memory;
        for (uint32_t port = 0; message->event == 0 && port < NR_LINES; port++)
            if (fake_take(device, 2, &answer)) {
                *(struct message *)(void *)answer.piece[0].memory = (struct message){port, 1, 1};
                fake_give(device, 2, answer.head, sizeof *message);
            }
        fake_give(device, 3, chain.head, 0);
    }
}

static bool take_one(enum line line)
{
    struct fake_chain chain;
    if (!fake_take(&serial, sending(line), &chain))
        return false;
    CHECK(nr_heard + chain.piece[0].size <= sizeof heard);
    __builtin_memcpy(heard + nr_heard, chain.piece[0].memory, chain.piece[0].size);
    nr_heard += chain.piece[0].size;
    fake_give(&serial, sending(line), chain.head, 0);
    return true;
}

static void notify(struct fake_device *device, unsigned queue)
{
    if (queue == 3)
        control(device);
    for (enum line line = LINE_INPUT; !is_slow && line < NR_LINES; line++)
        while (queue == sending(line) && take_one(line))
            ;
}

static int boot(uint16_t queue_size)
{
    serial = (struct fake_device){
        .type = VIRTIO_CONSOLE, .features = MULTIPORT, .irq = 10, .notify = notify};
    for (unsigned i = 0; i < FAKE_QUEUES; i++)
        serial.queue[i].size = i == 2 || i == 3 ? 32 : queue_size;
    is_slow = false;
    nr_heard = 0;
    return fake_boot(&serial, 1) ? lines_init(0) : 1;
}

static void fill_line(enum line line)
{
    char byte = 'x';
    is_slow = true;
    for (unsigned i = 0; i < NR_BUFFERS; i++)
        CHECK_EQ(line_try_write(line, &byte, 1), 1);
    CHECK_EQ(line_try_write(line, &byte, 1), 0);
}

static void a_line_passes_on_what_is_written(void)
{
    if (boot(64))
        return;
    line_write(LINE_OUTPUT, "hello", 5);
    tell("exit %d\n", 3);
    CHECK_EQ(nr_heard, 12);
    CHECK(!__builtin_memcmp(heard, "helloexit 3\n", 12));
    CHECK(!fake_is_awaited(&serial, sending(LINE_OUTPUT)));
}

static void what_is_told_is_one_line_however_long(void)
{
    static char name[400];
    if (boot(64))
        return;
    __builtin_memset(name, 'n', sizeof name - 1);
    tell("oom %s\n", name);
    CHECK_EQ(nr_heard, 255);
    CHECK_EQ(heard[254], '\n');
}

static void queues_that_are_too_short_are_refused(void)
{
    for (uint16_t size = 0; size < NR_BUFFERS; size++)
        CHECK(boot(size));
    CHECK(boot(NR_BUFFERS) >= 0);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static int is_read(void)
{
    CHECK(fake_is_awaited(&serial, sending(LINE_OUTPUT)));
    CHECK(take_one(LINE_OUTPUT));
    fake_interrupt(&serial);
    return 0;
}

static void who_writes_more_than_is_read_waits(void)
{
    static char many[6000];
    if (boot(64))
        return;
    fill_line(LINE_OUTPUT);
    fs_while_asleep = is_read;
    line_write(LINE_OUTPUT, many, sizeof many);
    CHECK_EQ(nr_heard, 2);
    CHECK(!fake_is_awaited(&serial, sending(LINE_OUTPUT)));
}

static unsigned asleep;

/* A second writer joins the first, and is called away; the first one is still to be woken. */
static int comes_and_goes(void)
{
    if (++asleep == 2)
        return -EINTR;
    CHECK_EQ(asleep, 1);
    CHECK_EQ(line_write_interruptible(LINE_OUTPUT, "b", 1), -EINTR);
    return is_read();
}

static void a_writer_who_leaves_lets_the_others_wait_on(void)
{
    if (boot(64))
        return;
    fill_line(LINE_OUTPUT);
    asleep = 0;
    fs_while_asleep = comes_and_goes;
    line_write(LINE_OUTPUT, "a", 1);
    CHECK_EQ(asleep, 2);
}

static void who_polls_is_told_of_room(void)
{
    if (boot(64))
        return;
    CHECK(line_has_room(LINE_OUTPUT));
    fill_line(LINE_OUTPUT);
    uint32_t before = line_changes(LINE_OUTPUT), any = event_read(&any_event);
    CHECK(!line_has_room(LINE_OUTPUT));
    CHECK(line_has_room(LINE_ERRORS));
    /* Another writer comes and goes meanwhile. */
    CHECK_EQ(line_write_interruptible(LINE_OUTPUT, "b", 1), -EINTR);
    CHECK(fake_is_awaited(&serial, sending(LINE_OUTPUT)));
    (void)is_read();
    CHECK(line_changes(LINE_OUTPUT) != before && event_read(&any_event) != any);
    CHECK(!fake_is_awaited(&serial, sending(LINE_OUTPUT)));
    CHECK(line_has_room(LINE_OUTPUT));
}

/* Even if the room is seen before the interrupt is. */
static void who_finds_no_room_is_told_of_it(void)
{
    if (boot(64))
        return;
    fill_line(LINE_OUTPUT);
    uint32_t before = line_changes(LINE_OUTPUT);
    CHECK(fake_is_awaited(&serial, sending(LINE_OUTPUT)));
    CHECK(take_one(LINE_OUTPUT));
    CHECK(line_has_room(LINE_OUTPUT));
    CHECK(fake_is_awaited(&serial, sending(LINE_OUTPUT)));
    fake_interrupt(&serial);
    CHECK(line_changes(LINE_OUTPUT) != before);
    CHECK_EQ(line_try_write(LINE_OUTPUT, "", 0), 0);
}

static void the_end_waits_as_long_as_it_is_told(void)
{
    if (boot(64))
        return;
    lines_wait_until_sent(NO_DEADLINE);
    fill_line(LINE_ERRORS);
    lines_wait_until_sent(1000000);
    CHECK(take_one(LINE_ERRORS));
}

/* ---- breaking rules -------------------------------------------------------------------------- */

static unsigned nr_gone;

static size_t listen(void *arg, const char *bytes, size_t size)
{
    (void)arg, (void)bytes;
    return size;
}

static void gone(void *arg)
{
    (void)arg;
    nr_gone++;
}

/* While one waits for a line another one finds that the device isn't right in its head. */
static int breaks(void)
{
    fake_give(&serial, sending(LINE_OUTPUT), 0xffff, 0);
    line_write(LINE_OUTPUT, "lost", 4);
    return 0;
}

static void who_waits_for_a_line_is_woken_when_another_breaks(void)
{
    static const struct line_listener listener = {listen, gone, NULL};
    if (boot(64))
        return;
    nr_gone = 0;
    CHECK_EQ(line_listen(LINE_INPUT, &listener), 0);
    fill_line(LINE_ERRORS);
    fs_while_asleep = breaks;
    line_write(LINE_ERRORS, "lost", 4);
    CHECK_EQ(nr_gone, 1);
    CHECK(line_has_room(LINE_ERRORS));
    lines_wait_until_sent(NO_DEADLINE);
    CHECK_EQ(serial.status, 0);
}

static const struct test_case cases[] = {
    TEST_CASE(a_line_passes_on_what_is_written),
    TEST_CASE(what_is_told_is_one_line_however_long),
    TEST_CASE(queues_that_are_too_short_are_refused),
    TEST_CASE(who_writes_more_than_is_read_waits),
    TEST_CASE(a_writer_who_leaves_lets_the_others_wait_on),
    TEST_CASE(who_polls_is_told_of_room),
    TEST_CASE(who_finds_no_room_is_told_of_it),
    TEST_CASE(the_end_waits_as_long_as_it_is_told),
    TEST_CASE(who_waits_for_a_line_is_woken_when_another_breaks),
    {0},
};
const struct test_suite suite_lines = {"lines", cases};
