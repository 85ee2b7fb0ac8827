#!/bin/sh
# bench/machine/counting-qemu.sh: QEMU in which a tick of the guest's time stamp counter is an instruction
#
# For `quire boot --qemu=`: the command line as it comes, but for the processor (QUIRE_CPU) and the
# way of emulation. The processors are the plain ones, so that no feature of the host decides.
for word; do
    shift
    case $previous in
    -cpu) word=${QUIRE_CPU:-qemu64} ;;
    -accel) word=tcg,thread=single ;;
    esac
    set -- "$@" "$word"
    previous=$word
done
exec "${QUIRE_QEMU:-qemu-system-x86_64}" -icount shift=0,sleep=off "$@"
