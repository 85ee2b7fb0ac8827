#!/bin/sh
# tests/command/boot.sh QUIRE FAKE-MACHINE COMPILER: what quire boot makes of programs
#
# What doesn't need the kernel: finding and packing, mistakes, and what goes between a machine, for
# which a program stands in that answers on its ports, and our streams. What was packed is unpacked
# and run where nothing else is (chroot), where we may.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/tap.sh
quire=$1
fake=$2
compiler=$3
for needed in "$quire" "$fake"; do
    [ -x "$needed" ] || { echo "Bail out! there is no $needed" && exit 1; }
done
output=$tap_scratch/output
talk=$tap_scratch/talk
work=$tap_scratch/work
images=$tap_scratch/images
mkdir "$work" "$images"
: >"$images/quire-i386.elf"
: >"$images/quire-x86-64.elf"
: >"$images/quire-x86-64-events.elf"

boot() { # ARGUMENTS...
    "$quire" boot --images="$images" --timeout=400 "$@" >"$output" 2>"$talk" </dev/null
}

ends() { # STATUS ARGUMENTS...
    wanted=$1
    shift
    boot "$@"
    got=$?
    head -c 2000 "$output" | tr -d '\0'
    head -c 2000 "$talk"
    echo "exit status $got, expected $wanted"
    [ "$got" -eq "$wanted" ]
}

says() { # PATTERN
    echo "looking for: $1"
    tr -d '\0' <"$output" | cat - "$talk" | grep -Eq -- "$1"
}

ends_and_says() { # STATUS PATTERN ARGUMENTS...
    status=$1
    pattern=$2
    shift 2
    ends "$status" "$@" && says "$pattern"
}

if "$quire" boot --dry-run --images="$images" -- true 2>&1 | grep -q 'without libelf'; then
    tap_skip 'programs are run' 'this quire was built without libelf'
    tap_end
fi

# ---- usage ----------------------------------------------------------------------------------------

tap_check 'help begins with an example' ends_and_says 0 'quire boot -- ls -l /' --help
tap_check 'help says how to leave' says '\^A x ends'
for wrong in '--nonsense -- true' '--' '--demo -- true' '--selftest -- true' '--env=x -- true' \
    '--env==x -- true' '--cwd=x -- true' '--add= -- true' '--add=:x -- true' '--add=x:y -- true' \
    '--swap= -- true' '--swap=1M --swap=1M --swap=1M --swap=1M --swap=1M -- true' \
    '--accel=x -- true' '--policy=none -- true' '--policy= -- true' '--stats= -- true' '--stats=- -- true' '--events=- -- true' \
    '--arch=arm -- true' '--mem=1 -- true' '--shell --demo' 'name -- true'; do
    # shellcheck disable=SC2086 # several options
    tap_check "usage with a program: $wrong" ends_and_says 125 'quire boot' $wrong
done
for wrong in --env=a=b --add=/etc/passwd --cwd=/ --save-initrd=x --verbose --accel=x --swap=1M --policy=fifo \
    --stats=x --summary --events=x; do
    tap_check "usage without one: $wrong" ends_and_says 2 'quire boot' $wrong
done
tap_check 'a program without -- before it is told where it belongs' \
    ends_and_says 2 'quire boot -- ls' ls

# ---- programs that can't be run -------------------------------------------------------------------

tap_check 'a program that is not there' ends_and_says 127 "no program 'no-such-program'" \
    -- no-such-program
tap_check 'a path that is not there' ends_and_says 127 'No such file' -- ./no-such-program
tap_check 'a folder' ends_and_says 126 'Is a directory' -- "$work"
echo text >"$work/text"
tap_check 'a file that is not executable' ends_and_says 126 'Permission denied' -- "$work/text"
chmod +x "$work/text"
tap_check 'a text' ends_and_says 126 'neither an ELF file nor a script' -- "$work/text"
printf '#!/no/such/interpreter -x\n' >"$work/script"
chmod +x "$work/script"
tap_check 'a script whose interpreter is not there' \
    ends_and_says 127 'needs the interpreter /no/such/interpreter' -- "$work/script"
printf '#!sh\n' >"$work/script"
tap_check 'a script whose interpreter has no path' ends_and_says 126 "isn't named by its path" \
    -- "$work/script"
printf '#!/usr/bin/env no-such-program\n' >"$work/script"
tap_check 'a script that asks env for what is not there' \
    ends_and_says 127 "no program 'no-such-program'" -- "$work/script"
printf '#!%s\n' "$work/script" >"$work/script"
tap_check 'a script that is its own interpreter' ends_and_says 126 'and so on' -- "$work/script"
head -c 60 /bin/true >"$work/cut"
chmod +x "$work/cut"
tap_check 'a program that was cut off' ends_and_says 126 'is cut off' -- "$work/cut"

# ---- programs of our own --------------------------------------------------------------------------

cat >"$work/library.c" <<'END'
int answer(void);
int answer(void) { return 42; }
END
cat >"$work/program.c" <<'END'
#include <stdio.h>
int answer(void);
int main(int argc, char **argv)
{
    printf("%d %d %s\n", answer(), argc, argv[argc - 1]);
    return 3;
}
END

# A library and a program that needs it, in FOLDER/lib and FOLDER/bin.
make_program() { # FOLDER COMPILER FLAGS...
    folder=$1
    with=$2
    shift 2
    mkdir -p "$folder/lib" "$folder/bin"
    "$with" -shared -fPIC -Wl,-soname,libanswer.so.1 "$work/library.c" -o "$folder/lib/libanswer.so.1.0" &&
        ln -sf libanswer.so.1.0 "$folder/lib/libanswer.so.1" &&
        "$with" "$work/program.c" "$folder/lib/libanswer.so.1" "$@" -o "$folder/bin/program"
}

