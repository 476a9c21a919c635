#!/usr/bin/env python3
"""https_peer.py - peers at the hub's HTTPS port that fedlet is not: strangers, slow ones, silent ones, deaf ones.

  https_peer.py ask PORT METHOD TARGET [OPTION=VALUE]...   one request of a new session, in HTTP/1.1; prints `STATUS BODY`, or
                                                           `refused` when there was no answer
      cert=FILE key=FILE   the client certificate        session=HEX|none  instead of a random id
      tls=1.2              instead of 1.3                body=BYTES        so many of them
      times=N              the same on one connection    header.NAME=VALUE one more
      show=NAME            a header of the answer instead of the body
  https_peer.py mute PORT TCP TLS HEADERS SECONDS          so many connections that say nothing, TLS connections that ask nothing,
                                                           and that send a header a byte a second; prints how many of each the
                                                           hub closed within so many seconds, and says `open` when all are there
  https_peer.py deaf PORT CERT KEY TARGET SECONDS          observes and reads no more than the head; says `observing`"""
import http.client
import re
import secrets
import socket
import ssl
import sys
import time


def context_of(options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # a stranger trusts whom he likes
    context.set_alpn_protocols(["http/1.1"])
    if options.get("tls") == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if "cert" in options:
        context.load_cert_chain(options["cert"], options["key"])
    return context


def ask(port, method, target, *words):
    options = dict(word.split("=", 1) for word in words)
    session = options.get("session", secrets.token_hex(16))
    headers = {} if session == "none" else {"fedlet-session": session}
    headers.update({key[7:]: value for key, value in options.items() if key.startswith("header.")})
    line = http.client.HTTPSConnection("127.0.0.1", int(port), timeout=60, context=context_of(options))
    try:
        for _ in range(int(options.get("times", "1"))):
            line.request(method, target, b"x" * int(options["body"]) if "body" in options else None, headers)
            answer = line.getresponse()
            body = answer.read().decode(errors="replace")
            print(answer.status, answer.headers[options["show"]] if "show" in options else body)
    except (OSError, http.client.HTTPException) as error:
        print("refused")
        print(f"{type(error).__name__}: {error}", file=sys.stderr)


def closed(sock):
    try:
        sock.settimeout(0.2)
        while True:
            if not sock.recv(65536):
                return True
    except (socket.timeout, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def mute(port, tcp, tls, slow, seconds):
    def connect():
        return socket.create_connection(("127.0.0.1", int(port)))

    silent = [connect() for _ in range(int(tcp))]
    context = context_of({})
    idle = [context.wrap_socket(connect()) for _ in range(int(tls))]
    slow = [context.wrap_socket(connect()) for _ in range(int(slow))]
    print("open", flush=True)
    end = time.monotonic() + int(seconds)
    left = [list(silent), list(idle), list(slow)]
    text = b"GET /fedlet/v1/p HTTP/1.1\r\nhost: hub\r\nx-slow: "
    while time.monotonic() < end and any(left):
        for sock in left[2]:
            try:
                sock.settimeout(5)
                sock.sendall(text[:1])
            except OSError:
                pass
        text = text[1:] or b"x"
        left = [[sock for sock in group if not closed(sock)] for group in left]
        time.sleep(1)
    print(*(len(all_) - len(rest) for all_, rest in zip((silent, idle, slow), left)))


def deaf(port, cert, key, target, seconds):
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    raw.connect(("127.0.0.1", int(port)))
    sock = context_of({"cert": cert, "key": key}).wrap_socket(raw)
    sock.sendall(f"GET {target} HTTP/1.1\r\nhost: hub\r\nfedlet-session: {secrets.token_hex(16)}\r\nfedlet-observe: stream\r\n\r\n".encode())
    head = sock.recv(100)
    assert re.match(rb"HTTP/1.1 200", head), head
    print("observing", flush=True)
    time.sleep(int(seconds))


if len(sys.argv) < 3 or sys.argv[1] not in ("ask", "mute", "deaf"):
    sys.exit(__doc__)
{"ask": ask, "mute": mute, "deaf": deaf}[sys.argv[1]](*sys.argv[2:])
