#!/bin/sh
# tests/guest/report.sh QUIRE FOLDER CLASS: a report of a machine is what the machine counts by itself
#
# FOLDER has CLASS-events (events.c) and CLASS-swap (swap.c).
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
folder=$2
class=$3
work=$tap_scratch
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
if ! [ -x "$folder/$class-swap" ] || ! command -v python3 >/dev/null; then
    tap_skip "$class: reports" 'no compiler or libraries for it, or no python3'
    tap_end
fi

# Runs it; $work/report.json is the report.
told() { # OPTIONS... -- PROGRAM...
    "$quire" boot --timeout=500 --events="$work/events" --stats="$work/stats.json" --summary "$@" >"$work/said" 2>&1 </dev/null || {
        tail -n 20 "$work/said"
        return 1
    }
    "$quire" events --check "$work/events" >"$work/check" &&
        "$quire" report -o json "$work/events" >"$work/report.json"
}
consistent() {
    python3 tests/report/consistent.py "$work/report.json" "$work/stats.json" "$work/check" "$@"
}
has() { # EXPRESSION-OF-d
    echo "is it so: $1"
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$work/report.json" "$1"
}
cut() {
    head -c $(($(wc -c <"$work/events") / 2)) "$work/events" >"$work/half.events"
    "$quire" report -o json "$work/half.events" >"$work/half.json" 2>"$work/talk"
    [ $? -eq 1 ] && grep 'the report tells what is before' "$work/talk" && python3 -c '
import json, sys
half, whole = (json.load(open(name)) for name in sys.argv[1:])
then = half["time"]["frames_then"]
sys.exit(half["complete"] or not 0 < half["totals"]["faults"] < whole["totals"]["faults"] or
         sum(column[-1] for column in then.values()) != half["frames"])' "$work/half.json" "$work/report.json"
}

tap_check "$class: a report of children and areas" told --mem=64M -- "$folder/$class-events" 1000 5 7
tap_check "$class: ... is what the machine counts" consistent --some-exact
tap_check "$class: ... which the summary points to" grep -qx "  next      quire report $work/events" "$work/said"
tap_check "$class: ... has its program, with its faults" has '[p for p in d["processes"] if p["name"].endswith("-events") and p["minor_faults"] > 1000]'
tap_check "$class: ... and the pages that it touched, at their places" has \
    'max(a["resident"] for p in d["processes"] if "areas" in p for a in p["areas"]["list"]) >= 1000'
tap_check "$class: ... and its phases" has '[m["text"] for m in d["marks"] if m["kind"] == "phase"] == ["the program starts", "the program has ended"]'

tap_check "$class: a report of memory that is short" told --mem=24M --swap=96M -- "$folder/$class-swap" fill 30 1
tap_check "$class: ... is what the machine counts" consistent
tap_check "$class: ... sampled, and it says so" has '512 <= d["time"]["columns"] <= 1024 and d["map"]["frames_per_row"] == 8'
tap_check "$class: ... half of its events are half of the report" cut

killed() {
    "$quire" boot --timeout=100 --mem=24M --swap=8M --events="$work/events" --stats="$work/stats.json" -- \
        "$folder/$class-swap" fill 60 1 >"$work/said" 2>&1 </dev/null
    [ $? -eq 137 ] && "$quire" report -o json "$work/events" >"$work/report.json"
}
tap_check "$class: a report of a program that is killed for want of memory" killed
tap_check "$class: ... says so" has 'd["program"]["signal"] == 9 and d["program"]["for_want_of_memory"] and d["oom_kills"] == 1'
tap_check "$class: ... and what it had then" has '[m["resident_bytes"] > 8 << 20 and m["swapped_bytes"] > 4 << 20 and m["oom_score"] > 666
    and m["pid"] == d["program"]["pid"] for m in d["marks"] if m["kind"] == "oom-kill"] == [True]'

# shellcheck disable=SC2016 # its own variables
tap_check "$class: a report of two nodes, and many processes" told --mem=64M --numa=2 -- busybox sh -c \
    'i=0; while [ $i -lt 230 ]; do busybox true; i=$((i + 1)); done; echo tidying >/dev/kmsg; echo 1 >/proc/sys/vm/compact_memory'
many() { # the largest one by one
    has '200 <= len(d["processes"]) <= 201 and d["other_processes"]["count"] >= 29 and d["marks_left_out"] > 0' &&
        has '[m["text"] for m in d["marks"] if m["kind"] == "phase"] == ["the program starts", "tidying", "the program has ended"]'
}
tap_check "$class: ... is what the machine counts" consistent
tap_check "$class: ... tells of the largest, and of the others in sums" many
tap_check "$class: ... and of either node" has '{z["node"] for z in d["zones"] if z["managed"]} == {0, 1}'
tap_end
