#!/usr/bin/python3
"""Every checksum of ours is right on the peer's side, with each offload on and off.

    client 10.8.0.2 v1 -- veth -- v0 router 10.9.0.1 -- the device -- 10.9.0.2 a program of ours

A capture shows what is in memory.  Where a checksum is left to the device (tap, packet) it is not
there yet on the router's end of the device: such frames are captured on v1.  v0 has no offloads, so
the router cuts them and finishes them as we said, and as a NIC would have.  Where we finish them
ourselves they are captured on the router's end, untouched.  Only our frames are judged: those of
the client carry whatever the kernel leaves to its hardware.
"""
import os
import signal
import socket
import subprocess
import sys
import time

import lab

OPTIONS = {"tap": ("", ",no-offload"), "packet": ("", ",no-offload"), "xdp": ("",), "dpdk": ("",)}
SIZE = (1 << 20) + 777
DATAGRAMS = [n for n in (0, 1, 2, 13, 512, 1471, 1472, 1473, 4001, 20000)
             if n <= lab.DATAGRAM_MAX]
CLIENT = """
import socket, sys
mode, size = sys.argv[1], int(sys.argv[2])
data = bytes((i * i + i // 251) & 255 for i in range(size))
if mode == "udp":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(("10.9.0.2", 7))
        s.send(data)
        sys.exit(s.recv(70000) != data)
with socket.create_connection(("10.9.0.2", 7), timeout=20) as s:
    back = bytearray()
    for at in range(0, size, 30011):
        s.sendall(data[at:at + 30011])
        while len(back) < min(at + 30011, size) - 200000:
            back += s.recv(1 << 17)
    s.shutdown(socket.SHUT_WR)
    while part := s.recv(1 << 17):
        back += part
    sys.exit(back != data)
"""

lab.enter()
lab.need("tshark", "tcpdump", "curl", "ethtool", "ping", "nsenter")
if not lab.write("/proc/sys/net/ipv4/ip_forward", "1"):
    lab.skip_all("may not forward")
www = os.path.join(lab.folder(), "www")
os.mkdir(www)
digest = lab.make_file(os.path.join(www, "some"), SIZE)
client = lab.namespace()
lab.veth("v0", "v1", client)
lab.run("ethtool", "-K", "v0", "tx", "off")
for name, address, at in (("v0", "10.8.0.1", ()), ("v1", "10.8.0.2", client)):
    lab.quiet_up(name, at=at)
    lab.run(*at, "ip", "address", "add", address + "/24", "dev", name)
    lab.run(*at, "ethtool", "-K", name, "gro", "off")
lab.run(*client, "ip", "route", "add", "default", "via", "10.8.0.1")


class Capture:
    """Of everything that has our address, as it is seen on an interface."""

    def __init__(self, interface, at):
        self.path = os.path.join(lab.folder(), "capture.pcap")
        self.p = lab.start(*at, "tcpdump", "-i", interface, "-w", self.path, "-s", "65600", "-B",
                           # In immediate mode every frame takes a slot of the longest's size.
                           "131072", "-U", "--immediate-mode", "-Z", "root", "src", lab.OURS,
                           stderr=subprocess.PIPE, text=True)
        self.p.stderr.readline()

    def rows(self):
        size = -1
        while size != os.path.getsize(self.path):
            size = os.path.getsize(self.path)
            time.sleep(0.3)
        self.p.send_signal(signal.SIGINT)
        said = self.p.communicate(timeout=20)[1]
        lab.point("\n0 packets dropped by kernel" in said, "the capture is complete", said)
        fields = ("frame.number", "frame.len", "ip.proto", "ip.flags.mf", "ip.frag_offset",
                  "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status",
                  "icmp.checksum.status")
        checks = [x for p in ("ip", "tcp", "udp") for x in ("-o", p + ".check_checksum:TRUE")]
        r = lab.run("tshark", "-n", "-r", self.path, *checks, "-T", "fields",
                    *[x for f in fields for x in ("-e", f)], "ip",
                    env=dict(os.environ, HOME=lab.folder()))
        # What an ICMP error quotes has checksums of its own, behind a comma.
        return [dict(zip(fields, (v.split(",")[0] for v in line.split("\t"))))
                for line in r.stdout.splitlines()]


