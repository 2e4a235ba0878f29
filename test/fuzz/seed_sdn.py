#!/usr/bin/python3
"""seed_sdn.py: writes the first inputs of the target sdn to corpus/sdn: handshakes, packet-ins,
errors, silence and reconnections of two switches in every mode and speech."""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
SAY, SHAKE, HEAR, WAIT, REOPEN = 0, 4, 6, 8, 10


def message(version, kind, body=b""):
    return struct.pack(">BBHI", version, kind, 8 + len(body), 7) + body


def say(conn, b):
    return bytes([SAY + conn, len(b)]) + b


def packet_in(version, port, dst, src, kind=0x0800):
    frame = bytes([2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src]) + struct.pack(">H", kind) + bytes(50)
    if version == 1:
        return message(1, 10, struct.pack(">IHHBB", 5, 64, port, 0, 0) + frame)
    match = struct.pack(">HHII", 1, 12, 0x80000004, port) + bytes(4)
    return message(4, 10, struct.pack(">IHBBQ", 5, 64, 0, 0, 0) + match + bytes(2) + frame)


def script(version):
    for conn in (0, 1):
        yield bytes([SHAKE + conn, conn + 1, version == 1])
        yield bytes([WAIT, 3, HEAR + conn])
    for conn in (0, 1):
        for n in range(3):
            yield say(conn, packet_in(version, 1, 2, 1) + packet_in(version, 2, 1, 2))
        yield say(conn, packet_in(version, 1, 0xff, 1, 0x0806))
        yield bytes([HEAR + conn, WAIT, 50])
    yield say(0, message(version, 2, b"echo"))
    yield say(0, message(version, 1, bytes(4) + b"wrong"))
    yield say(0, message(version, 0x63, b"no such type"))
    yield bytes([WAIT, 255, WAIT, 255, WAIT, 255, REOPEN, SHAKE, 2, version == 1, WAIT, 9, HEAR])


def main():
    out = os.path.join(HERE, "corpus/sdn")
    os.makedirs(out, exist_ok=True)
    for mode in range(3):
        for version in (1, 4):
            with open(os.path.join(out, f"openflow-{version}-mode-{mode}"), "wb") as f:
                f.write(bytes([mode]) + b"".join(script(version)))
    for speech in (1, 2, 3):
        with open(os.path.join(out, f"pof-{speech}"), "wb") as f:
            hello = message(4, 0) + message(4, 6, bytes(208)) + message(4, 8, bytes(4))
            f.write(bytes([16 * speech]) + say(0, hello) + say(1, hello[:100]) + bytes([WAIT, 90]))


main()
