#!/usr/bin/python3
"""`millrace run` itself: what it refuses, what programs inherit, and what it leaves; `millrace why`."""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading

import lab
import px_lab as px

px.enter("curl", "cc")
if not px.ON_MILLRACE:
    lab.skip_all("it is about `millrace run`")
KERNEL, OURS = px.KERNEL, px.OURS
MILLRACE = lab.program("millrace")


# ---- what it refuses -----------------------------------------------------------------------

def compile(name, *flags, source="int main(void) { return 3; }"):
    out = px.file(name)
    subprocess.run(["cc", *flags, "-x", "c", "-o", out, "-"], input=source, text=True, check=True)
    return out


def refuses(name, status, words, *command, options=("--dev", "tap:none", "--addr", OURS + "/24")):
    r = subprocess.run([MILLRACE, "run", *options, *command], capture_output=True, text=True)
    lines = r.stderr.strip().split("\n")
    lab.point(r.returncode == status and words in r.stderr and len(lines) == 1, name, r)


GO_NOTE = """__asm__(".section .note.go.buildid,\\"a\\",@note\\n.long 4, 4, 4\\n"
                 ".asciz \\"Go\\"\\n.byte 0\\n.long 7\\n.previous\\n");
int main(void) { return 3; }"""


def refusals():
    static = compile("static", "-static")
    refuses("a static program is refused", 126, "statically linked", static)
    refuses("a static position-independent program is refused", 126, "statically linked",
            compile("static-pie", "-static-pie"))
    refuses("a Go program is refused", 126, "Go", compile("go", source=GO_NOTE))
    refuses("a script that a static program runs is refused", 126, "is run by",
            px.file("script", f"#! {static} -x\n", 0o755))
    given = compile("setuid")
    try:
        shutil.chown(given, 65534)
        os.chmod(given, 0o4755)
        refuses("a program that gets rights from its file is refused", 126, "rights", given)
    except OSError as e:
        lab.skip("a program that gets rights from its file is refused", e)
    with open(px.file("old"), "wb") as f:
        f.write(b"\x7fELF\1\1\1" + bytes(9) + bytes([2, 0, 3, 0]) + bytes(64))
    os.chmod(px.file("old"), 0o755)
    refuses("a program of another machine is refused", 126, "64-bit", px.file("old"))
    refuses("a program that is not there is told of", 127, "no such program", "not-there-at-all")
    refuses("a path that is not there is told of", 127, "No such file", "./not-there-at-all")
    refuses("a folder is told of", 126, "directory", "/tmp")
    refuses("a file that may not be executed is told of", 126, "may not", px.file("plain", "x"))
    refuses("no program is told of", 2, "which program")
    refuses("no device is told of", 2, "--dev", "true", options=())
    refuses("an unknown option is told of", 2, "--nonsense", "true", options=("--nonsense",))
    refuses("a device that cannot be is told of", 2, "", "true",
            options=("--dev", "packet:none0", "--addr", OURS + "/24"))
    return static


# ---- what programs inherit -----------------------------------------------------------------

clients = []


def serve(listener):
    while True:
        c, who = listener.accept()
        clients.append(who[0])
        got = b""
        while b"\r\n\r\n" not in got and (part := c.recv(4096)):
            got += part
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        c.close()