packs() { # ARCHIVE ARGUMENTS...
    archive=$1
    shift
    ends 0 --save-initrd="$archive" "$@" || return
    cpio -tv <"$archive" >"$work/list" 2>"$work/cpio"
    listed=$?
    cat "$work/list" "$work/cpio"
    return "$listed"
}

packs_and_lists() { # PATTERN ARGUMENTS...
    pattern=$1
    shift
    packs "$work/archive" "$@" && echo "looking for: $pattern" && grep -Eq -- "$pattern" "$work/list"
}

may_chroot() {
    [ "$(id -u)" -eq 0 ] && chroot / /bin/true 2>/dev/null
}

# Unpacks the archive and runs the program where nothing else is; its output and status are as here.
# Without /proc it is told by LD_ORIGIN_PATH where it is.
runs_alone() { # PROGRAM ARGUMENTS...
    rm -rf "$work/root"
    mkdir "$work/root"
    (cd "$work/root" && cpio -id --quiet <"$work/archive") || return
    "$@" >"$work/here"
    here=$?
    (cd / && env -i LD_ORIGIN_PATH="${1%/*}" "$(command -v chroot)" "$work/root" "$@") >"$work/there"
    there=$?
    diff "$work/here" "$work/there" && echo "exit status $there, here $here" && [ "$here" -eq "$there" ]
}

packs_and_runs_alone() { # PROGRAM ARGUMENTS...
    packs "$work/archive" -- "$@" && runs_alone "$@"
}

runs() { # NAME PROGRAM ARGUMENTS...
    name=$1
    shift
    if may_chroot; then
        tap_check "$name: packed with all that it needs" packs_and_runs_alone "$@"
    else
        tap_check "$name: is packed" packs "$work/archive" -- "$@"
        tap_skip "$name: packed with all that it needs" 'only root may chroot'
    fi
}

if ! command -v cpio >/dev/null; then
    tap_skip 'what is packed' 'there is no cpio'
