#!/usr/bin/python3
"""What can go wrong around a program on Millrace: workers killed, processes stopped, nothing left to
take, the peer gone; and what must not happen: growth, work while idle, silence while busy.

    kernel 10.9.0.1 --- tap0 --- 10.9.0.2 millrace run -- python3 faults_server.py

LAB_SOAK=N makes it N times as long."""
import fcntl
import os
import random
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
import lab

SOAK = int(os.environ.get("LAB_SOAK", "1"))
STOP_SECONDS = 2 if SOAK == 1 else 5
SIOCOUTQ = termios.TIOCOUTQ
ports = iter(range(7000, 8000))
servers = []

lab.enter()
if not os.path.exists(os.path.join(lab.BUILD, "src", "tools", "millrace")):
    lab.skip_all("millrace is not built")
lab.tap(many=["multi_queue"])


class Server:
    """faults_server.py under `millrace run`; lines of what it says."""

    def __init__(self, mode, *args, options=()):
        self.p = lab.start(lab.program("millrace"), "run", "--dev", "tap:tap0", "--addr",
                           lab.OURS + "/24", *options, "--", sys.executable, "-S", "-E",
                           os.path.join(HERE, "faults_server.py"), mode, *map(str, args),
                           stdout=-1)
        self.name = mode
        self.said = b""
        servers.append(self)

    def says(self, word, seconds=15):
        """The rest of the next line that begins with word."""
        end = time.monotonic() + seconds
        while True:
            while b"\n" in self.said:
                line, self.said = self.said.split(b"\n", 1)
                words = line.decode().split()
                if words[:1] == [word]:
                    return words[1:]
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.p.stdout], [], [], left)[0]:
                break
            part = os.read(self.p.stdout.fileno(), 65536)
            if not part:
                break
            self.said += part
        raise SystemExit(f"{self.name} does not say {word}")

    def family(self):
        """Pids of all processes of its session: they hold the TAP's descriptor."""
        out = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if "preload" in open(f"/proc/{pid}/maps").read() and \
                        os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
                    out.append(int(pid))
            except OSError:
                pass
        return out

    def end(self):
        self.p.kill()
        self.p.wait()
        family = self.family()
        for pid in family:
            name = open(f"/proc/{pid}/comm").read()
            if "python" in name:
                os.kill(pid, signal.SIGKILL)
        return lab.wait_for(lambda: not self.family(), 5)


def call(port, n=1, timeout=5):
    """A connection that has echoed n bytes."""
    c = socket.create_connection((lab.OURS, port), timeout=timeout)
    if n:
        c.sendall(b"x" * n)
        got = b""
        while len(got) < n:
            part = c.recv(65536)
            if not part:
                raise OSError("closed")
            got += part
    return c


def outq(s):
    return struct.unpack("i", fcntl.ioctl(s, SIOCOUTQ, bytes(4)))[0]


def tries(n, port):
    """How many of n calls are answered."""
    good = 0
    for _ in range(n):
        try:
            call(port, 100).close()
            good += 1
        except OSError:
            pass
    return good


def killed_worker():
    port = next(ports)
    server = Server("prefork", port, 3)
    pids = list(map(int, server.says("workers")))
    lab.point(tries(60, port) == 60, "three workers serve")
    kept = [call(port) for _ in range(30)]
    served, failed, over = [], [], threading.Event()

    def load():
        while not over.is_set():
            began = time.monotonic()
            try:
                call(port, 1000, 3).close()
                served.append(began)
            except OSError as e:
                failed.append((began, repr(e)))

    t = [threading.Thread(target=load) for _ in range(2)]
    for x in t:
        x.start()
    time.sleep(0.3)
    os.kill(pids[0], signal.SIGKILL)
    known = time.monotonic() + 0.5
    time.sleep(1)
    over.set()
    for x in t:
        x.join()
    # Those in the hands of who was killed are lost, at most one of each loader; they may hear of it
    # late on a busy machine.
    early, late = ([f for f in failed if (f[0] >= known) == after] for after in (False, True))
    lab.point(len(early) <= 2, "a worker is killed: only its own calls fail", early[:5])
    lab.point(not late and max(served) > known, "afterwards none fails", late[:5])
    alive = lost = 0
    for c in kept:
        c.settimeout(2)
        try:
            c.sendall(b"y")
            if c.recv(1) == b"y":
                alive += 1
            else:
                lost += 1
        except TimeoutError:
            pass
        except OSError:
            lost += 1
    lab.point(alive + lost == 30 and alive > 0,
              "connections of the others live, those of the dead are ended", f"{alive} {lost}")
    os.kill(pids[1], signal.SIGKILL)
    time.sleep(0.2)
    lab.point(tries(40, port) == 40, "the last worker serves alone")
    os.kill(pids[2], signal.SIGKILL)
    time.sleep(0.2)
    try:
        call(port, 0, 2).close()
        refused = False
    except ConnectionRefusedError:
        refused = True
    except OSError:
        refused = False
    lab.point(refused, "when all are gone a connection is refused")
    server.end()


