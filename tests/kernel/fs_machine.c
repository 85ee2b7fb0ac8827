/* tests/kernel/fs_machine.c: a tree of files on a simulated machine */
#include "tests/kernel/fs_machine.h"

#include "kernel/event.h"
#include "kernel/memory.h"
#include "kernel/task/system_name.h"

struct quire_slab *machine_slab;
struct quire_mem *machine_mem;
struct quire_vm *machine_vm;
struct quire_vmalloc *machine_vmalloc;
struct event any_event;
char system_node[65] = "node", system_domain[65] = "domain";

struct fs_context *fs_test;
const struct credentials root_user;
#define PLAIN(id)                                                                                  \
    {                                                                                              \
        .uid = (id), .euid = (id), .suid = (id), .gid = (id), .egid = (id), .sgid = (id),          \
        .lacks = CAP_ALL, .lost = CAP_ALL                                                          \
    }
const struct credentials plain_user = PLAIN(1000);
const struct credentials other_user = PLAIN(1001);
struct fs_at at_root;
int (*fs_while_asleep)(void);
int fs_error;

/* ---- sleeping -------------------------------------------------------------------------------- */

int event_wait(struct event *event, uint32_t seen, uint64_t deadline)
{
    if (event->changes != seen)
        return 0;
    if (fs_while_asleep)
        return fs_while_asleep();
    return deadline == NO_DEADLINE ? -EINTR : -ETIMEDOUT;
}

void event_wait_uninterruptible(struct event *event, uint32_t seen)
{
    CHECK(event->changes != seen || fs_while_asleep);
    if (event->changes == seen && fs_while_asleep)
        (void)fs_while_asleep();
    CHECK(event->changes != seen); /* or he slept on */
}

int event_wait_killable(struct event *event, uint32_t seen)
{
    return event_wait(event, seen, NO_DEADLINE);
}

void event_give_way(void)
{
}

const void *event_who(void)
{
    return NULL;
}

void event_signal(struct event *event)
{
    event->changes++;
    any_event.changes++;
}

/* ---- begin and end --------------------------------------------------------------------------- */

bool fs_boot(void)
{
    if (!vm_boot(16 * MIB, QUIRE_PT_FORMAT_X86_64))
        return false;
    machine_slab = slab;
    machine_mem = machine.mem;
    machine_vm = test_vm;
    fs_while_asleep = NULL;
    int error = fs_init();
    CHECK_EQ(error, 0);
    fs_test = error ? NULL : fs_context_create(fs_root);
    CHECK(fs_test);
    at_root = (struct fs_at){.fs = fs_test, .who = &root_user};
    return fs_test;
}

void fs_end(void)
{
    fs_context_put(fs_test);
    fs_destroy();
    vm_end();
}

/* ---- shorthands ------------------------------------------------------------------------------ */

struct file *open_or_null(const char *path, int flags)
{
    struct file *file = NULL;
    fs_error = file_open(&file, fs_test, &root_user, NULL, path, flags, 0666);
    return fs_error ? NULL : file;
}

bool same_text(const char *a, const char *b)
{
    for (; *a && *a == *b; a++)
        b++;
    return *a == *b;
}

static size_t length_of(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

int put_file(const char *path, const char *text)
{
    struct file *file = open_or_null(path, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file)
        return fs_error;
    CHECK_EQ(file_write(file, text, length_of(text)), length_of(text));
    file_put(file);
    return 0;
}

bool has_text(const char *path, const char *text)
{
    static char found[8192];
    struct file *file = open_or_null(path, O_RDONLY);
    if (!file)
        return false;
    int64_t size = file_read(file, found, sizeof found - 1);
    file_put(file);
    found[size > 0 ? size : 0] = '\0';
    return size >= 0 && same_text(found, text);
}

bool link_is(const char *path, const char *text)
{
    struct walk walk;
    char found[512];
    if (path_walk(&walk, fs_test, &root_user, NULL, path, 0))
        return false;
    int64_t length = inode_read_link(walk.inode, found, sizeof found - 1);
    walk_end(&walk);
    found[length > 0 ? length : 0] = '\0';
    return length > 0 && same_text(found, text);
}

struct attributes attributes_of(const char *path)
{
    struct walk walk;
    struct attributes attributes = {0};
    if (path_walk(&walk, fs_test, &root_user, NULL, path, 0))
        return attributes;
    inode_attributes(walk.inode, &attributes);
    walk_end(&walk);
    return attributes;
}

bool exists(const char *path)
{
    return attributes_of(path).mode;
}

struct names {
    char text[2048];
    size_t used;
};

static bool note_name(void *arg, struct name name, uint64_t number, unsigned type, uint64_t next)
{
    struct names *names = arg;
    CHECK(number);
    CHECK(type);
    CHECK(next);
    if (names->used + name.length + 2 > sizeof names->text)
        return false;
    __builtin_memcpy(names->text + names->used, name.text, name.length);
    names->used += name.length;
    names->text[names->used++] = ' ';
    return true;
}

const char *names_in(const char *path)
{
    static struct names names;
    names.used = 0;
    struct file *file = open_or_null(path, O_RDONLY | O_DIRECTORY);
    if (file) {
        CHECK_EQ(file_list(file, fs_root, note_name, &names), 0);
        file_put(file);
    }
    names.text[names.used] = '\0';
    return names.text;
}
