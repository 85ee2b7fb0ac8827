#!/bin/sh
# tests/report/screenshots.sh QUIRE FOLDER: the pictures of docs/report.md, made anew
#
# A machine sorts with a part of the memory that it wants, then counts; a page of that, and one of a
# program that quire run watched, are drawn by Chromium. Pictures go to FOLDER, at most 150 KB each.
set -eu
cd "$(dirname "$0")/../.."
quire=$1
folder=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$folder"

awk 'BEGIN { srand(1); for (i = 0; i < 800000; i++) printf "%09d\n", rand() * 1e9 }' >"$work/numbers"
"$quire" boot --mem=32M --swap=256M --events="$work/sort.events" --add=/usr/bin/sort --add=/usr/bin/uniq -- \
    sh -c 'echo sorting >/dev/kmsg; sort -S 200M >/tmp/sorted; echo counting >/dev/kmsg; uniq /tmp/sorted | sort -c
        echo done >/dev/kmsg' <"$work/numbers"
"$quire" report --title='sort -S 200M, with 32 MiB' --output="$work/machine.html" "$work/sort.events"
# shellcheck disable=SC2016 # Perl's own variables
if "$quire" run --help >/dev/null 2>&1; then
    "$quire" run --output="$work/said" --record="$work/run.json" -- perl -e \
        'for $i (1 .. 8) { push @kept, map { "x" x (100 * $_ % 4000) } 1 .. 12000; select undef, undef, undef, 0.2; @kept = () if $i % 4 == 0 }'
    "$quire" report --output="$work/run.html" "$work/run.json"
else
    echo 'There is no quire run here: the picture of heaps stays.' >&2
fi
PYTHONDONTWRITEBYTECODE=1 python3 tests/report/screenshots.py "$work" "$folder"
for picture in "$folder"/report*.png; do
    if [ "$(wc -c <"$picture")" -gt 150000 ]; then
        echo "$picture is larger than 150 KB" >&2
        exit 1
    fi
done
