#!/usr/bin/python3
"""The controller on Millrace and on the kernel, with POF switches that are as strict as the real ones."""
import json
import os
import subprocess
import threading
import time

import lab

lab.enter()
lab.network()
ofd = lab.program("millrace-ofd")
switchd = os.path.join(lab.BUILD, "test", "interop", "pof_switchd")
if not os.path.exists(ofd) or not os.path.exists(switchd):
    lab.skip_all("the controller is not built")
example = os.path.join(lab.ROOT, "etc", "pof-example.json")


class Switch:
    """A pof_switchd and what it says."""

    def __init__(self, addr, port, dialect, dev, ports, late):
        self.lines = []
        self.p = subprocess.Popen([switchd, addr, str(port), dialect, str(dev), str(ports), str(late)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        lab._running.append(self.p)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.p.stdout:
            self.lines.append(line.strip())

    def say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()

    def state(self):
        n = len(self.lines)
        self.say("state")
        end = time.time() + 5
        while time.time() < end:
            for line in self.lines[n:]:
                if line.startswith("state"):
                    w = line.split()
                    return {"state": int(w[1]), "entries": int(w[3]), "errors": int(w[5]),
                            "closed": int(w[9]), "handshakes": int(w[11]), "enabled": int(w[13])}
            time.sleep(0.02)
        return {}

    def wait(self, good, seconds=15):
        end = time.time() + seconds
        s = {}
        while time.time() < end:
            s = self.state()
            if s and good(s):
                return s
            time.sleep(0.2)
        return s

    def frame(self, port, hexes, settle=0.4):
        """What comes out after a frame has gone in: (port, hex)."""
        n = len(self.lines)
        self.say(f"rx {port} {hexes}")
        time.sleep(settle)
        return [tuple(l.split()[1:]) for l in self.lines[n:] if l.startswith("tx")]

    def end(self):
        self.p.stdin.close()
        self.p.wait(timeout=5)


def frame(to, of, kind="0800", rest=""):
    return f"0200000000{to:02x}0200000000{of:02x}{kind}{rest}".ljust(120, "0")


def rest(verb, path, body=None):
    """Status and answer."""
    body = ("-H", "Content-Type: application/json", "-d", json.dumps(body)) if body else ()
    r = lab.run("curl", "-s", "-m", "10", "-X", verb, "-w", "\n%{http_code}", *body,
                "http://127.0.0.1:8181" + path, check=False)
    said, _, code = r.stdout.rpartition("\n")
    return int(code or 0), json.loads(said or "{}")


def judge_rest(name, sw):
    """Entries that come and go by REST."""
    entry = {"table": "labels", "priority": 10, "match": {"label.id": "0x44"},
             "steps": ["set label.id 0x45", "output 4"]}
    packet = frame(2, 1, "88b5", "0044090800" + "45")
    code, said = rest("POST", "/v1/pof/0000000000000051/entries", entry)
    number = said.get("id")
    lab.point(code == 201 and number, f"{name}: an entry is added by REST", (code, said))
    time.sleep(1)
    out = sw.frame(2, packet)
    lab.point([(p, h[24:32]) for p, h in out] == [("4", "88b50045")], f"{name}: and obeyed", out)
    code, said = rest("POST", "/v1/pof/0000000000000051/entries", entry)
    lab.point(code == 409, f"{name}: the same again is a conflict", (code, said))
    code, said = rest("POST", "/v1/pof/0000000000000051/entries",
                      dict(entry, priority=11, steps=["output everywhere"]))
    lab.point(code == 400 and "everywhere" in json.dumps(said),
              f"{name}: what is wrong is said in words", (code, said))
    code, said = rest("GET", "/v1/pof/0000000000000051")
    mine = [e for e in said.get("entries", []) if e["id"] == number]
    lab.point(code == 200 and mine and mine[0]["there"] and mine[0]["do"] == entry["steps"], f"{name}: the switch's tables are shown", said)
    code, said = rest("DELETE", "/v1/pof/0000000000000051/entries", {"id": number})
    time.sleep(1)
    out = sw.frame(2, packet)
    lab.point(code == 200 and out == [], f"{name}: and deleted", (code, said, out))


def judge(where, addr, dialect, late):
    name = f"{where}, {dialect}" + (f", {late} ms late" if late else "")
    sw = Switch(addr, 6643, dialect, "0x51", 5, late)
    s = sw.wait(lambda s: s["enabled"] == 5 and s["entries"] >= 16)
    lab.point(s.get("state") == 6 and s["enabled"] == 5 and s["errors"] == 0 and s["closed"] == 0,
              f"{name}: the handshake is kept and every port enabled", s)
    out = sw.frame(5, frame(0x77, 5))
    lab.point(sorted(p for p, _ in out) == ["1", "2", "3", "4"], f"{name}: what is unknown is flooded", out)
    time.sleep(1)
    out = sw.frame(4, frame(5, 4))
    lab.point([p for p, _ in out] == ["5"], f"{name}: what is learnt is not", out)
    out = sw.frame(2, frame(2, 1, "88b5", "0011090800" + "45"))
    lab.point([(p, h[24:38]) for p, h in out] == [("3", "88b50022080800")],
              f"{name}: the header of the file is matched and rewritten", out)
    for i in range(20):
        sw.frame(3 + i % 3, frame(0xff, 0x20 + i), 0.02)
    s = sw.wait(lambda s: s["entries"] >= 40)
    lab.point(s.get("errors") == 0 and s["closed"] == 0 and s["entries"] >= 40,
              f"{name}: twenty hosts at once reset nothing", s)
    if not late:
        judge_rest(name, sw)
    sw.say("cut")
    s = sw.wait(lambda s: s["handshakes"] == 2 and s["entries"] >= 16)
    lab.point(s.get("handshakes") == 2 and s["errors"] == 0 and s["closed"] == 0,
              f"{name}: it comes back to the same tables", s)
    out = sw.frame(2, frame(2, 1, "88b5", "0033090800" + "45"))
    lab.point([(p, h[24:30]) for p, h in out] == [("1", "080045")],
              f"{name}: and forwards as before", out)
    sw.end()


own = ("--pof-listen", "6643", "--mode", "learn", "--network", example, "--quiet")
for where in ("Millrace", "the kernel"):
    ours = where == "Millrace"
    net = ("--dev", lab.dev(), "--addr", lab.OURS + "/24") if ours else ("--dev", "kernel")
    p = lab.start(*(lab.inside if ours else ()), ofd, *net, *own)
    time.sleep(1)
    for dialect in ("huawei", "ustc"):
        judge(where, lab.OURS if ours else "127.0.0.1", dialect, 0)
    if ours:
        judge(where, lab.OURS, "huawei", 30)
    p.terminate()
    p.wait(timeout=10)

lab.done()
