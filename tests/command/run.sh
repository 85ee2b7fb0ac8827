#!/bin/sh
# tests/command/run.sh QUIRE LIBRARY ALLOCATOR CC: quire run, of programs whose use of memory is known
# shellcheck disable=SC2016 # what is in single quotes is other shells'
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
# What whoever calls this has open besides would count where descriptors are few.
exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
quire=$1
library=$2
allocator=$3
cc=$4
log=$tap_scratch/log
out=$tap_scratch/out
record=$tap_scratch/record

# Of the record: the first number behind a member's name.
number() { # MEMBER
    grep -o "\"$1\":[0-9]*" "$record" | head -n 1 | sed 's/.*://'
}

is_about() { # MEMBER LEAST MOST
    value=$(number "$1")
    echo "$1 is $value, wanted $2 to $3"
    [ -n "$value" ] && [ "$value" -ge "$2" ] && [ "$value" -le "$3" ]
}

says() { # WORDS
    grep -q -e "$1" "$log" && return
    cat "$log"
    return 1
}

says_not() {
    ! grep -e "$1" "$log"
}

ends() { # STATUS ARGUMENTS...
    expected=$1
    shift
    "$quire" run "$@" >"$out" 2>"$log" </dev/null
    status=$?
    [ "$status" -eq "$expected" ] && return
    echo "status $status, wanted $expected"
    cat "$log"
    return 1
}

recorded() { # ARGUMENTS...
    ends 0 --heap "$library" --record "$record" "$@"
}

# ---- statuses, streams, signals --------------------------------------------------------------------

refused() { # STATUS WORDS ARGUMENTS...
    words=$2
    expected=$1
    shift 2
    ends "$expected" "$@" && says "$words" && ! [ -s "$out" ]
}

tap_check 'the status is the program'"'"'s' ends 42 -- sh -c 'exit 42'
tap_check 'a signal is 128 more' ends 139 -- sh -c 'kill -SEGV $$'
tap_check 'and told' says 'killed by signal 11'
# A namespace where the kernel's counts are files of ours, of the whole system and of a group.
oom_place=$tap_scratch/oom
mkdir "$oom_place"
counted() { # COMMAND...: to be run there
    echo 'oom_kill 4' >"$oom_place/all"
    printf 'low 0\noom 3\noom_kill 9\noom_group_kill 0\n' >"$oom_place/group"
    echo 0::/some/group >"$oom_place/groups"
    unshare -rm sh -c 'mount --bind "$1/all" /proc/vmstat && mount -t tmpfs none /sys/fs/cgroup &&
        { [ -z "$group" ] || { mkdir -p /sys/fs/cgroup/some/group && mount --bind "$1/groups" "/proc/$$/cgroup" &&
            cp "$1/group" /sys/fs/cgroup/some/group/memory.events; }; } && shift && exec "$@"' sh "$oom_place" "$@"
}
ends_so() { # WORDS IS SCRIPT
    counted "$quire" run --heap=none --record="$record" -- sh -c "$3" >"$out" 2>"$log"
    status=$?
    cat "$log"
    [ "$status" -eq 137 ] && says "killed by signal 9 (Killed)$1 after" && grep -o '"for_memory":[a-z]*' "$record" | grep -q "$2" &&
        "$quire" report -o json "$record" >"$out" && grep -q "\"for_want_of_memory\": *$2" "$out"
}
group=
export group
if counted true 2>/dev/null; then
    tap_check 'who is killed is told to be, and no more' ends_so '' false 'kill -KILL $$'
    tap_check 'who is killed when the kernel killed for want of memory is told of' \
        ends_so ', for want of memory,' true 'echo oom_kill 5 >/proc/vmstat; kill -KILL $$'
    group=y
    tap_check 'a group that counts is asked, and not the system' ends_so '' false 'echo oom_kill 5 >/proc/vmstat; kill -KILL $$'
    tap_check '... and tells of it' ends_so ', for want of memory,' true \
        'echo oom_kill 10 >/sys/fs/cgroup/some/group/memory.events; kill -KILL $$'
else
    tap_skip 'who is killed for want of memory is told of' 'there are no namespaces to make here'
