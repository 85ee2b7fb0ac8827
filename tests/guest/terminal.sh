#!/bin/sh
# tests/guest/terminal.sh QUIRE: what a program has of who started it: terminal, signals, streams, folder
#
# Where it can be had, the same command on this host says what is right.
# shellcheck disable=SC2016 # what is quoted is for other shells
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
[ -x /bin/busybox ] || { tap_skip 'a terminal' 'there is no busybox' && tap_end; }
case $quire in
/*) ;;
*) quire=$PWD/$quire ;;
esac
work=$tap_scratch
cd "$work" || exit 2

# ---- streams, signals, folders --------------------------------------------------------------------

# COMMAND in a shell here, where $boot is a program before others that runs them in a machine, and
# where it is nothing: both say the same, and end so.
alike() { # COMMAND
    boot='' sh -c "$1" >here 2>&1
    echo "status $?" >>here
    boot="$quire boot --timeout=400 --cwd=$work --add=$work/say --" sh -c "$1" >there 2>&1
    echo "status $?" >>there
    diff here there
}
cat >say <<'END'
#!/bin/sh
echo "$0 $*"
END
chmod +x say
tap_check 'a script has the name that was typed' alike '$boot ./say 1 2'
tap_check '... or its path' alike '$boot "$PWD/say"'
tap_check 'a closed input' alike '$boot busybox cat <&- 2>&1'
tap_check 'a folder as input' alike '$boot busybox cat </ 2>&1'
tap_check 'what is ignored stays so' alike "trap '' HUP USR1; \$boot busybox sh -c 'kill -HUP \$\$; kill -USR1 \$\$; echo here'"
tap_check '... and the rest ends it' alike "trap '' HUP; \$boot busybox sh -c 'kill -USR1 \$\$; echo here' 2>/dev/null"
tap_check 'devices have no position' alike \
    'for device in null zero full; do $boot busybox dd if=/dev/$device of=/dev/null bs=1 skip=3 count=0 2>/dev/null; done'
links() {
    for link in /bin /sbin /lib /lib64; do
        [ -h "$link" ] && echo "$link $(readlink "$link")"
    done >here
    "$quire" boot -- /bin/busybox sh -c \
        'for link in /bin /sbin /lib /lib64; do [ -h $link ] && echo "$link $(readlink $link)"; done' >there
    diff here there
}
tap_check 'symlinks to /usr are as they are here' links
dots() {
    [ "$("$quire" boot --cwd=/foo/../bar/./baz/ -- /bin/busybox pwd)" = /bar/baz ]
}
tap_check '--cwd with dots' dots

# Stops itself, and says so when it goes on.
goes_on() {
    rm -f told
    "$quire" boot --timeout=400 -- /bin/busybox sh -c 'kill -STOP $$; echo on' >output 2>told &
    tap_await grep -q . told
    cat told
    [ ! -s output ] && grep -q "signal 19 has stopped the program; kill -CONT $! lets it go on" told || return
    kill -CONT $!
    wait $! && [ "$(cat output)" = on ] && [ "$(wc -l <told)" -eq 1 ]
}
tap_check 'a program that stops itself is told of, and goes on' goes_on

# ---- when it can't go on --------------------------------------------------------------------------

qemu=$(command -v qemu-system-x86_64)
mkfifo monitor.in monitor.out
cat >pausing <<END
#!/bin/sh
{ sleep 2 && echo stop && sleep 2; } >"$work/monitor.in" &
cat "$work/monitor.out" >/dev/null &
exec $qemu "\$@" -chardev pipe,id=other,path=$work/monitor -mon chardev=other,mode=readline
END
chmod +x pausing
paused() { # STATUS ARGUMENTS...
    wanted=$1
    shift
    "$quire" boot --qemu="$work/pausing" --timeout=400 "$@" >output 2>&1
    got=$?
    cat output
    echo "exit status $got, expected $wanted"
    [ "$got" -eq "$wanted" ] && grep -q "has paused the machine, which can't go on" output
}
tap_check 'a machine that QEMU pauses is at its end' paused 125 -- sleep 100000
tap_check '... without a program, too' paused 5 --append=crash=hang

# ---- a terminal -----------------------------------------------------------------------------------

if ! command -v script >/dev/null || ! command -v stty >/dev/null; then
    tap_skip 'a terminal' 'there is no script(1) to make one'
    tap_end
fi
# A shell on a terminal of its own, to which KEYS-PRINTER types; what is seen is in `seen`.
on_terminal() { # KEYS-PRINTER
    : >seen
    # shellcheck disable=SC2094 # it waits for what is written
    { tap_await test -s seen && $1; } | TERM=vt100 timeout 400 script -qec 'sh -i' /dev/null >seen 2>&1
    tr -d '\r' <seen >output
    cat output
}
# Until this is seen, as a line; not for ever.
is_seen() { # LINE
    tr -d '\r' <seen | grep -qxF -- "$1"
}
await() { # LINE
    tap_await is_seen "$1"
}
# Until keys are the machine's (-icanon), or the shell's again (icanon).
has_mode() { # MODE
    stty -a -F "$(grep -o '^/dev/[a-z0-9/]*' seen | head -n 1)" | grep -q -e " $1"
}
size_keys() {
    echo 'stty rows 33 cols 99'
    echo "'$quire' boot -- /bin/busybox sh -c 'stty size; trap \"stty size; exit\" WINCH; echo ready; while :; do sleep 1; done'"
    await ready
    stty rows 44 cols 77 <"/dev/$(ps -o tty= -p "$(pgrep -n -f "^$quire boot -- /bin/busybox sh")" | tr -d ' ')"
    await '44 77'
    echo exit
}
has_size() {
    on_terminal size_keys && grep -q '33 99$' output && grep -q '^44 77$' output
}
stop_keys() {
    echo "tty; '$quire' boot -- /bin/busybox sh -c 'echo ready; exec cat'"
    await ready
    tap_await has_mode -icanon
    printf '\032'
    tap_await grep -q Stopped seen
    tap_await has_mode icanon
    echo 'echo status $?; fg'
    tap_await has_mode -icanon
    echo typed
    await typed
    printf '\003'
    tap_await has_mode icanon
    echo 'echo status $?'
    await 'status 130'
    echo exit
}
stops() {
    on_terminal stop_keys && grep -q Stopped output && [ "$(grep -c 'typed$' output)" -eq 2 ] &&
        grep -qx 'status 130' output
}
tap_check 'the window has its size, and a new one' has_size
tap_check '^Z stops us with the program, and fg lets both go on' stops
tap_end
