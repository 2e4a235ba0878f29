#!/usr/bin/python3
"""An idle program uses no processor: alone, and with connections that say nothing."""

import os
import socket
import time

import lab

SECONDS = 4 if lab.FULL else 1

lab.enter()
lab.network()
server = lab.echo()
# What can wake nobody is looked at a thousand times a second, by each core.
LOOKS = 1100 if lab.DEVICE == "dpdk" else 0
LOOK_TICKS = 6


def busy(ticks, cores=1, most=0):
    return ticks > most * SECONDS + (LOOK_TICKS * cores * SECONDS if LOOKS else 0)


def often(woken, cores=1, most=2):
    return woken > (most + LOOKS * cores) * SECONDS


def measure(name):
    time.sleep(0.5)
    ticks, woken = lab.cpu_ticks(server.pid), lab.switches(server.pid)
    time.sleep(SECONDS)
    ticks = lab.cpu_ticks(server.pid) - ticks
    woken = lab.switches(server.pid) - woken
    lab.note(f"{name}: {ticks} ticks of 10 ms and {woken} wake-ups in {SECONDS} s")
    return ticks, woken


ticks, woken = measure("no connection")
lab.point(not busy(ticks), "without connections no processor time is used", ticks)
lab.point(not often(woken), "and nothing wakes it", woken)

if LOOKS:
    lab.note(f"{lab.DEVICE} cannot wake a sleeper here: a core looks a thousand times a second")
held = [socket.create_connection((lab.OURS, 7)) for _ in range(1000)]
for s in held:
    s.sendall(b"x")
for s in held:
    s.recv(1)
ticks, woken = measure("1000 silent connections")
lab.point(not busy(ticks, most=1), "1000 silent connections use less than a percent", ticks)
lab.point(not often(woken, most=20), "and hardly wake it", woken)
for s in held:
    s.close()
lab.wait_for(lambda: lab.ask(server)["connections"] == 0)
lab.note(f"TIME-WAIT and the like afterwards: {lab.ask(server)['time_wait']}")
lab.point(lab.stop(server) == 0, "it ends when asked to, though it sleeps")

# As many stacks as one likes: those that have nothing to do sleep.
lab.network(queues=4)
for more in ([], ["--rss-off"]) if lab.FULL else ([],):
    server = lab.echo("--cores", 4, *more)
    ticks, woken = measure("four cores" + "".join(more))
    lab.point(not busy(ticks, 4), "four cores without connections use no processor time", ticks)
    lab.point(not often(woken, 4), "and nothing wakes them", woken)
    held = [socket.create_connection((lab.OURS, 7)) for _ in range(100)]
    for s in held:
        s.sendall(b"x")
    for s in held:
        s.recv(1)
    ticks, woken = measure("four cores, 100 silent connections")
    lab.point(not busy(ticks, 4, 1),
              "100 silent connections on four cores use less than a percent", ticks)
    for s in held:
        s.close()
    lab.point(lab.stop(server) == 0, "four cores end when asked to, though they sleep")
lab.done()
