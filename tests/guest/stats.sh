#!/bin/sh
# tests/guest/stats.sh QUIRE FOLDER CLASS: what --stats and --summary say of programs is what they are
#
# FOLDER has CLASS-swap (swap.c). Numbers are compared with others that the machine counts by itself.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
class=$3
program=$2/$class-swap
work=$tap_scratch
stats=$work/stats.json
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
if ! [ -x "$program" ]; then
    tap_skip "$class: stats" 'no compiler or libraries for it'
    tap_end
fi

ends() { # STATUS OPTIONS... -- PROGRAM...
    wanted=$1
    shift
    "$quire" boot --timeout=400 --stats="$stats" --summary "$@" >"$work/said" 2>&1 </dev/null
    got=$?
    tail -n 30 "$work/said"
    echo "exit status $got, expected $wanted"
    [ "$got" -eq "$wanted" ]
}

says() { # PATTERN
    echo "looking for: $1"
    grep -Eq -- "$1" "$work/said"
}

# Of the document's first member of this name.
number() { # MEMBER
    grep -o "\"$1\":[0-9]*" "$stats" | head -n 1 | cut -d: -f2
}

has() { # PATTERN...
    for wanted; do
        grep -Eq -- "$wanted" "$stats" || { echo "it has no $wanted" && return 1; }
    done
}

if command -v python3 >/dev/null; then
    is_json() { # NAME
        tap_check "$1" python3 -m json.tool "$stats" /dev/null
    }
else
    is_json() { # NAME
        tap_skip "$1" 'python3 is not there'
    }
fi

tap_check "$class: a program under pressure" ends 0 --mem=24M --swap=96M --policy=mglru -- "$program" fill 40 2
is_json "$class: ... its document is JSON"
tap_check "$class: ... and whole" has '"missing":\[\]' '"how":"exited","exit_status":0' '"policy":"mglru"' \
    '"schema":"quire.buddyinfo/1"' '"schema":"quire.swaps/1"' '"slabs"|"caches"' '"schema":"quire.vm.vmstat/1"'
swapped() {
    echo "swapped out $(number pswpout), in $(number pswpin); faults $(number pgfault), major $(number pgmajfault)"
    [ "$(number pswpout)" -gt 4000 ] && [ "$(number pswpin)" -gt 4000 ] &&
        [ "$(number pgmajfault)" -gt 0 ] && [ "$(number pgmajfault)" -le "$(number pswpin)" ]
}
tap_check "$class: ... says what was swapped" swapped
peak() {
    echo "peak of the program $(number peak_resident_pages), of the machine $(number peak_used_pages)" \
        "of $(number managed_pages)"
    [ "$(number peak_resident_pages)" -gt 3000 ] && [ "$(number peak_resident_pages)" -lt "$(number peak_used_pages)" ] &&
        [ "$(number peak_used_pages)" -le "$(number managed_pages)" ]
}
tap_check "$class: ... and how much was in use" peak
turns() {
    echo "$(number forks) processes made, $(number switches) changes of task"
    [ "$(number forks)" -eq 1 ] && [ "$(number switches)" -gt 10 ]
}
tap_check "$class: ... how many processes were made, and how often tasks changed" turns

# Each process is there once, with its own end; faults of all are at most those of the machine.
children() {
    processes=$(grep -o '"is_program":' "$stats" | wc -l)
    minor=$(grep -o '"minor_faults":[0-9]*' "$stats" | cut -d: -f2 | awk '{ sum += $1 } END { print sum + 0 }')
    echo "$processes processes, $minor faults of them, $(number pgfault) in all"
    [ "$processes" -eq 4 ] && [ "$minor" -gt 0 ] && [ "$minor" -le "$(number pgfault)" ]
}
tap_check "$class: processes" ends 5 --mem=64M -- busybox sh -c \
    'busybox true; busybox false; busybox sh -c "kill -9 \$\$"; exit 5'
tap_check "$class: ... are all there" children
tap_check "$class: ... with how they ended" has '"ended":true,"exit_status":1,' '"ended":true,"signal":9,' \
    '"is_program":true,.*"exit_status":5'
tap_check "$class: who still runs at the end is told of" ends 0 --mem=64M -- busybox sh -c \
    'busybox sleep 100000 & busybox usleep 100000'