fi
unset group
tap_check 'what is not there is 127' refused 127 'No such file' -- ./there-is-no-such-program
tap_check 'what is not executable is 126' refused 126 'Permission denied' -- ./README.md
tap_check 'no program is 125' refused 125 'which program'
tap_check 'an unknown heap is 125' refused 125 'there is no heap' --heap=best -- true
tap_check 'a library that is not there is 125' refused 125 'there is no /there' --heap=/there/is/none.so -- true
tap_check 'a time without a unit is 125' refused 125 'no time' --interval=100 -- true
tap_check 'no rounds are 125' refused 125 'no number of rounds' --compare=none --rounds=0 -- true
tap_check 'a comparison is not recorded' refused 125 'goes with none of' --compare=none --record="$record" -- true
tap_check 'two reports in one file are 125' refused 125 'want a file each' --record="$tap_scratch/same" --output="$tap_scratch/same" -- true
few_files() {
    sh -c 'ulimit -n 5 && exec "$1" run -- true' sh "$quire" >"$out" 2>"$log"
    [ $? -eq 125 ] && says "the program can't be started"
}
tap_check 'what this command lacks is 125, and no fault of the program' few_files
tap_check 'an unknown option is 125' refused 125 'unrecognized' --best -- true
tap_check 'options behind the program are its own' ends 0 -- sh -c 'test "$1" = --heap=best' sh --heap=best
tap_check 'a report that can not be written is 125' refused 125 "can't be written" --output=/dev/full -- true
tap_check 'a program that failed is more important' ends 3 --output=/dev/full -- sh -c 'exit 3'
tap_check 'a folder that is not there is told before' refused 125 "can't be written" --record=/there/is/none -- touch "$tap_scratch/ran"
tap_check 'and nothing ran' test ! -e "$tap_scratch/ran"

keeps_streams() {
    printf 'in\n' | "$quire" run --output="$log" -- sh -c 'cat; echo out; echo err >&2' >"$out" 2>"$tap_scratch/err"
    [ "$(cat "$out")" = "$(printf 'in\nout')" ] && [ "$(cat "$tap_scratch/err")" = err ] && says 'exit status 0'
}
tap_check 'streams are the program'"'"'s, and the report has its file' keeps_streams
tap_check 'without a file it comes on standard error' ends 0 -- echo
tap_check 'as sentences' says '^  faults  *minor [0-9]'

# Of what is known by looks from time to time alone, and of a host that is busy: again until it was seen.
recorded_until() { # CHECK ARGUMENTS...
    check=$1
    shift
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        recorded "$@" || return
        eval "$check" >/dev/null && return
    done
}

passes_on() { # SIGNAL
    rm -f "$tap_scratch/ready"
    "$quire" run -- sh -c 'trap "exit 9" "$1"; : >"$2"; sleep 1000 & wait; exit 8' sh "$1" "$tap_scratch/ready" >"$out" 2>"$log" &
    started=$!
    tap_await test -e "$tap_scratch/ready"
    kill "-$1" "$started"
    tap_await pgrep -P "$started" sleep # what the shell left
    sleeper=$(pgrep -P "$started" sleep)
    kill "-TERM" "$started"
    wait "$started"
    status=$?
    kill "$sleeper"
    [ "$status" -eq 9 ] || { echo "status $status"; cat "$log"; return 1; }
    says 'still run'
}
if command -v pgrep >/dev/null; then
    for signal in TERM USR1 HUP; do
        tap_check "$signal is passed on; another one ends the watch of who is left" passes_on "$signal"
    done
else
    tap_skip 'signals are passed on' 'no pgrep'
fi

# ---- figures -----------------------------------------------------------------------------------------

counts_pages() {
    recorded -- "$allocator" pages 20000 && is_about minor 20000 20800
}
tap_check 'faults are those of the pages that were touched' counts_pages

most_held() { # MEMBER LEAST MOST
    grep -o '"most_held":{[^}]*}' "$record" >"$record.most" && (record=$record.most is_about "$@")
}
# 20000 blocks of 1000 bytes, of the class of 1024.
tap_check 'a small program is recorded' recorded_until 'most_held held 20480000 22000000' -- "$allocator" hold 20000 1000
tap_check 'what it has is what it asked for, in its class' most_held asked 20480000 20600000
tap_check 'and held little more' most_held held 20480000 22000000
tap_check 'its pages are as many as that takes' is_about fresh_pages 5000 5200
tap_check 'none was given back' is_about pages_again 0 0
tap_check 'its class is told' says '1.0 KiB  *20,00[01] '
tap_check 'and nothing is advised' says_not '^  advice'

counts_calls() {
    recorded --calls -- "$allocator" hold 20000 1000 && grep -o '"size":1024,"allocated":[0-9]*' "$record" | grep -x '"size":1024,"allocated":2000[0-9]'
}
tap_check 'calls are counted when they are to be' counts_calls
tap_check 'and told in the report only' says_not 'quire-malloc: calls'

