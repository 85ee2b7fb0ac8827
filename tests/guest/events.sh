#!/bin/sh
# tests/guest/events.sh QUIRE FOLDER CLASS: the events of a machine are what it did
#
# FOLDER has CLASS-events (events.c) and CLASS-swap (swap.c). What events come to is compared with what the
# machine counts by itself: getrusage, vmstat, its free frames.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
folder=$2
class=$3
work=$tap_scratch
file=$work/events
stats=$work/stats.json
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
if ! [ -x "$folder/$class-events" ]; then
    tap_skip "$class: events" 'no compiler or libraries for it'
    tap_end
fi

# Runs it; what its events come to is in $work/sums.
told() { # STATUS OPTIONS... -- PROGRAM...
    wanted=$1
    shift
    "$quire" boot --timeout=500 --append=check --events="$file" --stats="$stats" "$@" >"$work/said" 2>&1 </dev/null
    got=$?
    tail -n 20 "$work/said"
    echo "exit status $got, expected $wanted"
    [ "$got" -eq "$wanted" ] && "$quire" events "$file" >"$work/text" &&
        awk -f tests/guest/events.awk "$work/text" >"$work/sums" && grep -v '^process\|^fork' "$work/sums"
}

number() { # MEMBER-OF-STATS
    grep -o "\"$1\":[0-9]*" "$stats" | head -n 1 | cut -d: -f2
}

sum() { # NAME
    awk -v name="$1" '$1 == name { print $2 }' "$work/sums"
}

same() { # NAME WHAT-IT-IS-BY-THE-MACHINE
    echo "$1: $(sum "$1") by events, $2 by the machine"
    [ "$(sum "$1")" -eq "$2" ]
}

counts() {
    same faults "$(number pgfault)" && same out "$(number pswpout)" && same in "$(number pswpin)" &&
        same scanned $(($(number pgscan_kswapd) + $(number pgscan_direct))) &&
        same reclaimed $(($(number pgsteal_kswapd) + $(number pgsteal_direct)))
}

# Each process of the document, with its own faults.
processes() {
    grep -o '"pid":[0-9]*[^}]*"major_faults":[0-9]*' "$stats" |
        sed 's/"pid":\([0-9]*\).*"minor_faults":\([0-9]*\),"major_faults":\([0-9]*\)/process \1 minor \2 major \3/' |
        sort >"$work/wanted"
    grep '^process' "$work/sums" | sort | diff - "$work/wanted" && [ -s "$work/wanted" ]
}

# Free frames, and pageblocks of each type that isn't the usual one.
frames() {
    "$quire" events --check "$file" >"$work/check" && same free $(($(number MemFree) / 4)) || return 1
    cat "$work/check"
    for type in Unmovable Reclaimable HighAtomic; do
        name=$(echo "$type" | tr '[:upper:]' '[:lower:]')
        wanted=$(grep -o "\"type\":\"$type\",\"pageblocks\":[0-9]*" "$stats" |
            awk -F: '{ sum += $NF } END { print sum + 0 }')
        got=$(sed -n "s/^pageblocks that are $name: //p" "$work/check")
        echo "$type: ${got:-0} pageblocks by events, $wanted by the machine"
        [ "${got:-0}" -eq "$wanted" ] || return 1
    done
}

owned_by() { # OWNER...
    for owner; do
        sed -n "s/^frames in use at the end:.* $owner \\([0-9]*\\).*/\\1/p" "$work/check"
    done | awk '{ sum += $1 } END { print sum }'
}

# Of frames in use as many are of files and slabs as the machine counts, and anonymous ones are those that are
# mapped, and some that are only in the swap cache.
owners() {
    anon=$(owned_by anon)
    echo "files: $(owned_by file shmem), $(number nr_file_pages); slab: $(owned_by slab), $(number Slab) KiB;" \
        "anonymous: $anon, $(number nr_anon_pages) mapped, $(number nr_swapcached) in the swap cache"
    [ "$(number nr_file_pages)" -gt 2000 ] && [ "$(owned_by file shmem)" -eq "$(number nr_file_pages)" ] &&
        [ "$(($(owned_by slab) * 4))" -eq "$(number Slab)" ] && [ "$anon" -ge "$(number nr_anon_pages)" ] &&
        [ "$anon" -le $(($(number nr_anon_pages) + $(number nr_swapcached))) ]
}

nothing_is_lost() {
    "$quire" events --count "$file" | grep -Ex 'lost +0'
}

known() {
    program=$(grep -o '"pid":[0-9]*[^}]*"is_program":true' "$stats" | cut -d: -f2 | cut -d, -f1)
    echo "the program is $program"
    [ "$(grep -c "of $program status 1792$" "$work/sums")" -eq 5 ] && same areas 7 && same gone 7 &&
        same forks 6 && same exits 6
}

