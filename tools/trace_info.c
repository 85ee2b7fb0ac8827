/* tools/trace_info.c: quire trace info: how many references, to which pages
 *
 * Pages that are close to each other are a region: a program's text, a library's data, the heap, a
 * stack. A trace doesn't say what they are, but where and how they are used tells.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "quire.h"
#include "trace_command.h"

#define SCHEMA 2       /* addresses are strings in hexadecimal; in 1 they were numbers */
#define REGION_GAP 16u /* pages without references that a region may have between two with */

struct page_use {
    uint64_t page;
    uint64_t count[TRACE_NR_KINDS];
};

struct region {
    uint64_t first, last; /* pages */
    uint64_t pages;       /* that were referenced */
    uint64_t count[TRACE_NR_KINDS];
};

struct info {
    const struct trace_options *options;
    struct trace_reader *reader;
    struct page_ids ids;
    struct page_use *use; /* by id, later by page */
    size_t capacity;
    uint64_t runs;
    struct region whole;    /* all of it: the sums */
    uint64_t written_pages; /* written or modified */
    struct region *region;  /* the most referenced first */
    size_t nr_regions;
};

static uint64_t references(const struct region *region)
{
    uint64_t sum = 0;
    for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
        sum += region->count[kind];
    return sum;
}

/* ---- counting -------------------------------------------------------------------------------- */

/* Where a page's references are counted; NULL: no memory. */
static struct page_use *use_of(struct info *info, uint64_t page)
{
    uint32_t id = page_ids_get(&info->ids, page);
    if (id == PAGE_ID_NONE)
        return NULL;
    if (id >= info->capacity) {
        size_t capacity = info->capacity ? 2 * info->capacity : 4096;
        struct page_use *larger = realloc(info->use, capacity * sizeof *larger);
        if (!larger)
            return NULL;
        memset(larger + info->capacity, 0, (capacity - info->capacity) * sizeof *larger);
        info->use = larger;
        info->capacity = capacity;
    }
    info->use[id].page = page;
    return &info->use[id];
}

static bool count(struct info *info, struct trace_error *error)
{
    static struct trace_run runs[TRACE_BATCH];
    struct trace_run last = {.page = UINT64_MAX};
    ssize_t n;
    while ((n = trace_read(info->reader, runs, error)) > 0) {
        /* A run may go on where a batch ends. */
        info->runs += (uint64_t)n - (runs[0].page == last.page && runs[0].kind == last.kind);
        last = runs[n - 1];
        for (const struct trace_run *run = runs; run < runs + n; run++) {
            struct page_use *use = use_of(info, run->page);
            if (!use) {
                trace_fail(error, "there is no memory for more than %u pages", info->ids.count);
                return false;
            }
            use->count[run->kind] += run->count;
        }
    }
    return !n;
}

static int by_page(const void *a, const void *b)
{
    const struct page_use *x = a, *y = b;
    return (x->page > y->page) - (x->page < y->page);
}

/* By references, and by address if they have as many. */
static int by_references(const void *a, const void *b)
{
    const struct region *x = a, *y = b;
    uint64_t m = references(x), n = references(y);
    return m != n ? (m < n) - (m > n) : (x->first > y->first) - (x->first < y->first);
}

static void add_page(struct region *region, const struct page_use *use)
{
    region->last = use->page;
    region->pages++;
    for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
        region->count[kind] += use->count[kind];
}

/* False: no memory. */
static bool find_regions(struct info *info)
{
    if (!info->ids.count)
        return true;
    qsort(info->use, info->ids.count, sizeof *info->use, by_page);
    info->region = calloc(info->ids.count, sizeof *info->region);
    if (!info->region)
        return false;
    for (uint32_t i = 0; i < info->ids.count; i++) {
        const struct page_use *use = &info->use[i];
        if (!i || use->page - use[-1].page > REGION_GAP + 1)
            info->region[info->nr_regions++].first = use->page;
        add_page(&info->region[info->nr_regions - 1], use);
        add_page(&info->whole, use);
        info->written_pages += use->count[TRACE_WRITE] || use->count[TRACE_MODIFY];
    }
    qsort(info->region, info->nr_regions, sizeof *info->region, by_references);
    return true;
}

/* ---- output ---------------------------------------------------------------------------------- */

static const char *const kind_names[TRACE_NR_KINDS] = {"fetched", "read", "written", "modified"};

static const char *form_name(const struct info *info)
{
    return trace_reader_form(info->reader) == TRACE_COMPACT ? "compact" : "lackey";
}

static size_t shown_regions(const struct info *info)
{
    return info->nr_regions < info->options->top ? info->nr_regions : (size_t)info->options->top;
}

static void print_count(const char *name, uint64_t value, uint64_t of)
{
    printf("  %-12s %15llu", name, (unsigned long long)value);
    if (of)
        printf("  %5.1f %%", 100.0 * (double)value / (double)of);
    putchar('\n');
}