else
    runs 'a dynamic program' /bin/ls /etc/ld.so.cache
    tap_check 'symlinks on the way are kept' \
        packs_and_lists "^l.* lib64/ld-linux|^l.* lib64 -> usr/lib64" -- ls
    if ldconfig -p 2>/dev/null | grep -q 'libgcc_s.so.1 .*x86-64'; then
        tap_check 'what pthread_cancel loads comes with the C library' \
            packs_and_lists ' [^ ]*/libgcc_s.so.1$' -- ls
    else
        tap_skip 'what pthread_cancel loads comes with the C library' 'there is no libgcc_s here'
    fi
    if command -v top >/dev/null && [ -e /lib/terminfo/v/vt100 ]; then
        tap_check 'what is known of the terminal comes with who asks' \
            packs_and_lists ' [^ ]*terminfo/v/vt100$' --env=TERM=vt100 -- top
    else
        tap_skip 'what is known of the terminal comes with who asks' 'there is no top, or no terminfo'
    fi
    tap_check 'root has a name' packs_and_lists ' etc/passwd$' -- ls
    packs_the_same() {
        packs "$work/first" -- ls && packs "$work/second" -- ls && cmp "$work/first" "$work/second"
    }
    tap_check 'an archive of the same is the same' packs_the_same

    make_program "$work/origin" "$compiler" "-Wl,-rpath,\$ORIGIN/../lib" >"$tap_output" 2>&1
    runs 'a library by ORIGIN' "$work/origin/bin/program" a b
    make_program "$work/rpath" "$compiler" -Wl,--disable-new-dtags "-Wl,-rpath,$work/nowhere:\${ORIGIN}/../lib" \
        >"$tap_output" 2>&1
    runs 'a library by RPATH' "$work/rpath/bin/program" a b
    make_program "$work/bare" "$compiler" >"$tap_output" 2>&1
    tap_check 'a library that is missing is named, and who needs it' ends_and_says 127 \
        "libanswer.so.1, which $work/bare/bin/program needs, isn't there" -- "$work/bare/bin/program"
    tap_check '... and where it was looked for' says '^  /lib/x86_64-linux-gnu$'
    tap_check 'LD_LIBRARY_PATH of the machine is looked at' packs_and_lists 'bare/lib/libanswer.so.1.0$' \
        --env="LD_LIBRARY_PATH=$work/none:$work/bare/lib" -- "$work/bare/bin/program"
    tap_check 'LD_PRELOAD of the machine is packed' packs_and_lists 'bare/lib/libanswer.so.1.0$' \
        --env="LD_PRELOAD=$work/bare/lib/libanswer.so.1" -- /bin/ls
    tap_check 'a library that is added finds its own' packs_and_lists 'origin/lib/libanswer.so.1.0$' \
        --add="$work/origin/bin/program:/opt/program" -- /bin/busybox
    tap_check 'one whose library is missing is added with a warning' \
        ends_and_says 0 'warning: libanswer' --save-initrd="$work/archive" \
        --add="$work/bare/bin" -- /bin/ls
    cp "$work/bare/bin/program" "$work/bare/bin/other"
    tap_check '... and more of them with the same one' \
        ends_and_says 0 "^quire: warning: 2 added files need what isn't there; the first: libanswer" \
        --save-initrd="$work/archive" --add="$work/bare/bin" -- /bin/ls
    rm "$work/bare/bin/other"

    # shellcheck disable=SC2016 # for the script itself
    printf '#!/bin/sh\necho "$0: $*"\nexit 4\n' >"$work/script"
    runs 'a script' "$work/script" a b
    printf '#!/usr/bin/env -S awk -f\nBEGIN { print "of awk"; exit 5 }\n' >"$work/script"
    tap_check 'what env is asked for is packed' packs_and_lists ' usr/bin/(m|g)?awk$' -- "$work/script"
    printf '#!%s/inner\n' "$work" >"$work/script"
    printf '#!/bin/sh\necho inner "$@"\n' >"$work/inner"
    chmod +x "$work/inner"
    runs "a script's interpreter that is a script" "$work/script" a

    # 32 bits: the cross compiler's libraries have a place of their own.
    cross=/usr/i686-linux-gnu/lib
    if command -v i686-linux-gnu-gcc >/dev/null && [ -e $cross/ld-linux.so.2 ]; then
        make_program "$work/cross" i686-linux-gnu-gcc -Wl,--dynamic-linker=$cross/ld-linux.so.2 \
            "-Wl,-rpath,$cross:\$ORIGIN/../lib" -Wl,--disable-new-dtags >"$tap_output" 2>&1
        if "$work/cross/bin/program" >/dev/null 2>&1 || [ $? -eq 3 ]; then
            runs 'a program of 32 bits' "$work/cross/bin/program" a
        else
            tap_check 'a program of 32 bits: is packed' packs "$work/archive" -- "$work/cross/bin/program"
            tap_skip 'a program of 32 bits: packed with all that it needs' \
                'this Linux runs no programs of 32 bits'
        fi
        tap_check 'the machine is chosen by the program' \
            ends_and_says 0 '^qemu-system-i386 ' --dry-run -- "$work/cross/bin/program"
        tap_check 'a program of 32 bits does not run on x86-64' ends_and_says 126 \
            "of 32 bits, and can't run on x86-64" --arch=x86-64 -- "$work/cross/bin/program"
        mkdir "$work/other"
        cp "$work/cross/lib/libanswer.so.1.0" "$work/other/libanswer.so.1"
        tap_check 'a library of the other class is passed over, and told of' ends_and_says 127 \
            'other/libanswer.so.1, which is of 32 bits' --env="LD_LIBRARY_PATH=$work/other" -- \
            "$work/bare/bin/program"
    else
        tap_skip 'programs of 32 bits' 'there is no i686-linux-gnu-gcc with libraries'
    fi
    tap_check 'a program of 64 bits does not run on i386' \
        ends_and_says 126 "of 64 bits, and can't run on i386" --arch=i386 -- ls
    for other in aarch64:AArch64 riscv64:RISC-V; do
        if command -v "${other%:*}-linux-gnu-gcc" >/dev/null; then
            echo 'int main(void) { return 0; }' >"$work/other.c"
            "${other%:*}-linux-gnu-gcc" -nostdlib -nostartfiles -Wl,-e,main "$work/other.c" \
                -o "$work/foreign" >"$tap_output" 2>&1
            tap_check "a program for ${other#*:} is told to be one" \
                ends_and_says 126 "is for ${other#*:}" -- "$work/foreign"
        else
            tap_skip "a program for ${other#*:} is told to be one" 'there is no compiler for it'
        fi
    done
    if command -v musl-gcc >/dev/null; then
        make_program "$work/musl" musl-gcc "-Wl,-rpath,$work/musl/lib" >"$tap_output" 2>&1
        runs 'a program of musl' "$work/musl/bin/program" a
    else
        tap_skip 'a program of musl' 'there is no musl-gcc'
    fi

    # ---- what is added, and told ------------------------------------------------------------------

    mkdir -p "$work/tree/sub"
    echo one >"$work/tree/one"
    ln -s one "$work/tree/link"
    ln -s ../../program.c "$work/tree/sub/out"
    chmod 4751 "$work/tree/one"
    touch -d '2001-02-03 04:05:06' "$work/tree/one"
    tap_check 'a folder is added with all that is in it' packs_and_lists \
        '^-rwsr-x--x .* Feb +3 +2001 opt/tree/one$' --add="$work/tree:/opt/tree" -- /bin/busybox
    tap_check '... symlinks as symlinks' grep -Eq '^l.* opt/tree/link -> one$' "$work/list"
    tap_check 'what symlinks lead to comes along at its own place' packs_and_lists \
        'work/program.c$' --add="$work/tree" -- /bin/busybox
    tap_check 'a place behind a symlink of the machine is followed' packs_and_lists \
        ' usr/lib/one$' --add="$work/tree/one:/lib/one" -- /bin/ls
    tap_check 'a file can not be where a folder is' ends_and_says 125 'is a folder' \
        --add="$work/tree/one:/usr/bin" -- /bin/ls
    tap_check 'a file goes into a folder that is named with a slash' packs_and_lists \
        ' data/in/one$' --add="$work/tree/one:/data/in/" -- /bin/ls
    tap_check '... also into the root' packs_and_lists ' one$' --add="$work/tree/one:/" -- /bin/ls
    for place in /proc /proc/one /.quire /.quire/argv; do
        tap_check "nothing is put where the machine has its own: $place" ends_and_says 125 \
            "tree/one can't be at $place in the machine.* choose another place: --add=" \
            --add="$work/tree/one:$place" --dry-run -- ls
    done
    tap_check 'a file of /proc is not put there' ends_and_says 125 "/proc/version can't be at" \
        --add=/proc/version --dry-run -- ls
    tap_check 'all of a host is too much' ends_and_says 125 '^quire: / would be all of this host' \
        --add=/ --dry-run -- ls
    packs_what_is_read() { # FILE
        packs "$work/archive" --add="$1:/made" -- ls || return
        cpio -i --quiet --to-stdout made <"$work/archive" | cmp - "$1"
    }
    tap_check 'a file without a size is read until its end' packs_what_is_read /proc/version
    if [ -r /sys/kernel/mm/transparent_hugepage/enabled ]; then
        tap_check 'so is one whose size is made up' packs_what_is_read \
            /sys/kernel/mm/transparent_hugepage/enabled
    else
        tap_skip 'so is one whose size is made up' 'there is no such file'
    fi
    tap_check 'a file can not be the folder to start in' ends_and_says 125 \
        '--cwd=/data/one is a file' --add="$work/tree/one:/data/" --cwd=/data/one --dry-run -- ls
    echo colon >"$work/one:two"
    tap_check 'names may have colons' packs_and_lists ' made:here$' \
        --add="$work/one\\:two:/made\\:here" -- /bin/ls
    tap_check '... that are said to be part of them' ends_and_says 125 'in a name it is written' \
        --add="$work/one:/two:three" -- /bin/ls
    mkdir "$work/odd"
    mkfifo "$work/odd/one" "$work/odd/two" "$work/odd/three"
    tap_check 'what can not be packed is counted' \
        ends_and_says 0 '3 are left out, being no file, folder or symlink; the first: .*/odd/(one|two|three)$' \
        --save-initrd="$work/archive" --add="$work/odd" -- /bin/ls
    links_as_here() {
        packs "$work/archive" -- /bin/busybox || return
        for link in bin sbin lib lib64; do
            [ ! -h "/$link" ] || grep -q "^l.* $link -> $(readlink "/$link")\$" "$work/list" || return
        done
    }
    tap_check 'links into /usr are those of this host' links_as_here
    tap_check 'what is to be added and is not there' \
        ends_and_says 125 'none: No such file' --add="$work/none" -- ls

    # With NULs as newlines.
    told() { # NAME
        cpio -i --quiet --to-stdout ".quire/$1" <"$work/archive" | tr '\0' '\n'
    }
    is_told() { # NAME TEXT
        told "$1" >"$work/told"
        printf '%b' "$2" | diff - "$work/told"
    }
    PATH=$work/bin:$PATH
    mkdir "$work/bin"
    cp /bin/busybox "$work/bin/my-program" 2>/dev/null || cp /bin/ls "$work/bin/my-program"
    tap_check 'a program is found in PATH, its words are its own' packs_and_lists '/bin/my-program$' \
        --env=A=1 --env=LANG=x --env=A=2 --cwd=/deep/../deep/./in/ -- my-program 'a  b' '' -- --help
    tap_check 'it is told its arguments' is_told argv 'my-program\na  b\n\n--\n--help\n'
    tap_check '... its path' is_told exe "$work/bin/my-program\n"
    tap_check '... where it starts' is_told cwd '/deep/in\n'
    tap_check '... which is there' grep -Eq '^d.* deep/in$' "$work/list"
    tap_check '... its environment' is_told env \
        'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nHOME=/root\nTERM=dumb\nLANG=x\nA=2\n'
    tap_check 'there is a /tmp' grep -Eq '^drwxrwxrwt .* tmp$' "$work/list"
    if [ -e /bin/busybox ]; then
        tap_check 'a shell is busybox' packs_and_lists '^l.*bin/sh -> /bin/busybox$' --shell -- -c 'ls /'
        tap_check '... with arguments' is_told argv 'sh\n-c\nls /\n'
    else
        tap_check 'a missing shell names its package' \
            ends_and_says 127 'package busybox-static' --shell
    fi
