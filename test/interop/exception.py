#!/usr/bin/python3
"""The exception path: a program of ours has an interface for itself, and the host beside it lives on
a TAP device under the same hardware address:

    10.9.0.1 peer0 --- veth --- ours0 [our stack 10.9.0.2] --- host0 the kernel 10.9.0.3

over a packet socket and over DPDK's af_packet."""
import os
import signal
import sys

import lab

HOST = "10.9.0.3"
SERVE = """
import socket, sys
s = socket.create_server((sys.argv[1], 2222))
while True:
    c, _ = s.accept()
    got = b""
    while (b := c.recv(65536)):
        got += b
    c.sendall(b"%d bytes" % len(got))
    c.close()
"""
ASK = """
import socket, sys
c = socket.create_connection((sys.argv[1], 2222), timeout=20)
c.sendall(bytes(int(sys.argv[2])))
c.shutdown(socket.SHUT_WR)
print(c.recv(100).decode())
"""

lab.enter()
lab.need("ping", "curl", "nsenter")


def far(*command, **more):
    return lab.run(*lab.inside, *command, check=False, timeout=60, **more)


def is_there(device):
    return far("ip", "link", "show", device).returncode == 0


def serve(address, at=()):
    return lab.start(*at, sys.executable, "-c", SERVE, address)


def asks(address, size, at=()):
    """What the server at the address says it got."""
    lab.wait_for(lambda: lab.run(*at, sys.executable, "-c", ASK, address, "1",
                                 check=False).returncode == 0)
    r = lab.run(*at, sys.executable, "-c", ASK, address, str(size), check=False)
    return r.stdout.strip() or r.stderr


def pings(address, at=()):
    return lab.run(*at, "ping", "-c", "3", "-i", "0.2", "-W", "2", address, check=False)


def curl():
    return lab.run("curl", "-sf", "--max-time", "10", f"http://{lab.OURS}/", check=False)


def path(kind, cores):
    over = f"{kind}, {cores} core{'s' if cores > 1 else ''}: "
    why = lab.missing(kind)
    if why:
        lab.skip(over + "the host lives beside us", why)
        return
    lab.network(queues=cores, kind=kind)
    if kind == "dpdk":
        # The kernel does not see on the interface itself what DPDK takes from it.
        far("sh", "-c", "for f in all ours0; do for k in arp_ignore rp_filter; do "
            "echo 2 >/proc/sys/net/ipv4/conf/$f/$k; done; done")
    www = os.path.join(lab.folder(), "www")
    os.makedirs(www, exist_ok=True)
    with open(os.path.join(www, "index.html"), "w") as f:
        f.write("ours")
    p = lab.ours("millrace-httpd", "--exception", "host0", "--root", www, "--cores", cores)
    lab.point(is_there("host0"), over + "the device is made")
    far("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/host0/disable_ipv6")
    far("ip", "address", "add", HOST + "/24", "dev", "host0")
    macs = [far("ip", "-o", "link", "show", d).stdout.split("link/ether ")[-1][:17]
            for d in ("ours0", "host0")]
    lab.point(macs[0] == macs[1], over + "it has the port's hardware address", macs)

    r = pings(HOST)
    lab.point(r.returncode == 0, over + "the host answers ping", r.stdout)
    r = pings(lab.OURS)
    lab.point(r.returncode == 0, over + "so do we", r.stdout)
    r = curl()
    lab.point(r.stdout == "ours", over + "our server answers curl", r)
    host = serve(HOST, lab.inside)
    lab.point(asks(HOST, 3000000) == "3000000 bytes", over + "the host's server gets 3 MB")
    r = pings(lab.KERNEL, lab.inside)
    lab.point(r.returncode == 0, over + "the host reaches others", r.stdout)
    s = serve(lab.KERNEL)
    lab.point(asks(lab.KERNEL, 3000000, lab.inside) == "3000000 bytes",
              over + "and sends 3 MB")
    for server in (s, host):
        server.kill()
        server.wait()
    r = curl()
    lab.point(r.stdout == "ours", over + "our server answers still", r)
    if kind == "packet" and cores > 1:
        status = lab.ask(p)
        lab.point(status["spread"]["port"] == "rss" and
                  status["counters"]["mail"]["packets_sent"] == 0,
                  over + "every packet of ours arrived at its core", status["spread"])
    named = {k: v for k, v in lab.ask(p)["port"]["counters"].items() if "exception" in k}
    lab.point(any(v > 0 for k, v in named.items() if k.endswith("to_kernel")) and
              any(v > 0 for k, v in named.items() if k.endswith("from_kernel")),
              over + "what went to the kernel and back is counted", named)

    p.send_signal(signal.SIGKILL)
    p.wait()
    lab.point(lab.wait_for(lambda: not is_there("host0")), over + "kill -9 leaves no device")
    far("ip", "address", "add", HOST + "/24", "dev", "ours0")
    r = pings(HOST)
    lab.point(r.returncode == 0, over + "and the interface is the kernel's again", r.stdout)


def refused(dev, line):
    r = lab.run(*lab.inside, lab.program("millrace-httpd"), "--dev", dev, "--addr", lab.OURS + "/24",
                "--exception", "host0", "--root", lab.folder(), check=False, timeout=20)
    lab.point(r.returncode == 2 and line in r.stderr, f"{dev}: {line}", r)


path("packet", 1)
path("packet", 2)
path("dpdk", 1)
refused("packet:nosuch0", "there is no network device 'nosuch0'")
if lab.missing("xdp"):
    lab.skip("not over xdp", lab.missing("xdp"))
else:
    refused("xdp:ours0", "the interface stays the kernel's")
lab.done()
