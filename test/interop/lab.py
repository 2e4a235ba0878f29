"""A place for a test: a network namespace of its own, a device in it, programs of ours beside it.

A test script begins with lab.enter(): the script starts itself again inside `unshare` (as root, or
with a user namespace), so whatever happens, the kernel takes the network away with the last
process.  MILLRACE_LAB_DEV says what the programs run on; lab.network() makes it:

    tap     kernel's stack 10.9.0.1 --- tap0 --- 10.9.0.2 the program of ours
    others  kernel's stack 10.9.0.1 peer0 --- veth --- ours0 10.9.0.2 the program of ours

where ours0 lies in a second namespace, in which the program runs and the kernel has no address, so
that nothing can take a short cut.

Output is TAP.  lab.skip_all() says why a test cannot run here.
"""
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("MILLRACE_BUILD", os.path.join(ROOT, "build"))

KERNEL = "10.9.0.1"
OURS = "10.9.0.2"
TAP = "tap0"
DEVICE = os.environ.get("MILLRACE_LAB_DEV", "tap")
# A test is run over every device; its full length is for the TAP.
FULL = DEVICE == "tap"
LINK = TAP if DEVICE == "tap" else "peer0"  # the kernel's end
FAR = "ours0"                               # our end of a veth

inside = ()   # before the command line of a program of ours
_dev = None   # what --dev says
_far = None   # the second namespace

_points = 0
_failed = 0
_running = []
_folder = None


# ---- TAP -----------------------------------------------------------------------------------

def note(text):
    for line in str(text).rstrip().split("\n"):
        print("# " + line, flush=True)


def point(good, name, detail=None):
    """One result; returns good."""
    global _points, _failed
    _points += 1
    _failed += not good
    print(("ok" if good else "not ok"), _points, "-", name, flush=True)
    if not good and detail is not None:
        note(detail)
    return good


def skip(name, why):
    global _points
    _points += 1
    print(f"ok {_points} - {name} # SKIP {why}", flush=True)


def skip_all(why):
    """Nothing can run here; or, after some points, nothing more."""
    if _points:
        skip("what is left", why)
        done()
    print(f"1..0 # SKIP {why}", flush=True)
    sys.exit(0)


def done():
    print(f"1..{_points}", flush=True)
    sys.exit(1 if _failed else 0)


# ---- the namespace -------------------------------------------------------------------------

def need(*tools):
    missing = [t for t in tools if not shutil.which(t)]
    if missing:
        skip_all("not installed: " + ", ".join(missing))


def enter():
    """From here on: root in a network namespace of our own."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    need("unshare", "ip")
    if "LAB_INSIDE" not in os.environ:
        if DEVICE == "tap" and not os.path.exists("/dev/net/tun"):
            skip_all("this machine has no /dev/net/tun")
        how = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-Urn"]
        if subprocess.run(how + ["true"], capture_output=True).returncode != 0:
            skip_all("may not make a network namespace")
        os.environ["LAB_INSIDE"] = "root" if os.geteuid() == 0 else "user"
        os.execvp("unshare", how + [sys.executable] + sys.argv)
    atexit.register(_clean_up)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run("ip", "link", "set", "lo", "up")


def _clean_up():
    for p in _running:
        if p.poll() is None:
            p.kill()
            p.wait()
    if _folder:
        shutil.rmtree(_folder, ignore_errors=True)


def folder():
    """A folder that goes away with the test."""
    global _folder
    if not _folder:
        _folder = tempfile.mkdtemp(prefix="millrace-lab-", dir=os.environ.get("LAB_TMP"))
    return _folder


def tap(name=TAP, kernel=KERNEL, mtu=None, many=()):
    """A TAP with the kernel's stack at one end, up, without IPv6's chatter."""
    made = run("ip", "tuntap", "add", name, "mode", "tap", *many, check=False)
    if made.returncode != 0:
        skip_all("may not make a TAP: " + made.stderr.strip())
    quiet_up(name, mtu)
    run("ip", "address", "add", kernel + "/24", "dev", name)


def quiet_up(name, mtu=None, at=()):
    """An interface comes up, without IPv6's chatter."""
    path = f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6"
    run(*at, "sh", "-c", f"test ! -e {path} || echo 1 >{path}")
    run(*at, "ip", "link", "set", name, *(["mtu", str(mtu)] if mtu else []), "up")


