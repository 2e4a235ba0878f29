#!/usr/bin/python3
"""HTTP end to end: wrk on core 1 against millrace-httpd over a TAP and nginx over a veth, on core 0.

Each server has a network namespace of its own making; nothing outside them is touched but one knob,
guest_halt_poll_ns, which decides how dearly the kernel pays for waking up and is put back
afterwards.  The two servers take turns, so that a noisy moment of the machine hits both.

The CPU figures: what the server's process used for a request, in its own code and in system calls,
and what both cores used together, which also counts the client and the packet work that the
kernel did on anybody's account.
"""

import glob
import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HALT_POLL = "/sys/module/haltpoll/parameters/guest_halt_poll_ns"
HALT_POLL_NS = "200000"
ALLOWED = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
SERVER_CORE, CLIENT_CORE = 0, 1
CONNECTIONS = 64
FILE_BYTES = 1024
READY_S = 8
JSON_TAIL = "\n]\n"

NGINX_CONF = """
daemon off;
user root;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 8192; use epoll; multi_accept on; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    open_file_cache max=100 inactive=600s;
    open_file_cache_valid 600s;
    client_body_temp_path {dir};
    proxy_temp_path {dir};
    fastcgi_temp_path {dir};
    uwsgi_temp_path {dir};
    scgi_temp_path {dir};
    server {{ listen {addr}:80 backlog=4096; root {dir}/root; }}
}}
"""


class Unavailable(Exception):
    """A server or a tool that cannot run here; the text says why."""


def sh(*args, check=True):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and done.returncode != 0:
        raise Unavailable(f"'{' '.join(args)}' said: {done.stdout.strip()}")
    return done.stdout


def read(path, fallback=""):
    try:
        with open(path) as f:
            return f.read().strip()
    except OSError:
        return fallback


def write(path, text):
    try:
        with open(path, "w") as f:
            f.write(text)
        return True
    except OSError:
        return False


class Netns:
    """A namespace by name, with cubic and many ports; gone with everything in it at close()."""

    made = []

    def __init__(self, name):
        self.name = name
        sh("ip", "netns", "add", name)
        Netns.made.append(self)
        self.run("ip", "link", "set", "lo", "up")
        for key in ("all", "default"):
            self.sysctl(f"net.ipv6.conf.{key}.disable_ipv6", "1", check=False)
        self.sysctl("net.ipv4.ip_local_port_range", "1024 65535")
        self.sysctl("net.core.somaxconn", "4096")
        allowed = read(ALLOWED)
        write(ALLOWED, "reno bbr cubic")
        try:
            self.sysctl("net.ipv4.tcp_congestion_control", "cubic", check=False)
        finally:
            write(ALLOWED, allowed)

    def command(self, *args):
        return ["ip", "netns", "exec", self.name, *args]

    def run(self, *args, check=True):
        return sh(*self.command(*args), check=check)

    def sysctl(self, key, value, check=True):
        self.run("sysctl", "-q", "-w", f"{key}={value}", check=check)

    def congestion_control(self):
        return self.run("sysctl", "-n", "net.ipv4.tcp_congestion_control").strip()

    def close(self):
        if self in Netns.made:
            Netns.made.remove(self)
            sh("ip", "netns", "del", self.name, check=False)


