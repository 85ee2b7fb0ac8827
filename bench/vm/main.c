/* bench/vm/main.c: vm-bench, what address spaces cost */
#include "bench.h"

int main(int argc, char **argv)
{
    static const struct bench_case *const groups[] = {area_cases, fault_cases, NULL};
    return run_bench(argc, argv,
                     "Example: vm-bench --case='mmap-*'\n\n"
                     "Prints what calls, faults and forks cost: rows of case, threads, subject, "
                     "value and unit.\v"
                     "Exit status: 0 done, 1 failed, 2 usage.",
                     groups);
}
