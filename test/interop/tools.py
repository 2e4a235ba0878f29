#!/usr/bin/python3
"""What the programs say: bad options, millrace-stat, two of ours on a wire."""
import json
import os
import socket
import time

import lab

lab.enter()
lab.network()
httpd, echo, stat = (lab.program(f"millrace-{n}") for n in ("httpd", "echo", "stat"))
www = lab.folder()
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("hello\n")
capture = os.path.join(www, "x.pcapng")

# What each kind of device has no use for.
BAD = {
    "tap": {"a device that is no TAP": "tap:lo",
            "a name too long for a device": "tap:averyveryverylongname",
            "an option that a TAP does not have": "tap:tap0,nonsense"},
    "xdp": {"an interface that does not exist": "xdp:nothing0",
            "an option that the device does not have": "xdp:ours0,nonsense"},
    "packet": {"an interface that does not exist": "packet:nothing0",
               "an option that the device does not have": "packet:ours0,nonsense"},
    "dpdk": {"a device that does not exist": "dpdk:net_carrier_pigeon0",
             "an interface that does not exist": "dpdk:net_af_packet0,iface=nothing0"},
}


def refuses(name, *command, status=2):
    r = lab.run(*lab.inside, *map(str, command), check=False, timeout=15)
    lines = r.stderr.strip().split("\n")
    lab.point(r.returncode == status and len(lines) == 1 and lines[0] and not r.stdout, name,
              f"exit {r.returncode}: {r.stdout}{r.stderr}")


NAME = {"tap": lab.TAP, "dpdk": "net_af_packet0"}.get(lab.DEVICE, lab.FAR)
own = ("--dev", lab.dev(), "--addr", "10.9.0.2/24")
refuses("an option that does not exist", echo, *own, "--nonsense")
refuses("--dev without a value", echo, "--dev")
refuses("a network that does not exist", echo, "--dev", "carrier-pigeon:1")
refuses("an address that is none", echo, *own[:2], "--addr", "10.9.0.256/24")
refuses("a stack of our own without an address", echo, *own[:2])
for what, dev in BAD[lab.DEVICE].items():
    refuses(what, echo, "--dev", dev, "--addr", "10.9.0.2/24")
refuses("an MTU larger than the port's", echo, *own, "--mtu", "9000")
refuses("a network's broadcast address", echo, *own[:2], "--addr", "10.9.0.255/24")
refuses("a gateway outside the network", echo, *own, "--gateway", "10.99.0.1")
refuses("a processor that does not exist", echo, *own, "--cpus", "1000")
refuses("a capture file that cannot be made", echo, *own, "--pcap", "/nowhere/x.pcapng")
refuses("--pcap on the kernel's sockets", echo, "--dev", "kernel", "--pcap", capture)
refuses("a control socket that cannot be made", echo, *own, "--control", "/nowhere/x.sock")
refuses("httpd: a folder that does not exist", httpd, *own, "--root", "/nowhere/at/all")
refuses("stat: an option that does not exist", stat, "--nonsense")
refuses("stat: a rate that is none", stat, "--watch", "often")
refuses("stat: a socket that is not there", stat, "/nowhere/x.sock", status=1)

server = lab.httpd(www)
if lab.DEVICE in ("tap", "xdp"):
    refuses("a device in use", echo, *own, status=2)
else:
    lab.skip("a device in use", "any number of packet sockets may be bound to an interface")
lab.run("curl", "-sSf", f"http://{lab.OURS}/")
r = lab.run(stat, "-a", "-c", "-p", server.control)
lab.point(all(w in r.stdout for w in (NAME, "rx_frames", "drop_paws", "older than the last",
                                      "packets to send", "local")),
          "millrace-stat shows interfaces, counters, drops with reasons, pools and connections",
          r.stdout)
r = lab.run(stat, "--json", server.control)
lab.point("counters" in json.loads(r.stdout), "and JSON for programs", r.stdout[:500])
r = lab.run("timeout", "2", stat, "--watch", "0.2", server.control, check=False)
lab.point(r.stdout.count("half-open") >= 4 and "/s" in r.stdout,
          "and rates, again and again", r.stdout[:500])
again = os.path.join(www, "echo.sock")
refuses("a control socket that another program has", echo, "--dev", "tap:tap9", "--addr",
        "10.7.0.1/24", "--control", server.control)
lab.stop(server)

# The end of a program: what its peers see.
server = lab.echo()
peers = [socket.create_connection((lab.OURS, 7), timeout=5) for _ in range(3)]
lab.wait_for(lambda: lab.ask(server)["app"]["open"] == len(peers))
began = time.monotonic()
lab.point(lab.stop(server) == 0 and time.monotonic() - began < 0.9,
          "a program with idle connections ends at once")
lab.point([s.recv(1) for s in peers] == [b"", b"", b""],
          "and its peers see the end of the stream")

# Without being told where: one program is found, of two a choice is asked for.
os.environ["XDG_RUNTIME_DIR"] = os.path.join(www, "run")
os.mkdir(os.environ["XDG_RUNTIME_DIR"])


def found():
    return [n for n in os.listdir(os.environ["XDG_RUNTIME_DIR"]) if n.endswith(".sock")]


one = lab.start(*lab.inside, echo, *own, "--port", "7", stdout=open(os.devnull, "w"))
lab.wait_for(lambda: len(found()) == 1)
lab.point(len(found()) == 1 and f"-{one.pid}.sock" in found()[0],
          "a program's control socket is where it is looked for", found())
two = lab.start(*lab.inside, echo, "--dev", "tap:tap1", "--addr", "10.7.0.1/24", "--port", "7",
                stdout=open(os.devnull, "w"))
lab.wait_for(lambda: len(found()) == 2)
r = lab.run(stat, check=False)
lab.point(r.returncode == 1 and r.stderr.count(".sock") >= 2, "of two programs one must be chosen",
          r.stderr)
lab.point(lab.stop(one) == 0 and lab.stop(two) == 0 and not found(),
          "both end in order and clear up", found())
lab.done()
