#!/usr/bin/python3
"""Python's own tests of sockets, select, epoll, asyncio, TLS and what is made of them, as Debian
packages them, on the kernel's stack and on Millrace: every outcome must be the same.

They talk to themselves over the loopback; here its address is that of the session, so that both
ends are ours, in one process or two, and often a thread each.

    px_python.py [module...]              only these"""
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time

import lab
import px_lab as px

MODULES = sys.argv[1:] or [
    "test_socket", "test_select", "test_epoll", "test_asynchat", "test_ftplib",
    "test_smtplib", "test_socketserver", "test_telnetlib", "test_urllib2_localnet",
    "test_asyncio.test_sendfile", "test_asyncio.test_server", "test_asyncio.test_sock_lowlevel",
    "test_asyncio.test_ssl", "test_asyncio.test_streams"]
PATIENCE = 170

# What may differ, and why.
DIFFER = {
    r"UDPLITE": "the protocol is not ours: the kernel is asked, and has not the address",
    r"asyncore.*test_handle_expt": "urgent data is in the stream (test/posix/differences.txt)",
}

px.enter("ip")
if not px.ON_MILLRACE:
    lab.skip_all("it compares both stacks itself")
SOURCE = os.path.join(sysconfig.get_path("stdlib"), "test")
RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "px_python_run.py")
if not os.path.exists(SOURCE + "/test_socket.py"):
    lab.skip_all("Python's tests (libpython3.11-testsuite) are not installed")


def copy():
    """The tests, with our address for the loopback's."""
    at = os.path.join(px.folder(), "suite")
    shutil.copytree(SOURCE, at + "/test", symlinks=False,
                    ignore=shutil.ignore_patterns("__pycache__", "test_email*", "libregrtest"))
    for folder, _, names in os.walk(at):
        for name in names:
            if not name.endswith(".py"):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8", errors="surrogateescape") as f:
                was = f.read()
            now = re.sub(r"127\.0\.0\.1|(?<=['\"])localhost(?=['\"])", px.OURS, was)
            if now != was:
                with open(path, "w", encoding="utf-8", errors="surrogateescape") as f:
                    f.write(now)
    return at


def outcomes(text):
    """By test; the last one says whether the program came to its end."""
    found = {}
    for line in text.splitlines():
        if line.startswith("= "):
            _, name, outcome, why = (line.split(" ", 3) + ["", ""])[:4]
            found[name] = (outcome, why)
    return found


def run(module):
    """On both stacks at once: outcomes and seconds on the kernel's, and on ours."""
    begun = time.monotonic()
    command = ["timeout", str(PATIENCE), "env", "RES_OPTIONS=timeout:1 attempts:1",
               "python3", "-P", "-W", "ignore", RUNNER, suite, px.OURS, module]
    at = shell.begin(command)
    log = os.path.join(px.folder(), "kernel.out")
    with open(log, "w") as out:
        lab.start(*there, *command, stdout=out, stderr=subprocess.DEVNULL).wait()
    on_kernel = outcomes(px.read(log)), time.monotonic() - begun
    done = shell.end(at, PATIENCE + 5)
    return on_kernel, (outcomes(done.stdout), time.monotonic() - begun)


def differences(kernel, ours):
    """That are not known: by test, what was seen.  And how many are."""
    other = [n for n in {**kernel, **ours} if kernel.get(n, ("",))[0] != ours.get(n, ("",))[0]]
    new = [n for n in other if not any(re.search(p, n) for p in DIFFER)]
    return {n: f"{n}: {kernel.get(n, '')} | {ours.get(n, 'did not run')}" for n in new}, \
        len(other) - len(new)


def compare(module):
    """Some of the tests depend on time, on both stacks: what differs differs twice."""
    (kernel, kernel_s), (ours, ours_s) = run(module)
    new, known = differences(kernel, ours)
    ran = [n for n in kernel if kernel[n][0] != "skipped" and n != "all"]
    lab.note(f"{module}: {len(ran)} tests ran, {known} known to differ, {kernel_s:.1f} s on the "
             f"kernel, {ours_s:.1f} s on Millrace")
    if new:
        for line in new.values():
            lab.note(f"once: {line}")
        (kernel, _), (ours, _) = run(module)
        again, _ = differences(kernel, ours)
        new = {n: line for n, line in again.items() if n in new}
    lab.point("all" in kernel and "all" in ours and not new and ran,
              f"{module}: the outcome of every test is the kernel's", "\n".join(new.values()))


suite = copy()
there = lab.namespace()
lab.run(*there, "ip", "link", "set", "lo", "up")
lab.run(*there, "ip", "address", "add", px.OURS + "/32", "dev", "lo")
shell = px.Shell(slots=16)
for module in MODULES:
    compare(module)
lab.point(shell.stop() == 0, "the session ends with its last program")
lab.done()
