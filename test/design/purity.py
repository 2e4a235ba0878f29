#!/usr/bin/python3
"""purity.py ARCHIVE: the pure core needs mem* and the panic hook, and has no state.

The linker's view is the proof: a clock, a heap call or stdio would be an undefined
symbol, a global variable would be a byte in .data or .bss.
"""
import re
import subprocess
import sys

import tap

ALLOWED = {"memcpy", "memmove", "memset", "memcmp", "mr_panic", "_GLOBAL_OFFSET_TABLE_"}
STATE = re.compile(r"^\.(data|bss|tdata|tbss|tm_clone_table|init_array|ctors)(?!\.rel\.ro)")

archive = sys.argv[1]


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


defined, wanted, member = set(), {}, ""
for line in lines("nm", archive):
    if line.endswith(":"):
        member = line[:-1]
        continue
    words = line.split()
    if len(words) < 2:
        continue
    if words[-2] in "Uw":
        wanted.setdefault(words[-1], set()).add(member)
    elif words[-2].isupper() or words[-2] == "W":
        defined.add(words[-1])

foreign = sorted(f"{symbol}, wanted by {' '.join(sorted(who))}"
                 for symbol, who in wanted.items() if symbol not in defined | ALLOWED)

state, member = [], ""
for line in lines("readelf", "-SW", archive):
    if line.startswith("File:"):
        member = line.split("(")[-1].rstrip(")")
    m = re.match(r"^\s*\[\s*\d+\]\s+(\S+)\s+\S+\s+[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)", line)
    if m and STATE.match(m.group(1)) and int(m.group(2), 16) != 0:
        state.append(f"{member}: {m.group(1)} holds {int(m.group(2), 16)} bytes")

tap.point(bool(defined), "the pure core defines something")
tap.point(not foreign, "the pure core wants nothing but mem* and the panic hook", foreign)
tap.point(not state, "the pure core holds no variable", state)
tap.done()
