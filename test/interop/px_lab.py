"""A place for unmodified programs: the program under test in a namespace of its own at 10.9.0.2, its
peers, on the kernel's stack, in ours at 10.9.0.1.

    kernel     ours 10.9.0.1 peer0 --- veth --- far0 10.9.0.2   the program, on the kernel's stack
    millrace   ours 10.9.0.1 tap0  --- TAP ----------------- 10.9.0.2   `millrace run ... -- program`

MILLRACE_PX says which ("millrace" if nothing does); the command line behind it is the same.  A TAP is
made in the program's namespace and its kernel's end is then moved to ours, so that what the shim
leaves to the kernel leads nowhere: a test that passes ran on Millrace.
"""
import atexit
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import lab

KERNEL, OURS = lab.KERNEL, lab.OURS
WHERE = os.environ.get("MILLRACE_PX", "millrace")
ON_MILLRACE = WHERE == "millrace"
SECONDS = float(os.environ.get("LAB_PX_SECONDS", "0.7"))
PEER = os.environ.get("MILLRACE_PX_PEER", os.path.join(lab.BUILD, "test", "interop", "px_peer"))
PERIOD = 65521

_far = None
_turn = 0
_sessions = []


def enter(*tools):
    """From here on in the namespace of the peers; the program's is made."""
    global _far
    lab.enter()
    lab.need(*tools)
    if not os.path.exists(PEER):
        lab.skip_all("px_peer is not built")
    if ON_MILLRACE:
        lab.program("millrace")
    atexit.register(_clean_up)
    _far = lab.namespace()
    # Programs that listen on the wildcard address listen on the kernel, too.
    lab.write("/proc/sys/net/ipv4/ip_local_port_range", "10000 65535")
    if ON_MILLRACE:
        # Origins listen before there is a device, and stay while devices come and go.
        lab.run("ip", "address", "add", KERNEL + "/32", "dev", "lo")
    else:
        lab.veth("peer0", "far0", _far)
        lab.quiet_up("far0", at=_far)
        lab.quiet_up("peer0")
        lab.run("ip", "address", "add", KERNEL + "/24", "dev", "peer0")
        lab.run(*_far, "ip", "address", "add", OURS + "/24", "dev", "far0")
    lab.note(f"programs run on {WHERE}")


def _clean_up():
    """What put itself into the background is not the lab's."""
    for s in _sessions:
        if s.daemon and s.at():
            os.kill(s.pid, signal.SIGKILL)


def folder():
    """As lab's, but programs that become another user may look into it."""
    path = lab.folder()
    os.chmod(path, 0o755)
    return path


def file(name, text=None, mode=0o644):
    path = os.path.join(folder(), name)
    if text is not None:
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
    return path


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


# ---- programs under test -------------------------------------------------------------------

class Session:
    """What one `millrace run` makes; on the kernel: nothing but a command in the far namespace."""

    def __init__(self, *command, slots=2, cwd=None, stdin=None, env=None, daemon=None):
        """daemon: the file into which a program that puts itself into the background writes its
        process."""
        global _turn
        self.daemon = daemon
        _turn += 1
        self.tap = f"px{_turn}"
        self.log = file(f"{os.path.basename(command[0])}.{_turn}.log", "")
        self.control = os.path.join(folder(), f"session.{_turn}")
        before = list(_far)
        if ON_MILLRACE:
            before += [lab.program("millrace"), "run", "--dev", f"tap:{self.tap}", "--addr",
                       f"{OURS}/24", "--slots", str(slots), "--control", self.control, "--"]
        with open(self.log, "w") as out:
            self.p = lab.start(*before, *command, stdout=out, stderr=out, cwd=cwd, stdin=stdin,
                               env=env)
        self.pid = self.p.pid
        _sessions.append(self)
        if ON_MILLRACE:
            self.plug()

    def plug(self):
        """The TAP's kernel end comes to our side."""
        there = lambda: lab.run(*_far, "ip", "link", "show", self.tap, check=False).returncode == 0
        if not lab.wait_for(lambda: there() or self.p.poll() is not None, 10) or not there():
            raise SystemExit(f"no device: {self.said()}")
        lab.run(*_far, "ip", "link", "set", self.tap, "netns", str(os.getpid()))
        lab.quiet_up(self.tap)
        lab.run("ip", "address", "replace", KERNEL + "/24", "dev", self.tap)

    def at(self):
        """The process that serves; None: it has ended."""
        if self.daemon:
            self.pid = int(read(self.daemon).strip() or self.pid)
            return self.pid if os.path.exists(f"/proc/{self.pid}") else None
        return self.pid if self.p.poll() is None else None

    def said(self):
        return read(self.log)[-2000:]

    def ready(self, port, seconds=15):
        """Somebody accepts on this port."""
        def answers():
            if self.p.poll() not in (None, 0 if self.daemon else None):
                raise SystemExit(f"{self.p.args[-1]} ended at once: {self.said()}")
            try:
                socket.create_connection((OURS, port), timeout=2).close()
                return True
            except OSError:
                return False
        if not lab.wait_for(answers, seconds, 0.05):
            raise SystemExit(f"nobody listens on {port}: {self.said()}")
        return self

    def kill(self, number):
        os.kill(self.pid, number)

    def stop(self, number=signal.SIGTERM, patience=10):
        """Its exit status; None: it had to be killed.  The device is gone afterwards."""
        if self.daemon and self.at():
            os.kill(self.pid, number)
            if not lab.wait_for(lambda: not self.at(), patience):
                os.kill(self.pid, signal.SIGKILL)
        if self.p.poll() is None:
            self.p.send_signal(number)
        try:
            status = self.p.wait(patience)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            status = None
        if ON_MILLRACE:
            links = lambda: self.tap not in lab.run("ip", "-o", "link", check=False).stdout
            if not lab.wait_for(links, 10):
                lab.point(False, f"the session of {self.tap} ends with its programs",
                          lab.run("ps", "-ef").stdout)
                lab.run("ip", "link", "del", self.tap, check=False)
        return status


