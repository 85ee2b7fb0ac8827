#!/bin/sh
# tests/freestanding/check.sh: src/ needs no libc, on any of four machines
#
# Compiles every file of src/sources.txt for i386, x86-64, riscv64 and aarch64 against the smallest
# port, with no header but the compiler's own and no floating-point registers, as kernels do. Links
# the objects into one and looks at what it still needs. Prints the size of the code.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh

# A kernel's stack has 8 to 16 KiB, for all that stands on it at a time.
warnings='-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wvla -Wframe-larger-than=2048
    -Werror'
# What the compiler itself may call, and the smallest port's own functions.
allowed='memcpy|memset|memmove|memcmp|minimal_port_.*'

compile() { # COMPILER FLAGS... FILE -o OBJECT
    compiler=$1
    shift
    # shellcheck disable=SC2086 # a list of flags
    "$compiler" -std=c11 -O2 $warnings -ffreestanding -nostdlib -nostdinc \
        -isystem "$includes" -fno-pic -fno-pie \
        -Iinclude -Iexamples/minimal-port -Isrc "$@"
}

# All sources into one object.
link_all() { # COMPILER FLAGS...
    objects=
    broken=
    linker=$1
    includes=$("$1" -print-file-name=include)
    while read -r file; do
        object=$tap_scratch/$(echo "$file" | tr / _).o
        compile "$@" -c "$file" -o "$object" || broken=1
        objects="$objects $object"
    done <src/sources.txt
    [ -z "$broken" ] || return
    # shellcheck disable=SC2086 # a list of files
    "$linker" -nostdlib -no-pie -r $objects -o "$tap_scratch/all.o"
}

needs_nothing_else() { # NM
    needed=$("$1" -u "$tap_scratch/all.o" | awk '{ print $2 }') || return
    if printf '%s\n' "$needed" | grep -vxE "$allowed|"; then
        echo "these symbols are undefined"
        return 1
    fi
}

calls_libc() {
    echo 'void *malloc(unsigned long); void *f(void) { return malloc(8); }' |
        gcc -x c -c - -o "$tap_scratch/all.o" && needs_nothing_else nm
}

# A header alone, for both languages, with the installed port.
header_alone() { # COMPILER LANGUAGE HEADER
    echo "#include <${3#include/}>" | "$1" -x "$2" -fsyntax-only -Wall -Wextra -Werror \
        -Iinclude -Iports/posix -
}

machine() { # NAME PREFIX FLAGS...
    name=$1
    prefix=$2
    shift 2
    if ! command -v "${prefix}gcc" >/dev/null; then
        tap_skip "$name" "there is no ${prefix}gcc"
        return
    fi
    tap_check "$name: every source compiles freestanding" link_all "${prefix}gcc" "$@"
    tap_check "$name: only the port and mem* are undefined" needs_nothing_else "${prefix}nm"
    if [ -f "$tap_scratch/all.o" ]; then
        tap_note "$name: $("${prefix}size" "$tap_scratch/all.o" |
            awk 'NR == 2 { print $1 " bytes of code, " $2 + $3 " of data" }')"
    fi
    rm -f "$tap_scratch"/*
}

machine x86-64 '' -m64 -mgeneral-regs-only
machine i386 i686-linux-gnu- -mgeneral-regs-only
machine riscv64 riscv64-linux-gnu- -march=rv64imac -mabi=lp64
# Without the helper functions of libgcc that choose an atomic instruction at run time.
machine aarch64 aarch64-linux-gnu- -mgeneral-regs-only -mno-outline-atomics

tap_fails 'a call of libc would be found' calls_libc

includes=$(gcc -print-file-name=include)
for knobs in -DQUIRE_DEBUG_LEVEL=1 -DQUIRE_DEBUG_LEVEL=2 -DQUIRE_PAGE_SHIFT=14 \
    -DQUIRE_PAGEBLOCK_ORDER=6 -DQUIRE_MAX_ORDER=9 -DQUIRE_MAX_CPUS=1 -DQUIRE_MAX_NODES=1 \
    -DQUIRE_SLAB_MAX_CACHES=64 '-DQUIRE_POOL_BLOCK_BYTES=512 -DQUIRE_POOL_KEEP_BYTES=1' '-DQUIRE_SECTION_SHIFT=24 -DQUIRE_PCP_SHIFT=5'; do
    # shellcheck disable=SC2046,SC2086 # lists of flags and files
    tap_check "every source compiles with $knobs" \
        compile gcc -fsyntax-only $knobs $(cat src/sources.txt)
done

if command -v clang >/dev/null; then
    includes=$(clang -print-resource-dir)/include
    # shellcheck disable=SC2046 # a list of files
    tap_check 'every source compiles by clang' compile clang -fsyntax-only $(cat src/sources.txt)
else
    tap_skip 'every source compiles by clang' 'there is no clang'
fi

for header in include/quire/*.h; do
    tap_check "${header#include/} compiles alone in C" header_alone gcc c "$header"
    tap_check "${header#include/} compiles alone in C++" header_alone g++ c++ "$header"
done
tap_end
