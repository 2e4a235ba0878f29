#!/usr/bin/python3
"""Unmodified programs for long: opened, closed, reloaded, stopped and killed without pause; nothing
grows.  LAB_SOAK_SECONDS: how long, 60 unless told otherwise.

Now and then everything comes to rest, and what there is is counted: descriptors and memory of the
programs, of the janitor, of the session itself (files, watches, epoll sets, listeners, packets).  What
there is at the end is compared with what there was after a warm-up."""
import os
import random
import shutil
import signal
import time

import lab
import px_lab as px

px.enter("haproxy", "nginx", "curl")
SECONDS = float(os.environ.get("LAB_SOAK_SECONDS", "60"))
WARM = 0.25  # of a part
SIZES = "1,1000,30000"
SEEDS = 20
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
worker_processes 2;
pid {px.folder()}/nginx.pid;
error_log {px.folder()}/nginx.err error;
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


# ---- what there is --------------------------------------------------------------------------

QUIET = 100  # connections that a program at rest may keep for its next request
# By how much it may be more at the end than after the warm-up: a part of it, and so many.  What
# connections that are kept have is not counted; the session's memory has what the most crowded
# moment needed (64 bytes for each of 8,000 in TIME-WAIT, buffers), which comes when it comes.
MAY_GROW = {
    "processes": (0, 0), "descriptors": (0, 12), "KB": (0.15, 3000),
    "janitor's descriptors": (0, 2), "janitor's KB": (0.1, 500),
    "session's KB": (0.5, 30000), "files": (0, 12), "watches": (0, 12), "epoll sets": (0, 0),
    "listeners": (0, 0), "waiters": (0, 1), "connections": (0, QUIET),
    "messages": (0, 0), "unnamed files": (0, 0), "pool connections": (0, QUIET),
    "pool connections in TIME-WAIT": (0, 1 << 20), "pool tcp flows away from home": (0, 1 << 20),
}


class Watch:
    """What the processes of a session hold, and the session itself."""

    def __init__(self, p):
        self.p, self.seen = p, []
        time.sleep(1)  # who goes into the background, or makes workers, has done so
        self.base = len(self.processes())

    def processes(self):
        """Those in the program's namespace that live."""
        at = self.p.at()
        there = os.readlink(f"/proc/{at}/ns/net") if at else None
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/ns/net") == there:
                    found.append(int(pid))
            except OSError:
                pass
        return [x for x in found if px.read(f"/proc/{x}/comm").strip() not in ("sleep", "")]

    def session(self):
        return lab.ask(self.p, "session") if px.ON_MILLRACE else None

    def is_at_rest(self):
        try:
            s = self.session()
        except OSError:
            return False  # its janitor has just been killed
        return len(self.processes()) == self.base and \
            (not s or (s["connections"] <= QUIET and not s["unnamed"]))

    def look(self):
        """Comes to rest first."""
        self.rested = lab.wait_for(self.is_at_rest, 20, 0.2)
        s, pids = self.session(), self.processes()
        kept = s["connections"] if s else 0
        mine = [x for x in pids if px.read(f"/proc/{x}/comm").startswith("mr-")]
        rest = [x for x in pids if x not in mine]
        self.seen.append({
            "processes": len(pids),
            "descriptors": sum(map(px.fds, rest)) - kept, "KB": sum(map(px.rss_kb, rest)),
            "janitor's descriptors": sum(map(px.fds, mine)),
            "janitor's KB": sum(map(px.rss_kb, mine)),
        })
        if s:
            self.seen[-1].update({
                "session's KB": s["memory"] // 1024, "files": s["files"]["used"] - kept,
                "watches": s["watches"]["used"] - kept, "epoll sets": s["epoll_sets"]["used"],
                "listeners": s["listeners"], "waiters": s["waiters"],
                "messages": s["messages"], "connections": s["connections"],
                "unnamed files": s["unnamed"], **self.pools()})
        return self.seen[-1]

    def pools(self):
        """Of the stacks: what waits for time (2 MSL) comes and goes."""
        status = lab.ask(self.p)
        return {f"pool {x['name']}": x["used"] - x.get("posted", 0) for x in status["pools"]}

    def point(self, title):
        last = self.look()
        first = self.seen[min(max(1, int(len(self.seen) * WARM)), len(self.seen) - 1)]
        more = {}
        for name, now in last.items():
            part, some = MAY_GROW.get(name, (0.1, 200))
            if now > first[name] * (1 + part) + some:
                more[name] = [x[name] for x in self.seen]
        for name in last:
            lab.note(f"{title}: {name}: {first[name]} then {last[name]}")
        lab.point(self.rested, f"{title}: comes to rest", last)
        lab.point(not more, f"{title}: nothing grows", more)


