#!/usr/bin/python3
"""flat.py BENCH_SCALE [TABLE]: an operation costs the same instructions among many cores as alone.

The benchmark's own programs run on simulated cores, all in one thread, and callgrind counts the
second of two equal portions of work: what is set up, and what only the first portion causes, is in
neither.  Sharing anything that grows with the number of cores (a table that is searched, a list of
cores that is walked at every turn) would show as a slope.  With TABLE, a table is printed and
nothing judged.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import tap

CORES = [1, 4, 16, 64]
JUDGED = [16, 64]
# What is counted, and how many operations of it: enough to be steady, few enough for valgrind.
WORKS = {"scale/rr64": ("transaction", 64), "scale/crr64": ("transaction", 32),
         "scale/bulk": ("byte", 16), "scale/relay": ("transaction", 16)}
GIVE = 65536          # bytes an operation of scale/bulk
TOLERANCE = 0.02
TIME_S = 120


def count(program, work, cores):
    """Instructions an operation, or a string: why not."""
    unit, operations = WORKS[work]
    with tempfile.TemporaryDirectory(prefix="flat-") as place:
        out = os.path.join(place, "out")
        run = subprocess.run(["valgrind", "--tool=callgrind", "--instr-atstart=no",
                              f"--callgrind-out-file={out}", program, "--simulate", str(cores),
                              "--operations", str(operations), work],
                             capture_output=True, text=True, timeout=TIME_S)
        if run.returncode != 0 or not os.path.exists(out):
            return "\n".join((run.stdout + run.stderr).splitlines()[-12:])
        with open(out) as f:
            totals = re.findall(r"^(?:totals|summary): (\d+)", f.read(), re.M)
    units = operations * cores * (GIVE if unit == "byte" else 1)
    return max(map(int, totals), default=0) / units


def main():
    program = sys.argv[1]
    table = sys.argv[2:] == ["TABLE"]
    if not shutil.which("valgrind"):
        tap.skip("instructions an operation stay flat from 1 to 64 cores", "valgrind is missing")
        tap.done()
    if table:
        print(f"{'instructions':<18}" + "".join(f"{c:>7} cores" for c in CORES))
    for work, (unit, _) in WORKS.items():
        got = {c: count(program, work, c) for c in (CORES if table else [1] + JUDGED)}
        if table:
            print(f"{work:<12}/{unit[:5]:<5}" +
                  "".join(f"{v:>13.5g}" if isinstance(v, float) else f"{'failed':>13}"
                          for v in got.values()), flush=True)
            continue
        for cores in JUDGED:
            name = f"{work}: {cores} cores spend the instructions of one, within 2 %"
            if isinstance(got[1], str) or isinstance(got[cores], str):
                tap.point(False, name, f"{got[1]}\n{got[cores]}".splitlines())
                continue
            slope = got[cores] / got[1] - 1
            tap.point(abs(slope) <= TOLERANCE, name,
                      [f"1 core: {got[1]:.5g} instructions/{unit}, {cores}: {got[cores]:.5g}"])
            tap.note(f"{got[1]:.5g} -> {got[cores]:.5g} instructions/{unit}: {slope:+.2%}")
    if not table:
        tap.done()


main()
