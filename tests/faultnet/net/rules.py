"""What a direction of the network does to its packets, and the language in which it is told so.

Every packet draws the same number of random numbers whatever the rules are, from a generator that belongs to its
protocol and direction alone: the same seed decides the same for the n-th packet, also when the rules change meanwhile or
the other direction has more to carry.
"""

import random
import re

HEADERS = {"udp": 28, "tcp": 40}
QUEUE_DEFAULT = 64 << 10
REORDER_DEFAULT_S = 0.02
LOSSES_MAX = 6  # of one segment in a row
PROTOCOLS = ("udp", "tcp")
DIRECTIONS = ("up", "down")


class RuleError(ValueError):
    """A line that cannot be understood."""


def seconds(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", text)
    if not found:
        raise RuleError(f"no time: {text} (like 200ms, 5s, 1m)")
    return float(found.group(1)) * {"ms": 0.001, "s": 1.0, "m": 60.0}[found.group(2)]


def share(text):
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text)
    if not found or float(found.group(1)) > 100:
        raise RuleError(f"no percentage: {text}")
    return float(found.group(1)) / 100


def size(text):
    found = re.fullmatch(r"(\d+)([kM]?)", text)
    if not found:
        raise RuleError(f"no number of bytes: {text}")
    return int(found.group(1)) << {"": 0, "k": 10, "M": 20}[found.group(2)]


def rate(text):
    """Bytes per second."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(bit|kbit|Mbit)", text)
    if not found or float(found.group(1)) == 0:
        raise RuleError(f"no rate: {text} (like 128kbit, 2Mbit)")
    return float(found.group(1)) * {"bit": 1, "kbit": 1e3, "Mbit": 1e6}[found.group(2)] / 8


def switch(text):
    if text not in ("on", "off"):
        raise RuleError(f"on or off, not {text}")
    return text == "on"


class Rules:
    """Of one direction of one protocol."""

    def __init__(self):
        self.loss = 0.0
        self.burst = 1.0  # mean length of a row of losses
        self.delay_s = 0.0
        self.jitter_s = 0.0
        self.reorder = 0.0
        self.reorder_s = REORDER_DEFAULT_S
        self.duplicate = 0.0
        self.corrupt = 0.0
        self.rate = None
        self.queue = QUEUE_DEFAULT
        self.mtu = None  # of the packet, headers included
        self.partition = False

    def take(self, word, args):
        setter = getattr(self, f"_set_{word}", None)
        if not setter:
            raise RuleError(f"no such rule: {word}")
        try:
            setter(*args)
        except TypeError:
            raise RuleError(f"wrong number of words behind {word}") from None

    def _set_loss(self, value, word=None, mean=None):
        if word not in (None, "burst") or (word and not mean):
            raise RuleError("loss PERCENT [burst MEAN]")
        burst = float(mean) if mean else 1.0
        if burst < 1:
            raise RuleError("bursts have a mean length of at least 1")
        self.loss, self.burst = share(value), burst

    def _set_delay(self, value, word=None, jitter=None):
        if word not in (None, "jitter") or (word and not jitter):
            raise RuleError("delay TIME [jitter TIME]")
        self.delay_s, self.jitter_s = seconds(value), seconds(jitter) if jitter else 0.0

    def _set_reorder(self, value, by=None):
        self.reorder, self.reorder_s = share(value), seconds(by) if by else REORDER_DEFAULT_S

    def _set_duplicate(self, value):
        self.duplicate = share(value)

    def _set_corrupt(self, value):
        self.corrupt = share(value)

    def _set_rate(self, value):
        self.rate = None if value == "off" else rate(value)

    def _set_queue(self, value):
        self.queue = size(value)

    def _set_mtu(self, value):
        self.mtu = None if value == "off" else size(value)

    def _set_partition(self, value):
        self.partition = switch(value)

    def _set_clear(self):
        self.__init__()


class Fate:
    """What happens to one packet."""

    __slots__ = ("lost", "losses", "jitter", "reordered", "duplicated", "corrupted", "bit")


def _in_a_row(drawn, loss):
    """How often a packet and its repetitions are lost: what is left of a number below `loss` is a number again."""
    count = 0
    while drawn < loss and count < LOSSES_MAX:
        drawn, count = drawn / loss, count + 1
    return count


class Dice:
    """The random decisions of one direction. Losses in bursts come from two states (Gilbert and Elliott): in the bad
    one everything is lost, and it lasts for `burst` packets on average."""

    def __init__(self, seed, protocol, direction):
        self._random = random.Random(f"{seed} {protocol} {direction}")
        self._bad = False

    def throw(self, rules):
        loss, jitter, reorder, duplicate, corrupt, bit = (self._random.random() for _ in range(6))
        fate = Fate()
        fate.lost = self._lost(rules, loss)
        fate.losses = _in_a_row(loss, rules.loss)
        fate.jitter = jitter
        fate.reordered = reorder < rules.reorder
        fate.duplicated = duplicate < rules.duplicate
        fate.corrupted = corrupt < rules.corrupt
        fate.bit = bit
        return fate

    def _lost(self, rules, drawn):
        if rules.burst <= 1 or rules.loss >= 1:
            self._bad = False
            return drawn < rules.loss
        if self._bad:
            self._bad = drawn >= 1 / rules.burst
        elif rules.loss > 0:
            self._bad = drawn < rules.loss / (rules.burst * (1 - rules.loss))
        return self._bad


class Counters:
    """What a direction did. bytes are payload, without headers."""

    NAMES = ("packets", "bytes", "passed", "passed_bytes", "lost", "too_large", "cut", "queue_full", "corrupted",
             "duplicated", "reordered")

    def __init__(self):
        for name in self.NAMES:
            setattr(self, name, 0)

    def as_dict(self):
        return {name: getattr(self, name) for name in self.NAMES}


class Direction:
    """Rules, dice and counters, and when the line is free again."""

    def __init__(self, seed, protocol, name):
        self.protocol, self.name = protocol, name
        self.rules = Rules()
        self.count = Counters()
        self._dice = Dice(seed, protocol, name)
        self._free_at = 0.0

    def throw(self):
        return self._dice.throw(self.rules)

    def line(self, now, length):
        """When the packet has left the line of limited rate; None when the queue before it is full."""
        if self.rules.rate is None:
            return now
        start = max(now, self._free_at)
        if (start - now) * self.rules.rate > self.rules.queue:
            return None
        self._free_at = start + (length + HEADERS[self.protocol]) / self.rules.rate
        return self._free_at


def corrupted(data, where):
    """With one bit turned over."""
    if not data:
        return data
    at = int(where * len(data) * 8)
    out = bytearray(data)
    out[at // 8] ^= 1 << (at % 8)
    return bytes(out)


def parse(line):
    """(seconds from now, protocols, directions, word, args); None for an empty line or a comment."""
    words = line.split("#", 1)[0].split()
    at_s, protocols, directions = 0.0, PROTOCOLS, DIRECTIONS
    if not words:
        return None
    if words[0] == "at":
        if len(words) < 2:
            raise RuleError("at TIME RULE")
        at_s, words = seconds(words[1]), words[2:]
    if words and words[0] in PROTOCOLS:
        protocols, words = (words[0],), words[1:]
    if words and words[0] in DIRECTIONS:
        directions, words = (words[0],), words[1:]
    if not words:
        raise RuleError("a rule is missing")
    return at_s, protocols, directions, words[0], words[1:]
