"""The UDP half: one socket towards the agents, and for each agent's address one towards the hub, as a NAT has it."""

import socket

from .rules import HEADERS, corrupted

BATCH = 64
OLD_MAPPINGS_MAX = 64
BUFFER = 4 << 20


def _open(family):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return sock


class _Flow:
    def __init__(self, relay, agent):
        self.relay, self.agent = relay, agent
        self.back = None
        self.old = []  # a NAT that forgot a mapping is silent about it: nobody gets an ICMP error
        self.last_due = {"up": 0.0, "down": 0.0}
        self.rebind()

    def rebind(self):
        if self.back:
            self.relay.loop.watch(self.back)
            self.old.append(self.back)
            if len(self.old) > OLD_MAPPINGS_MAX:
                self.old.pop(0).close()
        self.back = _open(self.relay.family)
        self.back.connect(self.relay.target)
        self.relay.loop.watch(self.back, self._ready)

    def _ready(self):
        for _ in range(BATCH):
            try:
                data = self.back.recv(65536)
            except BlockingIOError:
                return
            except ConnectionRefusedError:  # the hub is not there; the agent finds out by itself
                continue
            self.relay.packet("down", self, data)

    def deliver(self, direction, data):
        try:
            if direction == "up":
                self.back.send(data)
            else:
                self.relay.front.sendto(data, self.agent)
        except (BlockingIOError, ConnectionRefusedError):
            pass

    def close(self):
        for sock in [self.back, *self.old]:
            sock.close()


class UdpRelay:
    def __init__(self, loop, listen, target, directions):
        self.loop, self.directions = loop, directions
        found = socket.getaddrinfo(*target, type=socket.SOCK_DGRAM)[0]
        self.family, self.target = found[0], found[4]
        self.front = _open(self.family)
        self.front.bind(listen)
        self.address = self.front.getsockname()
        self.rebinds = 0
        self._flows = {}
        self._rebind_every = None
        loop.watch(self.front, self._ready)

    def _ready(self):
        for _ in range(BATCH):
            try:
                data, agent = self.front.recvfrom(65536)
            except BlockingIOError:
                return
            flow = self._flows.get(agent)
            if not flow:
                flow = self._flows[agent] = _Flow(self, agent)
            self.packet("up", flow, data)

    def packet(self, name, flow, data):
        direction = self.directions[name]
        rules, count = direction.rules, direction.count
        fate = direction.throw()
        count.packets += 1
        count.bytes += len(data)
        if rules.partition:
            count.cut += 1
            return
        if rules.mtu and len(data) + HEADERS["udp"] > rules.mtu:
            count.too_large += 1
            return
        if fate.lost:
            count.lost += 1
            return
        now = self.loop.now()
        due = direction.line(now, len(data))
        if due is None:
            count.queue_full += 1
            return
        due += rules.delay_s + rules.jitter_s * fate.jitter
        if fate.corrupted:
            count.corrupted += 1
            data = corrupted(data, fate.bit)
        if fate.reordered:
            count.reordered += 1
            due += rules.reorder_s
        else:  # jitter alone does not change the order
            due = flow.last_due[name] = max(due, flow.last_due[name])
        self._send(name, flow, data, now, due)
        if fate.duplicated:
            count.duplicated += 1
            self._send(name, flow, data, now, due)

    def _send(self, name, flow, data, now, due):
        count = self.directions[name].count
        count.passed += 1
        count.passed_bytes += len(data)
        if due <= now:
            flow.deliver(name, data)
        else:
            self.loop.at(due, lambda: flow.deliver(name, data))

    # ---- commands ----

    def rebind(self):
        self.rebinds += 1
        for flow in self._flows.values():
            flow.rebind()

    def rebind_every(self, period_s):
        """None: no more."""
        self._rebind_every = period_s
        if period_s:
            self.loop.at(self.loop.now() + period_s, lambda: self._rebind_again(period_s))

    def _rebind_again(self, period_s):
        if self._rebind_every != period_s:
            return
        self.rebind()
        self.loop.at(self.loop.now() + period_s, lambda: self._rebind_again(period_s))

    def partition_changed(self):
        pass

    def facts(self):
        return {"flows": len(self._flows), "rebinds": self.rebinds}

    def close(self):
        self.front.close()
        for flow in self._flows.values():
            flow.close()
