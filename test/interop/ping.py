#!/usr/bin/python3
"""ping from 0 to 65,507 bytes."""
import os
import socket
import struct
import time

import lab

lab.enter()
lab.network()
server = lab.echo()
try:
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
except PermissionError:
    lab.skip_all("may not open a raw socket")
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
s.settimeout(1)


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


content = os.urandom(65536)


def echo(size, seq):
    """True if the same bytes come back."""
    body = content[:size]
    head = struct.pack("!BBHHH", 8, 0, 0, 0x4d52, seq & 0xffff)
    head = struct.pack("!BBHHH", 8, 0, checksum(head + body), 0x4d52, seq & 0xffff)
    s.sendto(head + body, (lab.OURS, 0))
    end = time.monotonic() + 1
    while time.monotonic() < end:
        try:
            packet = s.recv(70000)
        except TimeoutError:
            return False
        reply = packet[(packet[0] & 15) * 4:]
        if reply[0] == 0 and reply[4:8] == head[4:8]:
            return reply[8:] == body and checksum(reply) == 0
    return False


def sweep(sizes, name):
    lost = []
    for i, size in enumerate(sizes):
        # A reply may fall to the kernel's own limits under load: each size gets a second chance.
        if not echo(size, 2 * i) and not echo(size, 2 * i + 1):
            lost.append(size)
            if len(lost) > 5:
                break
    lab.point(not lost, name, f"not answered: {lost}")


sweep(range(0, 1600, 1 if lab.FULL else 13),
      "every size up to the MTU and a little more comes back")
if lab.DATAGRAM_MAX < 65507:
    for name in ("sizes on the way to the largest", "the largest sizes"):
        lab.skip(name, lab.WHY_NO_LARGER)
    lab.done()
sweep(range(1600, 65507, 331 if lab.FULL else 3331),
      "sizes on the way to the largest come back in fragments")
sweep(range(65507 - 40, 65508), "the largest sizes, up to 65507, come back")
ip = lab.ask(server)["counters"]["ip"]
lab.point(ip["drop_frag_overlap"] == 0 and ip["drop_icmp_csum"] == 0, "nothing was mutilated", ip)
lab.done()
