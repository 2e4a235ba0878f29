#!/usr/bin/python3
"""Unmodified programs on the kernel's stack and, the same files and command lines, on Millrace.

  proxy/keepalive/N   Debian's haproxy with N threads, HTTP, connections kept on both sides
  proxy/close/N       ... a connection for each request on both sides
  proxy/tcp/N         ... TCP mode, splice on
  proxy/tls/N         ... TLS towards the client, connections kept
  nginx/static        a file of 1 KB, by sendfile
  nginx/proxy         in front of the same origin, kept connections on both sides
  redis/get redis/set redis-benchmark with 50 connections

The peers:

  kernel   the program on the kernel's stack, over a veth; its client and origin, on the kernel's
           sockets, in another namespace
  tap      the program under `millrace run` over a TAP; its client and origin as above
  shm      the program under `millrace run` over a wire in shared memory; client and origin are one
           Millrace program at the other end of it

Client and origin are millrace-load (--origin) on the kernel's sockets or on our own, wrk for TLS and
redis-benchmark for redis, which run under `millrace run` on the wire.  Answers are compared with the
first one, or counted and their length checked.  One thread: the program has core 0 and the rest core
1; with two all share both.

What a request costs: cpu_user and cpu_system, the time of the program's processes and of the
session's janitor by the scheduler's clock, and cpu, their sum; cpu_all, what the machine did in that
time (user, system, irq, softirq) less client and origin: the kernel's work for packets is in it, on
whose account it may be, and so is whoever else is busy on the machine: hence the load average.  A run
that had an error gives no figure.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import bench_http as base
from bench_http import CLIENT_CORE, SERVER_CORE, Netns, Unavailable, read, write

PROXY = [f"proxy/{kind}/{n}" for kind in ("keepalive", "close", "tcp", "tls") for n in (1, 2)]
NGINX = ["nginx/static", "nginx/proxy"]
REDIS = ["redis/get", "redis/set"]
BENCHES = PROXY + NGINX + REDIS
PEERS = ["kernel", "tap", "shm"]
OURS, THEIRS, ORIGIN = "10.9.0.2", "10.9.0.1", 7001
FILE_BYTES = 1024
CONNECTIONS = 64

HAPROXY = """
global
    nbthread {threads}
    maxconn 4000
    maxpipes 200
    tune.idle-pool.shared off
    ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend keepalive
    bind {ours}:8080 shards by-thread
    default_backend kept
frontend close
    bind {ours}:8081 shards by-thread
    option httpclose
    default_backend closing
frontend tcp
    mode tcp
    bind {ours}:8082 shards by-thread
    default_backend streams
frontend tls
    bind {ours}:8443 ssl crt {crt} shards by-thread
    default_backend kept
backend kept
    http-reuse always
    server o {theirs}:{origin}
backend closing
    option httpclose
    server o {theirs}:{origin}
backend streams
    mode tcp
    option splice-auto
    server o {theirs}:{origin}
