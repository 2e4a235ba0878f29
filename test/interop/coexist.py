#!/usr/bin/python3
"""The kernel keeps its interface: its own address on it answers before, while and after a program
of ours lives there, on another address or on chosen ports of the same one, however that ends.

    peer 10.9.0.1 peer0 --- veth --- ours0 --- the host's kernel 10.9.0.3: ssh (an echo), ping, ...
                                          +--- millrace-httpd 10.9.0.2, or port 8080 of 10.9.0.3
"""
import os
import re
import signal
import socket
import sys
import threading
import time

import lab

HOST = "10.9.0.3"
QUEUES = 2
STALL_S = 1.0

HOST_PROGRAM = """
import socket, threading
def answer(s):
    while part := s.recv(65536):
        s.sendall(part)
def tcp(port):
    l = socket.create_server(("10.9.0.3", port))
    while True:
        threading.Thread(target=answer, args=(l.accept()[0],), daemon=True).start()
def udp(port):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind(("10.9.0.3", port))
    while True:
        u.sendto(*u.recvfrom(65536))
threading.Thread(target=udp, args=(22,), daemon=True).start()
tcp(22)
"""

if lab.DEVICE not in ("xdp", "packet"):
    lab.skip_all(f"{lab.DEVICE} does not share an interface with the kernel")
lab.enter()
lab.need("curl", "ping", "ip")
lab.network(queues=QUEUES)
www = lab.folder()
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("ours\n")
lab.make_file(os.path.join(www, "some"), 3 << 20)
lab.run(*lab.inside, "ip", "address", "add", HOST + "/24", "dev", lab.FAR)
lab.start(*lab.inside, sys.executable, "-c", HOST_PROGRAM)


class Session(threading.Thread):
    """Somebody's ssh: one connection to the host's own address that lives through it all."""

    def __init__(self):
        super().__init__(daemon=True)
        self.s = socket.create_connection((HOST, 22), timeout=5)
        self.turns, self.worst, self.error, self.go_on = 0, 0.0, None, True

    def run(self):
        try:
            while self.go_on:
                began = time.monotonic()
                word = b"keystroke %d\n" % self.turns
                self.s.sendall(word)
                got = b""
                while len(got) < len(word):
                    got += self.s.recv(100) or sys.exit("closed")
                if got != word:
                    raise ValueError(f"sent {word}, got {got}")
                self.turns += 1
                self.worst = max(self.worst, time.monotonic() - began)
                time.sleep(0.01)
        except (OSError, ValueError, SystemExit) as e:
            self.error = e

    def look(self, when):
        """It has moved since, and never stood still for long."""
        turns, self.worst = self.turns, 0.0
        time.sleep(0.2)
        lab.point(not self.error and self.turns > turns and self.worst < STALL_S,
                  f"the host's session goes on {when}",
                  f"{self.error}; {self.turns - turns} turns, the worst {self.worst:.2f} s")


def host_echo(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.settimeout(3)
        s.connect((HOST, 22))
        s.sendall(b"hello")
        return s.recv(16) == b"hello"


def pings(address):
    """Answered, and each once."""
    r = lab.run("ping", "-c", "3", "-i", "0.05", "-W", "2", address, check=False)
    return " 3 received" in r.stdout and "DUP" not in r.stdout


def refused(port):
    """By the host's kernel: nobody listens there."""
    with socket.socket() as s:
        s.settimeout(2)
        try:
            s.connect((HOST, port))
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
        return False


def host_works(when):
    good = {"a new connection": host_echo(socket.SOCK_STREAM),
            "a datagram": host_echo(socket.SOCK_DGRAM), "ping": pings(HOST),
            "a closed port": refused(23)}
    # From the host outwards: the answers come to ports that nobody has told us of.
    r = lab.run(*lab.inside, sys.executable, "-c", "import socket; s = socket.create_connection(("
                f"'{lab.KERNEL}', 2222), 3); s.sendall(b'x'); s.recv(1)", check=False)
    good["a connection of its own"] = r.returncode == 0
    lab.point(all(good.values()), f"the host's other traffic works {when}", good)
    session.look(when)


def serve_peer():
    """Something for the host to connect to."""
    listener = socket.create_server((lab.KERNEL, 2222))

    def accept():
        while True:
            s = listener.accept()[0]
            s.sendall(s.recv(1))
            s.close()
    threading.Thread(target=accept, daemon=True).start()


def ours_works(url):
    r = lab.run("curl", "-sS", "--max-time", "5", url, check=False)
    big = lab.run("curl", "-sS", "--max-time", "10", "-o", os.path.join(www, "got"), url + "some",
                  check=False)
    same = lab.run("cmp", os.path.join(www, "got"), os.path.join(www, "some"), check=False)
    return r.stdout == "ours\n" and big.returncode == 0 and same.returncode == 0


def programs_in_the_kernel():
    """XDP and tc, on our end."""
    seen = lab.run(*lab.inside, "ip", "-d", "link", "show", "dev", lab.FAR).stdout
    more = lab.run(*lab.inside, "bpftool", "net", "show", "dev", lab.FAR, check=False).stdout
    return re.findall(r"prog/xdp.*|xdp\w* .*", seen) + re.findall(r".* id \d+.*", more)


def lives(title, url, start, signals, ours_pings=None):
    """A program of ours for each way to end it, and the host through all of it."""
    for sig in signals:
        end = f"{title}, {sig.name}"
        p = start()
        with open(p.log) as f:
            log = f.read()
        lab.point(ours_works(url), f"{end}: our pages come", log)
        host_works(f"beside it ({end})")
        if ours_pings:
            lab.point(pings(ours_pings), f"{end}: our address answers a ping once")
        if sig == signal.SIGKILL:
            # A program that hangs is no reason for the host to.
            p.send_signal(signal.SIGSTOP)
            lab.run("curl", "-s", "--max-time", "0.3", url, check=False)
            host_works(f"while ours stands still ({title})")
            p.send_signal(signal.SIGCONT)
            lab.point(ours_works(url), f"{end}: and ours goes on")
        if sig == signal.SIGTERM:
            lab.point(lab.stop(p) == 0, f"{end}: it ends in order")
        else:
            p.send_signal(sig)
            p.wait(10)
        host_works(f"after {end}")
        lab.point(not programs_in_the_kernel(), f"{end}: no program stays in the kernel",
                  programs_in_the_kernel())


serve_peer()
lab.wait_for(lambda: not refused(22))
session = Session()
session.start()
host_works("before")

ENDS = {1: (signal.SIGTERM, signal.SIGKILL, signal.SIGABRT), QUEUES: (signal.SIGKILL,)}
for cores, signals in ENDS.items():
    lives(f"address mode, {cores} queue{'s' if cores > 1 else ''}", f"http://{lab.OURS}/",
          lambda: lab.httpd(www, "--cores", cores), signals, ours_pings=lab.OURS)
if lab.DEVICE == "xdp":
    url = f"http://{HOST}:8080/"
    lab.point(refused(8080), "the chosen port is closed before")
    for cores, signals in ENDS.items():
        lives(f"port mode, {cores} queue{'s' if cores > 1 else ''}", url,
              lambda: lab.httpd(www, "--port", 8080, "--cores", cores, option=",port=8080",
                                addr=HOST), signals)
    lab.point(refused(8080), "the chosen port is the kernel's again after")
else:
    lab.skip("port mode", "a packet socket shares an address with nobody")
session.go_on = False
session.join(5)
lab.point(not session.error, f"the host's session has seen nothing of it all", session.error)
lab.note(f"{session.turns} turns")
lab.done()
