#!/usr/bin/env python3
"""https_flood.py KIND PORT SECONDS [SOURCE] - connections towards a hub's HTTPS port, as many as it lets us have; for so
many seconds, or until SIGTERM. SOURCE is the address that they come from (127.0.0.2).

  open      connections that say nothing
  half      a whole ClientHello each, then nothing
  loris     a ClientHello that comes a byte at a time
  headers   whole handshakes without a certificate, then a header that comes a byte at a time
  strangers whole handshakes with a certificate that nobody knows, one after the other
  garbage   random bytes instead of TLS

Prints one line of figures. Nothing of it is more than a stranger on the network can send.
"""
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

KEPT = 3000  # connections at once; the hub may have less
STOPPED = []


def context_of(folder=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if folder:
        context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    return context


def hello():
    """A ClientHello as OpenSSL makes it."""
    out = ssl.MemoryBIO()
    try:
        context_of().wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def connect(where):
    port, source = where
    sock = socket.socket()
    sock.settimeout(2)
    sock.bind((source, 0))
    sock.connect(("127.0.0.1", port))
    return sock


def over(sock):
    """Whether the hub closed it; what it said is dropped."""
    try:
        while True:
            if not sock.recv(65536):
                return True
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


class Crowd:
    """Keeps as many connections as it can, and sends to each what a step of it says."""

    def __init__(self, begin, step):
        self.begin, self.step = begin, step
        self.kept, self.tried, self.ended, self.most = [], 0, 0, 0

    def run(self, where, end):
        while time.monotonic() < end and not STOPPED:
            then = time.monotonic()
            while len(self.kept) < KEPT and time.monotonic() < then + 0.5 and not STOPPED:
                self.tried += 1
                try:
                    sock = self.begin(connect(where))
                    sock.setblocking(False)
                    self.kept.append([sock, 0])
                except OSError:
                    self.ended += 1
            left = []
            for one in self.kept:
                if over(one[0]) or not self.push(one):
                    one[0].close()
                    self.ended += 1
                else:
                    left.append(one)
            self.kept = left
            self.most = max(self.most, len(left))
        print(f"tried={self.tried} ended={self.ended} most={self.most}")

    def push(self, one):
        try:
            self.step(one)
            return True
        except (BlockingIOError, ssl.SSLWantWriteError):
            return True
        except OSError:
            return False


def nothing(_):
    pass


def crowd_of_half():
    whole = hello()

    def begin(sock):
        sock.sendall(whole)
        return sock
    return Crowd(begin, nothing)


def crowd_of_loris():
    whole = hello()

    def step(one):
        if one[1] < len(whole) - 1:
            one[0].send(whole[one[1]:one[1] + 1])
            one[1] += 1
    return Crowd(lambda sock: sock, step)


def crowd_of_headers():
    context = context_of()

    def begin(sock):
        line = context.wrap_socket(sock)
        line.sendall(b"GET /fedlet/v1/h HTTP/1.1\r\nhost: hub\r\nx-slow: ")
        return line
    return Crowd(begin, lambda one: one[0].sendall(b"x"))


def flood_of_strangers(where, end):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem", "-subj", "/CN=py/O=fedlet:agents",
                        "-days", "9"], check=True, stderr=subprocess.DEVNULL)
        context = context_of(folder)
    begun = refused = 0
    while time.monotonic() < end and not STOPPED:
        try:
            begun += 1
            with context.wrap_socket(connect(where)) as line:
                line.sendall(b"GET /fedlet/v1/h HTTP/1.1\r\n\r\n")
                refused += not line.recv(1)
        except OSError:
            refused += 1
    print(f"begun={begun} refused={refused}")


def flood_of_garbage(where, end):
    sent = 0
    while time.monotonic() < end and not STOPPED:
        try:
            with connect(where) as sock:
                kind = random.choice((b"", b"\x16\x03\x01", b"\x16\x03\x03\x40\x00", b"\x80", b"\x17\x03\x03"))
                sock.sendall(kind + random.randbytes(random.choice((1, 5, 100, 5000, 40000))))
                sent += 1
                sock.settimeout(0.02)
                sock.recv(100)
        except OSError:
            pass
    print(f"sent={sent}")


def main():
    kind, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    where = port, sys.argv[4] if len(sys.argv) > 4 else "127.0.0.2"
    signal.signal(signal.SIGTERM, lambda *_: STOPPED.append(True))
    seed = int.from_bytes(os.urandom(4), "big")
    random.seed(seed)
    print(f"seed={seed}", end=" ", flush=True)
    end = time.monotonic() + seconds
    if kind == "strangers":
        flood_of_strangers(where, end)
    elif kind == "garbage":
        flood_of_garbage(where, end)
    else:
        {"open": lambda: Crowd(lambda sock: sock, nothing), "half": crowd_of_half, "loris": crowd_of_loris,
         "headers": crowd_of_headers}[kind]().run(where, end)


if __name__ == "__main__":
    main()
