#!/bin/sh
# tests/report/screenshots.sh QUIRE FOLDER: the pictures of docs/report.md, made anew
#
# A machine sorts with a part of the memory that it wants, then counts; a page of that, and one of a
# recording, are drawn by Chromium. Pictures go to FOLDER, at most 150 KB each.
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
"$quire" report --output="$work/run.html" tests/command/report/run.json
PYTHONDONTWRITEBYTECODE=1 python3 tests/report/screenshots.py "$work" "$folder"
for picture in "$folder"/report*.png; do
    if [ "$(wc -c <"$picture")" -gt 150000 ]; then
        echo "$picture is larger than 150 KB" >&2
        exit 1
    fi
done
