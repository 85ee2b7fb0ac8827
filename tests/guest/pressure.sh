#!/bin/sh
# tests/guest/pressure.sh QUIRE PRESSURE: programs of Debian, with threads and without, whose memory is short
#
# Output and status have to be what they are on this host. PRESSURE (bench/machine/pressure.c) locks what
# memory there is but for so much, so that machines are small whose RAM disk isn't.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
pressure=$2
work=$tap_scratch
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }

try() { # PROGRAM NAME COMMAND...
    program=$1
    name=$2
    shift 2
    if command -v "$program" >/dev/null; then
        tap_check "$name" "$@"
    else
        tap_skip "$name" "there is no $program"
    fi
}
awk 'BEGIN { for (i = 0; i < 262144; i++) { x = (i * 7919 + 13) % 1048576
    printf "%010d %s\n", x, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz" } }' >"$work/lines"

# ---- no swap --------------------------------------------------------------------------------------

# The script goes on, and so does the machine.
# shellcheck disable=SC2016 # for the shell inside
no_swap() {
    "$quire" boot --mem=16M --timeout=400 --append=check -v --add=/usr/bin/sort -- /bin/busybox sh -c \
        '/usr/bin/sort -S 400M; echo "status $?"; echo a word | /bin/busybox cat' \
        <"$work/lines" >"$work/said" 2>"$work/log"
    got=$?
    cat "$work/said" && tail -n 20 "$work/log"
    [ "$got" -eq 0 ] && [ "$(cat "$work/said")" = "status 137
a word" ] && grep -q '^Out of memory: Kill.*(sort)' "$work/log"
}
try /bin/busybox 'sort of more than there is, without swap: it is killed, the machine goes on' no_swap
killed() {
    "$quire" boot --mem=16M --timeout=400 -- /usr/bin/sort -S 400M <"$work/lines" >"$work/said" 2>"$work/log"
    got=$?
    cat "$work/log"
    [ "$got" -eq 137 ] && ! [ -s "$work/said" ] && grep -q "memory ran out, so sort .* was killed" "$work/log"
}
try sort '... and alone, exit status 137' killed

# ---- threads --------------------------------------------------------------------------------------

same() { # OPTIONS... -- PROGRAM...
    "$quire" boot --timeout=400 --append=check "$@" <"$input" >"$work/there" 2>"$work/log"
    there=$?
    while [ "$1" != -- ]; do
        shift
    done
    shift
    "$@" <"$input" >"$work/here" 2>/dev/null
    here=$?
    cat "$work/log"
    echo "exit status $there, here $here"
    [ "$there" -eq "$here" ] && cmp "$work/here" "$work/there"
}
input=$work/lines
export LC_ALL=C
try sort 'sort --parallel=2' same --mem=16M --swap=128M -- /usr/bin/sort --parallel=2 -S 400M
head -c 3000000 "$work/lines" >"$work/few"
input=$work/few
try xz 'xz -T2' same --mem=24M --swap=256M -- /usr/bin/xz -T2 --block-size=1000000 -6 -c
cat >"$work/threads.py" <<'END'
import _thread
lock, done, found = _thread.allocate_lock(), [], {}
def fill(number):
    mine = {}
    for i in range(40000):
        mine[i * 7919 % 40000] = "%d of %d" % (i, number)
    with lock:
        found[number] = sum(len(mine[i]) for i in range(40000))
        done.append(number)
for number in range(4):
    _thread.start_new_thread(fill, (number,))
while True:
    with lock:
        if len(done) == 4:
            break
print(sorted(found.items()))
END
input=/dev/null
version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
library=/usr/lib/python$version
try /usr/bin/python3 'python3: four threads' same --mem=32M --swap=128M --add="$library/encodings" \
    --add="$library/codecs.py" --add="$library/io.py" --add="$library/abc.py" --add="$work/threads.py" -- \
    /usr/bin/python3 -I -S "$work/threads.py"

# ---- half of the footprint ------------------------------------------------------------------------

head -c 1000000 "$work/lines" >"$work/few"
input=$work/few
try xz 'xz -9 with half of its memory' same --mem=12M --swap=768M -- /usr/bin/xz -9 -T1 -c
awk 'BEGIN { for (f = 0; f < 6; f++) {
    printf "int f%d(int *a, int n)\n{\n    int s = %d;\n    for (int i = 0; i < n; i++) {\n", f, f
    for (k = 0; k < 3; k++)
        printf "        s += a[(i * %d + %d) & 15] ^ (s >> %d);\n        if (s & %d) a[i] = s + %d;\n", \
            k + f % 7 + 1, k, k % 5 + 1, 1 + k, f + k + 3
    print "    }\n    return s;\n}" } }' >"$work/large.c"
compiles() {
    cc1=$(gcc -print-prog-name=cc1)
    options="-quiet -fpreprocessed -O2 $work/large.c"
    # shellcheck disable=SC2086 # several options
    "$quire" boot --mem=128M --swap=256M --timeout=400 --append=check --add="$cc1" --add="$work/large.c" --add=/bin/busybox -- \
        "$pressure" --leave=18000 /bin/busybox sh -c "$cc1 $options -o /tmp/s && cat /tmp/s >&2" \
        >"$work/said" 2>"$work/there"
    there=$?
    cat "$work/said"
    # shellcheck disable=SC2086
    "$cc1" $options -o "$work/here" && [ "$there" -eq 0 ] && cmp "$work/here" "$work/there" &&
        grep -Eq '^majflt [1-9][0-9]' "$work/said"
}
if [ -x "$pressure" ]; then
    try gcc 'gcc -O2 with half of its memory' compiles
else
    tap_skip 'gcc -O2 with half of its memory' 'no compiler or libraries for it'
fi
tap_end
