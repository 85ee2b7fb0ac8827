#!/bin/sh
# tests/preload/errors.sh [--table] [--programs=FOLDER] [--all-of=GROUP] [--more-than=N|SO] SO...
#
# Commits errors of the heap, each in a process of its own, with each SO preloaded (a path, a name that the
# dynamic linker finds, or `glibc` for none), and prints what came of them: GROUP.ERROR, outcome and
# message; with --table a table of all SOs in Markdown. --all-of: TAP, each error of the group has to be
# caught. --more-than: TAP, more have to be caught than N or than another SO catches.
set -u
here=$(dirname "$0")
programs=$here/../../build/release/tests/preload
table=
groups=
more=
while :; do
    case ${1:-} in
    --table) table=yes ;;
    --programs=*) programs=${1#*=} ;;
    --all-of=*) groups="$groups ${1#*=}" ;;
    --more-than=*) more=${1#*=} ;;
    -*) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) break ;;
    esac
    shift
done
[ $# -gt 0 ] || set -- glibc
program=$programs/quire-heap-errors
if ! [ -x "$program" ]; then
    echo "Bail out! there is no $program"
    exit 2
fi
log=$(mktemp -d) || exit 2
trap 'rm -rf "$log"' EXIT

short_name() { # SO
    basename "$1" | sed 's/^lib//; s/\.so.*//'
}

run() { # SO
    case $1 in
    glibc) "$program" ;;
    *) "$program" --preload="$1" ;;
    esac
}

caught() { # FILE
    awk -F'\t' '$2 == "caught" { n++ } END { print n + 0 }' "$1"
}

if [ -n "$groups$more" ]; then
    run "$1" >"$log/own" || { echo 'Bail out! nothing could be run' && exit 1; }
    limit=$more
    case $more in
    *[!0-9]*)
        run "$more" >"$log/other" || { echo "Bail out! nothing could be run with $more" && exit 1; }
        limit=$(caught "$log/other")
        ;;
    esac
    awk -F'\t' -v groups="$groups" -v limit="$limit" -v more="$more" '
        BEGIN { count = split(groups, group, " ") }
        function tell(good, name) {
            print (good ? "ok " : "not ok ") ++n " - " name
            bad = bad || !good
        }
        { caught += $2 == "caught" }
        {
            for (i = 1; i <= count; i++)
                if (index($1, group[i] ".") == 1) {
                    if ($2 != "caught")
                        print "# " $2 ": " $3
                    tell($2 == "caught", $1 " is caught")
                }
        }
        END {
            if (more != "") {
                print "# " caught " of " NR " errors are caught"
                tell(caught > limit, "more than " limit " errors are caught" (more == limit ? "" : ", which is what " more " does"))
            }
            print "1.." n
            exit bad
        }' "$log/own"
    exit
fi

if [ -z "$table" ]; then
    for so; do
        [ $# -eq 1 ] || echo "# $(short_name "$so")"
        run "$so"
    done
    exit
fi

for so; do
    run "$so" | sed "s/^/$(short_name "$so")	/"
done >"$log/all"
awk -F'\t' -v names="$(for so; do short_name "$so"; done)" '
    BEGIN {
        count = split(names, name, /[ \n]/)
        head = "| error |"; rule = "| --- |"
        for (i = 1; i <= count; i++) { head = head " " name[i] " |"; rule = rule " --- |" }
    }
    {
        if (!($2 in seen)) { seen[$2] = 1; order[++errors] = $2 }
        result[$2, $1] = $3
        sum[$1, $3]++
    }
    END {
        print head; print rule
        kinds = split("caught aborted crash corrupt hang reported unnoticed", kind, " ")
        for (k = 1; k <= kinds; k++) {
            row = "| **" kind[k] "** |"; any = 0
            for (i = 1; i <= count; i++) { any += sum[name[i], kind[k]]; row = row " " sum[name[i], kind[k]] + 0 " |" }
            if (any) print row
        }
        for (e = 1; e <= errors; e++) {
            text = order[e]; gsub(/_/, " ", text); sub(/\./, ": ", text)
            row = "| " text " |"
            for (i = 1; i <= count; i++) row = row " " result[order[e], name[i]] " |"
            print row
        }
    }' "$log/all"