fi

# ---- sizes ----------------------------------------------------------------------------------------

truncate -s 100M "$work/large"
tap_check 'too much for the memory is said in numbers' ends_and_says 125 \
    'take 10[2-9][0-9]{3} KiB, and the kernel .* fit into 64 MiB. Try --mem=1[0-9]+M' --mem=64M --add="$work/large" \
    --dry-run -- ls
truncate -s 5G "$work/large"
tap_check 'a file beyond 4 GiB is refused' ends_and_says 125 'large has 5368709120 bytes' \
    --add="$work/large" --dry-run -- ls
rm "$work/large"
full_initrd() {
    ends 125 --save-initrd=/dev/full -- ls && says "/dev/full can't be written"
}
tap_check 'an archive that can not be written' full_initrd

# ---- the machine ----------------------------------------------------------------------------------

machine() { # WHAT ARGUMENTS...
    FAKE=$1
    export FAKE
    shift
    "$quire" boot --images="$images" --qemu="$fake" "$@"
}

machine_ends() { # STATUS WHAT ARGUMENTS...
    wanted=$1
    shift
    machine "$@" >"$output" 2>"$talk" </dev/null
    got=$?
    head -c 2000 "$output"
    head -c 2000 "$talk"
    echo "exit status $got, expected $wanted"
    [ "$got" -eq "$wanted" ]
}

machine_says() { # STATUS PATTERN WHAT ARGUMENTS...
    status=$1
    pattern=$2
    shift 2
    machine_ends "$status" "$@" && says "$pattern"
}

is_empty() { # FILE
    ! [ -s "$1" ]
}

