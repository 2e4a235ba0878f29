#!/usr/bin/python3
"""curl, wrk, iperf3, python, openssl, socat, ssh: clients and servers of one command each."""
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import socket
import threading
import time

import lab
import px_lab as px

px.enter("curl", "wrk", "iperf3", "openssl", "socat", "ssh", "scp", "sshd", "ssh-keygen")
KERNEL, OURS = px.KERNEL, px.OURS
SECONDS = str(max(1, int(px.SECONDS)))
MB5 = px.content(5 << 20, 17)
big = os.path.join(px.folder(), "big")
with open(big, "wb") as f:
    f.write(MB5)


def timed(what, *args):
    began = time.monotonic()
    what(*args)
    lab.note(f"{what.__name__}: {time.monotonic() - began:.1f} s")


def sha(data):
    return hashlib.sha256(data).hexdigest()


def echo(port, data):
    """What goes there comes back, while both sides are busy.  None, or what was wrong."""
    s = socket.create_connection((OURS, port), timeout=20)

    def up():
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)

    t = threading.Thread(target=up, daemon=True)
    t.start()
    got = bytearray()
    try:
        while part := s.recv(1 << 18):
            got += part
    except OSError as e:
        return f"{e} after {len(got)} of {len(data)}"
    t.join(5)
    s.close()
    return None if bytes(got) == data else f"{len(got)} of {len(data)} bytes"


# ---- clients -------------------------------------------------------------------------------

def curls(shell):
    urls = [(s, k) for s in (0, 1, 999, 20000, 300000) for k in range(8)]
    args = []
    for size, seed in urls:
        args += ["-o", os.path.join(px.folder(), f"got.{size}.{seed}"),
                 f"http://{KERNEL}:7001/o/{size}/{seed}"]
    r = shell.run("curl", "-sS", "--max-time", "20", *args)
    bad = [(s, k) for s, k in urls
           if not same(os.path.join(px.folder(), f"got.{s}.{k}"), px.content(s, k))]
    lab.point(r.returncode == 0 and not bad, f"curl: {len(urls)} URLs on one connection",
              f"{bad[:5]} {r}")
    r = shell.run("curl", "-sS", "-Z", "--parallel-max", "20", "--max-time", "20", *args)
    lab.point(r.returncode == 0, f"curl: {len(urls)} URLs, 20 at a time", r)
    up = os.path.join(px.folder(), "up")
    with open(up, "wb") as f:
        f.write(px.content(3000000, 5))
    r = shell.run("curl", "-sS", "--max-time", "20", "-w", "%{http_code}", "-H", "Expect:",
                  "--data-binary", "@" + up, f"http://{KERNEL}:7001/o/3000000/5")
    lab.point(r.stdout == "200", "curl: 3 MB go up", r)
    r = shell.run("curl", "-sS", "--max-time", "5", f"http://{KERNEL}:9/")
    lab.point(r.returncode == 7, "curl: refused is said at once", r)


def same(path, data):
    try:
        with open(path, "rb") as f:
            return f.read() == data
    except OSError:
        return False


def wrks(shell):
    r = shell.run("wrk", "-t", "2", "-c", "30", "-d", f"{SECONDS}s", "--timeout", "10s",
                  f"http://{KERNEL}:7001/o/1000/1", timeout=int(SECONDS) + 20)
    n = re.search(r"(\d+) requests in", r.stdout)
    lab.note(f"wrk: {n and n[1]} requests")
    lab.point(n and int(n[1]) > 100 and "errors" not in r.stdout and "Non-2xx" not in r.stdout,
              "wrk: two threads, no error", r)


