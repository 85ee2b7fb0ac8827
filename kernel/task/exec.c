/* kernel/task/exec.c: a process begins another program
 *
 * The new address space is made complete beside the old one; what can fail fails before the old one
 * goes, but for other threads of the process, which end first.
 */
#include "task/exec.h"

#include "base/bits.h"
#include "base/events.h"
#include "base/text.h"
#include "errno.h"
#include "fs/file.h"
#include "fs/files.h"
#include "fs/path.h"
#include "memory.h"
#include "task/arch_task.h"
#include "task/elf.h"
#include "task/exec_stack.h"
#include "task/lifecycle.h"
#include "task/limits.h"
#include "task/posix_timer.h"
#include "task/sched.h"
#include "task/vdso.h"

#define MAX_SCRIPTS 5 /* interpreters of interpreters, as Linux allows */
#define SCRIPT_BYTES 256
#define PATH_BYTES 4096u

#if defined(__x86_64__)
#define LAYOUT quire_mm_layout_x86_64
#define SHARED_BASE 0x555555554000 /* of position-independent programs: 2/3 of the addresses */
#else
#define LAYOUT quire_mm_layout_i386
#define SHARED_BASE 0x400000
#endif

struct program {
    struct file *file;
    struct elf elf;
    struct quire_mm *mm;
    struct elf_place place, interpreter;
    struct exec_stack stack;
    struct credentials who; /* that it will have */
};

/* ---- the file -------------------------------------------------------------------------------- */

static int open_program(struct file **file, struct inode *start, const char *path)
{
    struct process *process = current_process();
    int error = file_open_to_run(file, current->fs, &process->credentials, start, path);
    if (error)
        return error;
    error = inode_run_begin((*file)->inode);
    if (error)
        file_put(*file);
    return error;
}

