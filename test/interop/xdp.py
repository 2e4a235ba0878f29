#!/usr/bin/python3
"""AF_XDP beside the host: its own address shared by port, its other traffic untouched, killed in the
middle of everything, frames of 9000 bytes, queues for every core, checksums left to hardware."""
import os
import socket
import sys
import time

os.environ["MILLRACE_LAB_DEV"] = "xdp"
import lab

lab.enter()
lab.need("curl", "wrk", "ethtool", "ping", "tcpdump", "tshark")
www = lab.folder()
digest = lab.make_file(os.path.join(www, "large"), 20 << 20)
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("hello\n")

SERVE = """
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 22))
s.listen(64)
while True:
    c, _ = s.accept()
    c.sendall(b"kernel\\n")
    c.close()
"""


def curl(path, port=80, *more, at=()):
    return lab.run(*at, "curl", "-sS", "-m", "10", *more, f"http://{lab.OURS}:{port}/{path}",
                   check=False, timeout=15)


def fetched(path="index.html", port=80):
    return curl(path, port).stdout == "hello\n"


def whole(port=80):
    out = os.path.join(www, "got")
    curl("large", port, "-o", out)
    return lab.sha256(out) == digest


def banner():
    """The host's own service: what it says, or why not."""
    try:
        with socket.create_connection((lab.OURS, 22), timeout=5) as s:
            return s.recv(100)
    except OSError as e:
        return e


def pings(address=lab.OURS):
    return lab.run("ping", "-q", "-n", "-c", "5", "-i", "0.02", "-W", "1", address,
                   check=False).returncode == 0


def program_there():
    return "prog/xdp" in lab.run(*lab.inside, "ip", "link", "show", lab.FAR).stdout


def load(seconds=2, conns=64, port=80):
    r = lab.run("wrk", "-c", str(conns), "-t", "1", "-d", f"{seconds}s", f"http://{lab.OURS}:{port}/index.html")
    rate = float(r.stdout.split("Requests/sec:")[1].split()[0])
    return rate, "Socket errors" not in r.stdout and "Non-2xx" not in r.stdout


# ---- the host's own address, by port ---------------------------------------------------------

lab.network(option=",port=8000-8080")
lab.run(*lab.inside, "ip", "address", "add", lab.OURS + "/24", "dev", lab.FAR)
lab.start(*lab.inside, sys.executable, "-c", SERVE)
lab.wait_for(lambda: banner() == b"kernel\n")
server = lab.httpd(www, "--port", "8080")
lab.point(fetched(port=8080) and whole(8080), "a chosen port of the host's address is served")
lab.point(banner() == b"kernel\n", "its ssh stays up", banner())
lab.point(pings(), "it answers a ping")
lab.point(curl("", 8081).returncode == 7, "a port that was not chosen is closed by the kernel")
wrk = lab.start("wrk", "-c", "64", "-t", "1", "-d", "3s", f"http://{lab.OURS}:8080/index.html",
                stdout=-3)
said = [banner() for _ in range(50)]
lab.point(said == [b"kernel\n"] * 50 and pings(), "both while we are loaded",
          [s for s in said if s != b"kernel\n"][:3])
out = lab.run(*lab.inside, "ping", "-q", "-c", "2", "-i", "0.1", lab.KERNEL, check=False)
lab.point(out.returncode == 0, "the host reaches others", out.stdout)
wrk.wait()
server.kill()
server.wait()
lab.point(lab.wait_for(lambda: not program_there()), "killed, it leaves no program on the interface")
lab.point(banner() == b"kernel\n" and pings(), "and the host is as before")

# Who opens connections owns the ports they come from.
web = lab.start(sys.executable, "-m", "http.server", "-d", www, "8000", stdout=-3, stderr=-3)
lab.wait_for(lambda: lab.run("curl", "-s", f"http://{lab.KERNEL}:8000/index.html", check=False).stdout)
r = lab.run(*lab.inside, lab.program("millrace-load"), "http", "--dev", lab.spec("xdp", ",port=32768-60999"),
            "--addr", lab.OURS + "/24", "--to", lab.KERNEL + ":8000", "--path", "/index.html",
            "--connections", "4", "--count", "200", "--close", "--json", "--quiet", check=False)
lab.point(r.returncode == 0, "with the ephemeral ports it opens connections from the host's address",
          r.stdout + r.stderr)
web.kill()

