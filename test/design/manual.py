#!/usr/bin/python3
"""The manual page of devices names every kind and every option that a driver reads."""
import os
import re
import shutil
import subprocess

import tap

PAGE = "doc/man/millrace-dev.7"
page = tap.read(PAGE).replace("\\-", "-")

kinds = re.findall(r'^    \{"(\w+)", "\1:', tap.read("src/drv/dev.c"), re.M)
tap.point(len(kinds) >= 4, "drv/dev.c has a table of kinds")
missing = [k for k in kinds if not re.search(rf'^\.SS "{k}:', page, re.M)]
tap.point(not missing, "the page has a section for every kind of device", missing)

# Drivers read their words by comparing dev_words' key, or by a table of {"word", ...}.
WORD = re.compile(r'strcmp\(\w+(?:\.|->)key, "([\w-]+)"\)|\{"([\w-]+)", "[^"]*", read_\w+\}')
words = {a or b for path in tap.files("src") for a, b in WORD.findall(tap.read(path))}
tap.point(bool(words), "drivers read words")
lost = sorted(w for w in words if not re.search(rf"^\.B\S* {re.escape(w)}\b", page, re.M))
tap.point(not lost, "the page has every option that a driver reads", lost)

if shutil.which("groff"):
    said = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", os.path.join(tap.ROOT, PAGE)],
                          capture_output=True, text=True).stderr
    tap.point(said == "", "groff has nothing to say about the page", said.splitlines())
else:
    tap.skip("groff has nothing to say about the page", "groff is not installed")
tap.done()
