# shellcheck shell=sh
# .ci/packages.sh: the Debian packages that ./check and ./demo need
#
#   need_packages COMMAND_OR_FILE:PACKAGE...   installs the packages whose command or file is missing

need_packages() {
    missing=
    for need; do
        what=${need%%:*}
        case $what in
        /*) [ -e "$what" ] ;;
        *) command -v "$what" >/dev/null ;;
        esac || missing="$missing ${need#*:}"
    done
    [ -n "$missing" ] || return 0

    if ! command -v apt-get >/dev/null; then
        echo "Please install what these Debian packages hold, and try again:$missing" >&2
        exit 1
    fi
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "Please install these packages as root, and try again:$missing" >&2
            exit 1
        fi
        as_root=sudo
    fi
    echo "Installing:$missing" >&2
    # shellcheck disable=SC2086 # a list of packages
    if ! { $as_root apt-get update -q && DEBIAN_FRONTEND=noninteractive \
        $as_root apt-get install -q -y --no-install-recommends $missing; } >&2; then
        echo "The packages could not be installed:$missing" >&2
        exit 1
    fi
}

# To build the libraries, the command and the kernel images.
packages_to_build() {
    need_packages cmake:cmake ninja:ninja-build gcc:gcc /usr/include/stdio.h:libc6-dev \
        i686-linux-gnu-gcc:gcc-i686-linux-gnu /usr/include/zstd.h:libzstd-dev \
        /usr/include/gelf.h:libelf-dev /usr/include/jansson.h:libjansson-dev \
        /usr/share/javascript/dygraphs/dygraph.min.js:libjs-dygraphs
}

# To boot them.
packages_to_boot() {
    need_packages qemu-system-x86_64:qemu-system-x86
}

# To test everything.
packages_to_check() {
    need_packages g++:g++ clang:clang clang-format:clang-format \
        riscv64-linux-gnu-gcc:gcc-riscv64-linux-gnu qemu-system-riscv64:qemu-system-misc \
        aarch64-linux-gnu-gcc:gcc-aarch64-linux-gnu \
        pkg-config:pkg-config shellcheck:shellcheck valgrind:valgrind \
        /usr/i686-linux-gnu/lib/crt1.o:libc6-dev-i386-cross \
        cpio:cpio musl-gcc:musl-tools /bin/busybox:busybox-static gawk:gawk lua5.4:lua5.4 \
        sqlite3:sqlite3 xz:xz-utils /usr/bin/python3:python3 ps:procps mandoc:mandoc zsh:zsh fish:fish stress-ng:stress-ng \
        chromium:chromium chromedriver:chromium-driver \
        numactl:numactl qemu-nbd:qemu-utils
    # The sanitizers' runtime is a package of its own, of clang's version.
    need_packages "$(clang -print-runtime-dir):libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
}
