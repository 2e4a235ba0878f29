#!/usr/bin/python3
"""Debian's redis (BGSAVE and io-threads under load) and memcached with two threads."""
import os
import random
import signal
import socket
import threading
import time

import lab
import px_lab as px

px.enter("redis-server", "redis-benchmark", "memcached")


class Line:
    """A connection that speaks RESP, or memcached's text."""

    def __init__(self, port):
        self.s = socket.create_connection((px.OURS, port), timeout=15)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.f = self.s.makefile("rb")

    def send(self, data):
        self.s.sendall(data)

    def redis(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.send(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.reply()

    def reply(self):
        head = self.f.readline()
        if head[:1] == b"$":
            n = int(head[1:])
            return None if n < 0 else self.f.read(n + 2)[:-2]
        return head.strip()

    def put(self, key, value):
        self.send(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
        return self.f.readline() == b"STORED\r\n"

    def get(self, key):
        self.send(b"get %s\r\n" % key)
        head = self.f.readline().split()
        value = self.f.read(int(head[3]) + 2)[:-2] if head[:1] == [b"VALUE"] else None
        if value is not None:
            self.f.readline()
        return value


def value_of(n, turn):
    size = (n * 7919 + turn * 101) % 60000 if n % 8 == 0 else (n * 37 + turn) % 900
    return px.content(size, n * 31 + turn)


def store(port, kind, seconds, which, wrong, done):
    """Write and read back, other keys in each thread; every byte is compared."""
    try:
        line, turn = Line(port), 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            n = random.randrange(200)
            key, value = b"k:%d:%d" % (which, n), value_of(n, turn)
            turn += 1
            if kind == "redis":
                good = line.redis("SET", key, value) == b"+OK" and line.redis("GET", key) == value
            else:
                good = line.put(key, value) and line.get(key) == value
            done.append(1)
            if not good:
                wrong.append(f"{key} of {len(value)} bytes is another")
    except (OSError, ValueError, IndexError) as e:
        wrong.append(f"{type(e).__name__}: {e}")


def load(name, port, kind, seconds=None, meanwhile=None):
    wrong, done = [], []
    seconds = px.SECONDS if seconds is None else seconds
    ts = [threading.Thread(target=store, args=(port, kind, seconds, i, wrong, done))
          for i in range(8)]
    for t in ts:
        t.start()
    if meanwhile:
        meanwhile()
    for t in ts:
        t.join(30)
    lab.note(f"{name}: {len(done)} written and read back")
    lab.point(not wrong and len(done) > 50, name, wrong[:5])


def benchmark(title, tests, n):
    r = lab.run("redis-benchmark", "-h", px.OURS, "-p", "6379", "-t", tests, "-n", str(n), "-c", "30",
                "-q", "-P", "4", check=False, timeout=60)
    lab.point(r.returncode == 0 and r.stdout.count("requests per second") == len(tests.split(",")),
              f"{title}: redis-benchmark {tests}", r.stdout[-500:] + r.stderr)


def redis(title, *args):
    p = px.Session("redis-server", "--bind", px.OURS, "--port", "6379", "--protected-mode", "no",
                   "--save", "", "--dir", px.folder(), "--dbfilename", "dump.rdb", *args).ready(6379)
    line = Line(6379)
    load(f"{title}: what is written is read back", 6379, "redis")

    def save():
        time.sleep(0.2)
        line.redis("BGSAVE")

    load(f"{title}: and while it saves", 6379, "redis", meanwhile=save)
    done = lambda: b"rdb_bgsave_in_progress:0" in line.redis("INFO", "persistence")
    lab.point(lab.wait_for(done, 20, 0.1) and
              b"rdb_last_bgsave_status:ok" in line.redis("INFO", "persistence"),
              f"{title}: BGSAVE's child ends well", p.said())
    n = 20000 if px.SECONDS < 2 else 400000
    benchmark(title, "set,get", n)
    big = px.content(5 << 20, 3)
    lab.point(line.redis("SET", "big", big) == b"+OK" and line.redis("GET", "big") == big,
              f"{title}: a value of 5 MB")
    many = [Line(6379) for _ in range(300)]
    bad = [i for i, x in enumerate(many) if x.redis("ECHO", f"word {i}") != b"word %d" % i]
    lab.point(not bad, f"{title}: 300 connections", bad)
    for x in many:
        x.s.close()
    lab.point(p.stop() == 0, f"{title}: SIGTERM ends it in order", p.said())


redis("redis")
redis("redis, io-threads 4", "--io-threads", "4", "--io-threads-do-reads", "yes")

p = px.Session("memcached", "-l", px.OURS, "-p", "11211", "-U", "0", "-t", "2", "-u", "root", "-m",
               "256", slots=3).ready(11211)
load("memcached -t 2: what is written is read back", 11211, "memcached")
many = [Line(11211) for _ in range(300)]
bad = [i for i, x in enumerate(many) if not x.put(b"m%d" % i, b"%d" % i)]
bad += [i for i, x in enumerate(reversed(many)) if x.get(b"m%d" % i) != b"%d" % i]
lab.point(not bad, "memcached: 300 connections", bad)
for x in many:
    x.s.close()
big = px.content(900000, 5)
x = Line(11211)
lab.point(x.put(b"big", big) and x.get(b"big") == big, "memcached: a value of 900,000 bytes")
lab.point(p.stop() in (0, -15, 143), "SIGTERM ends it", p.said())
lab.done()