def iperf(name, run, host, *args):
    much = ["-t", SECONDS] if px.SECONDS > 2 else ["-n", "2M" if "-u" in args else "40M"]
    r = run("iperf3", "-c", host, "-p", "5201", *much, "-J", "--connect-timeout", "5000", *args)
    try:
        end = json.loads(r.stdout)["end"]
        if "-u" in args:
            rate = end["sum"]["bits_per_second"]
            good = end["sum"]["lost_percent"] < 5 and end["sum"]["packets"] > 50
        else:
            sent, got = end["sum_sent"]["bytes"], end["sum_received"]["bytes"]
            rate = end["sum_received"]["bits_per_second"]
            good = got > 10 << 20 and got <= sent
        lab.note(f"{name}: {rate / 1e9:.2f} Gbit/s")
    except (ValueError, KeyError):
        good = False
    lab.point(good, name, f"{r.stdout[-800:]} {r.stderr[-500:]}")


WAYS = [("", ()), (" -R", ("-R",)), (" -P 4", ("-P", "4")), (" -P 4 -R", ("-P", "4", "-R")),
        (" -Z", ("-Z",)), (" -u", ("-u", "-b", "50M")), (" -u -R", ("-u", "-b", "50M", "-R"))]


def clients():
    up = px.origin(7001)
    iperf_server = lab.start("iperf3", "-s", "-B", KERNEL, stdout=-3)
    shell = px.Shell(slots=3)
    timed(curls, shell)
    timed(wrks, shell)
    for name, args in WAYS:
        iperf("iperf3 -c" + name, lambda *c: shell.run(*c, timeout=int(SECONDS) + 15), KERNEL, *args)
    timed(s_client, shell)
    timed(socats, shell)
    timed(shell.stop)
    lab.stop(iperf_server)
    lab.stop(up)


def s_client(shell):
    _, key, cert = px.certificate()
    server = lab.start("openssl", "s_server", "-accept", f"{KERNEL}:4433", "-key", key, "-cert", cert,
                       "-quiet", "-rev", stdin=-3, stdout=-3, stderr=-3)
    lab.listens(4433)
    text = px.file("lines", "".join(f"line {i} of this text\n" for i in range(2000)))
    r = shell.run(f"(cat {text}; sleep 0.5) | openssl s_client -connect {KERNEL}:4433 -quiet "
                  f"-no_ign_eof -CAfile {cert} -verify_return_error")
    want = "".join(line[::-1] + "\n" for line in px.read(text).splitlines())
    lab.point(r.stdout == want, "openssl s_client: 2,000 lines come back reversed",
              f"{len(r.stdout)} of {len(want)} {r.stderr[-300:]}")
    lab.stop(server)


def socats(shell):
    """The kernel's socat returns what ours sends."""
    server = lab.start("socat", f"TCP4-LISTEN:7007,bind={KERNEL},reuseaddr,fork", "EXEC:cat")
    lab.listens(7007)
    r = shell.run(f"socat -t 10 - TCP4:{KERNEL}:7007 | sha256sum", stdin=big)
    lab.point(r.stdout.split()[:1] == [sha(MB5)], "socat: 5 MB there and back", r)
    lab.stop(server)


# ---- servers -------------------------------------------------------------------------------

def server(*command, port, **more):
    return px.Session(*command, **more).ready(port)


def python():
    root = px.www([0, 1000, 300000], 10)
    p = server("python3", "-m", "http.server", "8000", "--bind", OURS, "--directory", root, port=8000,
               cwd=px.folder())
    px.load_point("python http.server, threaded",
                  px.Load(8000, "close", sizes="0,1000,300000", seeds=10, connections=8), retried=0)
    p.stop()
    text = px.file("echo.py", f"""
import asyncio
async def one(r, w):
    while data := await r.read(65536):
        w.write(data)
        await w.drain()
    w.close()
async def main():
    async with await asyncio.start_server(one, "{OURS}", 7000) as s:
        await s.serve_forever()
asyncio.run(main())
""")
    p = server("python3", text, port=7000)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        good = list(pool.map(lambda i: echo(7000, px.content(2000000, i)), range(4)))
    lab.point(good == [None] * 4, "asyncio: 2 MB come back on each of four connections", good)
    p.stop()


