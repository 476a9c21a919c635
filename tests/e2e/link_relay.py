#!/usr/bin/env python3
"""link_relay HUB_PORT MODE_FILE - a relay for UDP on a free port, which it prints. What it does stands in MODE_FILE and may change at any
moment: `pass`; `drop`, everything; `handshake`, whatever begins with a record of application data (or one whose type is hidden behind a
connection ID), so that sessions can be made but carry nothing."""
import selectors
import socket
import sys

hub = ("127.0.0.1", int(sys.argv[1]))
mode_file = sys.argv[2]
front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
front.bind(("127.0.0.1", 0))
print(front.getsockname()[1], flush=True)
waits = selectors.DefaultSelector()
waits.register(front, selectors.EVENT_READ, None)
backs = {}


def passes(datagram):
    with open(mode_file, encoding="ascii") as file:
        mode = file.read().strip()
    return mode == "pass" or (mode == "handshake" and datagram[:1] not in (b"\x17", b"\x19"))


while True:
    for key, _ in waits.select():
        if key.fileobj is front:
            datagram, agent = front.recvfrom(65536)
            if agent not in backs:
                backs[agent] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                backs[agent].connect(hub)
                waits.register(backs[agent], selectors.EVENT_READ, agent)
            if passes(datagram):
                backs[agent].send(datagram)
            continue
        try:
            datagram = key.fileobj.recv(65536)
        except ConnectionError:
            continue
        if passes(datagram):
            front.sendto(datagram, key.data)
