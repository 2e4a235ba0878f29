#!/usr/bin/python3
"""millrace-ofload's switches against millrace-ofd, on the kernel and over a wire in shared memory:
every answer right, cbench's traps included."""
import json
import os
import socket
import time

import lab

lab.enter()
load, ofd = lab.program("millrace-ofload"), lab.program("millrace-ofd")
PORT = "6653"
LIMITS = ("--macs-max", "2000000", "--hosts-max", "1700000")
# What a sanitizer adds is not the controller's.
PLAIN = "san" not in os.path.basename(lab.BUILD)
HANDSHAKE_MS = 100 if PLAIN else 1000
MEMORY_MB = 1000


def answers():
    try:
        socket.create_connection(("127.0.0.1", int(PORT)), timeout=1).close()
        return True
    except OSError:
        return False


def on_kernel(*more):
    log = os.path.join(lab.folder(), "ofd.log")
    with open(log, "w") as out:
        p = lab.start(ofd, "--dev", "kernel", "--listen", PORT, "--rest", "none", "--quiet",
                      *LIMITS, *more, stdout=out, stderr=out)
    p.log = log
    lab.wait_for(answers)
    return p, ("--dev", "kernel", "--to", f"127.0.0.1:{PORT}")


def on_wire():
    wire = os.path.join(lab.folder(), f"wire{time.monotonic_ns()}")
    p = lab.ours("millrace-ofd", "--listen", PORT, "--rest", "none", "--quiet", *LIMITS,
                 dev=f"shm:{wire}:0")
    return p, ("--dev", f"shm:{wire}:1", "--addr", "10.9.0.1/24", "--control", "none", "--to",
               f"{lab.OURS}:{PORT}")


def said(p):
    with open(p.log) as f:
        return f.read()[-1500:]


def run(p, client, *how):
    r = lab.run(load, *client, "--json", "--quiet", *how, check=False, timeout=60)
    try:
        result = json.loads(r.stdout)
    except ValueError:
        lab.note(r.stdout + r.stderr + said(p))
        return r.returncode, None
    return r.returncode, result


def right(what, code, result):
    """All answers were right, and none a flood: the ARP behind FEATURES_REPLY was learnt."""
    good = (code == 0 and result is not None and result["answers"]["flood"] == 0 and
            result["answers"]["packet_out"] == 0 and result["responses_per_s"]["min"] > 0)
    lab.point(good, f"{what}: one right flow-mod for each packet-in", result)
    return good


def memory_mb(p):
    with open(f"/proc/{p.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) / 1000


def once(start, what, *how):
    """A controller, one run against it, and its end; a wire has one peer in its life."""
    server, client = start()
    code, result = run(server, client, *how)
    used = memory_mb(server) if server.poll() is None else 0
    if lab.stop(server) != 0:
        lab.point(False, f"{what}: the controller ends in order", said(server))
    return code, result, used


SHORT = ("--loops", "2", "--loop-ms", "200")
for name, start in (("kernel", on_kernel), ("wire", on_wire)):
    code, result, _ = once(start, name, "--switches", "4", "--cbench", *SHORT)
    if right(f"{name}, cbench's habits and pauses", code, result):
        lab.point(result["as_cbench_per_s"] == result["responses_per_s"],
                  f"{name}: cbench would count the same", result)
    code, result, _ = once(start, name, "--switches", "2", "--latency", *SHORT)
    if right(f"{name}, one at a time", code, result):
        lab.note(result["latency_ns"])
    took = None
    for _ in range(3):
        code, result, _ = once(start, name, "--switches", "5", "--late", "1", "--in-flight", "2000",
                               "--hosts", "1000", *SHORT)
        if result is not None and result["handshakes"]["late"]:
            took = result["handshakes"]["late_max_us"] / 1000
            if took < HANDSHAKE_MS:
                break
    right(f"{name}, one that comes while four flood", code, result)
    lab.point(took is not None and took < HANDSHAKE_MS,
              f"{name}: and its handshake takes less than {HANDSHAKE_MS} ms", took)
    lab.note(f"{took} ms")

# The seat is core 0; what it knows of the switches of core 1 it knows by letters.
code, result, _ = once(lambda: on_kernel("--cores", "2"), "two cores", "--switches", "8", "--hosts",
                       "5000", "--cores", "2", "--loops", "2", "--loop-ms", "300")
right("kernel, two cores", code, result)

# Every host moves with every packet-in, for they all claim one address.
hosts = 100000 if PLAIN else 2000
code, result, used = once(on_wire, "wire", "--switches", "16", "--hosts", str(hosts), "--loops",
                          "1", "--loop-ms", "1500")
if right(f"wire, 16 switches with {hosts} hosts each", code, result):
    lab.note(f"{result['sent']} packet-ins, {used:.0f} MB")
    lab.point(not PLAIN or used < MEMORY_MB, f"wire: in less than {MEMORY_MB} MB", used)
lab.done()
