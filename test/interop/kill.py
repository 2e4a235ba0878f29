#!/usr/bin/python3
"""A program is ended at any moment, gently or not: the interface, the host's traffic, the huge
pages and the folders that all programs share are as before, and it starts again at once.

    wrk, millrace-load ... --- the device --- millrace-httpd, killed again and again
"""
import atexit
import glob
import json
import os
import random
import re
import resource
import signal
import time

import lab

SILENT = {"stdout": open(os.devnull, "w"), "stderr": open(os.devnull, "w")}
HUGE = 160  # pages of 2 MB: two programs
SHARED = ("/dev/shm", "/run", "/tmp", "/dev/hugepages")
HOST = "10.9.0.3"
SEED = int(os.environ.get("LAB_SEED", time.time()))

lab.enter()
lab.need("wrk", "curl", "tc", "ethtool", "ping")
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
random.seed(SEED)
lab.note(f"LAB_SEED={SEED}")
www = os.path.join(lab.folder(), "www")
os.mkdir(www)
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("x" * 20000)
control = os.path.join(lab.folder(), "httpd.sock")

# ---- what must be as before ------------------------------------------------------------------


def device():
    """The interface that the program uses, as the kernel sees it, but for what counts."""
    name = lab.TAP if lab.DEVICE == "tap" else lab.FAR
    text = lab.run(*lab.inside, "ip", "-d", "-j", "link", "show", "dev", name).stdout
    all_names = lab.run(*lab.inside, "ip", "-j", "link").stdout
    seen = json.loads(text)[0]
    for what, command in {
            "qdiscs": ("tc", "qdisc", "show", "dev", name),
            "in": ("tc", "filter", "show", "dev", name, "ingress"),
            "out": ("tc", "filter", "show", "dev", name, "egress"),
            "features": ("ethtool", "-k", name),
            "channels": ("ethtool", "-l", name),
            "bpf": ("bpftool", "-j", "net", "show", "dev", name),
            "addresses": ("ip", "-o", "address", "show", "dev", name),
            "routes": ("ip", "route", "show", "table", "all", "dev", name),
            "memberships": ("ip", "maddress", "show", "dev", name)}.items():
        r = lab.run(*lab.inside, *command, check=False)
        seen[what] = r.stdout
    seen["all interfaces"] = sorted(x["ifname"] for x in json.loads(all_names))
    return seen


def places():
    mine = "|".join(map(str, [-1, *pids]))
    """What lies in the folders that everybody uses, and what huge pages there are."""
    seen = {}
    for path in SHARED:
        r = lab.run(*lab.inside, "find", path, "-mindepth", "1", "-xdev", check=False)
        names = r.stdout.split("\n")
        if path == "/tmp":  # other programs live there, too
            names = [n for n in names if re.match(rf"/tmp/(rte_|dpdk|millrace[^/]*-({mine})\b)", n)]
        # DPDK makes the one for all its programs to come, each of which has its own in it; the other
        # is to last (os_secret).
        seen[path] = sorted(set(names) - {"", "/run/dpdk", "/run/millrace-secret"})
    if lab.DEVICE == "dpdk":
        seen["huge pages"] = huge_counts()
    return seen


def strangers():
    """Programs that have huge pages: ours are dead when this is asked."""
    r = lab.run("grep", "-lE", "^HugetlbPages:[[:space:]]+[1-9]", *glob.glob("/proc/[0-9]*/status"),
                check=False)
    return r.stdout.split()


def huge_counts():
    global huge_known
    if huge_known and strangers():
        huge_known = False
        lab.skip("huge pages are as before", "another program of this machine uses some, too")
    if not huge_known:
        return None
    with open("/proc/meminfo") as f:
        return [line.strip() for line in f if line.startswith("HugePages")]


def difference(before, now):
    """What is of one only, a line each."""
    found = []
    for k in before.keys() | now.keys():
        a, b = (str(x.get(k)).replace(", ", "\n").split("\n") for x in (before, now))
        found += [f"{k}: before: {x}" for x in a if x not in b]
        found += [f"{k}: now: {x}" for x in b if x not in a]
    return "\n".join(found)


