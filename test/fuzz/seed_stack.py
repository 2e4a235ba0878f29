#!/usr/bin/python3
"""seed_stack.py: writes the first inputs of fuzz_stack to corpus/stack: short conversations, one
for each part of the stack that random bytes find late.  The operations are those that
fuzz_stack.c describes."""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))

TX_CSUM, TSO, SACK, TS, COOKIES, SMALL, WRAP = (1 << n for n in range(7))
FIN, SYN, RST, PSH, ACK, URG = (1 << n for n in range(6))
ISS = 1000  # the stack's, without WRAP
MSS = bytes.fromhex("020405b4")
ALL = MSS + bytes.fromhex("0101 0402 0103 0307")
STAMP = bytes.fromhex("0101 080a")


def segment(which, flags, seq=0, ack=0, wnd=65535, options=b"", units=0, op=1):
    """A segment of `units` times 61 bytes; seq and ack count from what the stack expects."""
    assert len(options) % 4 == 0
    return bytes([op, which, flags]) + struct.pack(
        ">HHHB", seq & 0xffff, ack & 0xffff, wnd, len(options) // 4 + 11 * units) + options


def syn(which, options=MSS, seq=100):
    return segment(which, SYN, seq, options=options, op=2)


def opened(which=0, options=MSS):
    return syn(which, options) + segment(which, ACK, options=stamp(1) if STAMP in options else b"")


def stamp(value):
    return STAMP + struct.pack(">II", value, value)


def sack(*blocks):
    """Blocks count from the first byte that the stack sends."""
    return bytes([1, 1, 5, 2 + 8 * len(blocks)]) + b"".join(
        struct.pack(">II", ISS + 1 + a, ISS + 1 + b) for a, b in blocks)


def call(what, sock, arg=0):
    return bytes([4, sock << 4 | what]) + struct.pack(">H", arg)


def connect(sock, port=0):
    return call(0, sock, port)


def listen(sock, port=0):
    return call(0, sock, 128 | port)


def send(sock, n, flags=0):
    return call(2, sock, n | flags << 14)


def read(sock, n=4095):
    return call(5, sock, n)


def wait(ms):
    return bytes([5]) + struct.pack(">H", ms * 2)


def wait_long(seconds):
    return bytes([13]) + struct.pack(">H", seconds * 10)


def setopt(sock, opt, value):
    return call(12, sock, opt << 8 | value)


def icmp(kind, code, mtu=0):
    return bytes([6, kind, code]) + struct.pack(">H", mtu)


def fragment(offset, more, units):
    return bytes([3, 1]) + struct.pack(">HB", offset // 8 | more << 13, units) + bytes(4 * units)


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack(">H", ~total & 0xffff)


def routed_syn():
    """A frame: a SYN that came by a source route."""
    addresses = bytes.fromhex("0a0000020a000001")
    tcp = bytes.fromhex("07d0 0050 00000064 00000000 5002 ffff 0000 0000")
    tcp = tcp[:16] + checksum(addresses + b"\0\6\0\x14" + tcp) + tcp[18:]
    ip = bytes.fromhex("47 00 0030 0007 0000 40 06 0000") + addresses + bytes.fromhex(
        "83 07 08 0a000003 00")
    ip = ip[:10] + checksum(ip) + ip[12:]
    frame = bytes.fromhex("025100000001 020000000009 0800") + ip + tcp
    return b"\0" + struct.pack(">H", len(frame)) + frame


# The sockets: 0 listens on port 80, 1 is UDP, the first accepted one is 2.
SEEDS = {
    "served-and-closed": (
        0, opened() + segment(0, PSH | ACK, units=3) + read(2) + send(2, 500)
        + segment(0, ACK) + call(9, 2) + segment(0, ACK) + segment(0, FIN | ACK) + call(10, 2)),
    "closed-by-the-peer": (
        SACK, opened() + segment(0, FIN | ACK, units=1) + read(2) + read(2) + call(10, 2)
        + segment(0, ACK)),
    "connected": (
        TX_CSUM | TS | SACK, connect(3) + segment(2, SYN | ACK, 100, options=ALL)
        + send(3, 3000) + segment(2, ACK) + segment(2, PSH | ACK, units=20) + read(3)
        + call(10, 3) + segment(2, ACK) + segment(2, FIN | ACK)),
    "opened-at-once": (
        0, connect(3) + segment(2, SYN, 100, options=MSS) + segment(2, ACK) + send(3, 10)
        + call(9, 3) + segment(2, FIN | ACK, 0, -1) + segment(2, ACK)),
    "refused": (0, connect(3) + segment(2, RST | ACK) + call(11, 3)),
    "recovered-with-sack": (
        SACK, opened(0, ALL) + send(2, 4095) + send(2, 4095)
        + segment(0, ACK, 0, -7300, options=sack((1460, 2920)))
        + segment(0, ACK, 0, -7300, options=sack((1460, 4380)))
        + segment(0, ACK, 0, -7300, options=sack((1460, 5840)))
        + segment(0, ACK, 0, -1460, options=sack((1460, 5840)))
        + segment(0, ACK, 0, 0, options=sack((2920, 4380), (5840, 7300)))
        + segment(0, ACK, 0, 0, options=sack((2920, 7300)))
        + segment(0, ACK, 0, 1460) + segment(0, ACK, 0, 4380) + segment(0, ACK)),
    "recovered-without-sack": (
        TSO, opened() + send(2, 4095) + send(2, 4095) + 4 * segment(0, ACK, 0, -7300)
        + 3 * segment(0, ACK, 0, -1460) + segment(0, ACK) + segment(0, ACK, 0, 2920)
        + segment(0, ACK)),
    "timed-out": (
        TSO | SACK, opened(0, ALL) + send(2, 4095) + wait(300) + wait(500) + wait(1000)
        + wait(2000) + wait(4000) + segment(0, ACK) + send(2, 100) + 20 * wait_long(60)),
    "out-of-order": (
        SACK, opened(0, ALL) + segment(0, PSH | ACK, 122, units=1) + segment(
            0, PSH | ACK, 305, units=1) + segment(0, PSH | ACK, 183, units=3)
        + segment(0, PSH | ACK, 61, units=1) + segment(0, PSH | ACK, 366, units=2)
        + segment(0, FIN | ACK, 488) + segment(0, PSH | ACK, 0, units=8) + read(2)),
    "out-of-order-and-forgotten": (
        SMALL | SACK, opened(0, ALL) + b"".join(
            segment(0, ACK, 122 * n, units=1) for n in range(1, 8)) + call(11, 2)),
    "old-timestamps": (
        TS, opened(0, MSS + stamp(1)) + segment(0, ACK, options=stamp(9), units=1)
        + segment(0, ACK, options=stamp(2), units=1) + segment(0, RST)),
    "window-shut": (
        SMALL, opened() + send(2, 4095) + segment(0, ACK, wnd=0) + wait(300) + wait(600)
        + segment(0, ACK, 0, -1, wnd=0) + wait(2000) + segment(0, ACK, 0, 0, wnd=9000)
        + 4 * segment(0, PSH | ACK, units=20) + call(5, 2, 1500) + read(2) + read(2)),
    "keepalive": (
        0, opened() + setopt(2, 3, 1) + setopt(2, 4, 1) + 3 * wait_long(100)
        + segment(0, ACK) + 12 * wait_long(100)),
    "urgent": (
        0, opened() + segment(0, URG | PSH | ACK, units=2) + call(13, 2, 23 << 8) + send(2, 9, 2)
        + segment(0, URG | PSH | ACK, units=4) + read(2)),
    "lent-and-given": (
        TX_CSUM | TSO, opened() + 3 * (segment(0, PSH | ACK, units=20) + call(7, 2))
        + call(4, 2, 4000) + call(8, 0, 1) + segment(0, ACK) + call(10, 2) + call(8, 0, 0)
        + call(8, 0, 2)),
    "copied-when-buffers-run-out": (
        0, opened() + 11 * (segment(0, PSH | ACK, units=20) + segment(
            0, PSH | ACK, 1220, units=20)) + read(2) + read(2)),
    "ports-refuse": (
        0, opened() + b"\x1f" + send(2, 4095) + segment(0, ACK, units=1) + b"\x07" + wait(300)
        + b"\x27" + segment(0, ACK, units=1) + b"\x07" + segment(0, ACK, units=1)),
    "cookies": (COOKIES | SACK | TS, opened(0, ALL) + segment(0, ACK, units=1) + read(2)),
    "many-syns": (0, b"".join(syn(n) for n in range(12)) + segment(9, ACK) + wait_long(60)),
    "path-mtu": (
        TSO, opened() + send(2, 4095) + icmp(3, 4, 1000) + icmp(3, 4, 0) + icmp(3, 4, 60)
        + segment(0, ACK) + 8 * wait_long(100)),
    "soft-and-hard-errors": (
        0, connect(3) + icmp(3, 1) + icmp(11, 0) + icmp(12, 0) + icmp(4, 0) + icmp(3, 3)
        + connect(4, 1) + icmp(3, 2)),
    "time-wait": (
        0, opened() + call(10, 2) + segment(0, FIN | ACK) + segment(0, FIN | ACK, -1)
        + segment(0, RST, 0) + syn(0, seq=9) + segment(0, ACK) + wait_long(200)),
    "simultaneous-close": (
        WRAP, opened() + call(10, 2) + segment(0, FIN | ACK, 0, -1) + segment(0, ACK)),
    "to-itself": (0, listen(3, 2) + connect(4, 64) + wait(1) + wait_long(1)),
    "reset-and-challenged": (
        0, opened() + segment(0, RST, 50) + segment(0, SYN) + segment(0, ACK, 0, 9999)
        + segment(0, ACK, 0, -30000) + segment(0, RST)),
    "udp": (
        0, call(14, 0, 100) + call(14, 0, 8000) + fragment(0, True, 10) + fragment(40, False, 3)
        + call(15, 0) + fragment(0, True, 10) + fragment(16, False, 10) + wait_long(100)),
    "echo": (0, bytes([3, 32]) + b"\0\0\3" + bytes.fromhex("08 00 f7ff 0000 0000 00000000")),
    "source-route": (0, routed_syn() + segment(0, ACK) + send(2, 4000) + segment(0, ACK)),
}


def main():
    folder = os.path.join(HERE, "corpus", "stack")
    os.makedirs(folder, exist_ok=True)
    for name, (knobs, operations) in SEEDS.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(bytes([knobs]) + operations)


if __name__ == "__main__":
    main()
