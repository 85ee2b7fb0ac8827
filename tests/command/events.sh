#!/bin/sh
# tests/command/events.sh QUIRE: files of events, as text, JSON and CSV, and those that are none
#
# The files are the fuzz target's; its first byte says what the rest is.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
output=$tap_scratch/output
talk=$tap_scratch/talk
file=$tap_scratch/file
corpus=tests/fuzz/corpus/events
tail -c +2 $corpus/whole-file >"$file"
head -c 32 "$file" >"$tap_scratch/header"

# A file of the corpus that has records alone.
records() { # NAME
    tail -c +2 "$corpus/$1" | cat "$tap_scratch/header" - >"$tap_scratch/$1"
}

ends() { # STATUS ARGUMENTS...
    wanted=$1
    shift
    "$quire" events "$@" >"$output" 2>"$talk" </dev/null
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

if command -v python3 >/dev/null; then
    is_json() { # NAME
        tap_check "$1" python3 -m json.tool "$output" /dev/null
    }
else
    is_json() { # NAME
        tap_skip "$1" 'python3 is not there'
    }
fi

lines() { # COUNT
    [ "$(wc -l <"$output")" -eq "$1" ]
}

# ---- usage ----------------------------------------------------------------------------------------

tap_check 'help begins with an example' ends_and_says 0 'quire boot .*--events=' --help
for wrong in '' '--nonsense' '-o table x' '--only=nothing x' '--only=fault,nothing x' '--from=x x' '--to=-1 x' 'a b' \
    '--check -o json x' '--check --count x' '--check --only=free x' '--check --from=1 x' '--check --to=1 x'; do
    # shellcheck disable=SC2086 # several options
    tap_check "usage: $wrong" ends_and_says 2 'quire events' $wrong
done

# ---- forms ----------------------------------------------------------------------------------------

tap_check 'text' ends 0 "$file"
tap_check '... a line an event' lines 16
tap_check '... with fields by name, and what numbers stand for' \
    says '^ +0\.000030  fault     mm=99 page=0x7fff1234000 kind=anon access=5 result=minor$'
tap_check '... with signs' says ' rss       mm=99 kind=anon pages=-4$'
tap_check '... with texts' says " mm        mm=99 pid=-1 name='sh'\$"
tap_check '... with two addresses' says ' move      mm=99 page=0x5000 to=0x9000 pages=3$'
tap_check '... with halves of a byte' says ' alloc     pfn=32 order=2 type=movable$'
tap_check 'some of them' ends 0 --only=alloc,free "$file"
tap_check '... and no others' lines 3
tap_check 'of some time' ends 0 --from=0.00001 --to=0.00002 "$file"
tap_check '... and no others' lines 3
input() {
    "$quire" events --only=end - <"$file" | grep -q 'events=15 how=regular'
}
tap_check 'from the input' input
tap_check 'JSON' ends 0 -o json "$file"
is_json '... is JSON'
tap_check '... with a schema' says '"schema":"quire.events/1","page_bytes":4096,"word_bits":64'
tap_check '... and events' says '"event":"fault","mm":99,"page":"0x7fff1234000","kind":"anon","access":5,"result":"minor"}'
tap_check '... that are all' says '\],"complete":true}$'
tap_check 'CSV of one kind' ends 0 -o csv --only=free "$file"
csv() {
    printf 'time_ns,pfn,order\n43008,32,2\n' | diff - "$output"
}
tap_check '... has its fields as columns' csv
tap_check 'CSV of several' ends_and_says 0 '^43008,free,"pfn=32 order=2"$' -o csv "$file"
tap_check 'counts' ends_and_says 0 '^alloc +2$' --count "$file"
tap_check 'counts in JSON' ends_and_says 0 '"counts":\{"lost":0,"zone":1' --count -o json "$file"
is_json '... are JSON'
tap_check 'counts in CSV' ends_and_says 0 '^alloc,2$' --count -o csv "$file"
tap_check 'frames' ends_and_says 0 '^16 events, 2 counts of free frames agree$' --check "$file"
tap_check '... of each zone' says '^node 0, zone DMA32: 255 frames free at the end$'

# ---- what is none ---------------------------------------------------------------------------------

tap_check 'a file that is not there' ends_and_says 1 'No such file' /no-such-file
tap_check 'a folder' ends_and_says 1 'no file of events|directory' /
echo text >"$tap_scratch/text"
tap_check 'another file' ends_and_says 1 "text: this is no file of events: it doesn't begin as one" "$tap_scratch/text"
tail -c +2 $corpus/other-version >"$tap_scratch/version"
tap_check 'another version' ends_and_says 1 'of version 2; this program reads version 1' "$tap_scratch/version"
tap_check 'a header and no more' ends_and_says 1 "ends at byte 32 without the machine's end" "$tap_scratch/header"
each_cut() { # every file that is cut is told so
    size=$(wc -c <"$file")
    for length in $(seq 33 $((size - 1))); do
        head -c "$length" "$file" >"$tap_scratch/cut"
        "$quire" events "$tap_scratch/cut" >"$output" 2>"$talk" && echo "cut to $length it is whole" && return 1
        grep -Eq "cut at byte $length,|ends at byte $length without" "$talk" || { cat "$talk" && return 1; }
    done
}
tap_check 'a file that is cut, wherever' each_cut
cut_checks() { # of what is there, all agrees
    head -c "$(($(wc -c <"$file") - 1))" "$file" >"$tap_scratch/cut"
    "$quire" events --check "$tap_scratch/cut" >"$output" 2>"$talk"
    got=$?
    cat "$output" "$talk"
    [ "$got" -eq 1 ] && grep -Eq '^[1-9][0-9]* events, [0-9]+ counts .* agree; the rest' "$output" &&
        grep -q 'ends at byte\|cut at byte' "$talk"
}
tap_check '... of which what is there is checked all the same' cut_checks
for broken in "unknown-event at byte 32 there is no event that this program knows (63)" \
    "long-number the number before byte 44 has more than 64 bits" \
    "long-text the text at byte 35 is longer" "wrong-count it ends with 7 events, and has 0"; do
    name=${broken%% *}
    records "$name"
    tap_check "$name" ends 1 "$tap_scratch/$name"
    tap_check '... is told' grep -qF "${broken#* }" "$talk"
done
for broken in "freed-twice at byte 36, free: frame 16 is free" \
    "frame-beyond at byte 32, alloc: the machine has no frames from 511 on, 2" \
    "order-too-large at byte 32, free: the machine has no frames from 0 on"; do
    name=${broken%% *}
    records "$name"
    tap_check "frames: $name" ends 1 --check "$tap_scratch/$name"
    tap_check '... is told' grep -qF "${broken#* }" "$talk"
done
tap_check 'an output that is full' ends 0 --only=end "$file"
full() {
    "$quire" events "$file" >/dev/full 2>"$talk"
    [ $? -eq 1 ] && grep -q "can't be written" "$talk"
}
tap_check '... is told of' full
tap_end
