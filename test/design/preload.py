#!/usr/bin/python3
"""The three lists of the preload library say the same: what is wrapped, what is exported, and what means
libc's in the stack's own code."""
import re

import tap

wrapped = set()
for path in tap.files("src/preload"):
    wrapped |= set(re.findall(r"^WRAPPER\([^,]+,\s*(\w+),", tap.read(path), re.M))
tap.point(len(wrapped) > 80, "there are wrappers")

exported = set(re.findall(r"(\w+);", tap.read("src/preload/preload.map").split("local:")[0]))
tap.point(exported == wrapped, "preload.map exports each wrapper, and nothing else",
          sorted(exported ^ wrapped))

lists = tap.read("src/preload/next.h").split("#define NEXT_OUTER(X)")
inner, outer = (set(re.findall(r"\bX\([^,]+,\s*(\w+),", part)) for part in lists)
told = tap.read("src/preload/meson.build").split("foreach name : [")[1].split("]")[0]
linker = set(re.findall(r"'(\w+)'", told))
tap.point(inner == linker, "what the stack calls itself is what the linker is told of",
          sorted(inner ^ linker))
tap.point(not (inner | outer) - wrapped, "nothing is looked up that is not wrapped",
          sorted((inner | outer) - wrapped))
tap.done()