def host_is_reached():
    """The kernel's own address on the interface answers."""
    if lab.DEVICE == "tap":
        return lab.run("ping", "-c", "1", "-W", "2", lab.KERNEL, check=False).returncode == 0
    address = ("ip", "address")
    here = HOST + "/24", "dev", lab.FAR
    lab.run(*lab.inside, *address, "add", *here)
    r = lab.run("ping", "-c", "1", "-W", "2", HOST, check=False)
    lab.run(*lab.inside, *address, "del", *here)
    return r.returncode == 0


# ---- the program and its load ----------------------------------------------------------------

class Way:
    """What the program runs on, and who loads it: the kernel at the other end of the device."""

    def __init__(self):
        self.title, self.options = lab.DEVICE, ("--dev", lab.dev())

    def fetch(self):
        return lab.run("curl", "-sf", "--connect-timeout", "0.2", "--max-time", "1", "-o",
                       os.devnull, f"http://{lab.OURS}/", check=False).returncode == 0

    def load(self):
        return lab.start("wrk", "-t", "1", "-c", "16", "-d", "5", f"http://{lab.OURS}/",
                         **SILENT)


class Vhost(Way):
    """Another program of ours, over shared memory; with huge pages or without."""

    def __init__(self, title, *eal):
        self.title, self.eal = title, eal
        self.path = os.path.join(lab.folder(), "vhost.sock")
        self.options = ("--dev", f"dpdk:net_vhost0,iface={self.path}", *eal)

    def command(self, ms):
        return (*lab.inside, lab.program("millrace-load"), "http", "--to", lab.OURS + ":80",
                "--dev", f"dpdk:net_virtio_user0,path={self.path}", "--addr", lab.KERNEL + "/24",
                "--control", "none", "--quiet", "--duration-ms", str(ms), "--connections", "8",
                *self.eal)

    def fetch(self):
        r = lab.run("timeout", "8", *self.command(100), check=False)
        return r.returncode == 0 and "errors      connect 0" in r.stdout

    def load(self):
        return lab.start(*self.command(5000), **SILENT)


def launch(way):
    """Without waiting for it."""
    log = control + ".log"
    with open(log, "w") as out:
        p = lab.start(*lab.inside, lab.program("millrace-httpd"), *way.options, "--addr",
                      lab.OURS + "/24", "--root", www, "--control", control, stdout=out, stderr=out)
    p.log = log
    pids.append(p.pid)
    return p


def said(p):
    with open(p.log) as f:
        return f.read()


def served(way, p, seconds=8):
    """It gives a page, and how long that took."""
    began = time.monotonic()
    lab.wait_for(lambda: p.poll() is not None or os.path.exists(control), seconds, 0.01)
    ready = time.monotonic() - began
    ok = lab.wait_for(lambda: p.poll() is not None or way.fetch(), seconds, 0.05)
    return ok and p.poll() is None, ready


def end(p, sig):
    """The signal, and the process is gone."""
    if p.poll() is None:
        p.send_signal(sig)
    return lab.wait_for(lambda: p.poll() is not None, 10)


def life(way, sig, moment):
    """Start, serve, be loaded for a moment, end; and look."""
    title = f"{way.title}, {sig.name}"
    if os.path.exists(control):
        os.unlink(control)
    p = launch(way)
    good, ready = served(way, p)
    lab.point(good, f"{title}: it starts and serves", said(p))
    load = way.load()
    pids.append(load.pid)
    time.sleep(0.1 + moment)
    gone = end(p, sig)
    status = p.poll()
    lab.point(gone and status == (0 if sig == signal.SIGTERM else -sig),
              f"{title}: it ends, {moment:.2f} s under load", f"{status}: {said(p)}")
    # Not killed itself: in the middle of its start it would leave something.
    if not end(load, signal.SIGTERM):
        end(load, signal.SIGKILL)
    compare(title)
    return ready


def compare(title):
    same_device(title)
    now = places()
    if not huge_known:
        places_before["huge pages"] = None
    changed = difference(places_before, now)
    lab.point(not changed, f"{title}: nothing is left behind", changed)


