/* bench/map/main.c: map-bench, what translation costs */
#include "bench.h"

int main(int argc, char **argv)
{
    static const struct bench_case *const groups[] = {table_cases, vmalloc_cases, NULL};
    return run_bench(
        argc, argv,
        "Example: map-bench --case='map-*'\n\n"
        "Prints what mapping memory costs, for a page, an entry or a call: rows of case, threads, "
        "subject, value and unit.\v"
        "Exit status: 0 done, 1 failed, 2 usage.",
        groups);
}
