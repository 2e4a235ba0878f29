"""A network of real switches: Debian's Open vSwitch, its datapath in user space, in namespaces.

    h11 h12            h21 h22
      1|  |2             1|  |2         hN1, hN2: hosts of switch N, 10.0.0.N1 and 10.0.0.N2,
       s1 3-----------4  s2             MAC 02:00:00:00:00:N1 and ...N2
       4|                3|             ports 1, 2: hosts; 3: to the next switch; 4: to the one
       3|                4|             before; a line instead of the ring lacks s4 to s1
       s4 4-----------3  s3
      1|  |2             1|  |2
    h41 h42            h31 h32

Every switch and every host is a namespace of its own, and a switch is an ovsdb-server and an
ovs-vswitchd of its own, so one of them can be killed without the others.  All switches reach their
controller by a bridge `control` in the test's own namespace (10.9.0.1; a TAP with a stack of ours
may be plugged into it):

    s1 ... s4 (10.9.0.11 ... 14) --- control --- 10.9.0.1 the kernel's stack, --dev kernel
                                        `------- tap0 --- 10.9.0.2 a stack of ours

Sockets are made in a namespace by setns and used from here, so a ping of all pairs is one loop and
no process.
"""
import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import threading
import time

import lab

TOOLS = ("ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-ofctl", "setpriv",
         "nsenter", "ethtool", "tc")
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
CONTROL = "control"
CLOCKWISE, BACK = 3, 4       # the ports to other switches
MARK = 0x88b5                # EtherType for local experiments, IEEE 802 9.2.4

_libc = ctypes.CDLL(None, use_errno=True)


# ---- processes and namespaces ----------------------------------------------------------------

def spawn(*command, at=(), **more):
    """A process that ends with this one, even if this one is killed."""
    return lab.start(*at, "setpriv", "--pdeathsig", "KILL", *map(str, command), **more)


def together(commands, check=True, timeout=20):
    """Commands side by side; what each wrote, in their order."""
    all_of_them = [subprocess.Popen(list(map(str, c)), stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True) for c in commands]
    out = []
    for p in all_of_them:
        try:
            text = p.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            p.kill()
            text = p.communicate()[0] + "(killed: it took too long)"
        if check and p.returncode != 0:
            lab.note(f"{' '.join(p.args)}: exit {p.returncode}\n{text}")
            raise SystemExit(f"{p.args[0]} failed")
        out.append(text)
    return out


