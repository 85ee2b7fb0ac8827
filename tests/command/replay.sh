#!/bin/sh
# tests/command/replay.sh QUIRE [--record]: quire replay and quire trace
#
# tests/command/replay/NAME.txt begins with `# exit STATUS: ARGUMENTS`; what follows is the output, which
# was checked by hand. --record writes the outputs anew. Then a program's trace is recorded by
# valgrind, and what comes of it is compared with tests/command/models.awk.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
output=$tap_scratch/output
talk=$tap_scratch/talk
scratch=$tap_scratch

# As text that was edited, on another system.
printf '# by hand\r\n\r\nI 4000a30,3\r\nI 4000a33,5\r\nS 1ffeffe7e8,8\r\n M 0421cffe,4\r\n' >"$scratch/edited"
printf ' L 00001000,8\n L 00001\r000,8\n' >"$scratch/broken"

# 1000 pages in a loop, 100 times.
awk 'BEGIN {
    for (i = 0; i < 100000; i++)
        printf " L %08x,8\n", 4096 * (i % 1000)
}' >"$scratch/loop"
# The reference string of Belady, Nelson and Shedler, 1969: FIFO misses more often with 4 frames
# than with 3.
for page in 1 2 3 4 1 2 5 1 2 3 4 5; do
    printf ' S 0000%s000,4\n' $page
done >"$scratch/belady"
printf 'I  04000a30,3\nI  04000a33,5\n S 1ffeffe7e8,8\n M 0421cffe,4\n==1== Exit code: 0\n' \
    >"$scratch/few"
printf ' L 00001000,8\nhello\n' >"$scratch/junk"

run() { # ARGUMENTS, with SCRATCH for the folder
    # shellcheck disable=SC2046 # several arguments
    "$quire" $(echo "$1" | sed "s|SCRATCH|$scratch|g") >"$output" 2>"$talk"
}

golden() { # FILE
    heading=$(head -n 1 "$1")
    wanted=${heading#'# exit '}
    wanted=${wanted%%:*}
    run "${heading#*: }"
    got=$?
    { echo "$heading" && sed "s|$scratch|SCRATCH|" "$output"; } >"$scratch/got"
    [ -z "${record:-}" ] || cp "$scratch/got" "$1"
    diff -u "$1" "$scratch/got" || return
    echo "exit status $got, expected $wanted"
    [ "$got" -eq "$wanted" ]
}

says() { # STATUS PATTERN ARGUMENTS
    run "$3"
    got=$?
    cat "$output" "$talk"
    echo "exit status $got, expected $1; looking for: $2"
    [ "$got" -eq "$1" ] && cat "$output" "$talk" | grep -Eq -- "$2"
}

lru_is_silent() { # ARGUMENTS
    run "$1" && [ -s "$output" ] && ! grep "Linux" "$output"
}

full_device() { # ARGUMENTS...
    "$quire" "$@" >/dev/full 2>"$talk"
    [ $? -eq 1 ] && cat "$talk" && grep -q "can't be written" "$talk"
}

convert() { # IN OUT [OPTION]
    # shellcheck disable=SC2086 # an option or nothing
    "$quire" trace convert ${3:-} "$1" "$2"
}

info() { # TRACE
    "$quire" trace info -o json "$1" | sed 's/"trace":.*"page_bytes"/"page_bytes"/'
}

# What info says of the two is the same, but for the trace's name, form and size.
same_info() { # TRACE TRACE
    info "$1" >"$scratch/info.1" && info "$2" >"$scratch/info.2" || return
    [ -s "$scratch/info.1" ] && diff "$scratch/info.1" "$scratch/info.2"
}

csv() { # TRACE OUTPUT [OPTIONS...]
    csv_trace=$1
    csv_output=$2
    shift 2
    "$quire" replay --model --mem 32K..1M -o csv "$@" "$csv_trace" >"$csv_output"
}

same_replay() { # TRACE TRACE
    csv "$1" "$scratch/csv.1" && csv "$2" "$scratch/csv.2" && diff "$scratch/csv.1" "$scratch/csv.2"
}

[ "${2:-}" != --record ] || record=1
for file in tests/command/replay/*.txt; do
    name=${file##*/}
    tap_check "replay: ${name%.txt}" golden "$file"
done

# ---- quire replay ---------------------------------------------------------------------------------

