#!/bin/sh
# bench/heap/workloads/nginx.sh: one process of nginx under ab: a static file, one that is compressed, one by way of a proxy
#
# Files, sockets and logs are in the current folder; what it is a proxy of is itself.
set -eu
awk 'BEGIN { for (i = 0; i < 400; i++) print "line", i, i * 7919 % 1000, "of a text" }' >text.txt

configure() { # PORT
    cat >nginx.conf <<END
daemon off;
master_process off;
pid pid;
error_log log;
events { worker_connections 256; }
http {
    access_log off;
    default_type text/plain;
    keepalive_requests 1000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {
        listen 127.0.0.1:$1;
        listen unix:$PWD/socket;
        root $PWD;
        location /compressed/ { gzip on; gzip_comp_level 1; alias $PWD/; }
        location /proxy/ { proxy_pass http://unix:$PWD/socket:/; }
    }
}
END
}

# Whatever fails, no server is left, nor waited for.
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true' EXIT
trap 'exit 1' HUP INT TERM

# Somebody else may have the port.
port=$((20000 + $$ % 10000))
for _ in 1 2 3 4 5 6 7 8 9 10; do
    configure $port
    LD_PRELOAD=$HEAP_PRELOAD nginx -p "$PWD" -c nginx.conf -e log &
    server=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        if [ -s pid ] || ! kill -0 $server 2>/dev/null; then
            break
        fi
        sleep 0.1
    done
    [ -s pid ] && break
    kill -KILL $server 2>/dev/null || true
    wait $server || port=$((port + 7))
done
[ -s pid ]

ask() { # REQUESTS PATH
    ab -q -k -c 24 -n "$1" -H 'Accept-Encoding: gzip' "http://127.0.0.1:$port$2" >answers
    grep -q '^Failed requests: *0$' answers
    ! grep -q '^Non-2xx responses' answers
}
ask 60000 /text.txt
ask 20000 /compressed/text.txt
ask 20000 /proxy/text.txt

# Of the server alone.
peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/"$server"/status)
awk -v peak="$peak" -v ticks="$(getconf CLK_TCK)" '{ print ($14 + $15) / ticks, peak, $10 }' /proc/"$server"/stat >usage
kill -QUIT "$server"
wait "$server"
server=
