#!/usr/bin/python3
"""millrace-relay between the kernel's clients and the kernel's servers."""
import hashlib
import os
import socket
import struct
import sys
import threading
import time

import lab

BULK = int(os.environ.get("LAB_BULK_BYTES", 100 << 20))
MANY = 500
PORTS = (8001, 8002)
BLOCK = os.urandom(1 << 20)

lab.enter()
relay_program = lab.program("millrace-relay")
lab.tap()


# ---- the upstreams: a word, a number, and what to do ----------------------------------------

def pattern(n):
    """n bytes that tell where they belong, in parts."""
    for at in range(0, n, len(BLOCK)):
        yield (at.to_bytes(8, "little") + BLOCK[8:])[:n - at]


def digest_of(n):
    d = hashlib.sha256()
    for part in pattern(n):
        d.update(part)
    return d.digest()


def read_to_end(s):
    d, n = hashlib.sha256(), 0
    while part := s.recv(1 << 18):
        d.update(part)
        n += len(part)
    return d.digest(), n


def send_pattern(s, n, count=None):
    for part in pattern(n):
        s.sendall(part)
        if count is not None:
            count[0] += len(part)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class Upstream:
    def __init__(self, port):
        self.port, self.served, self.resets, self.sent = port, 0, 0, [0]
        self.last = None
        self.listener = None
        self.up()

    def up(self):
        self.listener = socket.create_server((lab.KERNEL, self.port), backlog=1024)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def down(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self, listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            self.served += 1
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        try:
            head = b""
            while len(head) < 20:
                part = s.recv(20 - len(head))
                if not part:
                    return s.close()
                head += part
            word, n = head[:8].decode().strip(), int(head[8:])
            getattr(self, word)(s, n)
        except OSError:
            self.resets += 1
        s.close()

    def get(self, s, n):
        send_pattern(s, n, self.sent)

    def sum(self, s, _):
        """What the client sent, to its end, is answered by its digest."""
        s.sendall(read_to_end(s)[0])

    def hold(self, s, _):
        """The upstream finishes first and reads on."""
        s.shutdown(socket.SHUT_WR)
        self.last = read_to_end(s)[0]

    def echo(self, s, _):
        while part := s.recv(65536):
            s.sendall(part)

    def die(self, s, n):
        send_pattern(s, n)
        reset(s)

    def who(self, s, _):
        s.sendall(str(self.port).encode())
        s.recv(1)


ups = [Upstream(p) for p in PORTS]


# ---- the clients -----------------------------------------------------------------------------

class Lab:
    """One relay to test."""

    def __init__(self, title, dev, address, *more):
        self.title, self.address = title, address
        args = ["--listen", f"{address}:80", "--down-time", "1"]
        for p in PORTS:
            args += ["--upstream", f"{lab.KERNEL}:{p}"]
        if dev == "kernel":
            self.p = lab.start(relay_program, "--dev", "kernel", *args, *more)
            lab.wait_for(lambda: self.answers())
        else:
            self.p = lab.ours("millrace-relay", *args, *more, dev=dev, addr=address)
        self.has_status = dev != "kernel"

    def answers(self):
        try:
            socket.create_connection((self.address, 80), timeout=1).close()
            return True
        except OSError:
            return False

    def point(self, good, name, detail=None):
        lab.point(good, f"{self.title}: {name}", detail)

    def app(self):
        return lab.ask(self.p)["app"]

    def ask(self, word, n=0, rcvbuf=None):
        s = socket.socket()
        if rcvbuf:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        s.settimeout(60)
        s.connect((self.address, 80))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(f"{word:<8}{n:012}".encode())
        return s


def content(t):
    for n in (1, 1 << 20, BULK):
        began = time.monotonic()
        s = t.ask("get", n)
        t.point(read_to_end(s)[0] == digest_of(n), f"{n} bytes come down unchanged")
        s.close()
        middle = time.monotonic()
        s = t.ask("sum")
        send_pattern(s, n)
        s.shutdown(socket.SHUT_WR)
        t.point(s.recv(100) == digest_of(n),
                f"{n} bytes go up unchanged, and the answer comes after the client's end")
        s.close()
        if n == BULK:
            lab.note(f"down {n * 8 / (middle - began) / 1e9:.1f} Gbit/s, "
                     f"up {n * 8 / (time.monotonic() - middle) / 1e9:.1f} Gbit/s")


def upstream_first(t):
    s = t.ask("hold")
    first = s.recv(1)
    send_pattern(s, 1 << 20)
    s.close()
    for u in ups:
        lab.wait_for(lambda u=u: u.last is not None, seconds=1)
    t.point(first == b"" and digest_of(1 << 20) in (u.last for u in ups),
            "after the upstream's end the client still sends")
    for u in ups:
        u.last = None


def many(t):
    before = [u.served for u in ups]
    socks = [t.ask("echo") for _ in range(MANY)]
    bad = 0
    for turn in range(3):
        for i, s in enumerate(socks):
            s.sendall(BLOCK[i:i + 20000 + turn])
        for i, s in enumerate(socks):
            got = b""
            while len(got) < 20000 + turn and (part := s.recv(65536)):
                got += part
            bad += got != BLOCK[i:i + 20000 + turn]
    t.point(bad == 0, f"{MANY} connections at once, each gets its own bytes back", bad)
    shares = [u.served - b for u, b in zip(ups, before)]
    t.point(sum(shares) == MANY and min(shares) >= MANY * 2 // 5, "two upstreams share them",
            shares)
    for s in socks:
        s.close()


def slow(t):
    """Twenty who ask for much and read nothing."""
    n = 20
    for u in ups:
        u.sent[0] = 0
    socks = [t.ask("get", BULK, rcvbuf=65536) for _ in range(n)]
    time.sleep(2)
    sent = sum(u.sent[0] for u in ups)
    pools = {}
    if t.has_status:
        pools = {p["name"]: p["used"] for p in lab.ask(t.p)["pools"]}
    time.sleep(2)
    t.point(sum(u.sent[0] for u in ups) == sent and sent < n * 12 << 20,
            "who does not read holds back who writes", [sent, sum(u.sent[0] for u in ups)])
    if t.has_status:
        now = {p["name"]: p["used"] for p in lab.ask(t.p)["pools"]}
        grown = {k: (pools[k], now[k]) for k in now if now[k] > pools[k] + 64}
        t.point(not grown, "and no pool grows meanwhile", grown)
    s = t.ask("get", 1 << 20)
    t.point(read_to_end(s)[0] == digest_of(1 << 20), "others are served as ever")
    s.close()
    got = read_to_end(socks[0])
    t.point(got == (digest_of(BULK), BULK), "one who reads on gets everything", got[1])
    for s in socks:
        reset(s)


def resets_rest(ups):
    """What earlier resets caused has arrived."""
    n = sum(u.resets for u in ups)
    time.sleep(0.3)
    return n == sum(u.resets for u in ups)


def ends(t):
    s = t.ask("die", 1 << 20)
    try:
        read_to_end(s)
        how = "end of stream"
    except ConnectionResetError:
        how = "reset"
    t.point(how == "reset", "an upstream that dies in the middle is a reset, not an end", how)
    s.close()
    lab.wait_for(lambda: resets_rest(ups))
    before = sum(u.resets for u in ups)
    s = t.ask("get", BULK)
    s.recv(100000)
    reset(s)
    t.point(lab.wait_for(lambda: sum(u.resets for u in ups) == before + 1),
            "a client that resets is a reset to the upstream")


def failing(t):
    ups[0].down()
    got = []
    for _ in range(6):
        s = t.ask("who")
        got.append(s.recv(100))
        s.close()
    t.point(got == [str(PORTS[1]).encode()] * 6, "with one upstream dead the other has them all",
            got)
    if t.has_status:
        t.point([u["up"] for u in t.app()["upstreams"]] == [False, True], "and the status says so",
                t.app())
    ups[1].down()

    def is_reset():
        try:
            s = t.ask("who")
            data = s.recv(100)
            s.close()
            return data
        except ConnectionResetError:
            return True

    t.point([is_reset() for _ in range(3)] == [True] * 3, "with both dead clients are reset")
    for u in ups:
        u.up()
    time.sleep(1.2)
    got = set()
    for _ in range(4):
        s = t.ask("who")
        got.add(s.recv(100))
        s.close()
    t.point(got == {str(p).encode() for p in PORTS}, "when they are back they are used again", got)


def end(t):
    if t.has_status:
        t.point(lab.wait_for(lambda: t.app()["open"] == 0, 15), "no connection is left behind",
                t.app())
        t.point(lab.wait_for(lambda: lab.ask(t.p)["connections"] == 0), "in the stack neither",
                lab.conns(t.p))
        used = {p["name"]: p["used"] for p in lab.ask(t.p)["pools"]
                if p["name"] in ("packets to send", "send buffer chunks",
                                 "send buffer descriptors", "copied packets")}
        t.point(not any(used.values()), "every buffer went back to its pool", used)
        lab.note({k: v for k, v in t.app().items() if v})
    s = t.ask("echo")
    s.sendall(b"x")
    s.recv(1)
    t.point(lab.stop(t.p) == 0, "SIGTERM ends the relay in order")
    try:
        s.recv(1)
        how = "end of stream"
    except ConnectionResetError:
        how = "reset"
    t.point(how == "reset", "and what it cuts is reset", how)


def all_of_it(t):
    for part in (content, upstream_first, many, slow, ends, failing, end):
        part(t)


# ---- the command line ------------------------------------------------------------------------

def refuses(name, *args):
    r = lab.run(relay_program, *args, check=False, timeout=15)
    lines = r.stderr.strip().split("\n")
    lab.point(r.returncode == 2 and len(lines) == 1 and lines[0] and not r.stdout, name,
              f"exit {r.returncode}: {r.stdout}{r.stderr}")


up = ("--upstream", "10.9.0.1:8001")
refuses("no address to listen on", *up)
refuses("no upstream", "--listen", ":80")
refuses("an upstream without a port", "--listen", ":80", "--upstream", "10.9.0.1")
refuses("an upstream that is no address", "--listen", ":80", "--upstream", ":80")
refuses("too many upstreams", "--listen", ":80", *(up * 65))
refuses("a balance that does not exist", "--listen", ":80", *up, "--balance", "best")
refuses("a buffer that holds nothing", "--listen", ":80", *up, "--buffer", "1")
refuses("an address that is not ours", "--listen", "10.77.0.1:80", *up)

sys.setswitchinterval(0.001)
all_of_it(Lab("our stack", "tap:" + lab.TAP, lab.OURS))
all_of_it(Lab("the kernel's sockets", "kernel", lab.KERNEL))
lab.done()
