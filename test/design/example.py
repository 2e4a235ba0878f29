#!/usr/bin/python3
"""example.py EXAMPLE LOAD: the program in doc/ is what doc/api.md prints, and works.

It is compiled against include/ alone and linked with the shared library, so it can use nothing but
the public API.  Here it runs on a stack of its own; millrace-load is the other end of the wire.
"""
import os
import re
import subprocess
import sys
import tempfile

import tap

example, load = sys.argv[1:3]

source = tap.read("doc/example-echo.c")
printed = re.findall(r"^```c\n(.*?)^```", tap.read("doc/api.md"), re.M | re.S)
tap.point(source in printed, "doc/api.md prints doc/example-echo.c as it is")

with tempfile.TemporaryDirectory(prefix="millrace-example-") as place:
    wire = f"wire:{place}/wire"
    server = subprocess.Popen([example, "--net", wire + ":0", "--addr", "10.9.0.2/24",
                               "--control", "none"], stderr=subprocess.PIPE, text=True)
    try:
        run = subprocess.run([load, "rr", "--to", "10.9.0.2:7777", "--net", wire + ":1",
                              "--addr", "10.9.0.1/24", "--control", "none", "--connections", "4",
                              "--count", "1000", "--size", "100000", "--quiet"],
                             capture_output=True, text=True, timeout=60)
        said = run.stdout.splitlines() + run.stderr.splitlines()
        tap.point(run.returncode == 0, "a thousand requests of 100 kB come back unharmed", said)
    finally:
        server.terminate()
        said = server.communicate(timeout=20)[1]
    tap.point(server.returncode == 0, "it ends in order when asked to", said.splitlines())
tap.done()
