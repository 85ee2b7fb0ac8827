#!/bin/sh
# tests/report/browser.sh QUIRE PROGRAM: pages of quire report in headless Chromium
#
# PROGRAM is a build of tests/guest/swap.c: the machine's memory is short for it.
set -u
cd "$(dirname "$0")/../.." || exit 2
quire=$1
program=$2
for need in chromedriver chromium python3; do
    command -v $need >/dev/null || { echo "1..0 # SKIP there is no $need" && exit 0; }
done
[ -x "$program" ] || { echo "1..0 # SKIP no compiler or libraries for programs of the machine" && exit 0; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

bail() {
    tail -n 20 "$work/said"
    echo "Bail out! $*"
    exit 1
}
"$quire" boot --timeout=500 --mem=24M --swap=96M --events="$work/machine.events" --add="$program":/swap -- \
    busybox sh -c 'echo filling >/dev/kmsg; /swap fill 30 1; echo listing >/dev/kmsg; ls -lR /proc/self >/dev/null' \
    >"$work/said" 2>&1 </dev/null || bail 'the machine did not run'
head -c $(($(wc -c <"$work/machine.events") / 2)) "$work/machine.events" >"$work/cut.events"
head -c 32 "$work/machine.events" >"$work/empty.events"
"$quire" report --output="$work/empty.html" "$work/empty.events" 2>"$work/said"
"$quire" report --output="$work/machine.html" "$work/machine.events" 2>"$work/said" || bail 'there is no page'
"$quire" report --output="$work/cut.html" "$work/cut.events" 2>"$work/said"
"$quire" report -o json "$work/machine.events" >"$work/machine.json" || bail 'there is no JSON'
python3 tests/command/report/hostile.py killed 1 9 >"$work/killed.events"
"$quire" report --output="$work/killed.html" "$work/killed.events" 2>"$work/said" || bail 'there is no page of a kill'
"$quire" report --output="$work/run.html" tests/command/report/run.json 2>"$work/said" ||
    grep -q libjansson "$work/said" || bail 'there is no page of a recording'
PYTHONDONTWRITEBYTECODE=1 python3 tests/report/browser.py "$work"
