/* vm/mm_view.c: /proc/PID/: maps, and which view is which
 *
 * Formats are those of Linux's fs/proc/task_mmu.c, to the column.
 */
#include "vm/mm_view.h"

#include "vm/cache.h"

/* ---- maps ------------------------------------------------------------------------------------ */

const char *vma_name(const struct quire_vma *vma)
{
    const struct quire_mm *mm = vma->mm;
    const struct quire_mm_program *program = &mm->program;
    if (vma->mapping && vma->mapping->config.name)
        return vma->mapping->config.name;
    if (vma->mapping)
        return vma->mapping->is_shmem ? "/dev/zero (deleted)" : NULL;
    if (program->brk && vma->start <= mm->brk && vma->end >= program->brk)
        return "[heap]";
    if (program->start_stack && vma->start <= program->start_stack &&
        vma->end >= program->start_stack)
        return "[stack]";
    return NULL;
}

static void rights(const struct quire_vma *vma, char *text)
{
    text[0] = vma->flags & VM_READ ? 'r' : '-';
    text[1] = vma->flags & VM_WRITE ? 'w' : '-';
    text[2] = vma->flags & VM_EXEC ? 'x' : '-';
    text[3] = vma->flags & VM_MAYSHARE ? 's' : 'p';
    text[4] = '\0';
}

/* Major and minor number, in hexadecimal; of anonymous memory 00:00. */
#define DEVICE_BYTES 18
static void device(const struct quire_vma *vma, char text[DEVICE_BYTES])
{
    const struct quire_mapping *mapping = vma->mapping;
    quire_snprintf(text, DEVICE_BYTES, "%02x:%02x",
                   mapping ? (unsigned)mapping->config.device_major : 0,
                   mapping ? (unsigned)mapping->config.device_minor : 0);
}

/* Where names begin depends on how long addresses may be. */
static size_t name_column(const struct quire_mm *mm)
{
    return mm->pt.format->virt_bits > 32 ? 25 + 8 * 6 - 1 : 25 + 4 * 6 - 1;
}

/* A newline in a path doesn't end the line. */
static void put_name(struct text *text, const char *name)
{
    for (; *name; name++)
        if (*name == '\n')
            text_puts(text, "\\012");
        else
            text_printf(text, "%c", *name);
}

void maps_line(struct text *text, const struct quire_vma *vma)
{
    const struct quire_mapping *mapping = vma->mapping;
    const char *name = vma_name(vma);
    char line[96], right[5], on[DEVICE_BYTES];
    rights(vma, right);
    device(vma, on);
    uint64_t offset = mapping ? vma->pgoff << QUIRE_PAGE_SHIFT : 0;
    size_t length = quire_snprintf(line, sizeof line, "%08llx-%08llx %s %08llx %s %llu ",
                                   (unsigned long long)vma->start, (unsigned long long)vma->end,
                                   right, (unsigned long long)offset, on,
                                   mapping ? (unsigned long long)mapping->config.inode : 0);
    text_puts(text, line);
    if (name) {
        for (; length <= name_column(vma->mm); length++)
            text_puts(text, " ");
        put_name(text, name);
    }
    text_puts(text, "\n");
}

void maps_members(struct json *json, const struct quire_vma *vma)
{
    const char *name = vma_name(vma);
    char right[5], on[DEVICE_BYTES];
    rights(vma, right);
    device(vma, on);
    json_hex(json, "start", vma->start);
    json_hex(json, "end", vma->end);
    json_string(json, "rights", right);
    json_hex(json, "offset", vma->mapping ? vma->pgoff << QUIRE_PAGE_SHIFT : 0);
    json_string(json, "device", on);
    json_unsigned(json, "inode", vma->mapping ? vma->mapping->config.inode : 0);
    if (name)
        json_string(json, "name", name);
}

void maps_text(struct quire_mm *mm, struct text *text)
{
    for (struct quire_vma *vma = vma_above(mm, 0); vma; vma = vma_next(vma))
        maps_line(text, vma);
}

void maps_json(struct quire_mm *mm, struct json *json)
{
    json_array(json, "areas");
    for (struct quire_vma *vma = vma_above(mm, 0); vma; vma = vma_next(vma)) {
        json_object(json, NULL);
        maps_members(json, vma);
        json_end(json);
    }
    json_end(json);
}

/* ---- all views ------------------------------------------------------------------------------- */

