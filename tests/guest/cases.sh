#!/bin/sh
# tests/guest/cases.sh QUIRE FOLDER CLASS NAME [OPTION...]: a program alone in its machine, that judges
#
# FOLDER has CLASS-NAME (NAME.c: settings.c, hogs.c), whose lines are the cases. OPTION: of the machine.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
class=$3
name=$4
program=$2/$class-$name
shift 4
work=$tap_scratch
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
if ! [ -x "$program" ]; then
    tap_skip "$class: $name" 'no compiler or libraries for it'
    tap_end
fi

"$quire" boot --timeout=400 --mem=128M "$@" -- "$program" >"$work/cases" 2>"$work/log" </dev/null
echo $? >"$work/status"

ended() {
    cat "$work/log"
    [ "$(cat "$work/status")" -eq 0 ] && [ -s "$work/cases" ]
}

case_is_ok() { # CASE
    grep -Fxq "ok - $1" "$work/cases"
}

tap_check "$class: the program ends as it should" ended
sed -n 's/^\(not \)\{0,1\}ok - //p' "$work/cases" >"$work/names"
while read -r case; do
    tap_check "$class: $case" case_is_ok "$case"
done <"$work/names"
tap_end