static void close_program(struct file *file)
{
    inode_run_end(file->inode);
    file_put(file);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* "#! interpreter [one argument]": cuts the line into the two. -ENOEXEC: it isn't such a line. */
static int parse_script(char *line, size_t size, const char **interpreter, const char **argument)
{
    size_t i = 2;
    if (size < 2 || line[0] != '#' || line[1] != '!')
        return -ENOEXEC;
    while (i < size && is_blank(line[i]))
        i++;
    size_t begin = i, end = begin;
    while (end < size && line[end] && line[end] != '\n')
        end++;
    bool cut = end == SCRIPT_BYTES - 1;
    while (end > begin && is_blank(line[end - 1]))
        end--;
    for (i = begin; i < end && !is_blank(line[i]);)
        i++;
    if (i == begin || (cut && i == end))
        return -ENOEXEC;
    line[end] = '\0';
    *interpreter = line + begin;
    *argument = NULL;
    if (i < end) {
        line[i++] = '\0';
        while (is_blank(line[i]))
            i++;
        *argument = line + i;
    }
    return 0;
}

static int add(struct exec_strings *strings, const char *text)
{
    size_t length = 0;
    while (text[length])
        length++;
    return exec_strings_add(strings, text, length);
}

/* The arguments of a script's interpreter: itself, its argument, the script, the rest. */
static int script_arguments(struct exec_strings *argv, const char *interpreter,
                            const char *argument, const char *script)
{
    struct exec_strings made;
    int error = exec_strings_init(&made);
    if (error)
        return error;
    error = add(&made, interpreter);
    if (!error && argument)
        error = add(&made, argument);
    if (!error)
        error = add(&made, script);
    size_t at = 0;
    while (at < argv->size && argv->text[at++])
        ;
    for (size_t begin = at; !error && at < argv->size; at++)
        if (!argv->text[at]) {
            error = exec_strings_add(&made, argv->text + begin, at - begin);
            begin = at + 1;
        }
    exec_strings_free(error ? &made : argv);
    if (!error)
        *argv = made;
    return error;
}

static int copy_strings(struct exec_strings *to, const struct exec_strings *from)
{
    int error = exec_strings_init(to);
    size_t begin = 0;
    for (size_t at = 0; !error && at < from->size; at++)
        if (!from->text[at]) {
            error = exec_strings_add(to, from->text + begin, at - begin);
            begin = at + 1;
        }
    if (!error && !from->count) /* as Linux does: a program has at least one argument */
        error = add(to, "");
    if (error)
        exec_strings_free(to);
    return error;
}

/* Opens what is to be run for `path`: itself, or the interpreter that a script names. */
static int find_program(struct program *program, struct inode *start, const char *path,
                        struct exec_strings *argv)
{
    char line[SCRIPT_BYTES];
    const char *interpreter, *argument;
    for (unsigned depth = 0;; depth++) {
        int error = open_program(&program->file, start, path);
        if (error)
            return error;
        int64_t got = file_pread(program->file, 0, line, sizeof line - 1);
        error = got < 0 ? (int)got : elf_read(&program->elf, program->file, -ENOEXEC);
        if (error != -ENOEXEC || parse_script(line, (size_t)got, &interpreter, &argument)) {
            if (error)
                close_program(program->file);
            return error;
        }
        close_program(program->file);
        error = depth == MAX_SCRIPTS ? -ELOOP : script_arguments(argv, interpreter, argument, path);
        if (error)
            return error;
        /* The line is used again: what it held is an argument by now. */
        path = argv->text;
        start = NULL;
    }
}

/* ---- the new address space ------------------------------------------------------------------- */

static int map_interpreter(struct program *program)
{
    struct file *file;
    struct elf elf;
    char *path = quire_kmalloc(machine_slab, PATH_BYTES, QUIRE_GFP_KERNEL);
    if (!path)
        return -ENOMEM;
    int length = elf_interpreter(&program->elf, path, PATH_BYTES);
    int error = length > 0 ? open_program(&file, NULL, path) : length;
    quire_kfree(machine_slab, path);
    if (error || !length)
        return error;
    error = elf_read(&elf, file, -EIO);
    if (!error) {
        error = elf_map(&elf, program->mm, 0, &program->interpreter);
        program->stack.interpreter = (quire_linear_t)(program->interpreter.bias + elf.low);
        elf_free(&elf);
    }
    close_program(file);
    return error == -ENOEXEC ? -ELIBBAD : error;
}

/* What was mapped lies in the address space: its places are addresses. */
static int set_program(const struct program *program)
{
    const struct elf_place *place = &program->place;
    const struct exec_stack *stack = &program->stack;
    bool shared = program->elf.header.type == ELF_SHARED;
    /* A static program that could be anywhere lies in the mmap area, where a heap has no room. */
    uint64_t brk = shared && !stack->interpreter ? SHARED_BASE : place->end;
    return quire_mm_set_program(
        program->mm,
        &(struct quire_mm_program){.start_code = (quire_linear_t)place->start_code,
                                   .end_code = (quire_linear_t)place->end_code,
                                   .start_data = (quire_linear_t)place->start_data,
                                   .end_data = (quire_linear_t)place->end_data,
                                   .brk = (quire_linear_t)quire_align_up(brk, QUIRE_PAGE_SIZE),
                                   .start_stack = stack->pointer,
                                   .arg_start = stack->arg_start,
                                   .arg_end = stack->arg_end,
                                   .env_start = stack->env_start,
                                   .env_end = stack->env_end});
}

/* Another process's thread has the directories, too: all others of this one will have ended. */
static bool shares_directories(const struct process *process)
{
    unsigned own = 0;
    list_for_each (at, &process->threads)
        own += quire_container_of(at, struct task, thread)->fs == current->fs;
    return current->fs->refs > own;
}

/* Whose rights it has: those of who runs it, but for set-user and set-group files. Whoever shares
 * directories with it could lead it astray: then it gains none. The groups stay the process's. */
static struct credentials ids_of(const struct process *process, const struct inode *inode)
{
    struct credentials who = process->credentials;
    const bool gains_none = process->attributes.no_new_privileges;
    const bool is_shared = shares_directories(process);
    const uint64_t lost = gains_none || is_shared ? who.lost : 0;
    who.groups = NULL;
    if (!gains_none && !(is_shared && !credentials_can(&who, CAP_SETUID))) {
        if (inode->mode & S_ISUID)
            who.euid = inode->uid;
        if ((inode->mode & (S_ISGID | 010)) == (S_ISGID | 010))
            who.egid = inode->gid;
    }
    who.suid = who.euid;
    who.sgid = who.egid;
    /* Root's are all, whatever was given up before, if any may be gained; nobody else's any. */
    who.lost = who.uid && who.euid ? CAP_ALL : lost;
    who.lacks = who.euid ? CAP_ALL : who.lost;
    return who;
}

static int map_program(struct program *program, const char *path, const struct exec_strings *argv,
                       const struct exec_strings *envp)
{
    int error = quire_mm_create(&program->mm, machine_vm, &LAYOUT);
    if (error)
        return error;
    program->who = ids_of(current_process(), program->file->inode);
    limits_apply(current_process(), program->mm);
    /* Where the mmap area begins depends on the stack's limit: known before anything is mapped. */
    error = quire_mm_set_program(program->mm, &(struct quire_mm_program){0});
    if (!error)
        error = elf_map(&program->elf, program->mm,
                        elf_has_interpreter(&program->elf) ? SHARED_BASE : 0, &program->place);
    if (!error)
        error = map_interpreter(program);
    if (!error)
        error = vdso_map(program->mm, &program->stack.vdso);
    if (error)
        return error;
    program->stack.path = path;
    program->stack.who = &program->who;
    program->stack.argv = argv;
    program->stack.envp = envp;
    program->stack.elf = &program->elf;
    program->stack.place = &program->place;
    error = exec_stack_make(&program->stack, program->mm, LAYOUT.end);
    return error ? error : set_program(program);
}

/* ---- the change ------------------------------------------------------------------------------ */

static void reset_task(struct task *task)
{
    task->alternate = (struct signal_stack){.flags = SS_DISABLE};
    task->clear_child_tid = task->robust_list = 0;
    task->restore_blocked = false;
    task->restart_deadline = 0;
    task->name[0] = '\0';
    task->fault_cache = (struct quire_fault_cache){0};
    arch_reset(&task->arch);
    arch_load(task);
}

static void set_name(struct process *process, const char *path)
{
    const char *name = path;
    for (const char *at = path; *at; at++)
        if (*at == '/')
            name = at + 1;
    quire_snprintf(process->name, sizeof process->name, "%s", name);
    quire_tell_event_of(EXEC, process->name, (uint64_t)process->pid);
    quire_mm_set_name(process->mm, process->pid, process->name);
}

/* Ids that change make the process one that others, and a parent's end, have no hold on. */
static void take_ids(struct process *process, const struct credentials *who)
{
    const struct credentials *old = &process->credentials;
    if (who->euid != old->euid || who->egid != old->egid) {
        process->attributes.not_dumpable = true;
        process->attributes.death_signal = 0;
    }
    struct group_list *groups = old->groups;
    process->credentials = *who;
    process->credentials.groups = groups;
    limits_changed(process);
}

/* From here on there is no way back. */
static void become(struct program *program, const char *path)
{
    struct process *process = current_process();
    quire_linear_t entry = (quire_linear_t)(program->stack.interpreter ? program->interpreter.entry
                                                                       : program->place.entry);
    if (process->mm) {
        task_leave_mm(current);
        process_drop_mm(process);
    }
    process->mm = program->mm;
    sched_begin_faults();
    process->vdso = (uintptr_t)program->stack.vdso;
    mm_use(process->mm);
    bool secret = inode_permission(program->file->inode, &process->credentials, MAY_READ);
    process_set_exe(process, program->file);
    attributes_exec(&process->attributes);
    process->attributes.not_dumpable = secret;
    posix_timers_clear(process);
    take_ids(process, &program->who);
    set_name(process, path);
    signal_reset_handlers(process);
    reset_task(current);
    if (process->exit_signal)
        process->exit_signal = SIGCHLD;
    files_close_on_exec(current->files);
    trap_frame_start(current->frame, (uintptr_t)entry, (uintptr_t)program->stack.pointer);
}

int exec(struct inode *start, const char *path, const struct exec_strings *argv,
         const struct exec_strings *envp)
{
    struct program program = {0};
    struct exec_strings arguments;
    int error = copy_strings(&arguments, argv);
    if (error)
        return error;
    error = find_program(&program, start, path, &arguments);
    if (!error) {
        error = map_program(&program, path, &arguments, envp);
        elf_free(&program.elf);
        if (!error)
            error = end_other_threads();
        if (!error)
            error = task_unshare_files(true, false);
        if (!error)
            error = signal_unshare_actions(current_process());
        if (!error)
            become(&program, path);
        else {
            if (program.mm)
                quire_mm_put(program.mm);
            close_program(program.file);
        }
    }
    exec_strings_free(&arguments);
    return error;
}
