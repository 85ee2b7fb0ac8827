/* bench/common/output.c: rows of `case threads subject value unit` on stdout, talk on stderr */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/common/common.h"

void print_row(const char *name, unsigned threads, const char *subject, double value, int digits,
               const char *unit)
{
    if (subject)
        printf("%-34s %7u  %-7s %10.*f  %s\n", name, threads, subject, digits, value, unit);
    else
        printf("%-34s %7s  %-7s %10s  %s\n", name, "threads", "subject", "value", "unit");
    fflush(stdout);
}

void progress(const char *text)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s", text ? text : "");
}

void fail(const char *text)
{
    progress(NULL);
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
    exit(1);
}
