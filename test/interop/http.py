#!/usr/bin/python3
"""curl against millrace-httpd: small things, and 1 GB both ways."""
import hashlib
import os
import re
import socket
import threading
import time

import lab

lab.enter()
lab.need("curl", "sha256sum")
lab.program("millrace-httpd")
lab.network()
www = os.path.join(lab.folder(), "www")
os.mkdir(www)
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("hello\n")
size = int(os.environ.get("LAB_BULK_BYTES", 1 << 30 if lab.FULL else 64 << 20))
digest = lab.make_file(os.path.join(www, "big"), size)
server = lab.httpd(www)
url = f"http://{lab.OURS}/"


def curl(*args, check=False):
    return lab.run("curl", "-sS", "--max-time", "100", *args, check=check)


r = curl(url)
lab.point(r.stdout == "hello\n", "a page arrives", r.stderr)
r = curl("-I", url)
lab.point("200 OK" in r.stdout and "hello" not in r.stdout, "HEAD sends no body", r.stdout)
r = curl("-o", os.devnull, "-w", "%{http_code}", url + "nothing")
lab.point(r.stdout == "404", "what is not there is 404", r.stdout)
r = curl("-r", "100-199", url + "big", "-o", os.path.join(lab.folder(), "part"))
with open(os.path.join(www, "big"), "rb") as f, \
        open(os.path.join(lab.folder(), "part"), "rb") as g:
    f.seek(100)
    lab.point(f.read(100) == g.read(), "a range is that range")
r = curl("-w", "%{num_connects}\n", "-o", os.devnull, url, "-o", os.devnull, url, "-o", os.devnull,
         url)
lab.point(r.stdout.split() == ["1", "0", "0"], "a connection is kept and used again", r.stdout)

# More answers than the connection takes at once: some wait, and a date may change on the way.
asks = 5000
pipe = socket.create_connection((lab.OURS, 80), timeout=60)
ask = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
asker = threading.Thread(target=lambda: pipe.sendall(
    ask * asks + ask[:-2] + b"Connection: close\r\n\r\n"), daemon=True)
asker.start()
time.sleep(1.5)
answers = b""
while part := pipe.recv(1 << 20):
    answers += part
asker.join(5)
pipe.close()
one = re.sub(rb"Date: [^\r]*\r\n|Connection: close\r\n", b"", answers).split(b"HTTP/1.1 ")[1:]
lab.point(len(one) == asks + 1 and len(set(one)) == 1 and one[0].endswith(b"\r\n\r\nhello\n"),
          f"{asks} requests in one breath are answered alike", f"{len(one)} answers")

got = os.path.join(lab.folder(), "got")
r = curl("-o", got, "-w", "%{speed_download}", url + "big")
lab.note(f"down: {float(r.stdout or 0) * 8 / 1e9:.1f} Gbit/s")
lab.point(r.returncode == 0 and lab.sha256(got) == digest, f"{size >> 20} MB arrive unchanged",
          r.stderr)
os.remove(got)

status = lab.ask(server)
tcp = status["counters"]["tcp"]
if lab.DEVICE == "tap":
    # When curl stands still its window closes; the octet of a probe that it refused goes again.
    lab.point(tcp["rexmit_segs"] <= tcp["persist_probes"],
              "nothing was retransmitted but what a closed window had refused", tcp)
else:
    # A TAP refuses what it has no room for; the far end of a veth drops it, and the sender cannot
    # know.  A few in a hundred may have to go twice.
    lab.note(f"{tcp['rexmit_segs']} of {tcp['segs_out']} segments retransmitted")
    lab.point(tcp["rexmit_segs"] * 50 < tcp["segs_out"], "hardly anything was retransmitted", tcp)
lab.point(lab.wait_for(lambda: lab.ask(server)["connections"] == 0),
          "no connection is left behind", lab.conns(server))
used = {p["name"]: p["used"] for p in lab.ask(server)["pools"]
        if p["name"] in ("packets to send", "send buffer chunks", "copied packets")}
lab.point(not any(used.values()), "every buffer went back to its pool", used)
lab.point(lab.stop(server) == 0, "SIGTERM ends the server in order")
lab.point(not os.path.exists(server.control), "and removes the control socket")

# Up, and back: millrace-echo returns what it gets.
server = lab.echo()
s = socket.create_connection((lab.OURS, 7), timeout=60)


def upload():
    with open(os.path.join(www, "big"), "rb") as f:
        s.sendfile(f)
    s.shutdown(socket.SHUT_WR)


sender = threading.Thread(target=upload, daemon=True)
sender.start()
back, n = hashlib.sha256(), 0
while part := s.recv(1 << 20):
    back.update(part)
    n += len(part)
lab.point(n == size and back.hexdigest() == digest,
          f"{size >> 20} MB go up and come back unchanged", f"{n} bytes")
sender.join(5)
s.close()
lab.point(lab.wait_for(lambda: lab.ask(server)["connections"] == 0),
          "no connection is left behind", lab.conns(server))

u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.settimeout(5)
u.connect((lab.OURS, 7))
for n in (0, 1, 1472, 1473, 9000, 65507):
    if n > lab.DATAGRAM_MAX:
        lab.skip(f"a datagram of {n} bytes comes back", lab.WHY_NO_LARGER)
        continue
    u.send(bytes(i & 255 for i in range(n)))
    lab.point(u.recv(70000) == bytes(i & 255 for i in range(n)),
              f"a datagram of {n} bytes comes back")
lab.point(lab.stop(server) == 0, "SIGTERM ends the echo server in order")
lab.done()
