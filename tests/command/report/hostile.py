#!/usr/bin/env python3
"""hostile.py KIND NUMBER... > FILE: small files of events that could ask a reader for much

forks CHUNKS FORKS     a space with so many parts of 512 pages, and so many forks of it
zones FRAMES TIMES     a zone that is told of so often, each time with other frames
same FRAMES TIMES      each time as it was
processes NUMBER       so many that never end
killed TIMES STATUS    a program that is chosen to end for want of memory so often, and ends with a status as wait4 has it
peak FRAMES USED       a machine that had so many frames in use
"""
import struct
import sys

PAGEBLOCK_ORDER = 10
ZONE, EXEC, MM_FORK, AREA, RSS, FORK, EXIT, MAP, END, OOM_KILL, PEAK = 2, 14, 16, 17, 19, 21, 23, 26, 28, 30, 31


def number(n):
    out = b""
    while True:
        out += bytes([n & 0x7F | (0x80 if n > 0x7F else 0)])
        n >>= 7
        if not n:
            return out


def signed(n):
    return number(2 * n if n >= 0 else -2 * n - 1)


class Writer:
    def __init__(self, frames):
        self.to = sys.stdout.buffer
        self.to.write(b"QuireEv\n" + struct.pack("<6I", 1, 12, 1, 64, PAGEBLOCK_ORDER, frames))
        self.page = self.events = 0

    def event(self, kind, *fields):
        self.to.write(bytes([kind]) + number(50) + b"".join(fields))
        self.events += 1

    def address(self, page):
        by, self.page = page - self.page, page
        return signed(by)

    def end(self):
        self.to.write(bytes([END]) + number(1) + number(self.events) + number(0))


def forks(chunks, count):
    file = Writer(1024)
    file.event(AREA, number(1), file.address(0), number(1 << 50), number(3), number(0))
    for i in range(chunks):
        file.event(MAP, number(1), file.address(i * 512), number(1))
    for i in range(count):
        file.event(MM_FORK, number(2 + i), number(1))
    file.end()


def zones(frames, times, step=1):
    file = Writer(frames)
    for i in range(times):
        file.event(ZONE, number(0), number(0), number(2), number(0), number(frames - step * i), number(frames))
    file.end()


def processes(count):
    file = Writer(1024)
    for i in range(count):
        name = b"a program %d" % i
        file.event(FORK, number(i + 1), number(0), number(0))
        file.event(EXEC, number(i + 1), signed(i + 1), number(len(name)) + name)
    file.end()


def killed(times, status):
    file = Writer(1024)
    file.event(FORK, number(7), number(1), number(0))
    file.event(EXEC, number(1), signed(7), number(7) + b'a,"b"\n\x1b')
    file.event(RSS, number(1), number(1), signed(300))
    file.event(RSS, number(1), number(2), signed(256))
    for i in range(times):
        file.event(OOM_KILL, number(7), number(300), number(1100), number(7) + b'a,"b"\n\x1b')
    if status >= 0:
        file.event(EXIT, number(7), number(status))
    file.end()


def peak(frames, used):
    file = Writer(frames)
    file.event(PEAK, number(used))
    file.end()


numbers = [int(word) for word in sys.argv[2:]]
{"forks": forks, "zones": zones, "same": lambda *n: zones(*n, step=0), "processes": processes, "killed": killed, "peak": peak}[sys.argv[1]](*numbers)
