#!/bin/sh
# bench/map/sim.sh MAP_SIM_BENCH: instructions an access costs in the software MMU, by callgrind
#
# Each case runs with two numbers of accesses; the difference counts, so that building the tables and
# the first misses aren't in it. What the loop costs without the access is taken off.
set -eu
bench=$1
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

total() { # CASE ACCESSES
    valgrind --tool=callgrind --callgrind-out-file="$directory/out" "$bench" "$1" "$2" \
        2>"$directory/log" >&2 || { cat "$directory/log" >&2 && exit 1; }
    awk '/^(summary|totals):/ { total = $2 } END { print total }' "$directory/out"
}

per_access() { # CASE
    low=$(total "$1" 20000)
    high=$(total "$1" 120000)
    echo "$low $high" | awk '{ print ($2 - $1) / 100000 }'
}

alone=$(per_access loop-alone)
for name in warm-repeat-read warm-repeat-write warm-spread-read warm-spread-write warm-ways-read \
    warm-last-way-read cold-read cold-2m-read walk-4k walk-2m; do
    per_access "$name" | awk -v name="$name" -v alone="$alone" \
        '{ printf "%-20s %-8s %10.1f  instructions/access\n", name, "quire", $1 - alone }'
done