is_exactly() { # OUTPUT TALK
    printf '%b' "$1" | diff - "$output" && printf '%b' "$2" | diff - "$talk"
}

one_line() {
    [ "$(wc -l <"$talk")" -eq 1 ]
}

tap_check "the program's status is ours" machine_ends 7 arguments -- true
tap_check 'QEMU gets the archive and the words' says '^run stdin=null stdout=data stderr=data( ignore=0x[0-9a-f]+)? mem=512M$'
tap_check "nothing is said beside the program" is_exactly "$(cat "$output")\n" ''
tap_check 'the command is told before it runs' ends_and_says 0 \
    "id=log,fd=9 -serial chardev:log .* -initrd /dev/fd/10 -append 'run .* x=1'" --dry-run --append=x=1 -- true
says_no_more() { # PATTERN
    [ "$(grep -c '^quire: ' "$talk")" -eq 1 ] && grep -Eq -- "$1" "$talk"
}
tap_check 'one that a shell did not find' machine_ends 127 exit-127 -- sh -c ls
tap_check '... may be packed' says_no_more 'as shells do when there is no such program: .* --add=PROGRAM'
tap_check 'one that a shell could not execute' machine_ends 126 exit-126 -- sh -c ls
tap_check '... may be another' says_no_more 'no such program that can be executed: .* --add=PROGRAM'
tap_check 'another status' machine_ends 7 killed-not -- sh -c ls
tap_check '... gets no such advice' is_empty "$talk"
# Python by its real path, beside whose folder its library lies.
for python in /usr/bin/python3.[0-9]*; do
    case $python in *[!0-9]) continue ;; esac
    library=/usr/lib/${python##*/}
    if ! [ -x "$python" ] || ! [ -d "$library" ]; then
        continue
    fi
    tap_check 'python without its library' machine_ends 127 exit-127 -- "$python" -c 1
    tap_check '... is told where that is' says_no_more "hasn't got its language's library: --add=$library packs it"
    tap_check 'python with it' machine_ends 7 stats --add="$library/os.py" -- "$python" -c 1
    tap_check '... is told nothing' is_empty "$talk"
done
tap_check 'a program that was killed' machine_ends 139 killed -- true
tap_check 'errors go to errors' machine_ends 7 errors -- true
tap_check '... and nowhere else' is_exactly '' 'an error\n'
tap_check 'the log is shown when it is asked for' machine_says 7 "^the kernel's log" arguments -v -- true
tap_check 'system calls that are missing are told of when it is asked for' \
    machine_says 7 'true made system calls .* frobnicate 3, 999 1$' unknown -v -- true
tap_check '... or when it fails' machine_says 7 'true made system calls .* frobnicate 3, 999 1$' unknown -- true
tap_check '... and then the first ones' machine_says 7 ': a 1, b 1, c 1, d 1, and 2 more \(-v shows all\)$' \
    many-unknown -- true
quiet_about_unknown() {
    machine_ends 0 harmless -- true && is_exactly '' ''
}
tap_check '... but not else' quiet_about_unknown
tap_check 'a panic is a failure of ours, and tells its log' \
    machine_says 125 '^panic: no reason' panic -- true
tap_check '... after what the program said' grep -q before "$output"
tap_check 'an end without a word is a failure of ours' \
    machine_says 125 'without saying how .*/true ended' silent -- true
tap_check 'a reset is a failure of ours' machine_says 125 'reset itself' crash -- true
# ---- what it took ---------------------------------------------------------------------------------

tap_check 'the kernel is told of a policy, and to tell of itself' machine_says 7 \
    '^run stdin=null stdout=data stderr=data policy=mglru stats mem=512M$' arguments --policy=mglru \
    --stats="$work/stats.json" -- true
tap_check '... by a line of its own' says '^virtserialport,nr=5,chardev=stats$'
tap_check 'without being asked it is not' machine_ends 7 arguments -- true
no_stats() {
    ! says 'stats'
}
tap_check '... and has no such line' no_stats
tap_check 'a summary' machine_says 7 '^  end +exit status 7$' stats --swap=1M --summary -- true
tap_check '... of faults' says '^  faults +minor 29,988, major 12, failed 1; of the program.s own process minor 29,988'
tap_check '... of memory' says 'at most 10.0 MiB resident; machine at most 19.5 MiB of 32.0 MiB'
tap_check '... of swap' says '^  swap +out 4.0 KiB \(1 page\), in 0 B \(0 pages\)$'
tap_check '... of reclaim' says '^  reclaim +100 pages reclaimed of 400 scanned: 25.0 %$'
tap_check '... of the largest processes, first the largest' \
    says '^ +4  c +11.7 MiB +0 +0  \(still ran\)$'
tap_check '... with their names' says '^ +3  a "b +10.0 MiB +29,988 +12$'
tap_check 'nothing of that is output' is_empty "$output"
is_document() { # PATTERN...
    if "$has_python"; then
        python3 -m json.tool "$work/stats.json" >/dev/null || return 1
    fi
    for wanted; do
        grep -q -- "$wanted" "$work/stats.json" || { echo "it has no $wanted" && return 1; }
    done
}
has_python=true
command -v python3 >/dev/null || has_python=false
"$has_python" || tap_skip 'documents are JSON' 'python3 is not there; only parts of them are looked at'
tap_check 'a document' machine_ends 7 stats --stats="$work/stats.json" -- sh -c "a \"b\" $(printf '\374')"
tap_check '... in JSON, with what came whole and what is missing' is_document \
    '"schema":"quire.boot.stats/1"' '"sh","-c","a \\"b\\" ?"' '"exit_status":7,' '"pgfault":30001,"pgmajfault":12' \
    '"processes":\[{"pid":3,.*{"pid":4,[^]]*}\],"end"' \
    '"missing":\["meminfo","swaps","buddyinfo","zoneinfo","pagetypeinfo","slabinfo","vmallocinfo"\]'
tap_check 'arguments that are not UTF-8' machine_ends 7 stats --stats="$work/stats.json" -- echo \
    "$(printf '<\355\240\200>')" "$(printf '<\300\200>')" "$(printf '<\340\200\200>')" "$(printf '<\360\200\200\200>')" \
    "$(printf '<\364\220\200\200>')" "$(printf '<\367\277\277\277>')" "$(printf '<\303>')"
tap_check '... are no reason for it not to be JSON' is_document '"echo","<???>","<??>","<???>","<????>","<????>","<????>","<?>"'
tap_check 'arguments that are' machine_ends 7 stats --stats="$work/stats.json" -- echo \
    "$(printf '\302\200 \337\277 \340\240\200 \355\237\277 \356\200\200 \357\277\277 \360\220\200\200 \364\217\277\277')"
tap_check '... come whole' is_document \
    "$(printf '"\302\200 \337\277 \340\240\200 \355\237\277 \356\200\200 \357\277\277 \360\220\200\200 \364\217\277\277"')"
tap_check 'a document whose views a panic cut' machine_ends 7 cut-stats --stats="$work/stats.json" -- true
tap_check '... leaves them out, and says so' is_document '"buddyinfo":{"name":"}' \
    '"missing":\["machine","vmstat","meminfo","swaps","zoneinfo","pagetypeinfo","slabinfo"'
read_a_little() { # WHAT OPTIONS...: the status of one whose reader goes
    { machine "$@" 2>"$talk" </dev/null; echo $? >"$work/status"; } | head -c 1 >"$output"
    cat "$talk" "$work/status"
}
a_reader_that_goes() {
    read_a_little stats-and-flood --stats="$work/stats.json" --summary -- true
    [ "$(cat "$work/status")" -eq 141 ] && is_document '"how":"stopped"' '"pgfault":30001' '"processes":\[{"pid":3,'
}
tap_check 'a document of a program whose output nobody reads any more' a_reader_that_goes
tap_check '... and the summary' says '^  end +stopped'
no_complaint() {
    ! grep '^quire' "$talk" | grep -qv ' on a machine of ' # the summary's first line
}
tap_check '... and no other word' no_complaint
tap_check 'a document of a panic' machine_ends 125 panic --stats="$work/stats.json" -- true
tap_check '... says so' is_document '"how":"panic"' '"missing":\["machine",.*"processes that ran'
tap_check 'a document of a machine that was stopped' \
    machine_ends 124 hang --timeout=1 --stats="$work/stats.json" --summary -- true
tap_check '... says so' is_document '"how":"timeout"'
tap_check '... and the summary does' says '^  end +timeout; exit status of this command 124$'
tap_check 'a document that can not be made' machine_says 125 'stats=/no-such-folder/x: No such file' arguments \
    --stats=/no-such-folder/x -- true
tap_check 'a document that can not be written' machine_says 125 'stats=/dev/full can.t be written: No space' stats \
    --stats=/dev/full -- true
tap_check 'output is not where it goes' machine_says 125 'stdout is the program' arguments --stats=- -- true

tap_check 'the kernel is told to tell of events' machine_says 7 \
    '^run stdin=null stdout=data stderr=data events mem=512M$' arguments --events="$work/events" -- true
tap_check '... by a line of its own' says '^virtserialport,nr=6,chardev=events$'
tap_check '... and is one that can' says 'quire-x86-64-events.elf$'
tap_check 'what it tells is in the file' machine_ends 7 events --events="$work/events" -- true
events_came() {
    head -c 200000 /dev/zero | cmp - "$work/events"
}
tap_check '... all of it' events_came
tap_check 'events that can not be written' machine_says 125 "--events=/dev/full can't be written: No space" events \
    --events=/dev/full -- true
tap_check '... are a machine that was stopped' says 'the machine was stopped'
events_that_go() {
    mkfifo "$work/fifo"
    head -c 1000 <"$work/fifo" >/dev/null &
    machine_says 125 'fifo can.t be written: Broken pipe' events --events="$work/fifo" --stats="$work/stats.json" -- true &&
        is_document '"how":"stopped"'
}
tap_check 'events that nobody reads any more are told of' events_that_go
tap_check 'events and a document in one file' machine_says 125 'have to be two files' arguments \
    --events="$work/x" --stats="$work/./x" -- true
tap_check 'events that can not be opened' machine_says 125 'events=/no-such-folder/x: No such file' arguments \
    --events=/no-such-folder/x -- true

# ---- how it ends ----------------------------------------------------------------------------------

tap_check 'a machine that hangs is stopped' machine_says 124 'stopped after 1 s' hang --timeout=1 -- true
tap_check '... in one line' one_line
tap_check '... after parts of a second, too' machine_says 124 'stopped after 0.25 s' hang --timeout=0.25 -- true
tap_check 'a machine that QEMU pauses is at its end' machine_says 125 "has paused the machine, which can't go on" \
    paused --timeout=400 -- true
tap_check 'what the machine could not do is told, with advice' machine_says 125 \
    "could not start .*true: it can't unpack /a/b: File exists .*--add=HOST:GUEST" failed -- true
tap_check '... in one line' one_line
tap_check 'who was killed for want of memory is told' machine_says 137 \
    'so hog of mine \(process 17, which had 4711 KiB\) was killed, and 1 more. Try --mem .* 64M, or --swap$' \
    oom --mem=64M -- true
tap_check 'a missing QEMU names its package' ends_and_says 125 'package qemu-system-x86' \
    --qemu="$work/none" -- true

# What is swapped to is opened before the machine is.
swap_fails() { # PATTERN SWAP
    ends_and_says 125 "--swap=.*: $1" --swap="$2" -- true
}
head -c 100000 /dev/urandom >"$work/data"
tap_check 'swap: a file that is not there' \
    swap_fails 'there is no such file; --swap=.*/none:SIZE makes it' "$work/none"
tap_check 'swap: a file without a header' swap_fails 'it has no swap header.*mkswap ' "$work/data"
tap_check 'swap: a device that is none' swap_fails 'it is neither a file nor a block device' /dev/null
tap_check 'swap: a folder' swap_fails '.*irectory' "$work"
for size in 0 1K 36K 40961 17T; do
    tap_check "swap: of $size" swap_fails 'a swap area has' "$size"
done
swap_nowhere() {
    TMPDIR=$work/none && export TMPDIR
    swap_fails 'no file can be made in .*/none' 1M
}
tap_check 'swap: nowhere to make a file' swap_nowhere
makes_swap() {
    machine_ends 7 arguments --swap="$work/new:1M" -- true && [ "$(wc -c <"$work/new")" -eq 1048576 ] &&
        [ "$(tail -c +4087 "$work/new" | head -c 10)" = SWAPSPACE2 ] &&
        says '^run .* swap=1 mem=' && says 'file=/dev/fd/11$'
}
tap_check 'swap: a file is made, with a header' makes_swap
tap_check '... and used as it is the next time' machine_ends 7 arguments --swap="$work/new" -- true
tap_check '... but not twice at once' ends_and_says 125 '--swap=.*/new: it is named twice' --swap="$work/new" \
    --swap="$work/new" -- true
tap_check '... but not made again' swap_fails '.*is there already; --swap=.*/new uses it' "$work/new:1M"
leaves_no_swap() {
    mkdir "$work/temporary" && TMPDIR=$work/temporary && export TMPDIR
    machine_ends 7 arguments --swap=1M --swap=2M -- true && says '^run .* swap=2 ' &&
        says 'file=/dev/fd/12$' && [ -z "$(ls "$work/temporary")" ]
}
tap_check 'swap: a file of a size has no name' leaves_no_swap
tap_check 'swap: a URL is for QEMU' ends_and_says 0 'format=raw,.*,file=nbd://host:1/a,,b ' --dry-run \
    --swap=nbd://host:1/a,b -- true
tap_check 'swap: what the machine refuses is told of' \
    machine_says 125 '--swap=2M: it has no swap signature' no-swap --swap=1M --swap=2M -- true

passes_input() { # FILE
    machine cat -- cat <"$1" >"$output"
    [ $? -eq 7 ] && cmp "$1" "$output"
}
head -c 300000 /dev/urandom >"$work/random"
: >"$work/empty"
awk 'BEGIN { for (i = 0; i < 9000; i++) printf "\020\004" }' >"$work/quotes"
for file in random empty quotes; do
    tap_check "input goes through unchanged: $file" passes_input "$work/$file"
done
piped_input() {
    { cat "$work/random" && sleep 0.2 && cat "$work/quotes"; } | machine cat -- cat >"$output"
    cat "$work/random" "$work/quotes" | cmp - "$output"
}
tap_check 'input comes in pieces' piped_input
early_input() {
    machine deaf -- true <"$work/random"
    [ $? -eq 7 ]
}
tap_check 'input waits until the machine is ready' early_input
closed_input() {
    machine arguments -- true <&- >"$output"
    [ $? -eq 7 ] && grep -q 'stdin=closed' "$output"
}
tap_check 'a closed input is closed' closed_input
folder_input() {
    machine arguments -- true </ >"$output"
    [ $? -eq 7 ] && grep -q 'stdin=folder' "$output"
}
tap_check 'a folder as input is one' folder_input
closed_errors() {
    machine arguments -- true 2>&- >"$output"
    [ $? -eq 7 ] && [ -s "$output" ]
}
tap_check 'closed errors do no harm' closed_errors
closed_output() {
    machine arguments -- true >&- 2>"$talk"
    [ $? -eq 125 ] && grep -q 'written: Bad file descriptor' "$talk"
}
tap_check 'closed output can not be written' closed_output
all_closed() {
    machine arguments -- true <&- >&- 2>&-
    [ $? -eq 125 ]
}
tap_check 'so it is when all are closed' all_closed
quiet_machine() {
    machine silent -- true <&- >&- 2>"$talk"
    [ $? -eq 125 ] && grep -q 'without saying how' "$talk"
}
tap_check 'closed output that nothing is written to does no harm' quiet_machine
full_output() {
    machine flood -- true >/dev/full 2>"$talk"
    [ $? -eq 125 ] && grep -q 'written: No space left' "$talk" && one_line
}
tap_check 'output that can not be written is told in one line' full_output
unread_input() {
    for _ in 1 2 3 4 5; do
        yes | machine arguments -- true >"$output"
        [ $? -eq 7 ] || return
    done
    grep -q stdin=data "$output"
}
tap_check 'input that nobody reads does no harm' unread_input

# A reader that is slower than the machine, on all three at once.
slow_reader() {
    machine flood -- true 2>"$talk" | { sleep 0.5 && cat; } >"$output"
    awk 'BEGIN { for (i = 0; i < 100000; i++) printf "%039d\n", i }' >"$work/flood"
    cmp "$work/flood" "$output" && cmp "$work/flood" "$talk"
}
tap_check 'a slow reader gets everything' slow_reader
gone_reader() {
    { machine flood -- true 2>/dev/null; echo "$?" >"$work/status"; } | head -n 1
    cat "$work/status"
    [ "$(cat "$work/status")" -eq 141 ]
}
tap_check 'a reader that goes away ends it, as it would end the program' gone_reader
gets_initrd() {
    machine initrd -- ls >"$output"
    "$quire" boot --images="$images" --save-initrd="$work/archive" -- ls && cmp "$work/archive" "$output"
}
tap_check 'QEMU can read the archive' gets_initrd
for device in full closed; do
    unwritten() {
        case $device in
        full) machine flood -- true >/dev/full 2>"$talk" ;;
        closed) machine flood -- true >&- 2>"$talk" ;;
        esac
        [ $? -eq 125 ] && grep -q 'written' "$talk"
    }
    tap_check "output that can't be written ends it: $device" unwritten