tap_check 'a server of 2 MiB blocks is recorded' recorded -- "$allocator" serve 2000 2097152
tap_check 'two were mapped' is_about mmaps 1 3
tap_check 'the others used again' is_about reused 1997 1999
tap_check 'which spared faults, as many as the blocks have pages at most' says '^  advice .*blocks of 2.0 MiB to 4.0 MiB, 1,99[789] that had been freed and kept .* spared up to '
tap_check 'a large block of which little is touched' recorded -- "$allocator" sparse 67108864
tap_check 'is held, but no memory to advise about' says_not '^  advice .* was more than'
tap_check 'blocks that are too many to be kept are recorded' recorded -- "$allocator" burst 200 2097152 5
tap_check 'the most of them is known' is_about peak_large 419430400 419430400
tap_check 'they were mapped over and over' is_about mmaps 500 1000
tap_check 'which is advised about' says '^  advice .*of the minor faults come from blocks of 2.0 MiB to 4.0 MiB, mapped'
tap_check 'blocks that were too many in the beginning are recorded' recorded_until "says ' none was mapped since '" -- "$allocator" settle 200 2097152 2
tap_check 'they are kept now, for all that is known' says '^  advice .* none was mapped since [0-9.]* s: they are kept since then, or '
tap_check 'blocks of a program that asks for no more are recorded' recorded_until "says ' or the program asks for no more'" -- sh -c '"$1" burst 200 2097152 5; sleep 1' sh "$allocator"
tap_check 'of which nobody says that they are kept' says '^  advice .* or the program asks for no more'
tap_check 'a file for the report stays as it is when there is no program' sh -c 'echo before >"$2" && ! "$1" run --output "$2" -- ./there-is-no-such-program && grep -qx before "$2"' sh "$quire" "$tap_scratch/kept"
tap_check 'small blocks that come and go deserve no advice' recorded -- "$allocator" burst 50000 64 5
tap_check 'and get none' says_not '^  advice'
tap_check 'a heap that does not tell' ends 0 --heap=none -- "$allocator" burst 100 2097152 12
tap_check 'gives itself away by its faults' says '^  advice .*faulted in 2.3 GiB'

tap_check 'threads are recorded' recorded_until 'most_held asked 560000 700000' -- "$allocator" threads 50
tap_check 'their blocks are told' most_held asked 560000 700000

# ---- processes ---------------------------------------------------------------------------------------

tap_check 'children are recorded' recorded -- "$allocator" family 20
tap_check 'each has a page of its own' is_about count 21 21
tap_check 'and counts from the fork on: 100 blocks of 1024 take 25 pages and some' is_about fresh_pages 500 1200
tap_check 'they are told' says '^  processes  *21 were seen'
tap_check 'many that are over soon are recorded' recorded -- sh -c 'i=0; while [ $i -lt 1300 ]; do /bin/true; i=$((i + 1)); done'
tap_check 'none of them is lost' is_about count 1301 1301
tap_check 'some of them are told one by one' test "$(grep -o '"pid":' "$record" | wc -l)" -eq 1024
tap_check 'a thousand at a time are watched' recorded_until "says 'at most 1,001 at a time'" -- perl -e 'pipe R, W; for (1 .. 1000) { fork or do { close W; sysread R, $x, 1; exit } } sleep 4; close W; 1 while wait > 0'
tap_check 'all of them' says '^  processes  *1,001 were seen, at most 1,001 at a time'
tap_check 'a program that calls exec again and again is one' recorded -- sh -c 'exec sh -c "exec sleep 0.3"'
tap_check 'one it is' test "$(grep -o '"pid":' "$record" | wc -l)" -eq 1
tap_check 'who is left by his parent is waited for' ends 4 -- sh -c '(sleep 0.3; echo late) & exit 4'
tap_check 'and was' test "$(cat "$out")" = late
tap_check 'a program whose environment is gone' recorded_until "says 'ran without the heap'" -- env -i sh -c 'sleep 0.5; :'
tap_check 'is told' says '^  without .*ran without the heap'
tap_check 'processes that are over between looks' recorded_until "says_not 'at most [0-9,]* a second, until'" -- sh -c 'i=0; while [ $i -lt 700 ]; do /bin/true; i=$((i + 1)); done; sleep 0.4'
tap_check 'have no course of faults by looks' says_not 'at most [0-9,]* a second, until'
tap_check 'and classes are those of one of them' says 'when the heap of .* ([0-9]*), the largest, held the most'
still_has_memory() {
    grep -o '"rss":[0-9]*' "$record" | tail -n 3 | grep -q '"rss":[4-9][0-9]\{7\}$'
}
tap_check 'a process whose first thread has ended' recorded_until still_has_memory -- "$allocator" headless 40000000
tap_check 'still has its memory' still_has_memory
unreadable='^  without .*perl ([0-9]*) has the heap, but its counts can.t be read'
other_user() {
    recorded_until 'says "$unreadable"' -- setpriv --reuid 65534 --clear-groups perl -e '$b = "x" x 20_000_000; select undef, undef, undef, 0.5' &&
        says "$unreadable"
}
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --clear-groups test -r "$library"; then
    tap_check 'who becomes another user, whose counts nobody can read, is told' other_user
