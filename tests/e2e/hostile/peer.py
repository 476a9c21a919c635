"""peer.py - an API server spoken to byte by byte: TLS, HTTP/1.1 and HTTP/2 of our own, which send what no client
library would, and a bystander who must be served meanwhile."""
import base64
import contextlib
import json
import os
import re
import socket
import ssl
import struct
import tempfile
import threading
import time


class Server:
    """An API server as a kubeconfig names it; pid: of its process, or None."""

    def __init__(self, kubeconfig, pid=None):
        text = open(kubeconfig, encoding="utf-8").read()
        field = lambda name: base64.b64decode(re.search(name + r": *\"?([A-Za-z0-9+/=]+)", text).group(1))
        host, port = re.search(r"server: *\"?https://([^:/\s\"]+):(\d+)", text).groups()
        self.at = (host, int(port))
        self.pid = pid
        self.ca = field("certificate-authority-data").decode()
        self.pem = tempfile.NamedTemporaryFile()  # pylint: disable=consider-using-with
        self.pem.write(field("client-certificate-data") + b"\n" + field("client-key-data"))
        self.pem.flush()

    def context(self, alpn=None, certificate=True):
        context = ssl.create_default_context(cadata=self.ca)
        context.check_hostname = False
        if certificate:
            context.load_cert_chain(self.pem.name)
        if alpn:
            context.set_alpn_protocols([alpn])
        return context

    def tcp(self, source="127.0.0.1", timeout=60, receive_buffer=0):
        sock = socket.socket()
        sock.settimeout(timeout)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.bind((source, 0))
        sock.connect(self.at)
        return sock

    def tls(self, alpn="http/1.1", certificate=True, **how):
        return self.context(alpn, certificate).wrap_socket(self.tcp(**how), server_hostname=self.at[0])

    def rss_mib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) // 1024

    def ask(self, method, path, body=None, kind="application/json", headers=(), **how):
        """One request on a connection of its own."""
        lines = [f"{method} {path} HTTP/1.1", "Host: hub", "Connection: close"]
        if body is not None:
            body = body.encode() if isinstance(body, str) else body
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
        lines += headers
        return self.raw("\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + (body or b""), **how)

    def raw(self, request, **how):
        """The answer to these bytes; None when the connection was closed without one."""
        with self.tls(**how) as sock:
            with contextlib.suppress(OSError):  # refused before all of it was sent
                sock.sendall(request)
            return Answer.read(sock)


class Answer:
    def __init__(self, code, headers, body):
        self.code, self.headers, self.body = code, headers, body

    def json(self):
        return json.loads(self.body)

    def __str__(self):
        return f"{self.code} {self.body[:300]!r}"

    @staticmethod
    def read(sock):
        data = b""
        with contextlib.suppress(OSError):
            while b"\r\n\r\n" not in data:
                more = sock.recv(65536)
                if not more:
                    break
                data += more
        if not data.startswith(b"HTTP/"):
            return None
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        code = int(lines[0].split()[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        if code == 100:
            return Answer(code, headers, body)
        length = int(headers["content-length"]) if "content-length" in headers else None
        with contextlib.suppress(OSError):
            while length is None or len(body) < length:
                more = sock.recv(65536)
                if not more:
                    break
                body += more
        if headers.get("transfer-encoding") == "chunked":
            body = Answer.unchunk(body)
        return Answer(code, headers, body)

    @staticmethod
    def unchunk(data):
        out = b""
        while data:
            size, _, data = data.partition(b"\r\n")
            n = int(size, 16)
            out += data[:n]
            data = data[n + 2:] if n else b""
        return out


# ---- HTTP/2 ----
DATA, HEADERS, PRIORITY, RST, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + struct.pack("!BBI", kind, flags, stream) + payload


def integer(value, bits, first):
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = bytes([first | limit]), value - limit
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def literal(name, value):
    """A field that no table keeps (RFC 7541 section 6.2.2)."""
    name, value = name.encode(), value.encode()
    return b"\0" + integer(len(name), 7, 0) + name + integer(len(value), 7, 0) + value


def fields(method, path, *more):
    out = literal(":method", method) + literal(":scheme", "https") + literal(":path", path) + literal(":authority", "hub")
    return out + b"".join(literal(name, value) for name, value in more)


DIGITS = {"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4", "011011": "5", "011100": "6",
          "011101": "7", "011110": "8", "011111": "9"}


def status_of(block):
    """:status is the first field; our SETTINGS forbid a dynamic table."""
    while block and block[0] & 0xE0 == 0x20:  # table size update
        block = block[1:]
    if block[0] & 0x80:
        return {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}[block[0] & 0x7F]
    size, value = block[1] & 0x7F, block[2:2 + (block[1] & 0x7F)]
    if not block[1] & 0x80:
        return int(value[:size])
    bits, out = "".join(f"{byte:08b}" for byte in value), ""
    while len(out) < 3:
        length = 5 if bits[:5] in DIGITS else 6
        out, bits = out + DIGITS[bits[:length]], bits[length:]
    return int(out)


class H2:
    """One HTTP/2 connection; answers are taken as they come, windows are kept open unless read is False."""

    def __init__(self, server, window=(1 << 31) - 1, certificate=True, settings=b"", tail=None, **how):
        self.sock = server.tls("h2", certificate, **how)
        self.buffer = b""
        self.next_id = 1
        self.answers = {}  # stream: [code, body, ended]
        self.tail = tail  # of each body: so many bytes are kept at least
        self.ended = None  # GOAWAY's code, or "closed"
        first = struct.pack("!HIHI", 1, 0, 4, min(window, (1 << 31) - 1)) + settings
        self.send(PREFACE + frame(SETTINGS, 0, 0, first))
        if window > 65535:
            self.send(frame(WINDOW, 0, 0, struct.pack("!I", (1 << 31) - 1 - 65535)))

    def send(self, data):
        """False when the peer has closed."""
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            self.ended = self.ended or "closed"
            return False

    def begin(self, method, path, *more, body=None, end=True):
        stream, self.next_id = self.next_id, self.next_id + 2
        flags = END_HEADERS | (END_STREAM if body is None and end else 0)
        self.answers[stream] = [0, bytearray(), False]
        self.send(frame(HEADERS, flags, stream, fields(method, path, *more)))
        for at in range(0, len(body or b""), 16384):
            last = END_STREAM if end and at + 16384 >= len(body) else 0
            self.send(frame(DATA, last, stream, body[at:at + 16384]))
        return stream

    def take(self, kind, flags, stream, payload):
        answer = self.answers.get(stream)
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.ended = struct.unpack("!I", payload[4:8])[0]
        elif kind == HEADERS and answer:
            answer[0] = status_of(payload)
        elif kind == DATA and answer:
            answer[1] += payload
            if self.tail and len(answer[1]) > 2 * self.tail:
                del answer[1][:-self.tail]
        if kind == RST and answer and not answer[2]:
            answer[2] = "reset"
        elif kind in (HEADERS, DATA) and answer and flags & END_STREAM:
            answer[2] = True

    def pump(self, until, seconds=120):
        """Takes frames until the condition holds; its value."""
        end = time.monotonic() + seconds
        while not until() and self.ended != "closed":
            left = end - time.monotonic()
            if left <= 0:
                return False
            self.sock.settimeout(left)
            try:
                more = self.sock.recv(1 << 20)
            except OSError:
                more = b""
            if not more:
                self.ended = self.ended if isinstance(self.ended, int) and self.ended else "closed"
                break
            self.buffer += more
            while len(self.buffer) >= 9:
                length = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) < 9 + length:
                    break
                kind, flags, stream = struct.unpack("!BBI", self.buffer[3:9])
                payload, self.buffer = self.buffer[9:9 + length], self.buffer[9 + length:]
                self.take(kind, flags, stream, payload)
        return until()

    def get(self, method, path, *more, body=None):
        stream = self.begin(method, path, *more, body=body)
        self.pump(lambda: self.answers[stream][2])
        code, text, _ = self.answers.pop(stream)
        return Answer(code, {}, text)

    def close(self):
        self.sock.close()


# ---- what every case holds ----
class Bystander(threading.Thread):
    """Somebody else, from another address, who asks ten times a second and must not wait."""

    def __init__(self, server, path="/api/v1/namespaces/default"):
        super().__init__(daemon=True)
        self.server, self.path = server, path
        self.worst_ms, self.n, self.wrong = 0.0, 0, []
        self.over = threading.Event()

    def run(self):
        connection = None
        while not self.over.wait(0.1):
            since = time.monotonic()
            try:
                connection = connection or H2(self.server, source="127.0.0.2")
                answer = connection.get("GET", self.path)
                if answer.code != 200:
                    self.wrong.append(str(answer))
                    connection = None
            except (OSError, KeyError, IndexError) as error:
                self.wrong.append(repr(error))
                connection = None
            self.n += 1
            self.worst_ms = max(self.worst_ms, 1000 * (time.monotonic() - since))


@contextlib.contextmanager
def others_unaffected(server):
    """Around an attack: the hub lives, its memory is bounded, a bystander is served in time."""
    limit_ms = float(os.environ.get("HOSTILE_LATENCY_MS", "1000"))
    limit_mib = float(os.environ.get("HOSTILE_RSS_MIB", "600"))
    bystander = Bystander(server)
    bystander.start()
    peak = [0]
    over = threading.Event()

    def sample():
        while not over.wait(0.05):
            with contextlib.suppress(OSError, StopIteration):
                peak[0] = max(peak[0], server.rss_mib())

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield bystander
        while bystander.n < 3:
            time.sleep(0.05)
    finally:
        bystander.over.set()
        bystander.join(120)
        over.set()
        sampler.join(10)
    print(f"bystander: {bystander.n} requests, worst {bystander.worst_ms:.0f} ms; hub: {peak[0]} MiB at most")
    assert not bystander.wrong, bystander.wrong[:3]
    assert bystander.worst_ms < limit_ms, f"a bystander waited {bystander.worst_ms:.0f} ms"
    assert peak[0] < limit_mib, f"the hub took {peak[0]} MiB"
    assert server.ask("GET", "/readyz").code == 200


def check_status(answer, codes, reason=None):
    """A metav1.Status failure with one of the codes."""
    assert answer is not None, "closed without an answer"
    codes = codes if isinstance(codes, (set, tuple)) else {codes}
    assert answer.code in codes, f"wanted {codes}, got {answer}"
    status = answer.json()
    assert status.get("kind") == "Status" and status.get("apiVersion") == "v1", answer
    assert status.get("status") == "Failure" and status.get("code") == answer.code, answer
    assert status.get("message"), answer
    assert reason is None or status.get("reason") == reason, f"wanted reason {reason}: {answer}"
    return status
