/* kernel/task/exec_strings.c: arguments and environment on their way to a new program */
#include "errno.h"
#include "memory.h"
#include "string.h"
#include "task/exec.h"
#include "task/give_way.h"
#include "task/limits.h"
#include "user.h"

#define FIRST_BYTES 4096u

int exec_strings_init(struct exec_strings *strings)
{
    *strings = (struct exec_strings){0};
    strings->text = quire_kvmalloc(machine_vmalloc, FIRST_BYTES, QUIRE_GFP_KERNEL);
    strings->room = FIRST_BYTES;
    return strings->text ? 0 : -ENOMEM;
}

void exec_strings_free(struct exec_strings *strings)
{
    quire_kvfree(machine_vmalloc, strings->text);
    *strings = (struct exec_strings){0};
}

static int make_room(struct exec_strings *strings, size_t more)
{
    size_t room = strings->room;
    if (more > EXEC_STRING_MAX || strings->size + more > EXEC_STRINGS_MAX)
        return -E2BIG;
    while (room < strings->size + more)
        room *= 2;
    if (room == strings->room)
        return 0;
    char *text = quire_kvmalloc(machine_vmalloc, room, QUIRE_GFP_KERNEL);
    if (!text)
        return -ENOMEM;
    memcpy(text, strings->text, strings->size);
    quire_kvfree(machine_vmalloc, strings->text);
    strings->text = text;
    strings->room = room;
    return 0;
}

int exec_strings_add(struct exec_strings *strings, const char *text, size_t length)
{
    int error = make_room(strings, length + 1);
    if (error)
        return error;
    memcpy(strings->text + strings->size, text, length);
    strings->text[strings->size + length] = '\0';
    strings->size += length + 1;
    strings->count++;
    return 0;
}

/* In steps, so that a short string asks for little room; the last is all that there may be. */
static int add_from_user(struct exec_strings *strings, uintptr_t at)
{
    size_t most = EXEC_STRINGS_MAX - strings->size;
    most = most < EXEC_STRING_MAX ? most : EXEC_STRING_MAX;
    for (size_t step = 256;; step *= 8) {
        int error = make_room(strings, step < most ? step : most);
        if (error)
            return error;
        size_t room = strings->room - strings->size;
        int length = string_from_user(strings->text + strings->size, at,
                                      room < EXEC_STRING_MAX ? room : EXEC_STRING_MAX);
        if (length >= 0) {
            strings->size += (size_t)length + 1;
            strings->count++;
            return 0;
        }
        if (length != -ENAMETOOLONG)
            return length;
        if (step >= most)
            return -E2BIG;
    }
}

#define LEAST_LIMIT 0x20000u /* Linux's ARG_MAX */

/* Of strings and pointers to them, which a Linux of 64 bits counts with 8 bytes in both classes. */
static uint64_t limit(void)
{
    uint64_t bytes = current_process()->limit[RLIMIT_STACK].current / 4;
    bytes = bytes < EXEC_STRINGS_MAX ? bytes : EXEC_STRINGS_MAX;
    return bytes > LEAST_LIMIT ? bytes : LEAST_LIMIT;
}

int exec_strings_from_user(struct exec_strings *strings, uintptr_t array)
{
    for (; array; array += sizeof(uintptr_t)) {
        uintptr_t at;
        if (copy_from_user(&at, array, sizeof at))
            return -EFAULT;
        if (!at)
            break;
        int error = add_from_user(strings, at);
        if (error)
            return error;
        if (strings->count * sizeof(uint64_t) + strings->size > limit())
            return -E2BIG; /* as exec_strings_fit would say when all is copied */
        if (!give_way())
            return -EINTR;
    }
    return 0;
}

int exec_strings_fit(const char *path, const struct exec_strings *argv,
                     const struct exec_strings *envp)
{
    uint64_t pointers = (argv->count ? argv->count : 1) + (uint64_t)envp->count;
    uint64_t size = pointers * sizeof(uint64_t);
    if (size >= limit())
        return -E2BIG;
    size += string_length(path) + 1 + argv->size + envp->size;
    return size <= limit() ? 0 : -E2BIG;
}