PYTHON = {
    "a program started with an empty environment is still ours": """
import os
os.execve("/usr/bin/curl", ["curl", "-sS", URL], {})
""",
    "so is one by fexecve, after a fork and a new environment": """
import os
pid = os.fork()
if pid == 0:
    os.execve(os.open("/usr/bin/curl", os.O_RDONLY), ["curl", "-sS", URL], {"LD_PRELOAD": ""})
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""",
    "so is one by posix_spawn": """
import os
pid = os.posix_spawnp("curl", ["curl", "-sS", URL], {})
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""",
    "so is one by popen": """
import os
print(os.popen("curl -sS " + URL).read())
""",
    "a socket goes on through exec, as its input and output": """
import os, socket
s = socket.create_connection((HOST, PORT))
os.dup2(s.fileno(), 0)
os.dup2(s.fileno(), 5)
os.execvp("sh", ["sh", "-c", "printf 'GET / HTTP/1.0\\\\r\\\\n\\\\r\\\\n' >&5; cat"])
""",
    "libc's streams work on a socket": """
import ctypes, socket
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
s = socket.create_connection((HOST, PORT))
f = ctypes.c_void_p(libc.fdopen(s.fileno(), b"r+"))
assert libc.fileno(f) == s.fileno()
libc.fprintf(f, b"GET /%d HTTP/1.0\\r\\n", 7)
libc.fflush(f)
libc.dprintf(s.fileno(), b"X: %2000s\\r\\n\\r\\n", b"y")
line, got = ctypes.create_string_buffer(999), b""
while libc.fgets(line, 999, f):
    got += line.value
assert libc.fclose(f) == 0
print(got.decode())
s.detach()
""",
    "calls by number mean the same": """
import ctypes, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.syscall(41, 2, 1, 0)
addr = struct.pack("<H", 2) + struct.pack(">H", PORT) + socket.inet_aton(HOST) + bytes(8)
assert libc.syscall(42, fd, addr, 16) == 0, ctypes.get_errno()
ask = b"GET / HTTP/1.0\\r\\n\\r\\n"
assert libc.syscall(1, fd, ask, len(ask)) == len(ask)
buf, got = ctypes.create_string_buffer(999), b""
while (n := libc.syscall(0, fd, buf, 999)) > 0:
    got += buf.raw[:n]
assert libc.syscall(3, fd) == 0
print(got.decode())
""",
}


# Each is a stack of its own, and takes part in the law that says whose a connection is.  On a machine
# that does other things, too, one in ten may lose a segment.
THREADS = """
import socket, threading, time
took = []
def connect():
    begun = time.monotonic()
    with socket.create_connection((HOST, PORT)) as s:
        took.append(time.monotonic() - begun)
        s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
        assert s.makefile().read().endswith('hello')
for _ in range(10):
    threads = [threading.Thread(target=connect) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
slow = [t for t in took if t > 0.7]
assert len(took) == 80 and len(slow) <= 8, slow
print('hello')
"""


def python(shell, source):
    """The shell reads lines: the program goes into a file."""
    at = px.file(f"p{len(os.listdir(px.folder()))}.py", source)
    return shell.run("python3", at)


def inheritance(shell, static):
    threading.Thread(target=serve, args=[socket.create_server(("", 8000))], daemon=True).start()
    url = f"http://{KERNEL}:8000/"

    def ours(name, run, *args):
        clients.clear()
        r = run(*args)
        lab.point(r.returncode == 0 and "hello" in r.stdout and set(clients) == {OURS}, name,
                  (r, clients))

    ours("a program is ours", shell.run, "curl", "-sS", url)
    ours("a script and what it starts are ours, whatever they do to their environment", shell.run,
         px.file("s", f"#!/bin/sh\nunset LD_PRELOAD MILLRACE_SESSION\nenv -i /usr/bin/curl -sS {url}\n",
                 0o755))
    for name, source in PYTHON.items():
        ours(name, python, shell, f"URL, HOST, PORT = '{url}', '{KERNEL}', 8000\n{source}")
    ours("threads that come and go, eight at a time, connect without waiting", python, shell,
         f"HOST, PORT = '{KERNEL}', 8000\n{THREADS}")
    r = shell.run(f"{static}; echo $?")
    lab.point(r.stdout.strip() == "3" and "statically linked" in r.stderr and
              len(r.stderr.strip().split("\n")) == 1,
              "a static program that one of ours starts runs on the kernel, and a line says so", r)
    if os.environ["LAB_INSIDE"] == "root":
        r = python(shell, """
import os
os.seteuid(65534)
os.execvp("true", ["true"])
""")
        lab.point(r.returncode == 0 and "another user" in r.stderr,
                  "so it is with a program that is started for another user", r)
    else:
        lab.skip("so it is with a program that is started for another user", "not root")
    r = python(shell, """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for _ in range(2):
    print(libc.syscall(425, 8, None), ctypes.get_errno())
""")
    lab.point(r.stdout == "-1 38\n-1 38\n" and r.stderr.count("io_uring") == 1,
              "io_uring is not there, and a line says why", r)
    r = python(shell, """
import socket, threading
l = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(l.getsockname())
a, _ = l.accept()
c.sendall(b"hello")
print(a.recv(9).decode())
""")
    lab.point(r.stdout == "hello\n", "loopback stays the kernel's", r)
    r = shell.run(f"{MILLRACE} run --dev tap:other --addr 10.8.0.2/24 true")
    lab.point(r.returncode == 1 and "another session" in r.stderr,
              "a session inside a session is refused", r)


