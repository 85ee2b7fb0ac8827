#!/bin/sh
# bench/machine/pressure.sh QUIRE FOLDER: major faults of programs that have half of their memory, beside Linux's
#
# sort, xz, cc1 and python3 run under FOLDER/pressure (pressure.c) on our kernel and on Debian's Linux
# kernel, in the same QEMU, with the same files, which are in memory, and the same swap device. The rest
# of memory is locked, so that both have the same left: half of what the program had resident at most, in
# a run of its own with plenty. `quire boot` makes both machines: for Linux its QEMU is this script, which
# puts the other kernel in, and its modules for the disk. LINUX=FOLDER is an unpacked package of it, else
# one is fetched. Rows of `program KiB` and of each system: major faults, pages swapped in and out.
set -u
previous=
if [ -n "${PRESSURE_LINUX:-}" ]; then
    for word; do
        shift
        case $previous in
        -kernel) word=$PRESSURE_LINUX ;;
        -initrd)
            cat "$word" "$PRESSURE_WORK/modules.cpio" >"$PRESSURE_WORK/initrd"
            word=$PRESSURE_WORK/initrd
            ;;
        -append) word="console=ttyS0 quiet panic=-1 mitigations=off nokaslr cgroup_disable=memory init_on_alloc=0 \
audit=0 transparent_hugepage=madvise numa_balancing=disable rdinit=$PRESSURE_INIT -- --init" ;;
        -serial) word=file:$PRESSURE_WORK/linux ;;
        -m) word=192M ;; # its kernel takes some 35M of that
        esac
        set -- "$@" "$word"
        previous=$word
    done
    timeout 600 "${QUIRE_QEMU:-qemu-system-x86_64}" "$@"
    exit
fi
quire=$1
folder=$(cd "$2" && pwd) || exit 2
me=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
pressure=$folder/pressure
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

say() {
    echo "$*" >&2
}

find_linux() {
    LINUX=${LINUX:-$folder/linux-modules}
    set -- "$LINUX"/boot/vmlinuz-*
    [ -e "$1" ] && return
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: *//p' | head -n 1)
    [ -n "$package" ] || return
    say "fetching $package"
    (cd "$work" && apt-get download "$package" >/dev/null 2>&1 && dpkg-deb -x "$package"*.deb "$LINUX")
}

# In the order in which they need each other.
pack_modules() {
    mkdir "$work/modules"
    number=0
    for name in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk; do
        find "$LINUX/lib/modules" -name "$name.ko" -exec cp {} "$work/modules/$number.ko" \;
        number=$((number + 1))
    done
    (cd "$work" && find modules | LC_ALL=C sort | cpio --quiet -o -H newc >modules.cpio)
}

value() { # FILE NAME
    tr -d '\r' <"$1" | sed -n "s/^$2 //p" | tail -n 1
}

# OPTIONS... -- PRESSURE-OPTIONS... PROGRAM...
on_quire() {
    "$quire" boot --mem=160M --swap=512M --timeout=600 "$@" >"$work/quire" 2>"$work/log"
    [ "$(value "$work/quire" status)" = 0 ] || { cat "$work/log" "$work/quire" >&2 && return 1; }
}
on_linux() {
    rm -f "$work/linux"
    PRESSURE_LINUX=$(echo "$LINUX"/boot/vmlinuz-*) PRESSURE_WORK=$work PRESSURE_INIT=$pressure \
        "$quire" boot --qemu="$me" --mem=160M --swap=512M --timeout=600 "$@" >/dev/null 2>&1
    [ "$(value "$work/linux" status)" = 0 ] || { cat "$work/linux" >&2 && return 1; }
}

counts() { # FILE
    printf ' %8s %8s %8s' "$(value "$1" majflt)" "$(value "$1" pswpin)" "$(value "$1" pswpout)"
}

# What `before` says is done by pressure before the program starts.
row() { # NAME OPTIONS... -- PROGRAM...
    name=$1
    shift
    options=
    while [ "$1" != -- ]; do
        options="$options --add=$1"
        shift
    done
    shift
    say "$name"
    # shellcheck disable=SC2086 # several options
    on_quire $options -- "$pressure" $before "$@" || return
    half=$(($(value "$work/quire" maxrss_kib) / 2))
    # shellcheck disable=SC2086
    on_quire $options -- "$pressure" $before --leave=$half "$@" || return
    printf '%-10s %8d%s' "$name" "$half" "$(counts "$work/quire")"
    # shellcheck disable=SC2086
    if [ -n "$has_linux" ] && on_linux $options -- "$pressure" $before --leave=$half "$@"; then
        counts "$work/linux"
    fi
    echo
}

has_linux=
if find_linux && pack_modules; then
    has_linux=1
fi
awk 'BEGIN { s = 1; for (i = 0; i < 25000; i++) { s = (s * 16807) % 2147483647
    printf "%d word%d %s\n", s % 1000, s % 37, substr("the quick brown fox jumps over the lazy dog", s % 20, 12) } }' \
    >"$work/text"
awk 'BEGIN { for (f = 0; f < 25; f++) {
    printf "int f%d(int *a, int n)\n{\n    int s = %d;\n    for (int i = 0; i < n; i++) {\n", f, f
    for (k = 0; k < 3; k++)
        printf "        s += a[(i * %d + %d) & 15] ^ (s >> %d);\n        if (s & %d) a[i] = s + %d;\n", \
            k + f % 7 + 1, k, k % 5 + 1, 1 + k, f + k + 3
    print "    }\n    return s;\n}" } }' >"$work/large.c"
cat >"$work/table.py" <<'END'
N = 40000
table = {}
for i in range(N):
    table["key%d" % (i * 7919 % N)] = [i, str(i)]
total = sum(table["key%d" % i][0] for i in range(N))
x = 1
for i in range(N // 2):
    x = x * 16807 % 2147483647
    total += table["key%d" % (x % N)][0]
assert total > 0
END

printf '%-10s %8s %8s %8s %8s %8s %8s %8s\n' '# program' KiB quire in out linux in out
before=--lines=400000
row sort "$(command -v sort)" -- "$(command -v sort)" --parallel=1 -S 400M /tmp/lines
before=
row xz "$(command -v xz)" "$work/text" -- "$(command -v xz)" -T1 -9 -c "$work/text"
cc1=$(gcc -print-prog-name=cc1)
row gcc "$cc1" "$work/large.c" -- "$cc1" -quiet -fpreprocessed -O2 "$work/large.c" -o /dev/null
python=/usr/bin/python3
library=$("$python" -c 'import os; print(os.path.dirname(os.__file__))')
row python3 "$python" "$library/encodings" "$library/codecs.py" "$library/io.py" "$library/abc.py" "$work/table.py" \
    -- "$python" -I -S "$work/table.py"
