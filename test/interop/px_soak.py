#!/usr/bin/python3
"""Unmodified programs for long: opened, closed, reloaded and killed without pause, in one session each;
nothing grows.  LAB_SOAK_SECONDS: how long, 20 unless told otherwise."""
import os
import random
import shutil
import signal
import time

import lab
import px_lab as px

px.enter("haproxy", "nginx", "openssl")
SECONDS = float(os.environ.get("LAB_SOAK_SECONDS", "20"))
HAPROXY = f"""
global
    maxconn 3000
    maxpipes 100
    nbthread 2
    hard-stop-after 3s
    stats socket {px.folder()}/ha.sock mode 600 level admin expose-fd listeners
defaults
    mode http
    timeout connect 5s
    timeout client 20s
    timeout server 20s
frontend plain
    bind {px.OURS}:8080
    default_backend origins
frontend tcp
    mode tcp
    bind {px.OURS}:8081
    default_backend streams
backend origins
    http-reuse safe
    server a {px.KERNEL}:7001
backend streams
    mode tcp
    option splice-auto
    server a {px.KERNEL}:7001
"""
NGINX = f"""
user root;
daemon off;
worker_processes 2;
pid {px.folder()}/nginx.pid;
error_log {px.folder()}/nginx.err crit;
worker_shutdown_timeout 3s;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {px.folder()}/t1;
    proxy_temp_path {px.folder()}/t2;
    fastcgi_temp_path {px.folder()}/t3;
    uwsgi_temp_path {px.folder()}/t4;
    scgi_temp_path {px.folder()}/t5;
    server {{ listen {px.OURS}:8080; root {px.folder()}/www; }}
    server {{ listen {px.OURS}:8081; location / {{ proxy_pass http://{px.KERNEL}:7001; }} }}
}}
"""


class Watch:
    """What the session's processes hold, from the end of the first third on."""

    def __init__(self, p):
        self.p, self.seen = p, []

    def processes(self):
        """Those in the program's namespace."""
        there = os.readlink(f"/proc/{self.p.pid}/ns/net")
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/ns/net") == there:
                    found.append(int(pid))
            except OSError:
                pass
        return [x for x in found if px.read(f"/proc/{x}/comm").strip() != "sleep"]

    def look(self):
        pids = self.processes()
        self.seen.append((sum(px.fds(x) for x in pids), sum(px.rss_kb(x) for x in pids), len(pids)))
        return self.seen[-1]

    def point(self, title):
        first = self.seen[len(self.seen) // 3]
        last = self.look()
        lab.note(f"{title}: descriptors, KB, processes: {first} then {last}")
        lab.point(last[0] <= first[0] * 1.3 + 40, f"{title}: descriptors do not grow", self.seen[-9:])
        lab.point(last[1] <= first[1] * 1.5 + 20000, f"{title}: memory does not grow", self.seen[-9:])
        lab.point(last[2] <= first[2] + 1, f"{title}: processes do not pile up", self.seen[-9:])


def round_of(seconds):
    """Loads of every kind; returns them."""
    return [px.Load(8080, connections=random.randrange(1, 40), seconds=seconds, seeds=20,
                    sizes="1,1000,30000"),
            px.Load(8080, "close", connections=random.randrange(1, 30), seconds=seconds, seeds=20,
                    sizes="1,1000,30000"),
            px.Load(8081, "close", connections=random.randrange(1, 10), seconds=seconds, seeds=20,
                    sizes="1,1000,30000"),
            px.Load(8080, "hold", connections=random.randrange(100, 900), seconds=20, seeds=20,
                    sizes="1,1000")]


def soak(title, p, seconds, change, may_fail):
    """change(p, turn) while it is under load.  may_fail: a worker is killed: what it had is lost."""
    watch, end, turn = Watch(p), time.monotonic() + seconds, 0
    done = failed = 0
    why = []
    while time.monotonic() < end:
        loads = round_of(2)
        for _ in range(4):
            time.sleep(random.uniform(0.2, 0.6))
            change(p, turn)
            turn += 1
        for r in (x.end() for x in loads):
            done += r["done"]
            failed += r["failed"]
            why += [r["why"]] if r["failed"] else []
        time.sleep(1.5 if len(watch.seen) % 5 else 4)
        watch.look()
    lab.note(f"{title}: {done} requests, {failed} failed, {turn} changes")
    lab.point(done > 100 and (failed == 0 or (may_fail and failed < turn * 1000)), title, why[:5])
    watch.point(title)
    r = px.load_point(f"{title}: and serves as before", px.Load(8080, "close", seeds=20,
                                                                sizes="1,1000,30000"), retried=0)
    return r


def reload_haproxy(p, turn):
    p.kill(signal.SIGUSR2)


def change_nginx(p, turn):
    """HUP, or a worker is killed, or stopped for a while."""
    workers = px.children(p.pid)
    what = turn % 3
    if what == 0:
        p.kill(signal.SIGHUP)
    elif workers and what == 1:
        kill(random.choice(workers), signal.SIGKILL)
    elif workers:
        one = random.choice(workers)
        kill(one, signal.SIGSTOP)
        time.sleep(0.3)
        kill(one, signal.SIGCONT)


def kill(pid, number):
    try:
        os.kill(pid, number)
    except OSError:
        pass


px.www([1, 1000, 30000], 20)
up = px.origin(7001)
p = px.Session("haproxy", "-W", "-f", px.file("haproxy.cfg", HAPROXY), slots=4).ready(8080)
soak("haproxy, reloads", p, SECONDS / 2, reload_haproxy, False)
lab.point(p.stop() in (0, 143), "it ends", p.said())
p = px.Session(shutil.which("nginx"), "-e", f"{px.folder()}/nginx.err", "-c",
               px.file("nginx.conf", NGINX), slots=4).ready(8080)
soak("nginx, reloads, kill -9 and SIGSTOP of workers", p, SECONDS / 2, change_nginx, True)
lab.point(p.stop() in (0, 143), "it ends", p.said())
lab.done()
