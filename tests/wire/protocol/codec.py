"""codec.py - varints, strings, names, tokens, the join proof, hello and the bundle's query, as docs/protocol.md describes them.

Written from that document, with nothing of the C code, so that the vectors which both run prove the document. Every refusal
is a Refused with the code of section 2.3."""
import base64
import hashlib
import hmac
import re

KNOWS_FIRST = 15  # section 11
U32_MAX, I64_MAX, U64_MAX = (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1


class Refused(Exception):
    """What a decoder refuses; code is TRUNCATED, LIMIT, INVALID, UNSUPPORTED, CONFLICT, DIGEST or NOT_FOUND."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def need(condition, code="INVALID"):
    if not condition:
        raise Refused(code)


# ---- 2.1 integers and strings ----

def put_varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def put_string(value):
    return put_varint(len(value)) + value


class Cursor:
    """Takes from the front of bytes."""

    def __init__(self, data):
        self.data, self.at = bytes(data), 0

    def left(self):
        return len(self.data) - self.at

    def bytes(self, n):
        need(n <= self.left(), "TRUNCATED")
        self.at += n
        return self.data[self.at - n:self.at]

    def u8(self):
        return self.bytes(1)[0]

    def u32(self):
        return int.from_bytes(self.bytes(4), "big")

    def varint(self, most):
        value = 0
        for i in range(10):
            need(self.at + i < len(self.data), "TRUNCATED")
            byte = self.data[self.at + i]
            need(i < 9 or byte <= 1)
            value |= (byte & 0x7F) << 7 * i
            if byte & 0x80:
                continue
            need(i == 0 or byte)
            need(value <= most, "LIMIT")
            self.at += i + 1
            return value
        raise Refused("INVALID")

    def string(self, most):
        return self.bytes(self.varint(most))

    def count(self, most, least_bytes):
        """A number of things that take so many bytes each at least."""
        n = self.varint(most)
        need(n <= self.left() // least_bytes, "TRUNCATED")
        return n


# ---- 2.2 names ----

LABEL = rb"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
QUALIFIED = rb"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"


def is_label(text):
    return len(text) <= 63 and bool(re.fullmatch(LABEL, text))


def is_subdomain(text):
    return len(text) <= 253 and bool(re.fullmatch(LABEL + rb"(\." + LABEL + rb")*", text))


def is_label_key(text):
    prefix, slash, name = text.partition(b"/")
    if not slash:
        return bool(re.fullmatch(QUALIFIED, text))
    return is_subdomain(prefix) and bool(re.fullmatch(QUALIFIED, name))


def is_label_value(text):
    return text == b"" or bool(re.fullmatch(QUALIFIED, text))


def check_address(text):
    match = re.fullmatch(rb"(coaps|https)://(\[(?P<six>[0-9A-Fa-f:.]*)\]|(?P<host>[^:]*)):(?P<port>[0-9]+)/?", text)
    need(match)
    six, host, port = match["six"], match["host"], match["port"]
    if six is not None:
        need(2 <= len(six) <= 45 and b":" in six)
    else:
        need(is_subdomain(host.lower()))
    need(not port.startswith(b"0") and 1 <= int(port) <= 65535)


# ---- 4.1 tokens ----

TOKEN_TEXT_MAX, TOKEN_ID_MAX, TOKEN_SECRET, TOKEN_ADDRESSES_MAX, TOKEN_ADDRESS_MAX = 2048, 32, 20, 8, 280


def put_token(token):
    data = b"\1" + token["pin"] + put_string(token["id"]) + put_string(token["secret"])
    data += put_varint(token["expires"]) + put_varint(token["uses"]) + put_varint(len(token["addresses"]))
    data += b"".join(put_string(address) for address in token["addresses"])
    return armour(data)


def armour(data):
    """Check sum and text form of a token's bytes."""
    data += hashlib.sha256(data).digest()[:4]
    return "fedlet1." + base64.urlsafe_b64encode(data).decode().rstrip("=")


def take_token(text):
    need(len(text) <= TOKEN_TEXT_MAX, "LIMIT")
    need(text.startswith("fedlet1."))
    body = text[8:]
    need(re.fullmatch(r"[A-Za-z0-9_-]*", body) and len(body) % 4 != 1)
    data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    need(base64.urlsafe_b64encode(data).decode().rstrip("=") == body)  # unused bits are zero
    need(len(data) >= 5, "TRUNCATED")
    need(hashlib.sha256(data[:-4]).digest()[:4] == data[-4:])
    at = Cursor(data[:-4])
    need(at.u8() == 1, "UNSUPPORTED")
    token = {"pin": at.bytes(32), "id": at.string(TOKEN_ID_MAX), "secret": at.string(TOKEN_SECRET)}
    need(re.fullmatch(rb"[a-z0-9]{1,32}", token["id"]) and len(token["secret"]) == TOKEN_SECRET)
    token["expires"] = at.varint(I64_MAX)
    token["uses"] = at.varint(U32_MAX)
    n = at.varint(TOKEN_ADDRESSES_MAX)
    need(n)
    token["addresses"] = []
    for _ in range(n):
        address = at.string(TOKEN_ADDRESS_MAX)
        check_address(address)
        token["addresses"].append(address)
    need(not at.left())
    return token


# ---- 4.3 the proof ----

def join_proof(secret, name, public_key):
    return hmac.new(secret, b"fedlet join 1\0" + name + b"\0" + public_key, hashlib.sha256).digest()


# ---- 3.5 known again ----

def prf_sha256(secret, label, seed, size):
    """RFC 5246 section 5."""
    step, out = label + seed, b""
    while len(out) < size:
        step = hmac.new(secret, step, hashlib.sha256).digest()
        out += hmac.new(secret, step + label + seed, hashlib.sha256).digest()
    return out[:size]


def known_again(cluster, master, client_random, server_random):
    """Identifier and secret."""
    made = prf_sha256(master, b"EXPORTER-fedlet-recall", client_random + server_random, 64)
    return hashlib.sha256(cluster).digest()[:16] + made[:16], made[16:]


# ---- 6.2 hello, 6.3 query ----

def put_hello(hello):
    return b"\1" + put_varint(hello["heartbeat"]) + put_varint(hello["seq"]) + put_varint(hello["time"]) + \
        hello["epoch"].to_bytes(4, "big")


def take_hello(data):
    at = Cursor(data)
    need(at.u8() == 1, "UNSUPPORTED")
    return {"heartbeat": at.varint(U32_MAX), "seq": at.varint(U64_MAX), "time": at.varint(I64_MAX), "epoch": at.u32()}


ITEMS = {1: ("mark", 8), 2: ("trust", 4), 3: ("copied", 0), 4: ("knows", None), 5: ("kinds", 8)}


def put_items(items):
    """{"mark": bytes, "trust": bytes, "copied": True}, behind the fields of a hello."""
    numbers = {name: number for number, (name, _) in ITEMS.items()}
    return b"".join(bytes([numbers[name]]) + put_string(b"" if value is True else value)
                    for name, value in sorted(items.items(), key=lambda item: numbers[item[0]]))


def take_knows(value, found):
    """The bytes of a varint; what is none was not said."""
    try:
        at = Cursor(value)
        at.varint(U64_MAX)
        need(at.left() == 0)
        found.setdefault("knows", value)
    except Refused:
        pass


def kinds_digest(answer):
    return hashlib.sha256(answer).digest()[:8]


def take_items(rest):
    found, at = {}, Cursor(rest)
    try:
        while at.left():
            number, value = at.u8(), at.string(at.left())
            name, size = ITEMS.get(number, (None, None))
            if name == "knows":
                take_knows(value, found)
            elif name and len(value) == size:
                found.setdefault(name, value if size else True)
    except Refused:
        pass  # what does not look like an item ends the list
    return found


def put_hello_query(mark):
    return "n=" + (mark.hex() if mark else "0")


def take_hello_query(text):
    """None when marks are not spoken of, b"" when the agent has none."""
    marks = [part[2:] for part in text.split("&") if part[:2] == "n="]
    if not marks:
        return None
    need(len(marks) == 1 and (marks[0] == "0" or re.fullmatch(r"[0-9a-f]{16}", marks[0])))
    return b"" if marks[0] == "0" else bytes.fromhex(marks[0])


def take_hello_knows(text):
    knows = [part[2:] for part in text.split("&") if part[:2] == "v="]
    need(len(knows) < 2)
    if not knows:
        return KNOWS_FIRST
    need(re.fullmatch(r"0|[1-9][0-9]*", knows[0]))
    need(int(knows[0]) <= U64_MAX, "LIMIT")
    return int(knows[0])


def put_query(epoch, revision):
    return f"e={epoch}&r={revision}"


def take_query(text):
    found = {}
    parts = text.split("&")
    if "n=1" in parts:
        parts.remove("n=1")
    for part in parts:
        need(part[:2] in ("e=", "r=") and part[0] not in found)
        need(re.fullmatch(r"0|[1-9][0-9]*", part[2:]))
        found[part[0]] = int(part[2:])
        need(found[part[0]] <= U64_MAX, "LIMIT")
    need(len(found) == 2)
    need(found["e"] <= U32_MAX, "LIMIT")
    return found["e"], found["r"]
