#!/usr/bin/python3
"""A peer killed in mid-sentence, a cable pulled, a peer that does not read, memory used up."""
import os
import signal
import socket
import threading
import time

import lab

PULLED_S = float(os.environ.get("LAB_CABLE_SECONDS", 8 if lab.FULL else 1))

lab.enter()
lab.need("curl", "sha256sum")
lab.program("millrace-httpd")
lab.network()
www = os.path.join(lab.folder(), "www")
os.mkdir(www)
size = (400 if lab.FULL else 60) << 20
digest = lab.make_file(os.path.join(www, "big"), size)
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("hello\n")
url = f"http://{lab.OURS}/"
got = os.path.join(lab.folder(), "got")


def no_connection(server, seconds=10):
    return lab.wait_for(lambda: lab.ask(server)["connections"] == 0, seconds)


def buffers(server):
    """What is still held of the pools that data goes through."""
    return {p["name"]: p["used"] - p["posted"] for p in lab.ask(server)["pools"]
            if p["used"] > p["posted"] and (p["name"].endswith(" rx") or p["name"] in (
                "packets to send", "send buffer chunks", "send buffer descriptors",
                "copied packets"))}


def fetch_small(server):
    return lab.run("curl", "-sS", "--max-time", "5", url, check=False).stdout == "hello\n"


# ---- kill -9 ----------------------------------------------------------------------------

server = lab.httpd(www)
peers = [lab.start("curl", "-sS", "--limit-rate", "5M", "-o", os.devnull, url + "big")
         for _ in range(8)]
busy = lab.wait_for(lambda: lab.ask(server)["connections"] == 8)
time.sleep(0.5)
for p in peers:
    p.send_signal(signal.SIGKILL)
    p.wait()
lab.point(busy and no_connection(server), "kill -9 of 8 peers leaves no connection behind",
          lab.conns(server))
lab.point(lab.wait_for(lambda: not buffers(server)), "and no buffer", buffers(server))
lab.point(fetch_small(server), "the server goes on")

# ---- the cable --------------------------------------------------------------------------

peer = lab.start("curl", "-sS", "--limit-rate", "100M" if lab.FULL else "20M",
                 "--max-time", "110", "-o", got, url + "big")
lab.wait_for(lambda: os.path.exists(got) and os.path.getsize(got) > 10 << 20)
lab.run("ip", "link", "set", lab.LINK, "down")
time.sleep(PULLED_S)
mid = lab.ask(server)
lab.point(mid["connections"] == 1, f"the connection outlives {PULLED_S:g} s without a cable")
lab.run("ip", "link", "set", lab.LINK, "up")
again = time.monotonic()
before = os.path.getsize(got)
lab.wait_for(lambda: os.path.getsize(got) > before, 60)
lab.note(f"data again {time.monotonic() - again:.1f} s after the cable is back")
lab.point(peer.wait(110) == 0 and lab.sha256(got) == digest, "and the transfer is whole")
status = lab.ask(server)
name = "what the pulled cable lost was counted"
if lab.DEVICE == "tap":
    lab.point(status["interfaces"][1]["tx_error"] > 0, name, status["interfaces"])
else:
    lab.skip(name, f"nobody tells {lab.DEVICE} what became of a frame that it has handed over")
lab.point(status["counters"]["tcp"]["rto_fired"] > 0, "and sent again",
          status["counters"]["tcp"])
no_connection(server)

# ---- peers that do not read -------------------------------------------------------------

slow = []
for _ in range(50):
    s = socket.create_connection((lab.OURS, 80), timeout=5)
    s.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
    slow.append(s)
time.sleep(1)
lab.point(fetch_small(server), "50 peers that do not read hold nobody else up")
lab.wait_for(lambda: len(lab.conns(server)) == 50, 10)  # the one that was served has gone
stuck = lab.conns(server)
lab.point(len(stuck) == 50 and all(c["in_flight"] <= 16 << 20 for c in stuck),
          "each holds no more than its window", (len(stuck), stuck[:2]))
n = 0
while n < 1000000:
    n += len(slow[0].recv(65536))
lab.point(True, "one of them reads again and gets its data")
for s in slow:
    s.close()
lab.point(no_connection(server), "they go", lab.conns(server))
lab.point(lab.wait_for(lambda: not buffers(server)), "with all their buffers", buffers(server))
lab.point(lab.stop(server) == 0, "the server ends in order")

# ---- a program that cannot get rid of what it reads -------------------------------------

server = lab.echo("--max-conns", 64)
chunk = os.urandom(1 << 16)
mute = []
for _ in range(60):
    s = socket.create_connection((lab.OURS, 7), timeout=5)
    s.setblocking(False)
    mute.append(s)
sent = [0] * len(mute)
end = time.monotonic() + (4 if lab.FULL else 2)
while time.monotonic() < end:
    for i, s in enumerate(mute):
        try:
            sent[i] += s.send(chunk)
        except BlockingIOError:
            pass
    time.sleep(0.001)
lab.note(f"pushed {sum(sent) >> 20} MB at an echo server that nobody reads from")
status = lab.ask(server)
rx = lab.rx_pool(status)
lab.point(rx["used"] - rx["posted"] < rx["capacity"], "the port keeps buffers for others", rx)
r = lab.run("ping", "-c", "3", "-i", "0.2", "-W", "2", lab.OURS, check=False)
lab.point(r.returncode == 0, "and still answers", r.stdout)

back = [0] * len(mute)


def drain(i):
    s = mute[i]
    s.settimeout(20)
    s.shutdown(socket.SHUT_WR)
    while part := s.recv(1 << 18):
        back[i] += len(part)


threads = [threading.Thread(target=drain, args=(i,), daemon=True) for i in range(len(mute))]
for t in threads:
    t.start()
for t in threads:
    t.join(30)
lab.point(back == sent, "when they read again every byte comes back",
          f"{sum(back)} of {sum(sent)}")
for s in mute:
    s.close()
lab.point(no_connection(server), "no connection is left", lab.conns(server)[:3])
lab.point(lab.wait_for(lambda: not buffers(server)), "no buffer either", buffers(server))

# ---- the connection table ---------------------------------------------------------------

some = []
for _ in range(100):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((lab.OURS, 7))
    some.append(s)
time.sleep(1)
status = lab.ask(server)
limit = lab.pool(status, "connections")["capacity"]
refused = status["counters"]["tcp"]["no_conn_memory"] + \
    status["counters"]["tcp"]["drop_accept_full"] + \
    sum(v for k, v in lab.drops(status).items() if k.startswith("tcp."))
lab.point(status["connections"] <= limit, f"no more than {limit} connections at once",
          status["connections"])
lab.point(limit >= 100 or refused > 0, "those refused were counted", status["counters"]["tcp"])
for s in some:
    s.close()
lab.point(no_connection(server, 20), "they go", lab.conns(server)[:3])
s = socket.create_connection((lab.OURS, 7), timeout=10)
s.sendall(b"again")
lab.point(s.recv(16) == b"again", "and a new one is served")
lab.point(lab.stop(server) == 0, "the server ends in order")
lab.done()