class Shell(Session):
    """Programs under test that are clients: a shell reads their command lines from a pipe, so that
    one session serves them all."""

    def __init__(self, **more):
        self.pipe = os.path.join(folder(), f"pipe.{_turn}")
        os.mkfifo(self.pipe)
        self.n = 0
        super().__init__("/bin/sh", "-c", f'while read -r line; do eval "$line"; done <{self.pipe}',
                         **more)
        self.to = open(self.pipe, "w")
        self.lock = threading.Lock()

    def begin(self, command, stdin=None):
        """Start one; what ends with the shell.  Where its output and, at the end, its status go."""
        with self.lock:
            self.n += 1
            at = os.path.join(folder(), f"out.{self.tap}.{self.n}")
            words = command if isinstance(command, str) else shlex.join(map(str, command))
            self.to.write(f"( ( {words} ) <{stdin or '/dev/null'} >{at}.out 2>{at}.err; "
                          f"echo $? >{at}.new; mv {at}.new {at}.rc ) &\n")
            self.to.flush()
        return at

    def end(self, at, timeout=30):
        if not lab.wait_for(lambda: os.path.exists(at + ".rc"), timeout):
            return Done(-1, read(at + ".out"), f"still running after {timeout} s: " +
                        read(at + ".err"))
        return Done(int(read(at + ".rc") or -1), read(at + ".out"), read(at + ".err"))

    def run(self, *command, stdin=None, timeout=30):
        return self.end(self.begin(command[0] if len(command) == 1 else command, stdin), timeout)

    def stop(self, **more):
        self.to.close()
        try:
            self.p.wait(5)
        except subprocess.TimeoutExpired:
            pass
        return super().stop(**more)


class Done:
    def __init__(self, returncode, stdout, stderr):
        self.returncode, self.stdout, self.stderr = returncode, stdout, stderr

    def __repr__(self):
        return f"exit {self.returncode}: {self.stdout[-600:]} {self.stderr[-600:]}"


# ---- peers on the kernel -------------------------------------------------------------------

def origin(port, addr=KERNEL):
    p = lab.start(PEER, "origin", addr, str(port))

    def answers():
        try:
            socket.create_connection((addr, port), timeout=1).close()
            return True
        except OSError:
            return False
    if not lab.wait_for(answers):
        raise SystemExit("the origin does not listen")
    return p


class Load:
    """Clients that check every byte; started at once, looked at with .end()."""

    def __init__(self, port, *how, connections=16, seconds=None, sizes="0,1,1000,30000", seeds=50,
                 addr=OURS):
        ms = int((SECONDS if seconds is None else seconds) * 1000)
        self.p = lab.start(PEER, "get", addr, str(port), str(connections), str(ms), sizes, str(seeds),
                           *how, stdout=subprocess.PIPE, text=True)

    def end(self, timeout=90):
        try:
            out, _ = self.p.communicate(timeout=timeout)
            return json.loads(out)
        except (subprocess.TimeoutExpired, ValueError) as e:
            self.p.kill()
            return {"done": 0, "failed": 1, "late": 1, "wrong": 0, "retried": 0, "early": 0,
                    "most": 0, "why": f"no report: {e}"}


def load_point(name, load, least=1, retried=None, connect_ms=None):
    """connect_ms: longer no connection may take.  A SYN that is sent again takes a second."""
    r = load.end() if isinstance(load, Load) else load
    lab.note(f"{name}: {r['done']} requests, {r['failed']} failed, {r['retried']} sent again, longest "
             f"{r.get('longest_us', 0) // 1000} ms, "
             f"to connect {r.get('connect_us', 0) // 1000} ms")
    good = r["failed"] == 0 and r["done"] >= least and (retried is None or r["retried"] <= retried)
    if connect_ms is not None:
        good = good and r.get("connect_us", 0) < connect_ms * 1000
    lab.point(good, name, r)
    return r


def content(size, seed):
    """What px_peer means by /o/SIZE/SEED."""
    one = _pattern()
    at = seed % PERIOD
    return (one[at:] + one * (size // PERIOD + 1))[:size]


_one = None


def _pattern():
    global _one
    if _one is None:
        x, out, mask = 1, bytearray(), (1 << 64) - 1
        for _ in range(PERIOD):
            x = (x * 6364136223846793005 + 1442695040888963407) & mask
            out.append((x >> 40) & 255)
        _one = bytes(out)
    return _one


def www(sizes, seeds, name="www"):
    """The same as files below a folder."""
    root = os.path.join(folder(), name)
    for size in sizes:
        os.makedirs(f"{root}/o/{size}", exist_ok=True)
        for seed in range(seeds):
            with open(f"{root}/o/{size}/{seed}", "wb") as f:
                f.write(content(size, seed))
    return root


def certificate():
    """A key and a certificate of our own: one file with both, key, certificate."""
    key, cert, both = (os.path.join(folder(), n) for n in ("key.pem", "cert.pem", "both.pem"))
    if not os.path.exists(both):
        lab.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "9", "-subj", "/CN=lab", "-addext", f"subjectAltName=IP:{OURS}",
                "-keyout", key, "-out", cert)
        file("both.pem", read(cert) + read(key))
    return both, key, cert


def fds(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def rss_kb(pid):
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    return 0


def children(pid):
    return [int(x) for x in read(f"/proc/{pid}/task/{pid}/children").split()]
