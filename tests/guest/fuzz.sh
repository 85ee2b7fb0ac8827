#!/bin/sh
# tests/guest/fuzz.sh QUIRE FOLDER CLASS [SEED [SECONDS]]: random system calls on the machine
#
# Passes if the machine survives, and the memory that the calls took comes back. A failure prints the
# command that makes the same calls again.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
fuzzer=$2/$3-fuzz
class=$3
seed=${4:-1}
seconds=${5:-${QUIRE_FUZZ_SECONDS:-60}}

survives() {
    set -- boot --mem=128M --timeout="$((seconds + 400))" -v -- "$fuzzer" --seconds "$seconds" --seed "$seed"
    "$quire" "$@" </dev/null 2>&1
    status=$?
    echo "exit status $status; again: $quire $*"
    [ "$status" -eq 0 ]
}

refuses_this_host() {
    "$fuzzer" --seconds 1 --seed 1
    [ $? -eq 3 ]
}

if [ -x "$fuzzer" ]; then
    tap_check "$class: random calls refuse to be made on the host" refuses_this_host
    tap_check "$class: random calls for $seconds s, seed $seed" survives
    sed -n 's/^fuzz: /# &/p' "$tap_output" | tail -1
else
    tap_skip "$class: random calls" "no compiler or libraries for it"
fi
tap_end
