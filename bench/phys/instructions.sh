#!/bin/sh
# bench/phys/instructions.sh PHYS_BENCH [CASE-PATTERN [SUBJECT]]: instructions an operation, by callgrind
#
# Counts only what runs within an allocator's own functions, from the first instruction of a call to
# its return, locks and counters included. Each case runs twice, with different numbers of cycles:
# the difference is what is counted, so that set-up and the first cycle's warm-up aren't in it. A
# cycle of bulk and random fills half of the memory and frees it again. Rows of
# `case threads subject value unit`. PHYS_BENCH_OPTIONS in the environment goes to phys-bench.
set -eu
. "$(dirname "$0")/../common/callgrind.sh"
bench=$1
cases=${2:-'*'}
only=${3:-}
memory=1G
options=${PHYS_BENCH_OPTIONS:-}

# Functions of a subject that are counted: the toggles of callgrind.
toggles() { # SUBJECT CASE
    case $1,$2 in
    quire,*calls*) echo quire_alloc_pages_bulk quire_free_pages_bulk ;;
    quire,*) echo quire_alloc_pages quire_free_pages ;;
    *,*calls*) echo "$1_get_many" "$1_put_many" ;;
    *) echo "$1_get" "$1_put" ;;
    esac
}

# Prints `instructions pairs-per-cycle` of a run.
count() { # CASE SUBJECT CYCLES
    # shellcheck disable=SC2086 # a list of options
    total=$(instructions "$(toggles "$2" "$1")" \
        "$bench" --count="$3" --case="$1" --subject="$2" --mem=$memory $options)
    echo "$total" "$(awk '{ print $3 }' "$directory/said")"
}

# One row. Order 9 has few blocks, so that its cycles are short and many.
row() { # CASE SUBJECT
    progress "$1 $2"
    case $1 in
    *repeat | *calls*) first=1 more=5 ;;
    order-0-*) first=1 more=1 ;;
    order-3-*) first=1 more=2 ;;
    *) first=2 more=20 ;;
    esac
    low=$(count "$1" "$2" $first)
    high=$(count "$1" "$2" $((first + more)))
    progress
    echo "$low $high" | awk -v name="$1" -v subject="$2" -v more="$more" '
        { printf "%-34s %7d  %-7s %10.1f  instructions/pair\n", name, 1, subject,
                 ($3 - $1) / (more * $2) }'
}

echo "# counted by callgrind, $memory of simulated memory${options:+, $options}"
printf '%-34s %7s  %-7s %10s  %s\n' '# case' threads subject value unit
for order in 0 3 9; do
    for activity in repeat bulk random calls-of-64; do
        name=order-$order-$activity
        [ $activity != calls-of-64 ] || [ $order = 0 ] || continue
        # shellcheck disable=SC2254 # a pattern is wanted
        case $name in
        $cases) ;;
        *) continue ;;
        esac
        for subject in quire stack buddy; do
            [ -z "$only" ] || [ "$only" = $subject ] || continue
            row $name $subject
        done
    done
done
