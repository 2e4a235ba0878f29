#!/usr/bin/python3
"""The same programs over every port: datagrams echoed a second, and HTTP requests.

  port/echo64/NAME, port/echo1500/NAME   a window of 512 datagrams kept on their way by bench_port on
                                         core 1; back by `bench_port reflect` (peer `bare`: the port and
                                         nothing on it) or millrace-echo (peer `millrace`: the stack),
                                         on core 0.  Frames of 64 and 1,514 bytes.
  port/http/NAME                         millrace-httpd on core 0, keep-alive, 256 connections, a file of
                                         64 bytes; asked by millrace-load over memory, by wrk from the
                                         kernel's end; nginx over the same veth beside it.

Everything is in namespaces of its own; huge pages that it asked for are given back.  What cannot run here
says why.
"""

import argparse
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

import bench_http as base
from bench_http import CLIENT_CORE, SERVER_CORE, Netns, Unavailable, read, sh, write

NAMES = ["shm", "vhost", "vhost-huge", "memif", "af_packet", "xdp", "packet", "tap", "nginx"]
SIZES = {"echo64": 64, "echo1500": 1514}
HUGE = "/proc/sys/vm/nr_hugepages"
HUGE_PAGES = 512
SERVER, CLIENT = "10.9.0.2", "10.9.0.1"
CONNECTIONS = 256
FILE = b"0123456789abcdef" * 4


def hertz():
    """Of the time stamp counter, as the kernel says."""
    found = re.search(r"cpu MHz\s*: ([\d.]+)", read("/proc/cpuinfo"))
    return float(found[1]) * 1e6 if found else 0.0


class Link:
    """Where a server and its client meet: the devices both ends name, and the namespaces they are in."""

    turn = 0 # of all links: a file is used once

    def __init__(self, name, work, tag):
        self.name, self.work = name, work
        self.huge_before = None
        self.server_ns, self.client_ns = None, None
        self.kernel_client = name in ("xdp", "packet", "tap", "nginx", "af_packet")
        self.tag = tag
        if name == "nginx" or self.kernel_client:
            self.server_ns = self.client_ns = Netns(f"mrp-s-{tag}")
        if name in ("xdp", "packet", "af_packet", "nginx"):
            self.client_ns = Netns(f"mrp-c-{tag}")
            self.veth()
        if name in ("vhost-huge", "memif"):
            self.huge()

    def veth(self):
        c, s = self.client_ns, self.server_ns
        c.run("ip", "link", "add", "mrp0", "type", "veth", "peer", "name", "mrp1", "netns", s.name)
        for netns, device in ((c, "mrp0"), (s, "mrp1")):
            netns.run("ip", "link", "set", device, "up")
        if self.name == "af_packet":
            # Its frames have no offload flags: what the kernel leaves to a device must be done.
            c.run("ethtool", "-K", "mrp0", "tx", "off", check=False)

    def kernel_address(self):
        """The client is the kernel: its end has an address."""
        self.client_ns.run("ip", "addr", "replace", f"{CLIENT}/24", "dev", "mrp0")
        self.client_ns.run("ip", "link", "set", "mrp0", "up")

    def huge(self):
        self.huge_before = read(HUGE)
        write(HUGE, str(HUGE_PAGES))
        free = re.search(r"HugePages_Free:\s+(\d+)", read("/proc/meminfo"))
        if not free or int(free[1]) < HUGE_PAGES:
            raise Unavailable(f"{HUGE_PAGES} huge pages were asked for, {free[1] if free else 0} are free")

    def device(self, server):
        """What an end is called; ends in memory get a fresh file each time."""
        n, end = self.name, "server" if server else "client"
        path = f"{self.work}/{n}.{Link.turn}"
        eal = []
        if n == "vhost":
            eal = ["--eal", "--no-huge -m 512"]
        if n in ("vhost", "vhost-huge"):
            dev = (f"dpdk:net_vhost0,iface={path}" if server else
                   f"dpdk:net_virtio_user0,path={path},queue_size=1024")
        elif n == "memif":
            dev = f"dpdk:net_memif0,role={end},id=0,socket={path},socket-abstract=no,bsize=2048,rsize=10"
        elif n == "shm":
            dev = f"shm:{path}:{0 if server else 1}"
        elif n == "af_packet":
            dev = "dpdk:net_af_packet0,iface=mrp1" if server else "packet:mrp0,no-offload"
        elif n == "tap":
            dev = "tap:mrp0" if server else "packet:mrp0"
        else:
            dev = f"{n}:mrp{1 if server else 0}"
        return ["--dev", dev, *eal]

    def command(self, server, *args):
        core = SERVER_CORE if server else CLIENT_CORE
        netns = self.server_ns if server else self.client_ns
        args = ["taskset", "-c", str(core), *args]
        return netns.command(*args) if netns else args

    def close(self):
        for netns in {self.server_ns, self.client_ns} - {None}:
            netns.close()
        if self.huge_before is not None:
            write(HUGE, self.huge_before)