def stopped():
    """SIGSTOP in the middle of a transfer, both ways."""
    port = next(ports)
    server = Server("prefork", port, 1)
    pid = int(server.says("workers")[0])
    c = call(port, 10)
    c.setblocking(False)
    os.kill(pid, signal.SIGSTOP)
    c.send(bytes(20000))
    lab.point(lab.wait_for(lambda: outq(c) == 0, 1), "a stopped process: its peer's data is "
              "acknowledged", f"{outq(c)} bytes are not")
    d = socket.create_connection((lab.OURS, port), timeout=2)
    lab.point(True, "a connection to it is opened meanwhile")
    time.sleep(STOP_SECONDS)
    os.kill(pid, signal.SIGCONT)
    d.sendall(b"x")
    lab.point(d.recv(1) == b"x", "and served when it goes on")
    c.setblocking(True)
    c.settimeout(5)
    got = 0
    while got < 20000:
        part = c.recv(65536)
        if not part:
            break
        got += len(part)
    lab.point(got == 20000, "what it had received meanwhile is there", f"{got}")
    stopped_again_and_again(port, pid)
    server.end()


def stopped_again_and_again(port, pid):
    """While it is busy, on a busy machine: inside its instance as often as not, where the janitor
    has to wait for a processor to let it out."""
    loops = [lab.start("/bin/sh", "-c", "while :; do :; done") for _ in range(os.cpu_count() + 1)]
    flood = [lab.start(sys.executable, "-S", "-E", os.path.join(HERE, "faults_server.py"), "flood",
                       str(port), lab.OURS) for _ in range(2)]
    opened = 0
    for _ in range(8):
        time.sleep(random.uniform(0.05, 0.15))
        os.kill(pid, signal.SIGSTOP)
        try:
            socket.create_connection((lab.OURS, port), timeout=4).close()
            opened += 1
        except OSError:
            pass
        os.kill(pid, signal.SIGCONT)
    for p in flood + loops:
        p.kill()
        p.wait()
    lab.point(opened == 8, "stopped while it is busy: connections are opened", f"{opened} of 8")
    lab.point(tries(10, port) == 10, "and it goes on each time")


def deaf():
    """The kernel hears nothing of ours any more, and says nothing."""
    lab.run("ip", "address", "del", lab.KERNEL + "/24", "dev", lab.TAP)


def hears():
    lab.run("ip", "address", "add", lab.KERNEL + "/24", "dev", lab.TAP, check=False)


def computes():
    """A program that does not poll: its peer is acknowledged, its own data sent again."""
    port = next(ports)
    server = Server("busy", port, 3)
    server.says("ready")
    c = socket.create_connection((lab.OURS, port), timeout=5)
    c.send(b"x")
    deaf()
    sent = int(server.says("computes")[0])
    began = time.monotonic()
    time.sleep(0.3)
    hears()
    got = 0
    while got < sent:
        got += len(c.recv(65536))
    took = time.monotonic() - began
    lab.point(took < 2.5, "a program that computes: what it has queued is sent, and sent again "
              "where it was lost", f"{took:.2f} s")
    slow = []
    for _ in range(20):
        at = time.monotonic()
        c.sendall(b"x" * 1000)
        lab.wait_for(lambda: outq(c) == 0, 1, 0.0005)
        slow.append(time.monotonic() - at)
    slow.sort()
    # A segment alone waits 40 ms for another (RFC 9293 3.8.6.3).
    lab.point(slow[10] < 0.08, "its peer's data is acknowledged as if it polled",
              f"median {slow[10] * 1000:.1f} ms, worst {slow[-1] * 1000:.1f} ms")
    lab.note(f"acknowledged: median {slow[10] * 1000:.2f} ms, worst {slow[-1] * 1000:.2f} ms")
    lab.point(time.monotonic() - began < 3, "all of it while it computed")
    server.says("computed")
    c.close()
    lab.point(server.says("received") == ["20000"], "and it has all of it")
    server.end()


