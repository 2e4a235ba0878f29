#!/usr/bin/python3
"""10,000 connections at once."""
import os
import resource
import select
import socket

import lab

N = int(os.environ.get("LAB_CONNECTIONS", 10000 if lab.FULL else 2000))

lab.enter()
lab.network()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if hard < N + 100:
    lab.skip_all(f"the limit of descriptors is {hard}")
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
lab.write("/proc/sys/net/ipv4/ip_local_port_range", "10000 65000")
server = lab.echo("--max-conns", 2 * N)
socks = {}
poll = select.epoll()


def start():
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((lab.OURS, 7))
    socks[s.fileno()] = s
    poll.register(s, select.EPOLLOUT)


def wait(mask, act, want, seconds):
    """Handle want events."""
    done = 0
    while done < want:
        events = poll.poll(seconds, 1000)
        if not events:
            break
        for fd, what in events:
            if what & (select.EPOLLERR | select.EPOLLHUP):
                poll.unregister(fd)
                err = socks[fd].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                lab.note(f"a connection failed: {os.strerror(err)}")
                done += 1
            elif what & mask:
                done += act(fd)
    return done


connected = []


def on_connected(fd):
    poll.modify(fd, 0)
    connected.append(fd)
    return 1


for first in range(0, N, 500):
    for _ in range(first, min(first + 500, N)):
        start()
    wait(select.EPOLLOUT, on_connected, min(500, N - first), 10)
lab.point(len(connected) == N, f"{N} connections open", len(connected))
status = lab.ask(server)
lab.point(status["connections"] == N, "the stack has all of them", status["connections"])
states = {}
for c in lab.conns(server):
    states[c["state"]] = states.get(c["state"], 0) + 1
lab.point(states == {"ESTABLISHED": N}, "and lists each of them as ESTABLISHED", states)

for turn in range(2):
    answers = []

    def on_answer(fd):
        text = socks[fd].recv(64)
        answers.append(text == f"hello {fd} {turn}".encode())
        poll.modify(fd, 0)
        return 1

    for fd in connected:
        socks[fd].send(f"hello {fd} {turn}".encode())
        poll.modify(fd, select.EPOLLIN)
    wait(select.EPOLLIN, on_answer, N, 10)
    lab.point(len(answers) == N and all(answers), f"each of them gets its answer, round {turn + 1}",
              len(answers))

with open(f"/proc/{server.pid}/status") as f:
    lab.note(next(line for line in f if line.startswith("VmRSS")).strip())
for s in socks.values():
    s.close()
lab.point(lab.wait_for(lambda: lab.ask(server)["connections"] == 0, 10),
          "all of them close", lab.ask(server)["connections"])
tcp = lab.ask(server)["counters"]["tcp"]
lab.point(tcp["no_conn_memory"] == 0 and tcp["drop_accept_full"] == 0, "none was refused", tcp)
lab.point(lab.stop(server) == 0, "the server ends in order")
lab.done()
