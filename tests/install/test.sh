#!/bin/sh
# tests/install/test.sh BUILD COMPILER: others can use what `cmake --install` gives
#
# Installs the build into a temporary prefix, takes the example out of README.md, and builds and
# runs it by pkg-config and by find_package, with either library. Then moves the prefix and does it
# again. examples/sim is what uses libquire-sim.a, examples/kernel what uses the sources, with a port of
# its own: it is booted.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
build=$1
compiler=$2
prefix=$tap_scratch/prefix
example=$tap_scratch/example.c

find_installed() { # NAME
    found=$(find "$prefix" -path "*/$1")
    [ -n "$found" ] || { echo "$1 is not installed" && return 1; }
}

flags() { # PKG-CONFIG ARGUMENTS...
    find_installed quire.pc && PKG_CONFIG_PATH=$(dirname "$found") pkg-config "$@" quire
}

extract_example() {
    awk '/^```c$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' README.md >"$example"
    [ -s "$example" ]
}

runs() { # COMMAND...
    echo "$*"
    "$@" | tee "$tap_scratch/output"
    grep -q '^8 pages at frame [1-9][0-9]*, [1-9][0-9]* free$' "$tap_scratch/output"
}

# shellcheck disable=SC2046 # lists of flags
by_pkg_config() {
    rm -f "$tap_scratch/example"
    "$compiler" -std=c11 -Wall -Wextra -Werror "$example" -o "$tap_scratch/example" \
        $(flags --cflags --libs) -Wl,-rpath,"$(flags --variable=libdir)" &&
        readelf -d "$tap_scratch/example" | grep 'NEEDED.*libquire\.so\.[0-9]' &&
        runs "$tap_scratch/example"
}

# shellcheck disable=SC2046 # lists of flags
by_pkg_config_static() {
    rm -f "$tap_scratch/example"
    "$compiler" -std=c11 -static "$example" -o "$tap_scratch/example" \
        $(flags --static --cflags --libs) && runs "$tap_scratch/example"
}

# The processor in software: a program of its own, with either library.
# shellcheck disable=SC2046 # lists of flags
sim_by_pkg_config() { # FLAGS...
    rm -f "$tap_scratch/sim"
    find_installed quire-sim.pc || return
    "$compiler" -std=c11 -Wall -Wextra -Werror "$@" examples/sim/main.c -o "$tap_scratch/sim" \
        $(PKG_CONFIG_PATH=$(dirname "$found") pkg-config --static --cflags --libs quire-sim) \
        -Wl,-rpath,"$(flags --variable=libdir)" &&
        "$tap_scratch/sim" >"$tap_scratch/output" 2>&1 && cat "$tap_scratch/output" &&
        grep -q "error code 0x7 .*: the page can't be written" "$tap_scratch/output" &&
        ! grep "isn't flushed" "$tap_scratch/output"
}

# Without its flush it says so, and the write goes on through what the TLB remembers.
# shellcheck disable=SC2046 # lists of flags
sim_without_flush() {
    find_installed quire-sim.pc || return
    sed '/^ *\.flush/d' examples/sim/main.c >"$tap_scratch/lost.c"
    "$compiler" -std=c11 "$tap_scratch/lost.c" -o "$tap_scratch/lost" \
        $(PKG_CONFIG_PATH=$(dirname "$found") pkg-config --static --cflags --libs quire-sim) \
        -Wl,-rpath,"$(flags --variable=libdir)" || return
    ! "$tap_scratch/lost" >"$tap_scratch/output" 2>&1
    cat "$tap_scratch/output"
    grep -q "TLB isn't flushed: .*quire_sim_tlb_flush" "$tap_scratch/output"
}

# A program with pools, which are inline in the installed header: it serves until it is told to end.
# shellcheck disable=SC2046 # lists of flags
server_by_pkg_config() { # FLAGS...
    rm -f "$tap_scratch/server" "$tap_scratch/output" # or an earlier one is read
    "$compiler" -std=c11 -Wall -Wextra -Werror "$@" examples/echo-server/main.c \
        -o "$tap_scratch/server" $(flags --static --cflags --libs) \
        -Wl,-rpath,"$(flags --variable=libdir)" || return
    "$tap_scratch/server" 0 >"$tap_scratch/output" &
    server=$!
    tap_await grep -q '^listening' "$tap_scratch/output"
    kill -TERM "$server"
    wait "$server" && cat "$tap_scratch/output" &&
        grep -q '^0 connections, 0 requests' "$tap_scratch/output"
}

