#!/bin/sh
# bench/common/instructions.sh BENCH [CASE-PATTERN]: instructions a page, entry or call, by callgrind
#
# Counts what runs in the measured step of a case, the benchmark's own loop included where it has
# one. Each case runs twice, with different numbers of runs: the difference is what is counted, so
# that what only the first run does isn't in it. Rows of `case threads subject value unit`.
set -eu
. "$(dirname "$0")/callgrind.sh"
bench=$1
cases=${2:-'*'}
more=2

count() { # CASE RUNS
    instructions bench_measured "$bench" --count="$2" --case="$1"
}

echo '# counted by callgrind'
printf '%-34s %7s  %-7s %10s  %s\n' '# case' threads subject value unit
"$bench" --list --case="$cases" | while read -r name units unit; do
    progress "$name"
    low=$(count "$name" 1)
    high=$(count "$name" $((1 + more)))
    progress
    echo "$low $high" | awk -v name="$name" -v units="$units" -v unit="$unit" -v more=$more '
        { printf "%-34s %7d  %-7s %10.2f  instructions/%s\n", name, 1, "quire",
                 ($2 - $1) / (more * units), unit }'
done
