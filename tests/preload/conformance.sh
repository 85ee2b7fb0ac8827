#!/bin/sh
# tests/preload/conformance.sh [--table] [--beyond] [--programs=FOLDER] [--filter=TEXT] SO...
#
# Runs the conformance programs with each SO preloaded: a path, a name that the dynamic linker finds
# (libjemalloc.so.2), or `glibc` for none. Prints TAP; with --table instead a table of what isn't passed,
# in Markdown. FOLDER has the programs (build/release/tests/preload).
set -u
here=$(dirname "$0")
programs=$here/../../build/release/tests/preload
table=
options=
while :; do
    case ${1:-} in
    --table) table=yes ;;
    --beyond | --filter=*) options="$options $1" ;;
    --programs=*) programs=${1#*=} ;;
    -*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || set -- glibc
if ! [ -x "$programs/quire-conformance" ]; then
    echo "Bail out! there is no $programs/quire-conformance"
    exit 2
fi

# libjemalloc.so.2 is jemalloc.
short_name() { # SO
    basename "$1" | sed 's/^lib//; s/\.so.*//'
}

run() { # SO PREFIX
    preload=$1
    [ "$preload" != glibc ] || preload=
    for program in "$programs/quire-conformance" "$programs/quire-conformance-operators"; do
        # shellcheck disable=SC2086 # several options
        if "$program" --list $options >/dev/null 2>&1; then
            "$program" --preload="$preload" --prefix="$2" $options
        fi
    done
}

# One sequence of numbers, and one plan.
renumber() {
    awk '
        /^1\.\./ { next }
        /^Bail out!|^not ok / { bad = 1 }
        /^(not )?ok / { sub(/ok [0-9]+ /, "ok " ++n " ") }
        { print; fflush() }
        END { print "1.." n + 0; exit bad || !n }'
}

# From TAP whose names begin with "SO: ": a row for each case that somebody doesn't pass.
tabulate() { # SO...
    awk -v names="$*" '
        BEGIN {
            count = split(names, name, " ")
            head = "| case |"; rule = "| --- |"
            for (i = 1; i <= count; i++) { head = head " " name[i] " |"; rule = rule " --- |" }
            print head; print rule
        }
        /^# ended with / { how = $0 }
        /^Bail out!/ { print "(" $0 ")" }
        /^(not )?ok / {
            bad = $1 == "not"
            sub(/^(not )?ok [0-9]+ - /, "")
            so = $0; sub(/: .*/, "", so)
            sub(/^[^:]*: /, "")
            skipped = sub(/ # SKIP .*/, "")
            if (skipped)
                next
            total[so]++
            if (!($0 in seen)) { seen[$0] = 1; order[++cases] = $0 }
            passed[so] += !bad
            if (bad && how ~ /no end within/) result[$0, so] = "hangs"
            else if (bad && how ~ /signal/) { sub(/.*signal [0-9]+ \(/, "", how); sub(/\).*/, "", how)
                                              result[$0, so] = how }
            else if (bad) result[$0, so] = "wrong"
            failed[$0] += bad
            how = ""
        }
        END {
            for (c = 1; c <= cases; c++) {
                if (!failed[order[c]])
                    continue
                text = order[c]; gsub(/_/, " ", text); sub(/\./, ": ", text)
                row = "| " text " |"
                for (i = 1; i <= count; i++) row = row " " result[order[c], name[i]] " |"
                print row
            }
            row = "| passed |"
            for (i = 1; i <= count; i++) row = row " " passed[name[i]] + 0 " of " total[name[i]] + 0 " |"
            print row
        }'
}

if [ -n "$table" ]; then
    names=
    for so; do
        names="$names $(short_name "$so")"
    done
    # shellcheck disable=SC2086 # several names
    for so; do
        run "$so" "$(short_name "$so"): "
    done | tabulate $names
elif [ $# -eq 1 ]; then
    run "$1" '' | renumber
else
    for so; do
        run "$so" "$(short_name "$so"): "
    done | renumber
fi
