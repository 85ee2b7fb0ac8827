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

# The beginning of the first line, of a link to the program by another name.
program_is_told() { # WORD BEGINNING NAME
    ln -sf "$programs/quire-words" "$tap_scratch/$3" || return
    # shellcheck disable=SC2016 # the inner shell's own number
    sh -c 'echo $$ && exec env QUIRE_MALLOC="$1" LD_PRELOAD="$2" "$0" leaks' "$tap_scratch/$3" "$1" "$library" \
        >"$tap_scratch/pid" 2>"$log"
    cat "$log"
    case $(cat "$log") in
    "$(printf '%s' "$2" | sed "s/PID/$(cat "$tap_scratch/pid")/")"*) ;;
    *) return 1 ;;
    esac
}

tap_check 'stats tells of which process' program_is_told stats 'quire-malloc: stats of process PID (quire-words)
used ' quire-words
tap_check 'stats=json does' program_is_told stats=json '{"pid":PID,"program":"quire-words","schema":1,' quire-words
tap_check 'calls does' program_is_told calls 'quire-malloc: calls of process PID (words by link)
' 'words by link'
tap_check 'leak does' program_is_told leak "quire-malloc: leak: 1234 bytes in 1 blocks weren't freed by process PID (quire-words)
" quire-words
tap_check 'a long name is cut' program_is_told leak "quire-malloc: leak: 1234 bytes in 1 blocks weren't freed by process PID (a-name-of-more-)
" a-name-of-more-than-15
tap_check 'of any name JSON is made' program_is_told stats=json '{"pid":PID,"program":"a\"b\\c??d","schema":1,' \
    "$(printf 'a"b\\c\303\nd')"
is_json() {
    env QUIRE_MALLOC=stats=json LD_PRELOAD="$library" "$programs/quire-words" leaks 2>"$log"
    python3 -m json.tool "$log" >/dev/null
}
if command -v python3 >/dev/null; then
    tap_check 'stats=json is JSON' is_json
else
    tap_skip 'stats=json is JSON' 'there is no python3'
fi
tap_end