# ---- load -----------------------------------------------------------------------------------

def loads():
    """Of every kind."""
    n = random.randrange
    make = lambda port, *how, least, most: px.Load(port, *how, connections=n(least, most),
                                                   seconds=2, seeds=SEEDS, sizes=SIZES)
    return [make(8080, least=1, most=40), make(8080, "close", least=1, most=30),
            make(8081, "close", least=1, most=10), make(8081, least=1, most=10),
            make(8080, "hold", least=100, most=900)]


class Sum:
    def __init__(self):
        self.done = self.failed = self.late = self.wrong = self.retried = self.longest = 0
        self.why = []

    def add(self, r):
        for name in ("done", "failed", "late", "wrong", "retried"):
            setattr(self, name, getattr(self, name) + r[name])
        self.longest = max(self.longest, r.get("longest_us", 0))
        self.why += [r["why"]] if r["failed"] else []

    def __str__(self):
        return f"{self.done} requests, {self.failed} failed ({self.late} late, {self.wrong} wrong), " \
               f"{self.retried} sent again, longest {self.longest // 1000} ms"


def soak(title, p, seconds, change):
    """change(p, turn), while it is under load, says what it did; after "kill" those that were there
    may fail, but are told, and soon."""
    watch, end, turn, kills = Watch(p), time.monotonic() + seconds, 0, 0
    rest_us = max(8.0, seconds / 15)
    all, rested = Sum(), time.monotonic()
    while time.monotonic() < end:
        now = loads()
        for _ in range(4):
            time.sleep(random.uniform(0.2, 0.6))
            kills += change(p, turn) == "kill"
            turn += 1
        for x in now:
            all.add(x.end())
        if time.monotonic() - rested > rest_us or not watch.seen:
            watch.look()
            rested = time.monotonic()
    lab.note(f"{title}: {all}; {turn} changes, {kills} of them kill -9")
    lab.point(all.done > 100 and all.late == 0 and all.wrong == 0 and all.failed <= kills * 500, title,
              all.why[:9])
    watch.point(title)
    px.load_point(f"{title}: and serves as before", px.Load(8080, "close", seeds=SEEDS, sizes=SIZES),
                  retried=0, least=50)


def kill(pid, number):
    try:
        os.kill(pid, number)
    except OSError:
        pass


def stop_for_a_while(pid):
    kill(pid, signal.SIGSTOP)
    time.sleep(random.uniform(0.05, 0.4))
    kill(pid, signal.SIGCONT)


def change_haproxy(p, turn):
    """A reload, or a worker is stopped for a while."""
    workers = px.children(p.pid)
    if turn % 4 == 3 and workers:
        stop_for_a_while(random.choice(workers))
    else:
        p.kill(signal.SIGUSR2)


def change_nginx(p, turn):
    """HUP, or a worker is killed, or the janitor, or one is stopped for a while, or another master is
    made by exec."""
    workers = px.children(p.at() or p.pid)
    what = turn % 9
    if what == 7:
        upgrade(p)
    elif what == 8 and px.ON_MILLRACE:
        return kill_janitor(p)
    elif what in (0, 3):
        p.kill(signal.SIGHUP)
    elif workers and what in (1, 4, 6):
        kill(random.choice(workers), signal.SIGKILL)
        return "kill"
    elif workers:
        stop_for_a_while(random.choice(workers))
    return None


