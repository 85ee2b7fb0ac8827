#!/bin/sh
# tests/guest/trouble.sh QUIRE: what goes wrong in the machine is told, in one line, and ends as it should
#
# What has no like on the host: memory that ends, requests that the machine can't fulfil.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
command -v gcc >/dev/null || { tap_skip 'trouble' 'there is no gcc' && tap_end; }
work=$tap_scratch

# Ends so, with this output; what is said on stderr is one line of this pattern. '': nothing.
ends() { # STATUS OUTPUT TALK-PATTERN ARGUMENTS...
    wanted=$1
    printf '%b' "$2" >"$work/expected"
    pattern=$3
    shift 3
    "$quire" boot --timeout=400 "$@" >"$work/output" 2>"$work/talk" </dev/null
    got=$?
    head -c 2000 "$work/output"
    echo "exit status $got, expected $wanted; looking for: $pattern"
    head -c 3000 "$work/talk"
    [ "$got" -eq "$wanted" ] && cmp "$work/expected" "$work/output" || return
    [ -n "$pattern" ] || { [ ! -s "$work/talk" ] && return; }
    [ "$(wc -l <"$work/talk")" -eq 1 ] && grep -Eq -- "$pattern" "$work/talk"
}

# ---- memory ends ----------------------------------------------------------------------------------

cat >"$work/hog.c" <<'END'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void take(long mib)
{
    for (; mib; mib--) {
        char *block = malloc(1 << 20);
        if (!block)
            exit(3);
        memset(block, 1, 1 << 20);
    }
}
static void *take_all(void *arg)
{
    take(-1);
    return arg;
}
static void take_all_in(long threads)
{
    pthread_t thread;
    while (--threads > 0)
        pthread_create(&thread, NULL, take_all, NULL);
    take(-1);
}
/* OTHERS processes of 2 MiB each wait, and want one more each when the one that wants all is gone. */
int main(int argc, char **argv)
{
    long others = atol(argv[1]), threads = argc > 2 ? atol(argv[2]) : 1;
    int go[2], status, killed = 0;
    if (others < 0)
        take(-1);
    pipe(go);
    for (long i = 0; i < others; i++)
        if (!fork()) {
            char byte;
            close(go[1]);
            take(2);
            read(go[0], &byte, 1);
            take(1);
            _exit(0);
        }
    pid_t hog = fork();
    if (!hog)
        take_all_in(threads);
    waitpid(hog, &status, 0);
    printf("the hog: %x\n", status);
    close(go[1]);
    while (wait(&status) > 0)
        killed += status != 0;
    printf("others: %d\n", killed);
    return 0;
}
END
gcc -w -O1 -static -pthread "$work/hog.c" -o "$work/hog" >"$tap_output" 2>&1
for others in 0 1 8 15; do
    tap_check "of one that wants all memory and $others that don't, the first is killed, alone" \
        ends 0 'the hog: 9\nothers: 0\n' \
        'memory ran out, so hog \(process [0-9]+, which had [1-9][0-9]+ KiB\) was killed. Try --mem .* 64M, or --swap$' \
        --mem=64M -- "$work/hog" $others
done
tap_check 'so it is when it has several threads' \
    ends 0 'the hog: 9\nothers: 0\n' 'so hog .* was killed\. ' --mem=64M -- "$work/hog" 3 8
tap_check 'the program itself is killed' ends 137 '' 'so hog .* was killed\. ' --mem=64M -- "$work/hog" -1

# ---- there are as many tasks as there can be ------------------------------------------------------

cat >"$work/many.c" <<'END'
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int waits(void *arg)
{
    for (;;)
        pause();
    return arg != 0;
}
int main(void)
{
    static char stack[65536] __attribute__((aligned(16)));
    int count = 0;
    /* They share memory, and even the stack: each only sleeps. */
    while (clone(waits, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL) > 0)
        count++;
    printf("%s after %s\n", strerrorname_np(errno), count > 8000 ? "many" : "few");
    printf("again: %d %s\n", fork(), strerrorname_np(errno));
    return 0;
}
END
gcc -w -O1 -static "$work/many.c" -o "$work/many" >"$tap_output" 2>&1
tap_check 'more tasks than there can be are EAGAIN' \
    ends 0 'EAGAIN after many\nagain: -1 EAGAIN\n' '' --mem=1G -- "$work/many"

# ---- requests that can't be fulfilled -------------------------------------------------------------

tap_check 'a folder to start in that only the kernel could have' ends 125 '' \
    "could not start /bin/ls: it can't start in the folder /proc/none: No such file .*--cwd" \
    --cwd=/proc/none -- /bin/ls
tap_check 'one that it has' ends 0 '/proc/1\n' '' --cwd=/proc/1 -- /bin/busybox pwd
echo text >"$work/text"
tap_check 'a program that was replaced' ends 125 '' \
    "can't execute /usr/bin/true: Permission denied .*--add" --add="$work/text:/usr/bin/true" -- /usr/bin/true
chmod +x "$work/text"
tap_check '... by what is none' ends 125 '' "can't execute /usr/bin/true: Exec format error" \
    --add="$work/text:/usr/bin/true" -- /usr/bin/true
tap_check 'a limit of time is told in one line' ends 124 '' 'stopped after 1 s' --timeout=1 -- /bin/sleep 9
tap_end
