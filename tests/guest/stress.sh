#!/bin/sh
# tests/guest/stress.sh QUIRE: Debian's stress-ng in a machine that has less memory than it wants
#
# Each stressor runs alone, with a bound of operations, on a machine of 80M of which the program's own
# files take 33M, and a swap area. It has to end well, to find all content as it should be (--verify),
# and, where what it does is the same each time, to have made the machine swap. QUIRE_STRESS=N does N times as
# many operations.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
work=$tap_scratch
times=${QUIRE_STRESS:-1}
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
for program in stress-ng /bin/busybox; do
    if ! command -v "$program" >/dev/null; then
        tap_skip 'stress-ng' "there is no $program"
        tap_end
    fi
done

# Runs it, then tells what it cost.
# shellcheck disable=SC2016 # for the shell inside
then_tell='"$@"; status=$?; grep -E "^(pswpin|pswpout|pgmajfault|oom_kill) " /proc/vmstat; exit $status'

stress() { # OPTIONS... --X-ops COUNT
    for word; do
        [ "${word%-ops}" = "$word" ] || ops=$word
        count=$word
    done
    set -- "$@" "$ops" $((count * times)) --verify --timeout 0
    "$quire" boot --mem=80M --swap=192M --timeout=$((400 * times)) --append=check -v \
        --add="$(command -v stress-ng)" -- /bin/busybox sh -c "$then_tell" sh stress-ng "$@" \
        >"$work/said" 2>&1 </dev/null
    got=$?
    tail -n 15 "$work/said"
    echo "exit status $got, expected 0"
    [ "$got" -eq 0 ] && grep -q 'successful run completed' "$work/said" &&
        ! grep -E 'stress-ng: fail:|unsuccessful' "$work/said"
}

try() { # NAME OPTIONS... --X-ops COUNT
    name=$1
    shift
    tap_check "$name" stress "$@"
}
swapped() {
    grep -E '^pswp(in|out) [1-9][0-9]' "$work/said"
    [ "$(grep -cE '^pswp(in|out) [1-9][0-9]' "$work/said")" -eq 2 ] && grep -qx 'oom_kill 0' "$work/said"
}
and_swaps() {
    tap_check "... which makes the machine swap, and nobody is killed" swapped
}

try 'vm' --vm 1 --vm-bytes 80M --vm-method flip --vm-ops 4000
and_swaps
try 'vm, two at a time' --vm 2 --vm-bytes 90M --vm-ops 8000
and_swaps
try 'brk' --brk 1 --brk-ops 10000
# Of the flags that stress-ng chooses from one is MAP_LOCKED: memory that is locked altogether is
# somebody's end, as on Linux, whatever swap is free. With this seed it isn't among the first.
try 'mmap' --seed 2 --mmap 1 --mmap-bytes 80M --mmap-ops 2
[ "$times" -gt 1 ] || and_swaps
try 'mremap' --mremap 1 --mremap-bytes 64M --mremap-ops 4
and_swaps
try 'malloc' --malloc 1 --malloc-bytes 64M --malloc-max 1000 --malloc-ops 5000
try 'fork' --fork 1 --fork-ops 100
try 'madvise' --madvise 1 --madvise-ops 10
try 'mincore' --mincore 1 --mincore-ops 100
try 'mlock, of more than there is' --mlock 1 --mlock-ops 1
try 'msync' --msync 1 --msync-bytes 32M --msync-ops 200
try 'POSIX shared memory' --shm 1 --shm-bytes 8M --shm-objs 8 --shm-ops 4
and_swaps
try 'shared memory of System V' --shm-sysv 1 --shm-sysv-bytes 8M --shm-sysv-segs 8 --shm-sysv-ops 8
try 'stack' --stack 1 --stack-ops 2
try 'bigheap' --bigheap 1 --bigheap-ops 1500
and_swaps
try 'memfd' --memfd 1 --memfd-bytes 64M --memfd-fds 16 --memfd-ops 4
try 'vm-rw' --vm-rw 1 --vm-rw-bytes 16M --vm-rw-ops 5
tap_end
