#!/usr/bin/python3
"""Many cores under load, asked, captured and stopped at any moment.

`make tsan` runs this on programs built with ThreadSanitizer, whose reports are failures here.
"""
import os
import random
import re
import subprocess
import threading
import time

import lab

SECONDS = float(os.environ.get("LAB_RACES_SECONDS", 1))
CYCLES = int(os.environ.get("LAB_RACES_CYCLES", 25))
SEED = int(os.environ.get("LAB_RACES_SEED", 0)) or int.from_bytes(os.urandom(3), "little") + 1

lab.enter()
lab.need("ip", "curl")
random.seed(SEED)
lab.note(f"LAB_RACES_SEED={SEED}")
here = lab.folder()
os.environ["TSAN_OPTIONS"] = "exitcode=66 " + os.environ.get("TSAN_OPTIONS", "")
with open(os.path.join(here, "index.html"), "w") as f:
    f.write("x" * 3000)
wires = 0


def path(name):
    return os.path.join(here, name)


def text(name):
    with open(name, errors="replace") as f:
        return f.read()


def reports(*logs):
    """What ThreadSanitizer says, without the numbers."""
    return "\n".join(text(x) for x in logs if "ThreadSanitizer" in text(x))[:6000]


def wire():
    global wires
    wires += 1
    return path(f"wire{wires}")


def tap(name, *kind):
    lab.run("ip", "link", "del", name, check=False)
    if lab.run("ip", "tuntap", "add", name, "mode", "tap", *kind, check=False).returncode != 0:
        return False
    lab.write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
    lab.run("ip", "link", "set", name, "up")
    lab.run("ip", "address", "add", lab.KERNEL + "/24", "dev", name)
    return True


class Asker(threading.Thread):
    """Asks a program all the time; .answers counts."""

    def __init__(self, p):
        super().__init__(daemon=True)
        self.p, self.answers, self.end = p, 0, False
        self.start()

    def run(self):
        while not self.end:
            try:
                self.answers += "counters" in lab.ask(self.p)
                self.answers += "connections" in lab.ask(self.p, "conns 0 100")
            except (OSError, ValueError):
                time.sleep(0.01)
            time.sleep(0.005)

    def stop(self):
        self.end = True
        self.join(15)
        return self.answers


def load(w, cores, to, mode, *args, addr="10.9.0.3"):
    """millrace-load on the wire's other end; .log and .control as with lab.ours."""
    return lab.ours("millrace-load", mode, "--to", to, "--duration-ms", int(SECONDS * 1000),
                    "--quiet", "--json", "--cores", cores, *args, dev=f"shm:{w}:1", addr=addr,
                    log=path(f"load{wires}-{time.monotonic_ns()}.log"))


def over_a_wire(name, server, mode, port, cores, *options, client=()):
    w = wire()
    s = server("--cores", cores, "--pcap", path("s.pcapng"), *options, dev=f"shm:{w}:0")
    c = load(w, cores, f"{lab.OURS}:{port}", mode, "--connections", 16, "--pcap",
             path("c.pcapng"), *client, *options)
    askers = Asker(s), Asker(c)
    rc = c.wait(SECONDS + 60)
    answers = [a.stop() for a in askers]
    status = lab.ask(s)
    ended = lab.stop(s, 20)
    lab.point(rc == 0 and ended == 0 and min(answers) > 2 and not os.path.exists(w),
              f"{name} with {cores} cores{' '.join(('',) + options)}",
              f"{rc} {ended} {answers} {text(c.log)[-3000:]} {text(s.log)[-3000:]}\n"
              f"{reports(c.log, s.log)}")
    return status


def from_the_kernel(to, *args):
    """millrace-load on the kernel's sockets, threads and all."""
    r = lab.run(lab.program("millrace-load"), "--dev", "kernel", "http", "--to", to, "--cores", "2",
                "--connections", "16", "--duration-ms", str(int(SECONDS * 1000)), "--quiet",
                "--json", *args, check=False)
    return r.returncode, r.stdout + r.stderr


def over_a_tap(name, cores, *options, kind=("multi_queue",)):
    if not tap(lab.TAP, *kind):
        lab.skip(name, "may not make a TAP")
        return
    s = lab.httpd(here, "--cores", cores, "--pcap", path("s.pcapng"), *options)
    asker = Asker(s)
    rc, said = from_the_kernel(lab.OURS + ":80", "--close")
    answers = asker.stop()
    ended = lab.stop(s, 20)
    lab.point(rc == 0 and answers > 2 and ended == 0, name,
              f"{rc} {answers} {ended} {said[-3000:]}\n{text(s.log)[-3000:]}\n{reports(s.log)}")


