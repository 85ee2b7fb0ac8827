#!/bin/sh
# tests/guest/malloc.sh QUIRE CLASS: malloc gets on the machine what it gets on Linux
#
# Programs that show their break, mappings, faults and what malloc says of itself, at every step: with glibc
# and musl, static and dynamic. What they say is compared with what they said on a real Linux (expected/), but
# for what comparable() takes away. The addresses are those of programs that lie as the recorded ones did: who
# has another compiler or C library, gets cases that are skipped.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
. tests/guest/malloc/programs.sh
quire=$1
class=$2
expected=tests/guest/expected/malloc-$class.txt
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
folder=$tap_scratch/programs
mkdir "$folder"
build_programs "$class" "$folder" >"$tap_scratch/built" 2>&1

one_run() { # FILE RUN: what stands of it in a file
    awk -v title="##### $(echo "$2" | tr , ' ')" '
        $0 == title { inside = 1 }
        inside { print }
        /^##### exit/ { inside = 0 }' "$1" | comparable
}

same() { # RUN
    one_run "$expected" "$1" >"$tap_scratch/expected"
    one_run "$tap_scratch/said" "$1" >"$tap_scratch/got"
    [ -s "$tap_scratch/expected" ] || { echo "nothing was recorded of it" && return 1; }
    diff -U2 "$tap_scratch/expected" "$tap_scratch/got"
}

ended_well() {
    cat "$tap_scratch/log"
    echo "exit status $status, expected 0"
    [ "$status" -eq 0 ]
}

# Why a program can't be compared; nothing: it can.
why_not() { # PROGRAM
    if ! [ -x "$folder$1" ]; then
        echo "no compiler or C library for it"
    elif ! grep -qxF "##### layout $1$(layout "$folder$1")" "$expected"; then
        echo "this compiler and C library make another program than the one that was recorded"
    fi
}

set --
runs=
for run in $(every_run "$class"); do
    program=${run%%,*}
    [ -z "$(why_not "$program")" ] || continue
    runs="$runs $run"
    set -- "$@" --add="$folder$program:$program"
done
if [ -n "$runs" ]; then
    # shellcheck disable=SC2086 # several runs
    "$quire" boot --mem=128M --timeout=400 "$@" -- "$folder/runs" $runs >"$tap_scratch/said" 2>"$tap_scratch/log" </dev/null
    status=$?
    tap_check "$class: all runs end with 0" ended_well
fi
for run in $(every_run "$class"); do
    why=$(why_not "${run%%,*}")
    if [ -n "$why" ]; then
        tap_skip "$run says what it says on Linux" "$why"
    else
        tap_check "$run says what it says on Linux" same "$run"
    fi
done
tap_end
