/* kernel/task/core_dump.c: a process's memory and registers into a file
 *
 *     header | program headers: notes, an area each | notes | up to a page | areas' content
 *
 * Areas are noted once, before anything is written: a thread that was in munmap goes on with that,
 * but nothing else changes, since none comes to user mode. Pages that nobody has touched are holes
 * of the file, which reads as zeros; so is what can't be read. Each area's name is copied while it
 * is looked at.
 *
 *   bound   memory for the areas (40 bytes each), the notes, and a page; SIGKILL ends it,
 *           RLIMIT_CORE, which counts what is written and not holes, and RLIMIT_FSIZE, which counts
 *           both
 *   source  man 5 core; Linux's fs/coredump.c, fs/binfmt_elf.c
 */
#include "task/core_dump.h"

#include <quire/file.h>

#include "base/text.h"
#include "errno.h"
#include "fs/file.h"
#include "memory.h"
#include "rtc.h"
#include "task/core_notes.h"
#include "task/elf.h"
#include "task/limits.h"
#include "task/sched.h"
#include "task/system_name.h"
#include "time_units.h"
#include "user.h"

#define ELF_CORE 4
#define SEGMENT_LOAD 1
#define SEGMENT_NOTE 4
#define NT_FILE 0x46494c45u
#define MOST_AREAS 0xfffdu /* with the notes, what a header's count can say: 0xffff is PN_XNUM */
#define LEAST_LIMIT 4096u  /* Linux's min_coredump: less is no core at all */
#define LINE_BYTES 4352u   /* of maps: a path and what is before it */
#define NAME_BYTES 256u    /* of the core */
#define PIECE_PAGES 64u

struct core_area {
    quire_linear_t start, end, size; /* size: of its content in the file */
    uint64_t offset;                 /* in what it maps */
    unsigned prot;
    bool is_mapping, has_name; /* is_mapping: of a file, or shared memory */
};

struct core {
    struct process *process;
    struct file *file;
    struct core_area *areas;
    unsigned nr_areas, nr_files;
    struct text_file notes, names; /* names: of NT_FILE */
    uint64_t at, written, limit, file_limit;
    char *page; /* QUIRE_PAGE_SIZE, also for lines of maps before */
    char *line;
    size_t line_size;
};

bool core_is_wanted(const struct process *process)
{
    return process->mm && !process->attributes.not_dumpable && !process->dumper &&
           process->limit[RLIMIT_CORE].current >= LEAST_LIMIT && core_pattern[0] != '|' &&
           (core_pattern[0] || core_uses_pid);
}

/* ---- areas ----------------------------------------------------------------------------------- */

static void collect(void *arg, const char *text, size_t length)
{
    struct core *core = arg;
    size_t room = LINE_BYTES - 1 - core->line_size;
    length = length < room ? length : room;
    memcpy(core->line + core->line_size, text, length);
    core->line_size += length;
}

static bool ends_with(const char *text, size_t length, const char *end, size_t end_length)
{
    return length >= end_length && !memcmp(text + length - end_length, end, end_length);
}

/* The path that maps tells of it, cut off behind; *deleted: it has no name any more. NULL: none. */
static const char *name_of(struct core *core, quire_linear_t at, size_t *length, bool *deleted)
{
    static const char mark[] = " (deleted)";
    size_t begin = 0;
    core->line_size = 0;
    *deleted = false;
    if (quire_mm_view_area(core->process->mm, QUIRE_MM_VIEW_MAPS, &at, collect, core))
        return NULL;
    while (begin < core->line_size && core->line[begin] != '/')
        begin++;
    if (begin == core->line_size)
        return NULL;
    *length = core->line_size - begin;
    *length -= core->line[core->line_size - 1] == '\n';
    *deleted = ends_with(core->line + begin, *length, mark, sizeof mark - 1);
    return core->line + begin;
}

static bool has_elf_header(quire_linear_t at)
{
    char magic[4];
    return !copy_from_user(magic, (uintptr_t)at, sizeof magic) && !memcmp(magic, "\177ELF", 4);
}

