#!/bin/sh
# bench/heap/workloads/redis.sh: redis-server under redis-benchmark, by a socket in the current folder
#
# Debian's server is linked with jemalloc; where nothing is preloaded libc is, so that it is glibc's malloc.
# Both tools and the server come with the package redis-tools, the server by another of its names.
set -eu
# Whatever fails, no server is left.
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true' EXIT
trap 'exit 1' HUP INT TERM

ln -s "$(command -v redis-check-rdb)" redis-server
LD_PRELOAD=${HEAP_PRELOAD:-libc.so.6} ./redis-server --port 0 --unixsocket ./socket --save '' \
    --appendonly no --maxmemory 0 --daemonize no >log 2>&1 &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    redis-cli -s ./socket ping >pong 2>&1 && break
    sleep 0.1
done
redis-benchmark -s ./socket -q -P 16 -c 20 -n 120000 -r 50000 -d 200 -t set,get,lpush,lpop,hset,zadd >numbers
redis-benchmark -s ./socket -q -P 16 -c 20 -n 40000 -r 50000 -d 3000 -t set >>numbers
# Of the server alone.
peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/"$server"/status)
redis-cli -s ./socket info cpu | tr -d '\r' |
    awk -F: -v peak="$peak" '/^used_cpu_(sys|user):/ { s += $2 } END { print s, peak }' >usage
redis-cli -s ./socket flushall >>numbers
redis-cli -s ./socket shutdown nosave >>numbers 2>&1 || true
wait "$server"
server=
