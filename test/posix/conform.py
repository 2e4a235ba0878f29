#!/usr/bin/python3
"""One program, two kernels: the conformance program's transcript on the kernel and on Millrace are
equal, line by line, but for the lines of differences.txt.

    kernel     10.77.0.2 us0 --- veth --- peer0 10.77.0.1 the peer
    millrace   10.77.0.2 millrace run --- tap0 --- bridge --- veth --- peer0 10.77.0.1 the peer

In both the peer is in a namespace of its own, so that its ports are not the program's.

A difference is listed with its reason:

    # why
    - topic: what: the kernel's result
    + topic: what: ours

    conform.py [topic...]                 only these, and the differences on standard output
    CONFORM_ONLY=kernel conform.py        the kernel's transcript
"""
import difflib
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import lab

HERE = os.path.dirname(os.path.abspath(__file__))
US, PEER = "10.77.0.2", "10.77.0.1"
CONFORM = os.environ.get("CONFORM", os.path.join(lab.BUILD, "test", "posix", "conform"))
LISTED = os.path.join(HERE, "differences.txt")
TOGETHER = os.environ.get("CONFORM_TOGETHER", "1")
ONLY = os.environ.get("CONFORM_ONLY", "")
TOPICS = sys.argv[1:]
SECONDS = 100


def peer_at(at, name):
    """The peer in a namespace; its control socket."""
    control = os.path.join(lab.folder(), name)
    lab.start(*at, CONFORM, "--peer", US, PEER, control)
    lab.wait_for(lambda: os.path.exists(control))
    return control


def start(before, control, name, topics):
    log = os.path.join(lab.folder(), name + ".err")
    out = os.path.join(lab.folder(), name + ".out")
    p = lab.start(*before, CONFORM, "--together", TOGETHER, US, PEER, control, *topics,
                  stdout=open(out, "w"), stderr=open(log, "w"), stdin=subprocess.DEVNULL)
    p.out, p.err, p.began = out, log, time.monotonic()
    return p


def on_kernel(topics, name="kernel"):
    here, far = lab.namespace(), lab.namespace()
    lab.run(*here, "ip", "link", "add", "us0", "type", "veth", "peer", "name", "peer0", "netns",
            far[2])
    lab.quiet_up("us0", at=here)
    lab.quiet_up("peer0", at=far)
    lab.run(*here, "ip", "address", "add", US + "/24", "dev", "us0")
    # Since 6.5 Linux sends a SYN four times more than TCP_SYNCNT says.
    lab.run(*here, "sysctl", "-qew", "net.ipv4.tcp_syn_linear_timeouts=0")
    lab.run(*far, "ip", "address", "add", PEER + "/24", "dev", "peer0")
    return start(here, peer_at(far, name + ".peer"), name, topics)


def on_millrace(topics, name="millrace"):
    here, far = lab.namespace(), lab.namespace()
    lab.run(*here, "ip", "tuntap", "add", "tap0", "mode", "tap", "multi_queue")
    lab.run(*here, "ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0")
    lab.run(*here, "ip", "link", "add", "us0", "type", "veth", "peer", "name", "peer0", "netns",
            far[2])
    for link in "us0", "tap0":
        lab.run(*here, "ip", "link", "set", link, "master", "br0")
    for link in "us0", "tap0", "br0":
        lab.quiet_up(link, at=here)
    lab.quiet_up("peer0", at=far)
    lab.run(*far, "ip", "address", "add", PEER + "/24", "dev", "peer0")
    options = os.environ.get("CONFORM_OPTIONS", "").split()
    return start((*here, lab.program("millrace"), "run", "--dev", "tap:tap0", "--addr", US + "/24",
                  *options, "--"), peer_at(far, name + ".peer"), name, topics)


def transcript(p):
    """Lines of it when it has ended; what went wrong is a note."""
    try:
        p.wait(SECONDS)
    except subprocess.TimeoutExpired:
        lab.note(f"{p.out} did not end in {SECONDS} s")
        p.kill()
    p.took = time.monotonic() - p.began
    with open(p.err) as f:
        for line in f.read().splitlines()[:20]:
            lab.note("stderr: " + line)
    with open(p.out, errors="replace") as f:
        return f.read().splitlines()


def listed():
    """The differences that are listed, as lines "- ..." and "+ ..."; each with a reason above."""
    lines, reason, bare = [], False, []
    with open(LISTED) as f:
        for line in f.read().splitlines():
            if line.startswith("#"):
                reason = True
            elif line[:2] in ("- ", "+ "):
                lines.append(line)
                if not reason:
                    bare.append(line)
            elif not line:
                reason = False
    return lines, bare


def of_topics(lines):
    return [x for x in lines if not TOPICS or x[2:].split(":")[0] in TOPICS]


def differences(kernel, ours):
    return [x for x in difflib.ndiff(kernel, ours) if x[:2] in ("- ", "+ ")]


def twice(new, gone):
    """Those that are so again when their topics are run alone: a machine that stood still for a
    moment at the wrong time makes a difference, or hides one, once.  The others are told."""
    topics = sorted({x[2:].split(":")[0] for x in new + gone})
    runs = [on_kernel(topics, "kernel2"), on_millrace(topics, "millrace2")]
    again = differences(*[transcript(p) for p in runs])
    for x in new:
        if x not in again:
            lab.note("seen once: " + x)
    for x in gone:
        if x in again:
            lab.note("missed once: " + x)
    return [x for x in new if x in again], [x for x in gone if x not in again]


def main():
    lab.enter()
    if not os.path.exists(CONFORM):
        lab.skip_all("conform is not built")
    if ONLY == "kernel":
        print("\n".join(transcript(on_kernel(TOPICS))))
        return
    lab.program("millrace")
    if not os.path.exists(os.path.join(lab.BUILD, "src", "libmillrace-preload.so")):
        lab.skip_all("this build has no shim")
    runs = [on_kernel(TOPICS), on_millrace(TOPICS)]
    kernel, ours = [transcript(p) for p in runs]
    lab.note(f"{len(kernel)} facts; {runs[0].took:.1f} s on the kernel, {runs[1].took:.1f} s on "
             "Millrace")
    found = differences(kernel, ours)
    known, bare = listed()
    new = [x for x in found if x not in known]
    gone = [x for x in of_topics(known) if x not in found]
    if new or gone:
        new, gone = twice(new, gone)
    lab.point(TOPICS or len(kernel) > 1500, "the transcript is long", f"{len(kernel)} lines")
    lab.point(not [x for x in kernel if "CANNOT GO ON" in x or ": DIED " in x],
              "the program runs to its end on the kernel")
    lab.point(not new, "what differs is listed", "\n".join(new))
    lab.point(not gone, "what is listed differs", "\n".join(gone))
    lab.point(not bare, "each difference has its reason", "\n".join(bare))
    lab.done()


main()
