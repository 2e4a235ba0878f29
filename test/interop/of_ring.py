#!/usr/bin/python3
"""millrace-ofd leads four real switches in a ring, two hosts each: of_lab.py has the picture.

Three times: OpenFlow 1.3 with the kernel's sockets, OpenFlow 1.0 with a stack of ours over a TAP,
and 1.3 over TLS.
"""
import os
import random
import socket
import struct
import time

import lab
import of_lab

lab.enter()
lab.program("millrace-ofd")
lab.need("iperf3")
TLS_PORT = 6654
ALL = 56  # pairs of eight hosts
SILENT_MS = 5000


# ---- what is looked at ------------------------------------------------------------------------

def is_led(what, target, version, ssl=None, seconds=8):
    """The switches are given to a controller: connected, and all pairs of hosts ping."""
    began = time.monotonic()
    net.lead(target, version, ssl)
    lab.point(net.connected(seconds), f"{what}: all four switches connect",
              net.switch(1).log(net.switch(1).since)[-1500:])
    missing, tries = net.ping_all(20)
    lab.point(not missing, f"{what}: all {ALL} pairs of hosts ping",
              f"no answer: {sorted(missing)}")
    lab.note(f"{what}: {time.monotonic() - began:.1f} s to the last answer, "
             f"{tries} rounds of pings")


def no_storm(what):
    """A port that has just come up neither gives nor takes broadcasts, so the first may get
    nowhere; too many copies are wrong at any time."""
    want = {h.name: 20 * (h.name != "h11") for h in net.hosts}
    got, most = {}, 0
    for _ in range(6):
        before = net.ring_frames()
        got = net.broadcast("h11", 20)
        most = max(most, net.ring_frames() - before)
        if got == want or any(got[n] > want[n] for n in got):
            break
    lab.point(got == want, f"{what}: each host gets exactly one copy of a broadcast on the ring",
              got)
    # 20 over the three links of the tree, and LLDP.
    lab.point(most < 200, f"{what}: nothing circles on the ring", f"{most} frames")


def gap(what, name, do, undo, limit_ms, a="h11", b="h21"):
    """Traffic between two hosts while something happens, and how long it stopped."""
    missing, _ = net.ping_all(20)
    with of_lab.Watch(net.host(a), net.host(b)) as w:
        do()
        back = w.settle(limit_ms / 1000 + 1)
    lab.point(back and w.gap_ms < limit_ms, f"{what}: {name}: traffic is back in < {limit_ms} ms",
              f"gap {w.gap_ms} ms, {w.lost} of {len(w.sent)} pings lost, missing before {missing}")
    lab.note(f"{what}: {name}: gap {w.gap_ms} ms, {w.lost} of {len(w.sent)} pings lost")
    missing, _ = net.ping_all(20)
    lab.point(not missing, f"{what}: {name}: all pairs ping without it",
              f"no answer: {sorted(missing)}")
    if undo:
        undo()


# ---- what an attacker or a mistake sends -------------------------------------------------------

def message(kind, body=b"", xid=1, version=4):
    return struct.pack("!BBHI", version, kind, 8 + len(body), xid) + body