def no_descriptors():
    port = next(ports)
    server = Server("few", port, 40)
    server.says("ready")
    conns, full = [], False
    for _ in range(60):
        c = socket.create_connection((lab.OURS, port), timeout=2)
        conns.append(c)
    said = server.says("accept")
    lab.point(said == ["24"], "out of descriptors: accept says EMFILE", said)
    for c in conns[:20]:
        c.close()
    answered = 0
    for c in conns[20:50]:
        c.settimeout(3)
        try:
            c.sendall(b"x")
            answered += c.recv(1) == b"x"
        except OSError:
            pass
    lab.point(answered == 30, "when some are closed those that waited are served", answered)
    server.end()


def no_slots():
    port = next(ports)
    server = Server("threads", port, 12, options=("--slots", "2"))
    server.says("ready")
    conns = []
    for _ in range(100):
        conns.append(call(port, 100))
    good = 0
    for c in conns:
        c.sendall(b"z")
        good += c.recv(1) == b"z"
    lab.point(good == 100, "twelve threads on two queues: all are served", good)
    lab.point(tries(100, port) == 100, "and go on opening")
    server.end()


def gone():
    port = next(ports)
    server = Server("lonely", port, 1200)
    server.says("ready")
    c = call(port, 0)
    c.send(b"x")
    lab.wait_for(lambda: outq(c) == 0)
    deaf()
    how, seconds = server.says("ended")
    hears()
    lab.point(how == "110" and 0.8 < float(seconds) < 4, "the peer is gone: ETIMEDOUT after the "
              "user time-out", f"{how} after {seconds} s")
    server.end()


def churns():
    n = 10000 * SOAK if SOAK == 1 else 30000
    l = socket.socket()
    l.bind((lab.KERNEL, 6000))
    l.listen(1000)

    def serve():
        while True:
            try:
                c, _ = l.accept()
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                c.close()
            except OSError:
                break

    threading.Thread(target=serve, daemon=True).start()
    server = Server("churn", 6000, n)
    fds, pages = map(int, server.says("state", 30))
    fds2, pages2 = map(int, server.says("state", 60))
    lab.point(fds == fds2, f"{n:,} opens and closes: no descriptor more", f"{fds} {fds2}")
    lab.point(pages2 - pages < 300, "and no memory", f"{(pages2 - pages) * 4} KB more")
    early = server.says("done")[0]
    lab.note(f"{early} of them were reset before connect had said that they were there")
    server.end()
    l.close()


def idles():
    n = 1000
    port = next(ports)
    server = Server("idle", port, n)
    server.says("ready")
    conns = [socket.create_connection((lab.OURS, port), timeout=5) for _ in range(n)]
    server.says("sleeps")
    family = server.family()
    begun = [lab.cpu_ticks(p) for p in family]
    lab.point(len(family) >= 2 and lab.asleep(family),
              f"asleep with {n:,} connections neither it nor the janitor is woken", family)
    spent = [lab.cpu_ticks(p) - t for p, t in zip(family, begun)]
    # Until it slept the janitor looked ever more rarely: a millisecond or two.
    lab.point(sum(spent) <= 3, "and on their way there they used hardly any processor", spent)
    conns[500].send(b"x")
    for c in conns:
        c.close()
    lab.point(server.end(), "the session ends with its last process")


WHAT = {"killed": killed_worker, "stopped": stopped, "computes": computes, "fds": no_descriptors,
        "slots": no_slots, "gone": gone, "churn": churns, "idle": idles}
for name in sys.argv[1:] or WHAT:
    began = time.monotonic()
    try:
        WHAT[name]()
    except (SystemExit, OSError) as e:
        lab.point(False, f"{name} goes to its end", repr(e))
        hears()
    for server in servers:
        server.end()
    servers.clear()
    lab.note(f"{name}: {time.monotonic() - began:.1f} s")
lab.done()