else
    tap_skip 'who becomes another user is told' 'only root can, with a library that others can read'
fi
# Children from before, of whoever calls exec.
had_children() {
    bash -c 'sleep 1000 & echo $! >"$3"; exec "$1" run --heap "$2" --record "$4" -- true' sh "$quire" "$library" "$tap_scratch/child" "$record" \
        >"$out" 2>"$log"
    status=$?
    kill "$(cat "$tap_scratch/child")" || return 1
    [ "$status" -eq 0 ] && [ "$(grep -o '"pid":' "$record" | wc -l)" -eq 1 ]
}
tap_check 'children that the caller had are not waited for, nor told' had_children

few_descriptors() {
    # shellcheck disable=SC3045 # dash and bash have it
    (ulimit -n 50 && recorded -- perl -e 'open my $f, "<", "/dev/null" or die; exit !(fileno($f) == 3)')
}
tap_check 'the first free descriptor is the program'"'"'s where there are few' few_descriptors

# ---- where a library can't be loaded -----------------------------------------------------------------

built() { # NAME FLAGS...
    name=$1
    shift
    printf 'int main(void) { return 7; }\n' >"$tap_scratch/$name.c" &&
        { "$cc" "$@" -o "$tap_scratch/$name" "$tap_scratch/$name.c" || { [ "$name" = i386 ] &&
            i686-linux-gnu-gcc -o "$tap_scratch/$name" "$tap_scratch/$name.c"; }; } >"$log" 2>&1
}
not_loaded() { # NAME WORDS FLAGS...
    name=$1
    words=$2
    shift 2
    if ! built "$name" "$@"; then
        tap_skip "$name programs run with their own malloc" 'no such compiler'
        return
    fi
    tap_check "$name programs run with their own malloc" ends 7 -- "$tap_scratch/$name"
    tap_check 'which is told' says "$words; what follows is what the kernel tells"
    tap_check 'and nothing else is' says_not 'ld.so'
}
not_loaded static 'is linked statically: its malloc is its own' -static
not_loaded i386 'is a program of 32 bits, which loads no library of 64' -m32
linker=/lib64/ld-linux-x86-64.so.2
if [ -x "$linker" ]; then
    tap_check 'the dynamic linker is no static program' recorded -- "$linker" "$allocator" hold 100 1000
    tap_check 'and loads the library' is_about count 1 1
else
    tap_skip 'the dynamic linker is no static program' "there is no $linker"
fi
# Clang links its runtime into the program; gcc's is a library (docs/run.md).
cc=gcc
not_loaded asan 'whose malloc has to come first' -fsanitize=address
cc=$4
more_rights() {
    cp "$allocator" "$tap_scratch/rights" && chown 1 "$tap_scratch/rights" && chmod 4755 "$tap_scratch/rights" &&
        ends 0 -- "$tap_scratch/rights" pages 1 && says 'more rights than its caller'
}
if [ "$(id -u)" = 0 ]; then
    tap_check 'a program with more rights loads nothing' more_rights
else
    tap_skip 'a program with more rights loads nothing' 'only root can make one'
fi

# ---- comparing ---------------------------------------------------------------------------------------

