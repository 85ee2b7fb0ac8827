/* kernel/task/exec_stack.c: what a program finds on its stack
 *
 * From the top down: a word of zero, the program's path, the environment's strings, the arguments'
 * strings, 16 random bytes, the platform's name, room to align; the auxiliary vector, pointers to
 * the environment, pointers to the arguments, their number, at which the stack pointer stands.
 */
#include "task/exec_stack.h"

#include "base/bits.h"
#include "cpu.h"
#include "errno.h"
#include "fs/random.h"
#include "memory.h"
#include "task/task.h"
#include "task/vdso.h"

#define STACK_ROOM 0x20000u /* mapped at first, beyond what is used; as on Linux */
#define CLOCK_TICKS 100

#define AT_NULL 0
#define AT_IGNORE 1
#define AT_PHDR 3
#define AT_PHENT 4
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_BASE 7
#define AT_FLAGS 8
#define AT_ENTRY 9
#define AT_UID 11
#define AT_EUID 12
#define AT_GID 13
#define AT_EGID 14
#define AT_PLATFORM 15
#define AT_HWCAP 16
#define AT_CLKTCK 17
#define AT_SECURE 23
#define AT_RANDOM 25
#define AT_HWCAP2 26
#define AT_EXECFN 31
#define AT_SYSINFO 32
#define AT_SYSINFO_EHDR 33
#define NR_AUX 21

#if defined(__x86_64__)
#define PLATFORM "x86_64"
#else
#define PLATFORM "i686"
#endif

typedef unsigned long word;

struct writer {
    struct quire_mm *mm;
    quire_linear_t at;
    unsigned count;
    bool failed;
    word words[32];
};

static void flush(struct writer *writer)
{
    size_t size = writer->count * sizeof(word);
    if (size && quire_copy_to_user(writer->mm, writer->at, writer->words, size))
        writer->failed = true;
    writer->at += size;
    writer->count = 0;
}

static void put(struct writer *writer, quire_linear_t value)
{
    if (writer->count == sizeof writer->words / sizeof writer->words[0])
        flush(writer);
    writer->words[writer->count++] = (word)value;
}

static void put_pointers(struct writer *writer, const struct exec_strings *strings,
                         quire_linear_t at)
{
    for (size_t i = 0; i < strings->size; i++)
        if (!i || !strings->text[i - 1])
            put(writer, at + i);
    put(writer, 0);
}

static void put_aux(struct writer *writer, const struct exec_stack *stack, quire_linear_t path,
                    quire_linear_t random, quire_linear_t platform)
{
    const struct credentials *who = stack->who;
    const quire_linear_t sysinfo = vdso_function(stack->vdso, "__kernel_vsyscall");
    const quire_linear_t aux[NR_AUX][2] = {
        {sysinfo ? AT_SYSINFO : AT_IGNORE, sysinfo},
        {AT_SYSINFO_EHDR, stack->vdso},
        {AT_HWCAP, cpu_id(1).edx},
        {AT_PAGESZ, QUIRE_PAGE_SIZE},
        {AT_CLKTCK, CLOCK_TICKS},
        {AT_PHDR, (quire_linear_t)stack->place->headers},
        {AT_PHENT, sizeof(struct elf_segment)},
        {AT_PHNUM, stack->elf->header.phnum},
        {AT_BASE, stack->interpreter},
        {AT_FLAGS, 0},
        {AT_ENTRY, (quire_linear_t)stack->place->entry},
        {AT_UID, who->uid},
        {AT_EUID, who->euid},
        {AT_GID, who->gid},
        {AT_EGID, who->egid},
        {AT_SECURE, who->uid != who->euid || who->gid != who->egid},
        {AT_RANDOM, random},
        {AT_HWCAP2, 0},
        {AT_EXECFN, path},
        {AT_PLATFORM, platform},
        {AT_NULL, 0},
    };
    for (unsigned i = 0; i < NR_AUX; i++) {
        put(writer, aux[i][0]);
        put(writer, aux[i][1]);
        if (aux[i][0] == AT_NULL)
            break;
    }
}

static size_t length_of(const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return length;
}

/* Takes room off the stack, and writes it. */
static quire_linear_t push(struct writer *writer, quire_linear_t *at, const void *bytes,
                           size_t size)
{
    *at -= size;
    if (size && quire_copy_to_user(writer->mm, *at, bytes, size))
        writer->failed = true;
    return *at;
}

static int map_stack(struct quire_mm *mm, quire_linear_t top, size_t used, bool executable)
{
    uint64_t size = quire_align_up(used + STACK_ROOM, QUIRE_PAGE_SIZE);
    unsigned prot = QUIRE_PROT_READ | QUIRE_PROT_WRITE | (executable ? QUIRE_PROT_EXEC : 0);
    int64_t at = quire_mmap(mm, top - (quire_linear_t)size, size, prot,
                            QUIRE_MAP_PRIVATE | QUIRE_MAP_ANONYMOUS | QUIRE_MAP_GROWSDOWN |
                                QUIRE_MAP_STACK | QUIRE_MAP_FIXED_NOREPLACE,
                            NULL, 0);
    return at < 0 ? (int)at : 0;
}

int exec_stack_make(struct exec_stack *stack, struct quire_mm *mm, quire_linear_t top)
{
    const struct exec_strings *argv = stack->argv, *envp = stack->envp;
    size_t words = 1 + argv->count + 1 + envp->count + 1 + 2 * NR_AUX;
    size_t path_size = length_of(stack->path) + 1;
    size_t used = argv->size + envp->size + path_size + words * sizeof(word) + 256;
    if (used > EXEC_STRINGS_MAX + EXEC_STRINGS_MAX / 2)
        return -E2BIG;
    int error = map_stack(mm, top, used, stack->elf->executable_stack);
    if (error)
        return error;

    static const char platform_name[] = PLATFORM;
    uint8_t noise[16];
    random_bytes(noise, sizeof noise);
    struct writer writer = {.mm = mm};
    quire_linear_t at = top - sizeof(word);
    quire_linear_t path = push(&writer, &at, stack->path, path_size);
    stack->env_start = push(&writer, &at, envp->text, envp->size);
    stack->env_end = stack->env_start + envp->size;
    stack->arg_start = push(&writer, &at, argv->text, argv->size);
    stack->arg_end = stack->arg_start + argv->size;
    quire_linear_t random = push(&writer, &at, noise, sizeof noise);
    quire_linear_t platform = push(&writer, &at, platform_name, sizeof platform_name);

    stack->pointer = (quire_linear_t)quire_align_down(at - words * sizeof(word), 16);
    writer.at = stack->pointer;
    put(&writer, argv->count);
    put_pointers(&writer, argv, stack->arg_start);
    put_pointers(&writer, envp, stack->env_start);
    put_aux(&writer, stack, path, random, platform);
    flush(&writer);
    return writer.failed ? -ENOMEM : 0;
}
