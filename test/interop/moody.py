#!/usr/bin/python3
"""One core's trouble is its own: a slow handler delays nobody else, and is found; a broken promise
names its core and leaves nothing behind."""
import os
import socket
import subprocess
import threading
import time

import lab

lab.enter()
lab.need("tshark")
MOODY = os.path.join(lab.BUILD, "test", "interop", "moody")
if not os.path.exists(MOODY):
    lab.skip_all("moody is not built")
control = os.path.join(lab.folder(), "moody.sock")
log = control + ".log"
capture = os.path.join(lab.folder(), "moody.pcapng")


def start(*args):
    lab.run("ip", "link", "del", lab.TAP, check=False)
    made = lab.run("ip", "tuntap", "add", lab.TAP, "mode", "tap", "multi_queue", check=False)
    if made.returncode != 0:
        lab.skip_all("may not make a TAP: " + made.stderr.strip())
    lab.write(f"/proc/sys/net/ipv6/conf/{lab.TAP}/disable_ipv6", "1")
    lab.run("ip", "link", "set", lab.TAP, "up")
    lab.run("ip", "address", "add", lab.KERNEL + "/24", "dev", lab.TAP)
    with open(log, "w") as out:
        p = lab.start(MOODY, "--dev", "tap:" + lab.TAP, "--addr", lab.OURS + "/24", "--control",
                      control, "--cores", "2", *args, stdout=out, stderr=out)
    p.control = control
    lab.wait_for(lambda: os.path.exists(control) or p.poll() is not None)
    return p


def by_core(p):
    """A few connections, and which core has each."""
    socks = [socket.create_connection((lab.OURS, 7), timeout=5) for _ in range(24)]
    for s in socks:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(b"hello")
        s.recv(16)
    core = {c["remote"]: c["core"] for c in lab.conns(p)}
    sides = ([], [])
    for s in socks:
        sides[core["%s:%d" % s.getsockname()]].append(s)
    return sides


def rtt(s):
    began = time.monotonic()
    s.sendall(b"quick")
    s.recv(16)
    return time.monotonic() - began


server = start()
slow, quick = by_core(server)
lab.point(len(slow) > 6 and quick, "connections come to both cores", (len(slow), len(quick)))
stop = threading.Event()


def keep_stalling():
    while not stop.is_set():
        slow[0].sendall(b"stall")
        slow[0].recv(16)


thread = threading.Thread(target=keep_stalling)
thread.start()
time.sleep(0.1)
times = sorted(rtt(s) for _ in range(20) for s in quick)
lab.note("the other core's round trips while one stalls: median %.0f us, worst %.1f ms"
         % (times[len(times) // 2] * 1e6, times[-1] * 1e3))
lab.point(times[-1] < 0.1, "a handler of 200 ms on one core delays no request on the other",
          times[-5:])
lab.note("on its own core: %.0f ms" % (rtt(slow[1]) * 1e3))
stop.set()
thread.join()

# Seven in one turn keep the core for longer than it is waited for.
slow[0].sendall(b"stall")
time.sleep(0.02)
for s in slow[1:8]:
    s.sendall(b"stall")
time.sleep(0.3)
began = time.monotonic()
status = lab.ask(server)
took = time.monotonic() - began
silent = [c["core"] for c in status["cores"] if not c["answers"]]
lab.note("asked while a core stands still: %.2f s, silent: %s" % (took, silent))
lab.point(silent == [0] and took < 1.5, "a core that stands still is shown as one that does not "
          "answer, after a second", status["cores"])
lab.point(lab.wait_for(lambda: all(c["answers"] for c in lab.ask(server)["cores"]), 10),
          "and answers again afterwards")
for s in slow + quick:
    s.close()
lab.point(lab.stop(server) == 0, "it ends in order")

server = start("--pcap", capture)
left, right = by_core(server)
right[0].sendall(b"panic")
code = server.wait(10)
with open(log) as f:
    said = f.read()
lab.point(code == -6, "a broken promise ends the process", code)
lab.point("millrace: core 1: " in said and "broken promise" in said and "moody.c" in said,
          "and names its core, file and line", said)
lab.point(not os.path.exists(control), "the control socket's file is gone")
r = lab.run("tshark", "-r", capture, "-T", "fields", "-e", "frame.interface_name", check=False)
names = set(r.stdout.split("\n")) - {""}
lab.point(names == {"tap0 core 0", "tap0 core 1"}, "the capture has what both cores saw",
          r.stdout[:300] + r.stderr)
r = lab.run("tshark", "-r", capture, "-Y", 'frame contains "panic"', check=False)
lab.point(r.stdout.strip() != "" and r.returncode == 0, "the last frame too, and ends whole",
          r.stdout + r.stderr)

# Both cores break theirs, or one does while the program ends: who is first waits for the others'
# frames, whatever else they are told.
ends, whole = set(), 0
for turn in range(8):
    server = start("--pcap", capture)
    left, right = by_core(server)
    left[0].sendall(b"panic")
    if turn % 2:
        server.terminate()
    else:
        right[0].sendall(b"panic")
    try:
        ends.add(server.wait(5))
    except subprocess.TimeoutExpired:
        ends.add("never")
        lab.stop(server, 0)
    r = lab.run("tshark", "-r", capture, "-Y", 'frame contains "panic"', check=False)
    with open(log) as f:
        whole += r.returncode == 0 and r.stdout.count("\n") >= f.read().count("broken promise")
lab.point(ends <= {0, -6} and whole == 8, "two broken promises at once, or one at the end: "
          "the process ends, and the capture has the last frame of each", f"{ends} {whole}")

# What is queued when the network goes away keeps the end for a second.
server = start()
left, right = by_core(server)
lab.run("ip", "link", "set", lab.TAP, "down")
server.terminate()
apps = []
while server.poll() is None:
    try:
        status = lab.ask(server)
        apps += [status["app"]] + [c.get("app") for c in status["cores"]]
    except (OSError, ValueError):
        pass
lab.note(f"at the end the application says {set(map(str, apps))}, asked {len(apps)} times")
lab.point(server.returncode == 0 and apps and {"over": True} not in apps,
          "an application that has ended is not asked how it is", f"{server.returncode} {apps[:3]}")
lab.done()
