#!/usr/bin/python3
"""Sizes and tidiness: functions, files, leftovers, tests that nobody runs."""
import os
import re
import statistics

import tap

FUNCTION_LINES_MAX = 100
FUNCTION_LINES_LONG = 70
LONG_SHARE_MAX = 0.02
FILE_LINES_MAX = 700
LINE_COLUMNS_MAX = 100

# Spelled so that this file does not find itself.
LEFTOVER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
NAME = re.compile(r"(\w+)\s*\(")


def functions(path):
    """(name, lines) of each function: from its brace in column 0, or the line that
    ends in ') {', to the closing brace in column 0."""
    lines = tap.without_comments(tap.read(path)).splitlines()
    start = None
    for i, line in enumerate(lines):
        if start is None and (line == "{" or re.match(r"^\w.*\)\s*\{$", line)):
            start = i
        elif start is not None and line.startswith("}"):
            yield function_name(lines, start), i - start + 1
            start = None


def function_name(lines, start):
    head = lines[start]
    i = start
    while i > 0 and not NAME.search(head) and lines[i - 1].strip():
        i -= 1
        head = lines[i] + head
    # Of "static int x(int (*f)(void))" the name is the first word before a bracket.
    found = [n for n in NAME.findall(head) if n not in ("__attribute__", "aligned")]
    return found[0] if found else "?"


code = tap.files("src", "include", "test")
sized = [(n, name, path) for path in code for name, n in functions(path)]
sized.sort(reverse=True)
too_long = [f"{n} lines: {name} in {path}" for n, name, path in sized if n > FUNCTION_LINES_MAX]
long = [f"{n} lines: {name} in {path}" for n, name, path in sized if n > FUNCTION_LINES_LONG]

files = [(tap.read(path).count("\n"), path) for path in code]
big = [f"{n} lines: {path}" for n, path in files if n > FILE_LINES_MAX]

if sized:
    tap.note(f"{len(sized)} functions, median {statistics.median(n for n, _, _ in sized):g} lines; "
             f"{len(files)} files, median {statistics.median(n for n, _ in files):g} lines")
for line in long:
    tap.note(line)
tap.point(not too_long, f"no function is longer than {FUNCTION_LINES_MAX} lines", too_long)
tap.point(len(long) <= LONG_SHARE_MAX * len(sized),
          f"at most {LONG_SHARE_MAX:.0%} of functions are longer than {FUNCTION_LINES_LONG} lines",
          [f"{len(long)} of {len(sized)}"])
tap.point(not big, f"no file is longer than {FILE_LINES_MAX} lines", big)

wide = [f"{path}:{i}" for path in code for i, line in enumerate(tap.read(path).splitlines(), 1)
        if len(line.expandtabs(4)) > LINE_COLUMNS_MAX]
tap.point(not wide, f"no line is wider than {LINE_COLUMNS_MAX} columns", wide)

text_files = tap.files("src", "include", "test", "script", "doc", ".ci",
                       suffixes=(".c", ".h", ".py", ".sh", ".md", ".build", ".tsv", ".pkt"))
text_files += [p for p in tap.files("script", ".ci", suffixes=("",)) if p not in text_files]
left = [f"{path}:{i}: {line.strip()[:80]}" for path in text_files
        for i, line in enumerate(tap.read(path).splitlines(), 1) if LEFTOVER.search(line)]
tap.point(not left, "no work is left as a note in the text", left)

dead = [f"{path}:{i}" for path in code
        for i, line in enumerate(tap.read(path).splitlines(), 1) if re.match(r"^\s*#\s*if\s+0\b", line)]
tap.point(not dead, "no code is switched off with #if 0", dead)

for folder, prefix in (("unit", "test_"), ("fuzz", "fuzz_")):
    build = "test/" + folder + "/meson.build"
    if not os.path.exists(os.path.join(tap.ROOT, build)):
        continue
    named = set(re.findall(r"'(\w+)'", tap.read(build)))
    here = [os.path.basename(path)[len(prefix):-2] for path in tap.files("test/" + folder)
            if os.path.basename(path).startswith(prefix) and path.endswith(".c")]
    forgotten = sorted(set(here) - named)
    tap.point(not forgotten, f"every {folder} test is named in {build}", forgotten)

built = "".join(tap.read(path) for path in tap.files("src", suffixes=("meson.build",)))
orphans = [path for path in tap.files("src", suffixes=(".c",))
           if f"'{os.path.basename(path)}'" not in built
           and f"'{os.path.basename(path)[:-2]}'" not in built]
tap.point(not orphans, "every source file is built", orphans)
tap.done()
