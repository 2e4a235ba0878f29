#!/usr/bin/python3
"""Two programs of ours talk over a wire in shared memory, no kernel between them."""
import json
import os
import time

import lab

lab.enter()
load = lab.program("millrace-load")
www = lab.folder()
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("x" * 100)
lab.make_file(os.path.join(www, "big"), 100 << 20)
wire = os.path.join(www, "wire")
server = lab.httpd(www, dev=f"shm:{wire}:0", addr="10.9.0.2")
client = ("--dev", f"shm:{wire}:1", "--addr", "10.9.0.1/24", "--control", "none")
r = lab.run(load, *client, "http", "--to", "10.9.0.2:80", "--connections", "32",
            "--duration-ms", "3000", "--path", "/index.html", "--quiet", check=False)
lab.note(r.stdout)
lab.point(r.returncode == 0, "millrace-load loads millrace-httpd", r.stdout + r.stderr)
status = lab.ask(server)
lab.point(status["counters"]["tcp"]["passive_opens"] >= 32, "over 32 connections",
          status["counters"]["tcp"])
lab.point(status["counters"]["tcp"]["rexmit_segs"] == 0, "without a retransmission",
          status["counters"]["tcp"])
lab.point(lab.wait_for(lambda: lab.ask(server)["connections"] == 0), "that close at the end",
          lab.conns(server)[:3])

# Nobody talks: the server sleeps, and the next client, another side 1, wakes it at once.
time.sleep(0.3)
ticks = lab.cpu_ticks(server.pid)
time.sleep(1)
lab.point(lab.cpu_ticks(server.pid) == ticks, "an idle end uses no processor time")
for i in range(2):
    r = lab.run(load, *client, "http", "--to", "10.9.0.2:80", "--connections", "1", "--rate", "200",
                "--duration-ms", "1000", "--path", "/index.html", "--quiet", "--json", check=False)
    got = json.loads(r.stdout) if r.returncode == 0 else {}
    p50 = got.get("latency_us", {}).get("p50", 1e9)
    lab.point(p50 < 500, "another client of the same wire is answered at once", r.stdout + r.stderr)
lab.point(lab.stop(server) == 0 and not [f for f in os.listdir(www) if f.startswith("wire")],
          "the server ends in order", os.listdir(www))

# A proxy between a program and itself.
for how in ((), ("--close",)):
    proxy = lab.ours("millrace-relay", "--listen", ":80", "--upstream", "10.9.0.1:8000",
                     dev=f"shm:{wire}:0", addr="10.9.0.2")
    r = lab.run(load, *client, "http", "--to", "10.9.0.2:80", "--origin", "8000", "--origin-bytes",
                "3000", "--connections", "16", "--duration-ms", "300", "--quiet", "--json", *how,
                check=False)
    said = json.loads(r.stdout or "{}")
    lab.point(r.returncode == 0 and said["requests"] > 100 and
              said["rx_bytes"] > 3000 * said["requests"],
              f"millrace-load is its own origin {' '.join(how)}", r.stdout + r.stderr)
    lab.stop(proxy)
lab.done()