def namespace():
    """Another network namespace: what to write before a command that runs there."""
    p = start("unshare", "-n", "sleep", "7200")
    here = os.readlink("/proc/self/ns/net")
    wait_for(lambda: os.readlink(f"/proc/{p.pid}/ns/net") != here)
    at = ("nsenter", "-t", str(p.pid), "-n")
    run(*at, "ip", "link", "set", "lo", "up")
    return at


def veth(name, peer, at, queues=1):
    """A pair: name here, peer in the namespace `at`; neither is up."""
    many = ["numtxqueues", str(queues), "numrxqueues", str(queues)]
    made = run("ip", "link", "add", name, *many, "type", "veth", "peer", "name", peer, *many,
               "netns", at[2], check=False)
    if made.returncode != 0:
        skip_all("may not make a veth: " + made.stderr.strip())


# ---- the device that programs of ours run on -------------------------------------------------

def missing(kind):
    """Why a program cannot run on this kind of device here; None: it can."""
    if kind in ("xdp", "dpdk") and \
            not os.path.exists(os.path.join(BUILD, "src", f"millrace-{kind}.so")):
        return f"this build has no {kind}: its library was not there"
    if kind == "xdp" and os.environ.get("LAB_INSIDE") != "root":
        return "only root may load an XDP program"
    return None


def spec(kind, option=""):
    """What --dev says for our end of the device."""
    name = {"tap": TAP, "dpdk": f"net_af_packet0,iface={FAR}"}.get(kind, FAR)
    return f"{kind}:{name}{option}"


def dev():
    """What --dev says."""
    return _dev or spec("tap")


def network(queues=1, kind=DEVICE, option=""):
    """The device; a second call makes it anew."""
    global inside, _dev, _far
    run("ip", "link", "del", LINK, check=False)
    _dev = spec(kind, option)
    if kind == "tap":
        many = ["multi_queue"] if queues > 1 else []
        return tap(many=many)
    if missing(kind):
        skip_all(missing(kind))
    inside = _far = _far or namespace()
    veth(LINK, FAR, _far, queues)
    # Between two kernels a checksum is left unfinished, as if hardware followed.  AF_XDP and DPDK's
    # af_packet see the frame without the note that says so; AF_PACKET gets that note.
    if kind != "packet":
        need("ethtool")
        run("ethtool", "-K", LINK, "tx", "off")
    quiet_up(FAR, at=_far)
    quiet_up(LINK)
    run("ip", "address", "add", KERNEL + "/24", "dev", LINK)
    return None


def write(path, text):
    try:
        with open(path, "w") as f:
            f.write(text)
        return True
    except OSError:
        return False


# ---- programs ------------------------------------------------------------------------------

def run(*command, check=True, timeout=120, **more):
    r = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **more)
    if check and r.returncode != 0:
        note(f"{' '.join(command)}: exit {r.returncode}\n{r.stdout}{r.stderr}")
        raise SystemExit(f"{command[0]} failed")
    return r


def program(name):
    path = os.path.join(BUILD, "src", "tools", name)
    if not os.path.exists(path):
        skip_all(f"{name} is not built")
    return path


def start(*command, **more):
    """A process that ends with the test, at the latest."""
    p = subprocess.Popen(command, **more)
    _running.append(p)
    return p


# Checksums and the cutting of segments may be left to the device, and come up unfinished.
OFFLOADS = DEVICE in ("tap", "packet")
# DPDK's af_packet has the kernel put together what comes in fragments (PACKET_FANOUT_FLAG_DEFRAG),
# and then cuts off what is longer than its frame of 2048 bytes.
DATAGRAM_MAX = 1900 if DEVICE == "dpdk" else 65507
WHY_NO_LARGER = "DPDK's af_packet cuts what the kernel has put together from fragments"


