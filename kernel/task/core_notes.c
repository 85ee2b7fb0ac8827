/* kernel/task/core_notes.c: what a core tells beside memory
 *
 * Layouts are Linux's, which follow from the class's own sizes and alignments, so one description
 * serves both. Each thread is copied while nothing sleeps, and found again by its number, since
 * one that was about to end may be gone when there is memory for its note.
 */
#include "task/core_notes.h"

#include "fpu.h"
#include "memory.h"
#include "task/arch_task.h"
#include "task/lifecycle.h"
#include "task/siginfo.h"
#include "user.h"

#define NT_PRSTATUS 1
#define NT_PRPSINFO 3
#define NT_AUXV 6
#define NT_SIGINFO 0x53494749u
#define NOTE_ALIGN 4u
#define MOST_AUX 64u /* words; there are some 40 */
#define PIECE_WORDS 64u
#define MOST_POINTERS (1u << 20) /* before them: arguments and environment */

struct core_time {
    long seconds, microseconds;
};

/* struct elf_prstatus */
struct core_status {
    int number, code, error;
    short current_signal;
    unsigned long pending, blocked;
    int pid, ppid, pgid, sid;
    struct core_time user, system, children_user, children_system;
    unsigned long registers[NR_CORE_REGISTERS];
    int has_fpu;
};

/* struct elf_prpsinfo */
struct core_process {
    char state, state_name, is_zombie, nice;
    unsigned long flags;
#if defined(__x86_64__)
    uint32_t uid, gid;
#else
    uint16_t uid, gid;
#endif
    int pid, ppid, pgid, sid;
    char name[16], arguments[80];
};

#if defined(__x86_64__)
_Static_assert(sizeof(struct core_status) == 336 && sizeof(struct core_process) == 136, "Linux's");
#else
_Static_assert(sizeof(struct core_status) == 144 && sizeof(struct core_process) == 124, "Linux's");
#endif

/* ---- one note -------------------------------------------------------------------------------- */

static void pad(struct text_file *notes, size_t size)
{
    static const char zeros[NOTE_ALIGN];
    text_file_write(notes, zeros, -size & (NOTE_ALIGN - 1));
}

void core_note_begin(struct text_file *notes, const char *name, uint32_t type, size_t size)
{
    uint32_t length = 1;
    while (name[length - 1])
        length++;
    const uint32_t head[3] = {length, (uint32_t)size, type};
    text_file_write(notes, (const char *)head, sizeof head);
    text_file_write(notes, name, length);
    pad(notes, length);
}

void core_note_end(struct text_file *notes, size_t size)
{
    pad(notes, size);
}

void core_note(struct text_file *notes, const char *name, uint32_t type, const void *bytes,
               size_t size)
{
    core_note_begin(notes, name, type, size);
    text_file_write(notes, bytes, size);
    core_note_end(notes, size);
}

/* ---- threads --------------------------------------------------------------------------------- */

static struct core_time time_of(uint64_t ns)
{
    return (struct core_time){(long)(ns / 1000000000), (long)(ns / 1000 % 1000000)};
}

static int parent_of(const struct process *process)
{
    return process->parent ? process->parent->pid : 0;
}

struct thread_copy {
    struct core_status status;
    uint8_t fpu[FXSAVE_BYTES];
};

static void copy_thread(struct thread_copy *copy, const struct task *task, int number)
{
    const struct process *process = current_process();
    copy->status = (struct core_status){.number = number,
                                        .current_signal = (short)number,
                                        .pending = (unsigned long)task->pending.set,
                                        .blocked = (unsigned long)task->blocked,
                                        .pid = task->tid,
                                        .ppid = parent_of(process),
                                        .pgid = process->pgid,
                                        .sid = process->sid,
                                        .user = time_of(task->user_ns),
                                        .system = time_of(task->system_ns),
                                        .children_user = time_of(process->children_user_ns),
                                        .children_system = time_of(process->children_system_ns),
                                        .has_fpu = 1};
    core_registers(task, copy->status.registers);
    memcpy(copy->fpu, task->arch.fpu, sizeof copy->fpu);
}