def read_message(s):
    """(version, type, xid, body); None: the other side is done."""
    def exactly(n):
        data = b""
        while len(data) < n:
            part = s.recv(n - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data
    try:
        version, kind, length, xid = struct.unpack("!BBHI", exactly(8))
        return version, kind, xid, exactly(length - 8)
    except (ConnectionError, socket.timeout):
        return None


def second_switch(c, dpid, seconds=2):
    """Another switch with a datapath id that is taken: how long it was let in, None: until the end;
    and how far it got."""
    HELLO, ECHO, FEATURES, MULTIPART, BARRIER, ROLE = 0, 2, 5, 18, 20, 24
    s = socket.create_connection((c.address, c.port), 3)
    s.settimeout(0.2)
    s.sendall(message(HELLO))
    began, seen = time.monotonic(), []
    while time.monotonic() < began + seconds:
        try:
            first = s.recv(1, socket.MSG_PEEK)
        except socket.timeout:
            continue
        except ConnectionError:
            first = b""
        m = read_message(s) if first else None
        if m is None:
            s.close()
            return time.monotonic() - began, seen
        _, kind, xid, body = m
        seen.append(kind)
        if kind == FEATURES:
            s.sendall(message(FEATURES + 1, struct.pack("!QIBBHII", dpid, 256, 2, 0, 0, 0, 0), xid))
        elif kind == MULTIPART:
            s.sendall(message(MULTIPART + 1, body[:2] + bytes(6), xid))
        elif kind in (ECHO, BARRIER, ROLE):
            s.sendall(message(kind + 1, body, xid))
    s.close()
    return None, seen


def garbage():
    r = random.Random(5)
    yield "noise", r.randbytes(4096)
    yield "a web browser", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20
    yield "a TLS greeting", bytes.fromhex("1603010200010001fc0303") + r.randbytes(501)
    for n in range(8):
        yield f"a HELLO of length {n}", struct.pack("!BBHI", 4, 0, n, 1) + bytes(64)
    yield "a version nobody has", message(0, version=0x7f) + message(6, bytes(24), version=0x7f)
    yield "FEATURES_REPLY of 9 bytes", message(0) + message(6, b"x")
    yield "the longest message", message(0) + struct.pack("!BBHI", 4, 10, 65535, 1) + bytes(65527)
    yield "every type, cut short", message(0) + b"".join(message(k, b"\0" * 3) for k in range(256))


def closes(c, data, seconds=3, port=None):
    """True: the other side ended it."""
    s = socket.create_connection((c.address, port or c.port), 3)
    s.settimeout(seconds)
    try:
        s.sendall(data)
        while s.recv(65536):
            pass
        return True
    except socket.timeout:
        return False
    except ConnectionError:
        return True
    finally:
        s.close()


def bad_company(what, c):
    before = len(c.said())
    lasted, seen = second_switch(c, 1)
    missing, _ = net.ping_all(20)
    lab.point(not missing and c.is_alive(),
              f"{what}: a second connection with a datapath id that is taken harms nobody", missing)
    fate = "stayed" if lasted is None else f"was let go after {lasted:.2f} s"
    lab.note(f"{what}: the second one {fate}, it was asked {seen}; the log says:\n"
             + (c.said()[before:].strip() or "nothing"))
    stayed = [name for name, data in garbage() if not closes(c, data)]
    lab.point(c.is_alive() and not stayed, f"{what}: garbage: its connections are closed", stayed)
    lab.wait_for(lambda: all(s.is_connected() for s in net.switches), 3)
    missing, _ = net.ping_all(20)
    lab.point(not missing, f"{what}: garbage: all pairs still ping", sorted(missing))


# ---- the tests -------------------------------------------------------------------------------

def switch_dies(what):
    s2 = net.switch(2)
    missing, _ = net.ping_all(20)
    with of_lab.Watch(net.host("h11"), net.host("h31")) as w:
        s2.kill()
        back = w.settle(8)
    lab.point(back, f"{what}: a switch is killed: the others go on without it", w.gap_ms)
    lab.note(f"{what}: a switch is killed: gap {w.gap_ms} ms between its neighbours' hosts")
    began = time.monotonic()
    s2.mark()
    s2.start()
    missing, _ = net.ping_all(30)
    lab.point(not missing, f"{what}: it comes back: all pairs ping", sorted(missing))
    lab.note(f"{what}: {time.monotonic() - began:.1f} s from its start to the last pair's answer")


def controller_dies(what, c):
    net.ping_all(20)
    with of_lab.Watch(net.host("h11"), net.host("h31")) as w:
        c.kill()
        time.sleep(1)
        for s in net.switches:
            s.mark()
        c.start()
        back = net.connected(8)
        time.sleep(1)
    lab.point(back and w.lost == 0,
              f"{what}: the controller is killed and restarted: nothing is lost",
              f"connected again: {back}, {w.lost} of {len(w.sent)} pings lost, gap {w.gap_ms} ms")
    missing, _ = net.ping_all(20)
    lab.point(not missing, f"{what}: the controller again: all pairs ping", sorted(missing))


def throughput(what):
    rate = net.iperf("h11", "h32")
    lab.point(rate > 0.01, f"{what}: iperf3 across the ring", rate)
    lab.note(f"{what}: {rate * 1000:.0f} Mbit/s")


def ends(what, c):
    lab.point(lab.stop(c.process) == 0, f"{what}: the controller ends when asked to",
              c.said()[-2000:])


def over_kernel():
    what = "1.3"
    c = of_lab.Controller()
    is_led(what, c.target(), "OpenFlow13")
    no_storm(what)
    throughput(what)
    gap(what, "a link is cut", lambda: net.cut(1, 2), lambda: net.mend(1, 2), 1000)
    gap(what, "a link is cut silently", lambda: net.cut_silently(1, 2),
        lambda: net.mend_silently(1, 2), SILENT_MS)
    switch_dies(what)
    controller_dies(what, c)
    bad_company(what, c)
    ends(what, c)


def over_tap():
    what = "1.0, our stack"
    if not net.plug_tap():
        lab.skip(what, "may not make a TAP")
        return
    c = of_lab.Controller(dev=lab.spec("tap"), address=lab.OURS)
    is_led(what, c.target(), "OpenFlow10")
    no_storm(what)
    throughput(what)
    gap(what, "a link is cut", lambda: net.cut(1, 2), lambda: net.mend(1, 2), 1000)
    controller_dies(what, c)
    ends(what, c)


def over_tls():
    what = "TLS"
    k = of_lab.keys(os.path.join(lab.folder(), "keys"))
    c = of_lab.Controller("--tls-listen", str(TLS_PORT), "--tls-cert", f"{k}/controller.pem",
                          "--tls-key", f"{k}/controller.key", "--tls-ca", f"{k}/ca.pem")
    target = f"ssl:{c.address}:{TLS_PORT}"
    is_led(what, target, "OpenFlow13", (f"{k}/switch.key", f"{k}/switch.pem", f"{k}/ca.pem"))
    before = len(c.said())
    net.lead(target, "OpenFlow13", (f"{k}/stranger.key", f"{k}/stranger.pem", f"{k}/ca.pem"))
    lab.wait_for(lambda: "certificate" in c.said()[before:], 3)
    said = c.said()[before:]
    lab.point(not any(s.is_connected() for s in net.switches) and "certificate" in said,
              f"{what}: a certificate that a stranger signed is refused, and a line says so", said)
    lab.note("\n".join([line for line in said.split("\n") if "certificate" in line][:2]))
    plain = [name for name, data in garbage() if not closes(c, data, port=TLS_PORT)]
    lab.point(c.is_alive() and not plain, f"{what}: garbage there: its connections are closed",
              plain)
    net.lead(target, "OpenFlow13", (f"{k}/switch.key", f"{k}/switch.pem", f"{k}/ca.pem"))
    missing, _ = net.ping_all(20)
    lab.point(not missing, f"{what}: with the right one again all pairs ping", sorted(missing))
    ends(what, c)


net = of_lab.Network()
lab.note(f"four switches and eight hosts in {net.seconds:.1f} s")
over_kernel()
over_tap()
over_tls()
lab.done()