class Place:
    """A namespace: .at stands before the command line of what runs there."""

    def __init__(self):
        quiet = "for d in all default; do f=/proc/sys/net/ipv6/conf/$d/disable_ipv6; " \
                "test ! -e $f || echo 1 >$f; done; ip link set lo up; echo; exec sleep 900"
        self.process = spawn("sh", "-c", quiet, at=("unshare", "-n"), stdout=subprocess.PIPE)
        self.pid = self.process.pid
        self.at = ("nsenter", "-t", str(self.pid), "-n")

    def ready(self):
        self.process.stdout.readline()

    def socket(self, *kind):
        """A socket that lies in this namespace."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
        try:
            if _libc.setns(there, 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return socket.socket(*kind)
            finally:
                _libc.setns(here, 0x40000000)
        finally:
            os.close(here)
            os.close(there)


# ---- a switch --------------------------------------------------------------------------------

class Switch(Place):
    def __init__(self, n):
        super().__init__()
        self.n, self.name, self.dpid = n, f"s{n}", n
        self.dir = os.path.join(lab.folder(), self.name)
        self.db = f"unix:{self.dir}/db.sock"
        self.address = f"10.9.0.{10 + n}"
        self.daemon = self.database = None
        self.since = 0

    def environment(self):
        return {**os.environ, "OVS_RUNDIR": self.dir, "OVS_LOGDIR": self.dir,
                "OVS_DBDIR": self.dir}

    def start_database(self):
        os.makedirs(self.dir)
        self.database = spawn(
            "sh", "-c", f"ovsdb-tool create {self.dir}/conf.db {SCHEMA} && exec ovsdb-server "
            f"{self.dir}/conf.db --remote=punix:{self.dir}/db.sock --unixctl={self.dir}/db.ctl "
            f"-vconsole:off --log-file={self.dir}/db.log", at=self.at, env=self.environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def vsctl(self, *words, wait=False):
        return ["ovs-vsctl", f"--db={self.db}", "--timeout=10", *([] if wait else ["--no-wait"]),
                *words]

    def first_words(self, ports):
        """The configuration, written before the switch comes up for the first time."""
        words = ["init", "--", "add-br", self.name, "--", "set", "bridge", self.name,
                 "datapath_type=netdev", "fail_mode=secure",
                 f"other_config:datapath-id={self.dpid:016x}"]
        for port, name in ports.items():
            words += ["--", "add-port", self.name, name, "--", "set", "interface", name,
                      f"ofport_request={port}"]
        return self.vsctl(*words)

    def start(self):
        self.daemon = spawn(
            "ovs-vswitchd", self.db, "--disable-system", f"--unixctl={self.dir}/v.ctl",
            "-vconsole:off", f"--log-file={self.dir}/v.log", at=self.at, env=self.environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self):
        """As a power cut: flows and connections are gone; its neighbours' ports stay up."""
        self.daemon.kill()
        self.daemon.wait()
        try:
            os.unlink(f"{self.dir}/{self.name}.mgmt")
        except FileNotFoundError:
            pass

    def is_up(self):
        return os.path.exists(f"{self.dir}/{self.name}.mgmt")

    def log(self, since=0):
        with open(f"{self.dir}/v.log") as f:
            f.seek(since)
            return f.read()

    def mark(self):
        """What its log says from here on is what counts."""
        self.since = os.path.getsize(f"{self.dir}/v.log")

    def is_connected(self):
        """By its log: the database is told every 5 s only."""
        said = [line for line in self.log(self.since).split("\n") if "|rconn|" in line]
        return bool(said) and said[-1].endswith(": connected")

    def ofctl(self, verb, *words, version="OpenFlow13"):
        return lab.run("ovs-ofctl", "-O", version, "--timeout=5", verb,
                       f"unix:{self.dir}/{self.name}.mgmt", *words).stdout

    def flows(self, version="OpenFlow13"):
        """One line a flow."""
        text = self.ofctl("dump-flows", version=version)
        return [line.strip() for line in text.split("\n") if "cookie=" in line]


class Host(Place):
    def __init__(self, switch, k):
        super().__init__()
        self.name, self.switch, self.port = f"h{switch}{k}", switch, k
        self.address = f"10.0.0.{switch}{k}"
        self.mac = f"02:00:00:00:00:{switch}{k}"


# ---- the network -----------------------------------------------------------------------------

