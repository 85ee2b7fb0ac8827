#!/bin/sh
# tests/guest/debian.sh QUIRE [PATTERN]: programs of Debian in the machine do what they do here
#
# Each runs here and there with the same environment, in the same folder, with the same input; output,
# errors and exit status have to be the same. PATTERN: only those whose name it matches.
# shellcheck disable=SC2016 # programs in other languages
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
pattern=${2:-}
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
work=$tap_scratch
input=/dev/null
status=any

guest_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Runs `OPTIONS... -- PROGRAM ARGUMENTS...` there, and `PROGRAM ARGUMENTS...` here.
both() {
    # shellcheck disable=SC2086 # several options
    "$quire" boot --timeout=400 ${QUIRE_BOOT_OPTIONS:-} "$@" <"$input" >"$work/there" 2>"$work/there.errors"
    there=$?
    while [ "$1" != -- ]; do
        shift
    done
    shift
    (cd / && exec env -i PATH="$guest_path" HOME=/root TERM=dumb LANG=C "$@") \
        <"$input" >"$work/here" 2>"$work/here.errors"
    here=$?
}

same() { # OPTIONS... -- PROGRAM ARGUMENTS...
    both "$@"
    head -c 2000 "$work/there.errors"
    diff "$work/here" "$work/there" && diff "$work/here.errors" "$work/there.errors" &&
        echo "exit status $there, here $here, expected $status" && [ "$here" -eq "$there" ] &&
        { [ "$status" = any ] || [ "$there" -eq "$status" ]; }
}

# A case: skipped when the program isn't there.
try() { # NAME PROGRAM COMMAND...
    name=$1
    program=$2
    shift 2
    case $name in
    *$pattern*) ;;
    *) return ;;
    esac
    if command -v "$program" >/dev/null; then
        tap_check "$name" "$@"
    else
        tap_skip "$name" "there is no $program"
    fi
    input=/dev/null
    status=any
}

# ---- small ones -----------------------------------------------------------------------------------

status=0
try 'true' true same -- /bin/true
status=1
try 'false' false same -- /bin/false
try 'echo' echo same -- /bin/echo a 'b  c' ''
try 'output without a newline at its end' printf same -- /usr/bin/printf 'abc'
status=2
try 'errors, and status 2' ls same -- /bin/ls /no/such/file

awk 'BEGIN { for (i = 0; i < 20000; i++) print (i * 7919) % 20011, "line", i }' >"$work/lines"
input=$work/lines
try 'cat' cat same -- /bin/cat
head -c 200000 /dev/urandom >"$work/random"
input=$work/random
try 'cat of any bytes' cat same -- /bin/cat
input=$work/lines
try 'sort of its input' sort same -- /usr/bin/sort
try 'sort of a file, by numbers' sort same --add="$work/lines" -- /usr/bin/sort -n "$work/lines"
input=$work/lines
try 'sha256sum' sha256sum same -- /usr/bin/sha256sum

# ---- both classes, both C libraries ---------------------------------------------------------------

cat >"$work/small.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char *text = malloc(1000000);
    snprintf(text, 1000000, "%zu %d %s", sizeof(void *), argc, argv[argc - 1]);
    puts(text);
    return 5;
}
END
small() { # COMPILER FLAGS...
    "$@" "$work/small.c" -o "$work/small" && same -- "$work/small" a 'b c'
}
cross=/usr/i686-linux-gnu/lib
status=5
try 'static' gcc small gcc -static
status=5
try 'static-pie' gcc small gcc -static-pie
status=5
try 'musl' musl-gcc small musl-gcc
status=5
try 'musl, static' musl-gcc small musl-gcc -static
runs_32_bits() {
    [ -e $cross/crt1.o ] && i686-linux-gnu-gcc -static "$work/small.c" -o "$work/small" || return
    "$work/small" >/dev/null 2>&1
    [ $? -eq 5 ]
}
if runs_32_bits; then
    status=5
    try '32 bits, static' i686-linux-gnu-gcc small i686-linux-gnu-gcc -static
    status=5
    try '32 bits' i686-linux-gnu-gcc small i686-linux-gnu-gcc -Wl,--dynamic-linker=$cross/ld-linux.so.2 \
        -Wl,-rpath,$cross
else
    tap_skip '32 bits' 'there is no i686-linux-gnu-gcc with libraries, or this Linux runs no such programs'
fi

# ---- shells ---------------------------------------------------------------------------------------

cat >"$work/script" <<'END'
set -u
folder=$1
i=0
while [ $i -lt 20 ]; do
    echo "line $((i * i % 7)) of $i"
    i=$((i + 1))
