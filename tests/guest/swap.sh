#!/bin/sh
# tests/guest/swap.sh QUIRE FOLDER CLASS: programs that need more memory than the machine has
#
# FOLDER has CLASS-swap (swap.c), which looks at its content itself. Every machine looks at all
# invariants of its memory at the end. Disks that fail are made so by QEMU's blkdebug, slow ones by its
# throttle.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
class=$3
program=$2/$class-swap
work=$tap_scratch
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
if ! [ -x "$program" ]; then
    tap_skip "$class: swap" 'no compiler or libraries for it'
    tap_end
fi

# Ends with this status; what was said is in $work/said.
ends() { # STATUS OPTIONS... -- PROGRAM...
    wanted=$1
    shift
    "$quire" boot --timeout=400 --append=check "$@" >"$work/said" 2>&1 </dev/null
    got=$?
    tail -n 30 "$work/said"
    echo "exit status $got, expected $wanted"
    [ "$got" -eq "$wanted" ]
}

says() { # PATTERN
    echo "looking for: $1"
    grep -Eq -- "$1" "$work/said"
}

ends_and_says() { # STATUS PATTERN OPTIONS...
    status=$1
    pattern=$2
    shift 2
    ends "$status" "$@" && says "$pattern"
}

# ---- memory ---------------------------------------------------------------------------------------

tap_check "$class: three times the memory" ends 0 --mem=24M --swap=96M -- "$program" fill 64 2
tap_check "$class: of a machine of 16M" ends 0 --mem=16M --swap=64M -- "$program" fill 30 2
tap_check "$class: two areas, the second when the first is full" \
    ends 0 --mem=24M --swap=16M --swap=64M -- "$program" fill 50 2
tap_check "$class: a fork with swapped pages" ends 0 --mem=24M --swap=96M -- "$program" fork 30
tap_check "$class: shared memory" ends 0 --mem=24M --swap=96M -- "$program" shared 40
tap_check "$class: locked memory stays" ends 0 --mem=24M --swap=96M -- "$program" mlock 40
# What says the same on the host, where a file and memory both go to swap.
session=$2/$class-static
if [ -x "$session" ]; then
    tap_check "$class: reads and writes beside forks, seals and unmapping" \
        ends_and_says 0 '0 reads were short, 0 lost bytes' --mem=24M --swap=128M -- "$session" files_races
    tap_check "$class: ... no sealed file changes" says '^0 changed after they were sealed'
    tap_check "$class: ... nor has a file what isn't its own" says '^0 bytes are nobody'
fi
tap_check "$class: advice" ends 0 --mem=64M --swap=64M -- "$program" madvise

# ---- areas ----------------------------------------------------------------------------------------

tap_check "$class: swapon and swapoff have Linux's errors" ends 0 --mem=64M --swap=16M -- "$program" errors
tap_check "$class: priorities" ends 0 --mem=24M --swap=64M --swap=16M -- "$program" priorities 44
tap_check "$class: swapoff brings all back, under load" ends 0 --mem=64M --swap=64M -- "$program" off 24
tap_check "$class: a swapoff that can't is undone" ends 0 --mem=24M --swap=64M -- "$program" stay 40

# A file of another machine, which takes it before it runs.
taken() {
    "$quire" boot --timeout=500 --swap="$tap_scratch/taken:1M" -- /bin/busybox sh -c 'echo on; exec sleep 100000' >"$tap_scratch/on" &
    tap_await test -s "$tap_scratch/on"
    ends_and_says 125 '^quire: --swap=.*/taken: another machine uses it$' --swap="$tap_scratch/taken" -- /bin/busybox true
    result=$?
    kill $!
    wait $!
    return "$result"
}
if [ "$class" = x86-64 ] && [ -x /bin/busybox ]; then
    tap_check "$class: an area that another machine uses" taken
fi

# ---- the end of memory ----------------------------------------------------------------------------

tap_check "$class: without swap" ends_and_says 137 'Out of memory: Kill' --mem=32M -v -- "$program" too-much 100
tap_check "$class: a full swap" ends_and_says 137 '^Free swap  = 0kB' --mem=32M --swap=16M -v -- \
    "$program" too-much 100
tap_check "$class: ... was full before" says '^Total swap = 16380kB'
tap_check "$class: who is killed gives his swap back" ends 0 --mem=32M --swap=16M -- "$program" survive 100

# ---- disks that fail ------------------------------------------------------------------------------

if ! command -v mkswap >/dev/null; then
    tap_skip "$class: mkswap's areas" 'there is no mkswap'
    tap_end
fi
new_area() {
    rm -f "$work/area"
    truncate -s 128M "$work/area" && mkswap "$work/area" >/dev/null 2>&1
}

