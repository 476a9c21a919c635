"""`fedlet join` through a relay that counts: a PSK handshake without certificates, within two kilobytes, cookie first."""
import os
import select
import socket
import subprocess

import wire

HANDSHAKE_MAX = 1400  # UDP payload of both sides until both have sent Finished
ALL_MAX = 6000  # with the request and the answer, which carries two certificates

front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
front.bind(("127.0.0.1", 0))
back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
back.connect(("127.0.0.1", wire.COAP))
token = subprocess.run(
    [os.environ["WIRE_TOKEN_PY"], os.environ["WIRE_TOKEN"], f"address=coaps://127.0.0.1:{front.getsockname()[1]}"],
    check=True, capture_output=True, text=True).stdout.strip()
state = os.environ["WIRE_DIR"] + "/state"
fedlet = subprocess.Popen(
    [os.environ["WIRE_FEDLET"], "join", token, "--name", "wire", "--state-dir", state, "--timeout", "60s"])
agent = None
seen = []  # (from the agent, datagram)
while fedlet.poll() is None or select.select([front, back], [], [], 0.3)[0]:
    for sock in select.select([front, back], [], [], 0.05)[0]:
        if sock is front:
            data, agent = front.recvfrom(65536)
            back.send(data)
        else:
            data = back.recv(65536)
            front.sendto(data, agent)
        seen.append((sock is front, data))
assert fedlet.returncode == 0, fedlet.returncode


def records(datagram):
    """(type, epoch, first byte of the fragment) of each record; a record with a connection ID ends the datagram."""
    at = 0
    while at + 13 <= len(datagram):
        if datagram[at] == 25:
            yield 25, 1, 0
            return
        size = int.from_bytes(datagram[at + 11:at + 13], "big")
        yield datagram[at], int.from_bytes(datagram[at + 3:at + 5], "big"), datagram[at + 13]
        at += 13 + size


# A side that waits a second for the other, on a busy machine, says its flight again. That is not what is measured: within a
# handshake no two datagrams of a side have the same records and size.
handshake, said = [], set()
for up, data in seen:
    if any(kind in (23, 25) and not (kind == 25 and len(data) < 90) for kind, _, _ in records(data)):
        break
    flight = up, len(data), tuple(records(data))
    if flight not in said:
        handshake.append((up, data))
    said.add(flight)
for up, data in seen:
    print("agent" if up else "hub  ", len(data), [record for record in records(data)])
kinds = [message for _, data in handshake for kind, epoch, message in records(data) if kind == 22 and epoch == 0]
assert seen[0][0] and kinds[:3] == [1, 3, 1], "ClientHello, HelloVerifyRequest, ClientHello"
assert 11 not in kinds, "a certificate travels in a PSK handshake"
assert len(handshake[1][1]) <= len(handshake[0][1]), "the hub's first answer is larger than what asked for it"
total = sum(len(data) for _, data in handshake)
everything = sum(len(data) for _, data in seen)
print(f"handshake: {len(handshake)} datagrams, {total} bytes; all: {len(seen)} datagrams, {everything} bytes")
assert 0 < total <= HANDSHAKE_MAX, total
assert everything <= ALL_MAX, everything
assert max(len(data) for _, data in seen) <= 1280 + 100, "a datagram larger than a small path's MTU"