done | sort | uniq -c | sort -rn | head -n 5
(exit 4) || echo "status $?"
sleep 1 &
wait $!
echo "waited: $?"
mkdir "$folder"
for word in one two three; do
    echo "$word" >"$folder/$word"
done
find "$folder" | sort
cat "$folder"/t* | gzip | gunzip | tr a-z A-Z
awk 'BEGIN { for (i = 1; i <= 10; i++) s += i * i; print s }'
rm -r "$folder"
trap 'echo trapped' TERM
kill -TERM $$
exit 9
END
status=9
try 'busybox: a script with pipes, loops and jobs' busybox same --add="$work/script" -- \
    /bin/busybox sh "$work/script" "$work/folder"
status=42
try 'dash' dash same -- /bin/dash -c 'x=$(echo a | (read y; echo "$y$y")); echo "$x"; exit 42'
status=0
try 'bash: the output of a command as a file' bash same --add=/usr/bin/cat --add=/usr/bin/sleep -- /bin/bash -c \
    'cat <(echo one) <(echo two; sleep 0.1; echo three) <(:); read -r x < <(echo four); echo "$x"; echo five > >(cat); wait'
status=143
try 'a program that a signal kills' dash same -- /bin/dash -c 'kill -TERM $$'

# ---- languages ------------------------------------------------------------------------------------

input=$work/lines
try 'gawk' gawk same -- /usr/bin/gawk '{ n[$1 % 10] += $3 } END { for (i = 0; i < 10; i++) print i, n[i] }'
try 'lua' lua5.4 same -- /usr/bin/lua5.4 -e \
    'local t = {} for i = 1, 200000 do t[i % 1000] = {i, tostring(i)} end print(#t, t[7][2], collectgarbage("count") > 0)'
try 'perl' perl same -- /usr/bin/perl -e \
    'my %h; $h{$_ % 997} .= chr(65 + $_ % 26) for 1 .. 100000; print join(",", map { length $h{$_} } sort { $a <=> $b } keys %h), "\n"; exit 6'
try 'sqlite3 in memory' sqlite3 same -- /usr/bin/sqlite3 :memory: \
    'create table t(a, b); with recursive c(x) as (select 1 union all select x + 1 from c where x < 5000) insert into t select x, hex(x * x) from c; select count(*), sum(a), max(b) from t;'
on_a_file() {
    rm -rf "$work/files"
    mkdir "$work/files"
    same --add="$work/files" -- /usr/bin/sqlite3 "$work/files/test.db" "$1"
}
try 'sqlite3 on a file that is mapped' sqlite3 on_a_file \
    'pragma mmap_size = 10000000; create table t(a, b); begin; with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000) insert into t select x, hex(x) from c; commit; create index i on t(b); select count(*) from t where b > 3; pragma integrity_check;'
version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
try 'python3: a million objects' /usr/bin/python3 same --mem=512M --add="/usr/lib/python$version/encodings" \
    --add="/usr/lib/python$version/site.py" --add="/usr/lib/python$version/os.py" \
    --add="/usr/lib/python$version/lib-dynload" -- /usr/bin/python3 -S -E -c \
    'print(sum(len([object() for _ in range(10000)]) for _ in range(100)))'

cat >"$work/processes.py" <<'END'
import multiprocessing
from multiprocessing import shared_memory
def square(x):
    return x * x
def tell(queue, lock, shared):
    with lock:
        shared.buf[0] += 1
    queue.put("child")
multiprocessing.set_start_method("fork")
queue, lock = multiprocessing.Queue(), multiprocessing.Lock()
shared = shared_memory.SharedMemory(create=True, size=10000)
processes = [multiprocessing.Process(target=tell, args=(queue, lock, shared)) for _ in range(4)]
for process in processes:
    process.start()
print([queue.get() for _ in processes])
for process in processes:
    process.join()
print(shared.buf[0], [process.exitcode for process in processes])
shared.close()
shared.unlink()
with multiprocessing.Pool(3) as pool:
    print(sum(pool.map(square, range(1000))))
END
status=0
try 'python3: processes with queues, locks and a pool' /usr/bin/python3 same --add="/usr/lib/python$version" \
    --add="$work/processes.py" -- /usr/bin/python3 "$work/processes.py"

cat >"$work/events.py" <<'END'
import asyncio
import multiprocessing
import os
import signal
async def tick(list):
    for i in range(3):
        await asyncio.sleep(0.01)
        list.append(i)
