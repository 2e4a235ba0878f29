#!/usr/bin/python3
"""Debian's squid: as a proxy that clients name, with CONNECT, and in front of an origin; 1 worker, 2."""
import os
import signal
import socket

import lab
import px_lab as px

px.enter("squid", "curl", "openssl")
CONF = """
workers {workers}
http_port {addr}:3128
http_port {addr}:3129 accel defaultsite=lab no-vhost
cache_peer {kernel} parent 7001 0 no-query originserver name=o
acl reverse myportname {addr}:3129
cache_peer_access o allow reverse
cache_peer_access o deny all
always_direct deny reverse
never_direct allow reverse
http_access allow all
cache deny all
cache_mem 8 MB
memory_cache_shared off
pid_filename {dir}/squid.pid
cache_log {dir}/cache.log
access_log none
coredump_dir {dir}
shutdown_lifetime 1 seconds
max_filedescriptors 4096
visible_hostname lab
dns_nameservers {kernel}
pinger_enable off
client_persistent_connections on
server_persistent_connections on
"""


def start(workers):
    where = os.path.join(px.folder(), f"squid{workers}")
    os.mkdir(where)
    os.chmod(where, 0o777)
    path = px.file(f"squid{workers}.conf", CONF.format(workers=workers, addr=px.OURS,
                                                        kernel=px.KERNEL, dir=where))
    how = ["-N"] if workers == 1 else ["--foreground"]
    # Started by root its kids would be exec'd with another effective than real user: nothing can be
    # preloaded then.
    user = ["setpriv", "--reuid=proxy", "--regid=proxy", "--clear-groups"] if workers > 1 else []
    p = px.Session(*user, "squid", *how, "-f", path, "-n", f"px{os.getpid()}", slots=workers + 1)
    p.cache_log = f"{where}/cache.log"
    return p.ready(3129, 20)


def curl(*args):
    out = px.file("curl.out", "")
    r = lab.run("curl", "-sS", "--max-time", "20", "-o", out, *args, check=False)
    with open(out, "rb") as f:
        return f.read(), r.stderr


def kinds(title, p):
    kept = px.Load(3129, "up", sizes="0,1,1000,30000,300000", connections=8)
    each = px.Load(3129, "close", sizes="1,5000", connections=4)
    px.load_point(f"{title}: in front of an origin, kept", kept)
    px.load_point(f"{title}: in front of an origin, a connection for each", each)
    got, err = curl("-x", f"http://{px.OURS}:3128", f"http://{px.KERNEL}:7001/o/1000000/9")
    lab.point(got == px.content(1000000, 9), f"{title}: a client's proxy", f"{len(got)} {err}")
    got, err = curl("-p", "-x", f"http://{px.OURS}:3128", f"http://{px.KERNEL}:7001/o/1000001/4")
    lab.point(got == px.content(1000001, 4), f"{title}: CONNECT", f"{len(got)} {err}")


up = px.origin(7001)
for workers in (1, 2):
    p = start(workers)
    kinds(f"{workers} worker{'s' * (workers > 1)}", p)
    lab.point(p.stop(patience=8) in (0, 143, -15), "SIGTERM ends it",
              p.said() + px.read(p.cache_log)[-1500:])
lab.done()