# ---- why -----------------------------------------------------------------------------------

ECHO = f"""
import socket
l = socket.create_server(("{OURS}", 7003))
while True:
    c, _ = l.accept()
    while b := c.recv(65536):
        c.sendall(b)
    c.close()
"""
MIXED = f"""
import socket, sys, time
ours = socket.create_server(("{OURS}", 7001))
wild = socket.create_server(("", 7002))
loop = socket.create_server(("127.0.0.1", 7003))
six = socket.create_server(("::1", 7004), family=socket.AF_INET6)
print("ready", flush=True)
ours.accept()[0].close()
c, _ = ours.accept()
print("accepted", flush=True)
sys.stdin.read()
"""


def why(*args):
    return subprocess.run([MILLRACE, "why", *args], capture_output=True, text=True, timeout=10)


def reasons():
    read, write = os.pipe()
    s = px.Session("python3", "-c", MIXED, stdin=read)
    os.close(read)
    s.ready(7001)
    c = socket.create_connection((OURS, 7001))
    lab.wait_for(lambda: "accepted" in s.said())
    r = why("--control", s.control)
    lines = r.stdout.split("\n")
    find = lambda *words: any(all(w in x for w in words) for x in lines)
    lab.point(r.returncode == 0 and find("python3", str(s.pid)) and
              find("listener", f"{OURS}:7001", "accelerated") and
              find("listener", ":7002", "any address") and find("loopback") and
              find("connection", f"{OURS}:7001", f"{KERNEL}:{c.getsockname()[1]}", "connected"),
              "why tells of each descriptor what it is and the reason", r)
    lab.point(find("1 process: ", " accelerated, 2 the kernel's"), "and how many", lines)
    r = why("--control", s.control, "--json")
    one = [p for p in json.loads(r.stdout)["processes"] if p["pid"] == s.pid]
    lab.point(len(one) == 1 and any(d["ours"] and d["kind"] == "connection"
                                    for d in one[0]["descriptors"]), "the same as JSON", r)
    r = why("--control", s.control, "1")
    lab.point(r.returncode == 1 and "was not started by `millrace run`" in r.stderr,
              "a process of no session is told of", r)
    r = why("--control", s.control, "4194304")
    lab.point(r.returncode == 1 and "there is no process 4194304" in r.stderr, "and one that is gone",
              r)
    lab.point(why("--control", px.file("none")).returncode == 1, "a session that is not there, too")
    r = subprocess.run([lab.program("millrace-stat"), "-c", s.control], capture_output=True, text=True)
    lab.point(r.returncode == 0 and f"{OURS}:7001" in r.stdout, "millrace-stat asks a session as well",
              r)
    c.close()
    os.close(write)
    lab.wait_for(lambda: s.p.poll() is not None)
    lab.point(s.stop() == 0, "its status is the program's")
    lab.point(lab.wait_for(lambda: not os.path.exists(s.control), 5), "the control socket goes with it")


