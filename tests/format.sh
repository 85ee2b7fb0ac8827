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

# Another version formats some lines in another way.
version=$(clang-format --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
if [ "$version" = 14 ]; then
    for file in $(files '*.c' '*.h'); do
        tap_check "$file is formatted" clang-format --dry-run -Werror "$file"
    done
else
    tap_skip 'C files are formatted' "clang-format is of version ${version:-none}, not 14"
fi

if command -v shellcheck >/dev/null; then
    for file in check demo $(files '*.sh' '.ci/*'); do
        tap_check "$file passes shellcheck" shellcheck "$file"
    done
else
    tap_skip 'scripts pass shellcheck' 'there is no shellcheck'
fi
tap_end