def same_device(title):
    lab.wait_for(lambda: not difference(device_before, device()), 2)
    changed = difference(device_before, device())
    lab.point(not changed, f"{title}: the interface is as it was", changed)
    lab.point(host_is_reached(), f"{title}: the host's traffic passes")


def half_starts(way, ready, times):
    """Killed before it is ready, at any moment of its start."""
    for _ in range(times):
        p = launch(way)
        time.sleep(random.uniform(0, 1.2 * ready))
        end(p, signal.SIGKILL)
    # What a start has half made the next one clears away.
    same_device(f"{way.title}, SIGKILL in {times} starts")
    life(way, signal.SIGTERM, 0)


def killed_peer(way):
    """Whoever shares memory with us is killed: we go on."""
    p = launch(way)
    served(way, p)
    for _ in range(2):
        peer = way.load()
        time.sleep(random.uniform(0.1, 0.6))
        end(peer, signal.SIGKILL)
    lab.point(way.fetch() and p.poll() is None, f"{way.title}: it outlives peers that are killed",
              said(p))
    lab.stop(p)


# ---- huge pages ------------------------------------------------------------------------------

def huge_pages(n):
    """n free ones, mounted where only the programs of this test see them; why not."""
    knob = "/proc/sys/vm/nr_hugepages"
    with open(knob) as f:
        before = f.read()
    atexit.register(lab.write, knob, before)
    if not lab.write(knob, str(int(before) + n)):
        return "the kernel gives none: not root"
    with open("/proc/meminfo") as f:
        free = int(re.search(r"HugePages_Free:\s+(\d+)", f.read())[1])
    if free < n:
        return f"{n} were asked for, {free} are free"
    r = lab.run(*lab.inside, "sh", "-c", "mkdir -p /run/huge && mount -t hugetlbfs none /run/huge",
                check=False)
    return r.stderr.strip() or None


lab.network()
# Folders of our own: what other programs of this machine do there is not our business.
own = lab.start("unshare", "-m", "sh", "-c", "for d in /dev/shm /run; do mount -t tmpfs none $d; "
                "done; exec sleep 600")
lab.wait_for(lambda: b"sleep" in open(f"/proc/{own.pid}/cmdline", "rb").read())
lab.inside += ("nsenter", "-t", str(own.pid), "-m")
pids = []
huge_known = True
way = Way()
if lab.DEVICE == "tap":
    # A TAP has the features that who held it last has asked for, until somebody else holds it.
    p = launch(way)
    served(way, p)
    end(p, signal.SIGTERM)

# What a first life leaves for ever is looked for, too: nothing has run before this.
device_before, places_before = device(), places()
ready = [life(way, sig, random.uniform(0, 0.4))
         for sig in (signal.SIGKILL, signal.SIGABRT, signal.SIGTERM)]
lab.note(f"ready after {', '.join(f'{s:.2f}' for s in ready)} s")
half_starts(way, min(ready), 10 if min(ready) < 0.2 else 3)

if lab.DEVICE == "dpdk":
    way = Vhost("vhost without huge pages", "--eal", "--no-huge")
    for sig in (signal.SIGKILL, signal.SIGTERM):
        life(way, sig, random.uniform(0, 0.4))
    killed_peer(way)
    way = Vhost("vhost with huge pages")
    why_not = huge_pages(HUGE)
    if why_not:
        lab.skip(way.title, "no huge pages: " + why_not)
    else:
        places_before = places()
        life(way, signal.SIGABRT, random.uniform(0, 0.4))
        half_starts(way, life(way, signal.SIGKILL, random.uniform(0, 0.4)), 3)

if lab.DEVICE == "tap":
    # A TAP that the program made itself goes with it.
    for sig in (signal.SIGKILL, signal.SIGABRT, signal.SIGTERM):
        p = lab.ours("millrace-httpd", "--root", www, dev="tap:own0", addr="10.7.0.2")
        made = os.path.exists("/proc/sys/net/ipv4/conf/own0")
        end(p, sig)
        lab.point(made and lab.wait_for(
            lambda: not os.path.exists("/proc/sys/net/ipv4/conf/own0"), 2),
            f"a TAP of the program's own goes with it after {sig.name}")
lab.done()
