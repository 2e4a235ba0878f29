#!/usr/bin/python3
"""wrk with connections that stay, ab with connections that close."""
import os
import re

import lab

lab.enter()
lab.need("wrk", "ab")
lab.network()
www = lab.folder()
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("x" * 100)
server = lab.httpd(www)
url = f"http://{lab.OURS}/index.html"

r = lab.run("wrk", "-t", "1", "-c", "64", "-d", "4" if lab.FULL else "1", url, check=False)
rate = float((re.search(r"Requests/sec:\s+([\d.]+)", r.stdout) or [0, 0])[1])
lab.note(f"wrk, 64 connections: {rate:.0f} requests/s")
lab.point(rate > 1000, "wrk keeps 64 connections busy", r.stdout + r.stderr)
lab.point("Socket errors" not in r.stdout and "Non-2xx" not in r.stdout,
          "wrk sees no error", r.stdout)

n = 20000 if lab.FULL else 2000
r = lab.run("ab", "-q", "-n", str(n), "-c", "50", url, check=False)
lab.point(f"Complete requests:      {n}" in r.stdout and "Failed requests:        0" in r.stdout,
          f"ab opens and closes {n} connections without a failure", r.stdout + r.stderr)
lab.note((re.search(r"Requests per second:.*", r.stdout) or [""])[0])

status = lab.ask(server)
tcp = status["counters"]["tcp"]
lab.point(tcp["passive_opens"] >= n, "every one of them was a connection of ours", tcp)
lab.point(lab.wait_for(lambda: lab.ask(server)["connections"] == 0),
          "no connection is left behind", lab.conns(server))
# A client that closes in a hurry resets what crosses its FIN, with a number that is old by then.
late = ("tcp.drop_rst_no_conn", "tcp.drop_no_conn", "tcp.drop_time_wait_rst",
        "tcp.drop_rst_challenged")
unexpected = {k: v for k, v in lab.drops(lab.ask(server)).items()
              if k.startswith("tcp.") and k not in late}
lab.point(not unexpected, "nothing but late RSTs was dropped", unexpected)
lab.point(lab.stop(server) == 0, "the server ends in order")
lab.done()
