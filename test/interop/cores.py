#!/usr/bin/python3
"""Many cores on a TAP: every flow at home where the kernel spreads frames by our hash, and nothing
wrong where it does not: with a hash nobody asked for, with one queue for all."""
import json
import os
import signal
import socket
import subprocess
import time

import lab

lab.enter()
lab.need("curl", "wrk")
www = lab.folder()
digest = lab.make_file(os.path.join(www, "20MB"), 20 << 20)
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("hello\n")


def device(queues):
    """A TAP of that many queues: one, or as many as are asked for."""
    lab.run("ip", "link", "del", lab.TAP, check=False)
    many = ["multi_queue"] if queues > 1 else []
    made = lab.run("ip", "tuntap", "add", lab.TAP, "mode", "tap", *many, check=False)
    if made.returncode != 0:
        lab.skip_all("may not make a TAP: " + made.stderr.strip())
    lab.write(f"/proc/sys/net/ipv6/conf/{lab.TAP}/disable_ipv6", "1")
    lab.run("ip", "link", "set", lab.TAP, "up")
    lab.run("ip", "address", "add", lab.KERNEL + "/24", "dev", lab.TAP)


def said(p):
    with open(p.log) as f:
        return f.read()


def talk(port, data):
    with socket.create_connection((lab.OURS, port), timeout=5) as s:
        s.sendall(data)
        got = b""
        while len(got) < len(data):
            part = s.recv(65536)
            if not part:
                break
            got += part
        return got == data


def datagram(data):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.connect((lab.OURS, 7))
        s.send(data)
        return s.recv(65536) == data


def wrk(connections, seconds):
    r = lab.run("wrk", "-t", "1", "-c", str(connections), "-d", str(seconds),
                f"http://{lab.OURS}/", check=False)
    bad = "Socket errors" in r.stdout or "Non-2xx" in r.stdout
    rate = [line.split()[1] for line in r.stdout.splitlines() if "Requests/sec" in line]
    return r.returncode == 0 and not bad and rate, r.stdout


def a_day(name, cores, *args):
    """Everything a client does, once; returns the status at the end."""
    server = lab.httpd(www, "--cores", cores, *args)
    lab.point(lab.wait_for(lambda: f"{cores} cores" in said(server)), f"{name}: it says how many cores there are and "
              "how packets are spread", said(server))
    lab.note(said(server).strip())
    got = lab.run("sh", "-c", f"curl -sS --max-time 60 http://{lab.OURS}/20MB | sha256sum")
    lab.point(got.stdout.split()[0] == digest, f"{name}: curl gets 20 MB without a wrong byte")
    good, text = wrk(64, 2)
    lab.point(good, f"{name}: wrk, 64 connections, no error", text)
    lab.note(f"{name}: {good[0] if good else 0} requests/s")
    held = [socket.create_connection((lab.OURS, 80), timeout=5) for _ in range(64)]
    for s in held:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    lab.point(all(b"hello" in s.recv(4096) for s in held), f"{name}: 64 connections are served")
    status = lab.ask(server)
    spread = [c["connections"] for c in status["cores"]]
    lab.note(f"{name}: connections by core {spread}, passed on "
             f"{status['counters']['mail']['packets_sent']}")
    lab.point(sum(spread) == status["connections"] and min(spread) > 0,
              f"{name}: every core has some", spread)
    ours = [c for c in lab.conns(server) if c["state"] == "ESTABLISHED"]
    lab.point(len(ours) >= 64 and len({c["core"] for c in ours}) == cores,
              f"{name}: and they are listed, core by core", len(ours))
    text = lab.run(lab.program("millrace-stat"), server.control).stdout
    lab.point("passed on" in text and "does not answer" not in text,
              f"{name}: millrace-stat has a line for each", text)
    lab.note(f"{name}: RSTs sent {status['counters']['tcp']['rsts_out']}")
    for s in held:
        s.close()
    began = time.monotonic()
    lab.point(lab.stop(server) == 0 and time.monotonic() - began < 3,
              f"{name}: it ends in order when asked to", said(server))
    return status


def echoes(name, cores, *args):
    server = lab.echo("--cores", cores, *args)
    lab.point(all(talk(7, os.urandom(5000)) for _ in range(60)),
              f"{name}: sixty connections are echoed")
    lab.point(all(datagram(os.urandom(n)) for n in (1, 100, 1400) * 10),
              f"{name}: datagrams from thirty ports come back")
    lab.point(datagram(os.urandom(20000)), f"{name}: and one in fragments")
    counters = lab.ask(server)["counters"]
    tcp, passed = counters["tcp"], counters["mail"]["packets_sent"]
    # Packets that are passed on may overtake each other: an ACK that comes behind the one that ended
    # its connection is answered with a RST, as RFC 9293 3.10.7.1 asks, and harms nobody.
    lab.point(tcp["rsts_out"] == 0 or (passed > 0 and tcp["rsts_out"] <= 5),
              f"{name}: and nobody was sent a RST without cause", tcp)
    lab.point(lab.stop(server) == 0, f"{name}: it ends in order", said(server))


