"""TLS without a client certificate: 401 with exactly this Status, on HTTP/1.1."""
import json

import wire

with wire.tls() as sock:
    sock.sendall(b"GET /api/v1/namespaces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    got = wire.read_all(sock)
head, _, body = got.partition(b"\r\n\r\n")
print(got.decode())
lines = head.decode("ascii").split("\r\n")
headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
assert lines[0] == "HTTP/1.1 401 Unauthorized", lines[0]
assert headers["content-type"] == "application/json", headers
assert int(headers["content-length"]) == len(body), headers
expected = {
    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "Unauthorized",
    "reason": "Unauthorized", "code": 401,
}
assert json.loads(body) == expected, body
