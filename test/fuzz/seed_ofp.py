#!/usr/bin/python3
"""seed_ofp.py: writes the first inputs of the target ofp to corpus/ofp: what the unit test of the
recorded messages holds, one file each and one stream a version, and messages of a switch from the
layouts.  What a fuzzer finds later is added there beside them."""
import os
import re
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
DIALECT = {"OFP_10": 1, "OFP_13": 2}
CONTROLLER = 0x80


def goldens():
    text = open(os.path.join(HERE, "../unit/test_ofp_golden.c")).read()
    for d, body in re.findall(r"\{(OFP_1[03]),\s*((?:\"[0-9a-f]+\"\s*)+),", text):
        yield DIALECT[d], bytes.fromhex("".join(re.findall(r'"([0-9a-f]+)"', body)))


def message(version, kind, body):
    return struct.pack(">BBHI", version, kind, 8 + len(body), 7) + body


def from_switch():
    match10 = struct.pack(">I", 0x3ffffe) + struct.pack(">H", 1) + bytes(34)
    match13 = bytes.fromhex("0001000c800000040000000100000000")
    apply = bytes.fromhex("00040018000000000000001000000002ffff000000000000")
    yield 1, "features", message(1, 6, bytes(24) + bytes(48))
    yield 1, "packet-in", message(1, 10, bytes(10) + b"frame")
    yield 1, "flow-removed", message(1, 11, match10 + bytes(40))
    yield 1, "port-status", message(1, 12, bytes(56))
    yield 1, "role", message(1, 4, struct.pack(">III", 0x2320, 11, 1))
    yield 1, "flows", message(1, 17, struct.pack(">HHHBB", 1, 1, 96, 0, 0) + match10 + bytes(44)
                              + struct.pack(">HHHH", 0, 8, 3, 0))
    yield 1, "ports", message(1, 17, struct.pack(">HH", 4, 0) + bytes(104))
    yield 1, "tables", message(1, 17, struct.pack(">HH", 3, 0) + bytes(64))
    yield 1, "desc", message(1, 17, struct.pack(">HH", 0, 0) + b"a" * 1056)
    yield 2, "packet-in", message(4, 10, bytes(16) + match13 + bytes(2) + b"frame")
    yield 2, "flow-removed", message(4, 11, bytes(40) + match13)
    yield 2, "port-status", message(4, 12, bytes(72))
    yield 2, "flows", message(4, 19, struct.pack(">HHI", 1, 0, 0) + struct.pack(">HBB", 88, 0, 0)
                              + bytes(44) + match13 + apply)
    yield 2, "port-desc", message(4, 19, struct.pack(">HHI", 13, 0, 0) + bytes(64))
    yield 2, "ports", message(4, 19, struct.pack(">HHI", 4, 0, 0) + bytes(112))
    yield 2, "group-desc", message(4, 19, struct.pack(">HHI", 7, 0, 0)
                                   + struct.pack(">HBBI", 24, 1, 0, 5)
                                   + struct.pack(">HHIII", 16, 1, 2, 3, 0))
    yield 2, "meters", message(4, 19, struct.pack(">HHI", 9, 0, 0)
                               + struct.pack(">IH", 1, 56) + bytes(50))
    yield 2, "meter-config", message(4, 19, struct.pack(">HHI", 10, 0, 0)
                                     + struct.pack(">HHI", 24, 1, 3)
                                     + struct.pack(">HHIII", 1, 16, 9, 9, 0))
    yield 2, "async", message(4, 27, bytes(24))
    for d in 3, 4:
        yield d, "features", message(4, 6, bytes(208))
        yield d, "port-status", message(4, 12, bytes(128))
        yield d, "resources", message(4, 13, bytes(80 if d == 3 else 88))
        yield d, "packet-in", message(4, 10, bytes(24) + b"frame")


def main():
    out = os.path.join(HERE, "corpus/ofp")
    os.makedirs(out, exist_ok=True)
    streams = {}
    for d, name, m in from_switch():
        open(os.path.join(out, "switch-%d-%s" % (d, name)), "wb").write(bytes([d]) + m)
    for i, (d, m) in enumerate(goldens()):
        streams[d] = streams.get(d, b"") + m
        if m[1] in (14, 15, 16, 18, 29):
            open(os.path.join(out, "tool-%02d" % i), "wb").write(bytes([CONTROLLER | d]) + m)
    for d, m in streams.items():
        open(os.path.join(out, "stream-%d" % d), "wb").write(bytes([CONTROLLER | d]) + m)
    for name, m in (("hello", "0400001000000001000100080000 0012"),
                    ("hello-short", "0100000800000001"), ("hello-odd", "060000100000000100010009")):
        open(os.path.join(out, name), "wb").write(b"\0" + bytes.fromhex(m.replace(" ", "")))


if __name__ == "__main__":
    main()
