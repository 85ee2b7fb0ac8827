#!/bin/sh
# tests/guest/programs.sh QUIRE FOLDER CLASS: small programs say on the machine what they say here
#
# FOLDER has the programs, all in one binary, linked in several ways: CLASS-static, CLASS-dynamic. What
# this host's own Linux answers is the expected result, byte for byte. What needs a user who may
# become another is left out unless root runs this.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
folder=$2
class=$3
needs_root='memory_mincore memory_limits memory_rare process_identity process_capabilities files_names'
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }

# Files of the host in memory, too, where there is such a place: some answers are the file system's.
place=$tap_scratch
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    place=$(mktemp -d /dev/shm/quire.XXXXXX) || exit 2
    trap 'rm -rf "$tap_work" "$place"' EXIT
fi

# A program's lines of a session's output.
part() { # FILE NAME
    awk -v begin="##### $2" '
        $0 == begin { inside = 1 }
        inside { print }
        index($0, begin ": ") == 1 { inside = 0 }' "$1"
}

same() { # VARIANT NAME
    part "$tap_scratch/$1.host" "$2" >"$tap_scratch/expected"
    part "$tap_scratch/$1.machine" "$2" >"$tap_scratch/got"
    grep -q "^##### $2: exited with 0" "$tap_scratch/expected" ||
        { echo "this host doesn't run it:" && cat "$tap_scratch/expected" && return 1; }
    diff -U2 "$tap_scratch/expected" "$tap_scratch/got"
}

ran_to_the_end() { # VARIANT
    tail -5 "$tap_scratch/$1.log"
    echo "exit status $(cat "$tap_scratch/$1.status")"
    [ "$(cat "$tap_scratch/$1.status")" -eq 0 ]
}

for variant in static dynamic; do
    session=$folder/$class-$variant
    if ! [ -x "$session" ]; then
        tap_skip "$class, $variant" "no compiler or libraries for it"
        continue
    fi
    if ! "$session" --list >"$tap_scratch/names"; then
        tap_skip "$class, $variant" "this host runs no programs of this class"
        continue
    fi
    names=$(cat "$tap_scratch/names")
    if [ "$(id -u)" -ne 0 ]; then
        # shellcheck disable=SC2086 # several names
        names=$(grep -vxF "$(printf '%s\n' $needs_root)" "$tap_scratch/names")
    fi
    mkdir "$place/$variant"
    # Through a pipe: one program limits the size of files, and a file would feel it.
    # shellcheck disable=SC2086 # several names
    "$session" --folder="$place/$variant" $names 2>&1 </dev/null | cat >"$tap_scratch/$variant.host"
    # shellcheck disable=SC2086
    "$quire" boot --mem=128M --timeout=900 -v -- "$session" $names \
        >"$tap_scratch/$variant.machine" 2>"$tap_scratch/$variant.log" </dev/null
    echo $? >"$tap_scratch/$variant.status"
    tap_check "$class, $variant: the session ends as it should" ran_to_the_end "$variant"
    for name in $names; do
        if grep -q "^##### $name: exited with 77$" "$tap_scratch/$variant.host"; then
            tap_skip "$class, $variant: $name" "this host's Linux is too old to compare with"
            continue
        fi
        tap_check "$class, $variant: $name" same "$variant" "$name"
    done
done
tap_end
