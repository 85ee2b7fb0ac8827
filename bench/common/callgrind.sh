#!/bin/sh
# bench/common/callgrind.sh: counting instructions, for scripts that source it

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

progress() {
    [ -t 2 ] && printf '\r\033[K%s' "$*" >&2
    return 0
}

# Prints the instructions that ran within some functions, from the first one of a call to its return;
# what the command says goes to $directory/said.
instructions() { # FUNCTIONS COMMAND...
    flags=
    for function in $1; do
        flags="$flags --toggle-collect=$function"
    done
    shift
    # shellcheck disable=SC2086 # a list of options
    if ! valgrind --tool=callgrind --callgrind-out-file="$directory/out" $flags "$@" \
        >"$directory/said" 2>"$directory/log"; then
        cat "$directory/log" >&2
        return 1
    fi
    awk '/^(summary|totals):/ { total = $2 } END { print total }' "$directory/out"
}
