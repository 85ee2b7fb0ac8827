#!/bin/sh
# tests/guest/fail.sh QUIRE FOLDER CLASS: memory that runs out at each allocation of the kernel in turn
#
# FOLDER has CLASS-fail (fail.c), which looks for what is lost after each; the machine looks at all
# invariants of its memory at its end. One allocation fails and the next ones don't; or so many in a
# row that a program which only needs a page gives up waiting for it, and is killed.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
class=$3
program=$2/$class-fail
work=$tap_scratch
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
if ! [ -x "$program" ]; then
    tap_skip "$class: allocations that fail" 'no compiler or libraries for it'
    tap_end
fi

# Memory that the machine doesn't use can't be what a failure is made of: there is plenty.
fails_in_turn() { # COUNT
    "$quire" boot --mem=64M --swap=32M --timeout=500 --append='check fail-alloc' -v -- \
        "$program" --count="$1" >"$work/said" 2>"$work/log" </dev/null
    got=$?
    cat "$work/said"
    tail -n 20 "$work/log"
    [ "$got" -eq 0 ] && grep -q '^0 failures$' "$work/said"
}

# Each operation needs some memory of the kernel, and learns that there is none.
learned() {
    ! grep -E ' of +[01] allocations' "$work/said" &&
        [ "$(grep -c 'allocations' "$work/said")" -gt 20 ] && grep -Eq '^exec .* [1-9][0-9] end in an error' "$work/said"
}
reported() {
    grep -Eq "^quire: the machine's memory ran out, so .* was killed" "$work/log" && learned
}
off_unless_asked_for() {
    "$quire" boot --mem=64M --timeout=500 -- "$program" >"$work/said" 2>&1 </dev/null
    [ $? -eq 3 ] && grep 'makes no allocation fail' "$work/said"
}

tap_check "$class: each allocation fails once, and nothing is lost" fails_in_turn 1
tap_check "$class: ... and is told of" learned
tap_check "$class: each allocation and those after it fail, and nothing is lost" fails_in_turn 300
tap_check "$class: ... and who is killed for it is reported" reported
tap_check "$class: none fails where that isn't asked for" off_unless_asked_for
tap_end
