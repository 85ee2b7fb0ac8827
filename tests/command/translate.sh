#!/bin/sh
# tests/command/translate.sh QUIRE AREAS [--record]: quire translate against outputs that were checked by hand
#
# tests/command/translate/NAME.txt begins with `# exit STATUS: ARGUMENTS`; what follows is the output.
# --record writes the outputs anew, for a person to compare with the processor manual. AREAS
# (tests/command/areas.c) is a process with areas of many kinds.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
areas=$2
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
output=$tap_scratch/output
scratch=$tap_scratch

# `octal` escapes to a file: descriptors and snapshots as bytes.
bytes() { # FILE ESCAPES
    # shellcheck disable=SC2059 # the format is what is wanted
    printf "$2" >"$1"
}
# A GDT with a null entry, data from 0x10000 with a limit of 0x7fff, and a TSS.
bytes "$scratch/gdt" '\0\0\0\0\0\0\0\0\377\177\0\0\001\362\100\0\147\0\0\0\0\211\0\0'
# Physical memory of 12 KiB with i386 tables: directory at 0x1000, entry 32 leads to the table at
# 0x2000, whose entry 327 maps 0xabc000.
{
    dd if=/dev/zero bs=4224 count=1 2>/dev/null
    printf '\007\040\0\0'
    dd if=/dev/zero bs=5272 count=1 2>/dev/null
    printf '\007\300\253\0'
    dd if=/dev/zero bs=2784 count=1 2>/dev/null
} >"$scratch/ram"

run() { # ARGUMENTS, with SCRATCH for the folder
    # shellcheck disable=SC2046 # several arguments
    "$quire" translate $(echo "$1" | sed "s|SCRATCH|$scratch|g") >"$output" 2>"$scratch/talk"
}

golden() { # FILE
    heading=$(head -n 1 "$1")
    wanted=${heading#'# exit '}
    wanted=${wanted%%:*}
    run "${heading#*: }"
    got=$?
    { echo "$heading" && sed "s|$scratch|SCRATCH|g" "$output"; } >"$scratch/got"
    [ -z "${record:-}" ] || cp "$scratch/got" "$1"
    diff -u "$1" "$scratch/got" || return
    echo "exit status $got, expected $wanted"
    [ "$got" -eq "$wanted" ]
}

says() { # STATUS PATTERN ARGUMENTS
    run "$3"
    got=$?
    cat "$output" "$scratch/talk"
    echo "exit status $got, expected $1; looking for: $2"
    [ "$got" -eq "$1" ] && cat "$output" "$scratch/talk" | grep -Eq -- "$2"
}

full_device() {
    "$quire" translate 0x1000 >/dev/full 2>"$scratch/talk"
    [ $? -eq 1 ] && grep -q "can't be written" "$scratch/talk"
}

[ "${3:-}" != --record ] || record=1
for file in tests/command/translate/*.txt; do
    name=${file##*/}
    tap_check "translate: ${name%.txt}" golden "$file"
done

tap_check "a selector of an empty descriptor is #GP with its number" \
    says 1 'Fault #GP, error code 0x80:' '--mode i386 --selector 0x83 0'
tap_check 'a selector beyond the GDT is #GP with its number' \
    says 1 'Fault #GP, error code 0x100:' '--mode i386 --selector 0x103 0'
tap_check "and the GDT's limit is told" \
    says 1 'descriptor is bytes 0x100 to 0x107 of the GDT, whose limit is 0xff' \
    '--mode i386 --selector 0x103 0'
tap_check 'code is read through cs, too' says 0 'read through cs' '--register cs --access read 0'
tap_check 'what --mode knows' says 2 "knows i386, pae, x86-64 and la57, not 'z80'" '--mode z80 0'
tap_check 'what --access knows' says 2 "knows read, write and exec, not 'eat'" '--access eat 0'
tap_check 'what --register knows' says 2 "knows es, cs, ss, ds, fs and gs, not 'ax'" '--register ax 0'
for all in 0=0 '0=0,' 0=0,4K '0=0,4K,' 0=0,1G,h 0=0,s 0=0,gh 0=0,rwx; do
    tap_check "--map $all is readable, writable and executable" \
        says 0 'present, writable, (user|supervisor)(, PS)?(, global)?; page' \
        "--map $all --access exec 0"
done
tap_check 'rights that are given are the only ones' \
    says 0 'present, read-only, user, PS, no-execute; page' '--map 0=0,1G,rh 0'
tap_check 'a snapshot that ends too early says how long it is' \
    says 1 'ram has 0x3000 = 12288 bytes' '--mode i386 --snapshot SCRATCH/ram --cr3 0x1aa000 0'
tap_check 'a null stack segment is #GP(0)' \
    says 1 'Fault #GP, error code 0x0:' '--mode i386 --register ss --selector 0 0'
tap_check 'an address that is not canonical is #GP' \
    says 1 'Fault #GP, error code 0x0:.*canonical' '0x800000000000'
tap_check 'that address is canonical with five levels' says 0 'PML5' '--mode la57 0x800000000000'
tap_check 'JSON has true and false' \
    says 0 '"present":true,"long_mode":false,.*"flat":true' '--mode i386 --json 0x08147258'
tap_check 'JSON says its schema' says 0 '^\{"schema":2,"mode":"i386",' '--mode i386 --json 0x08147258'
tap_check 'help begins with an example' says 0 'quire translate --mode i386 0x08147258' '--help'

