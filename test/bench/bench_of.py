#!/usr/bin/python3
"""OpenFlow controllers under millrace-ofload, the controller on core 0 and the switches on core 1.

  of/throughput/N   N switches that send as much as their send buffers take: responses a second, and
                    responses a second of the controller's CPU time (user and system), once every
                    host has been seen; the first loop, in which most are new, beside it
  of/latency/N      N switches with one packet-in outstanding each, and at half of the rate that the
                    same controller has just reached, in an open loop

100,000 hosts a switch (256 switches: 4,000).  The peers:

  shm     millrace-ofd over a wire in shared memory      null       of_null, which learns nothing, there
  tap     millrace-ofd over a TAP, switches on the       null-kern  the same on the kernel's sockets
          kernel's sockets                               ovs        Debian's ovs-testcontroller, learning
  kernel  millrace-ofd on the kernel's sockets                      (it takes 16 switches)

Every answer is checked.  What was wrong, flooded or missing is said as a note.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import bench_http as base
from bench_http import CLIENT_CORE, SERVER_CORE, Netns, Unavailable, read

SIZES = [1, 16, 256]
KINDS = ["throughput", "latency"]
BENCHES = [f"of/{kind}/{n}" for kind in KINDS for n in SIZES]
PEERS = ["shm", "tap", "kernel", "null", "null-kern", "ovs"]
SERVER, CLIENT, PORT = "10.9.0.2", "10.9.0.1", "6653"
OVS_SWITCHES = 16
BUSY_PERCENTILES = ["p50", "p99", "p99.9"]


def warmup(switches, loop_ms):
    """Loops that do not count: until every host has been seen, at 600,000 new ones a second."""
    return 1 + switches * hosts(switches) * 1000 // (600000 * loop_ms)


def hosts(switches):
    return 4000 if switches > 16 else 100000


def children(pid):
    return [pid, *map(int, read(f"/proc/{pid}/task/{pid}/children").split())]


class Controller:
    """A controller in a network of its own until the end of the block."""

    turn = 0 # of all: a wire's file is used once

    def __init__(self, peer, switches, args, work):
        Controller.turn += 1
        self.peer, self.netns, self.process = peer, None, None
        self.log = tempfile.TemporaryFile()
        self.wire = f"{work}/wire.{Controller.turn}"
        busy = ["--busy", "--control", "none"]
        if peer in ("shm", "null"):
            self.at = ["--dev", f"shm:{self.wire}:0", "--addr", f"{SERVER}/24", *busy]
            self.client = ["--dev", f"shm:{self.wire}:1", "--addr", f"{CLIENT}/24", *busy]
        else:
            self.netns = Netns(f"mro-{os.getpid()}")
            self.at = (["--dev", "tap:mro0", "--addr", f"{SERVER}/24", "--control", "none"]
                       if peer == "tap" else ["--dev", "kernel"])
            self.client = ["--dev", "kernel"]
        self.to = SERVER if peer in ("shm", "null", "tap") else "127.0.0.1"
        self.command = self.program(switches, args, work)

    def program(self, switches, args, work):
        if self.peer == "ovs":
            ovs = shutil.which("ovs-testcontroller")
            if ovs is None:
                raise Unavailable("ovs-testcontroller is not installed")
            if switches > OVS_SWITCHES:
                raise Unavailable(f"it takes {OVS_SWITCHES} switches")
            return [ovs, f"ptcp:{PORT}", f"--unixctl={work}/ovs.ctl", "--verbose=off"]
        if self.peer.startswith("null"):
            return [built(args, "test/bench/of_null"), PORT, *self.at]
        macs = str(switches * hosts(switches) * 5 // 4 + 1000)
        return [built(args, "src/tools/millrace-ofd"), "--listen", PORT, "--rest", "none", "--quiet",
                "--macs-max", macs, "--hosts-max", macs, "--switches-max", str(switches + 16),
                *args.ofd, *self.at]

    def within(self, core, *args):
        args = ["taskset", "-c", str(core), *args]
        return self.netns.command(*args) if self.netns else args

    def __enter__(self):
        self.process = subprocess.Popen(self.within(SERVER_CORE, *self.command), stdout=self.log,
                                        stdin=subprocess.DEVNULL, stderr=self.log)
        time.sleep(0.7)
        if self.process.poll() is not None:
            raise Unavailable(f"the controller ended: {self.said()}")
        if self.peer == "tap":
            self.netns.run("ip", "addr", "replace", f"{CLIENT}/24", "dev", "mro0")
            self.netns.run("ip", "link", "set", "mro0", "up")
        return self

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace").strip().replace("\n", "; ")[-300:]

    def cpu_s(self):
        return sum(base.process_cpu_us(children(self.process.pid))) / 1e6

    def memory_mb(self):
        rss = sum(int(f[1]) for f in (read(f"/proc/{p}/statm").split()
                                      for p in children(self.process.pid)) if len(f) > 1)
        return rss * resource.getpagesize() / 1e6

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.netns:
            self.netns.close()

    def __exit__(self, *_):
        self.close()


def built(args, name):
    path = os.path.join(args.build, name)
    if not os.access(path, os.X_OK):
        raise Unavailable(f"{os.path.basename(name)} is not built")
    return path


def load(controller, switches, args, *how):
    """One run of millrace-ofload.  Its lines tell when the loops that count begin and end: the
    controller's CPU time is read then."""
    warm = 1 if "--latency" in how else warmup(switches, args.loop_ms)
    command = controller.within(CLIENT_CORE, built(args, "src/tools/millrace-ofload"), "--to",
                                f"{controller.to}:{PORT}", "--switches", str(switches), "--hosts",
                                str(hosts(switches)), "--loops", str(args.loops), "--loop-ms",
                                str(args.loop_ms), "--warmup", str(warm), "--json", *how,
                                *controller.client)
    client = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    marks, said, rates = [], [], []
    limit = (args.loops + warm) * args.loop_ms / 1000 + 40
    signal.alarm(int(limit))
    try:
        for line in client.stderr:
            if line.startswith("loop"):
                marks.append(controller.cpu_s())
                rates.append(int(line.split()[2]))
            else:
                said.append(line.strip())
        out = client.stdout.read()
        code = client.wait()
    finally:
        signal.alarm(0)
        if client.poll() is None:
            client.kill()
            client.wait()
        client.stderr.close()
        client.stdout.close()
    if code not in (0, 1) or not out.strip() or len(marks) <= warm:
        raise Unavailable(f"millrace-ofload ended with {code}: {'; '.join(said)[-200:]} "
                          f"{controller.said()}")
    result = json.loads(out.splitlines()[-1])
    result["cpu_s"] = marks[-1] - marks[warm - 1]
    result["first"] = rates[0]
    result["loaded_s"] = args.loops * args.loop_ms / 1000
    return result


