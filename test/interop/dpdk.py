#!/usr/bin/python3
"""Two programs of ours over DPDK's vhost and virtio_user and over memif: loaded, idle, killed and
started again, on one queue and on four."""
import os
import signal

os.environ["MILLRACE_LAB_DEV"] = "dpdk"
import lab

lab.enter()
if lab.missing("dpdk"):
    lab.skip_all(lab.missing("dpdk"))
www = lab.folder()
with open(os.path.join(www, "index.html"), "w") as f:
    f.write("x" * 1000)
lab.make_file(os.path.join(www, "large"), 3 << 20)
socket = os.path.join(www, "s")


def huge(what):
    with open("/proc/meminfo") as f:
        return int(next(line.split()[1] for line in f if line.startswith(f"HugePages_{what}")))


def left():
    """What DPDK could leave behind."""
    folders = ("/var/run/dpdk", "/dev/hugepages", "/mnt/huge")
    return (huge("Total") - huge("Free"),
            [x for d in folders if os.path.isdir(d) for x in os.listdir(d)])


def serve(device, *args):
    return lab.httpd(www, "--eal", eal, *args, dev=f"dpdk:{device}", addr="10.9.0.2")


def load(device, path="/index.html", *args, connections=32, ms=1500):
    return lab.run(lab.program("millrace-load"), "http", "--to", "10.9.0.2:80", "--path", path,
                   "--connections", str(connections), "--duration-ms", str(ms), "--quiet", "--eal",
                   eal, "--dev", f"dpdk:{device}", "--addr", "10.9.0.1/24", "--control", "none",
                   *args, check=False, timeout=60)


def loaded(r, name):
    lab.note("\n".join(x for x in r.stdout.splitlines()[:2] + r.stderr.splitlines() if x))
    lab.point(r.returncode == 0, name, r.stdout + r.stderr)


def all_went_well(server, name):
    """Nothing was refused or lost: but for what announces our address before anybody is there, and
    what says farewell to those who have gone."""
    status = lab.ask(server)
    tcp, core = status["counters"]["tcp"], status["cores"][0]
    lab.point(tcp["fast_recoveries"] + tcp["dup_acks_in"] + core["rx_error"] == 0 and
              core["tx_error"] < 100, name, (tcp, core))


def pair(server_device, client_device, what):
    server = serve(server_device)
    loaded(load(client_device), f"{what}: requests")
    loaded(load(client_device, "/large", connections=4), f"{what}: 3 MB at a time")
    all_went_well(server, f"{what}: no frame is refused or lost")
    lab.point(lab.stop(server) == 0, f"{what}: the server ends in order")


VHOST = f"net_vhost0,iface={socket}"
VIRTIO = f"net_virtio_user0,path={socket}"
modes = {"without huge pages": "--no-huge"}
if huge("Free") >= 128:
    modes["with huge pages"] = "-n 4"
else:
    lab.skip("with huge pages", "fewer than 128 are free")

before = left()
for name, eal in modes.items():
    pair(VHOST, VIRTIO, f"vhost and virtio_user {name}")
    pair(f"net_memif0,role=server,socket={socket}m,socket-abstract=no",
         f"net_memif0,role=client,socket={socket}m,socket-abstract=no", f"memif {name}")

    server = serve(VHOST, "--cores", "4")
    loaded(load(VIRTIO, "/index.html", "--cores", "4"), f"four queues {name}")
    lab.point(lab.stop(server) == 0, f"four queues {name}: the server ends in order")

    server = serve(VHOST)
    server.send_signal(signal.SIGKILL)
    server.wait()
    server = serve(VHOST)
    loaded(load(VIRTIO), f"a killed server's socket is taken by the next {name}")
    lab.stop(server)
lab.point(lab.wait_for(lambda: left() == before), "no huge page is kept and no file is left", (before, left()))

# A virtio_user server does not come up before somebody has come to it.
eal = "--no-huge"
client = lab.start(lab.program("millrace-load"), "http", "--to", "10.9.0.2:80", "--path",
                   "/index.html", "--eal", eal, "--dev", f"dpdk:{VIRTIO},server=1", "--addr",
                   "10.9.0.1/24", "--control", "none", "--quiet", "--duration-ms", "1000",
                   stdout=open(os.devnull, "w"), stderr=open(os.devnull, "w"))
lab.wait_for(lambda: os.path.exists(socket))
server = serve(VHOST + ",client=1")
lab.point(client.wait(20) == 0, "a virtio_user server waits for a vhost client")
lab.stop(server)
client = lab.start(lab.program("millrace-load"), "http", "--to", "10.9.0.2:80", "--eal", eal,
                   "--dev", f"dpdk:{VIRTIO},server=1", "--addr", "10.9.0.1/24",
                   stderr=open(os.devnull, "w"))
lab.wait_for(lambda: os.path.exists(socket))
lab.point(lab.stop(client) is not None, "and can be stopped while it waits")

# A client that is killed and one that comes later.
server = serve(VHOST)
for _ in range(3):
    client = lab.start(lab.program("millrace-load"), "http", "--to", "10.9.0.2:80", "--quiet",
                       "--eal", eal, "--dev", f"dpdk:{VIRTIO}", "--addr", "10.9.0.1/24",
                       "--control", "none", "--duration-ms", "20000",
                       stdout=open(os.devnull, "w"), stderr=open(os.devnull, "w"))
    began = lab.ask(server)["counters"]["tcp"]["passive_opens"]
    lab.wait_for(lambda: lab.ask(server)["counters"]["tcp"]["passive_opens"] > began, 10)
    client.kill()
    client.wait()
loaded(load(VIRTIO), "the next client is served as the first after others were killed")
lab.point(server.poll() is None, "by the same server")

ticks = lab.cpu_ticks(server.pid)
lab.wait_for(lambda: False, 2)
used = lab.cpu_ticks(server.pid) - ticks
lab.point(used < 20, "an idle server sleeps until an interrupt", f"{used} ticks in 2 s")
lab.point(lab.stop(server) == 0, "and ends in order")
lab.done()