static void print_regions(const struct info *info)
{
    unsigned shift = trace_reader_page_shift(info->reader);
    uint64_t all = references(&info->whole);
    printf("\n%-37s %9s %12s %12s %12s %12s %7s\n", "Region, to its last byte", "pages", "fetched",
           "read", "written", "modified", "of all");
    for (size_t i = 0; i < shown_regions(info); i++) {
        const struct region *r = &info->region[i];
        uint64_t last_byte = (r->last << shift) | (((uint64_t)1 << shift) - 1);
        printf("0x%016llx-0x%016llx %9llu", (unsigned long long)r->first << shift,
               (unsigned long long)last_byte, (unsigned long long)r->pages);
        for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
            printf(" %12llu", (unsigned long long)r->count[kind]);
        printf("  %5.1f%%\n", 100.0 * (double)references(r) / (double)all);
    }
    if (shown_regions(info) < info->nr_regions)
        printf("and %zu more (--top)\n", info->nr_regions - shown_regions(info));
}

static void print_table(const struct info *info)
{
    char page[32], footprint[32], written[32];
    unsigned shift = trace_reader_page_shift(info->reader);
    uint64_t all = references(&info->whole);
    format_size(page, sizeof page, (uint64_t)1 << shift);
    format_size(footprint, sizeof footprint, (uint64_t)info->ids.count << shift);
    format_size(written, sizeof written, info->written_pages << shift);
    printf("%-14s %s, %s%s, %llu bytes\n", "Trace", info->options->in, form_name(info),
           trace_reader_zstd(info->reader) ? " through zstd" : "",
           (unsigned long long)trace_reader_bytes(info->reader));
    printf("%-14s %15llu  to one page each: an access across a page's end counts for both\n",
           "References", (unsigned long long)all);
    for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
        print_count(kind_names[kind], info->whole.count[kind], all);
    printf("%-14s %15llu  of references in a row to one page, of one kind\n", "Runs",
           (unsigned long long)info->runs);
    printf("%-14s %15u  of %s: a footprint of %s\n", "Pages", info->ids.count, page, footprint);
    printf("  %-12s %15llu  %s\n", "written to", (unsigned long long)info->written_pages, written);
    if (info->nr_regions)
        print_regions(info);
}

static void write_stdout(void *arg, const char *text, size_t length)
{
    (void)arg;
    fwrite(text, 1, length, stdout);
}

static void json_counts(struct json *json, const struct region *region)
{
    json_unsigned(json, "references", references(region));
    for (unsigned kind = 0; kind < TRACE_NR_KINDS; kind++)
        json_unsigned(json, kind_names[kind], region->count[kind]);
    json_unsigned(json, "pages", region->pages);
}

/* Schema 1: members are only ever added. */
static void print_json(const struct info *info)
{
    struct json json;
    unsigned shift = trace_reader_page_shift(info->reader);
    json_init(&json, write_stdout, NULL);
    json_object(&json, NULL);
    json_unsigned(&json, "schema", SCHEMA);
    json_string(&json, "trace", info->options->in);
    json_string(&json, "form", form_name(info));
    json_unsigned(&json, "zstd", trace_reader_zstd(info->reader));
    json_unsigned(&json, "bytes", trace_reader_bytes(info->reader));
    json_unsigned(&json, "page_bytes", (uint64_t)1 << shift);
    json_unsigned(&json, "runs", info->runs);
    json_counts(&json, &info->whole);
    json_unsigned(&json, "written_pages", info->written_pages);
    json_unsigned(&json, "footprint_bytes", (uint64_t)info->ids.count << shift);
    json_unsigned(&json, "nr_regions", info->nr_regions);
    json_array(&json, "regions");
    for (size_t i = 0; i < shown_regions(info); i++) {
        const struct region *r = &info->region[i];
        json_object(&json, NULL);
        json_hex(&json, "begin", r->first << shift);
        json_hex(&json, "last", (r->last << shift) | (((uint64_t)1 << shift) - 1));
        json_counts(&json, r);
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    json_finish(&json);
}

int trace_info(const struct trace_options *options)
{
    struct trace_error error;
    struct info info = {.options = options};
    info.reader = trace_open(options->in, options->page_shift, &error);
    bool ok = info.reader;
    if (ok && !page_ids_init(&info.ids)) {
        trace_fail(&error, "there is no memory to count pages");
        ok = false;
    }
    ok = ok && count(&info, &error);
    if (ok && !find_regions(&info)) {
        trace_fail(&error, "there is no memory to sort %u pages", info.ids.count);
        ok = false;
    }
    if (!ok)
        complain("%s", error.text);
    else if (options->json)
        print_json(&info);
    else
        print_table(&info);
    trace_close(info.reader);
    page_ids_free(&info.ids);
    free(info.use);
    free(info.region);
    return ok ? all_written() : EXIT_FAILED;
}
