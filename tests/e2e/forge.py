#!/usr/bin/env python3
"""forge.py HUB_PORT FILE - a relay between one agent and the hub that listens in, as anybody on the way can.

Writes its port to FILE and reads commands from stdin, one a line; each is answered with one line on stdout.

  live          waits for a record with a connection ID, in both directions: the agent's session
  forge N       N datagrams with the live connection ID and garbage behind it, to the hub from another address
  replay        the agent's last record once more, from another address; prints what came back there for 2 s, in bytes
  steal         holds the agent's next record back and sends it from another address first (a copy that arrives before
                the original); prints the record's size and what came to that address until the agent's next one
  rebind        the agent gets another address towards the hub
"""
import select
import socket
import sys
import time

LOOPBACK = "127.0.0.1"
CID = 25


def bound():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((LOOPBACK, 0))
    return sock


class Relay:
    def __init__(self, hub_port):
        self.hub = (LOOPBACK, hub_port)
        self.front, self.back, self.other = bound(), bound(), bound()
        self.agent = None
        self.last = None  # the agent's last record with a connection ID
        self.down = 0  # datagrams to the agent since `live`
        self.stolen = None
        self.got = 0  # bytes that came to the other address
        self.passed = 0

    def step(self, timeout, more=()):
        ready, _, _ = select.select([self.front, self.back, self.other, *more], [], [], timeout)
        if self.front in ready:
            datagram, self.agent = self.front.recvfrom(65536)
            if datagram[:1] == bytes([CID]):
                self.last = datagram
                self.passed += 1
                if self.stolen == "next":
                    self.stolen = datagram
                    self.other.sendto(datagram, self.hub)
                    time.sleep(0.05)
            self.back.sendto(datagram, self.hub)
        if self.back in ready:
            datagram = self.back.recv(65536)
            self.down += 1
            if self.agent:
                self.front.sendto(datagram, self.agent)
        if self.other in ready:
            self.got += len(self.other.recv(65536))
        return [one for one in more if one in ready]

    def run_until(self, test, limit_s):
        end = time.monotonic() + limit_s
        while not test() and time.monotonic() < end:
            self.step(0.05)
        return test()

    def live(self):
        self.down, before = 0, self.passed
        return "live" if self.run_until(lambda: self.passed > before and self.down > 0, 60) else "nothing"

    def forge(self, count):
        self.got = 0
        for i in range(count):
            body = bytes([i & 255]) * 40
            head = self.last[:3] + b"\0\1" + (2**40 + i).to_bytes(6, "big") + self.last[11:19]
            self.other.sendto(head + len(body).to_bytes(2, "big") + body, self.hub)
            self.step(0.001)
        self.run_until(lambda: False, 1)
        return f"got={self.got}"

    def replay(self):
        self.got = 0
        self.other.sendto(self.last, self.hub)
        self.run_until(lambda: False, 2)
        return f"got={self.got}"

    def steal(self):
        self.got, self.stolen = 0, "next"
        if not self.run_until(lambda: self.stolen != "next", 60):
            return "nothing"
        passed = self.passed
        self.run_until(lambda: self.passed > passed, 30)
        size = len(self.stolen)
        self.stolen = None
        return f"sent={size} got={self.got}"

    def rebind(self):
        self.back.close()
        self.back = bound()
        return "rebound"


def main():
    relay = Relay(int(sys.argv[1]))
    with open(sys.argv[2], "w", encoding="ascii") as file:
        file.write(f"{relay.front.getsockname()[1]}\n")
    while True:
        if not relay.step(1, [sys.stdin]):
            continue
        line = sys.stdin.readline().split()
        if not line:
            return
        command = getattr(relay, line[0])
        print(command(*map(int, line[1:])), flush=True)


if __name__ == "__main__":
    main()
