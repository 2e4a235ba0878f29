#!/usr/bin/python3
"""A room includes only rooms at or before it, and a pure room almost no libc."""
import re

import tap

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "limits.h",
                "stdatomic.h", "stdalign.h", "stdnoreturn.h", "immintrin.h",
                "emmintrin.h"}

# One exception, word for word: where there is a libc, its declarations of mem* must come before
# the macros of the same names.
HOSTED = {"src/base/types.h": re.compile(
    r"^#if __STDC_HOSTED__\n#include <string\.h>[^\n]*\n#endif\n", re.M)}

order = [name for name, _ in tap.rooms()]
kind = dict(tap.rooms())


def includes(path):
    # Comments go, but the names between quotes must stay, so only lines count.
    text = tap.read(path)
    if path in HOSTED:
        text = HOSTED[path].sub("", text, count=1)
    bare = tap.without_comments(text).splitlines()
    for line, clean in zip(text.splitlines(), bare):
        m = INCLUDE.match(line)
        if m and clean.lstrip().startswith("#"):
            yield m.group(1), m.group(2)


upward, dotted, libc, strangers, private = [], [], [], [], []
for path in tap.files("src"):
    parts = path.split("/")
    if len(parts) < 3 or parts[1] not in kind:
        strangers.append(f"{path}: not in a room that src/rooms names")
        continue
    room = parts[1]
    for bracket, name in includes(path):
        if ".." in name.split("/"):
            dotted.append(f"{path}: {name}")
        elif bracket == "<":
            if (kind[room] == "pure" and name not in FREESTANDING
                    and not name.startswith("millrace/")):
                libc.append(f"{path}: <{name}>")
        else:
            other = name.split("/")[0]
            if "/" not in name or other not in kind:
                strangers.append(f'{path}: "{name}" does not begin with a room')
            elif order.index(other) > order.index(room) or (
                    other != room and kind[other] == "module"):
                upward.append(f"{path}: {room} may not know {other} ({name})")
            elif other != room and name.endswith("_int.h"):
                private.append(f"{path}: {name} is private to {other}")

for path in tap.files("include", "test"):
    dotted += [f"{path}: {name}" for _, name in includes(path) if ".." in name.split("/")]

public = [f"{path}: {name}" for path in tap.files("include") for bracket, name in includes(path)
          if bracket == '"' or name not in FREESTANDING and not name.startswith("millrace/")]

tap.point(not upward, "no room includes a room after it", upward)
tap.point(not dotted, 'no include climbs with ".."', dotted)
tap.point(not libc, "pure rooms include only freestanding headers", libc)
tap.point(not strangers, "every include names the room it comes from", strangers)
tap.point(not private, "a room's _int.h stays inside the room", private)
tap.point(not public, "public headers include only public or freestanding headers", public)
tap.done()
