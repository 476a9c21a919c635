"""Requests whose length two readers could understand differently are refused, and the connection ends (RFC 9112 section 6.3)."""
import wire

bad = (
    b"POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    b"POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /version HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /version HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /version\r\nHost: a\r\n\r\n",
    b"GET /version HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET /version HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    b"rubbish\r\n\r\n",
)
for request in bad:
    with wire.tls() as sock:
        sock.settimeout(5)
        sock.sendall(request)
        got = wire.read_all(sock)
    status = got.split(b"\r\n", 1)[0]
    print(request[:60], status)
    assert status == b"" or status.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505")), (request, got)
    assert got.count(b"\nHTTP/1.1 ") == 0, (request, got)  # one answer, not two
