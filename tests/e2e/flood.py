#!/usr/bin/env python3
"""flood.py KIND PORT SECONDS - datagrams as fast as one core sends them, from many ports, towards a hub's CoAP port; for
so many seconds, or until SIGTERM.

  hello    ClientHellos without cookie: prints what went out and what came back for it
  cookie   handshakes with valid cookies, which end in a ClientKeyExchange of garbage: the most that a stranger can ask for
  garbage  random bytes, records of random content, oversized datagrams

Prints one line of figures. Nothing of it is more than a stranger on the network can send.
"""
import os
import random
import select
import signal
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
for name in ("API", "COAP", "AGENTS", "HUB_PID"):
    os.environ.setdefault(f"WIRE_{name}", "0")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "wire"))
import wire  # noqa: E402

SOCKETS = 200
STOPPED = []


def sockets(port):
    out = []
    for _ in range(SOCKETS):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.connect(("127.0.0.1", port))
        out.append(one)
    return out


def push(sock, datagram):
    try:
        sock.send(datagram)
        return len(datagram)
    except (BlockingIOError, ConnectionRefusedError):
        return 0


def take(some):
    """Everything that came: (socket, datagram)."""
    ready, _, _ = select.select(some, [], [], 0)
    for sock in ready:
        while True:
            try:
                yield sock, sock.recv(65536)
            except (BlockingIOError, ConnectionRefusedError):
                break


def flood_hello(some, end):
    out, back, sent = 0, 0, 0
    while time.monotonic() < end and not STOPPED:
        for sock in some:
            out += push(sock, wire.client_hello())
            sent += 1
        back += sum(len(datagram) for _, datagram in take(some))
    time.sleep(0.2)
    back += sum(len(datagram) for _, datagram in take(some))
    print(f"sent={sent} out={out} back={back} factor={back / out:.3f}")


def key_exchange():
    """A ClientKeyExchange with a point that is none, and a Finished that nobody can read."""
    body = b"\x41\x04" + random.randbytes(64)
    message = struct.pack("!B", 16) + len(body).to_bytes(3, "big") + struct.pack("!H", 2) + bytes(3)
    return wire.record(wire.HANDSHAKE, message + len(body).to_bytes(3, "big") + body, 2)


def flood_cookie(some, end):
    begun = wanted = 0
    while time.monotonic() < end and not STOPPED:
        for sock in some:
            push(sock, wire.client_hello())
        wanted += len(some)
        time.sleep(0.01)
        for sock, datagram in take(some):
            if datagram[0] != wire.HANDSHAKE:
                continue
            if datagram[13] == wire.HELLO_VERIFY_REQUEST:
                push(sock, wire.client_hello(wire.hello_verify_cookie(datagram), sequence=1))
            elif datagram[13] == 2:
                begun += 1
                push(sock, key_exchange())
    print(f"wanted={wanted} begun={begun}")


def flood_garbage(some, end):
    sent = 0
    while time.monotonic() < end and not STOPPED:
        for sock in some:
            kind = random.choice((20, 21, 22, 23, 25, 0, 255))
            body = random.randbytes(random.choice((0, 1, 13, 40, 1200, 2047, 2048, 2049, 9000)))
            push(sock, random.choice((body, wire.record(kind, body, random.getrandbits(40), epoch=random.randrange(3)))))
            sent += 1
        for _ in take(some):
            pass
    print(f"sent={sent}")


def main():
    kind, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    signal.signal(signal.SIGTERM, lambda *_: STOPPED.append(True))
    seed = int.from_bytes(os.urandom(4), "big")
    random.seed(seed)
    print(f"seed={seed}", end=" ")
    {"hello": flood_hello, "cookie": flood_cookie, "garbage": flood_garbage}[kind](
        sockets(port), time.monotonic() + seconds)


if __name__ == "__main__":
    main()
