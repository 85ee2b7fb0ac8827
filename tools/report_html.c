/* tools/report_html.c: a report as one page of HTML
 *
 * tools/report/page.html is the page; where it has a comment <!--quire:NAME-->, that part goes. The
 * numbers are the report's JSON. Scripts of the page draw it; dygraphs draws what goes over time.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quire.h"
#include "report_output.h"

#ifdef QUIRE_HAVE_DYGRAPHS
#include "report_parts.h"

#define FIRST_AREAS 16u     /* of so many processes */
#define MOST_PROCESSES 256u /* more are the first that go */
#define LEAST_PROCESSES 8u  /* that are drawn */
#define LEAST_COLUMNS 64u
#define LEAST_ROWS 32u

struct part {
    const char *name;
    const unsigned char *bytes;
    size_t size;
};

struct page {
    const struct report *report;
    char *data;
    size_t data_size;
};

static void put_escaped(FILE *to, const char *from)
{
    for (; *from; from++)
        switch (*from) {
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '&':
            fputs("&amp;", to);
            break;
        default:
            putc(*from, to);
        }
}

static void put_part(const struct page *page, const char *name, size_t length, FILE *to)
{
    const struct part parts[] = {
        {"style", report_style, report_style_size},
        {"dygraph-style", report_dygraph_css, report_dygraph_css_size},
        {"licence", report_licence, report_licence_size},
        {"dygraph", report_dygraph_js, report_dygraph_js_size},
        {"base", report_base_js, report_base_js_size},
        {"charts", report_charts_js, report_charts_js_size},
        {"map", report_map_js, report_map_js_size},
        {"areas", report_areas_js, report_areas_js_size},
        {"page", report_page_js, report_page_js_size},
        {"data", (const unsigned char *)page->data, page->data_size},
    };
    if (length == 5 && !memcmp(name, "title", 5))
        put_escaped(to, page->report->title);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strlen(parts[i].name) == length && !memcmp(parts[i].name, name, length))
            fwrite(parts[i].bytes, 1, parts[i].size, to);
}

static void put_page(const struct page *page, FILE *to)
{
    static const char begin[] = "<!--quire:", end[] = "-->";
    const char *at = (const char *)report_page, *stop = at + report_page_size;
    while (at < stop) {
        const char *mark = memmem(at, (size_t)(stop - at), begin, sizeof begin - 1);
        const char *name = mark ? mark + sizeof begin - 1 : stop;
        const char *behind = mark ? memmem(name, (size_t)(stop - name), end, sizeof end - 1) : NULL;
        fwrite(at, 1, (size_t)((behind ? mark : stop) - at), to);
        if (behind)
            put_part(page, name, (size_t)(behind - name), to);
        at = behind ? behind + sizeof end - 1 : stop;
    }
}

/* The page in memory; it is the caller's. */
static char *make_page(const struct report *report, const struct report_detail *detail,
                       size_t *size)
{
    struct page page = {.report = report};
    char *made = NULL;
    FILE *to = must(open_memstream(&page.data, &page.data_size));
    report_print_json(report, detail, to);
    fclose(to);
    to = must(open_memstream(&made, size));
    put_page(&page, to);
    fclose(to);
    free(page.data);
    return must(made);
}

/* The next smaller one, by what it has more of. False: it is as small as it gets. */
static bool shrink(struct report *report, struct report_detail *detail)
{
    bool fewer_rows = report->map.nr_rows > LEAST_ROWS,
         fewer_columns = report->nr_columns > LEAST_COLUMNS;
    if (detail->most_processes > MOST_PROCESSES) {
        detail->most_processes = MOST_PROCESSES;
        return true;
    }
    if (fewer_rows && (report->map.nr_rows >= report->nr_columns || !fewer_columns))
        return report_halve_rows(report);
    if (fewer_columns)
        return report_halve_columns(report);
    if (detail->most_areas) {
        detail->most_areas /= 2;
        return true;
    }
    if (detail->most_processes <= LEAST_PROCESSES)
        return false;
    detail->most_processes /= 2;
    return true;
}

bool report_print_html(struct report *report, uint64_t limit, FILE *to)
{
    struct report_detail detail = {
        .is_page = true, .most_areas = FIRST_AREAS, .most_processes = report->nr_processes};
    size_t size;
    char *page = make_page(report, &detail, &size);
    while (size > limit && shrink(report, &detail)) {
        free(page);
        page = make_page(report, &detail, &size);
    }
    bool fits = size <= limit;
    if (fits)
        fwrite(page, 1, size, to);
    else
        complain("the page takes %zu bytes even with little detail, and --size is %" PRIu64
                 ": give it more, or use -o text",
                 size, limit);
    free(page);
    return fits;
}

#else
bool report_print_html(struct report *report, uint64_t limit, FILE *to)
{
    (void)report;
    (void)limit;
    (void)to;
    complain("this quire was built without dygraphs (Debian's libjs-dygraphs), which draws in the "
             "page: -o text, csv and json are there");
    return false;
}
#endif
