#!/usr/bin/python3
"""A second opinion on every packet: tshark reads what --pcap wrote."""
import collections
import os
import socket

import lab

lab.enter()
lab.need("tshark", "curl", "wrk", "ab")
lab.network()
www = os.path.join(lab.folder(), "www")
os.mkdir(www)
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("hello\n")
lab.make_file(os.path.join(www, "some"), 3 << 20)
capture = os.path.join(lab.folder(), "all.pcapng")
server = lab.httpd(www, "--pcap", capture)
url = f"http://{lab.OURS}/"

lab.run("ping", "-c", "2", "-i", "0.2", "-s", str(min(3000, lab.DATAGRAM_MAX)), lab.OURS)
lab.run("curl", "-sSf", url)
lab.run("curl", "-sSf", "-o", os.path.join(lab.folder(), "got"), url + "some")
if lab.FULL:
    lab.run("wrk", "-t", "1", "-c", "4", "-d", "1", url)
else:
    lab.run("ab", "-q", "-n", "500", "-c", "4", url)
refused = socket.socket()
lab.point(refused.connect_ex((lab.OURS, 81)) != 0, "a closed port refuses")
lab.wait_for(lambda: lab.ask(server)["connections"] == 0)
status = lab.ask(server)
lab.stop(server)


def tshark(*args):
    return lab.run("tshark", "-n", "-r", capture, "-o", "tcp.check_checksum:TRUE",
                   "-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", *args,
                   check=False, timeout=100, env=dict(os.environ, HOME=lab.folder()))


r = tshark("-T", "fields", "-e", "frame.number", "-e", "ip.src", "-e", "tcp.checksum.status",
           "-e", "ip.checksum.status", "-e", "frame.len")
rows = [line.split("\t") for line in r.stdout.splitlines()]
lab.point(len(rows) > 100, "tshark reads the capture", r.stderr)
lab.point(len(rows) >= status["captured"], "every frame is in it",
          f"{len(rows)} of {status['captured']}")
lab.point(status["capture_lost"] == 0, "none was lost")
for whose, address in (("our", lab.OURS), ("the kernel's", lab.KERNEL)):
    mine = [row for row in rows if row[1].split(",")[0] == address]
    wrong = [row for row in mine if row[2] not in ("1", "") or "0" in row[3]]
    lab.point(len(mine) > 50 and not wrong, f"every checksum of {whose} frames is right",
              wrong[:5])
large = [int(row[4]) for row in rows if row[1] == lab.OURS and int(row[4]) > 1514]
if lab.OFFLOADS:
    lab.point(bool(large), "segments to be cut by the device are in it whole")
else:
    lab.point(not large, f"{lab.DEVICE} cuts no segments: none is larger than the MTU", large[:5])

# Expert information of a loss-free run: no warning and no error.
r = tshark("-T", "fields", "-e", "frame.number", "-e", "ip.src", "-e", "_ws.expert.severity",
           "-e", "_ws.expert.message", "-Y", "_ws.expert.severity >= 0x600000")
found = collections.Counter(line.split("\t")[3] for line in r.stdout.splitlines())
# A reset is what a closed port answers, and how wrk ends its connections.
harmless = [m for m in found if "reset (RST)" in m]
for m in harmless:
    lab.note(f"expected: {found.pop(m)} x {m}")
lab.point(not found, "tshark's expert warns of nothing", dict(found))
lab.done()
