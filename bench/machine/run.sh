#!/bin/sh
# bench/machine/run.sh QUIRE FOLDER: what memory management costs on the machine, and on Linux
#
# FOLDER has the guest programs x86-64-operations and i386-operations, and x86-64-small and i386-small for
# forks of a process that has little. They run under `quire boot` and as the first process of Debian's
# Linux kernel, each in the same QEMU, one tick an instruction.
# The kernel is LINUX=vmlinuz if that is given, else the one in FOLDER/linux, fetched if apt can; for
# i386 LINUX_I386=vmlinuz, one without PAE. Without one the recorded figures (linux.tsv) stand for it. Rows of
# `operation class quire linux ratio net`: instructions an operation, ours over Linux's, and the
# same without the clearing of pages, which is the emulator's way of counting `rep stos`.
set -u
quire=$1
folder=$(cd "$2" && pwd) || exit 2
here=$(dirname "$0")
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

say() {
    echo "$*" >&2
}

find_linux() {
    [ -z "${LINUX:-}" ] || return 0
    LINUX=$(find "$folder" -path '*/linux/boot/vmlinuz-*' | tail -n 1)
    [ -z "$LINUX" ] || return 0
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: *//p' | head -n 1)
    [ -n "$package" ] || return 1
    say "fetching $package"
    (cd "$work" && apt-get download "$package" >/dev/null 2>&1 && dpkg-deb -x "$package"*.deb "$folder/linux") ||
        return 1
    LINUX=$(find "$folder" -path '*/linux/boot/vmlinuz-*' | tail -n 1)
}

# rdinit= comes last: it drops unknown words before it, and later ones are arguments of the program.
on_linux() { # KERNEL CPU PROGRAM LAST-ROW RESULT
    mkdir -p "$work/tree"
    cp "$3" "$work/tree/init"
    (cd "$work/tree" && echo init | cpio --quiet -o -H newc) >"$work/initrd" || return 1
    timeout 600 "${QUIRE_QEMU:-qemu-system-x86_64}" -accel tcg,thread=single -icount shift=0,sleep=off \
        -cpu "$2" -m 512 -smp 1 -nodefaults -display none -no-reboot -serial stdio \
        -kernel "$1" -initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr norandmaps \
cgroup_disable=memory init_on_alloc=0 audit=0 transparent_hugepage=madvise numa_balancing=disable \
rdinit=/init -- --init" </dev/null | tr -d '\r' | sed 's/^\[.*//' >"$5"
    grep -q "^$4" "$5"
}

both_on_linux() { # KERNEL CPU CLASS
    on_linux "$1" "$2" "$folder/$3-small" fork_exec_exit_wait_self "$work/linux-small" &&
        on_linux "$1" "$2" "$folder/$3-operations" munmap_20kVMA_total "$work/linux" &&
        cat "$work/linux-small" >>"$work/linux"
}

on_quire() { # CPU CLASS
    for program in operations small; do
        QUIRE_CPU=$1 "$quire" boot --qemu="$here/counting-qemu.sh" --mem=512M --timeout=600 -- "$folder/$2-$program" ||
            return 1
    done >"$work/ours"
}

table() { # CLASS COLUMN-OF-RECORDED OURS LINUX WHAT
    awk -v class="$1" -v column="$2" -v what="$5" -F '\t' '
        BEGIN {
            split("anon_first_touch_page zero_page_then_write_fault map_populate_page(thp_may_apply) " \
                  "rand_fault_1VMA rand_fault_1VMA_stride2 rand_fault_20kVMA mmap_touch_munmap_4K " \
                  "brk_grow_touch_shrink_4K(pair) madv_dontneed_1page_refault", one, " ")
            for (i in one)
                clears[one[i]] = 1
            clears["anon_first_touch_MADV_HUGEPAGE_per_2M"] = 512
        }
        /^#/ { next }
        FILENAME ~ /linux.tsv$/ { linux[$1] = $column; next }
        FILENAME == theirs { linux[$1] = $2; next }
        { order[++rows] = $1; ours[$1] = $2 }
        END {
            page = ours["calib_rep_stos_long_4096B"]
            for (i = 1; i <= rows; i++) {
                name = order[i]
                if (!(name in linux)) {
                    printf "%-40s %-7s %10d %10s %6s %6s\n", name, class, ours[name], "-", "-", "-"
                    continue
                }
                ratio = ours[name] / linux[name]
                net = (ours[name] - clears[name] * page) / (linux[name] - clears[name] * page)
                printf "%-40s %-7s %10d %10d %6.2f %6.2f\n", name, class, ours[name], linux[name], ratio, net
                if (name ~ /^(loop_|calib_|anon_second|free_)|\(glibc\)$/) # the operations that were recorded remain
                    continue
                sum += log(net)
                count++
                over += net > 0.5
            }
            printf "# %s: geometric mean of net %.3f, %d of %d operations above 0.5 (%s)\n", class,
                   exp(sum / count), over, count, what
        }' theirs="$4" "$here/linux.tsv" "$4" "$3"
}

printf '%-40s %-7s %10s %10s %6s %6s\n' '# operation' class quire linux ratio net
say 'x86-64: on the machine'
on_quire qemu64 x86-64 || exit 1
: >"$work/linux"
what='Linux: recorded'
if find_linux; then
    say 'x86-64: on Linux'
    if both_on_linux "$LINUX" qemu64 x86-64; then
        what="Linux: measured with $(basename "$LINUX")"
    else
        say 'Linux did not get to the end; the recorded figures are shown'
        : >"$work/linux"
    fi
fi
table x86-64 2 "$work/ours" "$work/linux" "$what"
say 'i386: on the machine'
on_quire qemu32 i386 || exit 1
: >"$work/linux"
what='Linux: recorded, without PAE'
if [ -n "${LINUX_I386:-}" ]; then
    say 'i386: on Linux'
    if both_on_linux "$LINUX_I386" qemu32 i386; then
        what="Linux: measured with $(basename "$LINUX_I386")"
    else
        say 'Linux did not get to the end; the recorded figures are shown'
        : >"$work/linux"
    fi
fi
table i386 3 "$work/ours" "$work/linux" "$what"
