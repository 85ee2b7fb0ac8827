#!/bin/sh
# tests/guest/malloc/record.sh CLASS VMLINUZ QUIRE: what the malloc programs say on a real Linux
#
# Prints what tests/guest/expected/malloc-CLASS.txt has. VMLINUZ: a Linux 6.1 of the class, such as
# Debian's linux-image-6.1.*-cloud-amd64 or linux-image-6.1.*-686 has in /boot. It runs in QEMU with addresses
# that aren't randomised, and without XSAVE, so that the C library chooses its functions as it does in our
# machine; the programs are started by runs.c, as in the test. QUIRE packs them, with their libraries.
set -u
cd "$(dirname "$0")/../../.." || exit 2
. tests/guest/malloc/programs.sh
class=$1
kernel=$2
quire=$3
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
mkdir "$work/programs"
build_programs "$class" "$work/programs" >&2
case $class in
i386) qemu="qemu-system-i386" ;;
*) qemu="qemu-system-x86_64" ;;
esac
set --
runs=
for run in $(every_run "$class"); do
    program=${run%%,*}
    [ -x "$work/programs$program" ] || { echo "$program could not be built" >&2 && exit 1; }
    runs="$runs $run"
done
for program in $(every_run "$class" | sed 's/,.*//' | sort -u); do
    set -- "$@" --add="$work/programs$program:$program"
done
"$quire" boot --save-initrd="$work/archive" "$@" --add="$work/programs/runs:/runs" -- "$work/programs/runs" || exit
timeout 300 $qemu -accel tcg -cpu max -m 512 -nodefaults -display none -no-reboot -serial stdio -kernel "$kernel" \
    -initrd "$work/archive" -append "console=ttyS0 norandmaps nokaslr noxsave mitigations=off quiet loglevel=0 \
panic=-1 rdinit=/runs --$runs" </dev/null | tr -d '\r' >"$work/said"
for program in $(every_run "$class" | sed 's/,.*//' | sort -u); do
    echo "##### layout $program$(layout "$work/programs$program")"
done
awk '/##### \// { sub(/^.*##### /, "##### "); inside = 1 } inside { print } /^##### exit/ { inside = 0 }' "$work/said"