class Program:
    """A server of ours until the end of the block."""

    def __init__(self, link, *args):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(link.command(True, *args), stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log)
        self.link = link

    def __enter__(self):
        # A port that is a file must be there; the others need a moment, and the TAP its kernel end.
        time.sleep(1.2)
        if self.process.poll() is not None:
            raise Unavailable(f"the server ended: {self.said()}")
        if self.link.name == "tap":
            self.link.client_ns.run("ip", "link", "set", "mrp0", "up")
        return self

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace").strip().replace("\n", "; ")[-300:]

    def cpu(self):
        return sum(base.process_cpu_us([self.process.pid])) / 1e6

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def ask(link, args, seconds):
    done = subprocess.run(link.command(False, *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=seconds + 40)
    if done.returncode != 0:
        raise Unavailable(f"the client said: {done.stderr.strip()[-200:]}")
    return done.stdout


def echo_once(link, args, peer, size):
    """Datagrams a second, and what the server's core spent for each."""
    Link.turn += 1
    at = f"{args.build}/test/bench/bench_port"
    dev = link.device(True)
    server = ([at, "reflect", *dev, "--addr", SERVER, "--seconds", "60"] if peer == "bare" else
              [f"{args.build}/src/tools/millrace-echo", *dev, "--addr", f"{SERVER}/24", "--busy",
               "--control", "none"])
    with Program(link, *server) as program:
        before = program.cpu()
        started = time.monotonic()
        out = ask(link, [at, "blast", *link.device(False), "--addr", CLIENT, "--to", SERVER,
                         "--size", str(size), "--seconds", str(args.seconds)], args.seconds)
        # The server spins before and after: only its share of the measured time counts.
        busy = (program.cpu() - before) / (time.monotonic() - started)
    got = json.loads(out.splitlines()[-1])
    if got["echoed"] == 0:
        raise Unavailable("nothing came back")
    return got["rate"], busy * got["seconds"] * hertz() / got["echoed"], got["lost"] / got["sent"]


def echo(link, args, report, bench, size):
    results = {"bare": [], "millrace": []}
    for _ in range(args.reps):
        for peer in results:
            results[peer].append(echo_once(link, args, peer, size))
    for peer, runs in results.items():
        report.record(bench, peer, "rate", "packet/s", statistics.median(r[0] for r in runs))
        report.record(bench, peer, "cycles", "cycles/packet", statistics.median(r[1] for r in runs))
        lost = statistics.median(r[2] for r in runs)
        if lost > 0.001:
            report.note(peer, "#", f"{bench}: {lost:.1%} of the datagrams did not come back")


def http_once(link, args, server):
    with server as program:
        if link.kernel_client:
            link.kernel_address()
        url = f"http://{SERVER}/f"
        before, started = program.cpu(), time.monotonic()
        if link.kernel_client:
            out = ask(link, ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{args.seconds}s", url], args.seconds)
            found = re.search(r"Requests/sec:\s+([\d.]+)", out)
            if not found or "Non-2xx" in out:
                raise Unavailable(f"wrk said: {out[-200:]}")
            rate = float(found[1])
        else:
            out = ask(link, [f"{args.build}/src/tools/millrace-load", "http", "--to", f"{SERVER}:80",
                             "--path", "/f", "--connections", str(CONNECTIONS), "--duration-ms",
                             str(args.seconds * 1000), "--quiet", "--json", "--busy", "--control",
                             "none", *link.device(False), "--addr", f"{CLIENT}/24"], args.seconds)
            got = json.loads(out.splitlines()[-1])
            rate = got["requests_per_s"]
        busy = (program.cpu() - before) / (time.monotonic() - started)
    return rate, busy * 1e6 / rate


def http_server(link, args):
    root = f"{link.work}/root"
    if link.name == "nginx":
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        if nginx is None:
            raise Unavailable("nginx is not installed")
        link.server_ns.run("ip", "addr", "replace", f"{SERVER}/24", "dev", "mrp1")
        conf = f"{link.work}/nginx.conf"
        write(conf, base.NGINX_CONF.format(dir=link.work, addr=SERVER))
        return Program(link, nginx, "-e", "stderr", "-c", conf)
    spin = [] if link.name == "tap" else ["--busy"]
    return Program(link, f"{args.build}/src/tools/millrace-httpd", *link.device(True), "--addr",
                   f"{SERVER}/24", "--root", root, "--control", "none", *spin)


def http(link, args, report, bench):
    runs = []
    for _ in range(args.reps):
        Link.turn += 1
        runs.append(http_once(link, args, http_server(link, args)))
    peer = "nginx" if link.name == "nginx" else "millrace"
    report.record(bench, peer, "rate", "request/s", statistics.median(r[0] for r in runs))
    if peer == "millrace":
        report.record(bench, peer, "cpu_process", "us/request", statistics.median(r[1] for r in runs))


def measure(name, kind, args, report, work, tag):
    bench = f"port/{kind}/{name}"
    link = None
    try:
        if name == "nginx" and kind != "http":
            return
        link = Link(name, work, tag)
        if kind == "http":
            http(link, args, report, bench)
        else:
            echo(link, args, report, bench, SIZES[kind])
    except (Unavailable, subprocess.TimeoutExpired, ValueError) as e:
        report.note("millrace", bench, str(e))
    finally:
        if link:
            link.close()
        for netns in list(Netns.made):
            netns.close()


def run(args, report):
    with base.workplace("mrp-", "/dev/shm") as (work, _):
        with open(f"{work}/root/f", "wb") as f:
            f.write(FILE)
        for kind in [*SIZES, "http"]:
            for name in NAMES:
                if not args.benches or f"port/{kind}/{name}" in args.benches:
                    measure(name, kind, args, report, work, str(os.getpid()))
        print("# load", read("/proc/loadavg"))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(here, "../../build"))
    parser.add_argument("--json")
    parser.add_argument("--notes")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("benches", nargs="*", metavar="BENCH")
    args = parser.parse_args()
    if args.list:
        print("\n".join(f"port/{k}/{n}" for k in [*SIZES, "http"] for n in NAMES
                        if k == "http" or n != "nginx"))
        return
    args.build = os.path.abspath(args.build)
    report = base.Report(args)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    missing = [t for t in ("ip", "wrk", "taskset", "sysctl", "ethtool") if shutil.which(t) is None]
    if os.geteuid() != 0 or missing:
        report.note("millrace", "port", "it needs root for its namespaces" if not missing else
                    f"{', '.join(missing)} missing")
        return
    run(args, report)


if __name__ == "__main__":
    main()
