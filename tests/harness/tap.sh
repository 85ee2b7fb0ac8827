# shellcheck shell=sh
# tests/harness/tap.sh: TAP for tests that are scripts
#
#   tap_check NAME COMMAND...   a case that passes if the command does; its output is shown if not
#   tap_fails NAME COMMAND...   the same for a command that has to end with status 1
#   tap_skip NAME WHY
#   tap_await COMMAND...        until the command succeeds; false: not within minutes
#   tap_note TEXT
#   tap_end                     prints the plan and ends the script: 0 all passed, 1 not
#
# $tap_scratch is an empty directory that is removed at the end.

tap_number=0
tap_failed=0
tap_work=$(mktemp -d) || exit 2
trap 'rm -rf "$tap_work"' EXIT
tap_scratch=$tap_work/scratch
mkdir "$tap_scratch"
tap_output=$tap_work/output

tap_note() {
    printf '# %s\n' "$*"
}

tap_result() { # STATUS NAME
    tap_number=$((tap_number + 1))
    if [ "$1" -eq 0 ]; then
        printf 'ok %d - %s\n' "$tap_number" "$2"
    else
        tap_failed=$((tap_failed + 1))
        sed 's/^/# /' "$tap_output"
        printf 'not ok %d - %s\n' "$tap_number" "$2"
    fi
}

tap_check() {
    tap_name=$1
    shift
    "$@" >"$tap_output" 2>&1
    tap_result $? "$tap_name"
}

tap_fails() {
    tap_name=$1
    shift
    "$@" >"$tap_output" 2>&1
    tap_status=$?
    echo "this should have failed with 1, not $tap_status: $*" >>"$tap_output"
    [ $tap_status -eq 1 ]
    tap_result $? "$tap_name"
}

tap_skip() {
    tap_number=$((tap_number + 1))
    printf 'ok %d - %s # SKIP %s\n' "$tap_number" "$1" "$2"
}

# What others get to is waited for, however busy this host is.
tap_await() {
    tap_tries=3000
    until "$@" 2>/dev/null; do
        [ $((tap_tries -= 1)) -gt 0 ] || return
        sleep 0.1
    done
}

tap_end() {
    printf '1..%d\n' "$tap_number"
    [ "$tap_failed" -eq 0 ]
    exit
}
