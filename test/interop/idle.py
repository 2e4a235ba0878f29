#!/usr/bin/python3
"""An idle program uses no processor: alone, and with connections that say nothing."""

import socket
import time

import lab

SECONDS = 4

lab.enter()
lab.tap()
server = lab.echo()


def switches():
    with open(f"/proc/{server.pid}/status") as f:
        return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)


def measure(name):
    time.sleep(0.5)
    ticks, woken = lab.cpu_ticks(server.pid), switches()
    time.sleep(SECONDS)
    ticks, woken = lab.cpu_ticks(server.pid) - ticks, switches() - woken
    lab.note(f"{name}: {ticks} ticks of 10 ms and {woken} wake-ups in {SECONDS} s")
    return ticks, woken


ticks, woken = measure("no connection")
lab.point(ticks == 0, "without connections no processor time is used", ticks)
lab.point(woken <= 2 * SECONDS, "and nothing wakes it", woken)

held = [socket.create_connection((lab.OURS, 7)) for _ in range(1000)]
for s in held:
    s.sendall(b"x")
for s in held:
    s.recv(1)
ticks, woken = measure("1000 silent connections")
lab.point(ticks <= SECONDS, "1000 silent connections use less than a percent", ticks)
lab.point(woken <= 20 * SECONDS, "and hardly wake it", woken)
for s in held:
    s.close()
lab.wait_for(lambda: lab.ask(server)["connections"] == 0)
lab.note(f"TIME-WAIT and the like afterwards: {lab.ask(server)['time_wait']}")
lab.point(lab.stop(server) == 0, "it ends when asked to, though it sleeps")
lab.done()