# ---- the kernel spreads frames by our hash -------------------------------------------------

device(2)
probe = lab.echo("--cores", 2)
steered = lab.ask(probe)["spread"]
lab.stop(probe)
if steered["port"] == "rss":
    for n in (2, 4):
        device(n)
        status = a_day(f"steering, {n} cores", n)
        lab.point(status["counters"]["mail"]["packets_sent"] == 0,
                  f"steering, {n} cores: not one packet arrived at the wrong core",
                  status["counters"]["mail"])
        lab.point(status["spread"] == {**status["spread"], "port": "rss", "agrees": True},
                  f"steering, {n} cores: and the status says so", status["spread"])
    device(2)
    echoes("steering, echo", 2)
    device(2)
    status = a_day("a symmetric key", 2, "--rss-symmetric")
    lab.point(status["counters"]["mail"]["packets_sent"] == 0,
              "a symmetric key: not one packet arrived at the wrong core",
              status["counters"]["mail"])
else:
    lab.skip("frames spread by our hash", steered["why"])

# ---- it does not ---------------------------------------------------------------------------

for n in (2, 4):
    device(n)
    status = a_day(f"no hash, {n} cores", n, "--rss-off")
    lab.point(status["counters"]["mail"]["packets_sent"] > 0 and status["spread"]["port"] == "none",
              f"no hash, {n} cores: packets were passed on, and the status says why",
              status["spread"])
device(2)
echoes("no hash, echo", 2, "--rss-off")
for n in (2, 4):
    device(1)
    status = a_day(f"one queue, {n} cores", n)
    mail = status["counters"]["mail"]
    lab.point(mail["packets_sent"] > 0 and status["cores"][1]["own_queue"] is False,
              f"one queue, {n} cores: the others get theirs by mail", mail)
device(1)
echoes("one queue, echo", 2)

# ---- a wire between two programs of ours ---------------------------------------------------

wire = os.path.join(lab.folder(), "wire")
for more, none in (([], True), (["--rss-off"], False)):
    server = lab.echo("--cores", 2, *more, dev=f"shm:{wire}:0")
    r = lab.run(lab.program("millrace-load"), "rr", "--dev", f"shm:{wire}:1", "--addr",
                lab.KERNEL + "/24", "--cores", "2", "--to", lab.OURS + ":7", "--connections", "32",
                "--duration-ms", "1000", "--json", "--quiet", "--control", "none", *more,
                check=False)
    good = r.returncode == 0 and json.loads(r.stdout)
    name = "a wire" + " without a hash" * bool(more)
    lab.point(good and good["requests"] > 100 and not any(good["errors"].values()),
              f"{name}: two programs of two cores talk", r.stdout + r.stderr)
    status = lab.ask(server)
    spread = [c["app"]["accepted"] for c in status["cores"]]
    lab.note(f"{name}: {good and good['requests_per_s']} requests/s, connections {spread}, passed "
             f"on {status['counters']['mail']['packets_sent']}")
    lab.point(min(spread) > 0 and (status["counters"]["mail"]["packets_sent"] == 0) == none,
              f"{name}: packets passed on: " + ("none" if none else "some"), status["spread"])
    lab.point(lab.stop(server) == 0 and not os.path.exists(wire), f"{name}: it ends in order")

# ---- the end that nobody asked for ---------------------------------------------------------

device(2)
server = lab.echo("--cores", 2)
socks = [socket.create_connection((lab.OURS, 7), timeout=5) for _ in range(10)]
server.send_signal(signal.SIGKILL)
server.wait()
for s in socks:
    s.close()
again = lab.echo("--cores", 2, control=server.control)
lab.point(talk(7, b"x" * 1000), "after kill -9 the next one starts in its place and serves")
server = again
began = time.monotonic()
lab.run("ip", "link", "del", lab.TAP)
lab.point(server.wait(5) != 0 and said(server).count("the device is gone") == 1,
          "a device that is removed ends all cores, with one line", said(server))
device(2)
server = lab.echo("--cores", 2, "--busy")
lab.run("ip", "link", "del", lab.TAP)
try:
    ended = server.wait(5) != 0
except subprocess.TimeoutExpired:
    ended = False
lab.point(ended and said(server).count("the device is gone") == 1,
          "... and cores that never sleep as well", said(server))
lab.done()
