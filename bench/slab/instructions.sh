#!/bin/sh
# bench/slab/instructions.sh SLAB_BENCH [CASE-PATTERN]: instructions a pair, by callgrind
#
# Counts what runs within Quire's own functions, from the first instruction of a call to its return.
# Each case runs twice, with different numbers of chunks: the difference is what is counted. The
# shorter run is long enough for caches of random sizes to settle. Rows of `case threads subject
# value unit`.
set -eu
bench=$1
cases=${2:-'*'}
chunk=4096

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

toggles() { # CASE
    case $1 in
    *bulk*) echo quire_kmem_cache_alloc_bulk quire_kmem_cache_free_bulk ;;
    cache*) echo quire_kmem_cache_alloc quire_kmem_cache_free ;;
    *) echo quire_kmalloc quire_kfree ;;
    esac
}

count() { # CASE CHUNKS
    flags=
    for function in $(toggles "$1"); do
        flags="$flags --toggle-collect=$function"
    done
    # shellcheck disable=SC2086 # a list of options
    if ! valgrind --tool=callgrind --callgrind-out-file="$directory/out" $flags \
        "$bench" --child=quire --case="$1" --count="$2" 2>"$directory/log"; then
        cat "$directory/log" >&2
        exit 1
    fi
    awk '/^(summary|totals):/ { total = $2 } END { print total }' "$directory/out"
}

echo "# counted by callgrind"
printf '%-24s %7s  %-8s %10s  %s\n' '# case' threads subject value unit
for name in cache-hot-64 kmalloc-hot-64 kmalloc-random cache-bulk-32; do
    # shellcheck disable=SC2254 # a pattern is wanted
    case $name in
    $cases) ;;
    *) continue ;;
    esac
    low=$(count $name 160)
    high=$(count $name 192)
    echo "$low $high" | awk -v name="$name" -v pairs=$((32 * chunk)) '
        { printf "%-24s %7d  %-8s %10.1f  instructions/pair\n", name, 1, "quire", ($2 - $1) / pairs }'
done
