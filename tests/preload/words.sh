#!/bin/sh
# tests/preload/words.sh --programs=FOLDER SO: words of QUIRE_MALLOC, what they take and what is said. Prints TAP.
set -u
case ${1:-} in
--programs=*) programs=${1#*=} && shift ;;
*) sed -n '2s/^# //p' "$0" >&2 && exit 2 ;;
esac
library=$1
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
log=$tap_scratch/log

run() { # QUIRE_MALLOC CASE [PROGRAM]
    env QUIRE_MALLOC="$1" LD_PRELOAD="$library" "$programs/${3:-quire-words}" "$2" 2>"$log"
    status=$?
    cat "$log"
}

is_understood() { # WORD...
    for word; do
        env QUIRE_MALLOC="$word" LD_PRELOAD="$library" true >"$log" 2>&1 || return 1
        [ -s "$log" ] && echo "$word: $(cat "$log")" && return 1
    done
    :
}

is_refused() { # WORDS WORD...
    words=$1
    shift
    for word; do
        env QUIRE_MALLOC="$word" LD_PRELOAD="$library" true >"$log" 2>&1 || return 1
        [ "$(cat "$log")" = "quire-malloc: QUIRE_MALLOC: \"$word\" isn't understood, and ignored$words" ] && continue
        echo "$word: $(cat "$log")"
        return 1
    done
}

# One of 64k gives back, so that the other is seen.
keeps_after_all() {
    run trim=64k keeps
    [ "$status" -eq 1 ] || return
    run trim=64k,trim=-1 keeps
    [ "$status" -eq 0 ] && ! [ -s "$log" ]
}

tap_check 'numbers are taken as C has them, and with units' is_understood trim=128k trim=0x20000 trim=0400000 'trim= 1m' \
    decay=1 decay=1000000 decay=100k map=32m perturb=0xff guard=07
tap_check 'what is no number is told' is_refused '' guard=7x guard= guard=-1 guard=1kk guard=0x junk=1 word
tap_check 'decay beyond its bounds is told, with them' is_refused ' (it takes 1 to 1000000 milliseconds)' \
    decay decay=0 decay=1000001 decay=1m decay=-1 decay=1h decay=99999999999999999999 decay=20000000000000g
tap_check 'a byte beyond its bounds is told, with them' is_refused ' (it takes 0 to 255)' perturb perturb=256 perturb=-1
tap_check 'a threshold of less than -1 is told' is_refused ' (it takes bytes, or -1)' trim trim=-2 trim=-1k trim=--1
tap_check 'with a threshold of -1 what is freed stays' keeps_after_all

# A line of it, and of who allocated, freed and touched as many as are expected.
guard_tells() { # CASE PATTERN CALLERS
    run guard=1 "$1"
    [ "$status" -gt 128 ] && grep -q "^quire-malloc: guard: 0x[0-9a-f]*: $2\$" "$log" &&
        [ "$(sed -n 's/^  \([a-z]*\) by$/\1/p' "$log" | tr '\n' ' ')" = "$3" ] &&
        ! grep -A 1 ' by$' "$log" | grep -v '^--$' | sed -n 'n;p' | grep -v '^    '
}

tap_check 'guard: what is written behind a block' guard_tells writes_behind 'overflow: block 0x[0-9a-f]* of 100 bytes' \
    'allocated touched '
tap_check 'guard: what is written into a freed one' guard_tells writes_freed \
    'use after free: block 0x[0-9a-f]* of 100 bytes' 'allocated freed touched '
tap_check 'guard: what is written beside all blocks names none' guard_tells writes_beside_all \
    'touched beside all guarded blocks' 'touched '
tap_check 'guard: what is freed beside all blocks is none' guard_tells frees_beside_all 'free of what is no block' ''

# What follows the first caller's `file+`, as the manual says.
leak_is_found() { # PROGRAM
    run leak leaks "$1"
    offset=$(grep -A 1 '^  1234 bytes in 1 blocks by$' "$log" | sed -n "s/^    $1+\\(0x[0-9a-f]*\\).*/\\1/p")
    [ -n "$offset" ] && found=$(addr2line -f -e "$programs/$1" "$offset") || return
    echo "$found"
    [ "$(echo "$found" | head -n 1)" = lose ]
}

if command -v addr2line >/dev/null; then
    tap_check 'leak: addr2line finds who allocated' leak_is_found quire-words
    tap_check '... in a program of fixed addresses, too' leak_is_found quire-words-fixed
else
    tap_skip 'leak: addr2line finds who allocated' 'there is no addr2line'
fi
tap_end