for wrong in '' '0x1000 0x2000' '--mode z80 0' '--mode i386 0x100000000' '--map 1=2 0' \
    '--map 0x1000 0' '--map 0x1000=0x2000,4K,q 0' '--map 0x1000=0x2000,4K,r,r 0' \
    '--snapshot x 0' '--cr3 0 0' '--access eat 0' '--access exec --register ds 0' \
    '--register ss --access exec 0' '--pid 0 0' \
    '--pid 1 --map 0=0 0' '--selector 0x10000 0' '--gdt x 0' '-5' 'abc'; do
    tap_check "usage: $wrong" says 2 'quire translate' "$wrong"
done
for number in 08147258 010 abc 7ffd1c2b3a40 0abc; do
    tap_check "a number that lacks 0x is told so: $number" \
        says 2 "not '$number': hexadecimal needs 0x, and decimal doesn't begin with 0" "$number"
done
for number in 0x 0xg 1x 0x10000000000000000 18446744073709551616; do
    tap_check "no number: $number" says 2 "decimal or with 0x hexadecimal, not '$number'" "--json $number"
done
tap_check 'what is decimal' says 0 '"linear":"0x1000"' '--json 4096'
tap_check 'what is hexadecimal' says 0 '"linear":"0x8147258"' '--json 0X8147258'
tap_check 'zero' says 0 '"linear":"0x0"' '--json 0'
tap_check "addresses of --map and --cr3, too" \
    says 2 "PHYS is .*not 'abc000': hexadecimal needs 0x" '--map 0x8147000=abc000 0'
tap_check 'numbers are explained' says 0 'never octal' '--help'
for ignored in '--gdt linux' '--selector 0x10' '--register fs'; do
    tap_check "with --pid this says nothing, and is refused: $ignored" \
        says 2 "${ignored%% *} means nothing with --pid" "--pid 1 $ignored 0x1000"
done
tap_check 'a mapping outside the mode is refused' \
    says 1 'no such virtual' '--mode i386 --map 0x100000000=0 0'
tap_check 'physical memory outside the mode is refused' \
    says 1 'no such physical' '--mode i386 --map 0=0x100000000 0'
tap_check 'a mapping from the last page on is refused' \
    says 1 'no such virtual' '--map 0xfffffffffffff000=0,8K 0'
tap_check 'what takes too many tables is refused' says 1 'too many tables' '--map 0=0,1T 0'
tap_check 'a folder is no snapshot' says 1 'directory' '--snapshot SCRATCH --cr3 0 0'
tap_check 'a mapping on another is refused' \
    says 1 'something is mapped' '--map 0x1000=0 --map 0=0,8K 0'
tap_check 'a snapshot that is not there is named' says 1 '/none' '--snapshot SCRATCH/none --cr3 0 0'
tap_check 'a GDT that is not there is named' says 1 '/none' '--gdt SCRATCH/none --selector 8 0'
tap_check 'a full device is noticed' full_device

# A live process: this shell. Frame numbers are shown to root only.
address=0x$(awk -F- 'NR == 1 { print $1 }' /proc/$$/maps)
shown=1
if [ "$(id -u)" -eq 0 ]; then
    shown=0
    tap_check 'a page of this process has an address' \
        says 0 '^Physical address 0x' "--pid $$ $address"
else
    tap_check 'hidden frame numbers are explained' says 1 'CAP_SYS_ADMIN' "--pid $$ $address"
fi
tap_check 'the line of the mapping is shown' \
    says $shown "mapping +${address#0x}-" "--pid $$ $address"
tap_check 'what is not mapped is told' \
    says 1 'SIGSEGV \(SEGV_MAPERR\) for a read: nothing is mapped there' "--pid $$ 0x1000"

# What quire says of an access in a process is what a child of that process got.
access_comes_to() { # ADDRESS ACCESS SIGNAL CODE STATE
    run "--pid $areas_pid --json --access $2 $1"
    cat "$output" "$scratch/talk"
    [ "$shown" -eq 0 ] || set -- "$1" "$2" "$3" "$4" "$(echo "$5" | sed 's/^\((*\)present/\1hidden/')"
    signal=$(sed -n 's/.*"signal":"\([A-Z]*\)","code":"\([A-Z_]*\)".*/\1 \2/p' "$output")
    echo "${signal:-none none}, expected $3 $4"
    # Who isn't root can't ask how long a file is that has no name.
    [ "${signal:-none none}" = "$3 $4" ] ||
        { [ "$shown" -ne 0 ] && grep -q 'not present or beyond' "$output"; } && grep -Eq "\"state\":\"[^\"]*$5" "$output"
}
mkfifo "$scratch/hold"
"$areas" "$scratch" <"$scratch/hold" >"$scratch/areas" &
areas_pid=$!
exec 9>"$scratch/hold"
until grep -qs end "$scratch/areas" || ! kill -0 $areas_pid 2>/dev/null; do sleep 0.1; done
while read -r name where access signal code state; do
    [ "$name" != end ] || continue
    tap_check "$name: $access comes to $signal" \
        access_comes_to "$where" "$access" "$signal" "$code" "$state"
done <"$scratch/areas"
tap_check 'that process told all it had to' grep -q '^end$' "$scratch/areas"
beyond=$(sed -n 's/^beyond_a_shared_file \(0x[0-9a-f]*\) .*/\1/p' "$scratch/areas")
tap_check "a file's length is told" says 1 \
    '^SIGBUS \(BUS_ADRERR\) for a write: .*beyond the end of the file, which has 1 bytes' \
    "--pid $areas_pid --access write $beyond"
exec 9>&-
wait $areas_pid
tap_check 'a process that does not exist is told' says 1 'no process' '--pid 2147483647 0x1000'
tap_end
