"""A UDP relay between an agent and the hub that writes down each datagram.

It counts what an operator pays for: UDP payload, and with 28 bytes for the headers of IPv4 and UDP. It neither delays
nor loses anything. The agent knows the hub by its pinned CA, so that it takes the relay's address for the hub's.
"""

import select
import socket
import threading
import time
from collections import namedtuple

HEADERS = 28
LOOPBACK = "127.0.0.1"

Datagram = namedtuple("Datagram", "at up size")  # monotonic seconds; True from the agent; bytes of payload


def wire(datagrams):
    """Bytes with headers."""
    return sum(d.size + HEADERS for d in datagrams)


def payload(datagrams):
    return sum(d.size for d in datagrams)


def bursts(datagrams, gap_s):
    """Splits by silence: each burst is a list of datagrams with less than gap_s between neighbours."""
    out = []
    for one in datagrams:
        if out and one.at - out[-1][-1].at < gap_s:
            out[-1].append(one)
        else:
            out.append([one])
    return out


class Relay:
    def __init__(self, hub_port):
        self._hub = (LOOPBACK, hub_port)
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind((LOOPBACK, 0))
        self._wake, self._woken = socket.socketpair()
        self._log = []
        self._back = {}  # agent's address: our socket towards the hub
        self.port = self._front.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def mark(self):
        """A place in the log, for since()."""
        return len(self._log)

    def since(self, mark):
        return self._log[mark:]

    def wait_quiet(self, quiet_s, limit_s):
        """Returns when nothing passed for quiet_s; raises after limit_s."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            last = self._log[-1].at if self._log else 0.0
            silent = time.monotonic() - last
            if silent >= quiet_s:
                return
            time.sleep(min(quiet_s - silent + 0.001, 0.2))
        raise TimeoutError(f"the link was not quiet for {quiet_s} s within {limit_s} s")

    def close(self):
        self._wake.send(b"x")
        self._thread.join()
        for one in [self._front, self._wake, self._woken, *self._back.values()]:
            one.close()

    def _run(self):
        while True:
            ready, _, _ = select.select([self._woken, self._front, *self._back.values()], [], [])
            if self._woken in ready:
                return
            for one in ready:
                if one is self._front:
                    self._from_agent()
                else:
                    self._from_hub(one)

    def _from_agent(self):
        data, agent = self._front.recvfrom(65536)
        self._log.append(Datagram(time.monotonic(), True, len(data)))
        if agent not in self._back:
            self._back[agent] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._back[agent].connect(self._hub)
        self._pass(lambda: self._back[agent].send(data))

    def _from_hub(self, back):
        agent = next(address for address, one in self._back.items() if one is back)
        try:
            data = back.recv(65536)
        except ConnectionRefusedError:  # the hub is not there; the agent finds out by itself
            return
        self._log.append(Datagram(time.monotonic(), False, len(data)))
        self._pass(lambda: self._front.sendto(data, agent))

    @staticmethod
    def _pass(send):
        try:
            send()
        except ConnectionRefusedError:
            pass
