#!/bin/sh
# tests/guest/hogs.sh QUIRE FOLDER CLASS: programs that take what they can get
#
# FOLDER has CLASS-hogs (hogs.c), whose lines are the cases.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
class=$3
program=$2/$class-hogs
work=$tap_scratch
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
if ! [ -x "$program" ]; then
    tap_skip "$class: hogs" 'no compiler or libraries for it'
    tap_end
fi

"$quire" boot --timeout=100 --mem=128M -- "$program" >"$work/cases" 2>"$work/log" </dev/null
echo $? >"$work/status"

ended() {
    cat "$work/log"
    [ "$(cat "$work/status")" -eq 0 ]
}

case_is_ok() { # NAME
    grep -Fxq "ok - $1" "$work/cases"
}

tap_check "$class: the program ends as it should" ended
sed -n 's/^\(not \)\{0,1\}ok - //p' "$work/cases" >"$work/names"
while read -r name; do
    tap_check "$class: $name" case_is_ok "$name"
done <"$work/names"
tap_end
