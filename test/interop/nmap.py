#!/usr/bin/python3
"""A stranger looks at us: are sequence numbers predictable, which ports are open?"""
import os
import re

import lab

lab.enter()
lab.need("nmap")
lab.network()
with open(os.path.join(lab.folder(), "index.html"), "w") as f:
    f.write("hello\n")
server = lab.httpd(lab.folder())
r = lab.run("nmap", "-n", "-Pn", "-v", "-O", "--send-eth", "-p", "79-83", "-T4",
            *([] if lab.FULL else ["--max-os-tries", "1"]), lab.OURS,
            check=False, timeout=100, stdin=open(os.devnull))
lab.note(r.stdout)
ports = re.findall(r"^(\d+)/tcp\s+(\w+)", r.stdout, re.M)
lab.point(("80", "open") in ports, "port 80 is open", r.stdout + r.stderr)
lab.point(all(state == "closed" for p, state in ports if p != "80"), "its neighbours are closed",
          ports)
m = re.search(r"TCP Sequence Prediction: Difficulty=(\d+) \((.*)\)", r.stdout)
lab.point(bool(m) and int(m[1]) >= 200 and m[2] == "Good luck!", "sequence numbers cannot be predicted",
          m[0] if m else r.stdout)
m = re.search(r"IP ID Sequence Generation: (.*)", r.stdout)
lab.point(bool(m) and "Incremental" not in m[1], "nor IP identifications", m[0] if m else "")
lab.point(server.poll() is None and lab.ask(server)["connections"] == 0,
          "the probes leave nothing behind", lab.conns(server))
lab.point(lab.stop(server) == 0, "the server ends in order")
lab.done()
