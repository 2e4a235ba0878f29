#!/usr/bin/python3
"""Four shards on four queues under steady traffic, over every port that has queues of its own: each
request is answered, each packet is at home or passed on there, and what each end counts is what the
other end counts."""
import json
import os
import re

import lab

lab.enter()
lab.need("wrk")
CORES = 4
CONNECTIONS = 64
SECONDS = 3 if lab.FULL else 2

www = lab.folder()
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("x" * 100)


def interface(status):
    return next(i for i in status["interfaces"] if "rx_packets" in i)


def frames(status):
    """Received and sent, of all queues, with each queue's."""
    i = interface(status)
    return i["rx_packets"], i["tx_packets"], [c["rx_packets"] for c in status["cores"]]


def well_served(name, status, asked):
    """What holds whatever the traffic came over; asked: requests at least, at most."""
    cores, counters = status["cores"], status["counters"]
    rx, tx, queues = frames(status)
    apps = [c["app"] for c in cores]
    served = sum(a["requests"] for a in apps)
    lab.point(asked[0] <= served <= asked[1] and
              served == sum(a["answers"]["2xx"] for a in apps),
              f"{name}: every request is answered, each by one core", (asked, served))
    lab.point(len(cores) == CORES and all(c["answers"] and c["own_queue"] for c in cores),
              f"{name}: {CORES} cores, each with a queue of its own")
    lab.point(min(queues) > 0 and sum(queues) == rx, f"{name}: every queue receives",
              (rx, queues))
    accepted = [a["accepted"] for a in apps]
    lab.point(min(accepted) > 0, f"{name}: connections are spread over the cores", accepted)
    mail = counters["mail"]
    spread = status["spread"]["port"]
    lab.point(mail["packets_sent"] == mail["packets_received"] and
              (mail["packets_sent"] == 0 if spread == "rss" else True),
              f"{name}: a packet is on its core, or passed on there ({spread})", mail)
    lost = {k: v for k, v in mail.items() if v and k.startswith("drop_")}
    i = interface(status)
    lost.update({k: i[k] for k in ("rx_nobuf", "rx_error") if i[k]})
    lost.update({"frames_dropped": c["frames_dropped"] for c in cores if c["frames_dropped"]})
    lab.point(not lost, f"{name}: nothing is lost on the way", lost)
    lab.point(counters["eth"]["rx_frames"] == rx, f"{name}: the stack has what the port has",
              (counters["eth"]["rx_frames"], rx))
    tcp = counters["tcp"]
    lab.note(f"{name}: by core, frames {queues}, connections {accepted}, requests "
             f"{[a['requests'] for a in apps]}; passed on {mail['packets_sent']}, "
             f"retransmitted {tcp['rexmit_segs']}, RSTs sent {tcp['rsts_out']}")
    text = lab.run(lab.program("millrace-stat"), server.control).stdout
    lab.point("passed on" in text and "does not answer" not in text,
              f"{name}: millrace-stat has a line for each core", text)


# ---- two programs of ours, one on each end ---------------------------------------------------

def agree(client, count):
    """One asked before the other and after it: what has come lies between, and so has what has
    gone."""
    seen = []
    for _ in range(count):
        first = frames(lab.ask(client))
        rx, tx, _ = frames(lab.ask(server))
        last = frames(lab.ask(client))
        seen.append((first[:2], (tx, rx), last[:2]))
        if first[1] <= rx <= last[1] and first[0] <= tx <= last[0]:
            return True, seen
    return False, seen


def load(there, *more):
    """millrace-load on its end; .report is where it will tell."""
    control, report = os.path.join(www, "load.sock"), os.path.join(www, "report")
    with open(report, "w") as out:
        p = lab.start(lab.program("millrace-load"), "--dev", there, *more, "--addr",
                      lab.KERNEL + "/24", "--cores", str(CORES), "--control", control, "http",
                      "--to", lab.OURS + ":80", "--connections", str(CONNECTIONS), "--rate",
                      "20000", "--duration-ms", str(1000 * SECONDS), "--json", "--quiet",
                      stdout=out, stderr=out)
    p.control, p.report = control, report
    lab.wait_for(lambda: os.path.exists(control) or p.poll() is not None, 10)
    return p