model='replay --model --mem 3600K'
tap_check 'help begins with an example' says 0 'quire replay --model --mem 256K ls' 'replay --help'
# The library's FIFO and CLOCK do what the textbook's do, on a loop and on Belady's string.
agrees() { # TRACE SIZES
    for how in '' --model; do
        # shellcheck disable=SC2086 # an option or nothing
        "$quire" replay $how --mem "$2" --policy clock,fifo -o csv "$1" >"$scratch/machine$how" || return
    done
    sed 's/,model,/,machine,/' "$scratch/machine--model" | diff - "$scratch/machine"
}
tap_check 'the machine agrees with the models on a loop' agrees "$scratch/loop" 3600K,4M
tap_check 'the machine shows the anomaly of FIFO' agrees "$scratch/belady" 12K,16K
tap_check 'pages that are written' agrees "$scratch/few" 4K,8K,1M
tap_check 'the machine has pages of 4 KiB' says 2 'add --model' \
    'replay --mem 8M --page-size 8K SCRATCH/loop'
tap_check 'every policy of the machine' says 0 mglru 'replay --mem 3600K --policy lru,mglru,opt SCRATCH/loop'
tap_check 'there is no exact model of mglru' says 2 'no exact model of mglru' "$model --policy mglru x"
for wrong in '--model' '--model x' '--model --mem 0 x' '--model --mem 1M.. x' '--model --mem 2M..1M x' \
    '--model --mem 1M,, x' '--model --mem x x' '--model --mem 1M --step 1M x' \
    '--model --mem 1M..2M --step 0 x' '--model --mem 1M..1G --step 4K x' '--model --mem 1M --policy x x' \
    '--model --mem 1M --policy lru,lru x' '--model --mem 1M --policy= x' '--model --mem 1M -o xml x' \
    '--model --mem 1M --page-size 3000 x' '--model --mem 1M --page-size 256 x' \
    '--model --mem 1M --threads 0 x' '--model --mem 1M x y'; do
    tap_check "usage: replay $wrong" says 2 'quire replay' "replay $wrong"
done
tap_check 'sizes that run backwards are told so' \
    says 2 '1M..64K runs backwards' 'replay --mem 1M..64K SCRATCH/loop'
tap_check 'a part of a page is refused' \
    says 2 "5000 bytes aren't whole pages of 4096: that would be 4096 or 8192" \
    'replay --mem 5000 SCRATCH/loop'
tap_check 'a part of a page is refused on the way, too' \
    says 2 "6144 bytes aren't whole pages" 'replay --model --mem 4K..8K --step 2K SCRATCH/loop'
tap_check "whose lru the machine's is" \
    says 0 "^lru is Linux's.*--model" 'replay --mem 8K --policy fifo,lru SCRATCH/few'
tap_check 'without lru nothing is said of it' lru_is_silent 'replay --mem 8K --policy fifo SCRATCH/few'
tap_check "the textbook's lru needs no word" lru_is_silent 'replay --model --mem 8K SCRATCH/few'
tap_check 'less than a page is refused' says 2 'less than a page' 'replay --model --mem 4095 SCRATCH/loop'
tap_check 'a trace that is not there is named' says 1 '/none: No such' "$model SCRATCH/none"
tap_check 'a folder is no trace' says 1 'Is a directory' "$model SCRATCH"
tap_check 'junk is named with its line' says 1 "/junk:2: 'hello' isn't a reference" "$model SCRATCH/junk"
tap_check 'an empty trace is refused' says 1 'has no references' "$model /dev/null"
tap_check 'a full device is noticed' full_device replay --model --mem 1M "$scratch/few"

# ---- quire trace ----------------------------------------------------------------------------------

tap_check 'help of trace begins with an example' says 0 'lackey --trace-mem=yes' 'trace --help'
for wrong in '' 'eat x' 'info' 'convert' 'convert x' 'convert x y z' 'info x y' 'info --zstd x' \
    'convert --top 3 x y' 'convert -o json x y' 'info --top 0 x' 'info -o csv x' \
    'convert --zstd=20 x y' 'info --page-size 1000 x'; do
    tap_check "usage: trace $wrong" says 2 'quire trace' "trace $wrong"
done
tap_check 'a trace is converted' convert "$scratch/few" "$scratch/few.qtr"
tap_check 'nothing is lost that info tells' same_info "$scratch/few" "$scratch/few.qtr"
tap_check 'text that was edited is the same' same_info "$scratch/few" "$scratch/edited"
tap_check 'a carriage return within a line is told' \
    says 1 "/broken:2: ' L 00001.r000,8' has no address and comma.*carriage return" \
    'trace info SCRATCH/broken'
tap_check 'help has the form of a line' says 0 'hexadecimal without 0x' 'trace --help'
tap_check 'other pages are refused' \
    says 1 'convert the original with --page-size' 'trace info --page-size 8K SCRATCH/few.qtr'
