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
    int error = proc_mm(subject, &mm);
    if (error || !mm)
        return error ? error : -ENOENT;
    text_flush(text);
    error = quire_mm_view_area(mm, view, from, text->write, text->arg);
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
    const struct process *process = proc_process(subject);
    const struct task *task = process ? task_find(process->pid) : NULL;
    struct quire_mempolicy *policy = task ? task->numa.policy : NULL;
    int error = proc_mm(subject, &mm);
    if (error || !mm)
        return error ? error : -ENOENT;
    quire_mempolicy_get(policy);
    text_flush(text);
    error = quire_mm_numa_maps(mm, policy, from, text->write, text->arg);
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

/* Of the process's memory from `start` to `end`, as from a file. */
static int64_t read_part(struct quire_mm *mm, quire_linear_t start, quire_linear_t end, uint64_t at,
                         void *to, size_t size)
{
    if (at >= end - start)
        return 0;
    size = size < end - start - at ? size : (size_t)(end - start - at);
    size_t missing = quire_copy_from_user(mm, to, start + at, size);
    return missing == size && size ? -EIO : (int64_t)(size - missing);
}

static int64_t read_strings(uint64_t subject, bool environment, uint64_t at, void *to, size_t size)
{
    struct quire_mm *mm;
    struct quire_mm_program program;
    int64_t done = proc_mm(subject, &mm);
    if (done || !mm)
        return done;
    quire_mm_get_program(mm, &program);
    done = environment ? read_part(mm, program.env_start, program.env_end, at, to, size)
                       : read_part(mm, program.arg_start, program.arg_end, at, to, size);
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
