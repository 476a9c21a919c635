"""https.py - the HTTPS binding without its network: what a request asks, records of a stream, ETags, as sections 5.4 to 5.7 of
docs/protocol.md describe them."""
import hashlib
import re

from codec import Cursor, need

PREFIX, RECORD_MAX = "/fedlet/v1/", 32 << 20
ID = r"[0-9A-Fa-f]{32}"


class Status(Exception):
    """The status that a request is answered with before anybody looks at its resource."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


# ---- 5.4, 5.5 requests ----

def values(headers, name):
    return [value for key, value in headers if key == name]


def take_request(method, target, headers):
    """headers: a list of names (in lower case) and values."""
    ids, observe = values(headers, "fedlet-session"), values(headers, "fedlet-observe")
    if len(ids) != 1 or not re.fullmatch(ID, ids[0]) or observe not in ([], ["stream"]) or observe and method != "GET":
        raise Status(400)
    if method not in ("GET", "POST"):
        raise Status(405)
    path, _, query = target.partition("?")
    path = path[len(PREFIX):] if path.startswith(PREFIX) else path
    asked = {"session": ids[0].lower(), "path": path, "query": query, "ping": method == "GET" and path == "p",
             "observe": bool(observe)}
    ranges, etags = values(headers, "range"), values(headers, "if-range")
    if method == "GET" and not observe and len(ranges) == len(etags) == 1 and re.fullmatch(f'"{ID}"', etags[0]):
        match = re.fullmatch(r"bytes=([0-9]+)-", ranges[0])
        if match and int(match[1]) < 1 << 64:
            asked.update({"from": int(match[1]), "if_range": etags[0]})
    return asked


# ---- 5.6 the observation ----

def put_records(payloads):
    return b"".join(len(payload).to_bytes(4, "big") + payload for payload in payloads)


def take_records(data):
    """The records that are whole, without those that say nothing, and how many bytes are left."""
    at, payloads = Cursor(data), []
    while at.left() >= 4:
        size = int.from_bytes(at.data[at.at:at.at + 4], "big")
        need(size <= RECORD_MAX, "LIMIT")
        if at.left() < 4 + size:
            break
        at.u32()
        payload = at.bytes(size)
        payloads += [payload] if payload else []
    return payloads, at.left()


# ---- 5.7 ranges ----

def etag(body):
    return '"' + hashlib.sha256(body).digest()[:16].hex() + '"'
