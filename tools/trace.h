/* tools/trace.h: traces of memory references
 *
 *     trace_input.c     bytes: of a file, a pipe, zstd
 *       trace_lackey.c  what valgrind's lackey prints      ┐
 *       trace_compact.c the form of docs/trace-format.md   ┴─► trace_reader.c ─► runs
 *     trace_writer.c    runs ─► the compact form
 *     trace_pages.c     page numbers ─► 0, 1, 2, ... in the order of their first reference
 *
 * A reference is to a page. References that follow each other, to the same page and of the same
 * kind, are one run. Everything streams: memory doesn't grow with the length of a trace.
 */
#ifndef TOOLS_TRACE_H
#define TOOLS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The two lowest bits of a record of the compact form. Bit 1: the page is dirty afterwards. */
enum trace_kind { TRACE_FETCH, TRACE_READ, TRACE_WRITE, TRACE_MODIFY };
#define TRACE_NR_KINDS 4
#define TRACE_WRITES 2u

struct trace_run {
    uint64_t page;
    uint32_t count;
    uint32_t kind; /* enum trace_kind */
};

/* Page sizes that a trace may have. */
#define TRACE_MIN_PAGE_SHIFT 9
#define TRACE_MAX_PAGE_SHIFT 30
#define TRACE_DEFAULT_PAGE_SHIFT 12

/* Why something failed: with the file, the line where there are lines, and what to do; one line. */
struct trace_error {
    char text[512];
};
__attribute__((format(printf, 2, 3))) void trace_fail(struct trace_error *error, const char *format,
                                                      ...);

/* ---- reading --------------------------------------------------------------------------------- */

enum trace_form { TRACE_LACKEY, TRACE_COMPACT };

/* Where bytes come from. `read` is read(2): 0 at the end, -1 with errno. */
struct trace_source {
    const char *name; /* for messages */
    ssize_t (*read)(void *arg, void *buffer, size_t size);
    void *arg;
};

struct trace_reader;

/* Runs that one call may hand over. */
#define TRACE_BATCH 16384u

/* Looks at the first bytes and finds the form. `page_shift` is what lackey's addresses are cut by,
 * 0: 4 KiB; the compact form has its own, and another one is refused. NULL: see *error. */
struct trace_reader *trace_open_source(const struct trace_source *source, unsigned page_shift,
                                       struct trace_error *error);
/* A file, or standard input for "-". */
struct trace_reader *trace_open(const char *path, unsigned page_shift, struct trace_error *error);
void trace_close(struct trace_reader *reader);

/* Up to TRACE_BATCH next runs, 0 at the end, -1 after an error: see *error. A run may go on in the
 * next batch. */
ssize_t trace_read(struct trace_reader *reader, struct trace_run *runs, struct trace_error *error);

enum trace_form trace_reader_form(const struct trace_reader *reader);
bool trace_reader_zstd(const struct trace_reader *reader);
unsigned trace_reader_page_shift(const struct trace_reader *reader);
/* Bytes taken from the source so far, and how many it has; 0: unknown, as of a pipe. */
uint64_t trace_reader_bytes(const struct trace_reader *reader);
uint64_t trace_reader_size(const struct trace_reader *reader);

/* ---- writing --------------------------------------------------------------------------------- */

struct trace_writer;

/* Writes the compact form to a descriptor, which stays the caller's. `zstd_level` 0: not
 * compressed. NULL: see *error. */
struct trace_writer *trace_writer_new(int fd, const char *name, unsigned page_shift, int zstd_level,
                                      struct trace_error *error);
/* False: see *error; nothing more can be written. */
bool trace_write(struct trace_writer *writer, const struct trace_run *runs, size_t count,
                 struct trace_error *error);
/* Writes the end, without which readers refuse the file. */
bool trace_writer_finish(struct trace_writer *writer, struct trace_error *error);
uint64_t trace_writer_bytes(const struct trace_writer *writer);
void trace_writer_free(struct trace_writer *writer);

/* ---- page numbers ---------------------------------------------------------------------------- */

/* A hash table with linear probing, at most half full: 16 bytes an entry, 32 to 64 a page. */
struct page_ids {
    struct page_id_entry *entry;
    uint64_t mask;  /* of entries */
    uint32_t count; /* pages; the next one gets this number */
};
#define PAGE_IDS_MAX ((uint32_t)1 << 31)
#define PAGE_ID_NONE UINT32_MAX

/* False: no memory. */
bool page_ids_init(struct page_ids *ids);
void page_ids_free(struct page_ids *ids);
/* The page's number, given now if it is new; PAGE_ID_NONE: no memory, or PAGE_IDS_MAX pages. */
uint32_t page_ids_get(struct page_ids *ids, uint64_t page);

#endif
