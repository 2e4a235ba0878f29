#!/usr/bin/python3
"""The kernel's frames come up on the queues that our steering program says, every one."""
import os
import socket
import struct
import subprocess
import time

import lab

lab.enter()
program = os.path.join(lab.BUILD, "test", "interop", "steer_count")
if not os.path.exists(program):
    lab.skip_all("steer_count is not built")
MAC = "02:00:00:00:00:02"


class Counter:
    """steer_count on a device of its own."""

    def __init__(self, tap, queues, key="default", before=(), made=None):
        if made is not None:
            lab.run("ip", "tuntap", "add", tap, "mode", "tap", *made)
        self.p = lab.start(*before, program, tap, str(queues), key, text=True,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        hello = self.p.stdout.readline().rstrip("\n")
        words = hello.split(" ", 5)
        self.queues, self.spread, self.why = int(words[1]), words[3], words[5]
        self.tap = tap
        lab.write(f"/proc/sys/net/ipv6/conf/{tap}/disable_ipv6", "1")
        lab.run("ip", "link", "set", tap, "up")
        lab.run("ip", "address", "add", lab.KERNEL + "/24", "dev", tap)
        lab.run("ip", "neighbour", "replace", lab.OURS, "lladdr", MAC, "dev", tap)

    def say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().split()

    def count(self):
        w = self.say("count")
        return {"right": int(w[1]), "wrong": int(w[3]), "hashless": int(w[5]),
                "queues": [int(x) for x in w[7:]]}

    def end(self):
        self.p.stdin.close()
        self.p.wait(10)
        lab.run("ip", "link", "del", self.tap, check=False)


def pace(i):
    """No faster than the counter reads: a TAP's queue holds 1000 frames."""
    if i % 50 == 49:
        time.sleep(0.002)


def send_udp(n, size=20, first=10000):
    for i in range(n):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((lab.KERNEL, first + i))
        s.sendto(bytes(size), (lab.OURS, 1000 + i % 7))
        s.close()
        pace(i)
    return n


def send_tcp(n):
    """SYNs to a host that does not answer."""
    for i in range(n):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((lab.OURS, 2000 + i % 5))
        s.close()
        pace(i)
    return n


def ipv4(proto, payload, options=b"", frag=0, dst=lab.OURS, i=0):
    head = struct.pack(">BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload),
                       i & 0xffff, frag, 64, proto, 0, socket.inet_aton(lab.KERNEL),
                       socket.inet_aton(dst))
    return head + options + payload


def send_raw(tap, frames):
    """Frames as they are, the Ethernet header put in front of (type, rest)."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((tap, 0))
    mac = bytes.fromhex(MAC.replace(":", ""))
    for i, (kind, rest) in enumerate(frames):
        s.send(mac + b"\x02\0\0\0\0\1" + struct.pack(">H", kind) + rest)
        pace(i)
    s.close()
    return len(frames)


def ports(i):
    return struct.pack(">HHHH", 3000 + 13 * i & 0xffff, 80, 8, 0)


def arrived(c, name, sent, spread=True):
    time.sleep(0.05)
    got = c.count()
    lab.point(got["right"] >= sent and got["wrong"] == 0,
              f"{c.queues} queues: {name}: every one is on its queue", f"{sent} sent, {got}")
    if spread:
        least = (got["right"] - got["hashless"]) / c.queues / 2
        lab.point(min(got["queues"]) >= least, f"{c.queues} queues: {name}: on all of them", got)
    return got


def tagged_beside(c):
    """A VLAN device leaves the tag beside the frame until the driver takes it."""
    made = lab.run("ip", "link", "add", "link", c.tap, "name", "tagged", "type", "vlan", "id", "9",
                   check=False)
    if made.returncode != 0:
        lab.skip(f"{c.queues} queues: VLAN tags beside the frame", made.stderr.strip())
        return 0
    lab.run("ip", "link", "set", "tagged", "up")
    lab.run("ip", "address", "del", lab.KERNEL + "/24", "dev", c.tap)
    lab.run("ip", "address", "add", lab.KERNEL + "/24", "dev", "tagged")
    lab.run("ip", "neighbour", "replace", lab.OURS, "lladdr", MAC, "dev", "tagged")
    got = arrived(c, "VLAN tags beside the frame", send_udp(1000))["right"]
    lab.run("ip", "link", "del", "tagged")
    lab.run("ip", "address", "add", lab.KERNEL + "/24", "dev", c.tap)
    lab.run("ip", "neighbour", "replace", lab.OURS, "lladdr", MAC, "dev", c.tap)
    return got


def everything(queues, key):
    c = Counter(f"steer{queues}", queues, key)
    if c.spread != "rss":
        c.end()
        lab.skip(f"{queues} queues: frames are spread by our program", c.why)
        return False
    lab.point(c.queues == queues and c.why == "", f"{queues} queues are opened")
    total = arrived(c, "UDP", send_udp(4000))["right"]
    total += arrived(c, "TCP", send_tcp(2000))["right"]
    frames = [(0x0800, ipv4(17, ports(i), b"\x01" * 4 * (1 + i % 10))) for i in range(1000)]
    total += arrived(c, "IP options", send_raw(c.tap, frames))["right"]
    frames = [(0x8100, struct.pack(">HH", 7, 0x0800) + ipv4(6, ports(i) + bytes(12)))
              for i in range(1000)]
    total += arrived(c, "VLAN tags in the frame", send_raw(c.tap, frames))["right"]
    frames = [(0x0800, ipv4(17, ports(i), frag=0x2000 | i % 3, dst=f"10.9.{i % 250}.{i // 250}"))
              for i in range(1000)]
    total += arrived(c, "fragments", send_raw(c.tap, frames))["right"]
    frames = [(0x0800, ipv4(1 + i % 3 * 46, bytes(8), dst=f"10.9.{i % 250}.{i // 250}"))
              for i in range(1000)]
    total += arrived(c, "no ports", send_raw(c.tap, frames))["right"]
    frames = [(0x0800, (ipv4(6, ports(i), b"\x01" * 4))[:i % 32]) for i in range(320)]
    frames += [(0x86dd, bytes(60)), (0x0806, bytes(46)), (0x88b5, bytes(46))]
    total += arrived(c, "cut short, or not IPv4", send_raw(c.tap, frames), spread=False)["right"]
    total += tagged_beside(c)
    total += arrived(c, "the kernel's own fragments", send_udp(500, 3000), spread=False)["right"]
    for seed in range(5):
        lab.point(c.say(f"table {seed}") == ["table", "0"], f"{queues} queues: another table")
        total += arrived(c, "with another table", send_udp(500), spread=False)["right"]
    lab.point(c.say("key") == ["key", "0"], f"{queues} queues: another key")
    total += arrived(c, "with another key", send_udp(1000))["right"]
    lab.note(f"{queues} queues: {total} frames, each on the queue predicted")
    c.end()
    return True


if everything(2, "default"):
    everything(4, "symmetric")
    everything(3, "default")

one = Counter("steerone", 2, made=())
lab.point((one.queues, one.spread) == (1, "none") and "has one queue" in one.why,
          "a device made with one queue is opened with one, and that is said", one.why)
send_udp(100)
lab.point(one.count()["queues"][0] >= 100, "and works")
one.end()

many = Counter("steermany", 2, made=("multi_queue",))
lab.point(many.queues == 2, "a device made beforehand with many queues is used")
many.end()

bare = ("setpriv", "--bounding-set", "-sys_admin,-bpf,-perfmon")
if lab.run(*bare, "true", check=False).returncode != 0:
    lab.skip("without the right to load programs", "setpriv cannot take the right away")
else:
    c = Counter("steerbare", 2, before=bare)
    if c.spread == "rss":
        lab.skip("without the right to load programs", "this kernel lets anybody load them")
    else:
        lab.point(c.spread == "unknown" and "takes no steering program" in c.why,
                  "without the right to load programs the port opens and says why", c.why)
        send_udp(200)
        time.sleep(0.05)
        lab.point(sum(c.count()["queues"]) >= 200, "and every frame comes up somewhere")
    c.end()
lab.done()