def ours_on_both(name, here, there, *more, client_first=False):
    """One of the two makes the socket that the other opens: it comes first."""
    global server
    client = load(there, *more) if client_first else None
    server = lab.httpd(www, "--cores", CORES, *more, dev=here)
    client = client or load(there, *more)
    up = lab.wait_for(lambda: lab.ask(server)["connections"] >= CONNECTIONS, 10)
    lab.point(up, f"{name}: {CONNECTIONS} connections are open", lab.ask(server)["connections"])
    if up:
        good, seen = agree(client, 20)
        lab.point(good, f"{name}: what one end has sent is what the other has received", seen)
    rc = client.wait(30)
    with open(client.report) as f:
        said = f.read()
    line = next((x for x in said.splitlines() if x.startswith("{")), None)
    if not lab.point(rc == 0 and line and sum(json.loads(line)["errors"].values()) == 0,
                     f"{name}: the client has every answer, and each is right", said):
        return
    lab.wait_for(lambda: lab.ask(server)["connections"] == 0)
    asked = json.loads(line)["requests"]
    well_served(name, lab.ask(server), (asked, asked))
    lab.point(lab.stop(server) == 0, f"{name}: it ends in order")


# ---- the kernel on the other end -------------------------------------------------------------

def kernel_counts():
    said = json.loads(lab.run("ip", "-s", "-j", "link", "show", "dev", lab.LINK).stdout)
    both = said[0]["stats64"]
    return both["tx"]["packets"], both["rx"]["packets"]


def kernel_on_the_other(kind):
    global server
    name = f"{kind} on veth"
    lab.network(queues=CORES, kind=kind)
    server = lab.httpd(www, "--cores", CORES)
    lab.run("curl", "-sf", f"http://{lab.OURS}/", check=False)
    lab.wait_for(lambda: lab.ask(server)["connections"] == 0)
    r = lab.run("wrk", "-t", "2", "-c", str(CONNECTIONS), "-d", str(SECONDS),
                f"http://{lab.OURS}/", check=False)
    done = re.search(r"(\d+) requests in", r.stdout)
    bad = "Socket errors" in r.stdout or "Non-2xx" in r.stdout
    if not lab.point(r.returncode == 0 and done and not bad,
                     f"{name}: wrk has its answers, without an error", r.stdout + r.stderr):
        return
    # wrk leaves without waiting for what it asked for last.
    asked = int(done.group(1))
    lab.wait_for(lambda: lab.ask(server)["connections"] == 0)
    for _ in range(20):
        sent, received = kernel_counts()
        status = lab.ask(server)
        rx, tx, _queues = frames(status)
        if (sent, received) == (rx, tx):
            break
    lab.point((sent, received) == (rx, tx),
              f"{name}: the kernel has sent what we received, and received what we sent",
              ((sent, received), (rx, tx)))
    well_served(name, status, (asked, asked + CONNECTIONS + 1))
    lab.point(lab.stop(server) == 0, f"{name}: it ends in order")


# --no-huge whether or not there are huge pages: the test must be the same everywhere.
if lab.missing("dpdk"):
    lab.skip("DPDK, virtio-user and vhost", lab.missing("dpdk"))
else:
    path = os.path.join(www, "v")
    ours_on_both("virtio-user to vhost", f"dpdk:net_vhost0,iface={path}",
                 f"dpdk:net_virtio_user0,path={path}", "--eal", "--no-huge")
    path = os.path.join(www, "w")
    ours_on_both("vhost to virtio-user", f"dpdk:net_virtio_user0,path={path}",
                 f"dpdk:net_vhost0,iface={path}", "--eal", "--no-huge", client_first=True)
for kind in ("xdp", "packet"):
    if lab.missing(kind):
        lab.skip(f"{kind} on veth", lab.missing(kind))
    else:
        kernel_on_the_other(kind)
lab.done()
