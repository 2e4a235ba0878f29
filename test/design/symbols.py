#!/usr/bin/python3
"""symbols.py LIBRARY: the shared library exports the public API and nothing else."""
import subprocess
import sys

import tap

output = subprocess.run(["nm", "-D", "--defined-only", sys.argv[1]], check=True,
                        capture_output=True, text=True).stdout
exported = [line.split()[-1].split("@")[0] for line in output.splitlines()]
others = sorted(name for name in exported if not name.startswith("mr_"))

tap.point(any(name.startswith("mr_") for name in exported), "the library exports something")
tap.point(not others, "every exported name begins with mr_", others)
tap.done()