compares() {
    printf 'b\na\n' | "$quire" run --compare="none,$library,/there/is/none.so" --rounds=2 -- sort >"$out" 2>"$log" &&
        [ "$(cat "$out")" = "$(printf 'a\nb')" ] && says '^none .* 1.000 ' && says "^$library " && says 'there is no /there'
}
tap_check 'heaps are compared; the output comes once, and all get the same input' compares
reads_a_file() {
    printf '1\n2\n3\n' >"$tap_scratch/lines"
    # Each has to find the last two lines, and nothing else.
    { read -r _ && "$quire" run --compare="none,$library" --rounds=2 -- sh -c 'test "$(tr -d "\n")" = 23'; } \
        <"$tap_scratch/lines" >"$out" 2>"$log" && says_not 'status [1-9]'
}
tap_check 'a file is read from where it stood' reads_a_file
differs() {
    ends 0 --compare="none,$library" --rounds=1 -- sh -c 'test -z "$LD_PRELOAD"' && says "^$library .* status 1$"
}
tap_check 'another status is told' differs
stops_comparing() {
    rm -f "$tap_scratch/ready"
    "$quire" run --compare="none,$library" --rounds=50 -- sh -c ': >"$1"; exec sleep 1' sh "$tap_scratch/ready" >"$out" 2>"$log" &
    started=$!
    tap_await test -e "$tap_scratch/ready"
    kill -TERM "$started"
    wait "$started"
    status=$?
    [ "$status" -eq 143 ] || { echo "status $status"; cat "$log"; return 1; }
    says 'ended by a signal' && says_not '^Medians'
}
tap_check 'a signal ends a comparison, and half of it is no table' stops_comparing
waits_for_input() {
    : >"$log"
    # shellcheck disable=SC2094 # it waits for what is written
    { tap_await grep -q 'read to its end first' "$log"; echo; } | "$quire" run --compare=none --rounds=1 -- true >"$out" 2>"$log" &&
        says 'read to its end first'
}
tap_check 'input that does not end is told of' waits_for_input
tap_check 'a comparison as JSON' ends 5 --json --compare="none,$library" --rounds=2 -- sh -c 'exit 5'
tap_check 'has every run' test "$(grep -o '"status":5,"elapsed_ns":[1-9]' "$log" | wc -l)" -eq 4
tap_check 'what is not there is 127' refused 127 'No such file' --compare=none -- ./there-is-no-such-program
has_no_folder() {
    echo a | TMPDIR=/there/is/none "$quire" run --compare=none --rounds=1 -- cat >"$out" 2>"$log" && [ "$(cat "$out")" = a ]
}
tap_check 'no folder for files is needed' has_no_folder

# It overwrites owners and pages in the file that it shares, with what looks like pages and with
# nonsense, and tries to make it smaller.
liar='$ENV{QUIRE_MALLOC} =~ m{share=([^,]*)} or die; open F, "+<", $1 or die; binmode F;
    for (1 .. 4) {
        sysseek F, 16, 0;
        syswrite F, pack "L4096", map { $_ % 2 ? $$ : $_ } 1 .. 4096;
        for (1 .. 50) {
            sysseek F, 20480 + $_ * 12288, 0;
            syswrite F, pack("QLLLLQ", 0x5041454845524951, 3, 9000, 0, $$, 1) . "\xf7" x 136 . pack("LL", 89, 1) . "\xf7" x 8400;
            sysseek F, 20480 + (50 + $_) * 12288, 0;
            syswrite F, "\xff" x 12288;
        }
        select undef, undef, undef, 0.1;
    }
    exit !!truncate F, 0;'
survives_a_liar() {
    recorded -- perl -e "$liar" && says_not '1024 TiB' && is_json "$record"
}

says_what_it_is_called() {
    ends 0 -- sh -c ':' "$(printf 'a\033[31mb\302\233c\342\200\256d')" && says 'a?\[31mb??c???d$'
}
tap_check 'nothing of a command is obeyed by the terminal' says_what_it_is_called

is_json() {
    ! command -v python3 >/dev/null || python3 -m json.tool "$1" >/dev/null
}
tap_check 'names that are no UTF-8 can be recorded' recorded -- sh -c ':' "$(printf 'a\377b\303')" "$(printf '\303\244')"
tap_check 'as JSON' is_json "$record"
tap_check 'a program that spoils what it shares is survived, and not believed' survives_a_liar
draws() {
    ends 0 --heap "$library" --report="$tap_scratch/page.html" -- "$allocator" hold 1000 1000 && grep -qi '<!doctype html' "$tap_scratch/page.html" &&
        grep -q 'hold' "$tap_scratch/page.html"
}
if ends 0 --report="$tap_scratch/first.html" -- true >/dev/null; then
    tap_check 'a page is drawn' draws
    tap_check 'of the recording that is kept, too' recorded --report="$tap_scratch/page.html" -- true
    tap_check 'which is whole' is_json "$record"
else
    tap_skip 'a page is drawn' 'built without what reads recordings'
fi
tap_check 'a page that can not be written is told before' refused 125 "can't be written" --report=/there/is/none -- touch "$tap_scratch/ran"
tap_check 'a report as JSON' ends 0 --json --heap "$library" -- true
tap_check 'is JSON' is_json "$log"
small_files() {
    (ulimit -f 8 && ends 6 --heap "$library" -- sh -c 'exit 6')
}
tap_check 'files that may not be large keep nothing from running' small_files
ignores_children() {
    (trap '' CHLD && ends 6 -- sh -c 'exit 6')
}
tap_check 'nor does a caller who ignores its children' ignores_children
tap_end
