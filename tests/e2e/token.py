#!/usr/bin/env python3
"""token.py TOKEN CHANGE... - a join token with something in it changed, as well-formed as before (see proto/link/link.h).

CHANGE: pin=HEX, id=TEXT, secret=HEX, expires=UNIX_S, address=URL (instead of all of them), or print=FIELD alone."""
import base64
import hashlib
import sys


def take_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def put_varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def take_string(data, at):
    size, at = take_varint(data, at)
    return data[at:at + size], at + size


def decode(text):
    prefix, _, body = text.partition(".")
    assert prefix == "fedlet1", prefix
    data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    assert data[0] == 1 and hashlib.sha256(data[:-4]).digest()[:4] == data[-4:]
    token, at = {"pin": data[1:33]}, 33
    token["id"], at = take_string(data, at)
    token["secret"], at = take_string(data, at)
    token["expires"], at = take_varint(data, at)
    token["uses"], at = take_varint(data, at)
    count, at = take_varint(data, at)
    token["addresses"] = []
    for _ in range(count):
        address, at = take_string(data, at)
        token["addresses"].append(address)
    assert at == len(data) - 4
    return token


def encode(token):
    def string(value):
        return put_varint(len(value)) + value

    data = bytes([1]) + token["pin"] + string(token["id"]) + string(token["secret"])
    data += put_varint(token["expires"]) + put_varint(token["uses"]) + put_varint(len(token["addresses"]))
    data += b"".join(string(address) for address in token["addresses"])
    data += hashlib.sha256(data).digest()[:4]
    return "fedlet1." + base64.urlsafe_b64encode(data).decode().rstrip("=")


def main():
    token = decode(sys.argv[1])
    assert encode(token) == sys.argv[1]
    for change in sys.argv[2:]:
        key, _, value = change.partition("=")
        if key == "print":
            shown = token[value]
            print(shown.hex() if value in ("pin", "secret") else shown.decode() if value == "id" else
                  " ".join(address.decode() for address in shown) if value == "addresses" else shown)
            return
        if key == "address":
            token["addresses"] = [value.encode()]
        elif key in ("pin", "secret"):
            token[key] = bytes.fromhex(value)
        elif key == "expires":
            token[key] = int(value)
        else:
            token[key] = value.encode()
    print(encode(token))


main()