# ---- who looks after a session ---------------------------------------------------------------

def janitors():
    """Whoever kills the janitor finds another in its place; connections live on."""
    s = px.Session("python3", "-u", "-c", ECHO).ready(7003)
    c = socket.create_connection((OURS, 7003))
    talks = lambda: c.sendall(b"x" * 1000) or len(c.recv(1000, socket.MSG_WAITALL)) == 1000
    c.settimeout(10)
    first = lab.ask(s, "session")
    good = talks()
    for _ in range(3):
        was = lab.ask(s, "session")["janitor"]
        os.kill(was, signal.SIGKILL)

        def replaced():
            try:
                return lab.ask(s, "session")["janitor"] not in (0, was)
            except OSError:
                return False
        good = good and lab.wait_for(replaced, 5) and talks()
    now = lab.ask(s, "session")
    lab.point(good and now["janitors_killed"] == 3, "a killed janitor has a successor", (first, now))
    lab.point(why("--control", s.control, str(s.pid)).returncode == 0, "which answers as it did")
    c.close()
    socket.create_connection((OURS, 7003)).close()
    lab.point(lab.wait_for(lambda: lab.ask(s, "session")["connections"] == 0, 5),
              "and closes what is closed", lab.ask(s, "session"))
    lab.point(s.stop() == -signal.SIGTERM, "and ends with the session")
    gone = lambda: not any(os.path.exists(f"/proc/{now[x]}/exe") for x in ("janitor", "guard"))
    lab.point(lab.wait_for(gone, 5), "as does its guard")


# ---- one after another -----------------------------------------------------------------------

AGAIN = f"""
import socket, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("{OURS}", 40000))
began = time.monotonic()
s.connect(("{KERNEL}", 8000))
print(time.monotonic() - began)
s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
while s.recv(999):
    pass
s.close()
"""


def meets():
    """The server closes first, and keeps the TIME-WAIT that the next session's SYN meets."""
    took = []
    for _ in range(3):
        shell = px.Shell()
        r = python(shell, AGAIN)
        took.append(float(r.stdout) if r.returncode == 0 else r)
        waits = lab.run("ss", "-Htan", "state", "time-wait", "sport", "= :8000").stdout
        lab.note(f"connected in {took[-1]} s; {waits.count(':40000')} TIME-WAIT")
        shell.stop()
    lab.point(":40000" in waits and all(isinstance(x, float) and x < 0.5 for x in took),
              "a new session opens a connection that its peer has a TIME-WAIT of", (took, waits))


# ---- the end -------------------------------------------------------------------------------

def ends():
    s = px.Session("sh", "-c", "trap 'exit 9' USR1; while :; do sleep 0.1; done")
    pid = s.pid
    with open(f"/proc/{pid}/comm") as f:
        lab.point(f.read().strip() in ("sh", "dash"), "the program has the process of `millrace run`")
    lab.point(s.stop(signal.SIGUSR1) == 9, "a signal is the program's, and so is its status")
    sleeper = compile("sleeper", "-static", source="""#include <unistd.h>
int main(void) { sleep(60); }""")
    s = px.Session("sh", "-c", f"exec {sleeper}")
    lab.wait_for(lambda: "statically" in s.said())
    r = why("--control", s.control, str(s.pid))
    lab.point("statically linked" in s.said() and "statically linked" in r.stdout,
              "why tells what a program has become that cannot be preloaded", (r, s.said()))
    lab.point(s.stop() == -signal.SIGTERM, "which ends as it would, and the session with it")
    s = px.Session("sleep", "60")
    lab.point(s.stop(signal.SIGKILL) == -signal.SIGKILL, "so is a death by a signal")


static = refusals()
shell = px.Shell()
inheritance(shell, static)
lab.point(shell.stop() == 0, "a session ends with its last program")
reasons()
janitors()
meets()
ends()
lab.done()