static const char *const schemas[QUIRE_NR_MM_VIEWS] = {
    [QUIRE_MM_VIEW_MAPS] = "quire.maps/2",
    [QUIRE_MM_VIEW_SMAPS] = "quire.smaps/2",
    [QUIRE_MM_VIEW_SMAPS_ROLLUP] = "quire.smaps_rollup/1",
    [QUIRE_MM_VIEW_STATUS] = "quire.status/1",
    [QUIRE_MM_VIEW_STATM] = "quire.status/1",
    [QUIRE_MM_VIEW_NUMA_MAPS] = "quire.numa_maps/1",
};

static void put_text(struct quire_mm *mm, enum quire_mm_view view, struct text *text)
{
    switch (view) {
    case QUIRE_MM_VIEW_MAPS:
        maps_text(mm, text);
        break;
    case QUIRE_MM_VIEW_SMAPS:
    case QUIRE_MM_VIEW_SMAPS_ROLLUP:
        smaps_text(mm, text, view == QUIRE_MM_VIEW_SMAPS_ROLLUP);
        break;
    case QUIRE_MM_VIEW_STATUS:
        status_text(mm, text);
        break;
    case QUIRE_MM_VIEW_NUMA_MAPS:
        numa_maps_text(mm, text);
        break;
    default:
        statm_text(mm, text);
    }
}

static void put_json(struct quire_mm *mm, enum quire_mm_view view, struct json *json)
{
    json_object(json, NULL);
    json_string(json, "schema", schemas[view]);
    json_unsigned(json, "page_bytes", QUIRE_PAGE_SIZE);
    if (view == QUIRE_MM_VIEW_MAPS)
        maps_json(mm, json);
    else if (view == QUIRE_MM_VIEW_SMAPS || view == QUIRE_MM_VIEW_SMAPS_ROLLUP)
        smaps_json(mm, json, view == QUIRE_MM_VIEW_SMAPS_ROLLUP);
    else if (view == QUIRE_MM_VIEW_NUMA_MAPS)
        numa_maps_json(mm, json);
    else
        status_json(mm, json);
    json_end(json);
}

int quire_mm_view(struct quire_mm *mm, enum quire_mm_view view, enum quire_format format,
                  quire_write_fn *write, void *arg)
{
    struct text text;
    struct json json;
    if ((unsigned)view >= QUIRE_NR_MM_VIEWS || (unsigned)format > QUIRE_FORMAT_JSON)
        return -QUIRE_EINVAL;
    rwlock_read(&mm->lock);
    if (format == QUIRE_FORMAT_TEXT) {
        text_init(&text, write, arg);
        put_text(mm, view, &text);
        text_flush(&text);
    } else {
        json_init(&json, write, arg);
        put_json(mm, view, &json);
        json_finish(&json);
    }
    rwlock_read_unlock(&mm->lock);
    return 0;
}

int quire_mm_view_area(struct quire_mm *mm, enum quire_mm_view view, quire_linear_t *from,
                       quire_write_fn *write, void *arg)
{
    struct text text;
    if (view != QUIRE_MM_VIEW_MAPS && view != QUIRE_MM_VIEW_SMAPS)
        return -QUIRE_EINVAL;
    text_init(&text, write, arg);
    rwlock_read(&mm->lock);
    struct quire_vma *vma = vma_above(mm, *from);
    if (vma) {
        if (view == QUIRE_MM_VIEW_MAPS)
            maps_line(&text, vma);
        else
            smaps_area(&text, vma);
        *from = vma->end;
    }
    text_flush(&text);
    rwlock_read_unlock(&mm->lock);
    return vma ? 0 : -QUIRE_ENOENT;
}

int quire_mm_area(struct quire_mm *mm, quire_linear_t from, struct quire_area *area)
{
    rwlock_read(&mm->lock);
    const struct quire_vma *vma = vma_above(mm, from);
    if (vma)
        *area = (struct quire_area){.start = vma->start,
                                    .end = vma->end,
                                    .mapping = vma->mapping,
                                    .offset = vma->mapping ? vma->pgoff << QUIRE_PAGE_SHIFT : 0,
                                    .prot = vma->flags & VM_ACCESS,
                                    .shared = vma->flags & VM_MAYSHARE,
                                    .dont_dump = vma->flags & VM_DONTDUMP,
                                    .is_written = quire_load_acquire(&vma->anon_vma)};
    rwlock_read_unlock(&mm->lock);
    return vma ? 0 : -QUIRE_ENOENT;
}