def kill_janitor(p):
    """Or its guard.  If it is inside an instance, what lives there is lost as with a worker."""
    try:
        kill(lab.ask(p, "session")[random.choice(("janitor", "guard"))], signal.SIGKILL)
    except OSError:
        return None  # it has just been killed
    return "kill"


def upgrade(p):
    old = p.at()
    p.kill(signal.SIGUSR2)
    if not lab.wait_for(lambda: p.at() not in (None, old), 5):
        lab.point(False, "nginx: USR2 makes a new master", px.read(f"{px.folder()}/nginx.err")[-900:])
    elif old:
        time.sleep(0.2)
        kill(old, signal.SIGQUIT)


# ---- programs that come and go ---------------------------------------------------------------

class Clients:
    """Short-lived programs of one session: each is forked, exec'd, connects, ends; some are killed."""

    def __init__(self):
        self.p = px.Shell(slots=4)
        self.done, self.bad, self.lost, self.killed = 0, [], [], 0

    def some(self):
        size = random.choice((1, 1000, 30000))
        get = f"curl -sS --fail-early -m 20 http://{px.KERNEL}:7001/o/{size}/[0-9]"
        begun = []
        for k in range(random.randrange(2, 10)):
            if random.random() < 0.3:  # ended in the midst
                self.killed += 1
                begun.append((None, self.p.begin(f"timeout -s KILL 0.0{random.randrange(3, 9)} {get}")))
            else:
                begun.append((size, self.p.begin(get)))
        for size, at in begun:
            r = self.p.end(at, 30)
            if size is None:
                continue
            self.done += 10
            want = b"".join(px.content(size, k) for k in range(10))
            with open(at + ".out", "rb") as f:
                got = f.read()
            if r.returncode:
                self.lost.append(f"exit {r.returncode}: {r.stderr[-200:]}")
            elif got != want:
                self.bad.append(f"{len(got)} bytes of {len(want)}")
        for _, at in begun:
            for end in ("out", "err", "rc"):
                os.unlink(f"{at}.{end}")


def soak_clients(title, seconds):
    c = Clients()
    watch, end = Watch(c.p), time.monotonic() + seconds
    rested = time.monotonic()
    while time.monotonic() < end:
        c.some()
        if time.monotonic() - rested > max(5.0, seconds / 15) or not watch.seen:
            watch.look()
            rested = time.monotonic()
    lab.note(f"{title}: {c.done} requests, {len(c.bad) + len(c.lost)} programs failed; {c.killed} were "
             f"killed: {c.lost[:5]}")
    # Who is killed inside an instance that others share takes their connections with it.
    lab.point(c.done > 50 and not c.bad and len(c.lost) <= c.killed / 10, title, c.bad[:5] + c.lost[:5])
    watch.point(title)
    c.p.stop()


px.www([1, 1000, 30000], SEEDS)
up = px.origin(7001)
p = px.Session("haproxy", "-W", "-f", px.file("haproxy.cfg", HAPROXY), slots=4).ready(8080)
soak("haproxy, reloads", p, SECONDS * 0.4, change_haproxy)
lab.point(p.stop() in (0, 143), "it ends", p.said())
p = px.Session(shutil.which("nginx"), "-e", f"{px.folder()}/nginx.err", "-c",
               px.file("nginx.conf", NGINX), slots=4, daemon=f"{px.folder()}/nginx.pid").ready(8080)
soak("nginx, reloads, exec, kill -9 and SIGSTOP", p, SECONDS * 0.45, change_nginx)
p.kill(signal.SIGTERM)
lab.point(lab.wait_for(lambda: not p.at(), 12), "it ends", p.said())
p.stop()
lab.point("[alert]" not in "".join(x for x in px.read(f"{px.folder()}/nginx.err").splitlines()
                                   if "signal 9" not in x), "nginx's log has no alert",
          px.read(f"{px.folder()}/nginx.err")[-1500:])
soak_clients("programs that come and go", SECONDS * 0.15)
lab.done()
