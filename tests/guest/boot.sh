#!/bin/sh
# tests/guest/boot.sh QUIRE: the command boots machines of all sizes, and sees how they end
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
[ -x "$quire" ] || { echo "Bail out! there is no $quire" && exit 1; }
console=$tap_scratch/console

# Boots, keeps the console, and wants this exit status.
ends() { # STATUS ARGUMENTS...
    wanted=$1
    shift
    "$quire" boot --timeout=400 "$@" >"$console" 2>&1
    got=$?
    cat "$console"
    echo "exit status $got, expected $wanted"
    [ "$got" -eq "$wanted" ]
}

says() { # PATTERN
    echo "looking for: $1"
    grep -Eq -- "$1" "$console"
}

ends_and_says() { # STATUS PATTERN ARGUMENTS...
    status=$1
    pattern=$2
    shift 2
    ends "$status" "$@" && says "$pattern"
}

# The same with an output that can't be written.
complains() { # PATTERN REDIRECTED-TO ARGUMENTS...
    pattern=$1
    output=$2
    shift 2
    case $output in
    closed) "$quire" "$@" >&- 2>"$console" ;;
    *) "$quire" "$@" >"$output" 2>"$console" ;;
    esac
    got=$?
    cat "$console"
    echo "exit status $got, expected 1"
    [ "$got" -eq 1 ] && says "$pattern"
}

says_nothing_of_unknown_words() {
    ends 0 "$@" && ! says 'unknown'
}

for arch in i386 x86-64; do
    for size in 8M 64M 512M 3G 6G; do
        tap_check "$arch boots with $size" \
            ends_and_says 0 '^Node 0, zone +DMA ' --arch=$arch --mem=$size
    done
    tap_check "$arch sees two nodes and their distance" \
        ends_and_says 0 '^node 1: domain 1, distances 20 10' --arch=$arch --mem=256M --numa=2
    tap_check "$arch shows the allocator at work" \
        ends_and_says 0 'all invariants hold' --arch=$arch --mem=64M --demo
    tap_check "$arch: and small objects" says '^  task +500 '
    tap_check "$arch: of which none is lost" says 'at the end 0 objects are lost'
    tap_check "$arch shows slabinfo" ends_and_says 0 '^kmalloc-8k +0 ' --arch=$arch --mem=64M
    tap_check "$arch: the selftest ends with objects on its own memory" \
        ends_and_says 0 '^# slab: 1500 objects on the machine.s own memory, 0 lost' --arch=$arch \
        --mem=64M --selftest=list.
    tap_check "$arch: a page fault is a panic with a backtrace" \
        ends_and_says 3 ' crash\+0x' --arch=$arch --append=crash=pf
    tap_check "$arch: an invalid opcode is named" \
        ends_and_says 3 '^panic: invalid opcode' --arch=$arch --append=crash=ud
    tap_check "$arch: a broken stack ends in a double fault" \
        ends_and_says 3 '^panic: double fault' --arch=$arch --append=crash=df
    tap_check "$arch: code can't be written" \
        ends_and_says 3 '^panic: page fault: write of .* protected' --arch=$arch --append=crash=text
    tap_check "$arch: nor can constants" \
        ends_and_says 3 '^panic: page fault: write of .* protected' --arch=$arch \
        --append=crash=rodata
    tap_check "$arch: data can't be executed" \
        ends_and_says 3 '^panic: page fault: execution of .* protected' --arch=$arch --append=crash=nx
    tap_check "$arch: a task's stack has a guard page" \
        ends_and_says 3 '^panic: double fault' --arch=$arch --append=crash=stack
    tap_check "$arch: and a backtrace to its beginning" says '^  [^ ]+ overflow_main\+0x'
    tap_check "$arch: so has the idle task's" \
        ends_and_says 3 '^panic: double fault' --arch=$arch --append=crash=idle
    tap_check "$arch: ... with a backtrace to where it began" says '^  [^ ]+ (sched_run_idle|overflow_main)\+0x'
    tap_check "$arch: a panic shows the memory" \
        ends_and_says 3 '^Node 0, zone +DMA ' --arch=$arch --append=crash=panic
    tap_check "$arch: a lock that is taken twice is a panic" \
        ends_and_says 3 '^panic: a spinlock' --arch=$arch --append=crash=lock
    tap_check "$arch: a reset isn't taken for success" \
        ends_and_says 5 'without saying' --arch=$arch --append=crash=reset
done

tap_check "HighMem exists on i386 with 2G" \
    ends_and_says 0 'zone HighMem from 0x038000000' --arch=i386 --mem=2G
tap_check "i386 uses what lies beyond 4 GiB, by PAE" \
    ends_and_says 0 '^memory: 15[0-9]{5} pages managed' --arch=i386 --mem=6G
# On a processor without NX tables of two levels do, unless memory lies beyond 4 GiB, which qemu32
# reaches only with PSE36.
cat >"$tap_scratch/qemu32" <<'END'
#!/bin/sh
for word; do
    shift
    [ "$previous" != -cpu ] || word=qemu32,+pse36
    set -- "$@" "$word"
    previous=$word
