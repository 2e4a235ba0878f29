#!/usr/bin/python3
"""Debian's haproxy: HTTP/1.1, HTTP/2, TLS, TCP with splice; one thread and two; 8,000 connections;
reloads under load."""
import os
import re
import signal
import time

import lab
import px_lab as px

px.enter("haproxy", "curl", "h2load", "nghttp", "openssl")
LONG = float(os.environ.get("LAB_PX_SECONDS", "0")) > 5
CONF = """
global
    maxconn 9500
    maxpipes 100
    nbthread {threads}
    {more}
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
    balance roundrobin
    {reuse}
frontend plain
    bind {addr}:8080{shards}
    default_backend origins
frontend tls
    bind {addr}:8443 ssl crt {crt} alpn h2,http/1.1{shards}
    default_backend origins
frontend clear
    bind {addr}:8082 proto h2{shards}
    default_backend origins
frontend tcp
    mode tcp
    bind {addr}:8081{shards}
    default_backend streams
backend origins
    http-reuse safe
    server a {kernel}:7001{check}
    server b {kernel}:7002{check}
backend streams
    mode tcp
    option splice-auto
    server a {kernel}:7001
    server b {kernel}:7002
"""
turn = 0


def conf(threads=1, shards=False, more="", check=" check inter 500ms", addr=px.OURS):
    global turn
    turn += 1
    return px.file(f"haproxy.{turn}.cfg", CONF.format(
        threads=threads, more=more, addr=addr, kernel=px.KERNEL, check=check,
        crt=px.certificate()[0], shards=" shards by-thread" if shards else "",
        reuse="" if not shards else ""))


def start(path, *args, slots=2, port=8080):
    return px.Session("haproxy", "-f", path, "-db" if "-W" not in args else "-q", *args,
                      slots=slots).ready(port)


def curl(*args, url=f"https://{px.OURS}:8443"):
    _, _, cert = px.certificate()
    out = px.file("curl.out", "")
    r = lab.run("curl", "-sS", "--max-time", "20", "--cacert", cert, "-o", out, "-w",
                "%{http_code} %{http_version}", *args, check=False)
    with open(out, "rb") as f:
        return r.stdout, f.read(), r.stderr


def kinds(title, sizes):
    """Each kind of traffic once, several at a time."""
    loads = [("HTTP/1.1, kept", px.Load(8080, "up", sizes=sizes)),
             ("HTTP/1.1, a connection for each", px.Load(8080, "close", sizes="0,100,5000")),
             ("TCP mode with splice, kept", px.Load(8081, "up", sizes=sizes, connections=8)),
             ("TCP mode, a connection for each", px.Load(8081, "close", sizes="1,100000",
                                                         connections=8))]
    for name, load in loads:
        px.load_point(f"{title}: {name}", load, retried=0)


def http2(title):
    base = f"https://{px.OURS}:8443/o"
    said, body, err = curl("--http2", f"{base}/300000/7")
    lab.point(said == "200 2" and body == px.content(300000, 7),
              f"{title}: HTTP/2 over TLS brings 300,000 bytes", f"{said} {len(body)} {err}")
    up = os.path.join(px.folder(), "up")
    with open(up, "wb") as f:
        f.write(px.content(250000, 11))
    said, body, err = curl("--http2", "--data-binary", "@" + up, "-H", "Expect:",
                           f"{base}/250000/11")
    lab.point(said == "200 2", f"{title}: HTTP/2 over TLS takes 250,000 bytes", f"{said} {err}")
    said, body, err = curl("--http1.1", f"{base}/300001/8")
    lab.point(said == "200 1.1" and body == px.content(300001, 8),
              f"{title}: HTTP/1.1 over TLS brings 300,001 bytes", f"{said} {len(body)} {err}")
    r = lab.run("nghttp", "-n", "-s", f"http://{px.OURS}:8082/o/20000/1",
                f"http://{px.OURS}:8082/o/20000/2", check=False, timeout=20)
    lab.point(r.stdout.count(" 200 ") == 2, f"{title}: nghttp, HTTP/2 in the clear",
              r.stdout + r.stderr)
    for name, url in (("in the clear", f"http://{px.OURS}:8082"), ("TLS", f"https://{px.OURS}:8443")):
        n = 400 if px.SECONDS < 2 else 20000
        r = lab.run("h2load", "-n", str(n), "-c", "8", "-m", "10", f"{url}/o/5000/3", check=False,
                    timeout=60)
        found = re.search(r"requests: \d+ total.*?(\d+) succeeded, (\d+) failed", r.stdout)
        data = re.search(r"(\d+)\) data", r.stdout)
        lab.point(found and int(found[1]) == n and found[2] == "0" and data and
                  int(data[1]) == n * 5000, f"{title}: h2load {name}, {n} requests, no failure",
                  r.stdout[-800:] + r.stderr)


def reloads(threads, times):
    """Master and worker; USR2 under load."""
    p = start(conf(threads, more=f"stats socket {px.folder()}/ha.sock mode 600 level admin "
                                 f"expose-fd listeners\n    hard-stop-after 8s"), "-W")
    kept = px.Load(8080, connections=12, seconds=times * 0.5 + 0.3, sizes="10,1000,20000")
    each = px.Load(8080, "close", connections=8, seconds=times * 0.5 + 0.3, sizes="10,5000")
    streams = px.Load(8081, "close", connections=4, seconds=times * 0.5 + 0.3, sizes="10,200000")
    for _ in range(times):
        time.sleep(0.5)
        before = px.children(p.pid)
        p.kill(signal.SIGUSR2)
        lab.wait_for(lambda: set(px.children(p.pid)) - set(before), 5)
    for name, load in (("kept", kept), ("a connection for each", each), ("TCP", streams)):
        px.load_point(f"{threads} threads, {times} reloads by USR2, {name}: no failed request, "
                      "no SYN sent twice", load, connect_ms=900,
                      retried=None if name == "kept" else 0)
    lab.point(p.p.poll() is None, "the master is alive", p.said())
    lab.point(lab.wait_for(lambda: len(px.children(p.pid)) == 1, 12),
              "old workers have gone", lab.run("ps", "-ef").stdout)
    lab.point(p.stop() in (0, 143), "SIGTERM ends master and worker", p.said())


ups = [px.origin(7001), px.origin(7002)]
p = start(conf(1))
kinds("1 thread", "0,1,1000,30000,300000")
http2("1 thread")
many = px.Load(8080, "hold", connections=int(os.environ.get("LAB_PX_HOLD", "8000")), seconds=40,
               sizes="100,2000")
r = px.load_point("8,000 connections at once", many, least=8000, retried=0)
lab.point(r["most"] == 8000 and r["early"] == 0, "all of them open at the same time", r)
lab.note(f"{px.fds(p.pid)} descriptors, {px.rss_kb(p.pid)} KB")
lab.point(lab.wait_for(lambda: px.fds(p.pid) < 200, 30), "their descriptors are closed",
          px.fds(p.pid))
lab.point(p.stop() in (0, 143, -15), "it ends", p.said())

p = start(conf(2, shards=True, more="tune.idle-pool.shared off"))
kinds("2 threads, a listener each", "0,1000,30000")
p.stop()
p = start(conf(2))
kinds("2 threads, one listener", "0,1000,30000,300000")
p.stop()
for threads in (1, 2):
    reloads(threads, 3 if not LONG else int(px.SECONDS))
lab.done()