"""

NGINX_CONF = """
user root;
daemon off;
worker_processes 1;
pid {dir}/nginx.{turn}.pid;
error_log {dir}/nginx.err crit;
events {{ worker_connections 4096; multi_accept on; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=100 inactive=600s;
    open_file_cache_valid 600s;
    client_body_temp_path {dir}/t1;
    proxy_temp_path {dir}/t2;
    fastcgi_temp_path {dir}/t3;
    uwsgi_temp_path {dir}/t4;
    scgi_temp_path {dir}/t5;
    upstream origin {{ server {theirs}:{origin}; keepalive 128; keepalive_requests 1000000000; }}
    server {{ listen {ours}:8080 backlog=4096; root {dir}/root; }}
    server {{ listen {ours}:8081 backlog=4096;
              location / {{ proxy_pass http://origin; proxy_http_version 1.1;
                            proxy_set_header Connection ""; }} }}
}}
"""

WRK_LUA = """
done = function(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('RESULT {"requests": %d, "us": %d, "bytes": %d, "errors": %d, ' ..
        '"p50": %d, "p99": %d, "p99.9": %d}\\n', summary.requests, summary.duration,
        summary.bytes, e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
"""


def built(args, name):
    path = os.path.join(args.build, name)
    if not os.access(path, os.X_OK):
        raise Unavailable(f"{os.path.basename(name)} is not built")
    return path


def tool(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise Unavailable(f"{name} is not installed")
    return path


class Place:
    """A program on one of the stacks, and where its client runs, until the end of the block."""

    turn = 0

    def __init__(self, peer, command, threads, args, work):
        Place.turn += 1
        self.peer, self.command, self.threads, self.args = peer, command, threads, args
        self.wire = f"{work}/wire.{Place.turn}"
        self.tap = f"mrp{Place.turn}"
        self.inside = self.client = self.process = None
        self.log = tempfile.TemporaryFile()

    def millrace(self, dev, addr, slots):
        return [built(self.args, "src/tools/millrace"), "run", "--dev", dev, "--addr", f"{addr}/24",
                "--slots", str(slots), "--control", "none", *self.args.run, "--"]

    def on_cores(self, *command, server=False):
        """With one thread each side has its core."""
        if self.threads > 1:
            return list(command)
        return ["taskset", "-c", str(SERVER_CORE if server else CLIENT_CORE), *command]

    def __enter__(self):
        tag = f"{os.getpid()}-{Place.turn}"
        try:
            self.client, self.inside = Netns(f"mrp-c-{tag}"), Netns(f"mrp-s-{tag}")
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def start(self):
        before = []
        if self.peer == "kernel":
            self.client.run("ip", "link", "add", self.tap, "type", "veth", "peer", "name", "far0",
                            "netns", self.inside.name)
            self.inside.run("ip", "addr", "add", f"{OURS}/24", "dev", "far0")
            self.inside.run("ip", "link", "set", "far0", "up")
            self.up()
        else:
            dev = f"tap:{self.tap}" if self.peer == "tap" else f"shm:{self.wire}:0"
            before = self.millrace(dev, OURS, self.threads)
        command = self.on_cores(*before, *self.command, server=True)
        self.process = subprocess.Popen(self.inside.command(*command), stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        if self.peer == "tap":
            self.wait(lambda: self.tap in self.inside.run("ip", "-o", "link", check=False))
            self.inside.run("ip", "link", "set", self.tap, "netns", self.client.name)
            self.up()
        elif self.peer == "shm":
            self.wait(lambda: os.path.exists(self.wire))
        time.sleep(0.4)
        self.wait(lambda: True)

    def up(self):
        self.client.run("ip", "addr", "add", f"{THEIRS}/24", "dev", self.tap)
        self.client.run("ip", "link", "set", self.tap, "up")

    def wait(self, what, seconds=8):
        end = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise Unavailable(f"the program ended: {self.said()}")
            if what():
                return
            if time.monotonic() > end:
                raise Unavailable(f"the program does not come up: {self.said()}")
            time.sleep(0.02)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace").strip().replace("\n", "; ")[-300:]

    def processes(self):
        """The program's, and the session's janitor: whatever is in its namespace."""
        return sh_lines("ip", "netns", "pids", self.inside.name)

    def run(self, *command, timeout):
        """A client; its output, and its CPU time in us."""
        with tempfile.TemporaryFile("w+") as out:
            p = subprocess.Popen(self.client.command(*self.on_cores(*command)), stdout=out,
                                 stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            end = time.monotonic() + timeout
            while True:
                pid, status, used = os.wait4(p.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() > end:
                    p.kill()
                    os.wait4(p.pid, 0)
                    p.returncode = -9
                    raise Unavailable("the client did not end")
                time.sleep(0.01)
            p.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            said = out.read()
        if p.returncode != 0:
            raise Unavailable(f"the client said: {said.strip()[-200:]}")
        return said, (used.ru_utime + used.ru_stime) * 1e6

    def at_wire(self, *command):
        """A client that is unmodified, too."""
        if self.peer != "shm":
            return command
        return (*self.millrace(f"shm:{self.wire}:1", THEIRS, 1), *command)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            # ip netns exec has become the program.
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for netns in (self.client, self.inside):
            if netns:
                for pid in self.left(netns):
                    os.kill(pid, signal.SIGKILL)
                netns.close()

    @staticmethod
    def left(netns):
        """Who is still there a second later."""
        end = time.monotonic() + 1
        while (pids := sh_lines("ip", "netns", "pids", netns.name)) and time.monotonic() < end:
            time.sleep(0.02)
        return pids

    def __exit__(self, *_):
        self.close()


def sh_lines(*command):
    return [int(x) for x in base.sh(*command, check=False).split() if x.isdigit()]


# ---- clients ---------------------------------------------------------------------------------

def load(place, port, seconds, *how):
    args = place.args
    at = (["--dev", f"shm:{place.wire}:1", "--addr", f"{THEIRS}/24", "--control", "none"]
          if place.peer == "shm" else ["--dev", "kernel"])
    said, cpu = place.run(built(args, "src/tools/millrace-load"), "http", *at, "--to",
                          f"{OURS}:{port}", "--connections", str(CONNECTIONS), "--duration-ms",
                          str(int(seconds * 1000)), "--json", "--quiet", *how,
                          timeout=seconds + 20)
    r = json.loads(said[said.index("{"):said.rindex("}") + 1])
    if any(r["errors"].values()) or r["requests"] == 0:
        raise Unavailable(f"errors: {r['errors']}")
    return r["requests"], r["requests_per_s"], cpu, r["latency_us"]


def wrk(place, url, seconds, work):
    lua = os.path.join(work, "wrk.lua")
    write(lua, WRK_LUA)
    command = [tool("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", lua, url]
    if place.peer == "shm":
        # The origin lies in the same session as wrk; both are its load.
        origin = [tool("nginx"), "-e", "stderr", "-c", nginx_conf(work, "wrk", THEIRS, ORIGIN)]
        script = '"$@" & n=$!; sleep 0.4; ' + " ".join(command) + "; s=$?; kill $n; wait $n; exit $s"
        command = place.at_wire("/bin/sh", "-c", script, "sh", *origin)
        said, cpu = place.run(*command, timeout=seconds + 20)
    else:
        origin = [tool("nginx"), "-e", "stderr", "-c", nginx_conf(work, "wrk", THEIRS, ORIGIN)]
        script = '"$@" & n=$!; sleep 0.4; ' + " ".join(command) + "; s=$?; kill $n; wait $n; exit $s"
        said, cpu = place.run("/bin/sh", "-c", script, "sh", *origin, timeout=seconds + 20)
    r = json.loads(said[said.index("RESULT ") + 7:].split("\n")[0])
    if r["errors"] or r["requests"] == 0 or r["bytes"] < r["requests"] * FILE_BYTES:
        raise Unavailable(f"wrk counted {r}")
    return r["requests"], r["requests"] * 1e6 / r["us"], cpu, r


def redis_benchmark(place, test, seconds):
    # As many as take about the time: what is not known is asked by a short run.
    command = [tool("redis-benchmark"), "-h", OURS, "-p", "6379", "-t", test, "-c", "50", "-d", "100",
               "--csv", "-n", str(int(60000 * seconds))]
    said, cpu = place.run(*place.at_wire(*command), timeout=seconds * 10 + 20)
    line = [x for x in said.splitlines() if x.startswith(f'"{test.upper()}"')]
    if not line:
        raise Unavailable(f"redis-benchmark said {said[-200:]}")
    words = [float(x.strip('"')) for x in line[0].split(",")[1:]]
    # "rps","avg","min","p50","p95","p99","max", in ms
    return (int(60000 * seconds), words[0], cpu, {"p50": words[3] * 1000, "p99": words[5] * 1000})


# ---- programs --------------------------------------------------------------------------------

def nginx_conf(work, turn, ours=OURS, port=None):
    path = f"{work}/nginx.{turn}.conf"
    text = NGINX_CONF.format(dir=work, ours=ours, theirs=THEIRS, origin=ORIGIN, turn=turn)
    if port:
        text = text.replace(f"{ours}:8080", f"{ours}:{port}")
    write(path, text)
    return path


def certificate(work):
    both, key, cert = f"{work}/both.pem", f"{work}/key.pem", f"{work}/cert.pem"
    if not os.path.exists(both):
        base.sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "9", "-subj", "/CN=bench", "-keyout", key, "-out", cert)
        write(both, read(cert) + "\n" + read(key) + "\n")
    return both


def haproxy(threads, work):
    path = f"{work}/haproxy.{threads}.cfg"
    write(path, HAPROXY.format(threads=threads, ours=OURS, theirs=THEIRS, origin=ORIGIN,
                               crt=certificate(work)))
    return [tool("haproxy"), "-f", path, "-db"]


def what_of(bench, args, work):
    """The program's command line, its threads, and the client."""
    words = bench.split("/")
    s = args.seconds
    origin = ("--origin", str(ORIGIN), "--origin-bytes", str(FILE_BYTES))
    if words[0] == "proxy":
        threads = int(words[2])
        client = {"keepalive": lambda p: load(p, 8080, s, *origin),
                  "close": lambda p: load(p, 8081, s, "--close", *origin),
                  "tcp": lambda p: load(p, 8082, s, *origin),
                  "tls": lambda p: wrk(p, f"https://{OURS}:8443/file.bin", s, work)}[words[1]]
        return haproxy(threads, work), threads, client
    if words[0] == "nginx":
        command = [tool("nginx"), "-e", "stderr", "-c", nginx_conf(work, "bench")]
        if words[1] == "static":
            return command, 1, lambda p: load(p, 8080, s, "--path", "/file.bin")
        return command, 1, lambda p: load(p, 8081, s, *origin)
    return ([tool("redis-server"), "--bind", OURS, "--port", "6379", "--protected-mode", "no",
             "--save", "", "--dir", work, "--loglevel", "warning"], 1,
            lambda p: redis_benchmark(p, words[1], s))


def once(bench, peer, args, work):
    command, threads, client = what_of(bench, args, work)
    with Place(peer, command, threads, args, work) as place:
        pids = place.processes()
        user, system = base.process_cpu_us(pids)
        cores = base.cores_cpu_us()
        requests, rate, client_cpu, latency = client(place)
        cores = base.cores_cpu_us() - cores
        user_end, system_end = base.process_cpu_us(pids)
    figures = {("rate", "request/s"): rate,
               ("cpu_user", "us/request"): (user_end - user) / requests,
               ("cpu_system", "us/request"): (system_end - system) / requests,
               ("cpu", "us/request"): (user_end - user + system_end - system) / requests,
               ("cpu_all", "us/request"): (cores - client_cpu) / requests}
    for p in ("p50", "p99", "p99.9"):
        if p in latency:
            figures[p, "us"] = latency[p]
    return figures


def measure(bench, args, report, work):
    results = {peer: [] for peer in args.peers}
    for _ in range(args.reps):
        for peer in list(results):
            try:
                results[peer].append(once(bench, peer, args, work))
            except (Unavailable, ValueError) as e:
                report.note(peer, bench, str(e))
                del results[peer]
    for peer, runs in results.items():
        for metric, unit in (runs[0] if runs else ()):
            report.record(bench, peer, metric, unit,
                          statistics.median(run[metric, unit] for run in runs))
    ratio(bench, results, report)
    report.record(bench, "all", "load", "load average", float(read("/proc/loadavg").split()[0]))


def ratio(bench, results, report):
    """How much less CPU than on the kernel."""
    for metric in ("cpu", "cpu_all"):
        middle = {peer: statistics.median(r[metric, "us/request"] for r in runs)
                  for peer, runs in results.items() if runs}
        for peer in ("tap", "shm"):
            if "kernel" in middle and middle.get(peer, 0) > 0:
                report.record(bench, peer, "kernel/ours", f"of {metric}",
                              middle["kernel"] / middle[peer])


def run(args, report):
    with base.workplace("mrp-") as (work, _):
        write(f"{work}/root/file.bin", ("0123456789abcdef" * (FILE_BYTES // 16))[:FILE_BYTES])
        for bench in args.benches:
            measure(bench, args, report, work)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true", help="the names of the benches")
    parser.add_argument("--build", default=os.path.join(here, "../../build"))
    parser.add_argument("--json")
    parser.add_argument("--notes")
    parser.add_argument("--reps", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--run", action="append", default=[], help="an option for `millrace run`")
    parser.add_argument("benches", nargs="*", metavar="BENCH")
    args = parser.parse_args()
    if args.list:
        print("\n".join(BENCHES))
        return
    args.build = os.path.abspath(args.build)
    args.peers = args.peers.split(",")
    args.benches = [b for b in BENCHES if not args.benches or
                    any(b == x or b.startswith(x + "/") for x in args.benches)]
    report = base.Report(args)
    # A signal unwinds the stack, so that everything is put back.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    if os.geteuid() != 0:
        report.note("proxy", "#", "it needs root for its namespaces")
        return
    run(args, report)


if __name__ == "__main__":
    main()
