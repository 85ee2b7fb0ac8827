# shellcheck shell=sh
# tests/guest/malloc/programs.sh: the programs of malloc.sh and record.sh, and what is compared of them
#
#   build_programs CLASS FOLDER    builds what this host can, at FOLDER, and FOLDER/runs, which starts them
#   every_run CLASS                the runs: a line each, as FOLDER/runs takes it
#   layout FILE                    what such a program's addresses follow from
#   comparable <OUTPUT             without what is another kernel's right to have otherwise
#
# A program's name says source, C library and linking: /brk_and_mmap_glibc64, /brk_and_mmap_musl64_dynamic.

malloc_sources=tests/guest/malloc

# A library's folder is the program's own run path: the cache of libraries, whose size is this host's, isn't
# looked at, and doesn't shift what is mapped after it.
build_program() { # CLASS FOLDER SOURCE VARIANT
    output=$2/${3}_$4
    set -- "$1" "$malloc_sources/$3.c" "$4" -w -o "$output"
    class=$1
    source=$2
    variant=$3
    shift 3
    i386_libraries=/usr/i686-linux-gnu/lib
    case $class,$variant in
    *,*_dynamic) ;;
    *) set -- "$@" -static ;;
    esac
    case $class,$variant in
    x86-64,glibc64) x86_64-linux-gnu-gcc "$source" "$@" ;;
    x86-64,glibc64_dynamic) x86_64-linux-gnu-gcc "$source" "$@" -Wl,-rpath,/lib/x86_64-linux-gnu ;;
    x86-64,musl64*) musl-gcc "$source" "$@" ;;
    i386,glibc32) i686-linux-gnu-gcc "$source" "$@" ;;
    i386,glibc32_dynamic)
        i686-linux-gnu-gcc "$source" "$@" -Wl,--dynamic-linker=$i386_libraries/ld-linux.so.2 \
            -Wl,-rpath,$i386_libraries
        ;;
    # Debian's package musl-dev:i386; there is none for a host of another architecture.
    i386,musl32) i686-linux-gnu-gcc -specs "${MUSL_I386_SPECS:-/usr/lib/i386-linux-musl/musl-gcc.specs}" \
        "$source" "$@" ;;
    esac
}

build_programs() { # CLASS FOLDER
    case $1 in
    i386) compiler=i686-linux-gnu-gcc ;;
    *) compiler=x86_64-linux-gnu-gcc ;;
    esac
    $compiler -std=gnu11 -O1 -static -no-pie -nostdlib -ffreestanding -fno-stack-protector \
        -fcf-protection=none $malloc_sources/runs.c -o "$2/runs" || return
    for program in $(every_run "$1" | sed 's/,.*//' | sort -u); do
        source=${program#/}
        source=${source%%_[gm][lu][is]*}
        build_program "$1" "$2" "$source" "${program#/"${source}"_}"
    done
}

every_run() { # CLASS
    case $1 in
    i386) variants='glibc32 musl32 glibc32_dynamic' ;;
    *) variants='glibc64 musl64 glibc64_dynamic musl64_dynamic' ;;
    esac
    for variant in $variants; do
        echo "/brk_and_mmap_$variant"
        case $variant in
        *_dynamic) ;;
        *) echo "/fragmentation_$variant" ;;
        esac
        echo "/fragmentation_$variant,touch"
    done
}

# Where the segments of a program lie, by pages, and those of the libraries that it is linked with. What it says
# of addresses and faults follows from that, and from little else that changes with a library's next build.
layout() { # FILE
    interpreter=$(readelf -lW "$1" | sed -n 's/.*program interpreter: \(.*\)]$/\1/p')
    libc=
    case $interpreter in
    '' | *musl*) ;;
    /lib64/*) libc=/lib/x86_64-linux-gnu/libc.so.6 ;;
    *) libc=${interpreter%/*}/libc.so.6 ;;
    esac
    for file in "$1" $interpreter $libc; do
        readelf -lW "$file" | awk '
            function value(hex, i, n) {
                for (i = 3; i <= length(hex); i++)
                    n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
                return n
            }
            $1 == "LOAD" || $1 == "GNU_RELRO" {
                at = value($3)
                printf " %d-%d", at / 4096, (at + value($6) + 4095) / 4096
            }'
    done
}

# Other are: the kernel's own areas, devices and inodes of files, the most that was resident (Linux adds
# that up late). The column of a file's name stays.
comparable() {
    awk '
        /\[(vvar|vdso|vsyscall)\]$/ { next }
        { sub(/maxrss=[0-9]+K /, "") }
        /^[0-9a-f]+-[0-9a-f]+ [-rwxsp]+ [0-9a-f]+ [0-9a-f:]+ [0-9]+ +\// {
            print $1, $2, $3, "at " index($0, "/"), $6
            next
        }
        { print }'
}
