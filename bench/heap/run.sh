#!/bin/sh
# bench/heap/run.sh HEAP_BENCH [OPTIONS...]: heap-bench beside all peers, which are installed where they aren't
#
# Then instructions, where valgrind is installed and no cases were chosen. QUIRE_MALLOC_SO: Quire's library.
set -eu
bench=$1
shift
here=$(dirname "$0")
quire=${QUIRE_MALLOC_SO:-build/release/malloc/libquire-malloc.so}
libraries=/usr/lib/$(gcc -print-multiarch)
# Without them the rows of the others are still worth having.
(
    . "$here/../../.ci/packages.sh"
    need_packages "$libraries/libjemalloc.so.2:libjemalloc2" "$libraries/libmimalloc.so.2:libmimalloc2.0" \
        "$libraries/libtcmalloc_minimal.so.4:libtcmalloc-minimal4" "$libraries/libapr-1.so.0:libapr1" \
        "$libraries/libtalloc.so.2:libtalloc2" redis-benchmark:redis-tools sqlite3:sqlite3 lua5.4:lua5.4 \
        python3:python3 perl:perl gcc:gcc g++:g++ nginx:nginx ab:apache2-utils \
        valgrind:valgrind
) || echo 'Some peers or programs are missing.' >&2
"$bench" --quire="$quire" --workloads="$here/workloads" "$@"
if [ $# -gt 0 ] && [ "$*" != --full ]; then
    exit 0
fi
if command -v valgrind >/dev/null; then
    "$here/instructions.sh" "$bench" "$quire"
else
    echo 'No valgrind: instructions are not counted.' >&2
fi
