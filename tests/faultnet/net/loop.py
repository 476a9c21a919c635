"""Descriptors and times, in one thread."""

import heapq
import itertools
import selectors
import time


class Loop:
    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._calls = []  # (due, number, function)
        self._numbers = itertools.count()
        self._running = True

    @staticmethod
    def now():
        return time.monotonic()

    def at(self, due, call):
        heapq.heappush(self._calls, (due, next(self._numbers), call))

    def watch(self, sock, on_read=None, on_write=None):
        """Replaces what was watched before; neither: nothing any more."""
        events = (selectors.EVENT_READ if on_read else 0) | (selectors.EVENT_WRITE if on_write else 0)
        known = sock in self._selector.get_map()
        if events and known:
            self._selector.modify(sock, events, (on_read, on_write))
        elif events:
            self._selector.register(sock, events, (on_read, on_write))
        elif known:
            self._selector.unregister(sock)

    def stop(self):
        self._running = False

    def run(self):
        while self._running:
            for key, events in self._selector.select(self._wait_s()):
                on_read, on_write = key.data
                if events & selectors.EVENT_READ and on_read:
                    on_read()
                if events & selectors.EVENT_WRITE and on_write:
                    on_write()
            now = self.now()
            while self._calls and self._calls[0][0] <= now and self._running:
                heapq.heappop(self._calls)[2]()

    def _wait_s(self):
        if not self._calls:
            return None
        return max(0.0, self._calls[0][0] - self.now())