def openssl():
    _, key, cert = px.certificate()
    root = px.www([300000], 4)
    p = server("openssl", "s_server", "-accept", f"{OURS}:4434", "-key", key, "-cert", cert, "-WWW",
               "-quiet", port=4434, cwd=root)
    bad = []
    for seed in range(4):
        r = lab.run("curl", "-sS", "--http0.9", "--max-time", "20", "--cacert", cert, "-o",
                    os.path.join(px.folder(), "curl.out"), f"https://{OURS}:4434/o/300000/{seed}",
                    check=False)
        if not same(os.path.join(px.folder(), "curl.out"), px.content(300000, seed)):
            bad.append((seed, r.returncode, r.stderr))
    lab.point(not bad, "openssl s_server: files of 300,000 bytes", bad)
    p.stop()


def socat_server():
    p = server("socat", f"TCP4-LISTEN:7007,bind={OURS},reuseaddr,fork", "EXEC:cat", port=7007)
    bad = [x for x in (echo(7007, px.content(2000000 + i, i)) for i in range(3)) if x]
    lab.point(not bad, "socat, fork mode: 2 MB come back, three times", bad)
    p.stop()
    p = server("socat", f"TCP4-LISTEN:7008,bind={OURS},reuseaddr,fork", f"TCP4:{KERNEL}:7001",
               port=7008)
    up = px.origin(7001)
    px.load_point("socat, both sides sockets", px.Load(7008, "up", sizes="1,30000,300000",
                                                       connections=6), retried=0)
    p.stop()
    lab.stop(up)


def iperf_servers():
    """Whoever looks whether it listens is its first client; and after each client it closes its
    listener and makes another, on any kernel: who has come meanwhile is reset, or told that it is
    busy.  But it says when it listens."""
    p = px.Session("iperf3", "-s", "-B", OURS, "--forceflush")
    for n, (name, args) in enumerate(WAYS):
        if not lab.wait_for(lambda: px.read(p.log).count("Server listening") > n, 15):
            lab.note(f"iperf3 does not listen: {p.said()}")
        iperf("iperf3 -s" + name, lambda *c: lab.run(*c, check=False, timeout=int(SECONDS) + 20), OURS,
              *args)
    p.stop()


def ssh():
    at = os.path.join(px.folder(), "ssh")
    os.mkdir(at, 0o700)
    for name in ("host", "user"):
        lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{at}/{name}")
    shutil.copy(f"{at}/user.pub", f"{at}/keys")
    os.chmod(at, 0o700)
    if not os.path.isdir("/run/sshd"):
        try:
            os.makedirs("/run/sshd", 0o755)
        except OSError:
            return lab.skip("ssh", "sshd wants its /run/sshd")
    conf = px.file("sshd_config", f"""
ListenAddress {OURS}:2222
HostKey {at}/host
AuthorizedKeysFile {at}/keys
PidFile {at}/pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
""")
    p = server(shutil.which("sshd"), "-D", "-e", "-f", conf, port=2222)
    how = ["-i", f"{at}/user", "-o", "StrictHostKeyChecking=no", "-o",
           f"UserKnownHostsFile={at}/known", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
    to = f"{os.environ.get('USER') or 'root'}@{OURS}"
    r = lab.run("ssh", *how, "-p", "2222", to, "echo hello; sha256sum", check=False, timeout=30,
                input="x" * 1000000)
    lab.point(r.returncode == 0 and r.stdout.split() == ["hello", sha(b"x" * 1000000), "-"],
              "ssh: a command there reads 1 MB", r.stdout + r.stderr + p.said())
    lab.run("scp", "-q", *how, "-P", "2222", big, f"{to}:{at}/there", check=False, timeout=30)
    lab.point(same(f"{at}/there", MB5), "scp: 5 MB go there", p.said())
    lab.run("scp", "-q", *how, "-P", "2222", f"{to}:{big}", f"{at}/back", check=False, timeout=30)
    lab.point(same(f"{at}/back", MB5), "scp: 5 MB come back", p.said())
    p.stop()
    return None


PARTS = {"clients": clients, "python": python, "openssl": openssl, "socat": socat_server,
         "iperf": iperf_servers, "ssh": ssh}
for part in os.environ.get("LAB_PX_PARTS", " ".join(PARTS)).split():
    timed(PARTS[part])
lab.done()
