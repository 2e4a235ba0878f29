#!/usr/bin/python3
"""A program that knows nothing of Millrace, on every kind of port that a machine has: behind a pump
where only one process can have the device (a packet socket, AF_XDP), and on a wire in shared memory."""
import json
import os
import signal
import subprocess
import time

import lab

SIZE = 300000

lab.enter()
lab.need("curl", "/usr/bin/python3")
far = lab.namespace()
lab.veth("peer0", "far0", far)
lab.quiet_up("far0", at=far)
lab.quiet_up("peer0")
lab.run("ip", "address", "add", lab.KERNEL + "/24", "dev", "peer0")
www = lab.folder()
want = os.urandom(SIZE)
with open(os.path.join(www, "x"), "wb") as f:
    f.write(want)


def serve(dev, at=()):
    """Python's web server in a session, and every process of that."""
    control = os.path.join(www, "session")
    log = open(os.path.join(www, "log"), "w")
    return lab.start(*at, lab.program("millrace"), "run", "--dev", dev, "--addr", lab.OURS + "/24",
                     "--slots", "2", "--control", control, "--", "/usr/bin/python3", "-m",
                     "http.server", "80", "--directory", www, stdout=log, stderr=log)


def processes():
    """Those in the program's namespace."""
    name = lab.run(*far, "readlink", "/proc/self/ns/net").stdout.strip()
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/ns/net") == name and int(pid) != int(far[2]):
                found.append(int(pid))
        except OSError:
            pass
    return found


def fetch():
    r = subprocess.run(("curl", "-s", "-m", "10", f"http://{lab.OURS}/x"), capture_output=True)
    return r.returncode == 0 and r.stdout == want


def said():
    with open(os.path.join(www, "log")) as f:
        return f.read()[-600:]


def over(kind):
    p = serve(f"{kind}:far0", far)
    if not lab.wait_for(lambda: fetch() or p.poll() is not None, 15):
        lab.point(False, f"{kind}: a program serves", said())
    if p.poll() is not None:
        lab.skip(f"{kind}: a program serves", said().strip().splitlines()[-1:])
        return
    begin = time.time()
    good = [fetch() for _ in range(10)]
    lab.point(all(good), f"{kind}: an unmodified server's bytes are right", good)
    # A wake-up that is lost costs the half second after which this server looks by itself.
    lab.point(time.time() - begin < 4, f"{kind}: and it is woken by what arrives", time.time() - begin)
    # This server looks twice a second whether it is to end, and the janitor whether it has left
    # something: hardly any work, which is counted, for a tick is charged to whom it finds running.
    time.sleep(1.2)
    spent = lambda: sum(lab.ran_us(pid) for pid in processes())
    idle = processes()
    ran, woken = spent(), lab.switches(*idle)
    time.sleep(2)
    ran, woken = spent() - ran, lab.switches(*idle) - woken
    lab.note(f"{kind}: idle: {ran / 2000:.1f} ms and {woken / 2:.0f} switches a second")
    lab.point(ran < 30000 and woken < 200,
              f"{kind}: idle, the program, its janitor and the pump use hardly anything")
    p.send_signal(signal.SIGINT)
    p.wait()
    lab.point(lab.wait_for(lambda: not processes(), 10), f"{kind}: nothing is left", processes())


over("packet")
over("xdp")

wire = os.path.join(www, "wire")
p = serve(f"shm:{wire}:0")
lab.wait_for(lambda: os.path.exists(wire), 10)


def load():
    r = lab.run(lab.program("millrace-load"), "http", "--dev", f"shm:{wire}:1", "--addr",
                f"{lab.KERNEL}/24", "--control", "none", "--to", f"{lab.OURS}:80", "--path", "/x",
                "--close", "--connections", "4", "--duration-ms", "300", "--quiet", "--json",
                check=False)
    return r.returncode == 0 and json.loads(r.stdout)["requests"] > 5


# The first may come before the server listens.
lab.point(lab.wait_for(load, 15), "shm: a load of one core on a session of two slots", said())
lab.point(load(), "shm: and another", said())
p.send_signal(signal.SIGINT)
p.wait()
lab.point(lab.wait_for(lambda: not [f for f in os.listdir(www) if f.startswith("wire")], 10),
          "shm: the wire's files go with the session", os.listdir(www))
lab.done()
