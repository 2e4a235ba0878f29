#!/usr/bin/python3
"""symbols.py LIBRARY: the shared library exports what the public headers declare,
all of it and nothing else."""
import re
import subprocess
import sys

import tap

PROTOTYPE = re.compile(r"(?:^|[;}/])\s*((?:[\w*]+[\s*]+)+)(mr_\w+)\s*\([^;{]*\)\s*"
                       r"(?:__attribute__\s*\(\(.*?\)\)\s*|MR_\w+\s*)*;", re.M | re.S)


def declared():
    names = set()
    for path in tap.files("include"):
        text = tap.without_comments(tap.read(path))
        text = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.M)
        # Bodies of inline functions hold calls, which are no declarations.
        names |= {m.group(2) for m in PROTOTYPE.finditer(re.sub(r"\{[^{}]*\}", "{}", text))
                  if not {"typedef", "static", "return"} & set(m.group(1).split())}
    return names


output = subprocess.run(["nm", "-D", "--defined-only", sys.argv[1]], check=True,
                        capture_output=True, text=True).stdout
exported = {line.split()[-1].split("@")[0] for line in output.splitlines()}

tap.point(bool(exported), "the library exports something")
tap.point(all(name.startswith("mr_") for name in exported),
          "every exported name begins with mr_",
          sorted(name for name in exported if not name.startswith("mr_")))
tap.point(exported <= declared(), "every exported name is declared in include/millrace",
          sorted(exported - declared()))
tap.point(declared() <= exported, "every function that include/millrace declares is exported",
          sorted(declared() - exported))
tap.done()
