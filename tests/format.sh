#!/bin/sh
# tests/format.sh: C files have the format of .clang-format, scripts pass shellcheck
set -u
cd "$(dirname "$0")/.." || exit 2
. tests/harness/tap.sh

# Files that belong to the project, whether this is a git repository or an archive of one.
files() { # PATTERN...
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
            [ -f "$file" ] && echo "$file"
        done
    else
        for pattern; do
            find . -path ./build -prune -o -type f -path "./$pattern" -print | sed 's|^\./||'
        done | sort -u
    fi
}

# A case for each file. A command for all of them is some times as fast as one for each, which is only
# needed to know which of them is wrong.
check_each() { # COMMAND... -- WHAT FILES...
    command=
    while [ "$1" != -- ]; do
        command="$command $1"
        shift
    done
    what=$2
    shift 2
    each=$command
    # shellcheck disable=SC2086 # a command and its options
    $command "$@" >/dev/null 2>&1 && each=true
    for file; do
        # shellcheck disable=SC2086 # a command and its options
        tap_check "$file $what" $each "$file"
    done
}

# Another version formats some lines in another way.
version=$(clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
if [ "$version" = 14 ]; then
    # shellcheck disable=SC2046 # a list of files
    check_each clang-format --dry-run -Werror -- 'is formatted' $(files '*.c' '*.h')
else
    tap_skip 'C files are formatted' "clang-format is of version ${version:-none}, not 14"
fi

if command -v shellcheck >/dev/null; then
    # shellcheck disable=SC2046 # a list of files
    check_each shellcheck -- 'passes shellcheck' check demo $(files '*.sh' '*.bash' '.ci/*')
else
    tap_skip 'scripts pass shellcheck' 'there is no shellcheck'
fi
tap_end