/* What the filter lets through of an area. */
static quire_linear_t content_of(const struct core *core, const struct quire_area *area,
                                 bool deleted)
{
    const unsigned filter = CORE_FILTER_DEFAULT ^ core->process->attributes.core_filter_change;
    const quire_linear_t all = area->end - area->start;
    if (core->process->vdso >= area->start && core->process->vdso < area->end)
        return all;
    if (area->dont_dump)
        return 0;
    if (area->shared)
        return filter & (deleted ? CORE_ANON_SHARED : CORE_FILE_SHARED) ? all : 0;
    if (area->is_written && filter & CORE_ANON_PRIVATE)
        return all;
    if (!area->mapping)
        return 0;
    if (filter & CORE_FILE_PRIVATE)
        return all;
    bool is_first = !area->offset && area->prot & QUIRE_PROT_READ;
    return filter & CORE_ELF_HEADERS && is_first && has_elf_header(area->start) ? QUIRE_PAGE_SIZE
                                                                                : 0;
}

static void note_area(struct core *core, const struct quire_area *area)
{
    bool deleted = false;
    size_t length = 0;
    const char *name = area->mapping ? name_of(core, area->start, &length, &deleted) : NULL;
    if (name) {
        text_file_write(&core->names, name, length);
        text_file_write(&core->names, "", 1);
        core->nr_files++;
    }
    core->areas[core->nr_areas++] = (struct core_area){.start = area->start,
                                                       .end = area->end,
                                                       .size = content_of(core, area, deleted),
                                                       .offset = area->offset,
                                                       .prot = area->prot,
                                                       .is_mapping = area->mapping,
                                                       .has_name = name};
}

static unsigned count_areas(struct quire_mm *mm)
{
    struct quire_area area = {.end = 0};
    unsigned count = 0;
    while (!quire_mm_area(mm, area.end, &area))
        count++;
    return count;
}

/* False: there is no memory for it, or they are too many. */
static bool note_areas(struct core *core)
{
    struct quire_area area = {.end = 0};
    unsigned count = count_areas(core->process->mm);
    if (!count || count > MOST_AREAS)
        return false;
    core->areas = quire_kvmalloc(machine_vmalloc, count * sizeof *core->areas, QUIRE_GFP_KERNEL);
    if (!core->areas)
        return false;
    while (core->nr_areas < count && !quire_mm_area(core->process->mm, area.end, &area))
        note_area(core, &area);
    return true;
}

/* ---- NT_FILE --------------------------------------------------------------------------------- */

