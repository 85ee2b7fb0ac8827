#!/bin/sh
# tests/demo/test.sh QUIRE: ./demo shows what it says that it shows
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh

runs() { # QUIRE
    DEMO_QUIRE=$1 ./demo >"$tap_scratch/output" 2>&1 || { cat "$tap_scratch/output" && return 1; }
}

says() { # PATTERN
    grep -E "$1" "$tap_scratch/output"
}

fits_one_screen() {
    [ "$(wc -l <"$tap_scratch/output")" -le 50 ] && ! says '.{121}'
}

# Frames that are free at the end, of all sizes, are fewer than what the machine has.
lists_are_sums() {
    awk '/^free after: Node/ { for (i = 7; i <= NF; i++) sum += $i * 2 ^ (i - 7) }
         END { print sum; exit !(sum > 500 && sum < 8192) }' build/demo/sort.log
}

tap_check 'it runs' runs "$1"
tap_check 'it fits a screen' fits_one_screen
tap_check 'sort gets little memory, and swaps' says '^    swap +out [1-9][0-9.]* MiB \([0-9,]* pages\), in [1-9]'
tap_check 'faults are minor and major' says '^    faults +minor [0-9]{2},[0-9]{3}, major [1-9]'
tap_check 'what sort wrote is right' says 'What it wrote is in order'
tap_check "sort's memory is told" says '^    sort +at most 2[0-9]\.[0-9] MiB'
tap_check 'HighMem is used up' says '^      after  HighMem( +0){11}'
tap_check 'instructions of faults are counted' \
    says 'first touch of a page +230,400 times, [1-3],[0-9]{3} instructions each, [1-2],[0-9]{3} of them clear it'
tap_check 'also those of copies' says 'first write after a fork +2,0[0-9]{2} times, [1-4],[0-9]{3} instructions each'
tap_check 'the report is a page, and of sort' grep -q '<title>.*sort' build/demo/report.html
tap_check 'free lists are of this machine' lists_are_sums
tap_end
