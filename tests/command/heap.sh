#!/bin/sh
# tests/command/heap.sh QUIRE LIBRARY: quire heap, of programs that share their counts or don't
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
library=$2
log=$tap_scratch/log

# It has allocated when it says so, and goes on.
# shellcheck disable=SC2016 # perl's own
says_so='open S, ">", $ENV{THERE}; close S;'
# shellcheck disable=SC2016
program='for (1 .. 100) { push @a, "x" x 3000 } '$says_so' while (1) { push @a, "x" x 3000; select undef, undef, undef, 0.01; }'

is_there() { # WORDS
    grep -q "$1" "$log" && return
    cat "$log"
    return 1
}

refused() { # STATUS WORDS ARGUMENTS...
    expected=$1
    words=$2
    shift 2
    "$quire" heap "$@" >"$tap_scratch/out" 2>"$log"
    [ $? -eq "$expected" ] && ! [ -s "$tap_scratch/out" ] && is_there "$words"
}

is_called() { # NAME
    [ "$(cat "/proc/$pid/comm")" = "$1" ]
}

# Waits until the program is one, and not the shell that starts it, and has said so if it does.
start() { # QUIRE_MALLOC COMMAND...
    words=$1
    shift
    there=$tap_scratch/there
    rm -f "$there"
    env QUIRE_MALLOC="$words" LD_PRELOAD="$library" THERE="$there" "$@" &
    pid=$!
    tap_await is_called "$1"
    [ "$1" = sleep ] || tap_await test -e "$there"
}

stop() {
    kill "$pid"
    wait "$pid" 2>/dev/null
}

shows_used_bytes() {
    "$quire" heap "$pid" >"$log" && is_there '^used  *[1-9][0-9]* bytes' && is_there '^ *16  *[1-9]' &&
        is_there '^free, resident  *[1-9][0-9]* bytes of [1-9]'
}

counts_calls() {
    "$quire" heap "$pid" >"$log" && is_there 'allocations .*frees .*resizes'
}

is_json() {
    "$quire" heap --json "$pid" >"$log" && is_there '^{"schema":1,"pid":'"$pid"',"used":[1-9]' && is_there '"allocations":[1-9]' || return 1
    ! command -v python3 >/dev/null || python3 -m json.tool "$log"
}

file_mode() {
    for file in "/proc/$pid/fd"/*; do
        case $(readlink "$file") in
        */memfd:quire-heap*) [ "$(stat -L -c %a "$file")" = 600 ] && return ;;
        esac
    done
    return 1
}

# Waits for the program to get there; it doesn't use the heap any more then.
holds() { # WHAT, of bytes
    tries=0
    until "$quire" heap "$pid" >"$log" && awk '/^used/ { bytes = $2; seen = 1; if (!('"$1"')) exit 1 } END { if (!seen) exit 1 }' "$log"; do
        [ $((tries += 1)) -lt 100 ] || return
        sleep 0.1
    done
}

start share perl -e "$program"
# It began to share with the first block, and writes all once more while it goes on.
tap_check 'what a program holds is shown' tap_await shows_used_bytes
tap_check 'the file is for its user alone' file_mode
stop
start share,calls perl -e "$program"
tap_check 'its calls are counted' tap_await counts_calls
tap_check 'JSON has it all' tap_await is_json
stop
# shellcheck disable=SC2016 # perl's own, and awk's
burst='push @a, "x" x (200 + $_ % 40) for 1..100000;'
start share perl -e "$burst $says_so sleep 1000;"
# 100,000 strings of 200 to 240 bytes within some milliseconds
tap_check 'what a program took before it slept is shown' holds 'bytes >= 20000000'
stop
start share perl -e "$burst undef @a; $says_so sleep 1000;"
tap_check 'what a program freed before it slept is not shown' holds 'bytes > 1000000 && bytes < 8000000'
stop
# shellcheck disable=SC2016 # perl's own
liar='$name = "quire-heap"; $f = syscall(319, $name, 0); open F, "+<&=$f"; binmode F;
    $head = pack("QLLLLx144LL", 0x5041454845524951, 3, 9999, 0, $$, $ARGV[0], 0);
    syswrite F, $head . "\0" x 64 . pack("QQQQQ", 16, 5, 0, 3, 1) . "\0" x 8000; '$says_so' sleep 1000;'
counts_whats_there() {
    "$quire" heap "$pid" >"$log" && is_there '^ *16  *5  *0  *0  *1$'
}
if [ "$(uname -m)" = x86_64 ]; then # whose number memfd_create has there
    for classes in 4000000 4294967295 0; do
        start junk perl -e "$liar" "$classes"
        tap_check "a page of $classes classes isn't read" refused 1 'another version' "$pid"
        stop
    done
    start junk perl -e "$liar" 89
    tap_check 'counts that contradict each other make no huge ones' counts_whats_there
    stop
    # Four of five blocks are gone since the page was written, and two of three pages; and of class 2
    # more than there were. Then, and now, are at 6784 and 7496; pages are 356 bytes behind.
    # shellcheck disable=SC2016 # perl's own
    faller='sysseek F, 176 + 64, 0;
        syswrite F, pack("QQQQQ", 16, 5, 0, 768, 3) . "\0" x 24 . pack("QQQQQ", 32, 1, 0, 128, 1);
        sysseek F, 5944, 0; syswrite F, pack("Q", 4096);
        sysseek F, 6784 + 4, 0; syswrite F, pack("LL", 5, 9);
        sysseek F, 6784 + 356 + 4, 0; syswrite F, pack("LL", 3, 9);
        sysseek F, 7496 + 4, 0; syswrite F, pack("LL", 1, 0);
        sysseek F, 7496 + 356 + 4, 0; syswrite F, pack("LL", 1, 0);'
    counts_what_is_left() {
        "$quire" heap "$pid" >"$log" && is_there '^ *16  *1  *0  *255  *1$' && ! grep -q '^ *32 ' "$log" &&
            is_there '^used  *0 bytes' && is_there '^free in slabs  *0 bytes'
    }
    start junk perl -e "${liar%"$says_so"*}$faller $says_so sleep 1000;" 89
    tap_check 'what is gone since the page was written is not there' counts_what_is_left
    stop
fi

# A child of a child of a child.
# shellcheck disable=SC2016 # perl's own
family='$x = "x" x 300000; for (1 .. 3) { if (fork) { wait; exit } } for (1 .. 9) { push @a, "x" x 3000 }
    open F, ">", $ARGV[0]; print F $$; close F; '$says_so' sleep 1000;'
one_file() {
    [ "$(find "/proc/$child/fd" -lname '*memfd:quire-heap*' | wc -l)" = 1 ]
}
has_large() {
    "$quire" heap "$child" >"$log" && is_there '^ *larger  *[1-9][0-9]*  *0  *0  *[1-9]'
}
start share perl -e "$family" "$tap_scratch/child"
child=$(cat "$tap_scratch/child")
tap_check 'a child has a page of its own soon, with a row of large blocks' has_large
tap_check 'and no file of its parents' one_file
kill "$child"
wait "$pid" 2>/dev/null
start junk sleep 1000
tap_check 'a program that shares nothing is told' refused 1 'shares no counts' "$pid"
stop
tap_check 'a process that is gone is told' refused 1 'no such process' "$pid"
tap_check 'a process is asked for' refused 2 'of which process'
tap_check 'what is no process is told' refused 2 'is no process' 12x
tap_check 'more than one process is told' refused 2 'one process at a time' 1 2
tap_end
