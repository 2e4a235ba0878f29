#!/usr/bin/python3
"""The path's MTU changes under a transfer.

    curl 10.8.0.2 -- veth, MTU 1500 then 1000 then 1500 -- 10.8.0.1 router 10.9.0.1 -- TAP -- server
"""
import os

import lab

lab.enter()
lab.need("nsenter", "curl", "sha256sum")
lab.network()
if not lab.write("/proc/sys/net/ipv4/ip_forward", "1"):
    lab.skip_all("may not forward")
inside = lab.namespace()
lab.veth("v0", "v1", inside)
lab.run("ip", "address", "add", "10.8.0.1/24", "dev", "v0")
lab.run("ip", "link", "set", "v0", "up")
lab.run(*inside, "ip", "address", "add", "10.8.0.2/24", "dev", "v1")
lab.run(*inside, "ip", "link", "set", "v1", "up")
lab.run(*inside, "ip", "route", "add", "default", "via", "10.8.0.1")

size = 200 if lab.FULL else 20  # MB
www = os.path.join(lab.folder(), "www")
os.mkdir(www)
digest = lab.make_file(os.path.join(www, "some"), size << 20)
server = lab.httpd(www, "--gateway", lab.KERNEL)
got = os.path.join(lab.folder(), "got")


def mtu(n):
    # Only the router's side of the link shrinks: the client still offers 1460 bytes a segment.
    lab.run("ip", "link", "set", "v0", "mtu", str(n))


def fetch(*more):
    return lab.run(*inside, "curl", "-sS", "--max-time", "60", *more, "-o", got,
                   f"http://{lab.OURS}/some", check=False)


r = fetch()
lab.point(r.returncode == 0 and lab.sha256(got) == digest, f"{size} MB through a router", r.stderr)

lowered = lab.ask(server)["counters"]["ip"]["pmtu_lowered"]
mtu(1000)
r = fetch()
status = lab.ask(server)["counters"]
lab.point(r.returncode == 0 and lab.sha256(got) == digest,
          f"{size} MB through a narrower path", r.stderr)
lab.point(status["ip"]["pmtu_lowered"] > lowered, "the router's message was believed",
          status["ip"])

mtu(1500)
slow = lab.start(*inside, "curl", "-sS", "--max-time", "60", "--limit-rate", f"{size // 5}M",
                 "-o", got, f"http://{lab.OURS}/some")
lab.wait_for(lambda: os.path.exists(got) and 0 < os.path.getsize(got) < size << 19, 5)
mtu(700)
lab.point(slow.wait(60) == 0 and lab.sha256(got) == digest,
          "the path narrows in the middle of a transfer")
mtu(1500)

lab.point(lab.stop(server) == 0, "the server ends in order")

# A path that swallows large packets and says nothing (RFC 2923): the stack finds out itself.  What
# the router itself would send to the server goes nowhere; what it forwards is not its own.
name = "a black hole is found and got round"
mute = lab.run("ip", "rule", "add", "iif", "lo", "to", lab.OURS, "blackhole", check=False)
if mute.returncode == 0:
    with open(os.path.join(www, "little"), "wb") as f:
        f.write(os.urandom(300000))
    server = lab.httpd(www, "--gateway", lab.KERNEL)
    mtu(1000)
    r = lab.run(*inside, "curl", "-sS", "--max-time", "80", "-o", got,
                f"http://{lab.OURS}/little", check=False, timeout=90)
    same = lab.run("cmp", got, os.path.join(www, "little"), check=False).returncode == 0
    counters = lab.ask(server)["counters"]
    lab.note(f"black holes suspected: {counters['tcp']['pmtu_blackholes']}")
    lab.point(r.returncode == 0 and same, name, r.stderr)
    lab.point(counters["tcp"]["pmtu_blackholes"] > 0 and counters["ip"]["pmtu_lowered"] == 0,
              "without any word from the router", counters["ip"])
    lab.point(lab.stop(server) == 0, "the server ends in order")
else:
    lab.skip(name, "may not silence the router: " + mute.stderr.strip())
lab.done()
