"""The HTTPS binding in HTTP/2 (RFC 9113): the ping's answer is one HEADERS frame, a PING is acknowledged, and a stream's records come in DATA."""
import os
import struct
import subprocess
import sys

import wire

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "protocol"))
import codec  # noqa: E402

DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
ID = b"000102030405060708090a0b0c0d0e0f"


def frame(kind, flags, stream, body=b""):
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + body


def field(name, value):
    """A literal without indexing, no Huffman code (RFC 7541 section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def get(stream, path, *more):
    fields = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"h"), (b":path", path), (b"fedlet-session", ID), *more]
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, b"".join(field(*pair) for pair in fields))


class Peer:
    def __init__(self, *identity):
        self.sock = wire.tls(wire.AGENTS, alpn="h2", identity=identity)
        self.sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
        self.held = b""

    def take(self, size):
        while len(self.held) < size:
            more = self.sock.recv(65536)
            assert more, "the connection ended"
            self.held += more
        taken, self.held = self.held[:size], self.held[size:]
        return taken

    def next(self, *kinds):
        """The next frame of these kinds; type, flags, stream, payload."""
        while True:
            head = self.take(9)
            body = self.take(int.from_bytes(head[:3], "big"))
            if head[3] in kinds:
                return head[3], head[4], int.from_bytes(head[5:9], "big"), body


state = os.environ["WIRE_DIR"] + "/python"
agent = os.path.join(sys.path[0], "agent.py")
subprocess.run([agent, "join", state, "wire-h2", os.environ["WIRE_TOKEN"]], check=True)

peer = Peer(state + "/cert.pem", state + "/key.pem")
kind, flags, _, settings = peer.next(SETTINGS)
assert not flags & ACK and len(settings) % 6 == 0, settings.hex()
named = {int.from_bytes(settings[i:i + 2], "big"): int.from_bytes(settings[i + 2:i + 6], "big") for i in range(0, len(settings), 6)}
assert named[3] == 17 and named[6] == 8192, named  # streams at once: 16 requests and the observation; header bytes

peer.sock.sendall(get(1, b"/fedlet/v1/p"))
kind, flags, stream, block = peer.next(HEADERS)
assert stream == 1 and flags & END_STREAM and flags & END_HEADERS and block[:1] == b"\x89", block.hex()  # 0x89: :status 204 of the static table

peer.sock.sendall(frame(PING, 0, 0, b"fedlet!!"))
assert peer.next(PING) == (PING, ACK, 0, b"fedlet!!")

peer.sock.sendall(get(3, b"/fedlet/v1/h"))
kind, flags, stream, block = peer.next(HEADERS)
assert stream == 3 and not flags & END_STREAM and block[:1] == b"\x88", block.hex()  # :status 200
kind, flags, stream, hello = peer.next(DATA)
assert stream == 3 and flags & END_STREAM and hello[0] == 1, hello.hex()
epoch = codec.take_hello(hello)["epoch"]

# The observation's body does not end; its first record is a frame whose epoch is the hello's.
peer.sock.sendall(get(5, b"/fedlet/v1/b?e=%d&r=0" % epoch, (b"fedlet-observe", b"stream")))
kind, flags, stream, block = peer.next(HEADERS)
assert stream == 5 and not flags & END_STREAM and block[:1] == b"\x88", block.hex()
kind, flags, stream, data = peer.next(DATA)
size = int.from_bytes(data[:4], "big")
assert stream == 5 and not flags & END_STREAM and len(data) == 4 + size, data.hex()
assert data[4] == 1 and int.from_bytes(data[6:10], "big") == epoch, data.hex()

# A newer one ends it in order, on a connection that goes on.
peer.sock.sendall(get(7, b"/fedlet/v1/b?e=%d&r=0" % epoch, (b"fedlet-observe", b"stream")))
ended = []
while len(ended) < 2:
    kind, flags, stream, data = peer.next(DATA)
    ended += [(stream, bool(flags & END_STREAM), len(data))]
assert sorted(ended) == [(5, True, 0), (7, False, 4 + size)], ended
peer.sock.sendall(frame(PING, 0, 0, b"and this"))
assert peer.next(PING, GOAWAY) == (PING, ACK, 0, b"and this")