class Network:
    """Switches, hosts and the links between them, up as soon as it is made."""

    def __init__(self, ring=True, switches=4, hosts=2):
        lab.need(*TOOLS)
        began = time.monotonic()
        self.switches = [Switch(n) for n in range(1, switches + 1)]
        self.hosts = [Host(s.n, k) for s in self.switches for k in range(1, hosts + 1)]
        self.links = [(n, n % switches + 1) for n in range(1, switches + (1 if ring else 0))]
        for place in self.switches + self.hosts:
            place.ready()
        for s in self.switches:
            s.start_database()
        self._wire()
        self.each(lambda s: ["sh", "-c", f"until test -S {s.dir}/db.sock; do sleep 0.01; done"])
        self.each(lambda s: s.first_words(self.ports(s.n)))
        self.start()
        self.seconds = time.monotonic() - began

    def each(self, command):
        return together([command(s) for s in self.switches])

    def start(self):
        for s in self.switches:
            s.start()
        if not lab.wait_for(lambda: all(s.is_up() for s in self.switches), 10):
            raise SystemExit("a switch does not come up: " + self.switches[0].log()[-2000:])

    def ports(self, n):
        """Port number: device, of switch n."""
        out = {h.port: f"{h.name}p" for h in self.hosts if h.switch == n}
        out.update({CLOCKWISE: f"n{a}{b}" for a, b in self.links if a == n})
        out.update({BACK: f"b{a}{b}" for a, b in self.links if b == n})
        return out

    def switch(self, n):
        return self.switches[n - 1]

    def host(self, name):
        return next(h for h in self.hosts if h.name == name)

    def _wire(self):
        """All veths by one `ip -batch`, then addresses in every namespace at once."""
        ip = [f"link add {CONTROL} type bridge mcast_snooping 0", f"link set {CONTROL} up",
              f"address add {lab.KERNEL}/24 dev {CONTROL}"]
        for s in self.switches:
            ip += [f"link add ctl{s.n} type veth peer name ctl netns {s.pid}",
                   f"link set ctl{s.n} master {CONTROL} up"]
        for h in self.hosts:
            ip.append(f"link add eth0 netns {h.pid} address {h.mac} type veth peer name {h.name}p "
                      f"netns {self.switch(h.switch).pid}")
        for a, b in self.links:
            ip.append(f"link add n{a}{b} netns {self.switch(a).pid} type veth peer name b{a}{b} "
                      f"netns {self.switch(b).pid}")
        made = lab.run("ip", "-batch", "-", input="\n".join(ip), check=False)
        if made.returncode != 0:
            lab.skip_all("may not make the network: " + made.stderr.strip())
        lab.run("sh", "-c", f"f=/proc/sys/net/ipv6/conf/{CONTROL}/disable_ipv6; "
                "test ! -e $f || echo 1 >$f")
        commands = []
        for s in self.switches:
            up = "".join(f"ip link set {dev} up;" for dev in self.ports(s.n).values())
            commands.append([*s.at, "sh", "-ec", f"ip address add {s.address}/24 dev ctl; "
                             "ip link set ctl up; " + up])
        # The switch reads frames from a packet socket: it would never see a checksum that is left
        # unfinished for hardware, nor cut a segment that is longer than a frame.
        for h in self.hosts:
            commands.append([*h.at, "sh", "-ec", "ethtool -K eth0 tx off tso off gso off "
                             f">/dev/null; ip address add {h.address}/24 dev eth0; "
                             "ip link set eth0 up"])
        together(commands)

    def plug_tap(self):
        """A TAP for a stack of ours, which is 10.9.0.2 then."""
        made = lab.run("ip", "tuntap", "add", lab.TAP, "mode", "tap", check=False)
        if made.returncode != 0:
            return False
        lab.quiet_up(lab.TAP)
        lab.run("ip", "link", "set", lab.TAP, "master", CONTROL)
        return True

    # ---- the controller they are led by --------------------------------------------------------

    def lead(self, target, version="OpenFlow13", ssl=None):
        """From now on `target` (tcp:10.9.0.1:6633, ssl:...) is everybody's controller; what an
        earlier one installed is gone.  ssl: key, certificate, the authority's certificate."""
        def words(s):
            w = ["del-controller", s.name, "--", "set", "bridge", s.name, f"protocols={version}"]
            if ssl:
                w += ["--", "set-ssl", *ssl]
            return s.vsctl(*w, wait=True)
        self.each(words)
        self.each(lambda s: ["ovs-ofctl", "-O", version, "del-flows",
                             f"unix:{s.dir}/{s.name}.mgmt"])
        for s in self.switches:
            s.mark()
        # Out of band: the control network is not a port of the switch.
        self.each(lambda s: s.vsctl("--id=@c", "create", "controller", f'target="{target}"',
                                    "connection_mode=out-of-band", "max_backoff=1000",
                                    "inactivity_probe=5000", "--", "set", "bridge", s.name,
                                    "controller=@c", wait=True))

    def connected(self, seconds=10):
        return lab.wait_for(lambda: all(s.is_connected() for s in self.switches), seconds, 0.05)

    # ---- links ---------------------------------------------------------------------------------

    def _ends(self, a, b):
        """Device and switch of both ends of the link from a clockwise to b."""
        return ((self.switch(a), f"n{a}{b}"), (self.switch(b), f"b{a}{b}"))

    def cut(self, a, b):
        """One end goes down, and both see it."""
        s, dev = self._ends(a, b)[0]
        lab.run(*s.at, "ip", "link", "set", dev, "down")

    def mend(self, a, b):
        s, dev = self._ends(a, b)[0]
        lab.run(*s.at, "ip", "link", "set", dev, "up")

    def cut_silently(self, a, b):
        """Both ends stay up, and nothing gets through."""
        together([[*s.at, "tc", "qdisc", "replace", "dev", dev, "root", "blackhole"]
                  for s, dev in self._ends(a, b)])

    def mend_silently(self, a, b):
        # A switch that starts has its devices' queues put right by itself.
        together([[*s.at, "tc", "qdisc", "del", "dev", dev, "root"]
                  for s, dev in self._ends(a, b)], check=False)

    # ---- what hosts do -------------------------------------------------------------------------

    def ping_all(self, tries=10, every=0.5):
        """Every host asks every other; the pairs that had no answer, and how many tries it took."""
        pingers = {h.name: Pinger(h) for h in self.hosts}
        missing = {(a.name, b.name) for a in self.hosts for b in self.hosts if a is not b}
        n = 0
        while missing and n < tries:
            n += 1
            for a, b in missing:
                pingers[a].send(self.host(b).address, n)
            end = time.monotonic() + every
            while missing and (left := end - time.monotonic()) > 0:
                for p in select.select(list(pingers.values()), [], [], left)[0]:
                    for address, _, _ in p.answers():
                        missing -= {(p.host.name, h.name) for h in self.hosts
                                    if h.address == address}
        for p in pingers.values():
            p.close()
        return missing, n

    def broadcast(self, name, count=5, seconds=0.5):
        """count broadcasts by one host: how many of them each host got."""
        socks = {h.name: h.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(MARK))
                 for h in self.hosts}
        for s in socks.values():
            s.bind(("eth0", MARK))
            s.setblocking(False)
        frame = b"\xff" * 6 + bytes.fromhex(self.host(name).mac.replace(":", "")) + \
            MARK.to_bytes(2, "big")
        got = dict.fromkeys(socks, 0)
        for i in range(count):
            socks[name].send(frame + bytes([i]) * 46)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for s in select.select(list(socks.values()), [], [], left)[0]:
                who = next(n for n in socks if socks[n] is s)
                # What leaves by the device is shown as well.
                got[who] += s.recvfrom(2048)[1][2] != socket.PACKET_OUTGOING
        for s in socks.values():
            s.close()
        return got

    def iperf(self, a, b, seconds=1.5):
        """Gbit/s of one TCP connection between two hosts."""
        server = spawn("iperf3", "-s", "-1", at=self.host(b).at, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        lab.wait_for(lambda: lab.run(*self.host(b).at, "ss", "-Hltn", "sport = 5201").stdout, 5)
        out = lab.run(*self.host(a).at, "iperf3", "-J", "-c", self.host(b).address, "-t",
                      str(seconds), check=False, timeout=30).stdout
        lab.stop(server, 1)
        try:
            return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e9
        except (KeyError, ValueError):
            lab.note(out[-500:])
            return 0

    def ring_frames(self):
        """Frames that crossed the links between switches so far, both directions."""
        total = 0
        for text in together([[*s.at, "cat", "/proc/net/dev"] for s in self.switches]):
            for line in text.split("\n"):
                name, _, rest = line.strip().partition(":")
                if name[:1] in ("n", "b") and name[1:].isdigit():
                    total += int(rest.split()[1])
        return total


def capture(place, dev, path, *expression):
    """tcpdump in a namespace (lab.stop() ends it)."""
    p = spawn("tcpdump", "-n", "-U", "-i", dev, "-w", path, *expression, at=place.at,
              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lab.wait_for(lambda: os.path.exists(path))
    return p


# ---- pings -----------------------------------------------------------------------------------

def _sum(data):
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff


class Pinger:
    """ICMP echo from one host; every one has an identifier of its own."""
    idents = iter(range(1, 65535))

    def __init__(self, host):
        self.host, self.ident = host, next(self.idents)
        self.sock = host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.sock.setblocking(False)

    def fileno(self):
        return self.sock.fileno()

    def close(self):
        self.sock.close()

    def send(self, address, seq):
        head = struct.pack("!BBHHH", 8, 0, 0, self.ident, seq & 0xffff)
        body = bytes(48)
        head = head[:2] + struct.pack("!H", _sum(head + body)) + head[4:]
        try:
            self.sock.sendto(head + body, (address, 0))
        except OSError:
            pass  # no answer to ARP yet: a lost ping

    def answers(self):
        """(address, sequence number, when) of every answer that has come."""
        while True:
            try:
                data, peer = self.sock.recvfrom(2048)
            except BlockingIOError:
                return
            at = (data[0] & 15) * 4
            kind, _, _, ident, seq = struct.unpack_from("!BBHHH", data, at)
            if kind == 0 and ident == self.ident:
                yield peer[0], seq, time.monotonic()


class Watch(threading.Thread):
    """A ping every few milliseconds while something happens between two hosts:

        with Watch(net.host("h11"), net.host("h31")) as w:
            net.cut(1, 2)
            w.settle(2)
        w.gap_ms, w.lost
    """

    def __init__(self, a, b, every=0.005):
        super().__init__(daemon=True)
        self.pinger, self.to, self.every = Pinger(a), b.address, every
        self.sent, self.seen, self.ending = {}, {}, False
        self.gap_ms, self.lost = 0, 0

    def __enter__(self):
        self.start()
        lab.wait_for(lambda: self.seen, 2)
        time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.ending = True
        self.join()
        self.pinger.close()
        self._sum_up()

    def settle(self, seconds, quiet=0.3):
        """Until answers have come for a while without a hole, at most so long."""
        begun, end = time.monotonic(), time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.02)
            now = time.monotonic()
            recent = [t for t in list(self.seen.values()) if t > now - quiet]
            if now > begun + quiet and len(recent) > 0.9 * quiet / self.every / 1.3:
                return True
        return False

    def run(self):
        seq, due = 0, time.monotonic()
        last = None
        while not self.ending or time.monotonic() < last:
            now = time.monotonic()
            if self.ending and last is None:
                last = now + 0.3  # answers that are still on their way
            if now >= due and not self.ending:
                seq, due = seq + 1, max(due + self.every, now - 0.05)
                self.sent[seq] = now
                self.pinger.send(self.to, seq)
            select.select([self.pinger], [], [], max(0, min(due - now, 0.02)))
            for _, s, t in self.pinger.answers():
                self.seen.setdefault(s, t)
            if self.ending and last is None:
                last = time.monotonic() + 0.3

    def _sum_up(self):
        """The gap: the longest time in which no ping was sent that found its answer."""
        good = sorted(self.sent[s] for s in self.seen if s in self.sent)
        self.lost = len(self.sent) - len(good)
        edges = [min(self.sent.values()), *good, max(self.sent.values())]
        self.gap_ms = round(max(b - a for a, b in zip(edges, edges[1:])) * 1000)


# ---- keys ------------------------------------------------------------------------------------

def keys(where):
    """An authority with certificates of a controller and of the switches, and another authority
    with a switch of its own; returns the folder."""
    lab.need("openssl")
    os.makedirs(where, exist_ok=True)

    def authority(name):
        return ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", f"{where}/{name}.key", "-out", f"{where}/{name}.pem"]

    def signed(name, by):
        return ["sh", "-ec", "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                f"-subj /CN={name} -keyout {where}/{name}.key -out {where}/{name}.csr; "
                f"openssl x509 -req -days 2 -in {where}/{name}.csr -CA {where}/{by}.pem "
                f"-CAkey {where}/{by}.key -CAcreateserial -CAserial {where}/{name}.srl "
                f"-out {where}/{name}.pem"]
    together([authority("ca"), authority("stranger-ca")])
    together([signed("controller", "ca"), signed("switch", "ca"),
              signed("stranger", "stranger-ca")])
    return where


# ---- the controller --------------------------------------------------------------------------

class Controller:
    """millrace-ofd; its log is .log."""
    count = 0

    def __init__(self, *args, dev="kernel", address=lab.KERNEL, port=6653):
        Controller.count += 1
        self.address, self.port = address, port
        self.log = os.path.join(lab.folder(), f"ofd-{Controller.count}.log")
        self.command = [lab.program("millrace-ofd"), "--dev", dev, "--handshake-timeout", "2",
                        "--listen", str(self.port), *args]
        if dev != "kernel":
            self.command += ["--addr", address + "/24", "--control", "none"]
        self.start()

    def start(self):
        with open(self.log, "a") as out:
            self.process = spawn(*self.command, stdout=out, stderr=out)
        if not lab.wait_for(lambda: self.listens() or not self.is_alive(), 5) or \
                not self.is_alive():
            raise SystemExit("millrace-ofd does not come up: " + self.said()[-2000:])

    def listens(self):
        try:
            socket.create_connection((self.address, self.port), 1).close()
            return True
        except OSError:
            return False

    def kill(self):
        """By kill -9: its connections are reset by the kernel, or vanish with a stack of ours."""
        self.process.kill()
        self.process.wait()

    def said(self):
        with open(self.log) as f:
            return f.read()

    def is_alive(self):
        return self.process.poll() is None

    def target(self):
        return f"tcp:{self.address}:{self.port}"
