#!/usr/bin/env python3
"""REST of millrace-ofd over real switches: lists, flows that survive, refusals, tokens."""
import json
import os
import re
import subprocess
import sys

here = sys.path.pop(0)  # http.py beside this file is not Python's http
import urllib.error
import urllib.request

sys.path.insert(0, here)
import lab
import of_lab

REST = "http://127.0.0.1:8181"
ONE = "0000000000000001"


def ask(path, verb="GET", body=None, token=None):
    """Status and what was answered: JSON, or text."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    r = urllib.request.Request(REST + path, data, method=verb)
    if token:
        r.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(r, timeout=15) as f:
            status, text = f.status, f.read().decode()
    except urllib.error.HTTPError as e:
        status, text = e.code, e.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def controller(*more):
    p = lab.start(os.path.join(lab.BUILD, "src/tools/millrace-ofd"), "--dev", "kernel",
                  "--cores", "2", "--quiet", "--listen", lab.KERNEL + ":6653", "--stats-interval",
                  "1", *more)
    lab.wait_for(lambda: ready(), 10, 0.1)
    return p


def flows_of(switch):
    return "\n".join(switch.flows())


def ready():
    try:
        urllib.request.urlopen(REST + "/", timeout=1)
        return True
    except OSError:
        return False


def stop(p):
    p.terminate()
    return p.wait(10)


def reading(net):
    status, out = ask("/v1/switches")
    dpids = sorted(s["dpid"] for s in out["switches"])
    lab.point(status == 200 and dpids == ["%016x" % n for n in (1, 2)],
              "both switches are listed, whatever core they are on", out)
    lab.point(lab.wait_for(lambda: len(ask("/v1/links")[1]["links"]) == 2, 10, 0.2),
              "the link is found in both directions", ask("/v1/links"))
    net.ping_all()
    hosts = ask("/v1/hosts")[1]["hosts"]
    lab.point({h["ip"] for h in hosts} == {"10.0.0.11", "10.0.0.21"}, "both hosts are known", hosts)
    paths = ask("/v1/paths/02:00:00:00:00:11/02:00:00:00:00:21")[1]
    lab.point(len(paths.get("paths", [])) == 1 and len(paths["paths"][0]["links"]) == 1,
              "the path between them is one link", paths)
    status, out = ask("/v1/switches/1/flows")
    lab.point(status == 200 and any(f["match"].get("eth_dst") for f in out["flows"]),
              "a switch's flows are what it says", out)
    lab.point(lab.wait_for(lambda: any(
        p["rx_bytes"] for p in ask("/v1/switches/1/ports")[1]["ports"]), 5, 0.2),
        "ports have counters")
    for path in ("tables", "groups", "meters", "macs"):
        status, out = ask("/v1/switches/2/" + path)
        lab.point(status == 200, f"{path} of a switch", (status, out))
    events = ask("/v1/events")[1]
    lab.point(any(e["kind"] == "switch_up" for e in events["events"]) and
              ask("/v1/events?since=" + events["next"])[1]["events"] == [],
              "events are told once", events)


def writing(net):
    flow = {"priority": 500, "match": {"eth_type": 2048, "ipv4_dst": "10.7.0.0/16"},
            "actions": [{"type": "OUTPUT", "port": 3}]}
    status, out = ask("/v1/switches/1/flows", "POST", flow)
    lab.point(status == 201 and "10.7.0.0/16" in flows_of(net.switch(1)),
              "a flow is at the switch when it is confirmed",
              (status, out, flows_of(net.switch(1))))
    status, out = ask("/v1/switches/2/flows", "POST", flow)
    lab.point(status == 201 and "10.7.0.0/16" in flows_of(net.switch(2)),
              "also where the switch is another core's", (status, out))
    flow["actions"] = [{"type": "OUTPUT", "port": 1}]
    status, out = ask("/v1/switches/1/flows", "PUT", flow)
    lab.point(status == 200 and "output:1" in flows_of(net.switch(1)).split("10.7.0.0/16")[1][:30],
              "it is modified", (status, out, flows_of(net.switch(1))))
    status, out = ask("/stats/groupentry/add", "POST",
                      {"dpid": 1, "group_id": 5, "type": "ALL",
                       "buckets": [{"actions": [{"type": "OUTPUT", "port": 1}]}]})
    lab.point(status == 200, "a group is added", (status, out))
    status, out = ask("/stats/flowentry/add", "POST",
                      {"dpid": 1, "priority": 501, "match": {"in_port": 3, "dl_type": 2054},
                       "actions": [{"type": "GROUP", "group_id": 5}]})
    lab.point(status == 200 and "group:5" in flows_of(net.switch(1)), "and a flow that uses it",
              (status, out))
    status, out = ask("/v1/switches/1/flows", "POST",
                      {"priority": 502, "match": {},
                       "actions": [{"type": "GROUP", "group_id": 77}]})
    lab.point(status == 502 and "BAD" in json.dumps(out), "what the switch refuses is told by name",
              (status, out))
    stored = ask("/v1/stored")[1]["stored"]
    lab.point(len(stored) == 4 and all(s["state"] == "installed" for s in stored),
              "what is kept is listed, and the refused one is not", stored)
    status, out = ask("/v1/switches/9/flows", "POST", flow)
    lab.point(status == 202, "for a switch that is not there it is kept", (status, out))
    flow["idle_timeout"] = 60
    status, out = ask("/v1/switches/9/flows", "POST", flow)
    lab.point(status == 404, "unless it would end by itself", (status, out))


def surviving(net):
    s = net.switch(1)
    s.kill()
    lab.wait_for(lambda: len(ask("/v1/switches")[1]["switches"]) == 1, 20, 0.2)
    s.start()
    lab.wait_for(lambda: s.is_up(), 10, 0.1)
    good = lab.wait_for(lambda: "10.7.0.0/16" in flows_of(s) and "group:5" in flows_of(s), 15, 0.3)
    lab.point(good, "what is kept is installed again when a switch comes back, groups first",
              flows_of(s))
    status, out = ask("/v1/switches/1/flows", "DELETE")
    lab.point(status == 200 and "10.7.0.0" not in flows_of(s) and
              not [x for x in ask("/v1/stored?dpid=1")[1]["stored"] if x["kind"] == "flow"],
              "it is deleted, at the switch and here", (status, out, flows_of(s)))
    status, out = ask("/v1/switches/1/groups/5", "DELETE")
    lab.point(status == 200, "so is the group", (status, out))


def commanding(net):
    status, out = ask("/v1/switches/1/ports/1", "PUT", {"up": False})
    lab.point(status == 200 and lab.wait_for(
        lambda: not [p for p in ask("/v1/switches/1/ports")[1]["ports"] if p["port"] == 1][0]["up"],
        3, 0.1), "a port goes down", (status, out))
    ask("/onos/v1/devices/of:%s/portstate/1" % ONE, "POST", {"enabled": True})
    status, out = ask("/v1/switches/1/role", "PUT", {"role": "MASTER"})
    lab.point(status == 200 and out.get("role") == "MASTER" and
              ask("/stats/role/1")[1]["1"][0]["role"] == "MASTER", "a role is changed",
              (status, out))
    status, out = ask("/v1/switches/1/ports/99", "PUT", {"up": True})
    lab.point(status == 404, "a port that is not there is not", (status, out))


def cli(*words):
    p = subprocess.run([os.path.join(lab.BUILD, "src/tools/millrace-of"), *words],
                       capture_output=True, text=True, timeout=30)
    return p.returncode, p.stdout + p.stderr


def command_line(net):
    if not os.path.exists(os.path.join(lab.BUILD, "src/tools/millrace-of")):
        lab.skip("millrace-of", "libcurl was not there")
        return
    flow = "priority=321,tcp,nw_src=10.5.0.0/16,tp_dst=80,actions=mod_dl_dst:02:00:00:00:00:77,2"
    added = cli("add-flow", "1", flow)
    here = flows_of(net.switch(1))
    lab.point(added[0] == 0 and "nw_src=10.5.0.0/16,tp_dst=80" in here and "output:2" in here,
              "millrace-of adds a flow in ovs-ofctl's words", (added, here))
    status, text = cli("flows", "1")
    lab.point(status == 0 and "ipv4_src=10.5.0.0/16" in text and "output:2" in text,
              "and shows it", text)
    deleted = cli("del-flow", "1", "priority=321,tcp,nw_src=10.5.0.0/16,tp_dst=80")
    lab.point(deleted[0] == 0 and "10.5.0.0" not in flows_of(net.switch(1)),
              "and deletes it", deleted)
    out = [cli(*w.split()) for w in ("switches", "ports", "topology", "hosts", "links", "stored",
                                     "events", "counters", "dump", "tables 1", "process",
                                     "paths 1 2", "--json switches")]
    lab.point(all(s == 0 and t for s, t in out), "it shows the rest as well", out)
    lab.point([cli("fly")[0], cli("ports", "77")[0],
               cli("--url", "http://127.0.0.1:9", "hosts")[0]] == [2, 1, 3],
              "its exit status says what went wrong")


def manners():
    good = []
    for path in ("/onos/v1/devices", "/onos/v1/devices/of:%s/ports" % ONE, "/onos/v1/flows",
                 "/onos/v1/links", "/onos/v1/hosts", "/onos/v1/topology", "/onos/v1/groups",
                 "/onos/v1/meters", "/onos/v1/statistics/ports",
                 "/onos/v1/paths/of:%s/of:0000000000000002" % ONE, "/stats/switches",
                 "/stats/desc/1", "/stats/flow/1", "/stats/port/2", "/stats/portdesc/2",
                 "/stats/table/1", "/stats/aggregateflow/1", "/stats/groupdesc/1",
                 "/v1.0/topology/switches", "/v1.0/topology/links", "/v1.0/topology/hosts",
                 "/v1/process", "/v1/counters", "/v1/topology", "/openapi.json"):
        status, out = ask(path)
        good.append((path, status, out))
    bad = [(p, s, o) for p, s, o in good if s != 200 or isinstance(o, str)]
    lab.point(not bad, "every list of ONOS's and Ryu's is answered", bad)
    _, flows = ask("/onos/v1/flows/of:" + ONE)
    lab.point(all({"id", "deviceId", "selector", "treatment"} <= set(f) for f in flows["flows"]),
              "flows have ONOS's shape", flows)
    status, text = ask("/metrics")
    line = re.compile(r'(# (HELP|TYPE) \w+ .+|'
                      r'[a-z_][a-z0-9_]*(\{(\w+="([^"\\]|\\.)*",?)*\})? -?\d+)$')
    wrong = [x for x in text.splitlines() if not line.match(x)]
    lab.point(status == 200 and not wrong and 'of_packet_ins{dp_id="0x1"' in text,
              "the metrics are well formed", wrong[:3])


def wrong_bodies():
    bad = [b"", b"{", b"[]", b"nonsense", b'"x"', b"\xff\xfe", b'{"match":7}', b'{"actions":7}',
           b'{"match":{"ipv4_dst":"1.2.3.4"}}', b'{"priority":1e9}', b'{"x":1}', b"[" * 5000,
           b'{"match":{"eth_dst":"' + b"a" * 100000 + b'"}}']
    out = [ask("/v1/switches/1/flows", "POST", b) for b in bad]
    lab.point(all(s == 400 and "error" in o for s, o in out), "wrong bodies are refused in words",
              out)
    lab.point(ask("/v1/switches/1/flows", "POST", b" " * (2 << 20))[0] in (400, 413),
              "one that is too long, too")
    lab.point(ask("/v1/switches")[0] == 200, "and the controller goes on")


def keeping(net):
    path = os.path.join(lab.folder(), "store")
    flow = {"priority": 77, "match": {"in_port": 1, "eth_type": 0x88b5}, "actions": []}
    p = controller("--store", path)
    net.connected()
    lab.wait_for(lambda: len(ask("/v1/switches")[1]["switches"]) == 2, 5, 0.1)
    lab.point([ask("/v1/switches/2/flows", "POST", flow)[0],
               ask("/v1/switches/9/flows", "POST", flow)[0]] == [201, 202], "two flows are kept")
    good = lab.wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 150, 3, 0.1)
    p.kill()
    p.wait()
    size = os.path.getsize(path) if good else 0
    p = controller("--store", path)
    stored = ask("/v1/stored")[1]["stored"]
    lab.point(good and len(stored) == 2, "and known after the controller was killed",
              (size, stored))
    ask("/v1/switches/9/flows", "DELETE")
    stop(p)
    lab.point(os.path.getsize(path) < size, "the last word is in the file when it ends in order")
    with open(path, "r+b") as f:
        f.truncate(size // 3)
    p = subprocess.run([os.path.join(lab.BUILD, "src/tools/millrace-ofd"), "--dev", "kernel",
                        "--rest", "none", "--store", path], capture_output=True, text=True,
                       timeout=10)
    lab.point(p.returncode != 0 and "damaged" in p.stderr, "a damaged file is not overwritten",
              (p.returncode, p.stderr))


def tokens():
    path = os.path.join(lab.folder(), "tokens")
    with open(path, "w") as f:
        f.write("ro reading-word\nrw writing-word\n")
    p = controller("--tokens", path)
    flow = {"match": {}}
    lab.point([ask("/v1/switches")[0], ask("/v1/switches", token="reading-word")[0],
               ask("/v1/switches/5/flows", "POST", flow, "reading-word")[0],
               ask("/v1/switches/5/flows", "POST", flow, "writing-word")[0]] ==
              [401, 200, 403, 202],
              "tokens say who may read and who may write")
    stop(p)
    p = subprocess.run([os.path.join(lab.BUILD, "src/tools/millrace-ofd"), "--dev", "kernel",
                        "--rest", lab.KERNEL + ":8181"], capture_output=True, text=True, timeout=10)
    lab.point(p.returncode != 0 and "token" in p.stderr, "without tokens only loopback is served",
              p.stderr)


def main():
    lab.enter()
    if not os.path.exists(os.path.join(lab.BUILD, "src/tools/millrace-ofd")):
        lab.skip_all("this build has no millrace-ofd: its libraries were not there")
    net = of_lab.Network(ring=False, switches=2, hosts=1)
    p = controller()
    net.lead(f"tcp:{lab.KERNEL}:6653")
    lab.point(net.connected() and lab.wait_for(
        lambda: len(ask("/v1/switches")[1]["switches"]) == 2, 5, 0.1), "switches connect")
    reading(net)
    writing(net)
    surviving(net)
    commanding(net)
    command_line(net)
    manners()
    wrong_bodies()
    lab.point(stop(p) == 0, "the controller ends in order")
    keeping(net)
    tokens()
    lab.done()


main()
