"""The TCP half: each connection is taken and made again towards the hub, its bytes carried late.

Packets of TCP are the kernel's. What is read here has arrived; so a lost segment is one that comes as much later as its
repetition would take, and what follows waits behind it. A partition is real: a socket filter drops whatever arrives,
neither side gets an acknowledgement, a FIN or a reset, and connecting hangs.
"""

import ctypes
import socket
import struct

from .rules import corrupted

SEGMENT = 1448
IN_FLIGHT_MAX = 256 << 10
RTO_FLOOR_S = 0.2
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27


def _deaf(sock, on):
    """Whatever arrives is dropped before TCP sees it (classic BPF: `ret 0`)."""
    if not on:
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        except OSError:  # there was none
            pass
        return
    code = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(code)))


def _abort(sock):
    """Closes with a reset."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    sock.close()


class _Pipe:
    """One way of one connection."""

    def __init__(self, connection, direction, source, sink):
        self.connection, self.direction = connection, direction
        self.source, self.sink = source, sink
        self.in_flight = 0  # read, not yet written
        self.last_due = 0.0
        self.ready = []     # arrived, to be written
        self.ended = False  # the source said FIN

    @property
    def wants(self):
        return not self.ended and self.in_flight < IN_FLIGHT_MAX and not self.direction.rules.partition

    @property
    def writes(self):
        return bool(self.ready) and not self.direction.rules.partition

    def read(self):
        try:
            data = self.source.recv(SEGMENT)
        except BlockingIOError:
            return
        except OSError:
            self.connection.reset()
            return
        self._carry(data)

    def _carry(self, data):
        loop, direction = self.connection.relay.loop, self.direction
        rules, count = direction.rules, direction.count
        fate = direction.throw()
        now = loop.now()
        # The reader waits while the line is busy, so there is no queue to be full.
        due = (direction.line(now, len(data)) or now + 1.0) + rules.delay_s + rules.jitter_s * fate.jitter
        if not data:
            self.ended = True
        count.packets += 1
        count.bytes += len(data)
        count.lost += fate.losses
        due += max(RTO_FLOOR_S, self.connection.round_trip_s()) * (2**fate.losses - 1)
        if fate.corrupted and data:
            count.corrupted += 1
            data = corrupted(data, fate.bit)
        self.last_due = due = max(due, self.last_due)
        self.in_flight += len(data)
        if due <= now:
            self._arrived(data)
        else:
            loop.at(due, lambda: self._arrived(data))

    def _arrived(self, data):
        if self.connection.closed:
            return
        self.direction.count.passed += 1
        self.direction.count.passed_bytes += len(data)
        self.ready.append(data)
        self.write()
        self.connection.watch()

    def write(self):
        while self.writes:
            data = self.ready[0]
            try:
                if not data:
                    self.sink.shutdown(socket.SHUT_WR)
                    self.ready.pop(0)
                    self.connection.half_over()
                    return
                sent = self.sink.send(data)
            except BlockingIOError:
                return
            except OSError:
                self.connection.reset()
                return
            self.in_flight -= sent
            if sent == len(data):
                self.ready.pop(0)
            else:
                self.ready[0] = data[sent:]


class _Connection:
    def __init__(self, relay, front):
        self.relay, self.front = relay, front
        self.closed, self.connected, self._halves = False, False, 0
        self.front.setblocking(False)
        self.front.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.back = socket.socket(relay.family, socket.SOCK_STREAM)
        self.back.setblocking(False)
        self.back.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.back.connect_ex(relay.target)
        self.up = _Pipe(self, relay.directions["up"], self.front, self.back)
        self.down = _Pipe(self, relay.directions["down"], self.back, self.front)
        # The agent's kernel was told at once that it is connected: a round trip is owed before the first byte.
        self.up.last_due = relay.loop.now() + self.round_trip_s() + self.up.direction.rules.delay_s
        self.partition()
        self.watch()

    def round_trip_s(self):
        return sum(d.rules.delay_s for d in self.relay.directions.values())

    def partition(self):
        _deaf(self.front, self.up.direction.rules.partition)
        _deaf(self.back, self.down.direction.rules.partition)

    def watch(self):
        if self.closed:
            return
        self.relay.loop.watch(self.front, self._front_ready if self.up.wants else None,
                              self._front_free if self.down.writes else None)
        self.relay.loop.watch(self.back, self._back_ready if self.down.wants and self.connected else None,
                              self._back_free if self.up.writes or not self.connected else None)

    def _front_ready(self):
        self.up.read()
        self.watch()

    def _back_ready(self):
        if not self.closed:
            self.down.read()
            self.watch()

    def _front_free(self):
        if not self.closed:
            self.down.write()
            self.watch()

    def _back_free(self):
        if self.closed:
            return
        if not self.connected:
            if self.back.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.reset()
                return
            self.connected = True
        self.up.write()
        self.watch()

    def half_over(self):
        self._halves += 1
        if self._halves == 2:
            self._close(lambda sock: sock.close())

    def reset(self):
        self._close(_abort)

    def _close(self, how):
        if self.closed:
            return
        self.closed = True
        for sock in (self.front, self.back):
            self.relay.loop.watch(sock)
            how(sock)
        self.relay.connections.discard(self)


class TcpRelay:
    def __init__(self, loop, listen, target, directions):
        self.loop, self.directions = loop, directions
        found = socket.getaddrinfo(*target, type=socket.SOCK_STREAM)[0]
        self.family, self.target = found[0], found[4]
        self.front = socket.socket(self.family, socket.SOCK_STREAM)
        self.front.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.front.setblocking(False)
        self.front.bind(listen)
        self.front.listen(512)
        self.address = self.front.getsockname()
        self.connections = set()
        self.accepted = self.resets = 0
        loop.watch(self.front, self._ready)

    def _ready(self):
        try:
            front, _ = self.front.accept()
        except OSError:
            return
        self.accepted += 1
        self.connections.add(_Connection(self, front))

    # ---- commands ----

    def reset(self):
        self.resets += len(self.connections)
        for connection in list(self.connections):
            connection.reset()

    def partition_changed(self):
        _deaf(self.front, any(d.rules.partition for d in self.directions.values()))
        for connection in list(self.connections):
            connection.partition()
            connection.up.write()
            connection.down.write()
            connection.watch()

    def facts(self):
        return {"connections": len(self.connections), "accepted": self.accepted, "resets": self.resets}

    def close(self):
        self.front.close()
        for connection in list(self.connections):
            connection.reset()