done
interrupted() { # SIGNAL STATUS
    : >"$talk"
    FAKE=hang "$quire" boot --images="$images" --qemu="$fake" -v -- true >"$output" 2>"$talk" &
    tap_await grep -q "the kernel's log" "$talk"
    kill "-$1" $!
    wait $!
    got=$?
    echo "exit status $got, expected $2"
    [ "$got" -eq "$2" ]
}
ignores() {
    (trap '' HUP WINCH && machine arguments -- true) >"$output"
    grep -Eq ' ignore=0x[0-9a-f]+ ' "$output" || return
    set=$(sed -n 's/.* ignore=\(0x[0-9a-f]*\) .*/\1/p' "$output")
    [ $((set & 0x8000001)) -eq $((0x8000001)) ]
}
tap_check 'what we ignore the program ignores, too' ignores
outlives() {
    # shellcheck disable=SC2016 # the inner shell's
    : >"$talk"
    FAKE=hang sh -c 'trap "" HUP; exec "$@"' sh "$quire" boot --images="$images" --qemu="$fake" -v -- true 2>"$talk" &
    tap_await grep -q "the kernel's log" "$talk"
    kill -HUP $!
    sleep 0.1
    kill -TERM $!
    wait $!
    [ $? -eq 143 ]
}
tap_check '... and it does not end us' outlives
goes_on() {
    : >"$talk"
    FAKE=stopped "$quire" boot --images="$images" --qemu="$fake" --timeout=400 -- true >"$output" 2>"$talk" &
    tap_await grep -q . "$talk"
    grep -q "signal 19 has stopped the program; kill -CONT $! lets it go on" "$talk" && kill -CONT $!
    wait $!
    [ $? -eq 7 ] && one_line
}
tap_check 'a program that is stopped is told of, and goes on' goes_on
tap_check 'SIGTERM ends it' interrupted TERM 143
tap_check 'SIGHUP ends it' interrupted HUP 129

