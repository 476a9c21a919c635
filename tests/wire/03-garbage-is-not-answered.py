"""What is not DTLS gets nothing, not even an alert: nobody can use the port to reflect datagrams."""
import random

import wire

random.seed(7)
garbage = [b"", b"\0", b"\x16", b"\x16\xfe\xfd", bytes(13), random.randbytes(40), random.randbytes(1400), b"\xff" * 600]
garbage += [wire.record(wire.HANDSHAKE, b""), wire.record(wire.HANDSHAKE, b"\1\0\0\5"), wire.record(99, b"abc")]
garbage += [wire.record(23, random.randbytes(60), epoch=1), wire.record(wire.ALERT, b"\2\x28"), wire.record(20, b"\1")]
# A record with connection ID (RFC 9146) that nobody has.
garbage += [b"\x19\xfe\xfd\0\1" + bytes(6) + random.randbytes(8) + b"\0\x20" + random.randbytes(32)]
# A record that says it is longer than it is, a hello cut short, one of an old version.
hello = wire.client_hello()
garbage += [hello[:11] + b"\xff\xff" + hello[13:], hello[:-9], hello[:40]]
for one in garbage:
    got = wire.answer(wire.udp(timeout=0.25), one)
    assert got is None or (one and len(got) <= len(one) and got[13] == wire.HELLO_VERIFY_REQUEST), (one[:40].hex(), got.hex())
print(f"{len(garbage)} datagrams")
