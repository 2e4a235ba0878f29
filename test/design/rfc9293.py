#!/usr/bin/python3
"""Every MUST and SHOULD of RFC 9293 is named where it is met and where it is tested.

rfc9293-requirements.tsv is the numbered list of RFC 9293, appendix B: section,
feature, id, level, and the sentence of the RFC that carries the number.  An id
such as MUST-12 counts as met when a comment in src/ names it, as tested when a
file in test/ does (comments of C files; anywhere in scenarios and scripts).

rfc9293-exceptions.tsv lists what we do not do: id, where (src, test or both), and
the reason.
"""
import csv
import io
import re

import tap

ID = re.compile(r"\b(?:MUST|SHLD)-\d+\b")
HERE = "test/design/"


def table(path):
    rows = csv.reader(io.StringIO(tap.read(path)), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [row for row in rows if row and not row[0].startswith("#")]


def number(identity):
    level, n = identity.split("-")
    return level, int(n)


def named(paths):
    found = set()
    for path in paths:
        text = tap.read(path)
        found |= set(ID.findall(tap.comments(text) if path.endswith((".c", ".h")) else text))
    return found


wanted = {}
for row in table(HERE + "rfc9293-requirements.tsv")[1:]:
    if ID.fullmatch(row[2]):
        wanted[row[2]] = f"{row[0]}: {row[1]}"

excepted = {"src": set(), "test": set()}
wrong = []
for row in table(HERE + "rfc9293-exceptions.tsv"):
    if len(row) != 3 or row[0] not in wanted or row[1] not in ("src", "test", "both"):
        wrong.append("not understood: " + " | ".join(row))
    elif len(row[2].split()) < 3:
        wrong.append(f"{row[0]}: a reason is a sentence")
    else:
        for side in ("src", "test") if row[1] == "both" else (row[1],):
            excepted[side].add(row[0])

have = {
    "src": named(tap.files("src", "include")),
    "test": named([path for path in tap.files("test", suffixes=(".c", ".h", ".py", ".sh", ".pkt"))
                   if not path.startswith(HERE)]),
}

tap.point(len(wanted) > 90, "the list of requirements is whole", [f"{len(wanted)} ids"])
for side in ("src", "test"):
    for level, word in (("MUST", "MUST"), ("SHLD", "SHOULD")):
        ids = {i for i in wanted if i.startswith(level)}
        missing = sorted(ids - have[side] - excepted[side], key=number)
        tap.note(f"{side}: {len(ids & have[side])} of {len(ids)} {word} named, "
                 f"{len(ids & excepted[side])} excepted")
        tap.point(not missing, f"every {word} of RFC 9293 is named in {side}/",
                  [f"{i}  {wanted[i]}" for i in missing])

wrong += [f"{i}: excepted, yet named in {side}/" for side in ("src", "test")
          for i in sorted(excepted[side] & have[side], key=number)]
wrong += [f"{i} is no requirement of RFC 9293, yet named in {side}/" for side in ("src", "test")
          for i in sorted(have[side] - set(wanted), key=number)]
tap.point(not wrong, "every exception and every named id is true", wrong)
tap.done()