tap_check "$class: ... as one that does" has '"is_program":false[^}]*"ended":false}'
tap_check "$class: a program that is killed" ends 137 --mem=24M -- "$program" fill 40 1
tap_check "$class: ... in the document" has '"how":"killed","signal":9,"for_want_of_memory":true' '"missing":\[\]'
tap_check "$class: ... and in the summary" says '^  end +killed by signal 9 \(Killed\), for want of memory$'
tap_check "$class: ... counted" says '^  reclaim .*; killed for want of memory: 1$'
# shellcheck disable=SC2016 # for the shell inside
tap_check "$class: one that kills itself" ends 137 --mem=24M -- busybox sh -c 'kill -9 $$'
tap_check "$class: ... isn't killed for want of memory" says '^  end +killed by signal 9 \(Killed\)$'
no_swap() {
    ! grep -E '^  (swap|node) ' "$work/said"
}
tap_check "$class: ... and without swap and nodes there are no lines of them" no_swap
nodes() { # pages of nodes are those of the machine
    has '"node":1,' && says '^  node 0 +at most .* of .* in use, .* at the end' && says '^  node 1 ' &&
        [ "$(grep -o '"node_pages":[0-9]*' "$stats" | awk -F: '{ sum += $2 } END { print sum }')" -eq "$(number managed_pages)" ] &&
        says '^  swap +out .*; .* of 96.0 MiB used at the end$'
}
tap_check "$class: two nodes, and swap" ends 0 --mem=64M --numa=2 --swap=96M -- busybox true
tap_check "$class: ... have a line each" nodes
tap_check "$class: a panic" ends 125 --mem=64M --append=crash=late -- busybox true
tap_check "$class: ... is told of, with all that still could be" has '"how":"panic"' '"missing":\[\]'
is_json "$class: ... in JSON"
# A host that is busy may need more than those seconds to let the program begin.
time_is_over() {
    for seconds in 6 60 300; do
        ends 124 --timeout="$seconds" --mem=64M -- busybox sh -c 'echo begun; exec busybox sleep 100000' || return
        says '^begun$' && return
    done
    return 1
}
tap_check "$class: a machine whose time is over" time_is_over
tap_check "$class: ... says what it took until then" has '"how":"timeout"' '"missing":\[\]' \
    '"is_program":true[^}]*"ended":false}'
stopped_by() { # SIGNAL STATUS
    : >"$work/begun" # nothing of an earlier one
    # shellcheck disable=SC2016 # for the shell inside
    "$quire" boot --mem=64M --stats="$stats" --summary -- busybox sh -c 'echo begun; while :; do :; done' \
        >"$work/begun" 2>"$work/said" </dev/null &
    machine=$!
    tap_await grep -q begun "$work/begun"
    kill "-$1" "$machine"
    wait "$machine"
    got=$?
    echo "exit status $got, expected $2"
    cat "$work/said"
    [ "$got" -eq "$2" ] && says '^  memory    program at most' && has '"how":"stopped"' '"missing":\[\]'
}
tap_check "$class: one that is stopped by a signal, too" stopped_by TERM 143
unheard() { # DEVICE-OR-READER STATUS
    # shellcheck disable=SC2016 # for the shell inside
    set -- "$1" "$2" --mem=64M --stats="$stats" --summary -- busybox sh -c 'while :; do busybox echo more; done'
    out=$1
    expected=$2
    shift 2
    if [ "$out" = head ]; then
        { "$quire" boot "$@" 2>"$work/said"; echo $? >"$work/status"; } </dev/null | head -n 1 >"$work/begun"
    else
        "$quire" boot "$@" >"$out" 2>"$work/said" </dev/null
        echo $? >"$work/status"
    fi
    cat "$work/status" "$work/said"
    [ "$(cat "$work/status")" -eq "$expected" ] && says '^  memory    program at most' && has '"how":"stopped"' '"missing":\[\]'
}
tap_check "$class: one whose output is full has its figures" unheard /dev/full 125
tap_check "$class: ... and says why" says "since its output can't be written: No space left"
tap_check "$class: one whose reader goes has them, too" unheard head 141
for policy in lru mglru clock fifo; do
    tap_check "$class: the policy $policy" ends 0 --mem=24M --swap=96M --policy=$policy -- "$program" fill 30 1
done
tap_end
