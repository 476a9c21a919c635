"""Plain HTTP on the TLS port is told so in one sentence, other bytes get an alert at most, and the connection ends."""
import socket

import wire

TOLD = (b"HTTP/1.0 400 Bad Request\r\ncontent-type: text/plain\r\n\r\n"
        b"Client sent an HTTP request to an HTTPS server.\n")

for request in (b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 100):
    with socket.create_connection(("127.0.0.1", wire.API), timeout=60) as sock:
        sock.sendall(request)
        got = wire.read_all(sock)
    if request.startswith(b"GET "):
        assert got == TOLD, got
    else:  # the same, a fatal alert record (RFC 8446 section 6), or nothing
        assert got in (b"", TOLD) or (got[0] == wire.ALERT and len(got) == 7 and got[5] == 2), got
    print(got.hex() or "closed")