done
exec qemu-system-i386 "$@"
END
chmod +x "$tap_scratch/qemu32"
for size in 8M 512M 2G 6G; do
    tap_check "i386 without NX boots with $size" \
        ends_and_says 0 '^Node 0, zone +DMA ' --arch=i386 --mem=$size --qemu="$tap_scratch/qemu32"
done
tap_check "i386 without NX still uses what lies beyond 4 GiB" \
    says '^memory: 15[0-9]{5} pages managed'
tap_check "i386 without NX: pages beyond 4 GiB have content" \
    ends_and_says 0 'all invariants hold' --arch=i386 --mem=6G --demo --qemu="$tap_scratch/qemu32"
tap_check "i386 without NX: code can't be written" \
    ends_and_says 3 '^panic: page fault: write of .* protected' --arch=i386 --append=crash=text --qemu="$tap_scratch/qemu32"
tap_check "i386 without NX: the processor agrees about page tables" \
    ends 0 --arch=i386 --mem=64M --selftest=real_mmu --qemu="$tap_scratch/qemu32"
tap_check "i386 without NX: cases of the selftest get zeroed memory" \
    ends 0 --arch=i386 --mem=64M --selftest=given_memory --qemu="$tap_scratch/qemu32"
if [ "$(uname -m)" = x86_64 ] && [ -x /bin/busybox ] && ! readelf -l /bin/busybox 2>&1 | grep -q INTERP; then
    tap_check "4 MiB are enough for busybox to say hello" \
        ends_and_says 0 '^hello' --mem=4M -- /bin/busybox sh -c 'echo hello'
    tap_check "what the RAM disk had is counted: df" \
        ends_and_says 0 '^tmpfs +[0-9]+ +[1-9][0-9]{2,} ' --mem=64M -- /bin/busybox df /
fi
tap_check "x86-64 uses what lies beyond 4 GiB" \
    ends_and_says 0 'zone Normal  from 0x100000000' --mem=6G
tap_check "a machine that hangs is stopped" \
    ends_and_says 4 'stopped after 2 s' --timeout=2 --append=crash=hang
for output in /dev/full closed; do
    tap_check "output that can't be written is a failure: boot, $output" \
        complains 'machine was stopped, .* written: ' $output boot --timeout=400
    for arguments in 'boot --dry-run' 'boot --help' --version; do
        # shellcheck disable=SC2086 # several options
        tap_check "output that can't be written is a failure: $arguments, $output" \
            complains "output can't be written: " $output $arguments
    done
done
tap_check "unknown words of the kernel's command line are named, and what it knows" \
    ends_and_says 0 '^warning: .*"lgo=3" is unknown.* selftest .* stderr$' '--append=lgo=3 mem=1 nonsense'
tap_check "several are named each" says '^warning: .*"nonsense" is unknown'
tap_check "what the command itself says is known" says_nothing_of_unknown_words --selftest=list. \
    --seed=1 --effort=1 --mem=64M --numa=2
tap_check "a selftest whose tests were all skipped isn't passed" \
    ends_and_says 1 'all were skipped' --selftest=pcp --mem=8M
tap_check "the plain image has no tests" \
    ends_and_says 1 'has no tests' --append=selftest
tap_check "a test that doesn't exist isn't passed" \
    ends_and_says 1 "No test's name holds 'no-such-test'" --selftest=no-such-test
tap_check "one test runs alone, by its name" ends_and_says 0 '^1\.\.1$' \
    --selftest list.a_new_list_is_empty
tap_check "the command line is told" ends_and_says 0 "^qemu-system-i386 .* 'demo mem=64M'" \
    --dry-run --demo --arch=i386 --mem=64M
for size in 1g 1GiB 1024mb 1048576K 1073741824; do
    tap_check "--mem=$size is 1024 MiB" ends_and_says 0 'demo mem=1024M' --dry-run --demo --mem=$size
done
tap_check "a missing QEMU's package is named, and the option for another one" \
    ends_and_says 1 'package qemu-system-x86.*--qemu=PATH' --qemu="$tap_scratch/none"
tap_check "a QEMU that can't start the machine is a failure" \
    ends_and_says 1 'could not start the machine' --qemu=/bin/false
tap_check "--mem=64 is asked about" ends_and_says 2 'is it 64M' --mem=64
tap_check "a way to crash that there isn't is a mistake" \
    ends_and_says 1 '^crash=frogs: there is no such way; there are pf, ' --append=crash=frogs
tap_check "crash= is explained" ends_and_says 0 'crash=WAY' --help
tap_check "a missing image's places are named" \
    ends_and_says 1 "$tap_scratch/quire-x86-64.elf" --images="$tap_scratch"
for wrong in --arch=arm --mem=1x --mem=1M --mem=64 --mem=100T --mem=4M1 --numa=0 --numa=17 --seed=-1 --timeout=x --timeout=1e3 --timeout=. --timeout=-1 --timeout=0.5x --timeout=4000000 \
    --nonsense name "--selftest --demo" "--selftest=a b" --seed=1 --effort=9 "--demo --seed=1" "--mem=8M --numa=4"; do
    # shellcheck disable=SC2086 # several options
    tap_check "usage: $wrong" ends_and_says 2 'quire boot' $wrong
done
tap_end