# Beside the status what it shows: that frames, objects and vmalloc were there.
kernel_boots() {
    find_installed quire-sources.pc || return
    PKG_CONFIG_PATH=$(dirname "$found") make -s -C examples/kernel CC="$compiler" \
        BUILD="$tap_scratch/kernel" run >"$tap_scratch/output" 2>&1
    status=$?
    cat "$tap_scratch/output"
    [ "$status" -eq 0 ] && ! grep -q '^quire: ' "$tap_scratch/output" &&
        grep -q '^A kernel on Quire [0-9]' "$tap_scratch/output" &&
        grep -q '1000 objects of 56 bytes' "$tap_scratch/output" &&
        grep -q '0xffffc90000100000, one byte too far, is a page fault' "$tap_scratch/output" &&
        grep -q '^Done: [1-9][0-9]* frames are free' "$tap_scratch/output"
}

# The same for another processor, with nothing but frames and objects.
riscv64_runs() {
    find_installed quire-sources.pc || return
    PKG_CONFIG_PATH=$(dirname "$found") make -s -C examples/riscv64 BUILD="$tap_scratch/riscv64" run |
        tee "$tap_scratch/output"
    awk '/^[1-9][0-9]* frames are free, of/ { before = $1 }
         /objects filled memory$/ { objects = $1 }
         /^[1-9][0-9]* frames are free$/ { after = $1 }
         END { exit !(before > 30000 && after == before && objects > 10000) }' "$tap_scratch/output"
}

# A library with the smallest port, by CMake, where nothing but the sources is: its layers are those that were
# asked for.
sources_by_find_package() {
    rm -rf "$tap_scratch/own"
    cmake -S tests/install/own_port -B "$tap_scratch/own" -DCMAKE_PREFIX_PATH="$tap_scratch/alone" \
        -DCMAKE_C_COMPILER="$compiler" && cmake --build "$tap_scratch/own" -j 2 &&
        "$tap_scratch/own/minimal-port" | tee "$tap_scratch/output" &&
        grep -q '^the same number of pages is free as before' "$tap_scratch/output" &&
        ! nm "$tap_scratch/own/libquire-minimal.a" | grep -q quire_kmalloc
}

sources_alone() {
    rm -rf "$tap_scratch/alone"
    cmake --install "$build" --prefix "$tap_scratch/alone" --component sources &&
        [ "$(find "$tap_scratch/alone" -name '*.pc' | wc -l)" -eq 1 ] &&
        [ ! -e "$tap_scratch/alone/bin" ] &&
        diff -r src "$tap_scratch/alone/share/quire/src" &&
        diff -r include "$tap_scratch/alone/share/quire/include"
}

by_find_package() {
    rm -rf "$tap_scratch/consumer"
    cmake -S tests/install -B "$tap_scratch/consumer" -DCMAKE_PREFIX_PATH="$prefix" \
        -DCMAKE_C_COMPILER="$compiler" -DEXAMPLE="$example" &&
        cmake --build "$tap_scratch/consumer" &&
        runs "$tap_scratch/consumer/example-quire" &&
        runs "$tap_scratch/consumer/example-quire-shared" &&
        "$tap_scratch/consumer/sim-quire" && "$tap_scratch/consumer/sim-quire-shared"
}

# With another value of a knob than the library's, and nothing else: the link has to fail, by a name
# that says which.
# shellcheck disable=SC2046 # lists of flags
does_not_link() { # KNOB VALUE NAME FLAG...
    knob=$1 value=$2 name=$3
    shift 3
    rm -f "$tap_scratch/other"
    "$compiler" -std=c11 "$@" "$example" -o "$tap_scratch/other" "-U$knob" "-D$knob=$value" \
        $(flags --static --cflags --libs) >"$tap_scratch/link.log" 2>&1
    cat "$tap_scratch/link.log"
    [ ! -e "$tap_scratch/other" ] &&
        grep -q "undefined reference to .*quire_memblock_init.*_$name$value" "$tap_scratch/link.log"
}

shows_only_quire() { # LIBRARY NM-FLAGS
    find_installed "$1" || return
    others=$(nm "$2" --extern-only --defined-only "$found" |
        awk 'NF == 3 && $3 !~ /^(quire_|QUIRE_[0-9.]+$)/ { print $3 }')
    echo "$others"
    [ -z "$others" ]
}