head -c 40 "$scratch/few.qtr" >"$scratch/cut.qtr"
tap_check 'a trace that was cut off is refused' \
    says 1 'ends before its end mark' 'replay --model --mem 1M SCRATCH/cut.qtr'

# A conversion that fails leaves what was there, and nothing else.
failed_conversion() {
    echo precious >"$scratch/kept"
    ! convert "$scratch/junk" "$scratch/kept" || return
    cat "$scratch/kept"
    ls "$scratch"
    [ "$(cat "$scratch/kept")" = precious ] && ! ls "$scratch"/kept.* 2>/dev/null
}
tap_check 'a conversion that fails leaves the old file' failed_conversion
in_place() {
    cp "$scratch/few" "$scratch/self" && convert "$scratch/self" "$scratch/self" &&
        cmp "$scratch/self" "$scratch/few.qtr"
}
tap_check 'a trace may be converted in place' in_place
tap_check 'a full device is noticed by convert' full_device trace convert "$scratch/few" -
tap_check 'a folder that is not there is named' \
    says 1 '/none/x' 'trace convert SCRATCH/few SCRATCH/none/x'

# ---- a program's trace ----------------------------------------------------------------------------

record_trace() {
    valgrind --tool=lackey --trace-mem=yes --log-file="$scratch/true.lackey" /bin/true
}

by_awk() { # FRAMES POLICY
    awk -v frames="$1" -v policy="$2" -f tests/command/models.awk "$scratch/true.lackey" \
        >"$scratch/expected" || return
    "$quire" replay --model --mem "$(($1 * 4))K" --policy "$2" -o csv "$scratch/true.lackey" |
        awk -F, 'NR == 2 { print $8, $9, $10, $11, $12 }' >"$scratch/got"
    [ -s "$scratch/got" ] && diff "$scratch/expected" "$scratch/got"
}

piped() { # FILTER
    csv "$scratch/true.lackey" "$scratch/csv.file" &&
        $1 <"$scratch/true.lackey" | csv - "$scratch/csv.pipe" &&
        diff "$scratch/csv.file" "$scratch/csv.pipe"
}

threads() {
    csv "$scratch/true.qtr" "$scratch/csv.1" --threads 1 &&
        csv "$scratch/true.qtr" "$scratch/csv.4" --threads 4 &&
        diff "$scratch/csv.1" "$scratch/csv.4"
}

if ! command -v valgrind >/dev/null; then
    tap_skip "a program's trace" 'there is no valgrind'
    tap_end
fi
tap_check 'valgrind records a trace' record_trace
for frames in 4 24 64; do
    for policy in lru clock fifo opt; do
        tap_check "true with $frames frames, $policy: as awk has it" by_awk $frames $policy
    done
done
tap_check "a program's trace is converted" convert "$scratch/true.lackey" "$scratch/true.qtr"
tap_check "nothing of a program's trace is lost that info tells" \
    same_info "$scratch/true.lackey" "$scratch/true.qtr"
tap_check 'the compact form replays as the original' same_replay "$scratch/true.lackey" "$scratch/true.qtr"
tap_check 'the machine agrees with the models on a program' agrees "$scratch/true.qtr" 32K..1M
tap_check 'a pipe replays as a file' piped cat
tap_check 'threads do not change what comes out' threads
if ! "$quire" trace convert --zstd "$scratch/few" /dev/null 2>"$talk" && grep -q 'no zstd' "$talk"; then
    tap_skip 'compressed traces' 'this quire was built without zstd'
    tap_end
fi
tap_check 'a trace is compressed by the name' convert "$scratch/true.qtr" "$scratch/true.qtr.zst"
tap_check 'a compressed trace replays as the original' \
    same_replay "$scratch/true.lackey" "$scratch/true.qtr.zst"
smaller() {
    wc -c "$scratch/true.lackey" "$scratch/true.qtr" "$scratch/true.qtr.zst"
    [ "$(($(wc -c <"$scratch/true.qtr.zst") * 2))" -lt "$(wc -c <"$scratch/true.qtr")" ] &&
        [ "$(($(wc -c <"$scratch/true.qtr") * 10))" -lt "$(wc -c <"$scratch/true.lackey")" ]
}
tap_check 'each step makes it smaller' smaller
if command -v zstd >/dev/null; then
    tap_check 'lackey through zstd replays as the original' piped 'zstd -c'
else
    tap_skip 'lackey through zstd replays as the original' 'there is no zstd command'
fi
tap_end