def csum_errors():
    """What the kernels on the way found wrong themselves."""
    bad = {}
    for name, at in (("router", ()), ("client", client)):
        text = lab.run(*at, "cat", "/proc/net/snmp").stdout.split("\n")
        for keys, values in zip(text[::2], text[1::2]):
            for k, v in zip(keys.split()[1:], values.split()[1:]):
                if k in ("InCsumErrors", "InHdrErrors") and int(v):
                    bad[f"{name} {keys.split()[0]}{k}"] = int(v)
    return bad


def talk(title):
    got = os.path.join(lab.folder(), "got")
    server = lab.httpd(www, "--gateway", lab.KERNEL)
    r = lab.run(*client, "curl", "-sS", "--max-time", "30", "-o", got, f"http://{lab.OURS}/some",
                check=False)
    lab.point(r.returncode == 0 and lab.sha256(got) == digest, f"{title}: {SIZE} bytes arrive",
              r.stderr)
    r = lab.run(*client, "ping", "-c", "1", "-W", "3", "-s", str(min(4000, lab.DATAGRAM_MAX)),
                lab.OURS, check=False)
    lab.point(r.returncode == 0, f"{title}: a ping in fragments comes back", r.stdout)
    lab.stop(server)
    server = lab.echo("--gateway", lab.KERNEL)
    r = lab.run(*client, sys.executable, "-c", CLIENT, "tcp", str(SIZE), check=False)
    lab.point(r.returncode == 0, f"{title}: {SIZE} bytes go up and come back", r.stderr)
    lost = [n for n in DATAGRAMS if lab.run(*client, sys.executable, "-c", CLIENT, "udp", str(n),
                                            check=False).returncode]
    lab.point(not lost, f"{title}: datagrams come back", lost)
    lab.stop(server)


def judge(title, rows, finished):
    """Every protocol's frames are there, and every sum of each is right."""
    whole = [r for r in rows if r["ip.frag_offset"] in ("0", "") and r["ip.flags.mf"] in
             ("0", "False", "")]
    tcp = [r for r in rows if r["ip.proto"] == "6"]
    udp = [r for r in rows if r["udp.checksum.status"]]
    icmp = [r for r in rows if r["icmp.checksum.status"]]
    lab.note(f"{title}: {len(rows)} frames, {len(tcp)} TCP, {len(udp)} datagrams, {len(icmp)} ICMP")
    lab.point(len(tcp) * 1460 > SIZE and len(udp) >= len(DATAGRAMS) and icmp and
              len(whole) < len(rows), f"{title}: the capture has segments, datagrams, fragments",
              rows[:3])
    largest = max(int(r["frame.len"]) for r in rows)
    lab.point(largest <= 1514, f"{title}: and they are what a cable would carry", largest)
    for what, some in (("ip", rows), ("tcp", tcp), ("udp", udp), ("icmp", icmp)):
        bad = [r for r in some if r[what + ".checksum.status"] != "1"]
        lab.point(not bad, f"{title}: every {what.upper()} checksum is right",
                  f"{len(bad)} of {len(some)}: {bad[:3]}")
    lab.point(not csum_errors(), f"{title}: no kernel found a wrong one", csum_errors())


for option in OPTIONS[lab.DEVICE]:
    title = lab.DEVICE + option
    lab.network(option=option)
    lab.run("ethtool", "-K", lab.LINK, "gro", "off", check=False)
    if option:
        # Without offloads nobody takes what the peer has left to them.
        lab.run("ethtool", "-K", lab.LINK, "tx", "off", check=False)
    left_to_the_device = lab.OFFLOADS and not option
    capture = Capture("v1", client) if left_to_the_device else Capture(lab.LINK, ())
    talk(title)
    judge(title, capture.rows(), not left_to_the_device)
lab.done()
