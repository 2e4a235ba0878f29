#!/usr/bin/python3
"""A random walk of a ring of real switches: links cut and mended, loudly and silently, switches
killed and started, their connections reset.  After every step all pairs ping that can, no others
do, and no broadcast comes twice.

LAB_STEPS and LAB_SEED say how far and which way; a step that fails ends it.
"""
import os
import random
import time

import lab
import of_lab

STEPS = int(os.environ.get("LAB_STEPS", 8))
SEED = int(os.environ.get("LAB_SEED", 1))
PATIENCE = 8  # seconds until the network must be right again

lab.enter()
lab.program("millrace-ofd")


class Walk:
    def __init__(self, seed, version, cores):
        self.random = random.Random(seed)
        self.loud, self.silent, self.dead = set(), set(), set()
        self.controller = of_lab.Controller("--cores", str(cores))
        net.lead(self.controller.target(), version)
        self.slowest = 0

    # ---- steps ----

    def steps(self):
        for link in net.links:
            if link in self.loud:
                yield "mend", self.mend, link
            elif link in self.silent:
                yield "mend silently", self.mend_silently, link
            else:
                yield "cut", self.cut, link
                yield "cut silently", self.cut_silently, link
        for n in range(1, len(net.switches) + 1):
            if n in self.dead:
                yield from [("start", self.start, n)] * 3
            else:
                yield "reset the connection of", self.reset, n
                if len(self.dead) < 2:
                    yield "kill", self.kill, n

    def cut(self, link):
        net.cut(*link)
        self.loud.add(link)

    def mend(self, link):
        net.mend(*link)
        self.loud.remove(link)

    def cut_silently(self, link):
        net.cut_silently(*link)
        self.silent.add(link)

    def mend_silently(self, link):
        net.mend_silently(*link)
        self.silent.remove(link)

    def kill(self, n):
        net.switch(n).kill()
        self.dead.add(n)

    def start(self, n):
        net.switch(n).start()
        lab.wait_for(net.switch(n).is_up)
        time.sleep(0.2)
        for link in self.silent:
            net.cut_silently(*link)  # a switch that starts puts its devices' queues right
        self.dead.remove(n)

    def reset(self, n):
        lab.run("ss", "-K", "dst", net.switch(n).address, check=False)

    # ---- what must be ----

    def reached(self, n):
        """The switches that a switch has a way to."""
        seen, new = set(), {n} - self.dead
        while new:
            seen |= new
            new = {y for a, b in net.links if (a, b) not in self.loud | self.silent
                   for x, y in ((a, b), (b, a)) if x in new} - seen - self.dead
        return seen

    def apart(self):
        return {(a.name, b.name) for a in net.hosts for b in net.hosts
                if a is not b and b.switch not in self.reached(a.switch)}

    def is_right(self):
        """Until it is; what is wrong, or None."""
        want, began = self.apart(), time.monotonic()
        while (missing := net.ping_all(1, every=0.3)[0]) != want:
            if time.monotonic() > began + PATIENCE:
                return f"no answer: {sorted(missing - want)}; an answer: {sorted(want - missing)}"
        self.slowest = max(self.slowest, time.monotonic() - began)
        copies = net.broadcast("h11", 3, 0.1)
        return None if max(copies.values()) <= 3 else f"copies of 3 broadcasts: {copies}"

    def go(self):
        wrong = self.is_right()
        for i in range(STEPS):
            name, step, where = self.random.choice(list(self.steps()))
            if wrong or not self.controller.is_alive():
                break
            step(where)
            wrong = self.is_right()
            if wrong:
                wrong = f"step {i}: {name} {where}: {wrong}"
        return wrong


net = of_lab.Network()
for seed, version, cores in ((SEED, "OpenFlow13", 1), (SEED + 1, "OpenFlow10", 2)):
    w = Walk(seed, version, min(cores, os.cpu_count()))
    wrong = w.go()
    lab.point(not wrong and w.controller.is_alive(),
              f"{version}, cores {cores}: {STEPS} steps, and after each all is right",
              f"{wrong}\nloud {w.loud}, silent {w.silent}, dead {w.dead}\n"
              + w.controller.said()[-2000:])
    lab.note(f"seed {seed}: right again after {w.slowest:.1f} s at most")
    lab.point(lab.stop(w.controller.process) == 0, f"{version}: the controller ends when asked to",
              w.controller.said()[-2000:])
    for n in list(w.dead):
        w.start(n)
    for link in list(w.loud):
        w.mend(link)
    for link in list(w.silent):
        w.mend_silently(link)
lab.done()
