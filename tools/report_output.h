/* tools/report_output.h: a report as text, CSV, JSON and HTML
 */
#ifndef TOOLS_REPORT_OUTPUT_H
#define TOOLS_REPORT_OUTPUT_H

#include <stdio.h>

#include "report_model.h"

void report_print_text(const struct report *report, FILE *to);

/* The names of the tables that there are as CSV, NULL-terminated; the first is what happened over
 * time. */
extern const char *const report_tables[];
void report_print_csv(const struct report *report, unsigned table, FILE *to);

struct report_detail {
    bool is_page;          /* for a <script>: no "<" in it, and no more than a reader looks at */
    unsigned most_areas;   /* processes whose areas are told of */
    size_t most_processes; /* that are told one by one, the largest; others are in sums */
};
void report_print_json(const struct report *report, const struct report_detail *detail, FILE *to);

/* One page that needs nothing else. It is made smaller, in processes, time and addresses, until it
 * has at most `limit` bytes. False after a complaint: it can't be that small, or there is no page
 * in this build. */
bool report_print_html(struct report *report, uint64_t limit, FILE *to);

/* The page of a recording, for `quire run --report`, into the file `html`. False after a complaint.
 */
bool report_from_run(FILE *recording, const char *name, const char *html);

#endif
