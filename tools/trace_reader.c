/* tools/trace_reader.c: one reader for both forms */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace_compact.h"
#include "trace_input.h"

struct trace_reader {
    struct trace_input input;
    enum trace_form form;
    union {
        struct lackey lackey;
        struct compact compact;
    };
    int fd;        /* -1: the caller's */
    uint64_t size; /* 0: unknown */
};

/* Its first byte decides: no text begins with it, and what is cut off within the magic is told so.
 */
static bool is_compact(const struct trace_input *input)
{
    return input_available(input) && input->buffer[input->begin] == (uint8_t)COMPACT_MAGIC[0];
}

static bool begin_compact(struct trace_reader *reader, unsigned page_shift,
                          struct trace_error *error)
{
    const struct trace_input *input = &reader->input;
    const char *name = input->source.name;
    if (input_available(input) >= COMPACT_MAGIC_BYTES &&
        memcmp(input->buffer + input->begin, COMPACT_MAGIC, COMPACT_MAGIC_BYTES)) {
        trace_fail(error, "%s begins as a compact trace, but was changed, perhaps as text", name);
        return false;
    }
    if (!compact_begin(&reader->compact, &reader->input, error))
        return false;
    if (!page_shift || page_shift == reader->compact.page_shift)
        return true;
    trace_fail(error,
               "%s was made with pages of %u bytes, which can't be changed: convert the original "
               "with --page-size",
               name, 1u << reader->compact.page_shift);
    return false;
}

struct trace_reader *trace_open_source(const struct trace_source *source, unsigned page_shift,
                                       struct trace_error *error)
{
    struct trace_reader *reader = malloc(sizeof *reader);
    if (!reader) {
        trace_fail(error, "%s: there is no memory to read it", source->name);
        return NULL;
    }
    *reader = (struct trace_reader){.fd = -1};
    bool ok = input_open(&reader->input, source, error) &&
              input_fill(&reader->input, COMPACT_MAGIC_BYTES, error);
    if (ok && is_compact(&reader->input)) {
        reader->form = TRACE_COMPACT;
        ok = begin_compact(reader, page_shift, error);
    } else {
        reader->form = TRACE_LACKEY;
        reader->lackey.page_shift = page_shift ? page_shift : TRACE_DEFAULT_PAGE_SHIFT;
    }
    if (ok)
        return reader;
    trace_close(reader);
    return NULL;
}

static ssize_t read_descriptor(void *arg, void *buffer, size_t size)
{
    return read((int)(intptr_t)arg, buffer, size);
}

struct trace_reader *trace_open(const char *path, unsigned page_shift, struct trace_error *error)
{
    bool piped = !strcmp(path, "-");
    int fd = piped ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        trace_fail(error, "%s: %s", path, strerror(errno));
        return NULL;
    }
    struct trace_source source = {
        .name = piped ? "standard input" : path,
        .read = read_descriptor,
        .arg = (void *)(intptr_t)fd,
    };
    struct trace_reader *reader = trace_open_source(&source, page_shift, error);
    if (!reader) {
        if (!piped)
            close(fd);
        return NULL;
    }
    struct stat status;
    reader->fd = piped ? -1 : fd;
    if (!fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_size > 0)
        reader->size = (uint64_t)status.st_size;
    return reader;
}

void trace_close(struct trace_reader *reader)
{
    if (!reader)
        return;
    input_close(&reader->input);
    if (reader->fd >= 0)
        close(reader->fd);
    free(reader);
}

ssize_t trace_read(struct trace_reader *reader, struct trace_run *runs, struct trace_error *error)
{
    return reader->form == TRACE_COMPACT
               ? compact_read(&reader->compact, &reader->input, runs, error)
               : lackey_read(&reader->lackey, &reader->input, runs, error);
}

enum trace_form trace_reader_form(const struct trace_reader *reader)
{
    return reader->form;
}

bool trace_reader_zstd(const struct trace_reader *reader)
{
    return reader->input.zstd;
}

unsigned trace_reader_page_shift(const struct trace_reader *reader)
{
    return reader->form == TRACE_COMPACT ? reader->compact.page_shift : reader->lackey.page_shift;
}

uint64_t trace_reader_bytes(const struct trace_reader *reader)
{
    return reader->input.taken;
}

uint64_t trace_reader_size(const struct trace_reader *reader)
{
    return reader->size;
}