# ---- a terminal -----------------------------------------------------------------------------------

# Types on a terminal of its own; what is seen there is in $output, the terminal's settings before
# and after in $work/before and $work/after, the exit status in $work/status.
keys_are_the_machines() {
    stty -a -F "$(cat "$work/tty")" | grep -q -e ' -icanon' && grep -q ready "$output"
}
on_terminal() { # KEYS-PRINTER ARGUMENTS-OF-MACHINE...
    keys=$1
    shift
    cat >"$work/session" <<END
#!/bin/sh
stty -a >"$work/before"
tty >"$work/tty"
FAKE=keys "$quire" boot --images="$images" --qemu="$fake" $* -- true
echo \$? >"$work/status"
stty -a >"$work/after"
END
    rm -f "$work/tty" "$work/after" "$work/status"
    : >"$output"
    { tap_await keys_are_the_machines && $keys && tap_await test -s "$work/after"; } | TERM=vt100 script -qec "sh $work/session" /dev/null >"$output" 2>&1
    cat "$output" "$work/status"
    diff "$work/before" "$work/after"
}
all_keys() {
    printf 'a\003\004\032\001\001\001zq'
}
leave_keys() {
    printf a
    tap_await grep -qF '[61]' "$output"
    printf 'b\001xc'
}
keys_pass() {
    on_terminal all_keys && grep -q '\[61\]\[03\]\[04\]\[1a\]\[01\]\[01\]\[7a\]\[71\]' "$output" &&
        [ "$(cat "$work/status")" -eq 7 ]
}
leaves() {
    on_terminal leave_keys && grep -q '\[61\]' "$output" && [ "$(cat "$work/status")" -eq 130 ]
}
terminated() {
    on_terminal "killer" && [ "$(cat "$work/status")" -eq 143 ]
}
killer() {
    kill -TERM "$(pgrep -n -f "^$quire boot --images=$images --qemu=$fake" )"
}
if command -v script >/dev/null && command -v stty >/dev/null; then
    tap_check 'all keys go to the program, and the terminal is as before' keys_pass
    tap_check '^A x leaves' leaves
    tap_check 'the terminal is as before after a signal' terminated
else
    tap_skip 'keys go to the program' 'there is no script(1) to make a terminal'
fi
tap_end