/* The thread with the least number above `tid` but for the current one; NULL: none. */
static const struct task *next_thread(int tid)
{
    const struct task *next = NULL;
    list_for_each (at, &current_process()->threads) {
        const struct task *task = quire_container_of(at, struct task, thread);
        if (task != current && task->tid > tid && (!next || task->tid < next->tid))
            next = task;
    }
    return next;
}

/* ---- the process ----------------------------------------------------------------------------- */

static void put_process(struct text_file *notes)
{
    const struct process *process = current_process();
    struct quire_mm_program program;
    struct core_process its = {.state_name = 'R',
                               .nice = (char)process->attributes.nice,
                               .pid = process->pid,
                               .ppid = parent_of(process),
                               .pgid = process->pgid,
                               .sid = process->sid};
    its.uid = (__typeof__(its.uid))process->credentials.uid;
    its.gid = (__typeof__(its.gid))process->credentials.gid;
    memcpy(its.name, process->name, sizeof its.name);
    quire_mm_get_program(process->mm, &program);
    size_t length =
        program.arg_end > program.arg_start ? (size_t)(program.arg_end - program.arg_start) : 0;
    if (length > sizeof its.arguments - 1)
        length = sizeof its.arguments - 1;
    length = copy_some_from_user(its.arguments, (uintptr_t)program.arg_start, length);
    for (size_t i = 0; i < length; i++)
        its.arguments[i] = its.arguments[i] ? its.arguments[i] : ' ';
    core_note(notes, "CORE", NT_PRPSINFO, &its, sizeof its);
}

/* Behind two NULLs, that of the arguments and that of the environment; 0: there aren't two. */
static uintptr_t find_aux(uintptr_t at)
{
    unsigned long words[PIECE_WORDS];
    unsigned nulls = 0;
    for (unsigned done = 0; done < MOST_POINTERS; done += PIECE_WORDS) {
        size_t count = copy_some_from_user(words, at, sizeof words) / sizeof *words;
        for (size_t i = 0; i < count; i++) {
            at += sizeof *words;
            nulls += !words[i];
            if (nulls == 2)
                return at;
        }
        if (count < PIECE_WORDS)
            return 0;
    }
    return 0;
}

/* Behind the arguments' number, their pointers, the environment's: on the stack that the program
 * began with, and may have written to since. */
static void put_aux(struct text_file *notes)
{
    struct quire_mm_program program;
    unsigned long words[MOST_AUX] = {0};
    quire_mm_get_program(current_process()->mm, &program);
    uintptr_t at = find_aux((uintptr_t)program.start_stack + sizeof *words);
    size_t size = at ? copy_some_from_user(words, at, sizeof words) : 0, count = 0;
    if (!at)
        return;
    while (count + 2 <= size / sizeof *words && words[count])
        count += 2;
    core_note(notes, "CORE", NT_AUXV, words,
              (count + 2 <= MOST_AUX ? count + 2 : count) * sizeof *words);
}

void core_notes(struct text_file *notes, const struct signal_info *info)
{
    struct thread_copy copy;
    struct user_siginfo siginfo;
    const struct task *task;
    arch_save(current);
    copy_thread(&copy, current, info->number);
    core_note(notes, "CORE", NT_PRSTATUS, &copy.status, sizeof copy.status);
    put_process(notes);
    siginfo_to_user(&siginfo, info);
    core_note(notes, "CORE", NT_SIGINFO, &siginfo, sizeof siginfo);
    put_aux(notes);
    core_fpu_notes(notes, copy.fpu);
    for (int tid = 0; (task = next_thread(tid));) {
        tid = task->tid;
        copy_thread(&copy, task, info->number);
        core_note(notes, "CORE", NT_PRSTATUS, &copy.status, sizeof copy.status);
        core_fpu_notes(notes, copy.fpu);
    }
}