def judge(result, report, peer, bench):
    """What was not right, once."""
    wrong = {k: v for k, v in result["errors"].items() if v}
    if result["answers"]["flood"]:
        wrong["floods"] = result["answers"]["flood"]
    if wrong:
        report.note(peer, "#", f"{bench}: {wrong} {result['first_wrong']}")


def throughput(peer, n, args, work, report, reached):
    bench, runs = f"of/throughput/{n}", []
    for _ in range(args.reps):
        controller = Controller(peer, n, args, work)
        try:
            with controller:
                result = load(controller, n, args, "--throughput")
                result["memory"] = controller.memory_mb()
        finally:
            controller.close()
        judge(result, report, peer, bench)
        runs.append(result)
    rates = [r["responses_per_s"]["avg"] for r in runs]
    reached[peer, n] = statistics.median(rates)
    report.record(bench, peer, "rate", "response/s", reached[peer, n])
    report.record(bench, peer, "rate_cpu", "response/CPU-s", statistics.median(
        rate * r["loaded_s"] / max(r["cpu_s"], 1e-9) for rate, r in zip(rates, runs)))
    report.record(bench, peer, "first_loop", "response/s", statistics.median(
        r["first"] for r in runs))
    report.record(bench, peer, "share_min", "of the mean",
                  min(r["share_per_mille"]["min"] for r in runs) / 1000)
    report.record(bench, peer, "memory", "MB", max(r["memory"] for r in runs))


def latency(peer, n, args, work, report, reached):
    bench = f"of/latency/{n}"
    if (peer, n) not in reached:
        throughput(peer, n, args, work, report, reached)
    half = max(1, int(reached[peer, n] / 2))
    for name, how in (("one", ["--latency"]), ("half", ["--rate", str(half)])):
        controller = Controller(peer, n, args, work)
        try:
            with controller:
                result = load(controller, n, args, *how)
        finally:
            controller.close()
        judge(result, report, peer, bench)
        for p in BUSY_PERCENTILES:
            report.record(bench, peer, f"{name}_{p}", "us", result["latency_ns"][p] / 1000)


def out_of_time(*_):
    raise Unavailable("millrace-ofload did not end")


def measure(args, report, work):
    reached = {}
    for n in SIZES:
        for kind, run in zip(KINDS, (throughput, latency)):
            bench = f"of/{kind}/{n}"
            if bench not in args.benches:
                continue
            for peer in (p for p in PEERS if p in args.peers):
                try:
                    run(peer, n, args, work, report, reached)
                except (Unavailable, ValueError, KeyError) as e:
                    report.note(peer, bench, str(e))
            report.record(bench, "all", "load", "of 1 min", os.getloadavg()[0])


def run(args, report):
    with base.workplace("mro-", "/dev/shm") as (work, _):
        measure(args, report, work)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(here, "../../build"))
    parser.add_argument("--json")
    parser.add_argument("--notes")
    parser.add_argument("--reps", type=int, default=1)
    parser.add_argument("--loops", type=int, default=3)
    parser.add_argument("--loop-ms", type=int, default=1000)
    parser.add_argument("--peers", default=",".join(PEERS), help="with commas")
    parser.add_argument("--ofd", default="", help="further options of millrace-ofd")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("benches", nargs="*", metavar="BENCH")
    args = parser.parse_args()
    if args.list:
        print("\n".join(BENCHES))
        return
    args.build = os.path.abspath(args.build)
    args.benches = args.benches or BENCHES
    args.peers, args.ofd = args.peers.split(","), args.ofd.split()
    report = base.Report(args)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    signal.signal(signal.SIGALRM, out_of_time)
    missing = [t for t in ("ip", "taskset", "sysctl") if shutil.which(t) is None]
    if os.geteuid() != 0 or missing:
        report.note("shm", "of", "it needs root for its namespaces" if not missing else
                    f"{', '.join(missing)} missing")
        return
    run(args, report)


if __name__ == "__main__":
    main()
