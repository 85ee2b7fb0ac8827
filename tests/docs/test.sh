#!/bin/sh
# tests/docs/test.sh: what the pages name is there: files they link to, make's targets, scripts, programs
# shellcheck disable=SC2013 # words are what is looked for
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh

pages=$(find . -name '*.md' -not -path './build/*' -not -path './.git/*' | sed 's|^\./||' | sort)

# Relative ones, of which what stands behind # is a heading.
links_exist() { # PAGE
    missing=
    for link in $(grep -o '](\([^)]*\))' "$1" | sed 's/^](//; s/)$//' | grep -v '^[a-z]*:'); do
        file=${link%%#*}
        anchor=${link#"$file"}
        [ -z "$file" ] || [ -e "$(dirname "$1")/$file" ] || missing="$missing $link"
        [ -z "$anchor" ] || has_heading "${file:+$(dirname "$1")/$file}" "${anchor#\#}" "$1" ||
            missing="$missing $link"
    done
    [ -z "$missing" ] || { echo "$1 links to what isn't there:$missing" && return 1; }
}

has_heading() { # FILE-OR-NOTHING ANCHOR PAGE
    sed -n 's/^#* //p' "${1:-$3}" | tr '[:upper:]' '[:lower:]' | tr ' ' '-' | tr -cd 'a-z0-9-\n' | grep -qx "$2"
}

make_targets_exist() {
    missing=
    # shellcheck disable=SC2086 # a list of files
    for target in $(grep -ho '\(^\|`\)make [a-z][a-z-]*' $pages | sed 's/.*make //' | sort -u); do
        cat Makefile examples/*/Makefile | grep -q "^[a-z -]*\b$target\b[a-z -]*:" || missing="$missing $target"
    done
    [ -z "$missing" ] || { echo "the Makefile has no$missing" && return 1; }
}

scripts_exist() {
    missing=
    # shellcheck disable=SC2086 # a list of files
    for script in $(grep -ho '\b\(bench\|tests\|docs\|completions\|examples\)/[a-z0-9/_-]*\.\(sh\|py\|awk\|c\|tsv\)\b' $pages | sort -u); do
        [ -e "$script" ] || missing="$missing $script"
    done
    [ -z "$missing" ] || { echo "these aren't there:$missing" && return 1; }
}

programs_are_built() {
    missing=
    # shellcheck disable=SC2086 # a list of files
    for program in $(grep -ho '\bbuild/release/[a-z]*/[a-z-]*' $pages | sort -u); do
        name=$(basename "$program")
        folder=$(basename "$(dirname "$program")")
        case $folder/$name in
        tools/quire) name=quire-command ;;
        malloc/libquire-malloc) name=quire-malloc ;;
        tests/quire-tests-*) name=${name#quire-tests-} ;;
        esac
        grep -q "\(add_executable\|add_library\|quire_test_group\|add_custom_target\)($name\b" "$folder/CMakeLists.txt" || missing="$missing $program"
    done
    [ -z "$missing" ] || { echo "nothing builds$missing" && return 1; }
}

# What `quire COMMAND` pages show.
commands_exist() {
    missing=
    # shellcheck disable=SC2086 # a list of files
    for command in $(grep -ho '\(^\$ \|`\)quire [a-z][a-z]*' $pages | sed 's/.*quire //' | sort -u); do
        grep -q "{\"$command\", command_$command}" tools/quire.c || missing="$missing $command"
    done
    [ -z "$missing" ] || { echo "quire has no$missing" && return 1; }
}

for page in $pages; do
    tap_check "$page links to what is there" links_exist "$page"
done
tap_check 'targets of make that pages name are there' make_targets_exist
tap_check 'scripts that pages name are there' scripts_exist
tap_check 'programs that pages name are built' programs_are_built
tap_check 'commands that pages name are there' commands_exist
tap_end