# ---- an address of ours ----------------------------------------------------------------------

lab.network()
server = lab.httpd(www)
lab.point(fetched(), "an address of our own is served")
wrk = lab.start("wrk", "-c", "64", "-t", "1", "-d", "10s", f"http://{lab.OURS}/index.html", stdout=-3)
bad = []
for i in range(6):
    time.sleep(0.05 * i)
    server.kill()
    server.wait()
    left = not lab.wait_for(lambda: not program_there())
    server = lab.httpd(www)
    if left or not fetched():
        bad.append(i)
wrk.kill()
lab.point(not bad, "killed under load six times, it starts again at once", bad)

lab.run("ethtool", "-K", lab.LINK, "tx", "on")
rate, good = load()
lab.point(good and whole(), "checksums left to the veth's hardware are no errors")
wrong = {k: v for k, v in lab.drops(lab.ask(server)).items() if "csum" in k}
lab.point(not wrong, "and nothing is dropped for one", wrong)

# What the peer sees of us: its capture does not know what the wire was told.
pcap = os.path.join(www, "peer.pcap")
dump = lab.start("tcpdump", "-i", lab.LINK, "-Q", "in", "-w", pcap, "-s", "0", "-U", stderr=-3)
lab.wait_for(lambda: os.path.exists(pcap))
whole()
pings()
lab.stop(dump)
r = lab.run("tshark", "-r", pcap, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields",
            "-e", "ip.checksum.status", "-e", "tcp.checksum.status", "-e", "icmp.checksum.status", f"ip.src=={lab.OURS}")
seen = r.stdout.split("\n")[:-1]
lab.point(len(seen) > 1000 and not [x for x in seen if "0" in x], "every checksum that we send is right",
          f"{len(seen)} packets, {sorted(set(seen))}")
lab.stop(server)

lab.network()
lab.run("ip", "link", "set", lab.LINK, "mtu", "9000")
lab.run(*lab.inside, "ip", "link", "set", lab.FAR, "mtu", "9000")
server = lab.httpd(www)
lab.point(lab.run("ping", "-q", "-M", "do", "-s", "8972", "-c", "5", "-i", "0.05", lab.OURS, check=False)
          .returncode == 0, "frames of 9000 bytes come and go")
lab.point(whole(), "and carry a file")
lab.stop(server)

# ---- a queue for every core -------------------------------------------------------------------

def passed(status):
    return status["counters"]["mail"]["packets_sent"]


def serve_all(cores, what):
    """What a server says after a load on so many cores."""
    server = lab.httpd(www, "--cores", str(cores))
    rate, good = load(conns=100)
    status = lab.ask(server)
    lab.point(good and whole() and pings(), f"{what}: {cores} cores serve")
    lab.note(f"{what}, {cores} cores: {rate:.0f} requests/s, {passed(status)} packets passed on")
    lab.stop(server)
    return status


lab.network(queues=4)
for cores in (2, 4):
    serve_all(cores, "no RSS, four queues")


def steer(queues):
    """Our hash makes the veth a NIC with RSS; why not, or None."""
    made = os.path.join(www, f"steer{queues}.o")
    key = ",".join(f"0x{b:02x}" for b in bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0"))
    machine = lab.run("clang", "-print-multiarch", check=False).stdout.strip() or "x86_64-linux-gnu"
    r = lab.run("clang", "-O2", "-g", "-target", "bpf", "-idirafter", "/usr/include/" + machine,
                f"-DQUEUES={queues}", f"-DKEY={key}", "-c", os.path.join(lab.HERE, "xdp_steer.bpf.c"),
                "-o", made, check=False)
    if r.returncode == 0:
        lab.run("tc", "qdisc", "add", "dev", lab.LINK, "clsact")
        r = lab.run("tc", "filter", "add", "dev", lab.LINK, "egress", "bpf", "da", "obj", made, "sec", "tc",
                    check=False)
    return r.stderr if r.returncode else None


for cores in (2, 4):
    lab.network(queues=cores, option=",rss=assume")
    name = f"RSS, {cores} queues"
    no = steer(cores)
    if no:
        lab.skip(name, no.split("\n")[0])
        continue
    status = serve_all(cores, name)
    lab.point(passed(status) == 0, f"{name}: every packet comes to its owner", passed(status))
    lab.point(status["counters"]["tcp"]["rsts_out"] == 0, f"{name}: none to a stranger")
lab.done()