version_is_that_of_the_project() {
    version=$(sed -n 's/^project(Quire VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
    [ -n "$version" ] && [ "$(flags --modversion)" = "$version" ] &&
        grep "^## \[*$version" CHANGELOG.md &&
        cat >"$tap_scratch/version.c" <<-END
	#include <quire/version.h>
	#include <stdio.h>
	_Static_assert(QUIRE_VERSION_AT_LEAST(0, 0, 9) && !QUIRE_VERSION_AT_LEAST(100, 0, 0), "");
	int main(void)
	{
	    printf("%d.%d.%d %s\n", QUIRE_VERSION_MAJOR, QUIRE_VERSION_MINOR, QUIRE_VERSION_PATCH,
	           QUIRE_VERSION);
	}
	END
    # shellcheck disable=SC2046 # lists of flags
    "$compiler" "$tap_scratch/version.c" -o "$tap_scratch/version" $(flags --cflags) &&
        [ "$("$tap_scratch/version")" = "$version $version" ] || return
    [ ! -e "$prefix/bin/quire" ] || [ "$("$prefix/bin/quire" --version)" = "quire $version" ]
}

tap_check 'it installs' cmake --install "$build" --prefix "$prefix"
for name in types.h config.h port.h phys.h slab.h map.h paging.h fault.h segment.h mmu.h \
    pgtable.h windows.h vmalloc.h pool.h version.h quire_port.h ports/sim/sim.h libquire-sim.a quire-sim.pc \
    libquire.a libquire.so QuireConfig.cmake QuireConfigVersion.cmake QuireSourcesConfig.cmake quire.pc \
    quire-sources.pc sources.txt quire.1 quire-boot.1 quire-phys.3 quire-malloc.3 quire_alloc_pages.3 \
    bash-completion/completions/quire _quire quire.fish; do
    tap_check "$name is installed" find_installed $name
done
tap_check 'libquire.so shows quire_* only' shows_only_quire libquire.so --dynamic
tap_check 'libquire.a shows quire_* only' shows_only_quire libquire.a --debug-syms
tap_check 'libquire-sim.a shows quire_* only' shows_only_quire libquire-sim.a --debug-syms
tap_check 'the versions agree' version_is_that_of_the_project
tap_check 'README.md has an example' extract_example
tap_check 'the example runs with pkg-config and libquire.so' by_pkg_config
tap_check 'the example runs with pkg-config and libquire.a' by_pkg_config_static
tap_check 'a simulated processor runs with libquire.so' sim_by_pkg_config
tap_check 'a simulated processor runs with libquire.a' sim_by_pkg_config -static
tap_check 'a simulated processor whose flush was forgotten is told' sim_without_flush
tap_check 'a server with pools runs with libquire.so' server_by_pkg_config
tap_check 'a server with pools runs with libquire.a' server_by_pkg_config -static
tap_check 'the example runs with find_package and either library' by_find_package
tap_check 'the sources can be installed alone' sources_alone
tap_check 'a kernel with a port of its own is built from the installed sources, and boots' kernel_boots
if command -v qemu-system-riscv64 >/dev/null && command -v riscv64-linux-gnu-gcc >/dev/null; then
    tap_check 'frames and objects on riscv64' riscv64_runs
else
    tap_skip 'frames and objects on riscv64' 'there is no qemu-system-riscv64, or no compiler'
fi
tap_check 'a port of its own by find_package' sources_by_find_package

while read -r knob value name; do
    tap_check "a program with another $knob doesn't link with libquire.so" \
        does_not_link "$knob" "$value" "$name"
    tap_check "a program with another $knob doesn't link with libquire.a" \
        does_not_link "$knob" "$value" "$name" -static
done <<-'END'
	QUIRE_PAGE_SHIFT 13 page
	QUIRE_PAGEBLOCK_ORDER 8 block
	QUIRE_MAX_ORDER 11 order
	QUIRE_SECTION_SHIFT 26 section
	QUIRE_MAX_NODES 15 nodes
	QUIRE_MAX_CPUS 511 cpus
	QUIRE_MEMBLOCK_STATIC_REGIONS 127 regions
	QUIRE_LINEAR_BITS 32 linear
END

mv "$prefix" "$prefix-moved"
prefix=$prefix-moved
tap_check 'a moved prefix works with pkg-config' by_pkg_config
tap_check 'a moved prefix works with find_package' by_find_package
tap_end