tap_check "$class: events of a program that does known things" \
    told 0 --mem=64M -- "$folder/$class-events" 1000 5 7
touched() {
    grep -x 'touched 1000' "$work/said" && [ "$(sum faults)" -ge 1050 ]
}
tap_check "$class: ... have its faults" touched
tap_check "$class: ... its children and areas" known
tap_check "$class: ... the faults of each process" processes
tap_check "$class: ... and are what the machine counts" counts
tap_check "$class: ... frame by frame" frames
tap_check "$class: ... none of them is lost" nothing_is_lost

tap_check "$class: events under swap" \
    told 0 --mem=24M --swap=96M -- "$folder/$class-swap" fill 40 2
tap_check "$class: ... are what the machine counts" counts
tap_check "$class: ... by process" processes
tap_check "$class: ... frame by frame" frames
tap_check "$class: events of a fork with swapped pages, by generations" \
    told 0 --mem=24M --swap=96M --policy=mglru -- "$folder/$class-swap" fork 30
tap_check "$class: ... are what the machine counts" counts
tap_check "$class: ... frame by frame" frames
tap_check "$class: events of a program that is killed for want of memory" \
    told 137 --mem=24M -- "$folder/$class-swap" fill 40 1
kills() {
    "$quire" events --only=oom-kill "$file"
    killed=$("$quire" events --only=oom-kill "$file" | grep -c "pid=.* resident=[1-9].* name='$class-swap'")
    [ "$killed" -eq 1 ] && [ "$(number oom_kill)" -eq 1 ]
}
tap_check "$class: ... which is one of them" kills
tap_check "$class: ... frame by frame" frames
tap_check "$class: events of compaction and two nodes" told 0 --mem=64M --numa=2 -- busybox sh -c \
    'dd if=/dev/zero of=/tmp/x bs=64k count=300 2>/dev/null; echo 1 >/proc/sys/vm/compact_memory; cat /tmp/x | md5sum'
tap_check "$class: ... frame by frame" frames

# Its table of swapped frames takes two pageblocks at once, which were for movable content. On i386 what is above
# the hole in its memory is of the same zone as what is below.
large=9G
[ "$class" = i386 ] && large=6G
tap_check "$class: events of a machine of $large" told 0 --mem=$large --swap=16M -- \
    "$folder/$class-events" 10 1 1
tap_check "$class: ... frame by frame" frames

tap_check "$class: events of files in memory, while somebody still runs" \
    told 0 --mem=24M --swap=96M -- busybox sh -c 'dd if=/dev/zero of=/tmp/x bs=64k count=220 2>/dev/null
        cat /tmp/x | busybox md5sum; busybox sleep 100000 & busybox usleep 10000'
tap_check "$class: ... frame by frame" frames
tap_check "$class: ... whose is which" owners
tap_check "$class: a program may mark what it does" told 0 --mem=64M -v -- busybox sh -c \
    'echo first >/dev/kmsg; echo "<4>second" >/dev/kmsg; printf "a\001b\nc" >/dev/kmsg'
marks() {
    "$quire" events --only=mark "$file" | sed "s/.*text=//" | tr '\n' ' ' | grep -F \
        "'the program starts' 'first' 'second' 'a?b' 'the program has ended' " && grep -q 'kmsg: second$' "$work/said"
}
tap_check "$class: ... in the events and the log" marks

a_slow_reader() {
    mkfifo "$work/fifo"
    (sleep 2 && cat) <"$work/fifo" >"$work/slow" &
    "$quire" boot --timeout=500 --mem=24M --swap=96M --events="$work/fifo" -- \
        "$folder/$class-swap" fill 30 1 </dev/null || return 1
    wait
    "$quire" events --check "$work/slow"
}
tap_check "$class: a slow reader slows the machine, and loses nothing" a_slow_reader
stopped() { # OPTIONS...: without --stats
    "$quire" boot --mem=32M --events="$file" "$@" -- busybox sh -c 'while :; do busybox echo more; done' >"$out" 2>&1 </dev/null
    [ $? -ge 124 ] && "$quire" events --check "$file" && "$quire" events --only=end "$file" | grep 'how=regular'
}
out=/dev/null
tap_check "$class: events of a machine whose time is over are whole" stopped --timeout=4
out=/dev/full
tap_check "$class: ... and of one whose output is full" stopped
a_panic() {
    "$quire" boot --mem=32M --append=crash=late --events="$file" -- busybox true >/dev/null 2>&1 </dev/null
    [ $? -eq 125 ] && "$quire" events --check "$file" && "$quire" events --only=end "$file" | grep 'how=panic'
}
tap_check "$class: a panic is their end" a_panic
tap_end