async def answer(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()
async def main():
    ticks = []
    await asyncio.gather(tick(ticks), tick(ticks))
    print(sorted(ticks))
    name = "\0quire-%d" % os.getpid()
    server = await asyncio.start_unix_server(answer, path=name)
    reader, writer = await asyncio.open_unix_connection(name)
    writer.write(b"a question\n")
    print(await reader.readline())
    writer.close()
    server.close()
    loop = asyncio.get_running_loop()
    came = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR1, lambda: came.set_result("signal"))
    os.kill(os.getpid(), signal.SIGUSR1)
    print(await came, await loop.run_in_executor(None, lambda: 42))
    echo = await asyncio.create_subprocess_exec("/bin/echo", "echoed", stdout=asyncio.subprocess.PIPE)
    print(await echo.communicate(), echo.returncode)
asyncio.run(main())
with multiprocessing.Manager() as manager:
    shared = manager.dict()
    shared[1] = 2
    print(dict(shared))
END
status=0
try 'python3: asyncio, and a manager of processes' /usr/bin/python3 same --add="/usr/lib/python$version" \
    --add="$work/events.py" --add=/bin/echo -- /usr/bin/python3 "$work/events.py"
perl_base=$(perl -MSocket -e 'my $path = $INC{"Socket.pm"}; $path =~ s|/Socket.pm||; print $path' 2>/dev/null)
try 'perl: a pair of sockets' perl same --add="$perl_base" -- /usr/bin/perl -e \
    'use Socket; socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die $!;
    if (!fork) { close $b; print $a "from a child\n"; exit } close $a; print <$b>; wait; print $?, "\n"'
status=0
try 'node' node same --mem=1G -- /usr/bin/node -e \
    'console.log([1, 2, 3].map(x => x * x)); setTimeout(() => console.log("later"), 20)'

# ---- compression and compilation ------------------------------------------------------------------

input=$work/lines
try 'xz -9' xz same --mem=1G -- /usr/bin/xz -9 -c

# The driver starts the compiler and the assembler; what comes of it is compared by its sum.
compiles() {
    printf '#include <stddef.h>\nint f(int n) { int s = 0; for (int i = 0; i < n; i++) s += i * i; return s; }\n' \
        >"$work/unit.c"
    rm -rf "$work/objects"
    mkdir "$work/objects"
    same --mem=512M --add="$(gcc -print-prog-name=cc1)" --add="$(command -v as)" --add="$(command -v gcc)" \
        --add="$(command -v sha256sum)" --add="$(dirname "$(gcc -print-libgcc-file-name)")/include" \
        --add="$(gcc -print-file-name=liblto_plugin.so)" --add="$work/unit.c" --add="$work/objects" -- \
        /bin/sh -c "gcc -O2 -c -o $work/objects/unit.o $work/unit.c && sha256sum $work/objects/unit.o"
}
status=0
try 'gcc: driver, compiler and assembler' gcc compiles

# ---- of the machine itself ------------------------------------------------------------------------

shows() { # PATTERN OPTIONS... -- PROGRAM ARGUMENTS...
    wanted=$1
    shift
    "$quire" boot --timeout=400 "$@" >"$work/there" 2>&1 </dev/null
    there=$?
    cat "$work/there"
    echo "exit status $there, expected 0; looking for: $wanted"
    [ "$there" -eq 0 ] && grep -Eq -- "$wanted" "$work/there"
}
if [ -z "${QUIRE_BOOT_OPTIONS:-}" ]; then
    try 'the memory that there is' cat shows '^MemTotal: +1[0-3][0-9]{4} kB' --mem=128M -- /bin/cat /proc/meminfo
    try 'ps knows faults' ps shows '^ *[0-9]+ +[1-9][0-9]* ps$' -- /bin/ps -o majflt,minflt,comm -C ps
    try 'files are in use of their file system' df shows '^tmpfs +[0-9]+ +10240 +[0-9]+ +[0-9]+% /dev/shm$' \
        --add=/bin/df --add=/bin/busybox --mem=128M -- /bin/dash -c \
        'i=0; while [ $i -lt 1024 ]; do echo "$i: 10 KiB"; i=$((i + 1)); done | /bin/busybox awk "{ printf \"%10240s\", \$0 }" >/dev/shm/file; df -k /dev/shm'
    try 'ps' ps shows '^root +4 .* [0-9]:[0-9]{2} /bin/ps aux$' -- /bin/ps aux
    try 'top' top shows '^ +4 root .* top$' -- /usr/bin/top -b -n1
    try 'free' free shows '^Mem: +[1-9][0-9]+ ' -- /usr/bin/free
    try 'vmstat' vmstat shows '^( +[0-9]+){17}$' -- /usr/bin/vmstat
    try 'root has a name' id shows '^uid=0\(root\) gid=0\(root\)' -- /usr/bin/id
    try 'the shell' busybox shows '^MemFree: ' --shell -- -c 'cat /proc/meminfo; ls /'
fi
tap_end
