#!/bin/sh
# tests/preload/hot.sh [--programs=FOLDER] SO: malloc and free of a small block, as instructions
#
# From a function's first one to its first return, which is the hot path as compilers lay it out: what is
# rare comes behind it. bench/heap/instructions.sh counts what is executed.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
most=30
while [ $# -gt 1 ]; do shift; done

instructions() { # FUNCTION, one of the names of its address
    address=$(nm -D --defined-only "$library" | awk -v name="$1" '$3 == name { print $1; exit }')
    [ -n "$address" ] || return 1
    objdump -d --no-show-raw-insn --start-address="0x$address" "$library" |
        awk '/^ *[0-9a-f]+:\t/ { n++ } /\tret/ { print n; exit }'
}

is_short() {
    malloc=$(instructions malloc) && free=$(instructions free) || return 1
    echo "malloc $malloc, free $free"
    [ "$malloc" -gt 5 ] && [ "$free" -gt 5 ] && [ $((malloc + free)) -le "$most" ]
}

library=$1
if ! command -v objdump >/dev/null; then
    tap_skip "a pair takes at most $most instructions" 'no objdump'
else
    tap_check "a pair takes at most $most instructions" is_short
    tap_note "$(cat "$tap_output")"
fi
tap_end