static void put_files(struct core *core)
{
    const unsigned long head[2] = {core->nr_files, QUIRE_PAGE_SIZE};
    size_t size = sizeof head + core->nr_files * 3 * sizeof(long) + (size_t)core->names.size;
    if (!core->nr_files)
        return;
    core_note_begin(&core->notes, "CORE", NT_FILE, size);
    text_file_write(&core->notes, (const char *)head, sizeof head);
    for (unsigned i = 0; i < core->nr_areas; i++) {
        const struct core_area *area = &core->areas[i];
        const unsigned long place[3] = {(unsigned long)area->start, (unsigned long)area->end,
                                        (unsigned long)(area->offset >> QUIRE_PAGE_SHIFT)};
        if (area->has_name)
            text_file_write(&core->notes, (const char *)place, sizeof place);
    }
    for (uint64_t at = 0; at < core->names.size;) {
        size_t got = text_file_read(&core->names, at, core->page, QUIRE_PAGE_SIZE);
        if (!got)
            break;
        text_file_write(&core->notes, core->page, got);
        at += got;
    }
    core_note_end(&core->notes, size);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Up to RLIMIT_FSIZE, which may be in the middle. */
static bool put(struct core *core, const void *bytes, size_t size)
{
    const char *from = bytes;
    if (core->written + size > core->limit)
        return false;
    const uint64_t room = core->at < core->file_limit ? core->file_limit - core->at : 0;
    const bool fits = size <= room;
    size = fits ? size : (size_t)room;
    while (size) {
        int64_t done =
            core->process->exiting ? -EINTR : file_pwrite(core->file, core->at, from, size);
        if (done <= 0)
            return false;
        from += done;
        size -= (size_t)done;
        core->at += (uint64_t)done;
        core->written += (uint64_t)done;
    }
    return fits;
}

static uint64_t up_to_page(uint64_t at)
{
    return (at + QUIRE_PAGE_SIZE - 1) & ~(uint64_t)(QUIRE_PAGE_SIZE - 1);
}

static bool put_headers(struct core *core)
{
    struct elf_header header = {.ident = {0x7f, 'E', 'L', 'F', ELF_CLASS, 1, 1},
                                .type = ELF_CORE,
                                .machine = ELF_MACHINE,
                                .version = 1,
                                .phoff = sizeof header,
                                .ehsize = sizeof header,
                                .phentsize = sizeof(struct elf_segment),
                                .phnum = (uint16_t)(core->nr_areas + 1)};
    uint64_t at = sizeof header + header.phnum * sizeof(struct elf_segment);
    struct elf_segment segment = {
        .type = SEGMENT_NOTE, .offset = (elf_word)at, .file_size = (elf_word)core->notes.size};
    bool good = put(core, &header, sizeof header) && put(core, &segment, sizeof segment);
    at = up_to_page(at + core->notes.size);
    for (unsigned i = 0; good && i < core->nr_areas; i++) {
        const struct core_area *area = &core->areas[i];
        segment = (struct elf_segment){.type = SEGMENT_LOAD,
                                       .flags = (area->prot & QUIRE_PROT_READ ? 4u : 0) |
                                                (area->prot & QUIRE_PROT_WRITE ? 2u : 0) |
                                                (area->prot & QUIRE_PROT_EXEC ? 1u : 0),
                                       .offset = (elf_word)at,
                                       .address = (elf_word)area->start,
                                       .file_size = (elf_word)area->size,
                                       .memory_size = (elf_word)(area->end - area->start),
                                       .align = QUIRE_PAGE_SIZE};
        good = put(core, &segment, sizeof segment);
        at += area->size;
    }
    return good;
}

static bool put_notes(struct core *core)
{
    for (uint64_t at = 0; at < core->notes.size;) {
        size_t got = text_file_read(&core->notes, at, core->page, QUIRE_PAGE_SIZE);
        if (!got || !put(core, core->page, got))
            return false;
        at += got;
    }
    core->at = up_to_page(core->at);
    return true;
}

/* A page of a mapping may be in memory, or in swap, without an entry. The area is looked up anew:
 * who shares the memory may have unmapped it. */
static bool mapping_has(const struct core *core, quire_linear_t at)
{
    struct quire_area area;
    if (quire_mm_area(core->process->mm, at, &area) || area.start > at || !area.mapping)
        return false;
    uint64_t index = (area.offset + (at - area.start)) >> QUIRE_PAGE_SHIFT;
    return quire_mapping_next(area.mapping, index, true) == index;
}

/* A page that nobody has needn't be made to be read. */
static bool is_there(const struct core *core, const struct core_area *area, quire_linear_t at,
                     uint64_t entry)
{
    const uint64_t present = UINT64_C(1) << 63, swapped = UINT64_C(1) << 62;
    return entry & (present | swapped) || (area->is_mapping && mapping_has(core, at));
}

static bool put_page(struct core *core, quire_linear_t at)
{
    if (!copy_from_user(core->page, (uintptr_t)at, QUIRE_PAGE_SIZE))
        return put(core, core->page, QUIRE_PAGE_SIZE);
    core->at += QUIRE_PAGE_SIZE;
    return true;
}

static bool put_area(struct core *core, const struct core_area *area)
{
    uint64_t entry[PIECE_PAGES];
    quire_linear_t at = area->start, end = at + area->size;
    bool good = true;
    while (good && at < end) {
        quire_linear_t left = (end - at) >> QUIRE_PAGE_SHIFT;
        unsigned count = left < PIECE_PAGES ? (unsigned)left : PIECE_PAGES;
        quire_pagemap(core->process->mm, at, count, entry);
        for (unsigned i = 0; good && i < count; i++, at += QUIRE_PAGE_SIZE) {
            if (is_there(core, area, at, entry[i]))
                good = put_page(core, at);
            else
                core->at += QUIRE_PAGE_SIZE;
        }
        event_give_way();
        good = good && !core->process->exiting;
    }
    return good;
}

/* What was begun stays when it ends before: whoever looks at it sees how far it got. */
static void put_all(struct core *core)
{
    bool good = put_headers(core) && put_notes(core);
    for (unsigned i = 0; good && i < core->nr_areas; i++)
        good = put_area(core, &core->areas[i]);
    if (good && core->at <= core->file_limit) /* holes at the end */
        (void)!file_truncate(core->file, core->at);
}

/* ---- the file -------------------------------------------------------------------------------- */

struct name_text {
    char text[NAME_BYTES];
    size_t size;
};

static void add(struct name_text *name, const char *text, bool is_part)
{
    for (; *text && name->size < sizeof name->text - 1; text++)
        name->text[name->size++] = is_part && *text == '/' ? '!' : *text;
    name->text[name->size] = '\0';
}

static void add_number(struct name_text *name, uint64_t number)
{
    char text[24];
    quire_snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    add(name, text, false);
}

/* What stands behind a % (man 5 core); false: it is left out, as Linux leaves out what it doesn't
 * know. */
static bool add_part(struct name_text *name, char what, int number)
{
    const struct process *process = current_process();
    switch (what) {
    case '%':
        add(name, "%", false);
        break;
    case 'p':
    case 'P':
        add_number(name, (unsigned)process->pid);
        return true;
    case 'i':
    case 'I':
        add_number(name, (unsigned)current->tid);
        break;
    case 'u':
        add_number(name, process->credentials.uid);
        break;
    case 'g':
        add_number(name, process->credentials.gid);
        break;
    case 'd':
        add_number(name, 1);
        break;
    case 's':
        add_number(name, (unsigned)number);
        break;
    case 't':
        add_number(name, quire_div64(realtime_ns(), NS_PER_SECOND));
        break;
    case 'c':
        add_number(name, process->limit[RLIMIT_CORE].current);
        break;
    case 'h':
        add(name, system_node, true);
        break;
    case 'e':
    case 'f':
        add(name, current->name[0] ? current->name : process->name, true);
        break;
    default:
        break;
    }
    return false;
}

static void name_core(struct name_text *name, int number)
{
    bool has_pid = false;
    for (const char *at = core_pattern; *at; at++) {
        const char plain[2] = {*at, '\0'};
        if (*at != '%')
            add(name, plain, false);
        else if (*++at)
            has_pid |= add_part(name, *at, number);
        else
            break;
    }
    if (core_uses_pid && !has_pid) {
        add(name, ".", false);
        add_number(name, (unsigned)current_process()->pid);
    }
}

/* Nothing is written that somebody else could read, or has put there for us to write to. */
static bool is_fit(const struct file *file)
{
    const struct inode *inode = file->inode;
    return inode_is(inode, S_IFREG) && inode->nlink == 1 && (inode->mode & 0677) == 0600 &&
           inode->uid == current_process()->credentials.euid;
}

static struct file *open_core(int number)
{
    const struct process *process = current_process();
    struct name_text name = {.size = 0};
    struct file *file;
    name_core(&name, number);
    if (!name.size || file_open(&file, current->fs, &process->credentials, NULL, name.text,
                                O_CREAT | O_RDWR | O_NOFOLLOW | O_LARGEFILE, 0600))
        return NULL;
    if (is_fit(file) && !file_truncate(file, 0))
        return file;
    file_put(file);
    return NULL;
}

static bool prepare(struct core *core, const struct signal_info *info)
{
    core->page = quire_kmalloc(machine_slab, QUIRE_PAGE_SIZE, QUIRE_GFP_KERNEL);
    core->line = quire_kmalloc(machine_slab, LINE_BYTES, QUIRE_GFP_KERNEL);
    if (!core->page || !core->line || !note_areas(core))
        return false;
    core_notes(&core->notes, info);
    put_files(core);
    return !core->notes.failed && !core->names.failed;
}

bool core_dump(const struct signal_info *info)
{
    struct process *process = current_process();
    struct core core = {.process = process,
                        .limit = process->limit[RLIMIT_CORE].current,
                        .file_limit = process->limit[RLIMIT_FSIZE].current};
    if (prepare(&core, info))
        core.file = open_core(info->number);
    bool has_file = core.file;
    if (has_file) {
        put_all(&core);
        file_put(core.file);
    }
    text_file_clear(&core.notes);
    text_file_clear(&core.names);
    quire_kvfree(machine_vmalloc, core.areas);
    quire_kfree(machine_slab, core.line);
    quire_kfree(machine_slab, core.page);
    return has_file;
}
