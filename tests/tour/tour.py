#!/usr/bin/env python3
"""tests/tour/tour.py QUIRE LIBQUIRE-MALLOC.SO COMPILER [--write]: docs/tour.md shows what the commands print

Runs every command of the page's console blocks, in order, in one shell, and compares what it prints with
what stands there. A comment before a block may say `numbers vary`: then numbers and the blanks beside them
may differ; `has: REGEX`: a line that must be there as it is; `as root`: skipped by others. A line `...` stands
for any lines. --write puts what was printed into the page instead, to be looked at.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SEPARATOR = "@@ tour @@"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PAGE = os.path.join(ROOT, "docs", "tour.md")


def blocks(lines):
    """Each console block: where it begins and ends, its comment, its commands with what they print."""
    at = 0
    while at < len(lines):
        if lines[at] != "```console":
            at += 1
            continue
        comment = lines[at - 1] if lines[at - 1].startswith("<!--") else ""
        end = lines.index("```", at)
        commands = []
        for line in lines[at + 1:end]:
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
        yield at + 1, end, comment, commands
        at = end


def run(all_commands, quire, library, compiler):
    """What each command printed."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(os.path.join(ROOT, "examples", "tour", "byte.c"), folder)
        shutil.copy(library, os.path.join(folder, "libquire-malloc.so"))
        commands = os.path.join(folder, "commands")
        os.mkdir(commands)
        with open(os.path.join(commands, "cc"), "w") as file:
            file.write(f'#!/bin/sh\nexec {compiler} "$@"\n')
        os.chmod(os.path.join(commands, "cc"), 0o755)
        os.symlink(os.path.abspath(quire), os.path.join(commands, "quire"))
        environment = dict(os.environ, PATH=commands + ":" + os.environ["PATH"], LC_ALL="C")
        script = "".join(f"echo '{SEPARATOR}'\n{command}\n" for command in all_commands)
        with open(os.path.join(commands, "script"), "w") as file:
            file.write(script)
        shell = subprocess.run(["bash", file.name], cwd=folder, env=environment, text=True, timeout=300,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    printed = shell.stdout.split(SEPARATOR + "\n")[1:]
    return [text.splitlines() for text in printed]


def masked(line, numbers_vary):
    if not numbers_vary:
        return line
    line = re.sub(r"0x[0-9a-f]+|\b(?=[a-f]*[0-9])[0-9a-f]{6,}\b|[0-9][0-9,.]*", "#", line)
    return re.sub(r"\s+", " ", line).strip()


def alike(expected, found, numbers_vary):
    """Whether the lines found are those expected, of which `...` is any number."""
    if not expected:
        return not found
    if expected[0].strip() == "...":
        return any(alike(expected[1:], found[skip:], numbers_vary) for skip in range(len(found) + 1))
    return bool(found) and masked(expected[0], numbers_vary) == masked(found[0], numbers_vary) and \
        alike(expected[1:], found[1:], numbers_vary)


def main():
    quire, library, compiler = sys.argv[1:4]
    with open(PAGE) as file:
        lines = file.read().splitlines()
    page = list(blocks(lines))
    printed = iter(run([command for block in page for command, _ in block[3]], quire, library, compiler))
    number = failed = 0
    shown = {}
    for start, end, comment, commands in page:
        shown[start, end] = []
        for command, expected in commands:
            found = next(printed, ["(the shell had ended)"])
            shown[start, end] += ["$ " + command] + found
            number += 1
            if "as root" in comment and os.geteuid():
                print(f"ok {number} - {command} # SKIP only root is told this")
                continue
            wanted = re.search(r"has: (.*?) -->", comment)
            good = alike(expected, found, "numbers vary" in comment)
            if good and wanted and (command, expected) == commands[-1]:
                good = any(re.search(wanted.group(1), line) for line in found)
            if not good:
                failed += 1
                print("\n".join(["# expected:"] + ["#  " + line for line in expected] +
                                ["# found:"] + ["#  " + line for line in found]))
            print(f"{'ok' if good else 'not ok'} {number} - {command}")
    print(f"1..{number}")
    if "--write" in sys.argv:
        for (start, end), text in sorted(shown.items(), reverse=True):
            lines[start:end] = text
        with open(PAGE, "w") as file:
            file.write("\n".join(lines) + "\n")
    return failed != 0


sys.exit(main())