# What QEMU is to open, with an error where RULE says.
failing() { # RULE
    printf 'json:{"driver":"raw","file":{"driver":"blkdebug",'
    printf '"image":{"driver":"file","filename":"%s"},' "$work/area"
    printf '"inject-error":[{"event":"none","once":false,%s}]}}' "$1"
}

fails() { # STATUS RULE ARGUMENTS...
    wanted_status=$1
    rule=$2
    shift 2
    new_area && ends "$wanted_status" --mem=24M -v --swap="$(failing "$rule")" -- "$program" "$@"
}

# Sector 16000 is slot 2000, 8 MB: every program here gets that far.
made_by_mkswap() {
    new_area && ends 0 --mem=24M --swap="$work/area" -- "$program" fill 48 2
}
tap_check "$class: mkswap's area" made_by_mkswap
tap_check "$class: a page that can't be read is SIGBUS, to who reads it" \
    fails 0 '"iotype":"read","errno":5,"sector":16000' unreadable 48
tap_check "$class: a page that can't be written goes elsewhere" \
    fails 0 '"iotype":"write","errno":5,"sector":16000' fill 48 2
tap_check "$class: a disk that takes nothing" \
    fails 137 '"iotype":"write","errno":28' too-much 48
tap_check "$class: ... ends in the end of memory" says 'Out of memory: Kill'
beside_a_good_one() {
    new_area && ends 0 --mem=24M --swap="$(failing '"iotype":"write","errno":28')" --swap=64M -- \
        "$program" fill 40 2
}
tap_check "$class: ... and another one beside it is used" beside_a_good_one
tap_check "$class: a header that can't be read" fails 125 '"iotype":"read","errno":5' fill 48
tap_check "$class: ... is told of" says "^quire: --swap=.*: its swap header can't be read"
corrupt() {
    new_area && truncate -s 64M "$work/area" &&
        ends_and_says 125 'shorter than its swap header says' --mem=32M --swap="$work/area" -- "$program" fill 60
}
tap_check "$class: an area that was cut" corrupt
cat >"$work/slow" <<'EOF'
#!/bin/sh
exec "qemu-system-$QUIRE_TEST_ARCH" "$@" -object throttle-group,id=slow,x-bps-total=40000000
EOF
chmod +x "$work/slow"
case $class in
i386) QUIRE_TEST_ARCH=i386 ;;
*) QUIRE_TEST_ARCH=x86_64 ;;
esac
export QUIRE_TEST_ARCH
slow() {
    new_area && ends 0 --mem=24M --qemu="$work/slow" --swap='json:{"driver":"throttle","throttle-group":"slow",
        "file":{"driver":"file","filename":"'"$work/area"'"}}' -- "$program" fill 32 2
}
tap_check "$class: a slow disk" slow

# ---- network block devices ------------------------------------------------------------------------

listens_or_is_gone() {
    [ -S "$work/socket" ] || ! kill -0 "$server"
}
over_nbd() { # SERVER...
    "$@" &
    server=$!
    tap_await listens_or_is_gone
    ends 0 --mem=24M --swap="nbd+unix:///?socket=$work/socket" -- "$program" fill 40 2
    result=$?
    kill "$server" 2>/dev/null
    wait "$server" 2>/dev/null
    rm -f "$work/socket"
    return "$result"
}
if command -v qemu-nbd >/dev/null; then
    new_area
    tap_check "$class: another process's memory, over NBD" over_nbd qemu-nbd -f raw -k "$work/socket" "$work/area"
else
    tap_skip "$class: another process's memory, over NBD" 'there is no qemu-nbd'
fi

# ---- a program of Debian --------------------------------------------------------------------------

# Lines in no order: 64 MiB, which sort wants to keep in memory at once.
sorts() {
    awk 'BEGIN { for (i = 0; i < 1048576; i++) { x = (i * 7919 + 13) % 1048576
        printf "%010d %s\n", x, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz" } }' >"$work/lines"
    "$quire" boot --timeout=500 --mem=32M --swap=512M -- sort -S 400M <"$work/lines" >"$work/sorted" ||
        return
    LC_ALL=C sort -c "$work/sorted" && [ "$(wc -l <"$work/sorted")" -eq 1048576 ] &&
        [ "$(wc -c <"$work/sorted")" -eq "$(wc -c <"$work/lines")" ]
}
# With a small buffer it is files that don't fit into memory.
sorts_by_files() {
    head -n 400000 "$work/lines" >"$work/few"
    "$quire" boot --timeout=500 --mem=24M --swap=256M -- sort <"$work/few" >"$work/sorted" || return
    LC_ALL=C sort "$work/few" | cmp - "$work/sorted"
}
if [ "$class" = x86-64 ]; then
    tap_check 'sort of 64 MiB on a machine of 32M' sorts
    tap_check 'and with files that go to swap' sorts_by_files
fi
tap_end