class Server:
    """A server process on its core, and the namespace its client runs in."""

    def __init__(self, peer, namespaces, addr):
        self.peer, self.namespaces, self.addr = peer, namespaces, addr
        self.process = None
        self.client = namespaces[0]

    def start(self, netns, *args):
        args = ["taskset", "-c", str(SERVER_CORE), *args]
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(netns.command(*args), stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace").strip().replace("\n", "; ")[-300:]

    def wait_ready(self, expected):
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Unavailable(f"{self.peer} ended: {self.said()}")
            got = subprocess.run(self.client.command("curl", "-s", "-m", "2", self.url()),
                                 stdout=subprocess.PIPE).stdout
            if got == expected:
                return
            time.sleep(0.1)
        raise Unavailable(f"{self.peer} did not serve the file within {READY_S} s: {self.said()}")

    def url(self):
        return f"http://{self.addr}/file.bin"

    def pids(self):
        """The process and its children: for nginx, the worker that does the work."""
        pid = self.process.pid
        children = read(f"/proc/{pid}/task/{pid}/children").split()
        return [pid, *map(int, children)]

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for netns in self.namespaces:
            netns.close()


def device_wait(netns, device, server):
    deadline = time.monotonic() + READY_S
    while device not in netns.run("ip", "-o", "link", check=False):
        if server.process.poll() is not None:
            raise Unavailable(f"{server.peer} ended: {server.said()}")
        if time.monotonic() > deadline:
            raise Unavailable(f"{server.peer} made no device {device}: {server.said()}")
        time.sleep(0.05)


def millrace_start(httpd, work, tag):
    """One namespace: the TAP's kernel end is wrk's, its other end is the server's."""
    if not os.access(httpd, os.X_OK):
        raise Unavailable("millrace-httpd is not built")
    netns = Netns(f"mrb-m-{tag}")
    server = Server("millrace", [netns], "10.9.0.2")
    try:
        device = "mrb0"
        server.start(netns, httpd, "--net", f"tap:{device}", "--addr", "10.9.0.2/24",
                     "--port", "80", "--root", f"{work}/root")
        device_wait(netns, device, server)
        netns.run("ip", "addr", "replace", "10.9.0.1/24", "dev", device)
        netns.run("ip", "link", "set", device, "up")
    except BaseException:
        server.close()
        raise
    return server


def nginx_start(work, tag):
    """Two namespaces and a veth between them."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        raise Unavailable("nginx is not installed")
    client, inside = Netns(f"mrb-c-{tag}"), Netns(f"mrb-s-{tag}")
    server = Server("nginx", [client, inside], "10.9.1.2")
    try:
        client.run("ip", "link", "add", "mrb0", "type", "veth", "peer", "name", "mrb1",
                   "netns", inside.name)
        client.run("ip", "addr", "add", "10.9.1.1/24", "dev", "mrb0")
        inside.run("ip", "addr", "add", "10.9.1.2/24", "dev", "mrb1")
        client.run("ip", "link", "set", "mrb0", "up")
        inside.run("ip", "link", "set", "mrb1", "up")
        conf = f"{work}/nginx.conf"
        write(conf, NGINX_CONF.format(dir=work, addr=server.addr))
        server.start(inside, nginx, "-e", "stderr", "-c", conf)
    except BaseException:
        server.close()
        raise
    return server


def process_cpu_us(pids):
    """User and system time.  The scheduler's exact sum over the threads, split as the clock ticks
    saw it."""
    user = system = 0.0
    for pid in pids:
        fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        threads = glob.glob(f"/proc/{pid}/task/*/schedstat")
        exact = [int(t.split()[0]) for t in map(read, threads) if t.split()]
        if len(fields) < 13 or not exact:
            continue
        ticks_user, ticks_system = int(fields[11]), int(fields[12])
        total_us = sum(exact) / 1000
        ticks = max(1, ticks_user + ticks_system)
        user += total_us * ticks_user / ticks
        system += total_us * ticks_system / ticks
    return user, system


def cores_cpu_us():
    """What all cores did: user, nice, system, irq, softirq; not idle, iowait, steal."""
    fields = [int(x) for x in read("/proc/stat").splitlines()[0].split()[1:]]
    return sum(fields[i] for i in (0, 1, 2, 5, 6)) * 1e6 / os.sysconf("SC_CLK_TCK")


def load_once(server, closing, seconds):
    args = ["taskset", "-c", str(CLIENT_CORE), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
    if closing:
        args += ["-H", "Connection: close"]
    pids = server.pids()
    user, system = process_cpu_us(pids)
    cores = cores_cpu_us()
    try:
        out = subprocess.run(server.client.command(*args, server.url()), text=True,
                             stdout=subprocess.PIPE, timeout=seconds + 30).stdout
    except subprocess.TimeoutExpired:
        raise Unavailable("wrk did not end")
    cores = cores_cpu_us() - cores
    user_end, system_end = process_cpu_us(pids)
    found = re.search(r"(\d+) requests in ([\d.]+)(s|m),", out)
    if not found or int(found[1]) == 0:
        raise Unavailable(f"wrk counted no request: {out.strip()[-200:]}")
    requests = int(found[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    errors = [line.strip() for line in out.splitlines() if "errors" in line or "Non-2xx" in line]
    return {
        ("rate", "request/s"): rate,
        ("cpu_user", "us/request"): (user_end - user) / requests,
        ("cpu_system", "us/request"): (system_end - system) / requests,
        ("cpu_all_cores", "us/request"): cores / requests,
    }, errors


class Report:
    def __init__(self, args):
        self.args = args

    def record(self, bench, peer, metric, unit, value):
        print(f"{bench:<18} {peer:<9} {metric:<14} {value:12.6g} {unit}")
        if self.args.json is None:
            return
        entry = json.dumps({"bench": bench, "peer": peer, "metric": metric, "unit": unit,
                            "value": float(f"{value:.6g}")})
        old = read(self.args.json)
        body = old[:-1].rstrip() if old.endswith("]") else ""
        head = "[" if body in ("", "[") else body + ","
        write(self.args.json, head + "\n" + entry + JSON_TAIL)

    def note(self, peer, key, text):
        print(f"# {peer}: {text}" if key == "#" else f"{key:<18} {peer:<9} n/a, because {text}")
        if self.args.notes is not None:
            with open(self.args.notes, "a") as f:
                f.write(f"{peer}\t{key}\t{text}\n")


def measure(servers, benches, args, report):
    for bench in benches:
        closing = bench == "http/close"
        results = {server.peer: [] for server in servers}
        for turn in range(args.reps + 1):
            for server in servers:
                if server.peer not in results:
                    continue
                try:
                    figures, errors = load_once(server, closing, args.seconds if turn else 1)
                except Unavailable as e:
                    report.note(server.peer, bench, str(e))
                    del results[server.peer]
                    continue
                if turn == 0:  # to warm up
                    continue
                results[server.peer].append(figures)
                for error in errors:
                    report.note(server.peer, "#", f"{bench}: wrk: {error}")
        for peer, runs in results.items():
            for metric, unit in (runs[0] if runs else ()):
                value = statistics.median(run[metric, unit] for run in runs)
                report.record(bench, peer, metric, unit, value)
        print("# load", read("/proc/loadavg"))


def servers_start(args, work, tag, content, report):
    servers = []
    httpd = os.path.join(args.build, "src/tools/millrace-httpd")
    for peer, start in (("millrace", lambda: millrace_start(httpd, work, tag)),
                        ("nginx", lambda: nginx_start(work, tag))):
        server = None
        try:
            server = start()
            server.wait_ready(content)
            servers.append(server)
        except Unavailable as e:
            if server is not None:
                server.close()
            for bench in args.benches:
                report.note(peer, bench, str(e))
        except BaseException:
            if server is not None:
                server.close()
            for other in servers:
                other.close()
            raise
    return servers


@contextlib.contextmanager
def workplace(prefix, folder=None):
    """A folder for a run's files, and the guest's halt polling the same for all; puts back what it
    changed, and takes away the namespaces that were made.  Gives the folder and the old setting."""
    work = tempfile.mkdtemp(prefix=prefix, dir=folder)
    halt_poll = read(HALT_POLL)
    try:
        os.chmod(work, 0o755)
        os.mkdir(f"{work}/root")
        if halt_poll != "":
            write(HALT_POLL, HALT_POLL_NS)
        yield work, halt_poll
    finally:
        for netns in list(Netns.made):
            netns.close()
        if halt_poll != "":
            write(HALT_POLL, halt_poll)
        shutil.rmtree(work, ignore_errors=True)


def run(args, report):
    with workplace("mrb-") as (work, halt_poll):
        serve_and_measure(args, report, work, halt_poll)


def serve_and_measure(args, report, work, halt_poll):
    servers = []
    try:
        content = (b"0123456789abcdef" * (FILE_BYTES // 16))[:FILE_BYTES]
        with open(f"{work}/root/file.bin", "wb") as f:
            f.write(content)
        servers = servers_start(args, work, str(os.getpid()), content, report)
        for server in servers:
            report.note(server.peer, "#", f"http: one process on core {SERVER_CORE}, wrk -t1 "
                        f"-c{CONNECTIONS} on core {CLIENT_CORE}, a file of {FILE_BYTES} bytes, "
                        f"{server.client.congestion_control()}, guest_halt_poll_ns "
                        f"{read(HALT_POLL, 'absent')} ({halt_poll or 'absent'} before)")
        measure(servers, args.benches, args, report)
    finally:
        for server in servers:
            server.close()


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(here, "../../build"))
    parser.add_argument("--json")
    parser.add_argument("--notes")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("benches", nargs="*", metavar="BENCH")
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    known = ["http/keepalive", "http/close"]
    args.benches = [b for b in known if not args.benches or b in args.benches]
    report = Report(args)

    # A signal unwinds the stack, so that everything is put back.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    missing = [t for t in ("ip", "wrk", "curl", "taskset", "sysctl") if shutil.which(t) is None]
    reason = ("it needs root for its namespaces" if os.geteuid() != 0 else
              f"{', '.join(missing)} missing" if missing else None)
    if reason:
        for peer in ("millrace", "nginx"):
            for bench in args.benches:
                report.note(peer, bench, reason)
        return
    run(args, report)


if __name__ == "__main__":
    main()
