#!/usr/bin/python3
"""The drivers without a stack: a kernel's stack on each end of
tap -- port_forward -- shared memory wire -- port_forward -- tap
where the first of them may be another device."""
import json
import os

import lab

lab.enter()
lab.network()
lab.need("nsenter", "curl", "ethtool", "sha256sum")
FORWARD = os.path.join(lab.BUILD, "test", "interop", "port_forward")
if not os.path.exists(FORWARD):
    lab.skip_all("port_forward is not built")

here = lab.folder()
size = (200 if lab.FULL else 20) << 20
digest = lab.make_file(os.path.join(here, "big"), size)


def forward(*ports, inside=lab.inside):
    log = open(os.path.join(here, f"forward-{len(lab._running)}"), "w+")
    p = lab.start(*inside, FORWARD, *ports, stdout=log, stderr=log)
    p.log = log.name
    return p


def said(p):
    with open(p.log) as f:
        return f.read()


# The other kernel's end.
inside = lab.namespace()
lab.run(*inside, "ip", "tuntap", "add", "tap0", "mode", "tap")
if not lab.FULL:
    # What comes for another station would not reach a socket of ours.
    mac = json.loads(lab.run(*lab.inside, "ip", "-j", "link", "show", "dev", lab.FAR).stdout)
    lab.run(*inside, "ip", "link", "set", "tap0", "address", mac[0]["address"])
lab.quiet_up("tap0", at=inside)
lab.run(*inside, "ip", "address", "add", lab.OURS + "/24", "dev", "tap0")

wire = os.path.join(here, "wire")
side1 = forward(lab.dev(), f"shm:{wire}:1", lab.OURS)
side0 = forward(f"shm:{wire}:0", "tap:tap0" if lab.OFFLOADS else "tap:tap0,no-offload",
                inside=inside)
up = lab.wait_for(lambda: "ready" in said(side0) and "ready" in said(side1))
lab.point(up, "side 1 of a wire waits for side 0", said(side0) + said(side1))

lab.start(*inside, "python3", "-m", "http.server", "-d", here, "8000",
          stdout=open(os.devnull, "w"), stderr=open(os.devnull, "w"))
url = f"http://{lab.OURS}:8000/"
lab.wait_for(lambda: lab.run("curl", "-sf", url, check=False).returncode == 0)

if lab.OFFLOADS:
    offloads = lab.run("ethtool", "-k", lab.LINK).stdout
    lab.point("tcp-segmentation-offload: on" in offloads and "tx-checksumming: on" in offloads,
              "the kernel may leave checksums and segmentation to us", offloads)
else:
    lab.skip("the kernel may leave checksums and segmentation to us",
             f"nothing tells {lab.DEVICE} on a veth that they are unfinished")

got = os.path.join(here, "got")
lab.run("curl", "-sf", "-o", got, url + "big")
lab.point(lab.sha256(got) == digest, f"{size >> 20} MB arrive as they were sent")

for n in (0, 56, 1472, 1473, 9000, 65507):
    if n > lab.DATAGRAM_MAX:
        lab.skip(f"a ping of {n} bytes comes back", lab.WHY_NO_LARGER)
        continue
    r = lab.run("ping", "-c", "1", "-W", "2", "-s", str(n), lab.OURS, check=False)
    lab.point(r.returncode == 0, f"a ping of {n} bytes comes back", r.stdout)

if lab.DEVICE in ("tap", "xdp"):
    busy = forward(lab.dev(), f"shm:{wire}.2:0", lab.OURS)
    busy.wait(5)
    lab.point(busy.returncode == 1 and
              ("in use by another program" in said(busy) or "XDP program already" in said(busy)),
              "a device in use is said to be in use", said(busy))
else:
    lab.skip("a device in use is said to be in use",
             "any number of packet sockets may be bound to an interface")

for p in (side0, side1):
    lab.stop(p)
    words = [line.split() for line in said(p).splitlines() if " held " in line]
    counts = [dict(zip(w[1::2], map(int, w[2::2]))) for w in words]
    lab.point(all(c["held"] == 0 for c in counts), "every packet went back to its pool", said(p))
    lab.point(all(c["rx_error"] + c["tx_error"] == 0 for c in counts),
              "no frame was refused or mutilated", said(p))
    frames = max(c["rx"] for c in counts)
    if lab.OFFLOADS:
        lab.point(frames < size / 5000, "segments cross whole, 64 KB at a time",
                  f"{frames} frames")
    else:
        lab.point(frames > size / 1500, "segments cross as the kernel cut them", f"{frames} frames")
lab.point(not os.path.exists(wire), "side 0 removes the wire")
lab.done()
