/* kernel/sys/proc_memory.c: /proc/PID of its memory (man 5 proc_pid_maps and its like) */
#include <quire/numa.h>

#include "string.h"
#include "sys/proc.h"
#include "task/lifecycle.h"

static int show_view(struct text *text, uint64_t subject, enum quire_mm_view view)
{
    struct quire_mm *mm;
    int error = proc_mm(subject, &mm);
    if (error || !mm)
        return error;
    text_flush(text);
    error = quire_mm_view(mm, view, QUIRE_FORMAT_TEXT, text->write, text->arg);
    quire_mm_put(mm);
    return error;
}

static int show_area(struct text *text, uint64_t subject, enum quire_mm_view view, uint64_t *from)
{
    struct quire_mm *mm;
    quire_linear_t at = (quire_linear_t)*from; /* 0, or what was told before */
    int error = proc_mm(subject, &mm);
    if (error || !mm)
        return error ? error : -ENOENT;
    text_flush(text);
    error = quire_mm_view_area(mm, view, &at, text->write, text->arg);
    *from = at;
    quire_mm_put(mm);
    return error;
}

int proc_show_maps(struct text *text, uint64_t subject, uint64_t *from)
{
    return show_area(text, subject, QUIRE_MM_VIEW_MAPS, from);
}

int proc_show_smaps(struct text *text, uint64_t subject, uint64_t *from)
{
    return show_area(text, subject, QUIRE_MM_VIEW_SMAPS, from);
}

int proc_show_smaps_rollup(struct text *text, uint64_t subject)
{
    return show_view(text, subject, QUIRE_MM_VIEW_SMAPS_ROLLUP);
}

int proc_show_numa_maps(struct text *text, uint64_t subject, uint64_t *from)
{
    struct quire_mm *mm;
    quire_linear_t at = (quire_linear_t)*from;
    const struct process *process = proc_process(subject);
    const struct task *task = process ? task_find(process->pid) : NULL;
    struct quire_mempolicy *policy = task ? task->numa.policy : NULL;
    int error = proc_mm(subject, &mm);
    if (error || !mm)
        return error ? error : -ENOENT;
    quire_mempolicy_get(policy);
    text_flush(text);
    error = quire_mm_numa_maps(mm, policy, &at, text->write, text->arg);
    *from = at;
    quire_mempolicy_put(policy);
    quire_mm_put(mm);
    return error;
}

int proc_show_statm(struct text *text, uint64_t subject)
{
    struct quire_mm *mm;
    int error = proc_mm(subject, &mm);
    if (error)
        return error;
    if (!mm) {
        text_puts(text, "0 0 0 0 0 0 0\n");
        return 0;
    }
    quire_mm_put(mm);
    return show_view(text, subject, QUIRE_MM_VIEW_STATM);
}

/* 1: all, 2: anonymous memory, 3: files, 4: nothing that is known here (soft dirty bits), 5: the
 * most that was resident. */
int proc_store_clear_refs(uint64_t subject, const char *bytes, size_t size)
{
    struct quire_mm *mm;
    uint64_t what;
    while (size && (bytes[size - 1] == '\n' || !bytes[size - 1]))
        size--;
    if (!string_number(bytes, size, &what) || !what || what > 5)
        return -EINVAL;
    int error = proc_mm(subject, &mm);
    if (error || !mm)
        return error;
    if (what <= 3)
        quire_mm_clear_refs(mm, what != 3, what != 2);
    else if (what == 5)
        quire_mm_reset_peak(mm);
    quire_mm_put(mm);
    return 0;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* An entry of 8 bytes a page. */
int64_t proc_read_pagemap(uint64_t subject, uint64_t at, void *to, size_t size)
{
    struct quire_mm *mm;
    int error = proc_mm(subject, &mm);
    if (error || !mm)
        return error;
    uint64_t page = at / sizeof(uint64_t), last = UINT64_MAX >> QUIRE_PAGE_SHIFT;
    unsigned long count = (unsigned long)(size / sizeof(uint64_t));
    if (at % sizeof(uint64_t) || size % sizeof(uint64_t)) {
        quire_mm_put(mm);
        return -EINVAL;
    }
    if (page > last)
        count = 0;
    else if (count > last - page)
        count = (unsigned long)(last - page);
    quire_pagemap(mm, page << QUIRE_PAGE_SHIFT, count, to);
    quire_mm_put(mm);
    return (int64_t)(count * sizeof(uint64_t));
}

/* Of the process's memory from `start` to `end`, as from a file; it ends where memory does. */
static int64_t read_part(struct quire_mm *mm, quire_linear_t start, quire_linear_t end, uint64_t at,
                         void *to, size_t size)
{
    if (end < start || at >= end - start)
        return 0;
    size = size < end - start - at ? size : (size_t)(end - start - at);
    return (int64_t)(size - quire_copy_from_user(mm, to, start + (quire_linear_t)at, size));
}

/* A program that writes a title over its arguments leaves their last byte other than NUL: then the
 * title counts, up to its NUL, be it that it goes on into the environment. A page of it is told. */
static bool is_title(struct quire_mm *mm, const struct quire_mm_program *program)
{
    char last;
    return program->arg_end > program->arg_start &&
           !quire_copy_from_user(mm, &last, program->arg_end - 1, 1) && last;
}

static quire_linear_t end_of_title(struct quire_mm *mm, const struct quire_mm_program *program)
{
    char piece[64];
    bool goes_on = program->env_start == program->arg_end && program->env_end > program->env_start;
    quire_linear_t at = program->arg_start, end = goes_on ? program->env_end : program->arg_end;
    if (end - at > QUIRE_PAGE_SIZE)
        end = at + QUIRE_PAGE_SIZE;
    while (at < end) {
        size_t size = end - at < sizeof piece ? (size_t)(end - at) : sizeof piece;
        size_t got = size - quire_copy_from_user(mm, piece, at, size);
        for (size_t i = 0; i < got; i++)
            if (!piece[i])
                return at + i + 1;
        at += got;
        if (got < size)
            break;
    }
    return at;
}

static int64_t read_strings(uint64_t subject, bool environment, uint64_t at, void *to, size_t size)
{
    struct quire_mm *mm;
    struct quire_mm_program program;
    int64_t done = proc_mm(subject, &mm);
    if (done || !mm)
        return done;
    quire_mm_get_program(mm, &program);
    quire_linear_t start = environment ? program.env_start : program.arg_start;
    quire_linear_t end = environment ? program.env_end : program.arg_end;
    if (!environment && is_title(mm, &program))
        end = end_of_title(mm, &program);
    done = read_part(mm, start, end, at, to, size);
    quire_mm_put(mm);
    return done;
}

int64_t proc_read_cmdline(uint64_t subject, uint64_t at, void *to, size_t size)
{
    return read_strings(subject, false, at, to, size);
}

int64_t proc_read_environ(uint64_t subject, uint64_t at, void *to, size_t size)
{
    return read_strings(subject, true, at, to, size);
}
