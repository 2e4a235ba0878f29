#!/usr/bin/python3
"""What is printed from the sources into doc/ is what the sources say now."""
import difflib
import os
import subprocess
import sys

import tap

PRINTED = {"doc/tcp-states.md": "script/state-picture",
           "doc/counters.md": "script/counters-doc",
           "doc/sockets.md": "script/sockets-doc",
           "doc/openflow.md": "script/openflow-doc"}

for path, script in PRINTED.items():
    there = tap.read(path) if os.path.exists(os.path.join(tap.ROOT, path)) else ""
    new = subprocess.run([sys.executable, os.path.join(tap.ROOT, script)], check=True,
                         capture_output=True, text=True).stdout
    delta = list(difflib.unified_diff(there.splitlines(), new.splitlines(), path, script,
                                      lineterm="", n=0))
    tap.point(there == new, f"{path} is what {script} prints", delta[:20])
tap.done()