def through_the_relay(cores, *options):
    name = f"the relay with {cores} cores{' '.join(('',) + options)}"
    if not tap(lab.TAP, "multi_queue"):
        lab.skip(name, "may not make a TAP")
        return
    log = path("upstream.log")
    with open(log, "w") as out:
        up = lab.start(lab.program("millrace-httpd"), "--dev", "kernel", "--port", "8001", "--root",
                       here, "--cores", "2", stdout=out, stderr=out)
    lab.wait_for(lambda: lab.run("curl", "-s", f"http://{lab.KERNEL}:8001/", check=False).stdout)
    s = lab.ours("millrace-relay", "--listen", "0.0.0.0:80", "--upstream",
                 lab.KERNEL + ":8001", "--cores", cores, "--pcap", path("s.pcapng"), *options)
    asker = Asker(s)
    rc, said = from_the_kernel(lab.OURS + ":80", "--close")
    answers = asker.stop()
    ended = lab.stop(s, 20), lab.stop(up, 20)
    lab.point(rc == 0 and answers > 2 and ended == (0, 0), name,
              f"{rc} {answers} {ended} {said[-3000:]}\n{text(s.log)[-3000:]}\n"
              f"{reports(s.log, log)}")


def stopped_under_load(cores, *options):
    w = wire()
    s = lab.echo("--cores", cores, "--pcap", path("s.pcapng"), *options, dev=f"shm:{w}:0")
    c = load(w, cores, f"{lab.OURS}:7", "rr", "--connections", 16, "--timeout-ms", 800, *options)
    askers = Asker(s), Asker(c)
    time.sleep(SECONDS / 2)
    ended = lab.stop(s, 20)
    lab.stop(c, 20)
    [a.stop() for a in askers]
    lab.point(ended == 0 and c.returncode in (0, 1) and not reports(s.log, c.log),
              f"the end under load, {cores} cores{' '.join(('',) + options)}",
              f"{ended} {c.returncode} {text(s.log)[-3000:]}\n{reports(s.log, c.log)}")


def start_and_stop(cycles, slow):
    """SIGTERM at any moment of a life, its beginning too."""
    log, sock, w, ok, late, codes = path("cycle.log"), path("cycle.sock"), wire(), 0, 0, {}
    for i in range(cycles):
        net = ["--dev", "tap:" + lab.TAP] if i % 2 and have_tap else ["--dev", f"shm:{w}:0"]
        with open(log, "a") as out:
            p = lab.start(lab.program("millrace-echo"), *net, "--addr", lab.OURS + "/24",
                          "--control", sock, "--cores", "4", "--pcap", path("cycle.pcapng"),
                          stdout=out, stderr=out)
        # Before main() nobody has promised anything about a signal.
        lab.wait_for(lambda: p.poll() is not None or catches_sigterm(p.pid), 10, 0.0005)
        time.sleep(random.choice((0, random.random() * 0.01, random.random() * 0.2)) * slow)
        began = time.monotonic()
        rc = lab.stop(p, 20)
        late += time.monotonic() - began > 3 * slow
        codes[rc] = codes.get(rc, 0) + 1
        left = [x for x in (sock, w, w + ".new") if os.path.exists(x)]
        ok += not left
        if left:
            lab.note(f"left behind: {left}")
    lab.point(list(codes) == [0] and late == 0 and ok == cycles,
              f"{cycles} lives with 4 cores end in order whenever they are told to",
              f"exit codes {codes}, {late} late, {cycles - ok} left something\n{text(log)[-3000:]}")


def catches_sigterm(pid):
    try:
        caught = re.search(r"SigCgt:\s*(\w+)", text(f"/proc/{pid}/status"))
    except OSError:
        return False
    return caught and int(caught.group(1), 16) >> 14 & 1


def a_restart():
    """The next side 0 is there before the last one has gone: the wire is the next one's."""
    w = wire()
    first = lab.echo("--cores", 2, dev=f"shm:{w}:0")
    second = lab.echo("--cores", 2, dev=f"shm:{w}:0")
    lab.stop(first)
    there = os.path.exists(w)
    lab.stop(second)
    lab.point(there and not os.path.exists(w), "a wire is removed by who made it, and nobody else",
              f"{there} {os.path.exists(w)}")


def silence():
    """A side 1 whose other side never comes is told to end."""
    p = lab.start(lab.program("millrace-echo"), "--dev", f"shm:{wire()}:1", "--addr",
                  "10.9.0.9/24", "--control", "none", stderr=subprocess.PIPE, text=True)
    lab.wait_for(lambda: catches_sigterm(p.pid), 10, 0.001)
    time.sleep(0.05)
    began = time.monotonic()
    rc = lab.stop(p)
    took, said = time.monotonic() - began, p.stderr.read()
    lab.point(rc == 0 and took < 3 and said == "", "so does one that waits for its wire",
              f"{rc} after {took:.1f} s: {said}")


def web(*args, **more):
    return lab.httpd(here, *args, **more)


with open(lab.program("millrace-echo"), "rb") as f:
    sanitized = b"__tsan_init" in f.read()
for cores in (2, 4):
    for options in ((), ("--rss-off",)):
        over_a_wire("requests", lab.echo, "rr", 7, cores, *options)
        over_a_wire("short connections", web, "http", 80, cores, *options, client=["--close"])
        stopped_under_load(cores, *options)
        over_a_tap(f"a kernel's clients, {cores} cores{' '.join(('',) + options)}", cores, *options)
        through_the_relay(cores, *options)
over_a_wire("streams", lab.echo, "bulk", 7, 4, "--rss-off")
over_a_tap("a device with one queue and 3 cores", 3, kind=())
have_tap = tap(lab.TAP, "multi_queue")
start_and_stop(CYCLES, 5 if sanitized else 1)
a_restart()
silence()
lab.done()
