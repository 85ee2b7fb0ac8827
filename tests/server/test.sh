#!/bin/sh
# tests/server/test.sh SERVER LOAD: examples/echo-server under load
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
server=$1
load=$2
limit=65536
log=$tap_work/server.log
# What AddressSanitizer keeps of freed memory isn't the server's.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1"

start() {
    : >"$log" # nothing of an earlier one
    "$server" 0 "$limit" >"$log" 2>&1 &
    pid=$!
    tap_await grep -q '^listening on port .' "$log"
    port=$(sed -n 's/^listening on port //p' "$log")
    [ -n "$port" ] && return
    cat "$log"
    return 1
}

ends_with_nothing_left() {
    kill -TERM "$pid"
    wait "$pid"
    status=$?
    cat "$log"
    [ "$status" -eq 0 ] && grep -q '^[1-9][0-9]* connections, [0-9]* requests' "$log"
}

are_connected() {
    connected=$(find "/proc/$pid/fd" -lname 'socket:*' | wc -l)
    [ "$connected" -gt 50 ]
}

# Clients are connected when it ends.
ends_in_the_middle() {
    start || return
    "$load" "$port" "$pid" "$limit" 1 1000000 7 >"$tap_work/load.log" 2>&1 &
    loader=$!
    tap_await are_connected
    ends_with_nothing_left
    ended=$?
    wait "$loader"
    [ "$ended" -eq 0 ] && [ "$connected" -gt 50 ]
}

helps() {
    "$server" --help >"$log" 2>"$tap_work/errors" && grep -q '^Usage: echo-server' "$log" && ! [ -s "$tap_work/errors" ]
}

# One that isn't refused would listen for ever.
is_refused() { # ARGUMENTS...
    timeout 60 "$server" "$@" >"$log" 2>"$tap_work/errors"
    status=$?
    echo "$*: status $status, expected 2"
    [ "$status" -eq 2 ] && grep -q '^Usage: echo-server' "$tap_work/errors" && ! [ -s "$log" ]
}

are_refused() {
    for port in abc 99999 65536 -1 70000x 80x '' ' 1' 99999999999999999999 --halp; do
        is_refused "$port" || return
    done
    for bytes in abc -1 0 1x ''; do
        is_refused 0 "$bytes" || return
    done
    is_refused 0 65536 1
}

tap_check 'it tells how it is used' helps
tap_check 'what is no port, or no limit, is told' are_refused
tap_check 'it starts' start
tap_check 'clients get back what they send, and memory stays flat' \
    "$load" "$port" "$pid" "$limit" 4 1000 1
tap_check 'at its end nothing is left' ends_with_nothing_left
tap_check 'it can end with clients connected' ends_in_the_middle
tap_end
