#!/usr/bin/env python3
"""link_proxy LOG [USER:PASSWORD] - an HTTP proxy that knows CONNECT alone, on a free port, which it prints. Each request is one line in LOG:
the status that it got and its target."""
import base64
import socket
import sys
import threading

log = open(sys.argv[1], "a", encoding="utf-8")
wanted = base64.b64encode(sys.argv[2].encode()).decode() if len(sys.argv) > 2 else None
front = socket.socket()
front.bind(("127.0.0.1", 0))
front.listen(16)
print(front.getsockname()[1], flush=True)


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def refuse(client, status):
    client.sendall(f"HTTP/1.1 {status}\r\nProxy-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\n\r\n".encode())
    client.close()


def serve(client):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(4096)
        if not piece:
            return
        head += piece
    lines = head.decode().split("\r\n")
    method, target, version = lines[0].split(" ")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    given = [line.split(" ")[2] for line in lines if line.lower().startswith("proxy-authorization: basic ")]
    assert method == "CONNECT" and version == "HTTP/1.1" and headers["host"] == target, lines
    status = "200 OK" if given == ([wanted] if wanted else []) else "407 Proxy Authentication Required"
    log.write(f"{status} {target}\n")
    log.flush()
    if not status.startswith("200"):
        refuse(client, status)
        return
    host, port = target.rsplit(":", 1)
    try:
        hub = socket.create_connection((host, int(port)))
    except OSError:
        refuse(client, "502 Bad Gateway")
        return
    client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
    threading.Thread(target=copy, args=(hub, client), daemon=True).start()
    copy(client, hub)


while True:
    connection, _ = front.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
