#!/bin/sh
# tests/permute.sh [ID...]: the suites with other knobs than the default ones
#
# Builds the tests for each permutation of include/quire/config.h below, or for those named, with
# every assertion, and runs them. Each is a case of TAP, whose failure shows what failed in it and
# how to run it alone. Builds stay in build/permute/. Pageblocks above the default order are too
# large for the machines that the tests make.
set -u
cd "$(dirname "$0")/.." || exit 2
. tests/harness/tap.sh
: "${JOBS:=$(nproc)}" "${EFFORT:=20000}"

permutations() {
    cat <<-'END'
	page-16k        QUIRE_PAGE_SHIFT=14
	page-64k        QUIRE_PAGE_SHIFT=16
	page-64k-dense  QUIRE_PAGE_SHIFT=16 QUIRE_SECTION_SHIFT=30 QUIRE_PAGEBLOCK_ORDER=7
	block-6         QUIRE_PAGEBLOCK_ORDER=6
	block-6-max-6   QUIRE_PAGEBLOCK_ORDER=6 QUIRE_MAX_ORDER=6
	block-6-max-8   QUIRE_PAGEBLOCK_ORDER=6 QUIRE_MAX_ORDER=8
	block-9-max-9   QUIRE_MAX_ORDER=9
	section-4m      QUIRE_SECTION_SHIFT=22
	pcp-5           QUIRE_PCP_SHIFT=5
	pcp-12          QUIRE_PCP_SHIFT=12
	cpus-1          QUIRE_MAX_CPUS=1
	cpus-3-nodes-2  QUIRE_MAX_CPUS=3 QUIRE_MAX_NODES=2
	regions-16      QUIRE_MEMBLOCK_STATIC_REGIONS=16
END
}

build() { # ID KNOBS
    cmake -S . -B "build/permute/$1" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DQUIRE_WERROR=ON \
        -DQUIRE_MACHINE=OFF -DQUIRE_TEST_EFFORT="$EFFORT" \
        "-DQUIRE_CONFIG=QUIRE_DEBUG_LEVEL=2;$(echo "$2" | sed 's/  */;/g')" &&
        cmake --build "build/permute/$1" --parallel "$JOBS" \
            --target quire-tests-unit quire-tests-stress
}

run() { # ID KNOBS
    build "$@" >"$tap_scratch/build.log" 2>&1 || { tail -n 20 "$tap_scratch/build.log" && return 1; }
    # The ranges suite's machine is laid out for the default sections and pages; those of page tables
    # expect x86's, whose pages are of 4 KiB.
    ctest --test-dir "build/permute/$1" -L '^(unit|stress)$' -E '[.](ranges_stress|mapping|map_change|tables_.*|vm_.*)$' \
        --parallel "$JOBS" \
        >/dev/null 2>&1 && return
    grep -E '^(not ok|# .*(failed|run it alone): |Bail out)' \
        "build/permute/$1/Testing/Temporary/LastTest.log"
    echo "all of it again: tests/permute.sh $1"
    return 1
}

wanted=" $* "
[ $# -gt 0 ] || wanted=" $(permutations | awk '{ printf "%s ", $1 }')"
for id in $wanted; do
    knobs=$(permutations | awk -v id="$id" '$1 == id { $1 = ""; print substr($0, 2) }')
    [ -n "$knobs" ] || { echo "Bail out! there is no permutation $id" && exit 2; }
    tap_check "$id: $knobs" run "$id" "$knobs"
done
tap_end
