#!/usr/bin/python3
"""Debian's nginx: 1 and 2 workers, reuseport and not; sendfile, proxy, TLS; HUP and USR2 under load."""
import os
import shutil
import signal
import time

import lab
import px_lab as px

px.enter("nginx", "curl", "openssl")
LONG = px.SECONDS > 5
CONF = """
user root;
worker_processes {workers};
pid {dir}/nginx.pid;
error_log {dir}/nginx.err error;
worker_shutdown_timeout 8s;
events {{ worker_connections 4096; {accept} }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    client_max_body_size 50m;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    upstream origins {{ server {kernel}:7001; server {kernel}:7002; keepalive 16; }}
    server {{ listen {addr}:8080{reuse}; root {dir}/www; }}
    server {{ listen {addr}:8443 ssl{reuse}; root {dir}/www;
              ssl_certificate {cert}; ssl_certificate_key {key}; }}
    server {{ listen {addr}:8081{reuse};
              location / {{ proxy_pass http://origins; proxy_http_version 1.1;
                            proxy_set_header Connection ""; }} }}
}}
"""
BIG = 10 << 20


def start(workers, reuse=False, accept=""):
    _, key, cert = px.certificate()
    path = px.file("nginx.conf", CONF.format(
        workers=workers, dir=px.folder(), addr=px.OURS, kernel=px.KERNEL, key=key, cert=cert,
        reuse=" reuseport" if reuse else "", accept=accept))
    p = px.Session(shutil.which("nginx"), "-e", f"{px.folder()}/nginx.err", "-c", path,
                   slots=workers + 1, daemon=f"{px.folder()}/nginx.pid").ready(8080)
    p.at()
    return p


def kinds(title, big=True):
    static = px.Load(8080, sizes="0,1,1000,30000", seeds=20)
    each = px.Load(8080, "close", sizes="1,1000", seeds=20, connections=8)
    proxy = px.Load(8081, "up", sizes="0,1,1000,30000,300000", connections=8)
    px.load_point(f"{title}: files, kept connections", static, retried=0)
    px.load_point(f"{title}: files, a connection for each", each, retried=0)
    px.load_point(f"{title}: proxy, both ways", proxy, retried=0)
    if big:
        large = px.Load(8080, sizes=str(BIG), seeds=1, connections=3, seconds=0.3)
        px.load_point(f"{title}: 10 MB by sendfile", large, least=3, retried=0)


def tls(title):
    _, _, cert = px.certificate()
    out = px.file("curl.out", "")
    r = lab.run("curl", "-sS", "--max-time", "20", "--cacert", cert, "-o", out,
                f"https://{px.OURS}:8443/o/{BIG}/0", check=False)
    with open(out, "rb") as f:
        lab.point(f.read() == px.content(BIG, 0), f"{title}: 10 MB over TLS", r.stderr)


def changes(title, p, change, times):
    """Something is done to it while it is under load."""
    seconds = times * 0.5 + 0.3
    loads = [("files, kept", px.Load(8080, sizes="1,1000,30000", seeds=20, seconds=seconds), None),
             ("files, a connection for each",
              px.Load(8080, "close", sizes="1,1000", seeds=20, connections=8, seconds=seconds), 0),
             ("proxy", px.Load(8081, sizes="10,20000", connections=8, seconds=seconds), None)]
    for _ in range(times):
        time.sleep(0.5)
        change(p)
    for name, load, retried in loads:
        px.load_point(f"{title}, {name}: no failed request, no SYN sent twice", load,
                      retried=retried, connect_ms=900)


def reload(p):
    old = px.children(p.pid)
    p.kill(signal.SIGHUP)
    lab.wait_for(lambda: not set(px.children(p.pid)) & set(old), 3)


def upgrade(p):
    """A new master is made of the old one, with its listeners; then the old one goes."""
    old = p.at()
    p.kill(signal.SIGUSR2)
    if not lab.wait_for(lambda: p.at() not in (None, old), 5):
        return lab.point(False, "USR2 makes a new master", said())
    time.sleep(0.2)
    os.kill(old, signal.SIGQUIT)
    gone = lab.wait_for(lambda: not os.path.exists(f"/proc/{old}"), 10)
    return lab.point(gone, "USR2 makes a new master, and the old one goes", said())


def said():
    return px.read(f"{px.folder()}/nginx.err")[-1500:]


def end(p):
    p.kill(signal.SIGQUIT)
    lab.point(lab.wait_for(lambda: not p.at(), 12), "SIGQUIT ends it", said())
    p.stop()


px.www([0, 1, 1000, 30000], 20)
px.www([BIG], 1)
ups = [px.origin(7001), px.origin(7002)]
p = start(1)
kinds("1 worker")
tls("1 worker")
end(p)
p = start(2, accept="accept_mutex off;")
kinds("2 workers, one listener")
changes("2 workers, HUP", p, reload, 2 if not LONG else int(px.SECONDS))
changes("2 workers, USR2", p, upgrade, 1 if not LONG else int(px.SECONDS))
end(p)
p = start(2, reuse=True)
kinds("2 workers, reuseport")
changes("2 workers, reuseport, HUP", p, reload, 2 if not LONG else int(px.SECONDS))
end(p)
lab.point("[alert]" not in px.read(f"{px.folder()}/nginx.err"), "its log has no alert", said())
lab.done()
