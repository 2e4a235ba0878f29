"""TAP output and a view of the source tree, for the design tests."""
import os
import re
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

_points = 0
_failed = 0


def point(ok, name, details=()):
    """Prints one TAP point; the details only when it failed."""
    global _points, _failed
    _points += 1
    print(f"{'ok' if ok else 'not ok'} {_points} - {name}")
    if not ok:
        _failed += 1
        for line in details:
            print(f"# {line}")


def note(line):
    print(f"# {line}")


def skip(name, reason):
    global _points
    _points += 1
    print(f"ok {_points} - {name} # SKIP {reason}")


def done():
    print(f"1..{_points}")
    sys.exit(1 if _failed else 0)


def files(*folders, suffixes=(".c", ".h")):
    """Paths under ROOT, sorted, relative to it."""
    found = []
    for folder in folders:
        for where, below, names in os.walk(os.path.join(ROOT, folder)):
            below[:] = [b for b in below if not b.startswith((".", "__"))]
            found += [os.path.relpath(os.path.join(where, n), ROOT)
                      for n in names if n.endswith(suffixes)]
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def rooms():
    """[(name, kind)] of src/rooms, bottom to top."""
    lines = [line.split() for line in read("src/rooms").splitlines()
             if line and not line.startswith("#")]
    return [(words[0], words[1]) for words in lines]


_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments(text):
    """The text with comments and the insides of strings blanked, line for line."""
    def blank(m):
        token = m.group(0)
        if token[0] in "\"'":
            return token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)
    return _TOKEN.sub(blank, text)


def comments(text):
    return "\n".join(m.group(0) for m in _TOKEN.finditer(text) if m.group(0)[0] == "/")
