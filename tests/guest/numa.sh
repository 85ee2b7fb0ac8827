#!/bin/sh
# tests/guest/numa.sh QUIRE FOLDER CLASS: programs on machines of several nodes
#
# FOLDER has CLASS-numa (numa.c), whose lines are the cases. What Debian's numactl and numastat say is
# compared with what they say on a Linux of two nodes, as far as that doesn't depend on its memory.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
class=$3
program=$2/$class-numa
work=$tap_scratch
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
if ! [ -x "$program" ]; then
    tap_skip "$class: nodes" 'no compiler or libraries for it'
    tap_end
fi

"$quire" boot --timeout=500 --mem=128M --numa=2 --append=check -- "$program" 72 \
    >"$work/cases" 2>"$work/log" </dev/null
echo $? >"$work/status"
"$quire" boot --timeout=400 --mem=128M --numa=2 --swap=32M -- "$program" --swap \
    >>"$work/cases" 2>"$work/swap-log" </dev/null

ended() {
    cat "$work/log"
    [ "$(cat "$work/status")" -eq 0 ]
}

case_is_ok() { # NAME
    grep -F -A1 -- "- $1" "$work/cases"
    grep -Fxq "ok - $1" "$work/cases"
}

tap_check "$class: the program ends as it should" ended
sed -n 's/^\(not \)\{0,1\}ok - //p' "$work/cases" >"$work/names"
while read -r name; do
    tap_check "$class: $name" case_is_ok "$name"
done <"$work/names"

# ---- Debian's programs ------------------------------------------------------------------------------

says() { # EXPECTED OPTIONS...
    printf '%b' "$1" >"$work/expected"
    shift
    "$quire" boot --timeout=400 --mem=128M "$@" >"$work/got" 2>"$work/log" </dev/null
    echo "exit status $?"
    cat "$work/log"
    diff -U2 "$work/expected" "$work/got"
}

is_of_class() { # PROGRAM
    case $class in
    x86-64) od -An -tx1 -j4 -N1 "$1" | grep -q 02 ;;
    *) od -An -tx1 -j4 -N1 "$1" | grep -q 01 ;;
    esac
}

add_up() {
    "$quire" boot --timeout=400 --mem=128M --numa=2 -- cat /proc/meminfo /sys/devices/system/node/node0/meminfo \
        /sys/devices/system/node/node1/meminfo 2>"$work/log" >"$work/meminfo"
    grep MemTotal "$work/meminfo"
    awk '$1 == "MemTotal:" { all = $2 } $3 == "MemTotal:" { sum += $4; nodes++ }
        END { exit !(nodes == 2 && sum == all) }' "$work/meminfo"
}
[ "$class" = i386 ] || tap_check "$class: what the nodes have is what the machine has" add_up

numactl=$(command -v numactl || true)
if [ -n "$numactl" ] && is_of_class "$numactl"; then
    tap_check "$class: numactl --show" says \
        'policy: default\npreferred node: current\nphyscpubind: 0 \ncpubind: 0 \nnodebind: 0 \nmembind: 0 1 \npreferred: \n' \
        --numa=2 -- "$numactl" --show
    tap_check "$class: numactl binds what it starts" says \
        'policy: bind\npreferred node: 1\nphyscpubind: 0 \ncpubind: 0 \nnodebind: 0 \nmembind: 1 \npreferred: 1 \n' \
        --numa=2 -- "$numactl" --membind=1 numactl --show
    "$quire" boot --timeout=400 --mem=128M --numa=2 -- "$numactl" --hardware 2>"$work/log" |
        sed 's/[0-9]* MB/N MB/' >"$work/hardware"
    printf '%s\n' 'available: 2 nodes (0-1)' 'node 0 cpus: 0' 'node 0 size: N MB' 'node 0 free: N MB' \
        'node 1 cpus:' 'node 1 size: N MB' 'node 1 free: N MB' 'node distances:' 'node   0   1 ' \
        '  0:  10  20 ' '  1:  20  10 ' >"$work/expected"
    tap_check "$class: numactl --hardware" diff -U2 "$work/expected" "$work/hardware"
else
    tap_skip "$class: numactl" "there is none of this class"
fi
tap_end
