#!/bin/sh
# tests/preload/programs.sh [--programs=FOLDER] [--filter=TEXT] SO
#
# Real programs with SO preloaded say and write what they do without: each runs twice in a folder of its
# own, and output, errors, exit status and files have to be the same. SO: a path, a name that the dynamic
# linker finds, or `glibc` for none. FOLDER, the programs of other tests here, isn't needed. Prints TAP.
# shellcheck disable=SC2016 # programs in other languages
set -u
filter=
while :; do
    case ${1:-} in
    --programs=*) ;;
    --filter=*) filter=${1#*=} ;;
    -*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    *) break ;;
    esac
    shift
done
library=${1:-glibc}
case $library in
*/*) library=$(cd "$(dirname "$library")" && pwd)/$(basename "$library") ;;
esac
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
work=$tap_scratch
sources=$PWD

# A program that says whether the library is there: ld.so goes on without one that it doesn't find.
is_loaded() {
    [ "$library" = glibc ] ||
        LD_PRELOAD=$library grep -q "$(basename "$library")" /proc/self/maps
}

# Each in a folder of its own, by the same name, so that paths that are told are the same.
run_in() { # FOLDER PRELOAD COMMAND...
    rm -rf "$work/here"
    mkdir "$work/here"
    folder=$1
    preload=$2
    shift 2
    (
        cd "$work/here" || exit 125
        [ -z "$preload" ] || { LD_PRELOAD=$preload && export LD_PRELOAD; }
        LC_ALL=C PYTHONMALLOC=malloc PYTHONHASHSEED=0 PERL_HASH_SEED=0 timeout 400 "$@" </dev/null
    ) >"$work/$folder.out" 2>"$work/$folder.err"
    echo "$?" >"$work/$folder.status"
    rm -rf "${work:?}/$folder.files"
    mv "$work/here" "$work/$folder.files"
}

same() { # COMMAND...
    preload=
    [ "$library" = glibc ] || preload=$library
    run_in plain '' "$@"
    run_in preloaded "$preload" "$@"
    head -c 1000 "$work/preloaded.err"
    for what in out err status; do
        cmp "$work/plain.$what" "$work/preloaded.$what" || return 1
    done
    diff -r "$work/plain.files" "$work/preloaded.files" || return 1
    echo "exit status $(cat "$work/plain.status"), expected 0"
    [ "$(cat "$work/plain.status")" -eq 0 ] && [ -s "$work/plain.out" ]
}

# A case: skipped when the program isn't there.
try() { # NAME PROGRAM COMMAND...
    case $1 in
    *"$filter"*) ;;
    *) return ;;
    esac
    if command -v "$2" >/dev/null; then
        name=$1
        shift 2
        tap_check "$name" same "$@"
    else
        tap_skip "$1" "there is no $2"
    fi
}

tap_check 'the library is preloaded' is_loaded

awk 'BEGIN { srand(1); for (i = 0; i < 200000; i++) print int(rand() * 1e9), i, i % 97, "text of line " i }' >"$work/lines"

# ---- small ones -----------------------------------------------------------------------------------

try 'sort, by two threads' sort sort --parallel=2 -S 8M -k1,1n "$work/lines"
try 'find' find sh -c "find '$sources/src' '$sources/include' -type f | sort"
try 'grep with back references' grep grep -rEc '(.)\1\1' "$sources/src"
try 'sed' sed sed -n 's/\([0-9]*\) \([0-9]*\)/\2 \1/p' "$work/lines"
try 'gawk with 200,000 keys' gawk gawk '{ n[$1] = n[$1 % 5000] $3 } END { for (k in n) s += length(n[k]); print s, length(n) }' "$work/lines"
try 'diff' diff sh -c "sort -k3 '$work/lines' >b; diff '$work/lines' b | tail -n 5"
try 'tar and gzip' tar sh -c "tar --sort=name -C '$sources' -cf - src include | gzip -9n | sha256sum"
try 'xz, two threads' xz sh -c "xz -3 -T2 --block-size=1MiB -c '$work/lines' | sha256sum"
try 'a shell with functions and arrays' bash bash -c 'for i in {1..20000}; do a[i]=$((i * i)); done; f() { local x=$1; echo "${a[x]}"; }; s=0; for i in {1..3000}; do s=$((s + $(f 7 | wc -c))); ((i % 300)) || echo $s; [ $i -lt 300 ] || break; done; echo ${#a[@]}'
try 'dc and pipes' sh sh -c 'i=0; while [ $i -lt 200 ]; do echo $i | cat | tr 0-9 a-j; i=$((i + 1)); done'

# ---- languages ------------------------------------------------------------------------------------

try 'lua: tables and strings' lua5.4 lua5.4 -e 'local t = {} for i = 1, 300000 do t[i % 5000] = {i, tostring(i):rep(i % 9)} end
    local s = 0 for k, v in pairs(t) do s = s + #v[2] end print(s) collectgarbage() print(#table.concat({("x"):rep(1000000), "y"}))'
try 'perl: hashes, sort, regular expressions' perl perl -e 'my %h; $h{$_ % 9973} .= chr(65 + $_ % 26) for 1 .. 400000;
    my $s = join ",", map { "$_=" . length $h{$_} } sort { $a <=> $b } keys %h; $s =~ s/(\d)(\d)/$2$1/g; print length $s, "\n"; print substr($s, 0, 500), "\n"'
try 'perl: processes' perl perl -e '$| = 1; for my $i (1 .. 50) { my @a = (1 .. 5000); my $p = fork; if (!$p) { @a = map { "x$_" } @a; exit(@a == 5000 ? 0 : 1) } waitpid $p, 0; print "$i $?\n" }'
try 'sqlite3: in memory' sqlite3 sqlite3 :memory: 'create table t(a integer primary key, b text, c); with recursive n(x) as (select 1 union all select x + 1 from n where x < 60000) insert into t select x, hex(x * 7919 % 104729), x % 101 from n; create index i on t(b); select c, count(*), sum(length(b)) from t group by c order by c limit 5; select count(*) from t a join t b on a.b = b.b; delete from t where c < 50; vacuum; select count(*) from t; pragma integrity_check;'
try 'sqlite3: a file' sqlite3 sqlite3 test.db 'pragma journal_mode = wal; create table t(a, b); begin; with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000) insert into t select x, hex(x * 7) from n; commit; select count(*), max(b) from t; pragma wal_checkpoint(truncate); pragma journal_mode = delete;'
try 'python3: objects, JSON, regular expressions' python3 python3 -c 'import json, re, collections
d = {str(i): [i, {"k": "v" * (i % 50)}] for i in range(50000)}
s = json.dumps(d); e = json.loads(s); print(len(s), e == d)
c = collections.Counter(re.findall(r"[a-z]+|\d+", s)); print(c.most_common(3))
print(sum(len(x) for x in sorted(s.split(","))[:1000]))'
try 'python3: threads' python3 python3 -c 'import threading
r = [0] * 8
def work(n):
    for i in range(200): r[n] += len([bytearray(j) for j in range(i)])
t = [threading.Thread(target=work, args=(n,)) for n in range(8)]
[x.start() for x in t]; [x.join() for x in t]; print(r)'
try 'python3: processes that fork' python3 python3 -c 'import multiprocessing as m
def f(n): return sum(len(str(i)) for i in range(n * 1000))
if __name__ == "__main__":
    with m.get_context("fork").Pool(4) as p: print(p.map(f, range(50)))'
try 'python3: libraries by ctypes, large numbers' python3 python3 -c 'import ctypes, ctypes.util, decimal, zlib, hashlib
c = ctypes.CDLL(None); c.strdup.restype = ctypes.c_void_p; p = c.strdup(b"text"); print(ctypes.string_at(p)); c.free(ctypes.c_void_p(p))
print(hashlib.sha256(str(3 ** 50000 % 10 ** 4000).encode()).hexdigest(), zlib.crc32(bytes(range(256)) * 1000)); decimal.getcontext().prec = 500; print(decimal.Decimal(2).sqrt())'

# ---- compilers ------------------------------------------------------------------------------------

awk 'BEGIN { print "#include <stdint.h>"; for (i = 0; i < 400; i++) printf "uint64_t f%d(uint64_t a, const uint32_t *p, int n) { for (int i = 0; i < n; i++) { a ^= p[i] * %dull; a = a << %d | a >> %d; if (a %% %d == 3) a += f%d(a, p, n / 2); } return a; }\n", i, i * 7919 + 1, i % 60 + 1, 63 - i % 60, i + 5, i ? i - 1 : 0 }' >"$work/unit.c"
printf '#include <map>\n#include <string>\n#include <vector>\n#include <regex>\n#include <iostream>\nint main() { std::map<std::string, std::vector<int>> m; for (int i = 0; i < 100000; i++) m[std::to_string(i %% 977)].push_back(i); std::regex r("[0-9]+7"); int n = 0; for (auto &e : m) n += std::regex_match(e.first, r) ? int(e.second.size()) : 0; std::cout << n << std::endl; }\n' >"$work/unit.cc"
try 'gcc -O2' gcc sh -c "cp '$work/unit.c' . && gcc -std=gnu11 -O2 -c unit.c -o unit.o && sha256sum unit.o"
try 'clang -O2' clang sh -c "cp '$work/unit.c' . && clang -std=gnu11 -O2 -w -c unit.c -o unit.o && sha256sum unit.o"
try 'g++ -O1, linked and run' g++ sh -c "cp '$work/unit.cc' . && g++ -std=c++17 -O1 unit.cc -o unit && ./unit && sha256sum unit"
try 'ninja and cmake' ninja sh -c "ninja --version && cmake -E sha256sum '$work/unit.c'"
try 'objdump and readelf' objdump sh -c 'objdump -d /bin/sh | sha256sum; readelf -aW /bin/sh | sha256sum'
try 'git' git sh -c "git init -q . && cp -r '$sources/src' . && git add -A && git -c user.name=t -c user.email=t@t commit -qm t --date=@0 && git ls-tree -r HEAD | sha256sum && git grep -c quire_ | tail -n 3; rm -rf .git"
tap_end
