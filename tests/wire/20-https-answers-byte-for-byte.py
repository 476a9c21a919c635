"""The HTTPS binding in HTTP/1.1: what a peer without a certificate is answered, byte for byte but for the date."""
import re

import wire

ID = b"000102030405060708090a0b0c0d0e0f"
NEEDED = b"one header fedlet-session with 32 hexadecimal digits is needed"
WHO = b"a certificate is needed here; a token may only ask to join"
TEXT = b"content-type: text/plain; charset=utf-8\r\n"


def refusal(status, body, more=b""):
    return b"HTTP/1.1 " + status + b"\r\n" + TEXT + more + b"content-length: %d\r\ndate: DATE\r\n\r\n" % len(body) + body


ALLOW = b"allow: GET, POST\r\n"
CASES = [
    (b"GET /fedlet/v1/p HTTP/1.1\r\nhost: h\r\nfedlet-session: " + ID + b"\r\n\r\n", b"HTTP/1.1 204 No Content\r\ndate: DATE\r\n\r\n"),
    (b"GET /fedlet/v1/p HTTP/1.1\r\nhost: h\r\n\r\n", refusal(b"400 Bad Request", NEEDED)),
    (b"GET /fedlet/v1/h HTTP/1.1\r\nhost: h\r\nfedlet-session: " + ID + b"\r\n\r\n", refusal(b"401 Unauthorized", WHO)),
    (b"GET /fedlet/v1/b?e=0&r=0 HTTP/1.1\r\nhost: h\r\nfedlet-observe: stream\r\nfedlet-session: " + ID + b"\r\n\r\n",
     refusal(b"401 Unauthorized", WHO)),
    (b"PUT /fedlet/v1/s HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\nfedlet-session: " + ID + b"\r\n\r\nhi",
     refusal(b"405 Method Not Allowed", b"no such method here", ALLOW)),
    (b"POST /fedlet/v1/s HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\nfedlet-session: " + ID + b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
     refusal(b"401 Unauthorized", WHO)),
    (b"GET /fedlet/v1/p HTTP/1.1\r\nhost: h\r\nfedlet-session: ffffffffffffffffffffffffffffffff\r\n\r\n",
     refusal(b"400 Bad Request", b"this connection belongs to another session")),
]


def answer(sock, size):
    got = b""
    while len(re.sub(rb"date: [^\r]*", b"date: DATE", got)) < size:
        more = sock.recv(65536)
        assert more, got
        got += more
    return re.sub(rb"date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", b"date: DATE", got)


with wire.tls(wire.AGENTS) as sock:
    for request, expected in CASES:
        sock.sendall(request)
        got = answer(sock, len(expected))
        assert got == expected, f"{request}\ngot      {got}\nexpected {expected}"

# What is no HTTP, and what is too much of it, ends the connection.
for request, status in ((b"\x16\x03\x01\0\0", b"400"), (b"GET /fedlet/v1/p HTTP/1.1\r\nx: " + b"x" * 9000 + b"\r\n", b"431"),
                        (b"POST /fedlet/v1/s HTTP/1.1\r\nhost: h\r\ncontent-length: 65537\r\nfedlet-session: " + ID + b"\r\n\r\n", b"413")):
    with wire.tls(wire.AGENTS) as sock:
        sock.sendall(request)
        got = wire.read_all(sock)
        assert got.startswith(b"HTTP/1.1 " + status + b" ") and b"connection: close\r\n" in got, got
print(len(CASES), "answers")
