#!/bin/sh
# bench/heap/instructions.sh HEAP_BENCH [QUIRE_SO]: instructions by callgrind
#
# Of malloc and free of 16 bytes, when warm, the size known at run time only, through the shared library,
# from the call's first instruction to its return. The loop isn't counted: it is measured with functions
# that do nothing, whose own three instructions are put back. And of an object of a pool: made, 100 objects
# of mixed small sizes taken, destroyed, with the loop. Each runs with two counts; the difference counts,
# so that what only the first ones do isn't in it. Rows of `case threads allocator value unit`.
set -eu
. "$(dirname "$0")/../common/callgrind.sh"
bench=$1
quire=${2:-}
low=1000
high=11000
nothing=3 # mov and ret of nothing_allocated, ret of nothing_freed

count() { # FUNCTION CASE COUNT PRELOAD
    LD_PRELOAD=$4 instructions "$1" "$bench" --child=x --case="$2" --count="$3" || exit 1
}

per_run() { # FUNCTION CASE LOW HIGH PRELOAD
    echo "$(count "$1" "$2" "$3" "$5") $(count "$1" "$2" "$4" "$5")" |
        awk -v runs=$(($4 - $3)) '{ print ($2 - $1) / runs }'
}

row() { # CASE ALLOCATOR VALUE UNIT
    printf '%-34s %7d  %-7s %10.2f  %s\n' "$1" 1 "$2" "$3" "$4"
}

echo '# counted by callgrind'
printf '%-34s %7s  %-7s %10s  %s\n' '# case' threads subject value unit
loop=$(per_run bench_measured loop-16 $low $high '')
for peer in glibc: quire:"$quire" jemalloc:libjemalloc.so.2 mimalloc:libmimalloc.so.2 \
    tcmalloc:libtcmalloc_minimal.so.4 quire-pool:"$quire" apr:libapr-1.so.0 talloc:libtalloc.so.2; do
    name=${peer%%:*}
    library=${peer#*:}
    progress "$name"
    case $name in
    quire | quire-pool) [ -e "$library" ] || continue ;;
    glibc) ;;
    *) LD_PRELOAD=$library sh -c 'grep -q "$1" /proc/self/maps' sh "$library" 2>"$directory/log" || continue ;;
    esac
    case $name in
    quire-pool) export HEAP_BENCH_POOL=quire ;;
    apr | talloc)
        export HEAP_BENCH_POOL="$library"
        library=
        ;;
    *)
        pair=$(per_run bench_measured hot-16 $low $high "$library")
        progress
        row hot-16 "$name" "$(echo "$pair $loop" | awk -v nothing=$nothing '{ print $1 - $2 + nothing }')" \
            instructions/pair
        ;;
    esac
    pool=$(per_run bench_pools pool-100 10 110 "$library")
    unset HEAP_BENCH_POOL
    progress
    row pool-100 "$name" "$(echo "$pool" | awk '{ print $1 / 2000 }')" instructions/object
done