def ours(name, *args, dev=None, option="", addr=OURS, control=None, log=None):
    """A program of ours on the device; .control is its control socket."""
    control = control or os.path.join(folder(), f"{name}-{len(_running)}.sock")
    log = log or control + ".log"
    at = () if dev else inside
    where = ["--dev", (dev or _dev or spec("tap")) + option, "--addr", addr + "/24", "--control",
             control]
    with open(log, "w") as out:
        p = start(*at, program(name), *where, *map(str, args), stdout=out, stderr=out)
    p.control, p.log = control, log
    for _ in range(500):
        if p.poll() is not None:
            with open(log) as f:
                raise SystemExit(f"{name} ended at once: {f.read()}")
        if os.path.exists(control):
            return p
        time.sleep(0.01)
    raise SystemExit(f"{name} does not come up")


def httpd(www, *args, **more):
    return ours("millrace-httpd", *args, "--root", www, **more)


def echo(*args, **more):
    return ours("millrace-echo", *args, **more)


def stop(p, patience=10):
    """End it as a user would; its exit status, or None if it had to be killed."""
    if p.poll() is None:
        p.terminate()
    try:
        return p.wait(patience)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
        return None


# ---- what a program says about itself ------------------------------------------------------

def ask(p, question="status"):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(p.control)
    s.sendall(question.encode() + b"\n")
    text = b""
    while not text.endswith(b"\n"):
        part = s.recv(1 << 20)
        if not part:
            break
        text += part
    s.close()
    return json.loads(text)


def conns(p):
    out, at = [], 0
    while at is not None:
        page = ask(p, f"conns {at} 500")
        out += page["connections"]
        at = page["next"]
    return out


def pool(status, name):
    return next(x for x in status["pools"] if x["name"] == name)


def rx_pool(status):
    """The pool that the device's received frames lie in."""
    return next(x for x in status["pools"] if x["name"].endswith(" rx"))


def drops(status):
    return {f"{room}.{k}": v for room, c in status["counters"].items() for k, v in c.items()
            if k.startswith("drop_") and v}


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return int(words[11]) + int(words[12])


def ran_us(pid):
    """How long its threads have had a processor."""
    us = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
            us += int(f.read().split()[0]) // 1000
    return us


def switches(*pids):
    """How often their threads have been given a processor or taken from it."""
    n = 0
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status") as f:
                n += sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)
    return n


def asleep(pids, seconds=2, patience=15):
    """Do all of these processes sleep so long without being woken once?  Not at once: there may be
    something to end first, and a neighbour to be answered now and then."""
    begun = end = time.monotonic()
    first = last = switches(*pids)
    while end - begun < patience:
        time.sleep(0.05)
        now, at = switches(*pids), time.monotonic()
        if now != last:
            last, end = now, at
        elif at - end >= seconds:
            note(f"asleep after {end - begun:.1f} s and {now - first} switches")
            return True
    note(f"{last - first} switches in {patience} s")
    return False


def wait_for(what, seconds=5, every=0.02):
    """True as soon as what() is, False if it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(every)
    return bool(what())


def listens(port):
    """A program on the kernel has begun; nobody connects to see."""
    return wait_for(lambda: run("ss", "-Hltn", f"sport = :{port}").stdout.strip(), 10)


def make_file(path, size):
    """Bytes that tell where they belong; returns their SHA-256."""
    import hashlib
    block = bytearray(os.urandom(1 << 20))
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        for at in range(0, size, len(block)):
            block[:8] = at.to_bytes(8, "little")
            part = block[:min(len(block), size - at)]
            f.write(part)
            digest.update(part)
    return digest.hexdigest()


def sha256(path):
    return run("sha256sum", path).stdout.split()[0]
