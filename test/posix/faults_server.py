"""Servers for faults.py, run under `millrace run`: faults_server.py MODE ARGUMENTS."""
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

ADDRESS = "10.9.0.2"


def listener(port, backlog=512):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((ADDRESS, port))
    s.listen(backlog)
    return s


def echo_for_ever(conn):
    while True:
        try:
            data = conn.recv(65536)
            if not data:
                break
            conn.sendall(data)
        except OSError:
            break
    conn.close()


def epoll_echo(s):
    """An echo server by epoll: listener s and all that it accepts."""
    s.setblocking(False)
    ep = select.epoll()
    ep.register(s, select.EPOLLIN)
    conns = {}
    while True:
        for fd, ev in ep.poll():
            if fd == s.fileno():
                try:
                    c, _ = s.accept()
                except BlockingIOError:
                    continue
                except OSError as e:
                    print("accept", e.errno, flush=True)
                    time.sleep(0.05)
                    continue
                c.setblocking(False)
                conns[c.fileno()] = c
                ep.register(c, select.EPOLLIN)
                continue
            c = conns[fd]
            try:
                data = c.recv(65536)
                if data:
                    c.send(data)
                    continue
            except OSError:
                pass
            ep.unregister(fd)
            conns.pop(fd).close()


def prefork(port, workers):
    """Workers that accept on one listener; their pids are told.  Who dies stays dead."""
    s = listener(port)
    pids = []
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            epoll_echo(s)
        pids.append(pid)
    s.close()
    print("workers", *pids, flush=True)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            time.sleep(60)


def few(port, limit):
    """As many descriptors as `limit`."""
    s = listener(port)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    print("ready", flush=True)
    epoll_echo(s)


def threads(port, n):
    """A thread and an epoll set each, all on one listener."""
    import threading
    s = listener(port)
    for _ in range(n):
        threading.Thread(target=epoll_echo, args=(s,), daemon=True).start()
    print("ready", flush=True)
    time.sleep(600)


def idle(port, n):
    """Accepts n connections, says so, and sleeps in epoll."""
    s = listener(port)
    ep = select.epoll()
    conns = []
    print("ready", flush=True)
    for _ in range(n):
        c, _ = s.accept()
        ep.register(c, select.EPOLLIN)
        conns.append(c)
    print("sleeps", flush=True)
    ep.poll()
    time.sleep(600)


def busy(port, seconds):
    """Sends a megabyte, then computes without a call on any socket."""
    s = listener(port)
    print("ready", flush=True)
    c, _ = s.accept()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    c.recv(1)
    time.sleep(0.1)
    c.setblocking(False)
    sent = c.send(bytes(200000))
    end = time.monotonic() + seconds
    print("computes", sent, flush=True)
    n = 0
    while time.monotonic() < end:
        n += 1
    print("computed", flush=True)
    c.setblocking(True)
    got = 0
    while True:
        data = c.recv(1 << 20)
        if not data:
            break
        got += len(data)
    print("received", got, flush=True)


def source(port):
    """Sends for ever what is asked for: 8 bytes that say how much."""
    s = listener(port)
    print("ready", flush=True)
    while True:
        c, _ = s.accept()
        n, = struct.unpack("<Q", c.recv(8, socket.MSG_WAITALL))
        c.sendall(bytes(n))
        c.close()


def lonely(port, ms):
    """Sends to a peer that is gone, with a user time-out; tells how it ended."""
    s = listener(port)
    print("ready", flush=True)
    c, _ = s.accept()
    c.setsockopt(socket.IPPROTO_TCP, 18, ms)  # TCP_USER_TIMEOUT
    c.recv(1)
    time.sleep(0.2)
    began = time.monotonic()
    c.send(b"x" * 1000)
    try:
        c.recv(1)
        how = "end"
    except OSError as e:
        how = e.errno
    print("ended", how, f"{time.monotonic() - began:.2f}", flush=True)


def churn(port, n):
    """Opens and closes n connections; tells descriptors and memory now and then."""
    def state():
        with open("/proc/self/statm") as f:
            pages = int(f.read().split()[1])
        return len(os.listdir("/proc/self/fd")), pages
    early = 0
    for i in range(n + 1):
        if i in (n // 10, n):
            time.sleep(0.1)
            print("state", *state(), flush=True)
        c = socket.socket()
        if i % 2:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            c.connect(("10.9.0.1", port))
        except ConnectionResetError:
            # The peer resets what it has accepted.  If that comes before this process was given
            # the processor again connect says so, as Linux's does.
            early += 1
        c.close()
    print("done", early, flush=True)
    time.sleep(600)


def flood(port, host):
    """A client: has all echoed that it can send."""
    c = socket.create_connection((host, port))
    data = bytes(20000)
    while True:
        c.sendall(data)
        c.recv(len(data), socket.MSG_WAITALL)


signal.signal(signal.SIGPIPE, signal.SIG_IGN)
mode, *args = sys.argv[1:]
{"prefork": prefork, "few": few, "threads": threads, "idle": idle, "busy": busy, "source": source,
 "lonely": lonely, "churn": churn,
 "flood": flood}[mode](*(int(x) if x.isdigit() else x for x in args))
