#!/bin/sh
# tests/manual/test.sh QUIRE MANUAL: the manual is well-formed, and says what there is
#
# Pages of commands are compared with what --help lists, in both directions, those of layers with the
# headers. What a page of a layer says of a function is the header's own comment (docs/man/manual.awk).
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
manual=$2

is_well_formed() { # PAGE
    mandoc -T lint -W warning "$1"
}

# What a person sees.
shown() { # PAGE
    mandoc -T ascii -O width=200 "$1" | col -b
}

commands() {
    "$quire" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  *[a-z].*/\1/p'
}

# One a line: -x and --word.
options_of_help() { # COMMAND...
    "$quire" "$@" --help | sed -n 's/^ \{2,6\}\(-.*\)/\1/p' | sed 's/  .*//' | tr ',' '\n' |
        sed -n 's/^ *\(-[-A-Za-z0-9]*\).*/\1/p' | sort
}

options_of_page() { # PAGE
    grep '^\.It Fl' "$1" | tr ',' '\n' | sed -n 's/^.*Fl \(-*[A-Za-z0-9-]*\).*/-\1/p' | sort
}

options_agree() { # COMMAND
    page=$manual/man1/quire${1:+-$1}.1
    options_of_help ${1:+"$1"} >"$tap_scratch/help"
    options_of_page "$page" >"$tap_scratch/page"
    echo '--help < > the page:'
    [ "$(wc -l <"$tap_scratch/help")" -ge 5 ] && diff "$tap_scratch/help" "$tap_scratch/page"
}

# In quire(1) too.
has_page() { # COMMAND
    [ -f "$manual/man1/quire-$1.1" ] && shown "$manual/man1/quire.1" | grep -q "quire-$1(1)"
}

# Functions that a header declares, inline ones among them.
functions() { # HEADER
    tr '\n' ' ' <"$1" |
        sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/||g; s/QUIRE_[A-Z_]*([0-9, ]*)//g; s/[;{}]/\n/g' |
        sed -n '/^ *return /d; s/^ *\(QUIRE_MUST_CHECK \)*\(static inline \)* *[a-z][^(=#]*[ *]\(quire_[a-z0-9_]*\)([^=]*) *$/\3/p' |
        grep -v '_fn$' | sort -u
}

header_is_told() { # HEADER
    page=$(grep -l "^@header $1\$" docs/man/*.3.in) || { echo "no page has $1" && return 1; }
    page=$manual/man3/$(basename "$page" .in)
    shown "$page" >"$tap_scratch/shown"
    missing=
    for function in $(functions "include/$1"); do
        grep -qw "$function" "$tap_scratch/shown" || missing="$missing $function"
    done
    [ -z "$missing" ] || { echo "$page lacks$missing" && return 1; }
}

# What the library shows can be looked up: `man quire_alloc_pages`.
functions_lead_to_pages() {
    missing=
    for header in include/quire/*.h; do
        functions "$header"
    done >"$tap_scratch/functions"
    [ "$(wc -l <"$tap_scratch/functions")" -gt 300 ] || return
    while read -r function; do
        grep -q '^\.so man3/quire-' "$manual/man3/$function.3" || missing="$missing $function"
    done <"$tap_scratch/functions"
    [ -z "$missing" ] || { echo "no page for$missing" && return 1; }
}

words_of_quire_malloc() {
    sed -n 's/^| `\([a-z]*\)[^|]*| .*/\1/p' docs/malloc.md | sed -n '1,/perturb/p' | sort >"$tap_scratch/words"
    sed -n '/^\.Ev QUIRE_MALLOC/,/^\.Ev MALLOC/s/^\.It Cm \([a-z]*\).*/\1/p' docs/man/quire-malloc.3 |
        sort >"$tap_scratch/page"
    [ -s "$tap_scratch/words" ] && diff "$tap_scratch/words" "$tap_scratch/page"
}

if command -v mandoc >/dev/null; then
    for page in "$manual"/man1/*.1 "$manual"/man3/quire-*.3; do
        tap_check "$(basename "$page") is well-formed" is_well_formed "$page"
    done
else
    tap_skip 'pages are well-formed' 'there is no mandoc'
    tap_end
fi
tap_check "quire(1) has the options of quire --help" options_agree ''
for command in $(commands); do
    tap_check "quire-$command(1) exists, and quire(1) names it" has_page "$command"
    tap_check "quire-$command(1) has the options of quire $command --help" options_agree "$command"
done
for header in include/quire/*.h; do
    tap_check "a page tells of all functions of ${header#include/}" header_is_told "${header#include/}"
done
tap_check 'each function leads to its page' functions_lead_to_pages
tap_check 'quire-malloc(3) has the words that docs/malloc.md has' words_of_quire_malloc
tap_end
