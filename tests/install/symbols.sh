#!/bin/sh
# tests/install/symbols.sh LIBQUIRE.SO LIBQUIRE-MALLOC.SO COMPILER: what the shared libraries show
#
# libquire.so has what the public headers and the posix port's declare, nothing else and nothing less, each
# with the version of its release. libquire-malloc.so has the malloc family, without versions.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
library=$1
malloc=$2
compiler=$3

# Lines `NAME` or `NAME@@VERSION`.
shown() { # LIBRARY
    readelf --dyn-syms --wide "$1" |
        awk '$7 ~ /^[0-9]+$/ && ($5 == "GLOBAL" || $5 == "WEAK") && $4 != "NOTYPE" { print $8 }' |
        grep -v '^QUIRE_' | sort
}

# Functions and objects that the headers declare without defining them, as the compiler sees them: a call of
# each that isn't there wouldn't link.
declared() {
    for header in include/quire/*.h ports/posix/quire_port.h; do
        echo "#include <${header#include/}>"
    done | sed 's|<ports/posix/|<|' | "$compiler" -std=c11 -E -P -Iinclude -Iports/posix -x c - |
        tr '\n' ' ' |
        sed 's/__attribute__ *(([^()]*\(([^()]*)[^()]*\)*))//g' |
        # Bodies go from the inside out; then what is left ends in semicolons.
        sed ':again; s/{[^{}]*}/;/; t again' | tr ';' '\n' |
        grep -v '^ *\(typedef\|static\|struct [a-z_]* *$\)' |
        sed -n -e 's/^[^(=]*[ *]\(quire_[a-z0-9_]*\)([^=]*) *$/\1/p' \
            -e 's/^ *extern [^(=]*[ *]\(quire_[a-z0-9_]*\)\(\[.*\]\|\) *$/\1/p' |
        sort -u
}

headers_and_library_agree() {
    shown "$library" | sed 's/@.*//' >"$tap_scratch/shown"
    declared >"$tap_scratch/declared"
    echo 'shown < > declared:'
    [ "$(wc -l <"$tap_scratch/declared")" -gt 300 ] &&
        diff "$tap_scratch/shown" "$tap_scratch/declared"
}

all_have_the_version() {
    version=$(sed -n 's/^project(Quire VERSION \([0-9]*\.[0-9]*\).*/\1/p' CMakeLists.txt)
    [ -n "$version" ] && ! shown "$library" | grep -v "@@QUIRE_$version\$"
}

soname_is() { # LIBRARY NAME
    readelf -d "$1" | tee "$tap_scratch/dynamic" | grep -q "SONAME.*\[$2\]"
}

family() {
    cat <<-'END'
	aligned_alloc calloc cfree free free_aligned_sized free_sized mallinfo mallinfo2 malloc malloc_info
	malloc_stats malloc_trim malloc_usable_size mallopt memalign posix_memalign prlimit prlimit64 pvalloc
	realloc reallocarray setrlimit setrlimit64 valloc
	__libc_calloc __libc_free __libc_mallinfo __libc_malloc __libc_mallopt __libc_memalign __libc_pvalloc
	__libc_realloc __libc_valloc __register_atfork
	END
}

malloc_shows_the_family() {
    family | tr ' ' '\n' | sort >"$tap_scratch/family"
    shown "$malloc" | grep -v '^_Z\(nw\|na\|dl\|da\)' >"$tap_scratch/shown"
    diff "$tap_scratch/shown" "$tap_scratch/family" &&
        [ "$(shown "$malloc" | grep -c '^_Z')" -ge 12 ]
}

# A program asks for malloc@GLIBC_2.2.5: whose is it?
malloc_is_used() {
    cat >"$tap_scratch/whose.c" <<-'END'
	#define _GNU_SOURCE
	#include <dlfcn.h>
	#include <stdio.h>
	#include <stdlib.h>
	int main(void)
	{
	    Dl_info info;
	    void *(*volatile allocate)(size_t) = malloc;
	    free(allocate(1));
	    puts(dladdr((void *)allocate, &info) ? info.dli_fname : "?");
	}
	END
    "$compiler" "$tap_scratch/whose.c" -o "$tap_scratch/whose" -ldl &&
        readelf --dyn-syms --wide "$tap_scratch/whose" | grep 'malloc@GLIBC' &&
        LD_PRELOAD=$malloc "$tap_scratch/whose" | tee "$tap_scratch/output" &&
        [ "$(cat "$tap_scratch/output")" = "$malloc" ]
}

tap_check 'libquire.so shows what the headers declare, and nothing else' headers_and_library_agree
tap_check "each of libquire.so's names has the version of this release" all_have_the_version
tap_check "libquire.so's SONAME counts what breaks programs" soname_is "$library" 'libquire\.so\.0'
tap_check 'libquire-malloc.so shows the malloc family, without versions' malloc_shows_the_family
tap_check "libquire-malloc.so's SONAME has no number" soname_is "$malloc" 'libquire-malloc\.so'
tap_check 'a program that asks for a version of malloc gets it from libquire-malloc.so' malloc_is_used
tap_end
