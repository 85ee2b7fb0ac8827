#!/bin/sh
# tests/command/report.sh QUIRE: reports of small files of events and of a recording, in each form
#
# The files of events are the fuzz target's (tests/command/events.sh); what a machine's come to is
# tests/guest/report.sh, and how a page behaves tests/report/browser.sh.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
case $quire in
/*) ;;
*) quire=$PWD/$quire ;;
esac
output=$tap_scratch/output
talk=$tap_scratch/talk
file=$tap_scratch/file.events
run=$PWD/tests/command/report/run.json
corpus=tests/fuzz/corpus/events
tail -c +2 $corpus/whole-file >"$file"
head -c 32 "$file" >"$tap_scratch/header"

ends() { # STATUS ARGUMENTS...
    wanted=$1
    shift
    (cd "$tap_scratch" && "$quire" report "$@") >"$output" 2>"$talk" </dev/null
    got=$?
    head -c 2000 "$output" "$talk"
    echo "exit status $got, expected $wanted"
    [ "$got" -eq "$wanted" ]
}

says() { # PATTERN
    echo "looking for: $1"
    cat "$output" "$talk" | grep -Eq -- "$1"
}

ends_and_says() { # STATUS PATTERN ARGUMENTS...
    status=$1
    pattern=$2
    shift 2
    ends "$status" "$@" && says "$pattern"
}

# What a JSON document has at a place, by Python's way to write it.
has() { # EXPRESSION-OF-d
    echo "is it so: $1"
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(not eval(sys.argv[2]))' "$output" "$1"
}

# ---- usage ----------------------------------------------------------------------------------------

tap_check 'help begins with an example' ends_and_says 0 '^  quire report run.events ' --help
for wrong in '' '--nonsense' '-o table x' '--size=x x' '--size=0 x' 'a b' '--table=time x' '-o csv --table=nothing x' \
    '-o text --size=4M x'; do
    # shellcheck disable=SC2086 # several options
    tap_check "usage: $wrong" ends_and_says 2 'quire report' $wrong
done
tap_check 'without a file it says what makes one' ends_and_says 2 'quire boot --events'

# ---- forms ----------------------------------------------------------------------------------------

tap_check 'text' ends 0 -o text "$file"
tap_check '... has faults' says '^  faults    minor 1, major 0, failed 0$'
tap_check '... and free blocks by order' says '^     0 DMA32   movable '
tap_check 'JSON' ends 0 -o json "$file"
if command -v python3 >/dev/null; then
    tap_check '... has a schema' has 'd["schema"] == "quire.report/1" and d["complete"]'
    tap_check '... totals' has 'd["totals"]["faults"] == 1 and d["totals"]["minor_faults"] == 1 and d["events"] == 16'
    tap_check '... and the map' has 'd["map"]["rows"] == 512 and d["map"]["kinds"][8] == "free_0"'
    tap_check '... whose frames are as many as there are' has \
        '{sum(v[i] for v in d["time"]["frames_then"].values()) for i in [-1]} == {d["frames"]}'
else
    tap_skip 'JSON is looked into' 'python3 is not there'
fi
tap_check 'CSV' ends 0 -o csv "$file"
tap_check '... is of what happened over time' says '^end_ns,resident_pages,swapped_pages,minor_faults,major_faults,'
columns() { # LINES: there are as many at least, and each has as many fields as the first
    awk -F, -v lines="$1" 'NR == 1 { n = NF } NF != n { print; bad = 1 } END { exit bad || NR < lines }' "$output"
}
tap_check '... with columns' columns 2
for table in time:2 map:2 zones:2 processes:2 areas:1 marks:1; do
    tap_check "CSV of ${table%:*}" ends 0 -o csv "--table=${table%:*}" "$file"
    tap_check '... has columns' columns "${table#*:}"
done
input() {
    (cd "$tap_scratch" && "$quire" report -o text -) <"$file" | grep -q '^the input: '
}
tap_check 'from the input' input

# ---- pages ----------------------------------------------------------------------------------------

page=$tap_scratch/file.html
tap_check 'a page goes to this folder' ends 0 "$file"
tap_check '... with the name of the file' test -s "$page"
tap_check '... which is told' says '^quire: wrote file.html$'
nothing_from_outside() { # no element, style or script of a page loads anything
    ! grep -Eio '(src|href|action|data)[[:space:]]*=[[:space:]]*"?(https?:)?//[^"> ]*' "$1" && ! grep -Eo '@import|url\([^)]*\)' "$1" &&
        grep -q "default-src 'none'" "$1"
}
tap_check '... asks for nothing from outside' nothing_from_outside "$page"
licences() {
    grep -q 'Permission is hereby granted' "$page" && grep -q 'Dan Vanderkam' "$page"
}
tap_check '... has the licence of what others wrote' licences
tap_check '... and nothing that was to be replaced' sh -c "! grep -q -- '<!--quire:' $page"
tap_check 'a page by another name' ends 0 --output=other.html --title='A <b>title</b> & more' "$file"
tap_check '... has its title, and no markup of it' \
    grep -q '<h1>A &lt;b&gt;title&lt;/b&gt; &amp; more</h1>' "$tap_scratch/other.html"
tap_check 'a page to the output' ends_and_says 0 '^<!DOCTYPE html>' --output=- "$file"
limited() { # LIMIT: the page is no larger
    ends 0 --size="$1" --output=small.html "$file" && [ "$(wc -c <"$tap_scratch/small.html")" -le "$1" ]
}
tap_check 'a page of a limited size' limited 230000
rm -f "$tap_scratch/small.html"
tap_check 'a limit that no page keeps' ends_and_says 1 'the page takes [0-9]+ bytes .*--size' --size=1K --output=small.html "$file"
tap_check '... leaves no file' test ! -e "$tap_scratch/small.html"
stays() {
    echo before >"$tap_scratch/small.html"
    ends 1 --size=1K --output=small.html "$file" && grep -qx before "$tap_scratch/small.html"
}
tap_check '... and what was there' stays
too_large() { # what was there stays whole when the new one can't be
    echo before >"$tap_scratch/small.html"
    (ulimit -f 64 && ends 1 --output=small.html "$file") && says 'small.html: File too large' && grep -qx before "$tap_scratch/small.html" &&
        [ "$(find "$tap_scratch" -name 'small.html*' | wc -l)" -eq 1 ]
}
tap_check 'a page that may not be so large leaves what was there' too_large
keeps_rights() {
    chmod 640 "$tap_scratch/small.html" && ends 0 --output=small.html "$file" && [ "$(stat -c %a "$tap_scratch/small.html")" = 640 ] &&
        rm "$tap_scratch/small.html" && (umask 027 && ends 0 --output=small.html "$file") && [ "$(stat -c %a "$tap_scratch/small.html")" = 640 ]
}
tap_check '... and has its rights, or those of any new file' keeps_rights
tap_check 'a device that is full' ends_and_says 1 '^quire: /dev/full: No space' --output=/dev/full "$file"
tap_check '... is still there' test -c /dev/full
if command -v python3 >/dev/null; then
    tap_check 'a title of any bytes' ends 0 -o json --title="$(printf 'a\377\303\244')" "$file"
    tap_check '... is text' has 'd["title"] == "a?\u00e4"'
fi
tap_check 'the file itself is not overwritten' ends_and_says 1 'is the file that the report is of' --output="$file" "$file"
tap_check '... and is as before' sh -c "tail -c +2 $corpus/whole-file | cmp - $file"
tap_check 'a folder that is not there' ends_and_says 1 '/nowhere/x.html: No such file' --output=/nowhere/x.html "$file"
if command -v python3 >/dev/null; then
    terminal() {
        python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)' \
            "$quire" report --output=- "$file" >"$output" 2>&1 </dev/null
        [ $? -eq 1 ] && says 'not for a terminal' && [ "$(wc -c <"$output")" -lt 1000 ]
    }
    tap_check 'a terminal gets no page' terminal
fi
full() {
    "$quire" report -o json "$file" >/dev/full 2>"$talk"
    [ $? -eq 1 ] && grep -q "can't be written" "$talk"
}
tap_check 'an output that is full is told of' full

# ---- what isn't whole -----------------------------------------------------------------------------

tap_check 'a file that is not there' ends_and_says 1 'No such file' /no-such-file
tap_check 'a folder' ends_and_says 1 'directory|no file of events' /
: >"$tap_scratch/empty"
tap_check 'an empty file' ends_and_says 1 'it is empty: quire boot' empty
echo text >"$tap_scratch/text"
tap_check 'another file' ends_and_says 1 "text: this is no file of events" text
head -c $(($(wc -c <"$file") - 3)) "$file" >"$tap_scratch/cut"
tap_check 'a file that is cut is reported on' ends 1 -o json cut
tap_check '... and that is told' says 'cut: it is cut at byte .*the report tells what is before'
if command -v python3 >/dev/null; then
    tap_check '... in it, too' has 'not d["complete"] and "cut" in d["trouble"] and d["totals"]["faults"] == 1'
fi
each_cut() {
    size=$(wc -c <"$file")
    for length in $(seq 33 $((size - 1))); do
        head -c "$length" "$file" >"$tap_scratch/cut"
        ends 1 -o text cut || return 1
    done
}
tap_check '... wherever it is cut' each_cut
tail -c +2 $corpus/freed-twice | cat "$tap_scratch/header" - >"$tap_scratch/twice"
tap_check 'what cannot be is told with its place' ends_and_says 1 'at byte 36, free: frame 16 is free' -o text twice
tap_check '... and a page is there all the same' ends 1 twice
tap_check '... that admits it' grep -q '"trouble":"at byte 36, free: frame 16 is free"' "$tap_scratch/twice.html"

# ---- small files that ask for much ----------------------------------------------------------------

if command -v python3 >/dev/null; then
    hostile() { # KIND...
        python3 tests/command/report/hostile.py "$@" >"$tap_scratch/hostile"
    }
    # Each copy would take 18 MB; all that is bounded is told of.
    forks() {
        # shellcheck disable=SC3045 # dash and bash have it
        hostile forks 40000 400 && (ulimit -v 1500000 && ends 0 -o text hostile)
    }
    tap_check 'forks of a large space take bounded memory' forks
    zones() {
        hostile zones 65536 200 && ends 1 -o text hostile && says 'zones change too often'
    }
    tap_check 'zones that change over and over are refused' zones
    same_zones() {
        hostile same 16777216 3000 && ends 0 -o text hostile
    }
    tap_check 'one that is told of again costs nothing' same_zones
    many() {
        hostile processes 20000 && limited_from hostile 300000
    }
    limited_from() { # FILE LIMIT
        ends 0 --size="$2" --output=many.html "$1" && [ "$(wc -c <"$tap_scratch/many.html")" -le "$2" ] &&
            grep -Eq '"other_processes":\{"count":1[0-9]{4}' "$tap_scratch/many.html"
    }
    tap_check 'a page of very many processes keeps its limit' many
else
    tap_skip 'small files that ask for much' 'python3 is not there'
fi

if command -v python3 >/dev/null; then
    all_in_use() {
        python3 tests/command/report/hostile.py peak 1024 1024 >"$tap_scratch/peak"
        ends 0 -o text peak && says 'at most 4.0 MiB in use'
    }
    more_than_all() {
        python3 tests/command/report/hostile.py peak 1024 1025 >"$tap_scratch/peak"
        ends_and_says 1 'peak: 1025 frames of 1024' -o text peak && says 'at most 0 B in use'
    }
    tap_check 'all frames may be in use' all_in_use
    tap_check 'more than there are can not' more_than_all
fi

# ---- how programs end -----------------------------------------------------------------------------

if command -v python3 >/dev/null; then
    killed() { # TIMES STATUS ARGUMENTS...
        python3 tests/command/report/hostile.py killed "$1" "$2" >"$tap_scratch/killed"
        shift 2
        ends 0 "$@" killed
    }
    says_killed() { # TIMES STATUS WORDS
        killed "$1" "$2" -o text && grep -qx "  end       $3, after 0.000 s" "$output"
    }
    tap_check 'a program that exits' says_killed 0 $((3 << 8)) 'exit status 3'
    tap_check 'one that a signal kills' says_killed 0 11 'killed by signal 11 (Segmentation fault)'
    tap_check 'one that dumps, too' says_killed 0 $((11 | 128)) 'killed by signal 11 (Segmentation fault)'
    tap_check 'one that is killed, but not for want of memory' says_killed 0 9 'killed by signal 9 (Killed)'
    tap_check 'one that is' says_killed 1 9 'killed by signal 9 (Killed), for want of memory'
    tap_check '... once' says '^  killed    for want of memory: 1 process$'
    tap_check '... at its time, with what it had' says \
        '^    0.000000 s  process 7, a,\?b\?\?\?, is killed for want of memory: 1.2 MiB in memory, 1.0 MiB in swap, oom_score 1100$'
    tap_check 'one that was to be, and exited before' says_killed 1 0 'exit status 0'
    tap_check 'one that still ran' says_killed 2 -1 'still ran'
    tap_check '... with several to be killed' says '^  killed    for want of memory: 2 processes$'
    tap_check 'a kill as JSON' killed 1 9 -o json
    tap_check '... has how the program ended' has \
        'd["program"] == {"pid": 7, "how": "killed", "signal": 9, "for_want_of_memory": True} and d["oom_kills"] == 1'
    tap_check '... and when' has '[m for m in d["marks"] if m["kind"] == "oom-kill"] == [{"time_ns": 250, "kind": "oom-kill", "text": "a,?b???", "pid": 7, "resident_bytes": 1228800, "swapped_bytes": 1048576, "oom_score": 1100}]'
    tap_check 'a kill as CSV' killed 1 9 -o csv --table=marks
    tap_check '... is a line' grep -qx '250,oom-kill,7,300,"a,?b???",256,1100' "$output"
    tap_check 'kills beyond what is kept' killed 700 9 -o json
    tap_check '... are counted' has 'd["oom_kills"] == 700 and len(d["marks"]) == 600 and d["marks_left_out"] == 102'
    tap_check 'a program whose end was cut off' sh -c "head -c -10 $tap_scratch/killed >$tap_scratch/cut"
    tap_check '... is not said to run' ends_and_says 1 '^  end       not told; it ' -o text cut
else
    tap_skip 'how programs end' 'python3 is not there'
fi

# ---- recordings of quire run ----------------------------------------------------------------------

if ends 0 -o json "$run" >/dev/null; then
    tap_check 'a recording as text' ends_and_says 0 '^  faults    minor 13000, major 5$' -o text "$run"
    tap_check '... with its advice' says '^  94 % of minor faults come from'
    tap_check 'a recording as JSON' ends 0 -o json "$run"
    if command -v python3 >/dev/null; then
        tap_check '... has what the kernel counted' has 'd["totals"]["minor_faults"] == 13000 == sum(d["time"]["happened"]["minor_faults"])'
        tap_check '... of each process' has '[(p["pid"], p["minor_faults"]) for p in d["processes"]] == [(100, 12600), (101, 300)]'
        tap_check '... of others' has 'd["other_processes"]["minor_faults"] == 100 and d["other_processes"]["count"] == 2'
        tap_check '... and when it was largest' has 'd["processes"][0]["peak_resident_bytes"] == 51200000 and d["peak_used"]["time_ns"] == 600000000'
        tap_check '... and its areas' has 'd["processes"][0]["areas"]["list"][1]["resident"] == 4883'
        tap_check '... and its heap' has 'd["processes"][0]["heap"]["held_bytes"] == 13000000 and len(d["processes"][0]["heap"]["classes"]) == 3'
    fi
    tap_check 'a recording as CSV' ends_and_says 0 '^100,64,100000,50000,50000,3200000$' -o csv --table=classes "$run"
    tap_check 'a page of a recording' ends 0 "$run"
    tap_check '... asks for nothing from outside' nothing_from_outside "$tap_scratch/run.html"
    tap_check '... and no text of it is markup' sh -c "! grep -q '<b id=evil' $tap_scratch/run.html && ! grep -q '<script>evil' $tap_scratch/run.html"
    for change in 's/"quire-run": 1/"quire-run": 9/ another.version' 's/"quire-run": 1/"x": 1/ is.no.recording' \
        's/"rss": 4096000/"rss": "x"/ "rss".isn.t.a.whole.number' 's/"rss": 4096000/"rss": -1/ "rss".isn.t.a.whole.number' \
        's/"0x400000"/"400000"/ "start".isn.t.an.address' 's/"page_size": 4096/"page_size": 0/ "page_size".isn.t' \
        's/"end": "0x500000"/"end": "0x100000"/ "end".isn.t.behind' 's/"samples": \[/"samples": [,/ line.[0-9]+:' \
        's/"processes": \[/"processes": 5, "x": [/ "processes".isn.t.a.list' 's/"processes": \[/"processes": [5,/ "processes".isn.t.a.list.of.objects' \
        's/"samples": \[/"samples": [5,/ "samples".isn.t.a.list.of.objects' 's/"command": \[/"command": [5,/ "command".isn.t.a.list.of.texts' \
        's/"advice": \[/"advice": [5,/ "advice".isn.t.a.list.of.texts' 's/"page_size": 4096/"page_size": 4611686018427387904/ "page_size".isn.t' \
        's/"heap": {/"heap": 5, "x": {/ "heap".isn.t.an.object'; do
        # The change has blanks; what is to be said has none.
        sed "${change% *}" "$run" >"$tap_scratch/wrong.json"
        tap_check "a recording that is wrong: ${change##* }" ends_and_says 1 "${change##* }" -o text wrong.json
    done
    if command -v python3 >/dev/null; then
        long_command() {
            python3 -c 'import json; d = json.load(open("'"$run"'")); d["command"] = ["\u00e4" * 11] * 150000; json.dump(d, open("'"$tap_scratch"'/long.json", "w"))' &&
                ends 0 -o json long.json && has 'len(d["title"].encode()) <= 163 and d["title"].endswith("...") and "?" not in d["title"]'
        }
        tap_check 'a very long command is cut' long_command
        formula() {
            sed 's/"name": "[a-z]*"/"name": "=1+1"/' "$run" >"$tap_scratch/formula.json" && ends 0 -o csv --table=processes formula.json &&
                grep -q "\"'=1+1\"" "$output" &&
                sed 's/"name": "[^"]*"/"name": "@x"/' "$run" >"$tap_scratch/formula.json" && ends 0 -o csv --table=areas formula.json &&
                grep -q ",\"'@x\"," "$output"
        }
        tap_check 'no name is a formula to a spreadsheet' formula
    fi
    cut_recordings() {
        size=$(wc -c <"$run")
        for length in $(seq 1 97 "$((size - 4))"); do
            head -c "$length" "$run" >"$tap_scratch/wrong.json"
            ends 1 -o text wrong.json && says 'line [0-9]+: ' || return 1
        done
    }
    tap_check 'a recording that is cut, wherever' cut_recordings
else
    tap_skip 'recordings' 'built without libjansson'
    tap_check '... is told' says 'libjansson'
fi
tap_end
